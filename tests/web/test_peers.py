"""Asking another worker: what is no answer is said so, with its address and never with the token."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web

import streams.web.peers as module
from streams.ops.health import serve
from streams.web.peers import HOP, Answer, Peers, Unreachable

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def ask(handler: Handler, *path: str, **query: str) -> Answer:
    async def run() -> Answer:
        app = web.Application()
        app.router.add_get("/{path:.*}", handler)
        runner, peers = await serve(app, "127.0.0.1", 0), Peers("sesame")
        try:
            return await peers.ask(runner.url + "/", *path, **query)
        finally:
            await peers.close()
            await runner.stop()

    return asyncio.run(run())


async def echo(request: web.Request) -> web.StreamResponse:
    headers = request.headers
    return web.json_response({"path": request.raw_path, "hop": headers.get(HOP), "token": headers.get("Authorization")}, status=404)


def test_asks_with_hop_and_token() -> None:
    assert ask(echo, "inspect", "balances", "live:a/b%?", limit="3") == Answer(
        404, {"path": "/inspect/balances/live:a%2Fb%25%3F?limit=3", "hop": "1", "token": "Bearer sesame"})


async def text(_: web.Request) -> web.StreamResponse:
    return web.Response(text="<html>")


async def array(_: web.Request) -> web.StreamResponse:
    return web.json_response([])


async def silence(_: web.Request) -> web.StreamResponse:
    await asyncio.sleep(5)
    return web.Response()


async def elsewhere(_: web.Request) -> web.StreamResponse:
    raise web.HTTPFound("http://127.0.0.1:1/")


@pytest.mark.parametrize("handler", [text, array, silence, elsewhere])
def test_no_answer(handler: Handler, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TIMEOUT_S", 0.1)
    with pytest.raises(Unreachable, match=r"worker at http://127.0.0.1:\d+/: expected ") as refused:
        ask(handler, "inspect")
    assert "sesame" not in str(refused.value)
