"""The pages `/inspect`: rows answered by their owner, lists over all workers."""

import base64
import binascii
from typing import TypeVar, cast

from aiohttp import web

from schemas.keys import BadKey, user_key, user_parts
from streams.ops.health import answer, refusal
from streams.web.peers import HOP, Answer, Peers
from streams.web.rows import TABLES, VIEWS, Row, open_orders
from streams.web.view import WorkerView
from tables.rows import Orders, User

LIMIT, LIMIT_MAX = 100, 500
_T = TypeVar("_T")


class Refused(Exception):
    """A request that gets an error: status, code, message, field."""

    def __init__(self, status: int, code: str, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.field = status, code, message, field

    def answer(self) -> web.Response:
        return refusal(self.status, self.code, self.message, self.field)


class Inspection:
    """Handlers over one worker's view and its peers."""

    def __init__(self, view: WorkerView, peers: Peers) -> None:
        self._view = view
        self._peers = peers

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/inspect", self.index), web.get("/inspect/{table}", self.page), web.get("/inspect/{table}/{user}", self.row)]

    async def index(self, _: web.Request) -> web.Response:
        """The tables there are, and the workers."""
        return answer({"tables": list(TABLES), "worker": self._view.worker_name, "peers": self._view.peers()})

    async def row(self, request: web.Request) -> web.Response:
        """One row, from its owner. 404 for an unknown user; 503 while its owner recovers or changes."""
        table = _table(request)
        try:
            user = user_key(request.match_info["user"], self._view.default_user_type)
        except BadKey as error:
            raise Refused(400, "bad_user", str(error), "user") from None
        if owner := self._owner(user):
            if HOP in request.headers:
                raise Refused(503, "moving", f"user {user}: expected {self._view.worker_name} to own it, was {owner}; ask again", "user")
            found = await self._peers.ask(owner, "inspect", table, user)
            return answer(found.body, found.status)
        account_row, orders = self._view.user(user), self._view.orders(user)
        if account_row is None and orders is None:
            self._need_ready()
            raise Refused(404, "unknown_user", f"user: expected a known user, was {user}", "user")
        return answer(self._shown(table, account_row or User(user_id=user), orders))

    async def page(self, request: web.Request) -> web.Response:
        """A page over all workers by user id; `next` goes into `?cursor=`, null after the last."""
        table, after, limit = _table(request), _cursor(request), limit_of(request)
        self._need_ready()
        # One more than asked for says whether there is a next page.
        own = self._view.users(after, limit + 1)
        rows: list[Row] = [self._shown(table, user, self._view.orders(user.user_id)) for user in own]
        more = len(rows) > limit
        query = {"limit": str(limit)} | ({"cursor": _opaque(after)} if after else {})
        for page in await ask_peers(self._view, self._peers, request, "inspect", table, **query):
            rows += cast("list[Row]", part(page, "rows", list))
            more = more or page.body.get("next") is not None
        rows = _newest(rows)
        more = more or len(rows) > limit
        rows = rows[:limit]
        return answer({"table": table, "rows": rows, "next": _opaque(str(rows[-1]["user"])) if more and rows else None})

    def _owner(self, user: str) -> str | None:
        try:
            return self._view.owner(user)
        except LookupError as error:
            raise Refused(503, "moving", f"user {user}: expected a worker that owns it, was none: {error}", "user") from None

    def _shown(self, table: str, user: User, orders: Orders | None) -> Row:
        row = VIEWS[table](user) if table in VIEWS else open_orders(orders or Orders(user_id=user.user_id))
        source = user if table in VIEWS else orders or Orders(user_id=user.user_id)
        return {"table": table, "user": user.user_id, "user_type": user_parts(user.user_id)[0],
                "partition": self._view.partition(user.user_id), "version": source.version, "generation": source.generation,
                "worker": self._view.worker_name, "row": row}

    def _need_ready(self) -> None:
        is_ready, reason = self._view.ready()
        if not is_ready:
            raise Refused(503, "not_ready", f"worker {self._view.worker_name}: {reason}")


async def ask_peers(view: WorkerView, peers: Peers, request: web.Request, *path: str, **query: str) -> list[Answer]:
    """The same page of all other workers; nobody asks who was asked. Without one worker's part a list or sum would be wrong."""
    if HOP in request.headers:
        return []
    found = await peers.ask_all(view.peers(), *path, **query)
    for page in found:
        if page.status != 200:
            raise Refused(503, "not_ready", f"another worker answered {page.status}: {page.body.get('error')}")
    return found


def part(page: Answer, name: str, kind: type[_T]) -> _T:
    """A field of another worker's page; raises `Refused` where it is of another kind."""
    found = page.body.get(name)
    if not isinstance(found, kind):
        raise Refused(503, "not_ready", f"another worker: expected {name} as a {kind.__name__}, was {type(found).__name__}")
    return found


def _newest(rows: list[Row]) -> list[Row]:
    """By user id; of a user that two workers showed (it just moved) the later version."""
    found: dict[str, Row] = {}
    for row in sorted(rows, key=lambda row: (str(row["user"]), cast(int, row["generation"]), cast(int, row["version"]))):
        found[str(row["user"])] = row
    return list(found.values())


def _table(request: web.Request) -> str:
    table = request.match_info["table"]
    if table not in TABLES:
        raise Refused(404, "unknown_table", f"table: expected one of {', '.join(TABLES)}, was {table[:40]!r}", "table")
    return table


def limit_of(request: web.Request) -> int:
    """How many rows are asked for."""
    text = request.query.get("limit", str(LIMIT))
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= LIMIT_MAX):
        raise Refused(400, "bad_limit", f"limit: expected 1 to {LIMIT_MAX}, was {text[:40]!r}", "limit")
    return int(text)


def _cursor(request: web.Request) -> str:
    """The user id the page begins after; "" is the first page."""
    text = request.query.get("cursor", "")
    try:
        user = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode()
        if text and user_key(user, "") != user:
            raise BadKey(user)
    except (binascii.Error, ValueError):  # UnicodeDecodeError and BadKey are ValueErrors
        raise Refused(400, "bad_cursor", f"cursor: expected the next of a page, was {text[:40]!r}", "cursor") from None
    return user


def _opaque(user: str) -> str:
    """A user id as a cursor: what pastes into any URL."""
    return base64.urlsafe_b64encode(user.encode()).decode().rstrip("=")
