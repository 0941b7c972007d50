"""What the law may ask of the world: rules, marks and conversion rates, and what of it was missing or too old."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

from agents.risk.rules import Instrument
from agents.risk.ticks import stale
from agents.risk.world import Mark, World
from schemas.money import ONE

Pairs = Mapping[tuple[str, str, str], str]
Rates = Mapping[tuple[str, str], Decimal]


class Market:
    """One check's view; remembers the marks it handed out (`used`), why nothing may be decided (`unknown`) what else to say (`notes`)."""

    def __init__(
        self,
        marks: Mapping[str, Mark],
        instruments: Callable[[str], Instrument | None],
        pairs: Pairs | None = None,
        rates: Rates | None = None,
        freshness: Callable[[Mark, Instrument | None], str] = lambda mark, rule: "",
    ) -> None:
        self._marks, self._instruments, self._freshness = marks, instruments, freshness
        self._pairs, self._rates = pairs or {}, rates or {}
        self._currencies = sorted(
            {name for pair in self._rates for name in pair} | {name for _, *pair in self._pairs for name in pair},
            key=lambda name: (name != "USD", name),
        )
        self.used: dict[str, Mark] = {}
        self.unknown: set[str] = set()
        self.notes: set[str] = set()

    def moved(self, factor: Callable[[str], Decimal]) -> Market:
        """The same market with every price times its instrument's factor; given rates stay, nothing is used or unknown yet."""
        marks = {name: _times(mark, factor(name)) for name, mark in self._marks.items()}
        return Market(marks, self._instruments, self._pairs, self._rates, self._freshness)

    def instrument(self, name: str) -> Instrument | None:
        """The rule that holds; a missing one is a reason for unknown."""
        found = self._instruments(name)
        if found is None:
            self.unknown.add(f"missing_rule:{name}")
        return found

    def mark(self, name: str) -> Mark | None:
        """The mark; missing, stale or jumping is a reason for unknown, a closed session a note."""
        found = self._marks.get(name)
        if found is None:
            self.unknown.add(f"missing_mark:{name}")
            return None
        self.used[name] = found
        word = self._freshness(found, self._instruments(name))
        if word == "closed":
            self.notes.add(f"closed:{name}")
        elif word:
            self.unknown.add(f"{word}_mark:{name}")
        if found.jumping:
            self.unknown.add(f"jumping_mark:{name}")
        return found

    def price(self, name: str, field: str) -> Decimal | None:
        """`mark`, `last` (else mark), or the `bid` or `ask` (where a side is missing: mark, then last); none is a reason for unknown."""
        found = self.mark(name)
        if found is None:
            return None
        price = found.mark if field == "mark" else _side(found, field)
        if price is None:
            self.unknown.add(f"missing_mark:{name}")
        return price

    def rate(self, source: str, target: str, *, buying: bool, venue: str = "house") -> Decimal | None:
        """Units of `target` for one of `source`: given rates first, then marks (buying `source` at the ask, selling at the bid),

        either direction, at most one currency between. None is a reason for unknown.
        """
        path = self._path(source, target, venue)
        if path is None:
            self.unknown.add(f"missing_rate:{source}/{target}")
            return None
        rate = ONE
        for leg in path:
            found = self._leg(*leg, venue, buying=buying)
            if found is None:
                return None
            rate *= found
        return rate

    def via(self, source: str, target: str, venue: str) -> str:
        """The instrument whose mark alone is the rate; "" where a given rate, a bid or ask, or more than one price says it."""
        given = (source, target) in self._rates or (target, source) in self._rates
        name = "" if given else self._pairs.get((venue, source, target), "")
        found = self._marks.get(name)
        return name if found is not None and found.mark is not None and found.bid is None and found.ask is None else ""

    def convertible(self, source: str, target: str, venue: str) -> bool:
        return self._path(source, target, venue) is not None

    def _path(self, source: str, target: str, venue: str) -> tuple[tuple[str, str], ...] | None:
        if self._has(source, target, venue):
            return ((source, target),)
        between = next((name for name in self._currencies if self._has(source, name, venue) and self._has(name, target, venue)), None)
        return ((source, between), (between, target)) if between else None

    def _has(self, source: str, target: str, venue: str) -> bool:
        both = ((source, target), (target, source))
        return source == target or any(pair in self._rates or (venue, *pair) in self._pairs for pair in both)

    def _leg(self, source: str, target: str, venue: str, *, buying: bool) -> Decimal | None:
        if source == target:
            return ONE
        if (source, target) in self._rates:
            return self._rates[source, target]
        if (target, source) in self._rates:
            return ONE / self._rates[target, source]
        name = self._pairs.get((venue, source, target))
        if name:
            return self.price(name, "ask" if buying else "bid")
        price = self.price(self._pairs[venue, target, source], "bid" if buying else "ask")
        return ONE / price if price else None


def _times(found: Mark, factor: Decimal) -> Mark:
    bid, ask, last, mark = (None if price is None else price * factor for price in (found.bid, found.ask, found.last, found.mark))
    return found._replace(bid=bid, ask=ask, last=last, mark=mark)


def _side(mark: Mark, field: str) -> Decimal | None:
    side = mark.bid if field == "bid" else mark.last if field == "last" else mark.ask
    return side if side is not None else mark.mark if mark.mark is not None else mark.last


def market_of(world: World) -> Market:
    """The market of a world: rules that hold at its time, marks by its clock."""
    now, rules = world.now_ms, world.rules
    return Market(
        world.marks,
        lambda name: rules.instrument(name, now),
        rules.pairs,
        freshness=lambda mark, rule: stale(mark, now, rule, world.mark_stale_ms),
    )
