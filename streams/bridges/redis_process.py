"""The Redis bridge's process: its loops side by side, one connection, one stop."""

import asyncio

from streams import topics
from streams.bridges.consume import Mirror, Status, consume
from streams.bridges.redis import NAME, Bridge
from streams.bridges.redis_channels import listen
from streams.bridges.redis_follow import sweeping
from streams.bridges.redis_portfolio import PortfolioBridge
from streams.cache.store import AWAY, Store
from streams.config import Config


async def serve(config: Config, status: Status, stop: asyncio.Event) -> None:
    """Runs until `stop`; the first loop that fails ends all."""
    store = Store(config.redis_url)
    bridge = Bridge(store, config)
    try:
        async with asyncio.TaskGroup() as running:
            running.create_task(consume(config, Mirror(NAME, (topics.ACCOUNT_STATES,), bridge.write, AWAY), status, stop))
            running.create_task(consume(config, Mirror(f"{NAME}-portfolios", (topics.PORTFOLIOS,), PortfolioBridge(store).write, AWAY),
                                        Status(f"{NAME}-portfolios"), stop))
            running.create_task(bridge.shared.run(stop))
            running.create_task(sweeping(store, stop))
            running.create_task(listen(config, store, stop))
    finally:
        await store.close()
