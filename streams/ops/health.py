"""What every listening process answers: `/health`, `/healthz`, `/readyz` and `/metrics`; and the server under it."""

import logging
from collections.abc import Callable, Iterable

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from streams.ops.metrics import CONTENT_TYPE, METRICS

Ready = Callable[[], tuple[bool, str]]
log = logging.getLogger(__name__)


class Runner:
    """A running server; `url` has the port that was bound."""

    def __init__(self, runner: web.AppRunner, host: str, port: int) -> None:
        self._runner = runner
        self.port = port
        self.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    async def stop(self) -> None:
        """Answers what is under way (at most 2 s), then closes."""
        await self._runner.cleanup()


def application(name: str, ready: Ready, middlewares: Iterable[Middleware] = ()) -> web.Application:
    """An application with the four routes; `ready` gives (ready, reason it is not)."""

    async def health(_: web.Request) -> web.Response:
        return answer({"status": "ok", "name": name, "ready": ready()[0]})

    async def readyz(_: web.Request) -> web.Response:
        is_ready, reason = ready()
        return answer({"status": "ready", "name": name}) if is_ready else answer(
            {"status": "not ready", "name": name, "reason": reason}, 503)

    async def metrics(_: web.Request) -> web.Response:
        METRICS.ready.set(ready()[0])
        return web.Response(body=METRICS.exposed(), headers={"Content-Type": CONTENT_TYPE})

    app = web.Application(middlewares=[say_errors, *middlewares])
    app.add_routes([web.get("/health", health), web.get("/healthz", health), web.get("/readyz", readyz), web.get("/metrics", metrics)])
    return app


async def serve(app: web.Application, host: str, port: int) -> Runner:
    """Binds and serves; port 0 is any free one. Raises OSError where the port is taken."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=2.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError:
        await runner.cleanup()
        raise
    return Runner(runner, host, int(runner.addresses[0][1]))


def answer(body: object, status: int = 200) -> web.Response:
    """A JSON response."""
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")


def refusal(status: int, code: str, message: str, field: str | None = None) -> web.Response:
    """An error in the one shape all errors have."""
    return answer({"error": {"code": code, "message": message, "field": field}}, status)


@web.middleware
async def say_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Gives unknown routes, wrong methods and bugs the shape of every error; a bug is logged and never shown."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        shaped = refusal(error.status, error.reason.lower().replace(" ", "_"), f"{request.method} {request.path}: {error.reason}")
        if allow := error.headers.get("Allow"):
            shaped.headers["Allow"] = allow
        return shaped
    except Exception:
        log.exception("%s %s failed", request.method, request.path)
        return refusal(500, "internal", "internal error")
