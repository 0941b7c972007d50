"""Deposits, withdrawals, adjustments and money requests."""

from aiohttp import web

from streams.admin import reading
from streams.admin.desk import Desk, actors, once, respond
from streams.admin.store import Answered, Once
from streams.web.inspection import Refused

Json = dict[str, object]
_COMMON: dict[str, reading.Reader] = {"account_id": reading.account_id, "asset": reading.asset, "note": reading.label}
_MOVES = {"deposits": ("deposit", reading.amount), "withdrawals": ("withdrawal", reading.amount),
          "adjustments": ("adjustment", reading.signed)}
_REQUEST: dict[str, reading.Reader] = {**_COMMON, "amount": reading.amount, "user": reading.label, "user_id": reading.label,
                                       "user_type": reading.word,
                                       "kind": reading.text("deposit|withdrawal", "deposit or withdrawal")}
_PAGE_MAX = 100


class Money:
    """Every one of them is one transaction in Postgres; what the engine must confirm is asked before."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[web.RouteDef]:
        requests = "/api/admin/money-requests"
        return [web.post("/api/admin/users/{user}/{move:deposits|withdrawals|adjustments}", self.move),
                web.get("/api/admin/users/{user}/ledger", self.ledger),
                web.get(requests, self.pending), web.post(requests, self.ask),
                web.post(requests + "/{id}/{decision:approve|reject}", self.decide)]

    async def move(self, request: web.Request) -> web.Response:
        """201 with the ledger's row; 409 where a withdrawal cannot be verified, 422 where it is too much."""
        kind, read = _MOVES[request.match_info["move"]]
        user = self._desk.user(request)
        body = await reading.read(request, {**_COMMON, "amount": read, "version": reading.whole_number}, ["amount"])
        key = once(request, body)
        given = body | {"user_key": user, "kind": kind, **actors(request), "action": kind}
        if kind == "withdrawal":
            given["amount"] = f"-{body['amount']}"
            return respond(await self._verified("move_money", given, user, (key, 201)))
        return respond(await self._desk.store.call("move_money", given, key, 201))

    async def ask(self, request: web.Request) -> web.Response:
        """201 with a pending request."""
        body = await reading.read(request, _REQUEST, ["kind", "amount"])
        kind = str(body.pop("user_type", self._desk.default_user_type))
        named = [str(body.pop(field)) for field in ("user", "user_id") if field in body]
        if len(named) != 1:
            raise Refused(400, "missing_field", f"user: expected one, was {len(named)}", "user")
        wanted = body | {"user_key": reading.user_of(named[0], kind)}
        given = wanted | {**actors(request), "action": "money_requested"}
        return respond(await self._desk.store.call("ask_money", given, once(request, wanted), 201))

    async def decide(self, request: web.Request) -> web.Response:
        """The request approved, its money moved in the same transaction, or rejected; 409 where somebody decided before."""
        body = await reading.read(request, {"reason": reading.label})
        ident, decision = _ident(request), {"approve": "approved", "reject": "rejected"}[request.match_info["decision"]]
        given = body | {"id": ident, "status": decision, **actors(request), "action": f"money_request_{decision}"}
        key = once(request, body)
        if decision == "rejected":
            return respond(await self._desk.store.call("decide_money", given, key))
        asked = await self._desk.store.rows("SELECT user_key FROM money_requests WHERE id = %s AND kind = 'withdrawal'", [ident])
        if not asked:
            return respond(await self._desk.store.call("decide_money", given, key))
        return respond(await self._verified("decide_money", given, str(asked[0]), (key, 200)))

    async def pending(self, request: web.Request) -> web.Response:
        """Requests of a `?status=` (pending), the oldest first."""
        status = request.query.get("status", "pending")
        found = await self._desk.store.rows(
            "SELECT shown_request(r) FROM money_requests AS r WHERE status = %s ORDER BY created_at LIMIT %s", [status, _PAGE_MAX])
        return respond(Answered(200, {"money_requests": found}))

    async def ledger(self, request: web.Request) -> web.Response:
        """The user's last ledger rows, the newest first."""
        user = self._desk.user(request)
        found = await self._desk.rows_of(
            user, "SELECT shown_entry(t) FROM transactions AS t WHERE user_key = %s"
            " ORDER BY created_at DESC, source_sequence DESC LIMIT %s", [user, _PAGE_MAX])
        return respond(Answered(200, {"transactions": found}))

    async def _verified(self, function: str, given: Json, user: str, answering: tuple[Once | None, int]) -> Answered:
        # A replay is answered as before, also while no worker could be asked.
        key, status = answering
        if before := await self._desk.store.answered(key):
            return before
        engine = (await self._desk.workers.judge(user)).withdrawable()
        return await self._desk.store.call(function, given | {"engine": engine}, key, status)


def _ident(request: web.Request) -> str:
    text = request.match_info["id"]
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise Refused(404, "unknown_request", f"id: expected a money request, was {text[:40]!r}", "id")
    return text
