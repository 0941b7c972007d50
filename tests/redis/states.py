"""States written through the bridge, and what its channels said."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import orjson
import redis

from schemas.engine_pb2 import UserState
from streams.bridges.redis import Bridge
from streams.cache import keys
from streams.cache.store import Store
from streams.config import Config
from tests.bridges.facts import sent, user_state, with_position

CHANNELS = (keys.USER_UPDATES, keys.BALANCE_UPDATES, keys.ADMIN_USER_UPDATES, keys.GROUP_UPDATES)
Said = list[tuple[str, dict[str, object]]]
T = TypeVar("T")


def run(url: str, job: Callable[[Store], Awaitable[T]]) -> T:
    """Does `job` over a store of its own."""

    async def whole() -> T:
        store = Store(url)
        try:
            return await job(store)
        finally:
            await store.close()

    return asyncio.run(whole())


def write(url: str, *states: UserState, queue_max: int = 3, quiet: bool = False) -> Bridge:
    """One batch a state, then a flush of the shared hashes."""

    async def job(store: Store) -> Bridge:
        bridge = Bridge(store, Config(queue_margin_check_max=queue_max), quiet=quiet)
        for state in states:
            assert await bridge.write([sent(state)]) == []
        await bridge.shared.flush()
        return bridge

    return run(url, job)


def state(version: int = 1, balance: str = "100", user: str = "live:123", **said: object) -> UserState:
    """A user's state: `operations` of an admin, `symbols` held, `kyc`, `group`, `leverage`, `status`."""
    found = user_state(user, version, balance)
    found.profile.leverage = str(said.get("leverage", "50"))
    found.profile.group, found.profile.status = str(said.get("group", "standard")), str(said.get("status", "active"))
    found.profile.kyc, found.profile.risk_tier = bool(said.get("kyc", True)), "high"
    operations, symbols = said.get("operations", 0), said.get("symbols", ())
    if isinstance(operations, int) and operations:
        found.sequences["admin"].next = operations
    for symbol in symbols if isinstance(symbols, Sequence) else ():
        with_position(found, str(symbol))
        found.accounts["house"].positions[f"house:{symbol}/LONG/p1"].instrument = f"house:{symbol}"
    return found


@contextmanager
def hearing(client: "redis.Redis | redis.RedisCluster", *channels: str) -> Iterator[Callable[[], Said]]:
    """What came on the channels since; asked once."""
    node = client.get_primaries()[0] if isinstance(client, redis.RedisCluster) else None  # type: ignore[no-untyped-call]
    heard = client.pubsub(node=node) if isinstance(client, redis.RedisCluster) else client.pubsub()  # type: ignore[no-untyped-call]
    heard.subscribe(*(channels or CHANNELS))

    def drain() -> Said:
        found, until = Said(), time.monotonic() + 0.5
        while time.monotonic() < until:
            message = heard.get_message(timeout=0.1)
            if message and message["type"] == "message":
                found.append((_text(message["channel"]), orjson.loads(message["data"])))
        return found

    drain()
    yield drain
    heard.close()


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
