"""The desk all admin pages work at: who asks, with which key, and the store's answer as a response."""

import hashlib
import re
from collections.abc import Callable
from typing import NamedTuple

import orjson
from aiohttp import web

from streams.admin import reading
from streams.admin.engine import Workers
from streams.admin.store import Answered, Once, Store
from streams.ops.health import answer
from streams.venues.vault import Vault
from streams.web.app import OWNER
from streams.web.inspection import Refused

Json = dict[str, object]
_KEY = re.compile(r"[\x21-\x7e]{1,200}")
_ACTOR = re.compile(r"[\x20-\x7e]{1,100}")


class Desk(NamedTuple):
    """What the pages share."""

    store: Store
    workers: Workers
    default_user_type: str
    vault: Callable[[], Vault]  # raises `Sealed` where there are no keys

    def user(self, request: web.Request) -> str:
        """The user of the path."""
        return reading.user_of(request.match_info["user"], self.default_user_type)

    async def rows_of(self, user: str, query: str, given: list[object]) -> list[object]:
        """As `Store.rows`, of a known user: nothing of a stranger is a 404, no empty list."""
        found = await self.store.rows(query, given)
        if not found and not await self.store.rows("SELECT TRUE FROM users WHERE user_key = %s", [user]):
            raise Refused(404, "unknown_user", f"user: expected a known user, was {user}", "user")
        return found


def actors(request: web.Request) -> Json:
    """For the audit log: whose token it is, and beside it, unproved, who the header `X-Actor` says it is."""
    said = request.headers.get("X-Actor")
    if said is not None and not _ACTOR.fullmatch(said):
        raise Refused(400, "bad_actor", "X-Actor: expected 1 to 100 printable characters, was another text", "X-Actor")
    return {"actor": request[OWNER], "claimed_actor": said or ""}


def once(request: web.Request, body: Json) -> Once | None:
    """The request's idempotency key with what it is used for; None without one. `body` as it was read, so that spelling does not matter."""
    if (key := request.headers.get("Idempotency-Key")) is None:
        return None
    if not _KEY.fullmatch(key):
        raise Refused(400, "bad_idempotency_key", "Idempotency-Key: expected 1 to 200 visible ASCII characters, was another text",
                      "Idempotency-Key")
    said = f"{request.method} {request.path} ".encode() + orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
    return Once(key, hashlib.sha256(said).hexdigest())


def respond(found: Answered) -> web.Response:
    """The answer, marked where it is an earlier one."""
    response = answer(found.body, found.status)
    if found.again:
        response.headers["Idempotency-Replayed"] = "true"
    return response
