"""Kafka with the publisher before it, under a world's clock: what is taken arrives together, late, or is lost."""

import random
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial

from streams.venues.frames import Event
from streams.venues.session import Session
from streams.venues.words import Acknowledged, Drained, Happened, Overflowed, Publish

PENDING_MAX = 120


class Topics(ABC):
    """A world's part: `told` arrived, with its time; `pending` was taken; `overflowed` until there is room again."""

    chance: random.Random
    now_ms: int
    session: Session

    def __init__(self) -> None:
        self.told: list[tuple[int, Event]] = []
        self.pending: list[tuple[int, Event]] = []
        self.kafka_up, self.overflowed = True, False

    @abstractmethod
    def after(self, ms: int, what: Callable[[], None]) -> None:
        """Later."""

    @abstractmethod
    def hear(self, happened: Happened, whose: Session | None = None) -> None:
        """The session hears of it, if it is still the one."""

    @abstractmethod
    def _happens(self, fault: str, share: float) -> bool:
        """Whether it does, by the seed."""

    def _publish(self, command: Publish) -> None:
        if self.overflowed:
            return
        if self.pending and len(self.pending) + len(command.events) > PENDING_MAX:
            self.overflowed = True
            return
        if not self.pending:
            self.after(self.chance.randint(2, 500), self._deliver)
        if self._happens("stray acknowledgements", 0.1):  # of facts long safe, or of none
            self.after(0, partial(self.hear, Acknowledged(self.now_ms + self.chance.choice((-600_000, 1, 600_000))), self.session))
        self.pending += [(command.received_ms, event) for event in command.events]

    def _deliver(self) -> None:
        """Kafka takes what waits, or does not; the session hears up to when all is safe."""
        if self.pending and not self.kafka_up:  # as the publisher: what is safe stands still while anything waits
            self.after(500, self._deliver)
            return
        self.told += [(self.now_ms, event) for _, event in self.pending]
        safe_ms = max((received_ms for received_ms, _ in self.pending), default=None)
        self.pending.clear()
        if safe_ms is not None:
            self.hear(Acknowledged(safe_ms))
        if self.overflowed:
            self.roomy()

    def roomy(self) -> None:
        """There is room again."""
        self.overflowed = False
        self.hear(Drained())

    def lose(self) -> None:
        """What is on its way to Kafka is lost, as when a producer fails: the session hears of it, and of its successor."""
        if self.pending and not self.overflowed:
            self.pending.clear()
            self.overflowed = True
            self.hear(Overflowed())
            self.after(self.chance.randint(100, 5_000), self.roomy)
