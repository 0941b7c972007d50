"""House positions read for people's figures: what each is worth by one price and rate, the margin it takes; no verdict rests on it."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from agents.book import FALLBACK_LEVERAGE
from agents.risk.law import signed_cost, signed_quantity
from agents.risk.rules import Instrument, Rules
from schemas.keys import HOUSE
from schemas.money import ONE, ZERO
from tables.rows import Account, Position, User

BID, ASK, MARK = 0, 1, 2
NO_FALLBACK, BY_FIGURES, BY_RATIO = 0, 1, 2
_BY_LINE = ("FOREX", "FOREX_NO_LEVERAGE", "CFD", "CFD_LEVERAGE")
_COINS = {"BTC", "ETH", "BNB", "SOL", "XRP", "XBT"}  # counted with 8 decimals; other currencies with 2


class Rate(NamedTuple):
    """Into the account's currency: times the price of an instrument, divided by it (`turned`), or 1 without one."""

    instrument: str = ""
    turned: bool = False


class Ticket(NamedTuple):
    """Worth `size` x price - `cost`, times `rate`; takes `margin` times `margin_rate`."""

    instrument: str
    field: int
    size: float
    cost: float
    rate: Rate
    margin: float
    margin_rate: Rate


class Holding(NamedTuple):
    """A house account. `still`: what no price moves; `fixed`: its margin where no line says it, as last judged.

    `known`: (equity, margin, unrealised PnL) as last judged, and `ratio` of margin to wallet, for the time without a price.
    """

    tickets: tuple[Ticket, ...]
    still: float
    fixed: float | None
    known: tuple[float, float, float] | None
    ratio: float
    digits: int


_NEVER = Ticket("", MARK, float("nan"), 0.0, Rate(), 0.0, Rate())  # never priced: the fallback speaks


def holding_of(user: User, rules: Rules, now_ms: int) -> Holding | None:
    """The user's house account, None without one. Where no line fits a position, it stands as last judged."""
    account = user.accounts.get(HOUSE)
    if account is None:
        return None
    group = rules.group(user.profile.group, now_ms)
    held = [position for position in account.positions.values() if position.quantity]
    figures = account.margin.figures
    own = account.balances.get(account.currency)
    still = (own.wallet_balance if own else ZERO) + sum((position.swap + position.commission for position in held), ZERO)
    known = (float(figures.equity), float(figures.initial_margin), float(figures.unrealised_pnl)) if figures else None
    lever = user.profile.leverage or group.leverage or FALLBACK_LEVERAGE
    tickets = tuple(_ticket(account, position, rules.instrument(position.instrument, now_ms), (rules, lever)) for position in held)
    by_line = account.model == "mt5" and not _hedged(held) and min((ticket.margin for ticket in tickets), default=0.0) >= 0
    fixed = None if by_line else known[1] if known else 0.0
    return Holding(tickets, float(still), fixed, known, float(group.fallback_ratio or 0), 8 if account.currency in _COINS else 2)


def _hedged(held: list[Position]) -> bool:
    sides = {(position.instrument, signed_quantity(position) > 0) for position in held}
    return len(sides) > len({name for name, _ in sides})


def _ticket(account: Account, position: Position, rule: Instrument | None, beside: tuple[Rules, Decimal]) -> Ticket:
    rules, leverage = beside
    signed = signed_quantity(position)
    rate = _rate(rule.quote, account.currency, rules) if rule else None
    if rule is None or rate is None:
        return _NEVER
    field = MARK if account.model != "mt5" else BID if signed > 0 else ASK
    size, cost = float(signed * rule.contract_size), float(signed_cost(position) * rule.contract_size)
    lever = position.leverage or account.leverages.get(position.instrument) or leverage
    margin, margin_rate = _margin(account, position, rule, (rules, lever))
    return Ticket(position.instrument, field, size, cost, rate, margin, margin_rate)


def _margin(account: Account, position: Position, rule: Instrument, beside: tuple[Rules, Decimal]) -> tuple[float, Rate]:
    """(margin before its rate, rate); below 0 where no line says it. As `agents.risk.fx_lines`."""
    signed, mode = signed_quantity(position), rule.calc_mode
    if mode not in _BY_LINE:
        return -1.0, Rate()
    share = rule.margin_rate_short if signed < 0 and rule.margin_rate_short is not None else rule.margin_rate
    amount = abs(signed) * rule.contract_size * share * (position.open_rate or ONE)
    amount *= position.entry_price if mode.startswith("CFD") else ONE
    amount /= beside[1] if mode in ("FOREX", "CFD_LEVERAGE") else ONE
    currency = rule.base if mode.startswith("FOREX") else rule.quote
    rate = Rate() if position.open_rate else _rate(currency, account.currency, beside[0])
    return (float(amount), rate) if rate is not None else (-1.0, Rate())


def _rate(source: str, target: str, rules: Rules) -> Rate | None:
    if source in ("", target):
        return Rate()
    if direct := rules.pairs.get((HOUSE, source, target)):
        return Rate(direct)
    turned = rules.pairs.get((HOUSE, target, source))
    return Rate(turned, turned=True) if turned else None
