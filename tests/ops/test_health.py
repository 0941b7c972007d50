"""The server of every process: its routes, its address, and a port that is taken."""

import asyncio

import pytest
from aiohttp import ClientSession, web

from streams.ops.health import Runner, application, serve


def test_four_routes_and_a_reason() -> None:
    state = [(False, "no partitions yet"), (True, "")]

    async def ask() -> list[tuple[int, str]]:
        runner = await serve(application("bridge-redis", lambda: state[0]), "127.0.0.1", 0)
        found = []
        async with ClientSession() as session:
            for path in ("/health", "/healthz", "/readyz", "/metrics"):
                async with session.get(runner.url + path) as response:
                    found.append((response.status, await response.text()))
            state.pop(0)
            async with session.get(runner.url + "/readyz") as response:
                found.append((response.status, await response.text()))
        await runner.stop()
        return found

    health, healthz, unready, metrics, ready = asyncio.run(ask())
    assert health == healthz == (200, '{"status":"ok","name":"bridge-redis","ready":false}')
    assert unready == (503, '{"status":"not ready","name":"bridge-redis","reason":"no partitions yet"}')
    assert metrics[0] == 200
    assert "marginstream_ready 0.0" in metrics[1]
    assert ready == (200, '{"status":"ready","name":"bridge-redis"}')


def test_taken_port_is_refused_and_given_free_after_stop() -> None:
    async def bind() -> None:
        first = await serve(web.Application(), "127.0.0.1", 0)
        with pytest.raises(OSError, match="address already in use"):
            await serve(web.Application(), "127.0.0.1", first.port)
        await first.stop()
        again = await serve(web.Application(), "127.0.0.1", first.port)
        assert again.url == first.url
        await again.stop()

    asyncio.run(bind())


@pytest.mark.parametrize(("host", "url"), [("127.0.0.1", "http://127.0.0.1:80"), ("::1", "http://[::1]:80")])
def test_url(host: str, url: str) -> None:
    assert Runner(web.AppRunner(web.Application()), host, 80).url == url
