"""Wallets and metadata for the gRPC service: read from Redis while its mirror is alive, else from Postgres; written to Postgres alone."""

import logging
import time
from collections import OrderedDict
from decimal import Decimal
from typing import cast

from schemas.money import parse
from streams.admin.store import Once, Store
from streams.cache import keys
from streams.cache.store import AWAY
from streams.cache.store import Store as Cache
from streams.web.inspection import Refused

log = logging.getLogger(__name__)
Json = dict[str, object]
_OWN_S, _OWN_MAX = 30.0, 10_000
_FIELDS = ("wallet_balance", "currency", "last_balance_update", "kyc", "risk_tier", "leverage")


class Wallets:
    """What was written here is read from Postgres until Redis says it, too: who wrote reads what it wrote."""

    def __init__(self, store: Store, cache: Cache) -> None:
        self._store, self._cache = store, cache
        self._own: OrderedDict[str, tuple[float, dict[str, str]]] = OrderedDict()
        self.fallbacks = 0

    async def read(self, user: str) -> tuple[dict[str, str], str]:
        """(fields as text, where from). Raises `Refused` 404, or 503 where both are away."""
        try:
            alive, values = await self._cache.run([("EXISTS", keys.MIRROR_ALIVE), ("HMGET", keys.config(user), *_FIELDS)])
        except AWAY as error:
            log.warning("redis is away, asking postgres: %s: %s", type(error).__name__, error)
            alive, values = 0, None
        if alive and isinstance(values, list) and values[0] is not None:
            found = {field: value.decode() if isinstance(value, bytes) else "" for field, value in zip(_FIELDS, values, strict=True)}
            if self._agrees(user, found):
                return found, "redis"
        self.fallbacks += 1
        return await self.from_postgres(user), "postgres"

    async def from_postgres(self, user: str) -> dict[str, str]:
        """The fields as committed; raises `Refused`."""
        rows = await self._store.rows("SELECT shown_user(%s)", [user])
        if not rows or rows[0] is None:
            raise Refused(404, "unknown_user", f"user: expected a known user, was {user}", "user_id")
        return shown(cast(Json, rows[0]))

    def _agrees(self, user: str, found: dict[str, str]) -> bool:
        """Whether Redis has what was written here, or that is long ago: others have written since."""
        until, wrote = self._own.get(user, (0.0, {}))
        if time.monotonic() < until and any(not _same(found[field], value) for field, value in wrote.items()):
            return False
        self._own.pop(user, None)
        return True

    async def write(self, function: str, given: Json, once: Once | None) -> tuple[Json, bool]:
        """(what the function says, whether it is an earlier answer); raises `Refused`."""
        answered = await self._store.call(function, given, once)
        return cast(Json, answered.body), answered.again

    def wrote(self, user: str, fields: dict[str, str]) -> None:
        """Remembers what Redis does not know yet, of the last users only."""
        self._own[user] = time.monotonic() + _OWN_S, fields
        self._own.move_to_end(user)
        while len(self._own) > _OWN_MAX:
            self._own.popitem(last=False)


def shown(row: Json) -> dict[str, str]:
    """The fields of a user as Postgres shows it, as text."""
    found = {field: "" if row.get(field) is None else str(row[field]) for field in _FIELDS if field != "last_balance_update"}
    return found | {"kyc": "true" if row.get("kyc") is True else "false", "last_balance_update": str(row.get("updated_at") or 0)}


def _same(one: str, other: str) -> bool:
    if one == other:
        return True
    try:
        return bool(one and other) and Decimal(parse(one)) == Decimal(parse(other))
    except ValueError:
        return False
