"""A bridge as a process: its pages while it serves."""

import asyncio

from streams.bridges.consume import Status
from streams.config import Config
from streams.ops import process
from streams.ops.pages import open_pages


def run(config: Config, status: Status, serve: process.Serve) -> None:
    """Runs `serve` with its pages until SIGTERM or SIGINT."""
    name = f"bridge-{status.mirror}"

    async def shown(stop: asyncio.Event) -> None:
        pages = await open_pages(config, name, status)
        try:
            await serve(stop)
        finally:
            await pages.stop()

    process.run(config, name, shown)
