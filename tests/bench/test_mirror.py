"""The benchmark of the mirrors, small: row by row leaves what the bridges leave, so that the two may be compared."""

import asyncio
from collections.abc import Callable

import psycopg
import pytest
import redis

from schemas.engine_pb2 import UserState
from streams.bench.mirror import mirror, states
from streams.bench.row_by_row import PostgresRows, RedisRows
from streams.bridges.compare import canonical_state, differences, postgres_rows
from streams.bridges.redis import Bridge
from streams.cache.store import Store
from streams.config import Config

USERS = 5
OWN = ("v", "symbol_holders", "marginstream")  # what only a guarded mirror keeps


@pytest.fixture(scope="module")
def dsn(database_of: Callable[[str], str]) -> str:
    return database_of("bench_mirror")


def held(url: str) -> dict[str, object]:
    """Every key but those of guards; times of writing aside."""
    client, found = redis.Redis.from_url(url, decode_responses=True), dict[str, object]()
    for key in client.scan_iter():
        if not key.endswith(":v") and not key.startswith(OWN):
            kind = client.type(key)
            found[key] = client.hgetall(key) if kind == "hash" else client.lrange(key, 0, -1) if kind == "list" else client.get(key)
    client.close()
    return found


def test_row_by_row_leaves_in_redis_what_the_bridge_leaves(redis_url: str) -> None:
    async def job(is_ours: bool) -> dict[str, object]:
        redis.Redis.from_url(redis_url).flushdb()
        store = Store(redis_url)
        bridge, client = Bridge(store, Config()), await store.client()
        assert isinstance(client, redis.asyncio.Redis)
        write = bridge.write if is_ours else RedisRows(client).write
        for batch in TOLD:
            await write(batch)
        await bridge.shared.flush()
        await store.close()
        return held(redis_url)

    ours, theirs = asyncio.run(job(True)), asyncio.run(job(False))
    assert len(ours) == 3 * USERS + 2
    assert theirs == ours


TOLD = [states(USERS, version) for version in (1, 2)]


def test_row_by_row_leaves_in_postgres_what_the_bridge_leaves(dsn: str) -> None:
    async def job() -> None:
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
            for batch in (*TOLD, TOLD[0]):  # the late one loses
                await PostgresRows(connection).write(batch)

    asyncio.run(job())
    newest = [UserState.FromString(made.value or b"") for made in TOLD[1]]
    assert differences({state.user_id: canonical_state(state) for state in newest}, postgres_rows(dsn)) == []


def test_every_rate_is_there() -> None:
    rows = {str(row["store"]): row for row in mirror(600, 2_000)}
    assert list(rows) == ["redis", "figures for people", "prices by redis", "postgres"]
    for store in ("redis", "postgres"):
        names = ("states_per_s", "row_by_row_per_s", "guarded_row_by_row_per_s", "ready_made_per_s")
        assert all(float(str(rows[store][name])) > 0 for name in names)
