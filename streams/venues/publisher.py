"""Facts to Kafka: idempotent, acknowledged by all, in order per account; a bounded buffer while the broker is away; calls first."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, KafkaTimeoutError

from schemas import names
from streams.venues.frames import Event

log = logging.getLogger(__name__)
Name = tuple[str, str]  # user, account
CRITICAL = [("priority", b"CRITICAL")]
_LINGER_MS = 5
_WITHOUT_META = (names.DEAD_LETTERS, names.ANOMALIES)
_AGAIN_S = 1.0


class Unsafe:
    """What of an account is not acknowledged yet, and until when all is."""

    __slots__ = ("count", "last_ms", "safe_ms")

    def __init__(self) -> None:
        self.count, self.last_ms, self.safe_ms = 0, 0, 0


class Lane:
    """A producer with its queue. `failed` hears of the first send that was lost; then nothing goes until it is opened again."""

    def __init__(self, bootstrap: str, linger_ms: int, failed: Callable[[str], None]) -> None:
        self._bootstrap, self._linger_ms, self._failed = bootstrap, linger_ms, failed
        self.queue: deque[tuple[Event, bytes, Callable[[], None]]] = deque()
        self._filled = asyncio.Event()
        self._producer: AIOKafkaProducer | None = None
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Raises `KafkaError` while there is no broker."""
        producer = AIOKafkaProducer(bootstrap_servers=self._bootstrap, acks="all", enable_idempotence=True, linger_ms=self._linger_ms,
                                    compression_type="gzip", max_request_size=4 * 2**20, metadata_max_age_ms=10_000)
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
                while self.queue and self._task is not None and not self._task.done():
                    await asyncio.sleep(0.01)
        if self._task is not None:
            self._task.cancel()
        if self._producer is not None:
            with suppress(TimeoutError, KafkaError):
                await asyncio.wait_for(self._producer.stop(), max(within_s, 0.1))
        self._task = self._producer = None

    def put(self, event: Event, key: bytes, sent: Callable[[], None]) -> None:
        self.queue.append((event, key, sent))
        self._filled.set()

    async def _send_all(self, producer: AIOKafkaProducer) -> None:
        while True:
            while not self.queue:
                self._filled.clear()
                await self._filled.wait()
            event, key, sent = self.queue[0]
            if event.topic not in _WITHOUT_META:
                event.message.meta.publish_time_ns = time.time_ns()  # type: ignore[attr-defined]
            headers = CRITICAL if event.topic == names.VENUE_MARGIN_CALLS else None
            try:
                future = await producer.send(event.topic, event.message.SerializeToString(), key, headers=headers)
            except KafkaTimeoutError:  # no room at the producer: it was not taken, it goes again
                continue
            except KafkaError as error:
                self._failed(type(error).__name__)
                return
            self.queue.popleft()
            future.add_done_callback(lambda done, sent=sent: self._done(done, sent))

    def _done(self, future: asyncio.Future[object], sent: Callable[[], None]) -> None:
        error = None if future.cancelled() else future.exception()
        if error is not None:
            self._failed(type(error).__name__)
        elif not future.cancelled():
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
            lane.queue.clear()
            await lane.close(0)
        self._count = 0
        await self.open()
        self._opening = self._refused = False
        self._roomy()
