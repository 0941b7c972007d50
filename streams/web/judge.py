"""The page `/inspect/judge/{user}`: what a user's accounts are worth this moment, and would be in another group or at another leverage."""

from decimal import Decimal

from aiohttp import web

from agents.appraise import Appraisal, appraise, otherwise
from agents.foresee import fresh
from agents.risk.world import World
from schemas.keys import BadKey, user_key
from schemas.money import BadNumber, parse, say_short
from streams.ops.health import answer
from streams.web.inspection import Refused
from streams.web.peers import HOP, Peers
from streams.web.view import WorkerView
from tables.rows import RUNG_NAMES, User

Json = dict[str, object]


class JudgePage:
    """Answered by the owner, whoever is asked."""

    def __init__(self, view: WorkerView, peers: Peers) -> None:
        self._view, self._peers = view, peers

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/inspect/judge/{user}", self.page)]

    async def page(self, request: web.Request) -> web.Response:
        """`before` at the marks as they are; `after`, under `?group=` and `?leverage=`, with the last known marks taken as fresh.

        `next`: of each numbered source the first number that is not in these figures. 404 for a user without facts, 503 while moving.
        """
        try:
            user = user_key(request.match_info["user"], self._view.default_user_type)
        except BadKey as error:
            raise Refused(400, "bad_user", str(error), "user") from None
        if owner := self._owner(user):
            if HOP in request.headers:
                raise Refused(503, "moving", f"user {user}: expected {self._view.worker_name} to own it, was {owner}; ask again", "user")
            found = await self._peers.ask(owner, "inspect", "judge", user, **request.query)
            return answer(found.body, found.status)
        is_ready, reason = self._view.ready()
        if not is_ready:
            raise Refused(503, "not_ready", f"worker {self._view.worker_name}: {reason}")
        row = self._view.user(user)
        if row is None:
            raise Refused(404, "unknown_user", f"user: expected a known user, was {user}", "user")
        return answer(self._judged(row, request))

    def _owner(self, user: str) -> str | None:
        try:
            return self._view.owner(user)
        except LookupError as error:
            raise Refused(503, "moving", f"user {user}: expected a worker that owns it, was none: {error}", "user") from None

    def _judged(self, row: User, request: web.Request) -> Json:
        world, orders, other = self._view.world(), self._view.orders(row.user_id), _other(row, request)
        calm = world._replace(marks=fresh(world.marks, world.now_ms))

        def shown(user: User, seen: World) -> Json:
            return {name: _shown(appraise(user, account, orders, seen)) for name, account in sorted(user.accounts.items())}

        found: Json = {"user": row.user_id, "version": row.version, "judged_ms": world.now_ms, "before": shown(row, world),
                       "next": {source: numbers.next for source, numbers in row.sequences.items()}}
        return found | ({"calm": shown(row, calm), "after": shown(other, calm)} if other is not row else {})


def _other(row: User, request: web.Request) -> User:
    group, leverage = request.query.get("group"), request.query.get("leverage")
    try:
        return otherwise(row, group, Decimal(parse(leverage, "leverage")) if leverage else None) if group or leverage else row
    except BadNumber as error:
        raise Refused(400, "bad_leverage", str(error), "leverage") from None


def _shown(found: Appraisal) -> Json:
    figures = found.figures
    return {"rung": RUNG_NAMES[found.rung], "reasons": list(found.reasons), "equity": say_short(figures.equity),
            "initial_margin": say_short(figures.initial_margin), "free_margin": say_short(figures.free_margin),
            "margin_ratio": None if figures.margin_ratio is None else say_short(figures.margin_ratio)}
