"""Prices and timers under simulated time: the services of a worker, fed from a recording, with a clock that its records move."""

import math
from collections.abc import Iterable
from typing import Any

from aiokafka import TopicPartition
from google.protobuf.message import DecodeError

from agents.risk.ticks import next_stale_ms, session_end
from agents.risk.world import Mark
from streams.checks import TIMER_S, Checks
from streams.config import Config
from streams.prices import Prices
from streams.replay.otherwise import Alternative
from streams.replay.recording import Recorded
from streams.settling import Settling
from streams.topics import RISK_RULES
from tables.accounts import expire
from tables.rows import Folded, User

GRID_MS = int(TIMER_S * 1000)


class SimulatedPrices(Prices):
    """The price service without its consumer; `at_ms` is the simulated time."""

    def __init__(self, config: Config, other: Alternative) -> None:
        super().__init__(config)
        self.at_ms, self._other, self.rules = 0, other, other.rules
        self.caught_up.set()

    def now_ms(self) -> int:
        return self.at_ms

    def take(self, records: list[Recorded]) -> None:
        """Consecutive records of one partition of ticks, rules or control."""
        topic, partition = records[0].topic, records[0].partition
        self._take({TopicPartition(topic, partition): records})

    def _take_settings(self, topic: str, records: Iterable[Any]) -> None:
        super()._take_settings(topic, [record for record in records if topic != RISK_RULES or self._counts(record)])

    def _counts(self, record: Any) -> bool:
        try:
            return self._other.holds(record.key or b"", record.value)
        except DecodeError:
            return True  # refused, and counted, by who reads it

    def next_turn_ms(self, stale_ms: int) -> float:
        """When a mark, a jump or a rule turns by time alone; infinity: never."""
        begins = self.rules.next_effective_ms(self.at_ms)
        turns = [self._next_of(mark, stale_ms) for mark in self.book.marks.values()]
        waits = [pending.since_ms + rule.jump_ms for name, pending in self.book._pending.items()
                 if (rule := self.rules.instrument(name, self.at_ms)) and rule.jump_ms]
        return min((math.inf if begins is None else begins, *turns, *waits))

    def _next_of(self, mark: Mark, stale_ms: int) -> float:
        rule = self.rules.instrument(mark.instrument, self.at_ms)
        if self.book.stale(mark, self.at_ms, self.rules, stale_ms) == "stale":
            return session_end(self.at_ms, rule.sessions) if rule and rule.sessions else math.inf
        return next_stale_ms(mark, self.at_ms, rule, stale_ms)


class Elapsed(Settling):
    """Gives up halves of frames at once when their time is over: everything appended by then is folded."""

    def give_up(self, row: User, partition: int, now_ms: int) -> tuple[Folded | None, int]:
        del partition
        return expire(row, now_ms, self._policy), 0


class Timers:
    """Looks as a worker's timer does, on a grid of simulated time; where nothing can turn the grid is left out."""

    def __init__(self, checks: Checks, prices: SimulatedPrices) -> None:
        self._checks, self._prices, self._looked = checks, prices, 0

    def begin(self, now_ms: int) -> None:
        """The first look is on the next point of the grid."""
        self._looked = now_ms // GRID_MS * GRID_MS

    def pass_until(self, until_ms: int) -> None:
        """Every look that is due up to then, with the checks that follow from it."""
        last = until_ms // GRID_MS * GRID_MS
        at = self._looked + GRID_MS
        while at <= last:
            self._prices.at_ms = at
            self._checks._look(at)
            drain(self._checks)
            turn = min(self._prices.next_turn_ms(self._checks.config.mark_stale_ms), self._checks.deadlines.first_ms()) if at < last else 0
            at = max(at + GRID_MS, last + GRID_MS if turn > last else math.ceil(turn / GRID_MS) * GRID_MS)
        self._looked = max(self._looked, last)


def drain(checks: Checks) -> int:
    """Makes every check that waits, worst first; how many reports they gave."""
    made = 0
    while checks._queue:
        made += sum(map(len, checks._slice().values()))
    return made


