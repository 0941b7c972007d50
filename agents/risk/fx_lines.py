"""Tickets of FX accounts as lines: bid or ask by direction, margin in its currency, both through one conversion."""

from __future__ import annotations

from decimal import Decimal

from agents.risk.law import signed_cost, signed_quantity
from agents.risk.lines import ASK, BID, DIRECT, INVERSE, UNCONVERTED, Conversion, NoLine, PositionLine
from agents.risk.rules import Instrument, Rules
from tables.rows import Account, Position

Room = tuple[Rules, int, Decimal | None]


def _line(pool: int, position: Position, rule: Instrument, field: int) -> PositionLine:
    size, cost = (float(amount * rule.contract_size) for amount in (signed_quantity(position), signed_cost(position)))
    return PositionLine(pool, position.instrument, field, size, cost)


def fx_lines(account: Account, held: list[Position], room: Room) -> tuple[tuple[float, ...], tuple[PositionLine, ...]]:
    rules, now_ms, leverage = room
    if set(account.balances) - {account.currency} or _hedges(held):
        raise NoLine
    wallet = sum((balance.wallet_balance for balance in account.balances.values()), Decimal(0))
    lines = []
    for position in held:
        rule = rules.instrument(position.instrument, now_ms)
        if rule is None or rule.calc_mode not in ("FOREX", "FOREX_NO_LEVERAGE", "CFD", "CFD_LEVERAGE"):
            raise NoLine
        wallet += position.swap + position.commission
        signed = signed_quantity(position)
        lever = position.leverage or account.leverages.get(position.instrument) or leverage or Decimal(1)
        share = rule.margin_rate_short if signed < 0 and rule.margin_rate_short is not None else rule.margin_rate
        margin = abs(signed) * rule.contract_size * share * (position.open_rate or 1)
        margin *= position.entry_price if rule.calc_mode.startswith("CFD") else 1
        margin /= lever if rule.calc_mode in ("FOREX", "CFD_LEVERAGE") else 1
        currency = rule.base if rule.calc_mode.startswith("FOREX") else rule.quote
        into = UNCONVERTED if position.open_rate else _conversion(currency, account.currency, rules)
        line = _line(0, position, rule, BID if signed > 0 else ASK)
        over = _conversion(rule.quote, account.currency, rules)
        lines.append(line._replace(conversion=over, margin=float(margin), margin_conversion=into))
    return (float(wallet),), tuple(lines)


def _hedges(held: list[Position]) -> bool:
    sides = {(position.instrument, signed_quantity(position) > 0) for position in held}
    return len(sides) > len({name for name, _ in sides})


def _conversion(source: str, target: str, rules: Rules) -> Conversion:
    if source in ("", target):
        return UNCONVERTED
    direct, inverse = rules.pairs.get(("house", source, target)), rules.pairs.get(("house", target, source))
    if direct:
        return Conversion(DIRECT, direct)
    if inverse:
        return Conversion(INVERSE, inverse)
    raise NoLine
