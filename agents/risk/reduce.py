"""Exchange-style reduction: the smallest sizes to close so that a pool comes down to its target, solved and not searched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import NamedTuple

from agents.risk.law import Close, Leg, Pool
from agents.risk.policies import CONTRACTS, NONE, Model, policies_of
from agents.risk.rules import Thresholds
from agents.risk.tiers import PROGRESSIVE, maintenance
from agents.risk.valued import basis_of
from schemas.money import ONE, ZERO

_PLACES = ONE.scaleb(-12)


def largest_requirement(leg: Leg) -> tuple[Decimal, str]:
    """The order in which positions are reduced where a style says nothing else."""
    return -leg.requirement * leg.conversion, leg.key


class Style(NamedTuple):
    """`first` sorts what to reduce; `share_max`: the most of a position that one round closes, None = all of it."""

    first: Callable[[Leg], tuple[Decimal, str]] = largest_requirement
    share_max: Decimal | None = None


class _Cost(NamedTuple):
    """What n contracts cost on one tier: n x slope - amount, for n up to `top`."""

    floor: Decimal
    top: Decimal
    slope: Decimal
    amount: Decimal


class _Contract(NamedTuple):
    """Rows that are one contract; money in the pool's currency. `fee` is paid on what is closed, per contract."""

    legs: Sequence[Leg]
    held: Decimal
    cost: Decimal
    fee: Decimal
    tiers: Sequence[_Cost]
    cost_of: Callable[[Decimal], Decimal]


def to_target(pool: Pool, legs: Sequence[Leg], thresholds: Thresholds, with_: tuple[Style, Model]) -> list[Close]:
    """Closes until requirement <= release x equity (in percent mode: initial margin <= 100 / release x equity); all where none is left.

    In money mode closing cannot restore equity: everything is closed.
    """
    style, model = with_
    percent, money = thresholds.mode == "percent", thresholds.mode == "money"
    target = ZERO if money else 100 / thresholds.release if percent else thresholds.release
    contracts = _contracts(sorted(legs, key=style.first), model, percent=percent)
    equity, required = pool.equity, sum((contract.cost for contract in contracts), ZERO)
    closes: list[Close] = []
    for contract in contracts:
        if equity > 0 and required <= target * equity:
            break
        others = required - contract.cost
        kept = _kept(contract, equity, others, target) if equity > 0 else ZERO
        if style.share_max is not None:
            kept = max(kept, contract.held * (1 - style.share_max))
        kept = _stepped(kept, contract.held, contract.legs[0])
        while kept > 0 and style.share_max is None and not _fits(contract, kept, equity, (others, target)):
            kept = _stepped(kept - max(contract.legs[0].rule.quantity_step, _PLACES), contract.held, contract.legs[0])
        closes += _dealt(contract, contract.held - kept)
        required = others + contract.cost_of(kept)
        equity -= contract.fee * (contract.held - kept)
    return closes


def _contracts(legs: Sequence[Leg], model: Model, *, percent: bool) -> list[_Contract]:
    groups: dict[tuple[str, str, bool], list[Leg]] = {}
    for leg in legs:
        groups.setdefault((leg.rule.name, leg.position.side, leg.signed > 0), []).append(leg)
    return [_contract(group, model, percent=percent) for group in groups.values()]


def _contract(legs: Sequence[Leg], model: Model, *, percent: bool) -> _Contract:
    leg = legs[0]
    rule, policies, rate = leg.rule, policies_of(leg.rule, model), leg.conversion
    held = sum((abs(found.signed) for found in legs), ZERO)
    fee = rule.taker_fee * leg.unit * rate
    if percent:
        each = sum((found.initial_margin for found in legs), ZERO) * rate / held
        return _Contract(legs, held, each * held, fee, [_Cost(ZERO, held, each, ZERO)], lambda n: each * n)
    unit = sum((found.held for found in legs), ZERO) / held  # value a contract, as maintenance takes it
    beside = ZERO if basis_of(leg, policies).fee == NONE else fee
    in_contracts = rule.tier_unit == CONTRACTS
    per, scale = (ONE, unit) if in_contracts else (unit, ONE)

    def cost_of(n: Decimal) -> Decimal:
        return maintenance(rule.brackets, rule.tier_policy, n * per, policies.tier_edge).amount * scale * rate + beside * n if n else ZERO

    tiers = []
    for tier in reversed(rule.brackets):
        amount = tier.amount * scale * rate if rule.tier_policy == PROGRESSIVE else ZERO
        top = held if tier is rule.brackets[-1] or tier.cap is None else min(held, tier.cap / per)
        tiers.append(_Cost(tier.floor / per, top, tier.rate * unit * rate + beside, amount))
    return _Contract(legs, held, cost_of(held), fee, tiers, cost_of)


def _fits(contract: _Contract, kept: Decimal, equity: Decimal, bound: tuple[Decimal, Decimal]) -> bool:
    others, target = bound
    return others + contract.cost_of(kept) <= target * (equity - contract.fee * (contract.held - kept))


def _kept(contract: _Contract, equity: Decimal, others: Decimal, target: Decimal) -> Decimal:
    """The largest n that may stay: others + cost(n) <= target x (equity - fee x (held - n))."""
    free = target * (equity - contract.fee * contract.held) - others
    for tier in contract.tiers:
        if tier.floor >= contract.held:
            continue
        slope, room = tier.slope - target * contract.fee, free + tier.amount
        n = min(tier.top, room / slope) if slope > 0 else tier.top if room >= slope * tier.top else ZERO
        if n > 0 and n >= tier.floor:
            return n
    return ZERO


def _stepped(kept: Decimal, held: Decimal, leg: Leg) -> Decimal:
    """`kept` such that what is closed is whole steps, not below the smallest order, and leaves nothing below it."""
    step, least = leg.rule.quantity_step, leg.rule.min_quantity
    closed = held - max(kept, ZERO)
    closed = (closed / step).to_integral_value(ROUND_CEILING) * step if step > 0 else held - kept.quantize(_PLACES, ROUND_FLOOR)
    left = held - max(closed, least if closed > 0 else ZERO)
    return left if left > 0 and left >= least else ZERO


def _dealt(contract: _Contract, quantity: Decimal) -> list[Close]:
    closes = []
    for leg in contract.legs:
        own = min(abs(leg.signed), quantity)
        if own > 0:
            closes.append(Close(leg.key, own))
            quantity -= own
    return closes
