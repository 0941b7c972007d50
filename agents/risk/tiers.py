"""Brackets: which tier a notional falls in, what it takes, and whether a table may be used at all."""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from schemas.money import ZERO

PROGRESSIVE, FLAT = "progressive", "flat"


class BadRule(ValueError):
    """A rule that cannot be used; the text names the rule and the field."""


class Bracket(NamedTuple):
    """One tier: from `floor` (inclusive) to `cap` (None = no end), in the table's unit; `amount` is the cumulative maintenance amount."""

    floor: Decimal
    cap: Decimal | None
    rate: Decimal
    amount: Decimal = ZERO
    max_leverage: Decimal | None = None


class Requirement(NamedTuple):
    """Maintenance of one notional; `beyond` when the table ended below it and its last tier was extended."""

    amount: Decimal
    rate: Decimal
    beyond: bool


def bracket_at(brackets: Sequence[Bracket], size: Decimal, edge: str = "upper") -> tuple[Bracket, bool]:
    """The tier of `size` and whether it lies past the last cap; on an edge the `upper` or the `lower` tier, on the last cap the last."""
    inclusive = edge == "lower"
    for bracket in brackets:
        if bracket.cap is None or size < bracket.cap or (inclusive and size == bracket.cap):
            return bracket, False
    last = brackets[-1]
    return last, last.cap is not None and size > last.cap


def maintenance(brackets: Sequence[Bracket], policy: str, notional: Decimal, edge: str = "upper") -> Requirement:
    """progressive: notional x rate - amount; flat: the tier's rate on all of it. In the table's unit."""
    bracket, beyond = bracket_at(brackets, notional, edge)
    amount = notional * bracket.rate - (bracket.amount if policy == PROGRESSIVE else ZERO)
    return Requirement(amount, bracket.rate, beyond)


def amounts(floors: Sequence[Decimal], rates: Sequence[Decimal]) -> list[Decimal]:
    """The cumulative amounts that make maintenance continuous: c1 = 0, cn = c(n-1) + floor_n x (r_n - r_(n-1))."""
    found = [ZERO]
    for floor, rate, before in zip(floors[1:], rates[1:], rates, strict=False):
        found.append(found[-1] + floor * (rate - before))
    return found


def validate(brackets: Sequence[Bracket], policy: str, name: str, *, first_amount_zero: bool = True) -> tuple[Bracket, ...]:
    """The table itself; raises `BadRule` where it is not contiguous from 0, not rising, or breaks the amount recurrence (progressive)."""
    if policy not in (PROGRESSIVE, FLAT):
        raise BadRule(f"{name}: tier_policy: expected progressive or flat, was {policy!r}")
    if brackets and brackets[0].floor != 0:
        raise BadRule(f"{name}: brackets[0].floor: expected 0, was {brackets[0].floor}")
    if brackets and first_amount_zero and brackets[0].amount != 0:
        raise BadRule(f"{name}: brackets[0].amount: expected 0, was {brackets[0].amount}")
    for at, bracket in enumerate(brackets):
        _validate_one(bracket, f"{name}: brackets[{at}]")
        if at:
            _validate_pair(brackets[at - 1], bracket, policy, f"{name}: brackets[{at}]")
    return tuple(brackets)


def _validate_one(bracket: Bracket, where: str) -> None:
    if not 0 <= bracket.rate <= 1:
        raise BadRule(f"{where}.rate: expected 0 to 1, was {bracket.rate}")
    if bracket.cap is not None and bracket.cap <= bracket.floor:
        raise BadRule(f"{where}.cap: expected above {bracket.floor}, was {bracket.cap}")


def _validate_pair(lower: Bracket, upper: Bracket, policy: str, where: str) -> None:
    if lower.cap != upper.floor:
        raise BadRule(f"{where}.floor: expected {lower.cap}, the cap before it, was {upper.floor}")
    if upper.rate < lower.rate:
        raise BadRule(f"{where}.rate: expected at least {lower.rate}, was {upper.rate}")
    expected = lower.amount + upper.floor * (upper.rate - lower.rate)
    if policy == PROGRESSIVE and upper.amount != expected:
        raise BadRule(f"{where}.amount: expected {expected}, was {upper.amount}")
