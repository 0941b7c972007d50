"""Which marks a conversion goes through, as the law's market goes: the pair itself, either way round, else one currency between."""

from __future__ import annotations

from collections.abc import Mapping

from agents.risk.lines import DIRECT, INVERSE, LAST, UNCONVERTED, Conversion, NoLine

Leg = tuple[str, int]  # instrument, DIRECT, INVERSE or LAST
Pairs = Mapping[tuple[str, str, str], str]


class Routes:
    """The pairs of the rules, each route found once. `products`: by the name a conversion knows them by, prices that are multiplied."""

    def __init__(self, pairs: Pairs) -> None:
        self._pairs = pairs
        self._between = sorted({name for _, *pair in pairs for name in pair}, key=lambda name: (name != "USD", name))
        self.products: dict[str, tuple[Leg, ...]] = {}
        self._known: dict[tuple[str, str, str], tuple[Leg, ...] | None] = {}
        self._conversions: dict[tuple[Leg, ...], Conversion] = {}

    def legs(self, venue: str, source: str, target: str) -> tuple[Leg, ...] | None:
        """From `source` to `target` at a venue; None where there is no way."""
        asked = (venue, source, target)
        if asked not in self._known:
            self._known[asked] = self._found(*asked)
        return self._known[asked]

    def conversion(self, venue: str, source: str, target: str) -> Conversion:
        """The same as a line takes it; raises `NoLine`."""
        if source in ("", target):
            return UNCONVERTED
        legs = self.legs(venue, source, target)
        if legs is None:
            raise NoLine
        return self._conversion(legs)

    def at_last(self, instrument: str, venue: str, source: str, target: str) -> Conversion:
        """The last price of an instrument, from `source` to `target`; raises `NoLine`."""
        legs = () if source in ("", target) else self.legs(venue, source, target)
        if legs is None:
            raise NoLine
        return self._conversion(((instrument, LAST), *legs))

    def _found(self, venue: str, source: str, target: str) -> tuple[Leg, ...] | None:
        leg = self._leg(venue, source, target)
        if leg:
            return (leg,)
        for between in self._between:
            first, second = self._leg(venue, source, between), self._leg(venue, between, target)
            if first and second:
                return first, second
        return None

    def _leg(self, venue: str, source: str, target: str) -> Leg | None:
        direct, inverse = self._pairs.get((venue, source, target)), self._pairs.get((venue, target, source))
        if direct:
            return direct, DIRECT
        return (inverse, INVERSE) if inverse else None

    def _conversion(self, legs: tuple[Leg, ...]) -> Conversion:
        if legs not in self._conversions:
            self._conversions[legs] = self._made(legs)
        return self._conversions[legs]

    def _made(self, legs: tuple[Leg, ...]) -> Conversion:
        if len(legs) == 1 and legs[0][1] != LAST:
            return Conversion(legs[0][1], legs[0][0])
        name = " ".join(f"{instrument}*{kind}" for instrument, kind in legs)
        self.products[name] = legs
        return Conversion(DIRECT, name)


__all__ = ["Leg", "Routes"]
