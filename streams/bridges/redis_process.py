"""The Redis bridge's process: its loops side by side, one connection, one stop."""

import asyncio
import contextlib
import time

from streams import topics
from streams.bridges.consume import Mirror, Status, consume
from streams.bridges.redis import NAME, Bridge
from streams.bridges.redis_channels import listen
from streams.bridges.redis_feed import Feed
from streams.bridges.redis_follow import sweeping
from streams.bridges.redis_metrics import BREAKER
from streams.bridges.redis_portfolio import PortfolioBridge
from streams.cache import keys
from streams.cache.store import AWAY, Store
from streams.config import Config
from streams.ops.process import pause

BEHIND_S = 5.0  # a mirror that is later than that is no cache to read


async def serve(config: Config, status: Status, stop: asyncio.Event) -> None:
    """Runs until `stop`; the first loop that fails ends all."""
    store = Store(config.redis_url)
    bridge = Bridge(store, config)
    beside = [Mirror(f"{NAME}-portfolios", (topics.PORTFOLIOS,), PortfolioBridge(store).write, AWAY)]
    if config.market_feed == "out":
        beside.append(Mirror(f"{NAME}-market", (topics.PRICE_TICKS,), Feed(store, config.generation).write, AWAY))
    try:
        async with asyncio.TaskGroup() as running:
            running.create_task(consume(config, Mirror(NAME, (topics.ACCOUNT_STATES,), bridge.write, AWAY), status, stop))
            for mirror in beside:
                running.create_task(consume(config, mirror, Status(mirror.name), stop))
            running.create_task(bridge.shared.run(stop))
            running.create_task(sweeping(store, stop))
            running.create_task(listen(config, store, stop))
            running.create_task(_beat(store, (bridge, status), stop))
    finally:
        await store.close()


async def _beat(store: Store, mirror: tuple[Bridge, Status], stop: asyncio.Event) -> None:
    """Says in Redis that the mirror keeps up: readers of caches go to Postgres where nobody says it."""
    bridge, status = mirror
    while not stop.is_set():
        BREAKER.set(1 if store.open_since_ms else 0)
        if status.ready and bridge.behind_s < BEHIND_S:
            with contextlib.suppress(*AWAY):
                await store.run([("SET", keys.MIRROR_ALIVE, int(time.time() * 1000), "PX", int(BEHIND_S * 1000))])
        await pause(stop, 1.0)
