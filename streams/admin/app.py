"""The admin API: its routes behind the token, refusals in one shape, and the workers' pages under the same address."""

from collections.abc import AsyncIterator, Iterable

from aiohttp import web

from streams.admin.accounts import Accounts
from streams.admin.desk import Desk
from streams.admin.money import Money
from streams.admin.users import Users
from streams.ops.health import Ready, application
from streams.web.app import authorised, say_refusals
from streams.web.tokens import Tokens

_PASSED_ON = ("/inspect", "/inspect/{rest:.*}", "/api/market/{rest:.*}")


def admin(desk: Desk, ready: Ready, tokens: Tokens, more: Iterable[web.RouteDef] = ()) -> web.Application:
    """The application; `more` are routes that need what only the process knows."""
    app = application("admin", ready, [authorised(tokens), say_refusals])

    async def close(_: web.Application) -> AsyncIterator[None]:
        yield
        await desk.workers.close()
        await desk.store.close()

    app.cleanup_ctx.append(close)
    for pages in (Money(desk), Users(desk), Accounts(desk)):
        app.add_routes(pages.routes())
    app.add_routes(more)
    app.add_routes([web.get(path, desk.workers.page) for path in _PASSED_ON])
    return app
