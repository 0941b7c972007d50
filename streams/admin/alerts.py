"""Alerts to a webhook: signed, delivered at least once, tried again later and later; each has the id of its cause."""

import hashlib
import hmac
import logging
import time
from typing import NamedTuple

import msgspec
import orjson
from aiohttp import ClientError, ClientSession, ClientTimeout

from streams.admin import metrics
from streams.admin.store import Store
from streams.venues.secret import Secret

log = logging.getLogger(__name__)
_AT_ONCE, _LEASE, _TIMEOUT_S = 20, "60 seconds", 2.0


class Hook(NamedTuple):
    """Where alerts go, and the secret that signs them; without one they are not signed."""

    url: str
    secret: Secret


class Alert(msgspec.Struct):
    """A row of `alerts`, as far as it is told."""

    id: str
    kind: str
    user_key: str
    body: dict[str, object]
    attempts: int


class Alerts:
    """Delivers what is due; several processes share the work, each alert leased to one of them."""

    def __init__(self, store: Store, hook: Hook) -> None:
        self._store, self._hook = store, hook
        self._session: ClientSession | None = None

    async def turn(self) -> int:
        """Tries everything that is due; how many. Raises `Refused` while Postgres is away."""
        rows = await self._store.rows("SELECT to_jsonb(a) FROM due_alerts(%s, %s::INTERVAL) AS a", [_AT_ONCE, _LEASE])
        for alert in msgspec.convert(rows, list[Alert]):
            error = await self._deliver(alert)
            metrics.ALERTS.labels(alert.kind, "failed" if error else "delivered").inc()
            if error:
                log.warning("alert %s, attempt %d: %s", alert.id, alert.attempts, error)
            await self._store.rows("SELECT note_delivery(%s, %s)", [alert.id, error])
        return len(rows)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _deliver(self, alert: Alert) -> str:
        """Nothing, or why not."""
        if self._session is None:
            self._session = ClientSession(timeout=ClientTimeout(total=_TIMEOUT_S))
        body = orjson.dumps({"id": alert.id, "kind": alert.kind, **alert.body})
        headers = {"Content-Type": "application/json", "X-Marginstream-Id": alert.id}
        if self._hook.secret:
            headers["X-Marginstream-Signature"] = signature(self._hook.secret, body, int(time.time() * 1000))
        try:
            async with self._session.post(self._hook.url, data=body, headers=headers, allow_redirects=False) as answer:
                return "" if 200 <= answer.status < 300 else f"expected a status 2xx, was {answer.status}"
        except (ClientError, TimeoutError, OSError, ValueError) as error:
            return f"expected an answer, was {type(error).__name__}"  # its text may quote the address, which may hold a secret


def signature(secret: Secret, body: bytes, time_ms: int) -> str:
    """`t=<ms>,v1=<hex>`: HMAC-SHA256 over `<ms>.` and the body, so that neither can be changed nor sent again much later."""
    found = hmac.new(secret.reveal().encode(), f"{time_ms}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={time_ms},v1={found}"
