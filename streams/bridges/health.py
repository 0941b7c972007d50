"""The health pages of a bridge and the frame of its process: signals, address file, loop."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from streams.bridges.consume import Status
from streams.config import Config
from streams.ops import logs


def run(config: Config, status: Status, serve: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Runs `serve` with its health pages until SIGTERM or SIGINT."""
    logs.configure(config.log_level, config.log_format, f"bridge-{status.mirror}")
    asyncio.run(_run(config, status, serve))


async def _run(config: Config, status: Status, serve: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    pages = await open_pages(config, status)
    try:
        await serve(stop)
    finally:
        await pages.cleanup()


async def open_pages(config: Config, status: Status) -> web.AppRunner:
    """Serves `/healthz`, `/readyz`, `/health`, `/metrics` on 127.0.0.1; the URL lies in `{data_dir}/run/bridge-{mirror}.url`."""

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        return web.Response(text="ready\n" if status.ready else "not ready\n", status=200 if status.ready else 503)

    async def health(_: web.Request) -> web.Response:
        return web.json_response({"status": "ok" if status.ready else "degraded", **msgspec.structs.asdict(status)})

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/health", health), web.get("/metrics", metrics)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", config.health_port).start()
    file = Path(config.data_dir) / "run" / f"bridge-{status.mirror}.url"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"http://127.0.0.1:{runner.addresses[0][1]}\n")
    return runner
