"""The figures of a stress: accounts per rung and amounts to be liquidated under each scenario, and who goes first; parts sum to a whole."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

import msgspec

from schemas.money import say_short


class Amounts(msgspec.Struct, frozen=True):
    """What is liquidated of an instrument at a price, in its settle asset (FX: its quote currency); decimal text."""

    price: str
    long: str = "0"
    short: str = "0"

    def plus(self, other: Amounts) -> Amounts:
        """Both amounts, at this price."""
        long, short = (say_short(Decimal(a) + Decimal(b)) for a, b in ((self.long, other.long), (self.short, other.short)))
        return Amounts(self.price, long, short)


class Outcome(msgspec.Struct, frozen=True):
    """One scenario: accounts per rung, of which `newly_liquidated` by no milder one."""

    shock: str
    rungs: dict[str, int]
    newly_liquidated: int
    liquidation: dict[str, Amounts]

    def plus(self, other: Outcome) -> Outcome:
        """Both books under the same scenario."""
        rungs = Counter(self.rungs) + Counter(other.rungs)
        amounts = dict(self.liquidation)
        for name, found in other.liquidation.items():
            amounts[name] = amounts[name].plus(found) if name in amounts else found
        return Outcome(self.shock, {name: rungs[name] for name in self.rungs}, self.newly_liquidated + other.newly_liquidated,
                       dict(sorted(amounts.items())))


class Early(msgspec.Struct, frozen=True):
    """An account with the mildest shock that liquidates it, of that size; the ratio is requirement over equity, None without equity."""

    user: str
    account: str
    shock: str
    size: str
    margin_ratio: str | None

    @property
    def urgency(self) -> tuple[Decimal, Decimal, str, str]:
        """Sorts the first to go to the front."""
        ratio = Decimal("Infinity") if self.margin_ratio is None else Decimal(self.margin_ratio)
        return Decimal(self.size), -ratio, self.user, self.account


class Tally(msgspec.Struct, frozen=True):
    """`unjudged`: accounts whose figures rest on something unknown; `exact`: those that the law itself was asked of."""

    accounts: int
    unjudged: int
    exact: int
    scenarios: tuple[Outcome, ...]
    first: tuple[Early, ...]


def summed(parts: Sequence[Tally], first_max: int) -> Tally:
    """The same scenarios over several books as over one. Raises ValueError where they are not the same."""
    if len({tuple(outcome.shock for outcome in part.scenarios) for part in parts}) != 1:
        raise ValueError("scenarios: expected the same of every part, was others")
    whole = list(parts[0].scenarios)
    for part in parts[1:]:
        whole = [one.plus(other) for one, other in zip(whole, part.scenarios, strict=True)]
    first = sorted(itertools.chain.from_iterable(part.first for part in parts), key=lambda early: early.urgency)
    accounts, unjudged, exact = map(sum, zip(*((part.accounts, part.unjudged, part.exact) for part in parts), strict=True))
    return Tally(accounts, unjudged, exact, tuple(whole), tuple(first[:first_max]))
