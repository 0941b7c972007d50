"""The worker's web server: health, metrics and inspection, in the worker's own process and event loop."""

from collections.abc import AsyncIterator

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from streams.ops.health import Runner, application, refusal, serve
from streams.web.inspection import Inspection, Refused
from streams.web.judge import JudgePage
from streams.web.peers import Peers, Unreachable
from streams.web.portfolio import PortfolioPages
from streams.web.stress import STRESS_TIMEOUT_S, StressPage
from streams.web.tokens import Tokens
from streams.web.view import WorkerView

OWNER = web.RequestKey("owner", str)  # of the token a request came with
# Readable without the token: what probes and scrapers ask, and sums that name no user.
_OPEN = {"/health", "/healthz", "/readyz", "/metrics", "/api/market/portfolio/status"}


async def start(state: WorkerView, host: str, port: int, token: str, named: str = "") -> Runner:
    """Serves `state`; port 0 is any free one, an empty token asks for none (`named`: further ones). Raises OSError where it is taken."""
    app = application(state.worker_name, state.ready, [authorised(Tokens(token, named)), say_refusals])
    peers, patient = Peers(token), Peers(token, STRESS_TIMEOUT_S)

    async def close_peers(_: web.Application) -> AsyncIterator[None]:
        yield
        await peers.close()
        await patient.close()

    app.cleanup_ctx.append(close_peers)
    app.add_routes(StressPage(state, patient).routes())  # before the tables: it is none
    app.add_routes(JudgePage(state, peers).routes())
    app.add_routes(Inspection(state, peers).routes())
    app.add_routes(PortfolioPages(state, peers).routes())
    return await serve(app, host, port)


def authorised(tokens: Tokens) -> Middleware:
    """Asks for `Authorization: Bearer` on all but the open pages, and notes under `OWNER` whose it is."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        owner = tokens.owner(request.headers.get("Authorization", "").encode(errors="surrogateescape"))
        is_open = request.path in _OPEN and request.method in {"GET", "HEAD"}
        if owner is None and not is_open:
            refused = refusal(401, "unauthorized", "expected the header Authorization: Bearer with the token")
            refused.headers["WWW-Authenticate"] = "Bearer"
            return refused
        request[OWNER] = owner or ""
        return await handler(request)

    return check


@web.middleware
async def say_refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Gives what a page refuses the shape of every error."""
    try:
        return await handler(request)
    except Refused as refused:
        return refused.answer()
    except Unreachable as error:
        return refusal(503, "unreachable", str(error))
