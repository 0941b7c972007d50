"""What the admin API asks of the workers: what an account is worth this moment, and the pages it passes on."""

import logging
from collections.abc import Sequence
from typing import NamedTuple, cast
from urllib.parse import quote

import orjson
from aiohttp import ClientError, ClientSession, ClientTimeout, web
from yarl import URL

from schemas.keys import HOUSE
from streams.web.inspection import Refused

Json = dict[str, object]
log = logging.getLogger(__name__)
_JUDGE_S, _PAGE_S = 3.0, 120.0


class Judged(NamedTuple):
    """A worker's answer of `/inspect/judge`, or why there is none; `unknown` where the engine has no facts of the user."""

    body: Json
    reason: str = ""
    unknown: bool = False

    def withdrawable(self) -> Json:
        """As the function `check_withdrawal` takes it: `free_margin` is there only where it can be stood on."""
        if self.reason:
            return {"reason": self.reason}
        house = cast("dict[str, Json]", self.body["before"]).get(HOUSE)
        if house is None:
            return {"reason": "without a house account"}
        if reasons := cast("list[str]", house["reasons"]):
            return {"reason": f"unsure: {', '.join(reasons)}"}
        return {"free_margin": house["free_margin"], "next": self.body["next"]}

    def liquidated(self) -> list[str]:
        """Accounts that the asked-for change takes to liquidation."""
        return [name for name, (before, after) in self._changes().items() if after["rung"] == "liquidation" != before["rung"]]

    def unjudged(self) -> list[str]:
        """Accounts with positions whose rung after the change nobody can tell for want of a mark or rate."""
        return [name for name, (_, after) in self._changes().items()
                if any(reason.startswith(("missing_mark", "missing_rate")) for reason in cast("list[str]", after["reasons"]))]

    def preview(self) -> Json:
        """By account, before and after."""
        return {name: {"before": before, "after": after} for name, (before, after) in self._changes().items()}

    def _changes(self) -> dict[str, tuple[Json, Json]]:
        before, after = (cast("dict[str, Json]", self.body.get(name, {})) for name in ("calm", "after"))
        return {name: (before[name], after[name]) for name in after if name in before}


class Workers:
    """The engine's workers, over one session; each is asked in turn until one answers."""

    def __init__(self, urls: Sequence[str], token: str) -> None:
        self._urls = [url.strip().rstrip("/") for url in urls if url.strip()]
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._session: ClientSession | None = None

    async def judge(self, user: str, **other: str) -> Judged:
        """The user's accounts as they are judged now, and under `group` or `leverage`."""
        reason = "silent: no worker's address is set (MARGINSTREAM_WORKER_URLS)"
        for base in self._urls:
            try:
                status, body, _ = await self._get(base, f"/inspect/judge/{quote(user, safe=':')}", other, _JUDGE_S)
                found = orjson.loads(body)
            except (ClientError, TimeoutError, orjson.JSONDecodeError) as error:
                reason = f"silent: {type(error).__name__}"
                continue
            if status == 200:
                return Judged(found)
            if status == 404:
                return Judged({}, "without facts of the user", unknown=True)
            reason = f"{status}: {str(found)[:200]}"
        return Judged({}, reason)

    async def page(self, request: web.Request) -> web.Response:
        """A worker's page, as it is: the admin API is the one address that people know."""
        for base in self._urls:
            try:
                status, body, kind = await self._get(base, request.raw_path, {}, _PAGE_S)
            except (ClientError, TimeoutError) as error:
                log.warning("worker at %s: expected an answer, was %r", base, error)
                continue
            return web.Response(body=body, status=status, content_type=kind)
        raise Refused(503, "unreachable", "expected a worker that answers, was none")

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _get(self, base: str, path: str, query: dict[str, str], timeout_s: float) -> tuple[int, bytes, str]:
        if self._session is None:
            self._session = ClientSession(headers=self._headers)
        url = URL(base + path, encoded=True)
        async with self._session.get(url.update_query(query) if query else url, allow_redirects=False,
                                     timeout=ClientTimeout(total=timeout_s)) as response:
            return response.status, await response.read(), response.content_type
