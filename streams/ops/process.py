"""The frame of every process: its logs, the signals that end it, pauses that end with it, and the file that says where it answers."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

from streams.config import Config
from streams.ops import logs

Serve = Callable[[asyncio.Event], Awaitable[None]]


def run(config: Config, name: str, serve: Serve, loop: Callable[[Coroutine[Any, Any, None]], None] = asyncio.run) -> None:
    """Runs `serve` until it ends by itself; SIGTERM and SIGINT set its event. `loop` runs a coroutine, as `asyncio.run` does."""
    logs.configure(config.log_level, config.log_format, name)
    loop(_signalled(serve))


async def _signalled(serve: Serve) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await serve(stop)


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """As long as that, or until `stop`."""
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


def tell_address(config: Config, name: str, address: str) -> None:
    """Puts the address into `{data_dir}/run/{name}`: whoever sees the file finds all of it."""
    file = Path(config.data_dir) / "run" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    begun = file.with_name(f"{name}.begun")
    begun.write_text(f"{address}\n")
    begun.replace(file)
