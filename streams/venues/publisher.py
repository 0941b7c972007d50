"""Facts to Kafka: idempotent, acknowledged by all, in order per account; a bounded buffer while the broker is away; calls first."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import lru_cache

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, KafkaTimeoutError, MessageSizeTooLargeError

from schemas import names
from schemas.keys import partition_of
from streams.venues.frames import Event

log = logging.getLogger(__name__)
Name = tuple[str, str]  # user, account
CRITICAL = [("priority", b"CRITICAL")]
_LINGER_MS = 5
_BATCH_BYTES_MAX, _GROUP_MAX = 4 * 2**20, 2_000
_partition_of = lru_cache(maxsize=2**16)(partition_of)
_WITHOUT_META = (names.DEAD_LETTERS, names.ANOMALIES)
_AGAIN_S = 1.0


class Unsafe:
    """What of an account is not acknowledged yet, and until when all is."""

    __slots__ = ("count", "last_ms", "safe_ms")

    def __init__(self) -> None:
        self.count, self.last_ms, self.safe_ms = 0, 0, 0


class Ready:
    """A batch of a partition, and whom to tell when it is acknowledged."""

    def __init__(self, producer: AIOKafkaProducer, topic: str, partition: int) -> None:
        self.topic, self.partition, self.batch = topic, partition, producer.create_batch()
        self.told: list[Callable[[], None]] = []

    def add(self, event: Event, key: bytes, sent: Callable[[], None]) -> bool:
        """Whether there was room."""
        headers = CRITICAL if event.topic == names.VENUE_MARGIN_CALLS else []
        if self.batch.append(timestamp=None, key=key, value=event.message.SerializeToString(), headers=headers) is None:
            return False
        self.told.append(sent)
        return True


class Lane:
    """A producer with its queue, sent as ready-made batches. `failed` hears of the first that was lost; then nothing goes until it is
    opened again."""

    def __init__(self, bootstrap: str, linger_ms: int, failed: Callable[[str], None]) -> None:
        self._bootstrap, self._linger_ms, self._failed = bootstrap, linger_ms, failed
        self._queue: deque[tuple[Event, bytes, Callable[[], None]]] = deque()
        self._ready: deque[Ready] = deque()
        self._partitions: dict[str, int] = {}
        self._filled = asyncio.Event()
        self._producer: AIOKafkaProducer | None = None
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Raises `KafkaError` while there is no broker."""
        producer = AIOKafkaProducer(bootstrap_servers=self._bootstrap, acks="all", enable_idempotence=True, linger_ms=0,
                                    compression_type="gzip", max_request_size=_BATCH_BYTES_MAX, max_batch_size=_BATCH_BYTES_MAX,
                                    metadata_max_age_ms=10_000)
        try:
            await producer.start()
        except BaseException:
            with suppress(Exception):
                await producer.stop()
            raise
        self._producer, self._task = producer, asyncio.create_task(self._send_all(producer))

    async def close(self, within_s: float) -> None:
        """Sends what waits, for so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while (self._queue or self._ready) and self._task is not None and not self._task.done():
                    await asyncio.sleep(0.01)
        if self._task is not None:
            self._task.cancel()
        if self._producer is not None:
            with suppress(TimeoutError, KafkaError):
                await asyncio.wait_for(self._producer.stop(), max(within_s, 0.1))
        self._task = self._producer = None

    def put(self, event: Event, key: bytes, sent: Callable[[], None]) -> None:
        self._queue.append((event, key, sent))
        self._filled.set()

    def drop(self) -> None:
        """Forgets what waits."""
        self._queue.clear()
        self._ready.clear()

    async def _send_all(self, producer: AIOKafkaProducer) -> None:
        """What came meanwhile is the next group."""
        while True:
            while not (self._queue or self._ready):
                self._filled.clear()
                await self._filled.wait()
            if self._linger_ms:
                await asyncio.sleep(self._linger_ms / 1_000)
            try:
                await self._gather(producer)
                while self._ready:
                    ready = self._ready[0]
                    future = await producer.send_batch(ready.batch, ready.topic, partition=ready.partition)
                    self._ready.popleft()
                    future.add_done_callback(lambda done, ready=ready: self._done(done, ready))
            except KafkaTimeoutError:  # no room at the producer: it was not taken, it goes again
                continue
            except Exception as error:  # Kafka's, or a bug of ours: said, never a queue that nobody empties
                self._failed(type(error).__name__)
                return

    async def _gather(self, producer: AIOKafkaProducer) -> None:
        """Batches of what waits, in order. A fact that no batch can hold is an error of Kafka's."""
        filling: dict[tuple[str, int], Ready] = {}
        for _ in range(min(len(self._queue), _GROUP_MAX)):
            event, key, sent = self._queue[0]
            if event.topic not in self._partitions:
                self._partitions[event.topic] = len(await producer.partitions_for(event.topic))
            if event.topic not in _WITHOUT_META:
                event.message.meta.publish_time_ns = time.time_ns()  # type: ignore[attr-defined]
            place = event.topic, _partition_of(key, self._partitions[event.topic])
            if place not in filling or not filling[place].add(event, key, sent):
                filling[place] = Ready(producer, *place)
                if not filling[place].add(event, key, sent):
                    raise MessageSizeTooLargeError
                self._ready.append(filling[place])
            self._queue.popleft()
        for ready in filling.values():
            ready.batch.close()

    def _done(self, future: asyncio.Future[object], ready: Ready) -> None:
        error = None if future.cancelled() else future.exception()
        if error is not None:
            self._failed(type(error).__name__)
        elif not future.cancelled():
            for sent in ready.told:
                sent()


class Publisher:
    """`take` says whether there was room. `lost` hears of accounts whose facts did not arrive, `roomy` that there is room again."""

    def __init__(self, bootstrap: str, room: int, lost: Callable[[Sequence[Name]], None], roomy: Callable[[], None]) -> None:
        self._bootstrap, self._room, self._lost, self._roomy = bootstrap, room, lost, roomy
        self._unsafe: dict[Name, Unsafe] = {}
        self._lanes: tuple[Lane, ...] = ()
        self._count, self._refused, self._opening = 0, False, False
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def up(self) -> bool:
        """Whether facts find room."""
        return bool(self._lanes) and not self._opening and not self._refused

    @property
    def waiting(self) -> int:
        return self._count

    async def open(self) -> None:
        """Returns when the broker answered."""
        while True:
            lanes = tuple(Lane(self._bootstrap, linger_ms, self._fail) for linger_ms in (_LINGER_MS, 0))
            try:
                for lane in lanes:
                    await lane.open()
            except (KafkaError, OSError) as error:
                log.error("kafka at %s: expected an answer, was %s", self._bootstrap, type(error).__name__)
                for lane in lanes:
                    await lane.close(0)
                await asyncio.sleep(_AGAIN_S)
            else:
                self._lanes = lanes
                return

    async def close(self, within_s: float = 5.0) -> None:
        """Sends what waits, then lets go."""
        for task in self._tasks:
            task.cancel()
        for lane in self._lanes:
            await lane.close(within_s)
        self._lanes = ()

    def safe_ms(self, name: Name) -> int | None:
        """Everything taken of the account until then is acknowledged; None where nothing was taken yet."""
        found = self._unsafe.get(name)
        return found.safe_ms or None if found else None

    def take(self, name: Name, events: Sequence[Event], received_ms: int) -> bool:
        """Takes the facts of a frame, all or none; acknowledged later."""
        if not self.up or (self._count and self._count + len(events) > self._room):
            self._refused = self._refused or (bool(self._lanes) and not self._opening)
            return False
        unsafe = self._unsafe.setdefault(name, Unsafe())
        unsafe.count += len(events)
        unsafe.last_ms = max(unsafe.last_ms, received_ms)
        self._count += len(events)
        key = name[0].encode()
        for event in events:
            lane = self._lanes[event.topic == names.VENUE_MARGIN_CALLS]
            lane.put(event, key, lambda: self._sent(name, unsafe))
        return True

    def _sent(self, name: Name, unsafe: Unsafe) -> None:
        if self._unsafe.get(name) is not unsafe:  # of producers that failed: their facts are told again
            return
        self._count -= 1
        unsafe.count -= 1
        if unsafe.count == 0:
            unsafe.safe_ms = unsafe.last_ms
        if self._refused and self._count <= self._room // 2:
            self._refused = False
            self._roomy()

    def _fail(self, why: str) -> None:
        """A send was lost: who has facts on the way reads everything again, through new producers."""
        if self._opening:
            return
        self._opening = True
        log.error("kafka: facts lost on the way (%s): their accounts are read again", why)
        lost = [name for name, unsafe in self._unsafe.items() if unsafe.count]
        self._lost(lost)
        for name in lost:
            safe_ms = self._unsafe[name].safe_ms
            self._unsafe[name] = Unsafe()
            self._unsafe[name].safe_ms = safe_ms
        task = asyncio.create_task(self._reopen())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _reopen(self) -> None:
        for lane in self._lanes:
            lane.drop()
            await lane.close(0)
        self._count = 0
        await self.open()
        self._opening = self._refused = False
        self._roomy()
