"""A row's positions as plain floats for the screen: one line a position, one a pool; what no line fits is always looked at."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from agents.risk.law import signed_cost, signed_quantity
from agents.risk.rules import Instrument, Rules, Thresholds
from tables.rows import LIQUIDATION, UNKNOWN, Account, Position, User

FIXED, DIRECT, INVERSE = 0, 1, 2
MARK, BID, ASK = 0, 1, 2


class Conversion(NamedTuple):
    """FIXED: 1; DIRECT: times the price of `instrument`; INVERSE: divided by it."""

    kind: int = FIXED
    instrument: str = ""


class PositionLine(NamedTuple):
    """`size` and `cost` signed, in contracts x contract size; `margin` before `margin_conversion`, None where tiers say it."""

    pool: int
    instrument: str
    side: int
    size: float
    cost: float
    conversion: Conversion
    margin: float | None
    margin_conversion: Conversion


class AccountLines(NamedTuple):
    """`pools` are wallets with what does not move in them; `thresholds` on requirement over equity: warning, call, liquidation, release.

    `always`: no float stands for this account, look at it whenever something it holds moves. `watched`: everything that may move it.
    """

    pools: tuple[float, ...]
    positions: tuple[PositionLine, ...]
    thresholds: tuple[float, float, float, float]
    rung: int
    always: bool
    watched: frozenset[str]


class _NoLine(Exception):
    """This account cannot be screened in floats."""


def lines_of(user: User, account: Account, rules: Rules, now_ms: int, settings: tuple[Thresholds, Decimal | None]) -> AccountLines:
    """The lines of an account under (thresholds, leverage)."""
    held = {key: position for key, position in sorted(account.positions.items()) if position.quantity}
    watched = frozenset(_watched(account, held, rules, now_ms))
    try:
        thresholds = _thresholds(settings[0])
        read = _linear if account.model == "binance_usdm" else _fx if account.model == "mt5" else None
        if read is None or account.margin.rung in (LIQUIDATION, UNKNOWN):
            raise _NoLine
        pools, lines = read(account, held, (rules, now_ms, settings[1]))
        return AccountLines(pools, lines, thresholds, account.margin.rung, always=False, watched=watched)
    except _NoLine:
        return AccountLines((), (), (0.0, 0.0, 0.0, 0.0), account.margin.rung, always=True, watched=watched)


Room = tuple[Rules, int, Decimal | None]


def _thresholds(found: Thresholds) -> tuple[float, float, float, float]:
    if found.mode == "money":
        raise _NoLine
    four = [float(number) for number in (found.warning, found.margin_call, found.liquidation, found.release)]
    a, b, c, d = (100 / number for number in four) if found.mode == "percent" else four
    return a, b, c, d


def _watched(account: Account, held: dict[str, Position], rules: Rules, now_ms: int) -> set[str]:
    """Instruments held, and every pair that their conversions could rest on."""
    names = {position.instrument for position in held.values()}
    found = set(names)
    if account.model == "binance_usdm" and len(account.balances) <= 1:
        return found
    currencies = {account.currency, *account.balances}
    for rule in (rules.instrument(name, now_ms) for name in names):
        currencies |= {rule.base, rule.quote, rule.settle} - {""} if rule else set()
    venue, target = account.venue if account.model != "mt5" else "house", account.currency
    for source in currencies - {target}:
        direct = [rules.pairs[pair] for pair in ((venue, source, target), (venue, target, source)) if pair in rules.pairs]
        found |= set(direct or [name for (_, *pair), name in rules.pairs.items() if source in pair or target in pair])
    return found


def _linear(account: Account, held: dict[str, Position], room: Room) -> tuple[tuple[float, ...], tuple[PositionLine, ...]]:
    rules, now_ms, _ = room
    wallets = {asset: balance.wallet_balance for asset, balance in account.balances.items()}
    crossed: dict[str, int] = {}
    pools: list[Decimal] = []
    lines = []
    for position in held.values():
        rule = rules.instrument(position.instrument, now_ms)
        if rule is None or not rule.brackets:
            raise _NoLine
        asset = rule.settle or rule.quote or account.currency
        if position.margin_mode == "isolated":
            isolated = position.isolated_wallet or Decimal(0)
            wallets[asset] = wallets.get(asset, Decimal(0)) - isolated
            pools.append(isolated)
            pool = len(pools) - 1
        else:
            if asset not in crossed:
                crossed[asset] = len(pools)
                pools.append(Decimal(0))
            pool = crossed[asset]
        lines.append(_line(pool, position, rule, MARK, Conversion(), None, Conversion()))
    for asset, wallet in wallets.items():
        if asset in crossed:
            pools[crossed[asset]] += wallet
        else:
            pools.append(wallet)
    return tuple(map(float, pools)), tuple(lines)


def _line(pool: int, position: Position, rule: Instrument, side: int, conversion: Conversion, *margin: object) -> PositionLine:
    amount, margin_conversion = margin
    assert amount is None or isinstance(amount, float)
    assert isinstance(margin_conversion, Conversion)
    size = float(signed_quantity(position) * rule.contract_size)
    return PositionLine(
        pool, position.instrument, side, size, float(signed_cost(position) * rule.contract_size), conversion, amount, margin_conversion
    )


def _fx(account: Account, held: dict[str, Position], room: Room) -> tuple[tuple[float, ...], tuple[PositionLine, ...]]:
    rules, now_ms, leverage = room
    if set(account.balances) - {account.currency} or _hedges(held):
        raise _NoLine
    wallet = sum((balance.wallet_balance for balance in account.balances.values()), Decimal(0))
    lines = []
    for position in held.values():
        rule = rules.instrument(position.instrument, now_ms)
        if rule is None or rule.calc_mode not in ("FOREX", "FOREX_NO_LEVERAGE", "CFD", "CFD_LEVERAGE"):
            raise _NoLine
        wallet += position.swap + position.commission
        signed = signed_quantity(position)
        lever = position.leverage or account.leverages.get(position.instrument) or leverage or Decimal(1)
        share = rule.margin_rate_short if signed < 0 and rule.margin_rate_short is not None else rule.margin_rate
        margin = abs(signed) * rule.contract_size * share * (position.open_rate or 1)
        margin *= position.entry_price if rule.calc_mode.startswith("CFD") else 1
        margin /= lever if rule.calc_mode in ("FOREX", "CFD_LEVERAGE") else 1
        currency = rule.base if rule.calc_mode.startswith("FOREX") else rule.quote
        into = Conversion() if position.open_rate else _conversion(currency, account.currency, rules)
        lines.append(
            _line(0, position, rule, BID if signed > 0 else ASK, _conversion(rule.quote, account.currency, rules), float(margin), into)
        )
    return (float(wallet),), tuple(lines)


def _hedges(held: dict[str, Position]) -> bool:
    sides = {(position.instrument, signed_quantity(position) > 0) for position in held.values()}
    return len(sides) > len({name for name, _ in sides})


def _conversion(source: str, target: str, rules: Rules) -> Conversion:
    if source in ("", target):
        return Conversion()
    direct, inverse = rules.pairs.get(("house", source, target)), rules.pairs.get(("house", target, source))
    if direct:
        return Conversion(DIRECT, direct)
    if inverse:
        return Conversion(INVERSE, inverse)
    raise _NoLine


__all__ = ["AccountLines", "Conversion", "PositionLine", "lines_of"]
