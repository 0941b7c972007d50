"""The page `/inspect/stress`: price shocks over the live book of this worker, summed over all."""

import asyncio
import time

import msgspec
from aiohttp import web

from agents.foresee import fresh
from agents.risk.market import market_of
from agents.shocks import ALL, BadShock, Scenario, scenarios
from agents.stress import FIRST_MAX, Stress, cases_of
from agents.tally import Tally, summed
from streams.ops.health import answer
from streams.web.inspection import Refused
from streams.web.peers import HOP, Peers
from streams.web.view import WorkerView

STRESS_TIMEOUT_S = 120.0
FIRST_ASKED_MAX = 1_000
_SLICE_S = 0.005  # of laying accounts before the worker goes on with its own work
_USERS_AT_ONCE = 500
_DEFAULT = f"{ALL}=-0.3:0.3:0.05"


class StressPage:
    """One answer at a time: it is made beside the checks."""

    def __init__(self, view: WorkerView, peers: Peers) -> None:
        self._view, self._peers = view, peers
        self._busy = asyncio.Lock()

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/inspect/stress", self.page)]

    async def page(self, request: web.Request) -> web.Response:
        """`?shock=BTCUSDT=-0.1;all=-0.3:0.3:0.05&first=20`: as `agents.shocks`, several parted by ';' or repeated."""
        wanted, first = _wanted(request), _first(request)
        is_ready, reason = self._view.ready()
        if not is_ready:
            raise Refused(503, "not_ready", f"worker {self._view.worker_name}: {reason}")
        if self._busy.locked():
            raise Refused(503, "busy", "expected one question at a time, was another under way; ask again")
        async with self._busy:
            parts = [await self._own(wanted, first)]
        if HOP not in request.headers:
            parts += await self._others(wanted, first)
        return answer(msgspec.to_builtins(summed(parts, first)))

    async def _others(self, wanted: list[Scenario], first: int) -> list[Tally]:
        shocks = ";".join(one.text for one in wanted[1:])
        found = []
        for page in await self._peers.ask_all(self._view.peers(), "inspect", "stress", shock=shocks, first=str(first)):
            if page.status != 200:
                raise Refused(503, "not_ready", f"another worker answered {page.status}: {page.body.get('error')}")
            try:
                found.append(msgspec.convert(page.body, Tally))
            except msgspec.ValidationError as error:
                raise Refused(503, "not_ready", f"another worker: expected the figures of a stress, was {error}") from None
        return found

    async def _own(self, wanted: list[Scenario], first: int) -> Tally:
        """This worker's part; accounts are laid in slices at the marks of one moment, the passes run beside the event loop."""
        world = self._view.world()
        world = world._replace(marks=fresh(world.marks, world.now_ms))
        market, stress, after = market_of(world), Stress(), ""
        while users := self._view.users(after, _USERS_AT_ONCE):
            until = time.perf_counter() + _SLICE_S
            for user in users:
                for case in cases_of(user, world, market):
                    stress.add(case)
                if time.perf_counter() > until:
                    await asyncio.sleep(0)
                    until = time.perf_counter() + _SLICE_S
            after = users[-1].user_id
        return await asyncio.to_thread(stress.run, wanted, first)


def _wanted(request: web.Request) -> list[Scenario]:
    texts = [text for given in request.query.getall("shock", [_DEFAULT]) for text in given.split(";") if text.strip()]
    try:
        return scenarios(texts)
    except BadShock as error:
        raise Refused(400, "bad_shock", str(error), "shock") from None


def _first(request: web.Request) -> int:
    text = request.query.get("first", str(FIRST_MAX))
    if not (text.isascii() and text.isdigit() and len(text) < 6 and int(text) <= FIRST_ASKED_MAX):
        raise Refused(400, "bad_first", f"first: expected 0 to {FIRST_ASKED_MAX}, was {text[:40]!r}", "first")
    return int(text)
