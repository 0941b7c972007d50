"""MARGIN_UPDATES in: from the channel at most once, from its stream twin each once, into Postgres by the money function."""

import asyncio
import json
import logging
import uuid
from collections import deque
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from redis.exceptions import ResponseError

from streams.bridges import redis_metrics as metrics
from streams.bridges.redis_money import MoneyRefused
from streams.bridges.redis_reading import BadMessage, Update, read_update
from streams.cache import keys
from streams.cache.store import Store

log = logging.getLogger(__name__)
GROUP = "marginstream"
_CONSUMER = "bridge"  # one name for all: what a dead one had taken is its successor's
_WAITING_MAX = 10_000
_AT_ONCE = 100
Move = Callable[[Update], Awaitable[bool]]


class Taken(NamedTuple):
    """What becomes of messages: counted by outcome."""

    move: Move
    default_type: str

    async def apply(self, update: Update) -> None:
        """Moves the money of one; raises what `move` raises while Postgres is away."""
        try:
            outcome = "applied" if await self.move(update) else "repeated"
        except MoneyRefused as error:
            outcome = "refused"
            log.error("%s: %s id %s left out: %s", keys.MARGIN_UPDATES, update.user, update.ident, error)
        metrics.UPDATES.labels(outcome).inc()


class Updates:
    """Messages of the channel wait in a bounded queue; beyond it they are lost, and counted: who cannot lose one uses the stream."""

    def __init__(self, taken: Taken) -> None:
        self._taken = taken
        self._waiting: deque[Update] = deque()
        self._there = asyncio.Event()

    def heard(self, data: object) -> None:
        """Takes a message of the channel; one without an id gets its own, so that trying again moves nothing twice."""
        try:
            update = read_update(data, self._taken.default_type)
        except BadMessage as error:
            metrics.UPDATES.labels("unreadable").inc()
            log.error("%s: left out: %s", keys.MARGIN_UPDATES, error)
            return
        if len(self._waiting) >= _WAITING_MAX:
            metrics.UPDATES.labels("lost").inc()
            log.error("%s: expected at most %d waiting messages, was more: one is lost", keys.MARGIN_UPDATES, _WAITING_MAX)
            return
        self._waiting.append(update if update.ident else update._replace(ident=f"heard-{uuid.uuid4().hex}"))
        self._there.set()

    async def apply_next(self) -> None:
        """Applies the first that waits; while Postgres is away it stays the first (the error is raised)."""
        await self._there.wait()
        await self._taken.apply(self._waiting[0])
        self._waiting.popleft()
        if not self._waiting:
            self._there.clear()


async def prepare(store: Store) -> None:
    """The stream's group, from its first entry."""
    client = await store.client()
    try:
        await client.xgroup_create(keys.MARGIN_UPDATES_STREAM, GROUP, id="0", mkstream=True)
    except ResponseError as error:
        if "BUSYGROUP" not in str(error):
            raise


async def read_stream(store: Store, taken: Taken) -> int:
    """Takes the entries that are there, those a dead reader left first; acknowledged behind their commit. How many."""
    count = 0
    for start in ("0", ">"):
        while entries := await _entries(store, start):
            for ident, values in entries:
                await _take(taken, ident, values)
            await store.run([("XACK", keys.MARGIN_UPDATES_STREAM, GROUP, *(ident for ident, _ in entries))])
            count += len(entries)
    return count


async def _entries(store: Store, start: str) -> list[tuple[str, dict[str, str] | None]]:
    client = await store.client()
    answer: object = await client.xreadgroup(GROUP, _CONSUMER, {keys.MARGIN_UPDATES_STREAM: start}, count=_AT_ONCE)
    if isinstance(answer, dict):
        streams = list(answer.values())
    else:
        streams = [part[1] for part in answer if part] if isinstance(answer, list) else []
    found: list[tuple[str, dict[str, str] | None]] = []
    for entries in streams:
        for ident, values in _flat(entries):
            found.append((_text(ident), {_text(name): _text(value) for name, value in values.items()} if values else None))
    return found


def _flat(entries: list[object]) -> list[tuple[object, dict[object, object] | None]]:
    """One list of (id, values), however deep the protocol's version nests them."""
    if entries and isinstance(entries[0], list):
        return [pair for part in entries if isinstance(part, list) for pair in _flat(part)]
    return [(entry[0], entry[1]) for entry in entries if isinstance(entry, tuple)]


async def _take(taken: Taken, ident: str, values: dict[str, str] | None) -> None:
    """An entry's `message` field is the channel's JSON; else its fields are the message's. Its own id stands in for one."""
    try:
        if values is None:
            raise BadMessage("entry: expected fields, was trimmed away")
        update = read_update(values.get("message") or json.dumps(values), taken.default_type)
    except BadMessage as error:
        metrics.UPDATES.labels("unreadable").inc()
        log.error("%s %s: left out: %s", keys.MARGIN_UPDATES_STREAM, ident, error)
        return
    await taken.apply(update if update.ident else update._replace(ident=f"stream-{ident}"))


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
