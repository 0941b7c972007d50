"""The pages `/api/market/portfolio`: what the calculator does, and whose figures wait, over all workers."""

from collections import Counter
from typing import cast

from aiohttp import web

from streams.ops.health import answer
from streams.web.inspection import ask_peers, limit_of, part
from streams.web.peers import Peers
from streams.web.view import Figures, WorkerView

_TYPES = ("live", "demo")  # always shown; others where there are some
_WORST = ("pass_us_last", "pass_us_max", "uptime_seconds")  # of several workers the greatest, not the sum


class PortfolioPages:
    """Handlers over one worker's view and its peers."""

    def __init__(self, view: WorkerView, peers: Peers) -> None:
        self._view, self._peers = view, peers

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/api/market/portfolio/status", self.status), web.get("/api/market/portfolio/dirty-users/{user_type}", self.dirty)]

    async def status(self, request: web.Request) -> web.Response:
        """Counts over all workers; `figures` by kind, and the calculator's own beside."""
        parts = [self._view.figures()]
        workers = {self._view.worker_name: self._view.ready()[0]}
        for page in await ask_peers(self._view, self._peers, request, "api", "market", "portfolio", "status"):
            workers |= cast("dict[str, bool]", part(page, "workers", dict))
            parts.append(cast("Figures", part(page, "figures", dict)))
        figures = summed(parts)
        return answer({"status": "ok" if all(workers.values()) else "recovering", "workers": workers, "figures": figures,
                       **flat(figures, len(workers))})

    async def dirty(self, request: web.Request) -> web.Response:
        """The users of a type whose figures wait to be told, and their number; at most `limit` of them are named."""
        kind, limit = request.match_info["user_type"], limit_of(request)
        users = self._view.dirty(kind, limit)
        count = self._view.figures().get("dirty_users", {}).get(kind, len(users))
        for page in await ask_peers(self._view, self._peers, request, "api", "market", "portfolio", "dirty-users", kind, limit=str(limit)):
            users += cast("list[str]", part(page, "users", list))
            count += part(page, "count", int)
        return answer({"user_type": kind, "count": count, "users": sorted(users)[:limit]})


def summed(parts: list[Figures]) -> Figures:
    """One worker's figures and the next's."""
    found: dict[str, Counter[str]] = {}
    for figures in parts:
        for name, kinds in figures.items():
            into = found.setdefault(name, Counter())
            for kind, count in kinds.items():
                into[kind] = max(into[kind], count) if kind in _WORST else into[kind] + count
    return {name: dict(kinds) for name, kinds in found.items()}


def flat(figures: Figures, workers: int) -> dict[str, object]:
    """The calculator's figures as existing dashboards read them."""
    told, dirty = figures.get("portfolio", {}), figures.get("dirty_users", {})
    counts: dict[str, object] = {f"dirty_users_{kind}": dirty.get(kind, 0) for kind in sorted({*_TYPES, *dirty})}
    names = ("symbols_processed", "users_affected_total", "users_written", "errors", "fallback_figures", "passes", "pass_us_last",
             "pass_us_max", "uptime_seconds")
    return {**{name: told.get(name, 0) for name in names}, **counts, "is_running": told.get("is_running", 0) == workers}
