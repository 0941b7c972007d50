"""Liquidation prices, exactly: a walk over the tiers outward from the mark until the slack changes sign."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import NamedTuple

from agents.risk.tiers import PROGRESSIVE, Bracket
from schemas.money import ZERO


class Line(NamedTuple):
    """One leg on the walk: `signed` size, its tiers by notional."""

    signed: Decimal
    brackets: Sequence[Bracket]
    policy: str


def roots(base: Decimal, lines: Sequence[Line], mark: Decimal) -> tuple[Decimal | None, Decimal | None]:
    """The nearest prices below and above `mark` where slack(P) = base + sum of signed x P - maintenance(|signed| x P) changes sign.

    `base` is the slack that does not move: wallet, other positions' PnL and maintenance, minus this one's entry cost.
    Flat tiers jump: there the sign may change at an edge without a root. The last tier is extended past its cap.
    """
    edges = sorted({bracket.floor / abs(line.signed) for line in lines for bracket in line.brackets if bracket.floor > 0})
    below = _first(base, lines, [mark, *(edge for edge in reversed(edges) if edge < mark), ZERO])
    above = _first(base, lines, [mark, *(edge for edge in edges if edge > mark), None])
    return below, above


def _first(base: Decimal, lines: Sequence[Line], stops: Sequence[Decimal | None]) -> Decimal | None:
    """Walks the segments between stops (None = no end) until the slack leaves the sign it has at the first stop."""
    sign = 0
    for inner, outer in itertools.pairwise(stops):
        assert inner is not None  # only the last stop is open
        away = (inner + outer) / 2 if outer is not None else inner + 1
        constant, slope = _coefficients(base, lines, away)
        here = _sign(constant + slope * inner)
        if not sign:
            sign = here or _sign(constant + slope * away)
            if not here and sign < 0:
                return inner  # exactly on the line, and worse from here on
        elif here == -sign:
            return inner if inner > 0 else None  # a flat tier's jump
        root = -constant / slope if slope else None
        if root is not None and root > 0 and _beyond(root, inner, outer):
            return root
    return None


def _beyond(root: Decimal, inner: Decimal, outer: Decimal | None) -> bool:
    return root > inner if outer is None else min(inner, outer) <= root <= max(inner, outer) and root != inner


def _coefficients(base: Decimal, lines: Iterable[Line], price: Decimal) -> tuple[Decimal, Decimal]:
    """(constant, slope) of the slack on the segment that holds `price`."""
    slope = ZERO
    for line in lines:
        size = abs(line.signed)
        tier = next((found for found in line.brackets if found.cap is None or size * price < found.cap), line.brackets[-1])
        slope += line.signed - size * tier.rate
        base += tier.amount if line.policy == PROGRESSIVE else ZERO
    return base, slope


def _sign(number: Decimal) -> int:
    return (number > 0) - (number < 0)
