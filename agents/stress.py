"""Price shocks over a book: accounts per rung, what is liquidated of each symbol, who goes first. Indicative: it decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

import numpy as np

from agents.book import book_of, thresholds_for, weights_of
from agents.risk import ladder
from agents.risk.law import Book, Law, NoLaw
from agents.risk.laws import law_of
from agents.risk.market import Market
from agents.risk.rules import Thresholds
from agents.risk.spread import Floats, Ints, RateKey, Spread
from agents.risk.world import World
from agents.shocks import Scenario
from agents.tally import Amounts, Early, Outcome, Tally
from schemas.money import say_short
from tables.rows import LIQUIDATION, NORMAL, RUNG_NAMES, UNKNOWN, User

FIRST_MAX = 20
_PLACES = 8


class Case(NamedTuple):
    """An account by name, with what the law judges it by; `previous` is the rung it stands on."""

    name: tuple[str, str]
    book: Book
    market: Market
    thresholds: Thresholds
    previous: int = NORMAL


def cases_of(user: User, world: World, market: Market) -> Iterator[Case]:
    """The accounts of a row as cases on one market, as a check at `world` would judge them; open orders carry no rung."""
    group = world.rules.group(user.profile.group, world.now_ms)
    for name, account in sorted(user.accounts.items()):
        book = book_of(user, account, group, None, weights_of(account, world.rules, world.now_ms))
        yield Case((user.user_id, name), book, market, thresholds_for(account, group), account.margin.known_rung)


class _Exact(NamedTuple):
    """An account no line stands for: the law evaluates it under every scenario."""

    at: int
    case: Case
    law: Law


class Stress:
    """Accounts in (`add`), scenarios out (`run`). Accounts whose figures rest on something unknown are counted, not moved."""

    def __init__(self) -> None:
        self.names: list[tuple[str, str]] = []
        self.unjudged = 0
        self._spread = Spread()
        self._laid: list[int] = []
        self._exact: list[_Exact] = []
        self._prices: dict[str, Decimal] = {}

    def add(self, case: Case) -> None:
        """Takes an account as it is now."""
        case.market.unknown.clear()
        try:
            law = law_of(case.book.model)
        except NoLaw:
            self.unjudged += 1
            return
        found = law.evaluate(case.book, case.market, case.thresholds)
        if case.market.unknown or found.refused:
            self.unjudged += 1
            return
        self._prices |= {leg.rule.name: leg.price for leg in found.legs}
        at = len(self.names)
        self.names.append(case.name)
        if self._spread.add(case.book, found, (case.market, case.thresholds), case.previous):
            self._laid.append(at)
        else:
            self._exact.append(_Exact(at, case, law))

    def run(self, scenarios: Sequence[Scenario], first_max: int = FIRST_MAX) -> Tally:
        """The figures under each scenario, in their order; who is liquidated is put down to the mildest that does it."""
        count = len(self.names)
        first, first_ratio = np.full(count, -1), np.zeros(count)
        told: dict[int, Outcome] = {}
        for at in sorted(range(len(scenarios)), key=lambda at: (scenarios[at].size, at)):
            rung, ratio, amounts = self._under(scenarios[at])
            new = (first < 0) & (rung == LIQUIDATION)
            first, first_ratio = np.where(new, at, first), np.where(new, ratio, first_ratio)
            told[at] = Outcome(scenarios[at].text, _rungs(rung, self.unjudged), int(new.sum()), self._map(amounts, scenarios[at]))
        early = self._first(first, first_ratio, scenarios, first_max)
        outcomes = tuple(told[at] for at in range(len(scenarios)))
        return Tally(count + self.unjudged, self.unjudged, len(self._exact), outcomes, tuple(early))

    def _under(self, scenario: Scenario) -> tuple[Ints, Floats, dict[str, list[float]]]:
        """(rung, requirement over equity) of each account, and [long, short] to be liquidated by instrument."""
        rung, ratio = np.full(len(self.names), NORMAL), np.zeros(len(self.names))
        amounts: dict[str, list[float]] = {}
        if self._laid:
            moved = self._spread.at({name: float(scenario.factor(name)) for name in self._spread.instruments}, self._rates(scenario))
            rung[self._laid], ratio[self._laid] = moved.rung, moved.ratio
            instrument, sold = self._spread.legs()
            sums = np.bincount(2 * instrument + sold, moved.liquidated, 2 * len(self._spread.instruments))
            amounts = {name: sums[2 * at : 2 * at + 2].tolist() for name, at in self._spread.instruments.items()}
        for exact in self._exact:
            rung[exact.at], ratio[exact.at] = _exactly(exact, scenario, amounts)
        return rung, ratio, amounts

    def _rates(self, scenario: Scenario) -> Callable[[RateKey], float]:
        markets: dict[int, Market] = {}

        def rate_of(key: RateKey) -> float:
            number, source, target, venue, buying = key
            if number not in markets:
                markets[number] = self._spread.markets[number].moved(scenario.factor)
            return float(markets[number].rate(source, target, buying=buying, venue=venue) or 0)

        return rate_of

    def _map(self, amounts: Mapping[str, Sequence[float]], scenario: Scenario) -> dict[str, Amounts]:
        return {name: Amounts(say_short(self._prices[name] * scenario.factor(name)), _amount(long), _amount(short))
                for name, (long, short) in sorted(amounts.items()) if long or short}

    def _first(self, first: Ints, ratio: Floats, scenarios: Sequence[Scenario], count: int) -> list[Early]:
        hit = {at: scenarios[number] for at, number in enumerate(first.tolist()) if number >= 0}
        order = sorted(hit, key=lambda at: (hit[at].size, -ratio[at], self.names[at]))[:count]
        return [Early(*self.names[at], hit[at].text, say_short(hit[at].size), _amount(ratio[at]) if np.isfinite(ratio[at]) else None)
                for at in order]


def _exactly(exact: _Exact, scenario: Scenario, amounts: dict[str, list[float]]) -> tuple[int, float]:
    case = exact.case
    market = case.market.moved(scenario.factor)
    found = exact.law.evaluate(case.book, market, case.thresholds)
    if market.unknown or found.refused:
        return UNKNOWN, 0.0
    rungs = ladder.rungs(found, case.thresholds, case.previous)
    for leg in found.legs:
        if rungs[leg.pool] == LIQUIDATION:
            amounts.setdefault(leg.rule.name, [0.0, 0.0])[leg.signed < 0] += float(leg.notional)
    worst = ladder.worst_pool(found, case.thresholds)
    ratio = worst.ratio if worst else None
    return max(rungs.values(), default=NORMAL), float("inf") if ratio is None and worst and worst.equity <= 0 else float(ratio or 0)


def _rungs(rung: Ints, unjudged: int) -> dict[str, int]:
    counts = np.bincount(rung, minlength=UNKNOWN + 1)
    counts[UNKNOWN] += unjudged
    return {name: int(counts[number]) for number, name in RUNG_NAMES.items() if number}


def _amount(number: float) -> str:
    return say_short(Decimal(f"{number:.{_PLACES}f}"))
