"""Liquidation prices, exactly: a walk over the tiers outward from the mark until the slack changes sign."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from agents.risk.tiers import PROGRESSIVE, Bracket
from schemas.money import ONE, ZERO

TINY = Decimal("1e-30")  # what division by a price may leave of zero


class Line(NamedTuple):
    """One contract on the walk, as functions of x (the price; its inverse for inverse contracts).

    It earns `slope` x x and requires its tiers at `size` x x, and `fixed` x x beside them: fees, tiers by contracts.
    """

    slope: Decimal
    size: Decimal
    brackets: Sequence[Bracket] = ()
    policy: str = PROGRESSIVE
    fixed: Decimal = ZERO


class Slack(NamedTuple):
    """slack(x) = base + weight(balance + sum of slope x x) - requirements(x); what is below zero is not weighed."""

    base: Decimal
    balance: Decimal
    lines: Sequence[Line]
    weight: Decimal = ONE


Roots = tuple[Decimal | None, Decimal | None]


def roots(slack: Slack, at: Decimal, healthy: bool) -> Roots:
    """The nearest x below and above `at` where slack(x) changes sign; `healthy`: it is not below zero at `at`.

    Flat tiers jump: there the sign may change at an edge without a root. The last tier is extended past its cap.
    """
    edges = {bracket.floor / line.size for line in slack.lines if line.size for bracket in line.brackets if bracket.floor > 0}
    net = sum((line.slope for line in slack.lines), ZERO)
    if slack.weight != ONE and net and (kink := -slack.balance / net) > 0:
        edges.add(kink)
    rising = sorted(edges)
    below = _first(slack, [at, *(edge for edge in reversed(rising) if edge < at), ZERO], healthy)
    above = _first(slack, [at, *(edge for edge in rising if edge > at), None], healthy)
    return below, above


def _first(slack: Slack, stops: Sequence[Decimal | None], healthy: bool) -> Decimal | None:
    """Walks the open segments between stops (None = no end) until the sign differs; zero counts with what follows it."""
    for inner, outer in itertools.pairwise(stops):
        assert inner is not None  # only the last stop is open
        constant, slope = _coefficients(slack, (inner + outer) / 2 if outer is not None else inner + 1)
        here = constant + slope * inner
        here = ZERO if abs(here) < TINY else here
        away = slope if outer is None or outer > inner else -slope
        if ((here > 0) or (here == 0 and away > 0)) != healthy and not (here == 0 and away == 0 and healthy):
            return inner  # exactly on the line, or a flat tier's jump
        root = -constant / slope if slope and here else None
        if root is not None and root > 0 and (root > inner if outer is None else min(inner, outer) < root < max(inner, outer)):
            return root
    return None


def _coefficients(slack: Slack, x: Decimal) -> tuple[Decimal, Decimal]:
    """(constant, slope) of the slack on the segment that holds `x`."""
    net = sum((line.slope for line in slack.lines), ZERO)
    weight = slack.weight if slack.balance + net * x > 0 else ONE
    constant, slope = slack.base + weight * slack.balance, weight * net
    for line in slack.lines:
        slope -= line.fixed
        if line.brackets:
            size = line.size * x
            tier = next((found for found in line.brackets if found.cap is None or size < found.cap), line.brackets[-1])
            slope -= line.size * tier.rate
            constant += tier.amount if line.policy == PROGRESSIVE else ZERO
    return constant, slope
