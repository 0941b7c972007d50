"""Single figures of accounts and orders that stand on their own."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_FLOOR, Decimal

from agents.risk.rules import Instrument
from agents.risk.tiers import Bracket
from agents.risk.valued import unit_at
from schemas.money import ONE, ZERO


def funding_payment(rule: Instrument, signed: Decimal, mark: Decimal, rate: Decimal, conversion: Decimal = ONE) -> Decimal:
    """What the holder receives, in the settle asset x `conversion`: -signed x value at the mark x rate; at a positive rate longs pay."""
    return -signed * unit_at(rule, mark) * rate * conversion


def open_loss(signed: Decimal, price: Decimal, mark: Decimal) -> Decimal:
    """What an order would lose at once if filled at `price`: |quantity| x |min(0, direction x (mark - price))| (Binance, order cost)."""
    return max(ZERO, signed * (price - mark))


def leverage_max(brackets: Sequence[Bracket], stake: Decimal) -> Decimal | None:
    """The highest leverage at which stake x leverage stays within the tier that allows it; None where no tier names one."""
    fits = [tier.max_leverage for tier in brackets if tier.max_leverage is not None
            and (tier.cap is None or stake * tier.max_leverage <= tier.cap)]
    capped = [tier.cap / stake for tier in brackets if stake > 0 and tier.cap is not None and tier.max_leverage is not None
              and tier.floor < tier.cap <= stake * tier.max_leverage]
    return max((*fits, *capped), default=None)


def lots_max(free_margin: Decimal, margin_per_lot: Decimal, step: Decimal) -> Decimal:
    """The most lots that free margin pays for, in whole steps."""
    lots = max(ZERO, free_margin) / margin_per_lot
    return (lots / step).to_integral_value(ROUND_FLOOR) * step if step > 0 else lots
