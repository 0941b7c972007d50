"""Tickets of FX accounts as lines: bid or ask by direction, margin in its currency, what a hedge saves; each through its conversion."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from agents.risk.effective import Effective
from agents.risk.law import signed_cost, signed_quantity
from agents.risk.lines import ASK, BID, UNCONVERTED, Conversion, NoLine, PositionLine
from agents.risk.rules import Instrument
from schemas.keys import HOUSE
from schemas.money import ONE, ZERO
from tables.rows import Account, Position

Room = tuple[Effective, Decimal | None]  # rules, leverage of who names none
_IN_BASE = ("FOREX", "FOREX_NO_LEVERAGE")


def fx_lines(account: Account, held: list[Position], room: Room) -> tuple[tuple[float, ...], tuple[PositionLine, ...]]:
    """(wallet, lines); raises `NoLine` where a rule or a conversion is missing, or no line fits."""
    rules, _ = room
    wallet, lines = ZERO, []
    for position in held:
        rule = rules.instrument(position.instrument)
        if rule is None or not position.entry_price:
            raise NoLine
        wallet += position.swap + position.commission
        signed = signed_quantity(position)
        margin, into = _margin(account, position, rule, room)
        margin *= _share(position, [other for other in held if other.instrument == position.instrument], rule)
        size, cost = float(signed * rule.contract_size), float(signed_cost(position) * rule.contract_size)
        over = rules.routes.conversion(HOUSE, rule.quote, account.currency)
        lines.append(PositionLine(0, position.instrument, BID if signed > 0 else ASK, size, cost, over, margin, into))
    for asset, balance in account.balances.items():
        amount = balance.wallet_balance
        if asset == account.currency:
            wallet += amount
        elif amount:
            over = rules.routes.conversion(HOUSE, asset, account.currency)
            lines.append(PositionLine(0, over.instrument, BID if amount > 0 else ASK, 0.0, -float(amount), over, 0.0))
    return (float(wallet),), tuple(lines)


def _margin(account: Account, position: Position, rule: Instrument, room: Room) -> tuple[float, Conversion]:
    """(margin of the ticket alone before its conversion, the conversion)."""
    (rules, leverage), signed, mode = room, signed_quantity(position), rule.calc_mode
    lever = position.leverage or account.leverages.get(position.instrument) or leverage or ONE
    share = rule.margin_rate_short if signed < 0 and rule.margin_rate_short is not None else rule.margin_rate
    amount = abs(signed) * (rule.initial_margin if mode == "FUTURES" else rule.contract_size) * share * (position.open_rate or ONE)
    currency = "" if position.open_rate else rule.base if mode in _IN_BASE else rule.quote
    if mode == "EXCH_STOCKS":
        return float(amount), rules.routes.at_last(position.instrument, HOUSE, currency, account.currency)
    into = rules.routes.conversion(HOUSE, currency, account.currency) if currency else UNCONVERTED
    if mode.startswith("CFD"):
        amount *= position.entry_price
    if mode == "CFD_INDEX" and rule.tick_size and rule.tick_value:
        amount *= rule.tick_value / rule.tick_size
    return float(amount) / float(lever) if mode in ("FOREX", "CFD_LEVERAGE") else float(amount), into


def _share(position: Position, same: Sequence[Position], rule: Instrument) -> float:
    """What of a ticket's own margin counts: all of it, unless its symbol is held both ways. Raises `NoLine` where rates decide."""
    if len(same) == 1:
        return 1.0
    bought = signed_quantity(position) > 0
    lots = [sum((abs(other.quantity) for other in same if (signed_quantity(other) > 0) is side), ZERO) for side in (True, False)]
    if not all(lots):
        return 1.0
    if rule.hedged_mode == "larger":
        raise NoLine  # which side's margin is larger may change with the rates
    larger = lots[0] >= lots[1]
    both = 2 * min(lots) * rule.hedged_factor / sum(lots)
    return float(both + abs(lots[0] - lots[1]) / max(lots) if bought is larger else both)


__all__ = ["Room", "fx_lines"]
