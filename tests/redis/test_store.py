"""The connection: TLS, ACL users, a server that goes and comes back, lost scripts, and writers that wake up late."""

import asyncio
import random
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis
from redis.exceptions import ResponseError

from streams.bridges.compare import canonical_cache, differences, redis_rows
from streams.bridges.redis import Bridge
from streams.cache import keys, scripts
from streams.cache.scripts import Script
from streams.cache.store import AWAY, Call, Store, load
from streams.config import Config
from streams.stack import process
from streams.stack.redis import start_redis
from tests.bridges.facts import sent
from tests.redis.conftest import Client
from tests.redis.states import run, state


def test_a_late_repeated_or_sleeping_writer_never_moves_a_value_back(url: str, client: Client) -> None:
    """Two bridges, each with its own delays and repeats of the same states, in batches of any size."""
    chance = random.Random(11)
    symbols = [("EURUSD",), ("GBPUSD", "EURUSD"), (), ("USDJPY",)]
    states = [state(version, str(version), f"live:{user}", symbols=symbols[(user + version) % 4], operations=version // 3)
              for user in range(12) for version in range(1, 13)]

    async def job(store: Store) -> None:
        bridges = [Bridge(store, Config()), Bridge(store, Config())]

        async def write(bridge: Bridge) -> None:
            told = [*states, *chance.sample(states, 40)]
            chance.shuffle(told)
            while told:
                batch = [sent(told.pop()) for _ in range(min(len(told), chance.randrange(1, 30)))]
                assert await bridge.write(batch) == []

        await asyncio.gather(*(write(bridge) for bridge in bridges))
        for bridge in bridges:
            await bridge.shared.flush()

    run(url, job)
    last = states[11::12]
    assert differences({one.user_id: canonical_cache(one) for one in last}, redis_rows(url)) == []
    assert client.hgetall("user_wallets") == {str(user): "12" for user in range(12)}
    for symbol in ("EURUSD", "GBPUSD", "USDJPY"):
        held = {f"live:{user}" for user in range(12) if symbol in symbols[(user + 12) % 4]}
        assert client.smembers(f"symbol_holders:{symbol}:live") == held


def test_a_server_that_goes_and_comes_back(tmp_path: Path) -> None:
    """The breaker opens after three failures, asks by PING, and closes with the first answer."""
    url, server = start_redis(tmp_path / "redis")

    async def job() -> None:
        store = Store(url)
        assert await store.run([("SET", "a", "1")]) == [True]
        process.stop(server)
        for _ in range(3):
            with pytest.raises(AWAY):
                await store.run([("SET", "a", "2")])
        assert store.open_since_ms
        _, again = start_redis(tmp_path / "redis")
        try:
            assert await store.run([("SET", "a", "3"), ("GET", "a")]) == [True, b"3"]
            assert not store.open_since_ms
        finally:
            process.stop(again)
            await store.close()

    asyncio.run(job())


def test_a_user_of_the_servers_list_may_use_what_he_may(single: str) -> None:
    with redis.Redis.from_url(single) as root:
        root.execute_command("ACL", "SETUSER", "mirror", "on", ">secret", "~*", "&*", "+@all", "-flushall", "-info")
    parts = urlsplit(single)
    own = f"redis://mirror:secret@{parts.netloc}/0"

    async def job(store: Store) -> None:
        assert await Bridge(store, Config()).write([sent(state())]) == []

    run(own, job)
    assert list(redis_rows(single)) == ["live:123"]
    with pytest.raises(AWAY):
        run(f"redis://mirror:wrong@{parts.netloc}/0", job)


def test_a_script_under_another_hash_is_refused(single: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scripts, "ALL", (Script(scripts.USER.text, "0" * 40),))

    async def job(store: Store) -> None:
        await load(await store.client())

    with pytest.raises(ResponseError, match="expected hash 0000"):
        run(single, job)


def calls(version: int, users: int = 150) -> list[Call]:
    names = [keys.balance(f"live:{user}") for user in range(users)]
    return [Call(scripts.BALANCE, (name, keys.companion(name)), ("source", f"1 {version}", f"{user}.50", 60))
            for user, name in enumerate(names)]


def test_calls_go_together_and_each_has_its_own_answer(url: str, client: Client) -> None:
    """One server takes 64 at a time; what a stranger did to one key concerns no other, on a Cluster as well."""
    client.lpush(keys.companion(keys.balance("live:70")), "x")
    before = client.info("commandstats").get("cmdstat_evalsha", {"calls": 0})["calls"] if isinstance(client, redis.Redis) else 0

    async def job(store: Store) -> tuple[list[object], list[object], list[object]]:
        await load(await store.client())
        return await store.call(calls(1)), await store.call([*calls(1)[:1], *calls(2)[1:]]), await store.call([])

    first, second, none = run(url, job)
    refused = [(at, str(answer)[:9]) for at, answer in enumerate(first) if isinstance(answer, ResponseError)]
    assert (refused, [first.count(1), len(first)], none) == ([(70, "WRONGTYPE")], [149, 150], [])
    assert (second[0], second.count(1)) == (0, 148)
    assert [client.get(keys.balance(f"live:{user}")) for user in (0, 69, 70, 71, 149)] == ["0.50", "69.50", None, "71.50", "149.50"]
    if isinstance(client, redis.Redis):
        assert client.info("commandstats")["cmdstat_evalsha"]["calls"] - before == 6


def test_a_batch_of_many_parts_leaves_out_only_what_nobody_can_write(url: str, client: Client) -> None:
    told = [state(1, f"{user}.25", f"live:{user}") for user in range(700)]
    for user in (3, 299, 699):
        client.set(keys.config(f"live:{user}"), "a stranger's")

    async def job(store: Store) -> list[str]:
        bridge = Bridge(store, Config())
        left = await bridge.write([sent(one) for one in told])
        await bridge.shared.flush()
        return [str(one.record.key) for one in left]

    assert run(url, job) == ["b'live:3'", "b'live:299'", "b'live:699'"]
    assert (client.hlen("user_wallets"), client.get("user_balance:live:698")) == (697, "698.25")
    assert client.hget(keys.config("live:500"), "wallet_balance") == "500.25"


def test_a_server_that_takes_no_writes_is_away_for_every_call(single: str) -> None:
    with redis.Redis.from_url(single) as root:
        root.config_set("maxmemory", "1")
        try:
            with pytest.raises(AWAY):
                run(single, lambda store: store.call(calls(1)))
        finally:
            root.config_set("maxmemory", "0")
        assert root.dbsize() == 0
    assert run(single, lambda store: store.call(calls(1))) == [1] * 150


@asynccontextmanager
async def tls(url: str, files: tuple[Path, Path]) -> AsyncIterator[int]:
    """The port of what speaks TLS and passes on to a plain server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    host, port = urlsplit(url).hostname or "", urlsplit(url).port or 0

    async def through(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection(host, port)

        async def pass_on(source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
            while data := await source.read(65_536):
                to.write(data)
                await to.drain()
            to.close()

        await asyncio.gather(pass_on(reader, inner_writer), pass_on(inner_reader, writer), return_exceptions=True)

    server = await asyncio.start_server(through, "127.0.0.1", 0, ssl=context)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()


def test_tls(single: str, tmp_path: Path) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    made = subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
                           "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("no openssl on the PATH")

    async def job() -> None:
        async with tls(single, (cert, key)) as port:
            trusted, stranger = Store(f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={cert}"), Store(f"rediss://127.0.0.1:{port}/0")
            assert await Bridge(trusted, Config()).write([sent(state())]) == []
            await trusted.close()
            with pytest.raises(AWAY):
                await stranger.run([("PING",)])
            await stranger.close()

    asyncio.run(job())
    assert list(redis_rows(single)) == ["live:123"]
