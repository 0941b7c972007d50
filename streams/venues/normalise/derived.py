"""Margin calls where the venue has no such push: derived from a ratio that it does tell, with the rule that found them."""

from schemas import user_data_pb2 as data
from schemas.money import parse

RATIO_MAX = "0.8"  # of maintenance margin over balance: 1 is liquidation


def margin_call(balance: data.UserDataBalanceUpdateEvent, name: str) -> data.UserDataMarginCallEvent | None:
    """The call that a total's `margin_ratio` (requirement over balance, field `name`) stands for; None below the threshold."""
    ratio = balance.margin_ratio
    if not ratio or parse(ratio, name) < parse(RATIO_MAX):
        return None
    call = data.UserDataMarginCallEvent(account_margin_ratio=ratio, level_raw="MARGIN_CALL", rule=f"{name}>={RATIO_MAX}")
    call.meta.source = data.DERIVED
    if balance.equity:
        call.equity = balance.equity
    if balance.maint_margin:
        call.maint_margin = balance.maint_margin
    call.meta.business_key = f"call:{name}:{balance.meta.transaction_time_ms or balance.meta.event_time_ms}"
    return call
