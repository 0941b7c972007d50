"""Margin calls that no venue pushed: derived from ratios that it does tell, with the rule that found them."""

from decimal import Decimal

from schemas import user_data_pb2 as data
from schemas.money import ZERO, parse, parse_optional, say

RATIO_MAX = Decimal("0.8")  # of maintenance margin over balance: 1 is liquidation
_PLACES = Decimal("0.00000001")


def margin_call(balance: data.UserDataBalanceUpdateEvent, name: str) -> data.UserDataMarginCallEvent | None:
    """The call that a row's `margin_ratio` (requirement over balance, the venue's field `name`) stands for; None below the threshold."""
    ratio = parse_optional(balance.margin_ratio, name)
    return _call(balance, balance.margin_ratio, f"{name}>={RATIO_MAX}") if ratio is not None and ratio >= RATIO_MAX else None


def computed_call(balance: data.UserDataBalanceUpdateEvent) -> data.UserDataMarginCallEvent | None:
    """The same of a venue that says both and no ratio; nothing left to cover a requirement is one, too."""
    required, equity = parse_optional(balance.maint_margin), parse_optional(balance.equity)
    if not required or equity is None or required < RATIO_MAX * equity:
        return None
    ratio = say((required / equity).quantize(_PLACES)) if equity > ZERO else ""
    return _call(balance, ratio, f"maint_margin/equity>={RATIO_MAX}")


def inverse_call(balance: data.UserDataBalanceUpdateEvent, name: str, bound: str) -> data.UserDataMarginCallEvent | None:
    """The same of a venue whose ratio falls: balance over requirement, at or below the `bound` at which it warns."""
    ratio = parse_optional(balance.margin_ratio, name)
    return _call(balance, balance.margin_ratio, f"{name}<={bound}") if ratio is not None and ratio <= parse(bound) else None


def _call(balance: data.UserDataBalanceUpdateEvent, ratio: str, rule: str) -> data.UserDataMarginCallEvent:
    call = data.UserDataMarginCallEvent(level_raw="MARGIN_CALL", rule=rule)
    call.meta.source = data.DERIVED
    for column, said in (("account_margin_ratio", ratio), ("equity", balance.equity), ("maint_margin", balance.maint_margin)):
        if said:
            setattr(call, column, said)
    call.meta.business_key = f"call:{balance.asset}:{rule}:{balance.meta.transaction_time_ms or balance.meta.event_time_ms}"
    return call
