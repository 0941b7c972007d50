"""Exchange-style reduction: the smallest sizes to close so that a pool's ratio comes down to a target, solved and not searched."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_FLOOR, Decimal

from agents.risk.law import Close, Leg, Pool
from agents.risk.tiers import PROGRESSIVE
from schemas.money import ZERO


def to_ratio(pool: Pool, legs: Iterable[Leg], target: Decimal) -> list[Close]:
    """Closes the largest requirement first, the last one in part; everything where the pool has no equity left."""
    equity, required = pool.equity, pool.requirement
    closes: list[Close] = []
    for leg in sorted(legs, key=lambda leg: (-leg.maintenance_margin, leg.key)):
        if equity > 0 and required <= target * equity:
            break
        kept = _kept(leg, equity, required - leg.maintenance_margin, target) if equity > 0 else ZERO
        closes.append(Close(leg.key, abs(leg.signed) - kept))
        if kept:
            break
        required -= leg.maintenance_margin
        equity -= leg.notional * leg.rule.taker_fee
    return closes


def _kept(leg: Leg, equity: Decimal, others: Decimal, target: Decimal) -> Decimal:
    """The largest quantity that may stay: others + maintenance(n) <= target x (equity - fee x (notional - n)), down to a quantity step."""
    fee = leg.rule.taker_fee
    free = target * (equity - fee * leg.notional) - others
    for tier in reversed(leg.rule.brackets):
        if tier.floor >= leg.notional:
            continue
        amount = tier.amount if leg.rule.tier_policy == PROGRESSIVE else ZERO
        slope = tier.rate - target * fee
        top = min(leg.notional, tier.cap) if tier.cap is not None else leg.notional
        notional = min(top, (free + amount) / slope) if slope > 0 else top if free + amount >= slope * top else ZERO
        if notional > 0 and notional >= tier.floor:
            return _stepped(notional / (leg.price * leg.rule.contract_size), leg)
    return ZERO


def _stepped(quantity: Decimal, leg: Leg) -> Decimal:
    step, held = leg.rule.quantity_step, abs(leg.signed)
    kept = min(quantity, held)
    if step > 0:
        kept = held - ((held - kept) / step).to_integral_value("ROUND_CEILING") * step
    else:
        kept = kept.quantize(Decimal(1).scaleb(-12), ROUND_FLOOR)
    return kept if kept > 0 and kept >= leg.rule.min_quantity else ZERO
