"""The pages of a process that has no server of its own: /health, /healthz, /readyz, /metrics, on this machine only."""

from typing import Protocol

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from streams.config import Config
from streams.ops.health import Runner, serve
from streams.ops.process import tell_address


class Shown(Protocol):
    """What a process says of itself."""

    @property
    def ready(self) -> bool: ...

    def health(self) -> dict[str, object]: ...


async def open_pages(config: Config, name: str, shown: Shown) -> Runner:
    """Serves at `health_port`; the URL lies in `{data_dir}/run/{name}.url`. Raises OSError where the port is taken."""

    async def health(_: web.Request) -> web.Response:
        return web.json_response(shown.health())

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        return web.Response(text="ready\n" if shown.ready else "not ready\n", status=200 if shown.ready else 503)

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.add_routes([web.get("/health", health), web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metrics)])
    runner = await serve(app, "127.0.0.1", config.health_port)
    tell_address(config, f"{name}.url", runner.url)
    return runner
