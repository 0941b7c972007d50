"""The position monitor of the ingestion process: asks when the poller says so, looks around every half minute, tells `anomalies`."""

import asyncio
import hashlib
import logging
import random
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from schemas import names
from schemas.engine_pb2 import Anomaly
from streams.config import Config
from streams.ops.logs import place_of
from streams.venues import metrics
from streams.venues.frames import Event, Unreadable
from streams.venues.monitor.around import QUESTIONS, Mark, joined, read_marks
from streams.venues.monitor.compare import Difference
from streams.venues.monitor.poller import Poll, Poller
from streams.venues.monitor.schedule import Name, Policy
from streams.venues.monitor.signs import Bounds, Said, Sign, signs
from streams.venues.publisher import Publisher
from streams.venues.reader import Reader
from streams.venues.rest import Refused, Rest, nobody
from streams.venues.vault import Vault
from streams.venues.venue import Credentials, Judged, Reason, Request, Venue
from streams.venues.words import State

log = logging.getLogger(__name__)
_LOOK_S, _WAITING_MAX = 1.0, 1_000
_QUIET = (State.AUTH_FAILED, State.HELD, State.STOPPED)  # the user must act, Kafka is away, or nobody reads it any more


_MEANWHILE = Judged(Reason.TRANSIENT, text="the session changed meanwhile")


class Home(Protocol):
    """What the process has."""

    config: Config
    vault: Vault
    publisher: Publisher
    readers: dict[Name, Reader]


class Monitor:
    """`run` until cancelled."""

    def __init__(self, home: Home, policy: Policy | None = None) -> None:
        self._home, self.policy = home, policy or Policy()
        self.poller = Poller(random.Random(), self.policy)
        self.marks: dict[str, Mark] = {}
        self.waiting: deque[tuple[Name, Anomaly]] = deque()  # for room at Kafka; past the bound the oldest go, and are in the log only
        self._bounds, self._said = Bounds.of(home.config), dict[Name, Said]()
        self._tasks: dict[Name, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Every second who is due, every half minute what lies ahead."""
        around = asyncio.create_task(self._around())
        try:
            while True:
                try:
                    self._look()
                    self._tell()
                except Exception as error:  # a bug of ours must not end what the process reads
                    log.error("monitor: %s", place_of(error))
                await asyncio.sleep(_LOOK_S)
        finally:
            tasks = [around, *self._tasks.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    # -- by REST against what was told ------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        readers = {name: reader for name, reader in self._home.readers.items() if reader.session.state not in _QUIET}
        self._tasks = {name: task for name, task in self._tasks.items() if not task.done()}
        now_ms = next((reader.rest.clock.now_ms() for reader in readers.values()), 0)
        for name in self.poller.due({name: reader.session.ready for name, reader in readers.items()}, now_ms):
            if name not in self._tasks and len(self._tasks) < self.policy.at_once:
                self._tasks[name] = asyncio.create_task(self._poll(name, readers[name]))

    async def _poll(self, name: Name, reader: Reader) -> None:
        session, clock = reader.session, reader.rest.clock
        poll = Poll(name, reader.rest.venue, session.ready, session.links, clock.venue_ms())
        try:
            parts = await answers(reader.rest, poll.questions(), reader.account.credentials(self._home.vault))
            if self._home.readers.get(name) is not reader or reader.session is not session or session.ready != poll.live:
                raise Refused(_MEANWHILE)
            outcome = self.poller.answered(poll, parts, reader.told, clock.now_ms())
        except (Refused, Unreadable, ValueError, KeyError, TypeError) as error:
            self.poller.failed(poll, clock.now_ms())
            log.info("account %s of %s: not compared: %s", name[1], name[0], error if isinstance(error, Refused) else type(error).__name__)
            return
        metrics.POLLS.labels(poll.venue.name, "differs" if outcome.found else "agrees").inc()
        for one in outcome.found:
            self._put(name, poll.venue, _discrepancy(name, poll, one))
        if outcome.happened is not None:
            reader.hear(outcome.happened)

    # -- what lies ahead --------------------------------------------------------------------------------------------------------------

    async def _around(self) -> None:
        while True:
            try:
                await self._see()
            except Exception as error:  # as above
                log.error("monitor: %s", place_of(error))
            await asyncio.sleep(self.policy.around_ms / 1_000)

    async def _see(self) -> None:
        """The market around what is held, then every account in it; marks of a look that failed are not kept."""
        readers = {name: reader for name, reader in self._home.readers.items() if reader.session.ready and reader.session.memory.exposed}
        rests = {(reader.rest.venue.name, reader.account.environment): reader.rest for reader in readers.values()}
        self.marks = {}
        for rest in rests.values():
            self.marks.update(await _seen(rest))
        self._said = {name: said for name, said in self._said.items() if name in self._home.readers}
        for name, reader in readers.items():
            now_ms = reader.rest.clock.venue_ms()
            standing = signs(reader.told, self.marks, now_ms, self._bounds)
            for sign in self._said.setdefault(name, Said()).fresh(standing, now_ms):
                self._put(name, reader.rest.venue, _ahead(name, sign, now_ms))

    # -- to Kafka ---------------------------------------------------------------------------------------------------------------------

    def _put(self, name: Name, venue: Venue, anomaly: Anomaly) -> None:
        metrics.ANOMALIES.labels(venue.name, anomaly.kind).inc()
        log.warning("account %s of %s: %s: %s", name[1], name[0], anomaly.kind, anomaly.detail)
        if len(self.waiting) >= _WAITING_MAX:
            self.waiting.popleft()
        self.waiting.append((name, anomaly))
        self._tell()

    def _tell(self) -> None:
        while self.waiting and self._home.publisher.up:
            name, anomaly = self.waiting[0]
            if not self._home.publisher.take(name, (Event(names.ANOMALIES, anomaly),), 0):
                return
            self.waiting.popleft()


async def answers(rest: Rest, questions: Sequence[Request], credentials: Callable[[], Credentials]) -> dict[str, bytes]:
    """By part, all its pages, at the weight of who can wait."""
    pages: dict[str, list[bytes]] = {}
    for request in questions:
        further: Request | None = request
        while further is not None:
            body = await rest.ask(further, credentials)
            pages.setdefault(request.part, []).append(body)
            further = rest.venue.next_page(further, body)
    return {part: rest.venue.merge(found) for part, found in pages.items()}


async def _seen(rest: Rest) -> dict[str, Mark]:
    found: dict[str, Mark] = {}
    for question in QUESTIONS.get(rest.venue.name, ()):
        try:
            body = await rest.ask(question.request, nobody)
            for instrument, mark in read_marks(rest.venue.name, question, body, rest.clock.venue_ms()).items():
                found[instrument] = joined(found.get(instrument, Mark()), mark)
        except (Refused, Unreadable) as error:
            log.info("%s: no marks for the monitor: %s", rest.venue.name, type(error).__name__)
    return found


def _discrepancy(name: Name, poll: Poll, found: Difference) -> Anomaly:
    """Named by what was told when: the same one found again is the same."""
    instrument = found.thing.partition("/")[0] if found.field == "amount" else ""
    how = "" if poll.live else ", while the stream was down"
    return _anomaly(name, f"{found.thing}/{found.field}/{found.expected}/{found.was}/{found.told_ms}", Anomaly(
        kind="discrepancy", instrument=instrument, field=found.field, expected=found.expected, was=found.was, time_ms=poll.as_of_ms,
        detail=f"{found.thing} {found.field}: expected {found.expected} (REST), was {found.was} (told){how}"))


def _ahead(name: Name, sign: Sign, now_ms: int) -> Anomaly:
    return _anomaly(name, sign.cause, Anomaly(kind=sign.kind, instrument=sign.instrument, field=sign.field, expected=sign.expected,
                                              was=sign.was, time_ms=now_ms, detail=sign.detail))


def _anomaly(name: Name, cause: str, anomaly: Anomaly) -> Anomaly:
    ident = hashlib.sha256("\0".join((*name, anomaly.kind, cause)).encode()).hexdigest()[:32]
    anomaly.id, anomaly.user_id, anomaly.account_id, anomaly.offset = ident, *name, -1
    return anomaly
