"""Prices and tier tables as arrays, one row a price that lines stand on, and what positions are worth at them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from agents.risk.lines import ASK, BID, COIN, INVERSE, LAST, MARK
from agents.risk.rules import Instrument
from agents.risk.slots import Floats, Ints, Positions, Slots
from agents.risk.tiers import PROGRESSIVE
from agents.risk.world import Mark

FIELDS = 4
_EDGE = 1e-12  # a size this near to the edge of a tier may be on either side of it
Bools = npt.NDArray[np.bool_]


class Range(NamedTuple):
    """The least and the most."""

    least: Floats
    most: Floats


class Board:
    """A channel is an instrument x field: its price, its tiers, and the size above which the law refuses (`cap`).

    `steep`: the highest rate, endless where tiers jump. `shared`: whether any position of it has a share. A conversion over several
    marks is an instrument, too, whose bid and ask are products; `products`: by instrument, those that rest on it.
    """

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self.products: defaultdict[str, list[str]] = defaultdict(list)
        self._over: dict[str, tuple[tuple[str, int], ...]] = {}
        self.price = np.full(64, np.nan)
        self.cap, self.steep = np.full(64, np.inf), np.zeros(64)
        self.shared = np.zeros(64, np.bool_)
        self._floors, self._rates, self._amounts = np.full((64, 1), np.inf), np.zeros((64, 1)), np.zeros((64, 1))

    def number(self, name: str) -> tuple[int, bool]:
        """The number of an instrument, and whether it is new."""
        found = self.numbers.get(name)
        if found is not None:
            return found, False
        found = self.numbers[name] = len(self.numbers)
        if (found + 1) * FIELDS > len(self.price):
            for column in ("price", "cap", "steep", "shared", "_floors", "_rates", "_amounts"):
                known = getattr(self, column)
                setattr(self, column, np.concatenate([known, known]))
        self.price[found * FIELDS : (found + 1) * FIELDS] = np.nan
        return found, True

    def multiplied(self, product: str, legs: tuple[tuple[str, int], ...]) -> None:
        """Makes a new number a product of (instrument, DIRECT, INVERSE or LAST)."""
        self._over[product] = legs
        for name in dict.fromkeys(name for name, _ in legs):
            self.products[name].append(product)

    def with_products(self, names: Iterable[str]) -> list[str]:
        """The names, and the products that rest on them."""
        return [found for name in names for found in (name, *self.products.get(name, ()))]

    def ruled(self, name: str, rule: Instrument | None) -> None:
        """Lays the tiers of a known instrument: floor, rate, amount; what a shorter table lacks begins at infinity."""
        at, table = self.numbers[name] * FIELDS, rule.brackets if rule else ()
        missing = len(table) - self._floors.shape[1]
        if missing > 0:
            self._floors = np.pad(self._floors, ((0, 0), (0, missing)), constant_values=np.inf)
            self._rates, self._amounts = (np.pad(part, ((0, 0), (0, missing))) for part in (self._rates, self._amounts))
        flat = bool(rule and rule.tier_policy != PROGRESSIVE)
        rows = slice(at, at + FIELDS)
        self._floors[rows], self._rates[rows], self._amounts[rows] = np.inf, 0.0, 0.0
        for n, bracket in enumerate(table):
            self._floors[rows, n], self._rates[rows, n] = float(bracket.floor), float(bracket.rate)
            self._amounts[rows, n] = 0.0 if flat else float(bracket.amount)
        last = table[-1].cap if table else None
        self.cap[rows] = np.inf if last is None else float(last) * (1 - _EDGE)
        self.steep[rows] = np.inf if flat else max((float(bracket.rate) for bracket in table), default=0.0)

    def priced(self, name: str, marks: Mapping[str, Mark]) -> None:
        """Takes what its marks say now."""
        at = self.numbers[name] * FIELDS
        mark = marks.get(name)
        bid, ask = self._product(name, marks) if name in self._over else _sides(mark)
        price = np.nan if mark is None or mark.mark is None else float(mark.mark)
        self.price[at + MARK], self.price[at + BID], self.price[at + ASK], self.price[at + COIN] = price, bid, ask, -1 / price

    def _product(self, name: str, marks: Mapping[str, Mark]) -> tuple[float, float]:
        bid = ask = 1.0
        for other, kind in self._over[name]:
            sides = _sides(marks.get(other), last=kind == LAST)
            sides = (1 / sides[1], 1 / sides[0]) if kind == INVERSE else sides
            bid, ask = bid * sides[0], ask * sides[1]
        return bid, ask

    def required(self, channel: Ints, size: Floats) -> Floats:
        """Maintenance of these sizes; beyond the cap infinite, on an edge that of the upper tier."""
        found: Floats = size * self._rates[channel, 0] - self._amounts[channel, 0]
        if self._floors.shape[1] > 1:
            higher = np.flatnonzero(size * (1 + _EDGE) >= self._floors[channel, 1])
            at, some = channel[higher], size[higher]
            tier = (self._floors[at] <= some[:, None] * (1 + _EDGE)).sum(axis=1) - 1
            found[higher] = some * self._rates[at, tier] - self._amounts[at, tier]
        found[size > self.cap[channel]] = np.inf
        return found

    def required_alike(self, channel: int, size: Floats) -> Floats:
        """The same for one channel."""
        floors, rates, amounts = self._floors[channel], self._rates[channel], self._amounts[channel]
        found: Floats = size * rates[0] - amounts[0]
        largest = float(size.max(initial=0.0)) * (1 + _EDGE)
        for n in range(1, len(floors)):
            if floors[n] > largest:
                break
            higher = np.flatnonzero(size * (1 + _EDGE) >= floors[n])
            found[higher] = size[higher] * rates[n] - amounts[n]
        if largest > self.cap[channel]:
            found[size > self.cap[channel]] = np.inf
        return found

    def rate(self, code: Slots, buying: Bools) -> Floats:
        """Conversion by code (0: none, else the instrument's number + 1, below 0 where it divides)."""
        found = np.ones(len(code))
        some = np.flatnonzero(code)
        if len(some):
            kind, bought = code[some], buying[some]
            at = (np.abs(kind.astype(np.int64)) - 1) * FIELDS
            price = self.price[at + np.where(bought == (kind > 0), ASK, BID)]
            found[some] = np.where(kind > 0, price, 1 / price)
        return found

    def rates(self, code: Slots, reach: Floats) -> Range:
        """Between what a conversion may lie, either side, where its prices move by a share of up to `reach` of them."""
        sides = [self.rate(code, np.full(len(code), buying)) for buying in (True, False)]
        fixed, turned = code == 0, code < 0
        less = np.where(fixed, 1.0, np.where(turned, 1 / (1 + reach), 1 - reach))
        with np.errstate(divide="ignore"):
            more = np.where(fixed, 1.0, np.where(turned, 1 / (1 - reach), 1 + reach))
        return Range(np.minimum(*sides) * less, np.maximum(*sides) * more)


def _sides(mark: Mark | None, *, last: bool = False) -> tuple[float, float]:
    """(bid, ask), or twice the `last` price; a missing one is the mark, then the last price, as the law would take it; NaN: none."""
    if mark is None:
        return np.nan, np.nan
    spare = mark.mark if mark.mark is not None else mark.last
    sides = (mark.last, mark.last) if last else (mark.bid, mark.ask)
    bid, ask = (spare if side is None else side for side in sides)
    return np.nan if bid is None else float(bid), np.nan if ask is None else float(ask)


class Held(NamedTuple):
    """Positions of some pools, side by side: `of` says whose, in the order the pools were asked for; `price` is the one that moves them."""

    of: Ints
    slot: Slots
    channel: Ints
    size: Floats
    cost: Floats
    margin: Floats
    share: Floats
    into: Slots
    margin_into: Slots
    part: npt.NDArray[np.int8] | Slots
    price: Floats

    @staticmethod
    def gather(positions: Positions, board: Board, members: tuple[Ints, Slots]) -> Held:
        of, slot = members
        channel = positions.lane_of(slot).astype(np.int64) // 2
        size, cost, margin, share = (column[slot] for column in (positions.size, positions.cost, positions.margin, positions.share))
        into, margin_into, part = positions.into[slot], positions.margin_into[slot], positions.part[slot]
        return Held(of, slot, channel, size, cost, margin, share, into, margin_into, part, board.price[channel])

    def some(self, chosen: Bools) -> Held:
        """Those of the chosen pools, renumbered."""
        keep = np.flatnonzero(chosen[self.of])
        number = np.cumsum(chosen) - 1
        return Held(number[self.of[keep]], *(column[keep] for column in self[1:]))  # type: ignore[arg-type]


def worth(held: Held, board: Board) -> tuple[Floats, Floats, Floats]:
    """(equity, requirement, gross) of each position at the prices as they are."""
    worth = held.size * held.price
    gained = worth - held.cost
    rate = board.rate(held.into, gained < 0)
    tiered = np.isnan(held.margin)
    required = held.margin * board.rate(held.margin_into, held.size > 0)
    some = np.flatnonzero(tiered)
    required[some] = board.required(held.channel[some], np.abs(worth[some]))
    required += held.share * np.abs(worth)
    return gained * rate, required, (np.abs(worth) + np.abs(held.cost)) * np.abs(rate) + np.abs(required)


def between(held: Held, board: Board, reach: Floats) -> tuple[Range, Range]:
    """(equity, requirement) of each position: the least and the most while every price moves by a share of up to `reach`."""
    near, far = (held.size * held.price * share - held.cost for share in (1 - reach, 1 + reach))
    least, most = np.minimum(near, far), np.maximum(near, far)
    rate = board.rates(held.into, reach)
    equity = Range(least * np.where(least < 0, rate.most, rate.least), most * np.where(most > 0, rate.most, rate.least))
    tiered = np.isnan(held.margin)
    rate = board.rates(held.margin_into, reach)
    required = Range(held.margin * rate.least, held.margin * rate.most)
    some = np.flatnonzero(tiered)
    for bound, share in zip(required, ((1 - reach) * (1 - 3 * _EDGE), 1 + reach), strict=True):
        size = np.abs(held.size * held.price * share)
        bound[some] = board.required(held.channel[some], size[some])
        np.add(bound, held.share * size, out=bound)
    return equity, required


def summed(held: Held, values: Floats, count: int) -> Floats:
    """The sum per pool, of `count` pools."""
    found: Floats = np.bincount(held.of, values, count).astype(np.float64)  # of nothing it would be whole numbers
    return found
