"""Records under way: work of one account in order, of many at once, and the offsets that may be committed behind it."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress
from typing import NamedTuple, Protocol, TypeVar

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

log = logging.getLogger(__name__)
_AGAIN_S = 1.0
Work = Callable[[], Awaitable[None]]


class Lane(NamedTuple):
    """Whose work it is, and where it came from."""

    place: TopicPartition
    user_key: str
    account_id: str


class Client(Protocol):
    """A client of Kafka."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


Made = TypeVar("Made", bound=Client)


async def started(make: Callable[[], Made]) -> Made:
    """A client that found its broker, however long there is none."""
    while True:
        client = make()
        try:
            await client.start()
        except (KafkaError, OSError) as error:
            log.error("kafka: expected an answer, was %s", type(error).__name__)
            with suppress(Exception):
                await client.stop()
            await asyncio.sleep(_AGAIN_S)
        else:
            return client


class Offsets:
    """What was taken and what is done, by partition."""

    def __init__(self) -> None:
        self._next: dict[TopicPartition, int] = {}
        self._open: dict[TopicPartition, dict[int, float]] = {}  # offset -> when it was taken

    @property
    def count(self) -> int:
        """Records not done yet."""
        return sum(map(len, self._open.values()))

    @property
    def oldest_s(self) -> float:
        """How long the oldest of them is under way; 0 where none is."""
        began = [since for taken in self._open.values() for since in taken.values()]
        return time.monotonic() - min(began) if began else 0.0

    def take(self, place: TopicPartition, offset: int) -> None:
        self._open.setdefault(place, {})[offset] = time.monotonic()
        self._next[place] = offset + 1

    def done(self, place: TopicPartition, offset: int) -> None:
        self._open.get(place, {}).pop(offset, None)

    def committable(self) -> Mapping[TopicPartition, int]:
        """The first record of each partition that is not done, or the one after the last."""
        return {place: min(self._open[place], default=after) for place, after in self._next.items()}

    def forget(self, places: Collection[TopicPartition]) -> None:
        """Partitions that are another's now."""
        for place in places:
            self._next.pop(place, None)
            self._open.pop(place, None)


class Lanes:
    """A task for each lane that has work; `failed` is called with what no work may raise."""

    def __init__(self, failed: Callable[[BaseException], None]) -> None:
        self._failed = failed
        self._waiting: dict[Lane, deque[Work]] = {}
        self._tasks: dict[Lane, asyncio.Task[None]] = {}

    def put(self, lane: Lane, work: Work) -> None:
        """After what waits on the lane."""
        waiting = self._waiting.setdefault(lane, deque())
        waiting.append(work)
        if lane not in self._tasks:
            self._tasks[lane] = asyncio.create_task(self._run(lane, waiting))

    async def drop(self, places: Collection[TopicPartition] | None = None) -> None:
        """Ends the work of these partitions, or all, wherever it is: whoever takes it on finds what was sent."""
        lanes = [lane for lane in self._tasks if places is None or lane.place in places]
        tasks = [self._tasks.pop(lane) for lane in lanes]
        for lane, task in zip(lanes, tasks, strict=True):  # a task that has not begun yet runs no `finally` of its own
            del self._waiting[lane]
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, lane: Lane, waiting: deque[Work]) -> None:
        try:
            while waiting:
                await waiting.popleft()()
        except Exception as error:
            self._failed(error)
        del self._waiting[lane], self._tasks[lane]
