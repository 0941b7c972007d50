"""Ticks to Kafka, droppable: while a batch travels, or the broker is away, of each instrument only the newest waits."""

import asyncio
import logging
from collections import deque
from contextlib import suppress

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from schemas import names
from schemas.engine_pb2 import DeadLetter, PriceTick
from streams.venues import metrics

log = logging.getLogger(__name__)
INSTRUMENTS_MAX, LETTERS_MAX, _BATCH_MAX, _AGAIN_S, _STOP_S = 20_000, 1_000, 500, 1.0, 2.0


class Latest:
    """What waits, bounded by instruments: a newer tick of one replaces the older; letters past their bound are dropped, and counted."""

    def __init__(self, instruments_max: int = INSTRUMENTS_MAX) -> None:
        self.ticks: dict[str, PriceTick] = {}
        self.letters: deque[DeadLetter] = deque()
        self.superseded = self.dropped = 0
        self._max = instruments_max

    def put(self, tick: PriceTick) -> None:
        """Takes the place of an older one, at the end of the queue: who was just told waits for the others."""
        if tick.instrument in self.ticks:
            self.superseded += 1
            metrics.TICKS_DROPPED.labels("superseded").inc()
        elif len(self.ticks) >= self._max:
            self.dropped += 1
            metrics.TICKS_DROPPED.labels("full").inc()
            return
        self.ticks[tick.instrument] = tick

    def put_back(self, ticks: list[PriceTick]) -> None:
        """Of a batch that did not arrive, what nothing newer has replaced."""
        for tick in ticks:
            if tick.instrument not in self.ticks:
                self.ticks[tick.instrument] = tick

    def write(self, letter: DeadLetter) -> None:
        if len(self.letters) >= LETTERS_MAX:
            self.dropped += 1
            metrics.TICKS_DROPPED.labels("letter").inc()
        else:
            self.letters.append(letter)

    def take(self) -> list[PriceTick]:
        """The next batch, which waits no more."""
        names_ = list(self.ticks)[:_BATCH_MAX]
        return [self.ticks.pop(name) for name in names_]


class TickPublisher:
    """`put` never waits; `run` sends until `close`."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self.latest = Latest()
        self.sent, self._closing = 0, False
        self._filled = asyncio.Event()

    def put(self, tick: PriceTick) -> None:
        self.latest.put(tick)
        self._filled.set()

    def write(self, letter: DeadLetter) -> None:
        self.latest.write(letter)
        self._filled.set()

    async def close(self, task: asyncio.Task[None]) -> None:
        """Ends `run`, which is this task, within seconds: a library under it may swallow one cancellation, not all."""
        self._closing = True
        while not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=_AGAIN_S)

    async def run(self) -> None:
        """Until closed."""
        while not self._closing:
            producer = AIOKafkaProducer(bootstrap_servers=self._bootstrap, acks="all", enable_idempotence=True, linger_ms=2,
                                        compression_type="gzip", metadata_max_age_ms=10_000)
            try:
                await producer.start()
                while not self._closing:
                    await self._send(producer)
            except (KafkaError, OSError) as error:
                log.error("ticks: kafka at %s: expected an answer, was %s", self._bootstrap, type(error).__name__)
            finally:
                with suppress(TimeoutError, KafkaError):
                    async with asyncio.timeout(_STOP_S):
                        await producer.stop()
            await asyncio.sleep(_AGAIN_S)

    async def _send(self, producer: AIOKafkaProducer) -> None:
        """One batch, acknowledged; raises `KafkaError` and keeps what did not arrive."""
        while not (self.latest.ticks or self.latest.letters):
            self._filled.clear()
            await self._filled.wait()
        ticks = self.latest.take()
        try:
            while self.latest.letters:
                letter = self.latest.letters[0]
                await producer.send_and_wait(names.DEAD_LETTERS, letter.SerializeToString(), letter.key)
                self.latest.letters.popleft()
            futures = [await producer.send(names.PRICE_TICKS, tick.SerializeToString(), tick.instrument.encode()) for tick in ticks]
            await asyncio.gather(*futures)
        except BaseException:
            self.latest.put_back(ticks)
            raise
        self.sent += len(ticks)
