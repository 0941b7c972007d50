"""One consumer-group loop that every bridge shares: take a batch, await its handler, send what it left out to dead letters, commit."""

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

import msgspec
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from streams.bridges import metrics
from streams.bridges.letters import LeftOut, Letters, Record
from streams.config import Config
from streams.ops.process import pause

log = logging.getLogger(__name__)
_BATCH_RECORDS_MAX = 2_000
_POLL_MS = 100
COMMIT_S = 0.2
_BACKOFF_FIRST_S, _BACKOFF_MAX_S = 0.05, 5.0
GRACE_S = 3.0  # what is under way may end by itself; then it is cut off: it comes again


Batch = Sequence[Record]


class Mirror(NamedTuple):
    """A bridge: its name ends the group's name; `away` are the errors that mean "not now" and are tried again.

    `handle` answers which records it left out because nobody could read or store them.
    """

    name: str
    topics: tuple[str, ...]
    handle: Callable[[Batch], Awaitable[Sequence[LeftOut]]]
    away: tuple[type[Exception], ...]


class Status(msgspec.Struct):
    """What the health pages say; only the loop writes it."""

    mirror: str
    partitions: int = 0
    records: int = 0
    last_commit_ms: int = 0
    away_since_ms: int = 0

    @property
    def ready(self) -> bool:
        """Partitions are owned and the store answers."""
        return self.partitions > 0 and not self.away_since_ms

    def health(self) -> dict[str, object]:
        """For the page."""
        return {"status": "ok" if self.ready else "degraded", **msgspec.structs.asdict(self)}


async def consume(config: Config, mirror: Mirror, status: Status, stop: asyncio.Event) -> None:
    """Runs until `stop`. Offsets are committed behind a handled batch and its dead letters; any error but those of `away` ends the loop."""
    consumer = AIOKafkaConsumer(
        *mirror.topics, bootstrap_servers=config.kafka_bootstrap, group_id=f"{config.app_id}-{mirror.name}", enable_auto_commit=False,
        auto_offset_reset="earliest", fetch_max_wait_ms=config.fetch_wait_ms, session_timeout_ms=int(config.session_timeout_s * 1000),
        heartbeat_interval_ms=int(config.session_timeout_s * 1000 / 3), metadata_max_age_ms=5_000,
        # A store that is away for hours must not cost the membership: heartbeats say that we live, not polls.
        max_poll_interval_ms=86_400_000, rebalance_timeout_ms=10_000)
    letters = Letters(config.kafka_bootstrap, mirror.name)
    try:
        async with ending(stop):
            if not await persist(consumer.start, (KafkaError,), stop):
                return
            offsets = Offsets(consumer, mirror.name, status)
            while not stop.is_set():
                status.partitions = len(consumer.assignment())
                taken = await consumer.getmany(timeout_ms=_POLL_MS, max_records=_BATCH_RECORDS_MAX)
                batch: list[Record] = [record for records in taken.values() for record in records]
                if batch and await _deliver((mirror, letters), batch, status, stop):
                    offsets.take({partition: records[-1].offset + 1 for partition, records in taken.items() if records})
                    status.records += len(batch)
                await offsets.commit()
            await offsets.commit(at_once=True)
    finally:
        await letters.close()
        await consumer.stop()


@asynccontextmanager
async def ending(stop: asyncio.Event) -> AsyncIterator[None]:
    """What is inside ends `GRACE_S` behind `stop` at the latest: a client waits 40 s for a topic that is not there, and hears no stop."""
    limit = asyncio.timeout(None)

    async def watch() -> None:
        await stop.wait()
        limit.reschedule(asyncio.get_running_loop().time() + GRACE_S)

    watching = asyncio.create_task(watch())
    try:
        async with limit:
            yield
    except TimeoutError:
        if not limit.expired():
            raise
        log.warning("cut off: expected an end within %s s of the stop, was none", GRACE_S)
    finally:
        watching.cancel()


async def persist(attempt: Callable[[], Awaitable[None]], away: tuple[type[Exception], ...], stop: asyncio.Event,
                  refused: Callable[[Exception], None] | None = None) -> bool:
    """Awaits `attempt` until it passes, with jittered backoff while it raises one of `away`; False where `stop` came first."""
    ceiling = _BACKOFF_FIRST_S
    while not stop.is_set():
        try:
            await attempt()
        except away as error:
            log.warning("waiting, away: %s: %s", type(error).__name__, error)
            if refused:
                refused(error)
            await pause(stop, random.uniform(ceiling / 2, ceiling))
            ceiling = min(ceiling * 2, _BACKOFF_MAX_S)
        else:
            return True
    return False


async def _deliver(to: tuple[Mirror, Letters], batch: Batch, status: Status, stop: asyncio.Event) -> bool:
    mirror, letters = to
    left_out: list[LeftOut] = []

    def refused(_: Exception) -> None:
        status.away_since_ms = status.away_since_ms or int(time.time() * 1000)
        metrics.AWAY.labels(mirror.name).inc()

    async def attempt() -> None:
        left_out[:] = await mirror.handle(batch)

    async def bury() -> None:
        await letters.send(left_out)

    for record in batch:
        metrics.RECORDS.labels(mirror.name, record.topic).inc()
    delivered = await persist(attempt, mirror.away, stop, refused)
    if delivered:
        status.away_since_ms = 0
    return delivered and await persist(bury, (KafkaError,), stop)


class Offsets:
    """Behind what is handled; committed at most every `COMMIT_S`: a broker's answer a batch would hold up the next one.

    What comes again after a crash loses by version or finds its row there.
    """

    def __init__(self, consumer: AIOKafkaConsumer, name: str, status: Status) -> None:
        self._consumer, self._name, self._status = consumer, name, status
        self._due: dict[object, int] = {}
        self._assigned = consumer.assignment()
        self._committed_s = 0.0

    def take(self, offsets: dict[object, int]) -> None:
        """These are handled."""
        self._due |= offsets

    async def commit(self, *, at_once: bool = False) -> None:
        """Commits what is due; what was due before partitions moved is their new owner's to handle again."""
        if self._assigned != self._consumer.assignment():
            self._assigned = self._consumer.assignment()
            self._due = {partition: offset for partition, offset in self._due.items() if partition in self._assigned}
        if not self._due or not (at_once or time.monotonic() - self._committed_s >= COMMIT_S):
            return
        due, self._due, self._committed_s = self._due, {}, time.monotonic()
        try:
            await self._consumer.commit(due)
        except (CommitFailedError, IllegalStateError, KafkaError) as error:
            log.warning("%s: offsets not committed, the batch will come again: %s", self._name, error)
            return
        metrics.CAUGHT_UP.labels(self._name).set_to_current_time()
        self._status.last_commit_ms = int(time.time() * 1000)
