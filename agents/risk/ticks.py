"""Marks from ticks: what is refused, what waits for confirmation, when a mark is too old to judge by."""

from __future__ import annotations

import itertools
from decimal import Decimal
from typing import NamedTuple

from agents.risk.rules import MINUTES_A_WEEK, Instrument, Rules
from agents.risk.world import Mark
from schemas import engine_pb2 as pb
from schemas import keys, money

_MINUTE_MS = 60_000
_EPOCH_MINUTE = 3 * 1_440  # the epoch was a Thursday; sessions count from Monday
_WEEK_MS = MINUTES_A_WEEK * _MINUTE_MS


class Accepted(NamedTuple):
    mark: Mark


class Refused(NamedTuple):
    """`reason` is one of a few words, to be counted; `detail` says what was wrong."""

    reason: str
    detail: str


class Pending(NamedTuple):
    """A price far from the last good one: how often it was confirmed, and since when the price has been away."""

    price: Decimal
    confirmed: int
    since_ms: int
    mark: Mark


class MarkBook:
    """The newest good mark per instrument. The broker's append order decides which is newest, never the tick's own time."""

    def __init__(self) -> None:
        self.marks: dict[str, Mark] = {}
        self._pending: dict[str, Pending] = {}

    def accept(self, tick: pb.PriceTick, offset: int, append_ms: int, rules: Rules) -> Accepted | Refused:
        """Takes a tick; `Accepted.mark` is what holds now (the last good one with `jumping` set while a jump waits)."""
        read = read_tick(tick, offset, append_ms)
        if isinstance(read, Refused):
            return read
        before = self.marks.get(read.instrument)
        if before and before.mark is not None and read.mark is None and not read.instrument.startswith(keys.HOUSE + ":"):
            return Accepted(before)  # a book ticker says nothing of the mark price that venues judge by, not even that it is fresh
        held = self._after_jump(before, read, rules.instrument(read.instrument, append_ms))
        self.marks[read.instrument] = held
        return Accepted(held)

    def settle(self, now_ms: int, rules: Rules) -> tuple[Mark, ...]:
        """Accepts the jumps that have waited their time without a further tick; returns the marks that changed."""
        changed = []
        for name, pending in list(self._pending.items()):
            rule = rules.instrument(name, now_ms)
            if rule is None or (rule.jump_ms and now_ms - pending.since_ms >= rule.jump_ms):
                self.marks[name] = self._pending.pop(name).mark
                changed.append(self.marks[name])
        return tuple(changed)

    def stale(self, mark: Mark, now_ms: int, rules: Rules, mark_stale_ms: int) -> str:
        """As the function `stale`, under the rule that holds now."""
        return stale(mark, now_ms, rules.instrument(mark.instrument, now_ms), mark_stale_ms)

    def _after_jump(self, before: Mark | None, read: Mark, rule: Instrument | None) -> Mark:
        name, price = read.instrument, deciding(read)
        if before is None or rule is None or rule.jump_ratio is None or not far(price, deciding(before), rule.jump_ratio):
            self._pending.pop(name, None)
            return read
        waits = self._pending.get(name)
        if waits is None:
            waits = Pending(price, 0, read.append_ms, read)
        elif far(price, waits.price, rule.jump_ratio):
            waits = Pending(price, 0, waits.since_ms, read)  # further still: the count begins again, the clock does not
        else:
            waits = Pending(waits.price, waits.confirmed + 1, waits.since_ms, read)
        by_count = rule.jump_ticks and waits.confirmed >= rule.jump_ticks
        by_time = rule.jump_ms and read.append_ms - waits.since_ms >= rule.jump_ms
        if by_count or by_time:
            self._pending.pop(name, None)
            return read
        self._pending[name] = waits
        return before._replace(jumping=True)


def read_tick(tick: pb.PriceTick, offset: int, append_ms: int) -> Mark | Refused:
    """The tick as a mark, or why it is none: bad instrument, a price that is no number or not above zero, no price, bid above ask."""
    try:
        keys.instrument_parts(tick.instrument)
    except keys.BadKey as error:
        return Refused("instrument", str(error))
    found: dict[str, Decimal | None] = {}
    for field in ("bid", "ask", "last", "mark"):
        try:
            found[field] = money.parse(getattr(tick, field), field) if tick.HasField(field) else None
        except money.BadNumber as error:
            return Refused("malformed", f"{tick.instrument}: {error}")
    prices = [price for price in found.values() if price is not None]
    if not prices:
        return Refused("empty", f"{tick.instrument}: expected a price, was none")
    if min(prices) <= 0:
        return Refused("not_positive", f"{tick.instrument}: expected prices above 0, was {min(prices)}")
    bid, ask = found["bid"], found["ask"]
    if bid is not None and ask is not None and bid > ask:
        return Refused("crossed", f"{tick.instrument}: expected bid at or below ask, was {bid} over {ask}")
    return Mark(tick.instrument, bid, ask, found["last"], found["mark"], offset, append_ms)


def deciding(mark: Mark) -> Decimal:
    """The one price jumps are measured on: mark, else the middle, else what there is."""
    if mark.mark is not None:
        return mark.mark
    if mark.bid is not None and mark.ask is not None:
        return (mark.bid + mark.ask) / 2
    return mark.bid or mark.ask or mark.last or money.ZERO


def far(price: Decimal, good: Decimal, ratio: Decimal) -> bool:
    return abs(price - good) > ratio * good


def stale(mark: Mark, now_ms: int, rule: Instrument | None, mark_stale_ms: int) -> str:
    """"" = fresh, "stale", or "closed": out of session, but alive at the last close, so figures hold and nobody is liquidated.

    A mark ages only while its market is open, from the append time of its tick.
    """
    bound = rule.stale_after_ms if rule and rule.stale_after_ms else mark_stale_ms
    if rule is None or not rule.sessions:
        return "stale" if now_ms - mark.append_ms > bound else ""
    opened, closed, is_open = session_at(now_ms, rule.sessions)
    age = max(0, closed - mark.append_ms) + (now_ms - max(opened, mark.append_ms) if is_open else 0)
    if age > bound:
        return "stale"
    return "" if is_open else "closed"


def next_stale_ms(mark: Mark, now_ms: int, rule: Instrument | None, mark_stale_ms: int) -> int:
    """The next moment at which `stale` may say something else without a further tick."""
    bound = rule.stale_after_ms if rule and rule.stale_after_ms else mark_stale_ms
    if rule is None or not rule.sessions:
        return mark.append_ms + bound + 1
    opened, closed, is_open = session_at(now_ms, rule.sessions)
    if not is_open:
        return opened
    age = max(0, closed - mark.append_ms) + now_ms - max(opened, mark.append_ms)
    return min(now_ms + max(0, bound - age) + 1, session_end(now_ms, rule.sessions))


def session_at(now_ms: int, sessions: tuple[tuple[int, int], ...]) -> tuple[int, int, bool]:
    """(opening, close before it, whether open): the current session's opening, or the next one's where closed; times in ms."""
    moments = _moments(now_ms, sessions)
    moments.insert(0, (moments[0][0], moments[0][0]))  # sessions all week are one without another before it
    for (_, closed), (opened, closes) in itertools.pairwise(moments):
        if now_ms < closes:
            return opened, closed, now_ms >= opened
    raise AssertionError("expected a session within two weeks")


def session_end(now_ms: int, sessions: tuple[tuple[int, int], ...]) -> int:
    """The first close after now, in ms."""
    return next(closes for _, closes in _moments(now_ms, sessions) if closes > now_ms)


def _moments(now_ms: int, sessions: tuple[tuple[int, int], ...]) -> list[tuple[int, int]]:
    """The sessions of last, this and next week in ms; those that touch (Sunday to Monday) are one."""
    week = (now_ms + _EPOCH_MINUTE * _MINUTE_MS) // _WEEK_MS * _WEEK_MS - _EPOCH_MINUTE * _MINUTE_MS
    joined: list[tuple[int, int]] = []
    for number in (-2, -1, 0, 1, 2):
        for opens, closes in sessions:
            start, end = (week + number * _WEEK_MS + minute * _MINUTE_MS for minute in (opens, closes))
            if joined and joined[-1][1] == start:
                joined[-1] = joined[-1][0], end
            else:
                joined.append((start, end))
    return joined
