"""A row's positions as plain floats for the screen: one line a position, one a pool; what no line fits is always looked at."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from agents.risk.law import signed_cost, signed_quantity
from agents.risk.policies import CONTRACTS, ENTRY, MODEL_POLICIES, NONE, Contracts, is_inverse, policies_of, settle_of
from agents.risk.rules import Instrument, Rules, Thresholds
from agents.risk.tiers import maintenance
from tables.rows import LIQUIDATION, MARGIN_CALL, NORMAL, UNKNOWN, WARNING, Account, Position, User

FIXED, DIRECT, INVERSE = 0, 1, -1
MARK, BID, ASK, COIN = 0, 1, 2, 3  # the price that moves a line; COIN: -1 / mark, so that inverse contracts are lines, too
_LINES = {*MODEL_POLICIES, "mt5"} - {"binance_usdm_multi_asset"}
_NEVER = (0.0, 0.0, float("inf"))


class Conversion(NamedTuple):
    """FIXED: 1; DIRECT: times the price of `instrument`; INVERSE: divided by it."""

    kind: int = FIXED
    instrument: str = ""


class PositionLine(NamedTuple):
    """`size` and `cost` signed, in contracts x contract size; `margin` before `margin_conversion`, None where tiers say it.

    `share` of its value is required beside that.
    """

    pool: int
    instrument: str
    field: int
    size: float
    cost: float
    conversion: Conversion = Conversion()
    margin: float | None = None
    margin_conversion: Conversion = Conversion()
    share: float = 0.0


class Zone(NamedTuple):
    """Where the rung stays: above 0 must be a x equity - b x requirement - c (`up`), and b x requirement - a x equity + c (`down`)."""

    up: tuple[float, float, float]
    down: tuple[float, float, float] = _NEVER


class AccountLines(NamedTuple):
    """`pools` are wallets with what does not move in them, only those with positions.

    `always`: no float stands for this account, look at it whenever something it holds moves. `watched`: everything that may move it.
    """

    pools: tuple[float, ...]
    positions: tuple[PositionLine, ...]
    zone: Zone
    always: bool
    watched: frozenset[str]


class _NoLine(Exception):
    """This account cannot be screened in floats."""


def lines_of(user: User, account: Account, rules: Rules, now_ms: int, settings: tuple[Thresholds, Decimal | None]) -> AccountLines:
    """The lines of an account under (thresholds, leverage)."""
    held = {key: position for key, position in sorted(account.positions.items()) if position.quantity}
    watched = frozenset(_watched(account, held, rules, now_ms))
    try:
        read = _fx if account.model == "mt5" else _exchange
        if account.multi_assets or account.model not in _LINES or account.margin.rung in (LIQUIDATION, UNKNOWN):
            raise _NoLine
        pools, lines = read(account, held, (rules, now_ms, settings[1]))
        if len(pools) > 1 and account.margin.rung != NORMAL:  # which pool holds the account on its rung may change with every tick
            raise _NoLine
        return AccountLines(pools, lines, zone_of(settings[0], account.margin.rung), always=False, watched=watched)
    except _NoLine:
        return AccountLines((), (), Zone(_NEVER), always=True, watched=watched)


Room = tuple[Rules, int, Decimal | None]


def zone_of(found: Thresholds, rung: int) -> Zone:
    """The zone of an account on this rung; a margin call ends at `release`, a warning where it began."""
    numbers = [float(number) for number in (found.warning, found.margin_call, found.liquidation, found.release)]
    if found.mode == "percent":
        numbers = [100 / number for number in numbers]
    warning, call, liquidation, release = [(1.0, 0.0, number) if found.mode == "money" else (number, 1.0, 0.0) for number in numbers]
    if rung == MARGIN_CALL:
        return Zone(liquidation, release)
    return Zone(call, warning) if rung == WARNING else Zone(warning)


def _watched(account: Account, held: dict[str, Position], rules: Rules, now_ms: int) -> set[str]:
    """Instruments held, and every pair that their conversions could rest on."""
    names = {position.instrument for position in held.values()}
    found = set(names)
    currencies = {account.currency, *account.balances}
    for rule in (rules.instrument(name, now_ms) for name in names):
        currencies |= {rule.quote, rule.settle, rule.base if account.model == "mt5" else ""} - {""} if rule else set()
    venue, target = account.venue if account.model != "mt5" else "house", account.currency
    for source in currencies - {target}:
        direct = [rules.pairs[pair] for pair in ((venue, source, target), (venue, target, source)) if pair in rules.pairs]
        found |= set(direct or [name for (_, *pair), name in rules.pairs.items() if source in pair or target in pair])
    return found


def _exchange(account: Account, held: dict[str, Position], room: Room) -> tuple[tuple[float, ...], tuple[PositionLine, ...]]:
    """Rows of one contract are one line, as they are one size for the tiers."""
    rules, now_ms, _ = room
    model = MODEL_POLICIES[account.model]
    wallets = {asset: balance.wallet_balance for asset, balance in account.balances.items()}
    groups: dict[tuple[str, str, str], list[Position]] = {}
    for position in held.values():
        groups.setdefault((position.instrument, position.side, position.margin_mode), []).append(position)
    pools: dict[str, Decimal] = {}
    lines: list[tuple[str, PositionLine]] = []
    for (name, side, mode), group in groups.items():
        rule = rules.instrument(name, now_ms)
        if rule is None or not rule.brackets or not all(position.entry_price for position in group):
            raise _NoLine
        asset, isolated = settle_of(rule, model, account.currency), Decimal(0)
        if mode == "isolated":
            isolated = sum((position.isolated_wallet or Decimal(0) for position in group), isolated)
        pool = f"{name}/{side}" if mode == "isolated" else asset
        wallets[asset] = wallets.get(asset, Decimal(0)) - isolated
        pools[pool] = pools.get(pool, Decimal(0)) + isolated
        lines.append((pool, _contract(group, rule, mode, policies_of(rule, model))))
    for asset, wallet in wallets.items():
        if asset in pools:
            pools[asset] += wallet
        elif wallet < 0:  # broken without a position: no price says so
            raise _NoLine
    numbers = {pool: at for at, pool in enumerate(pools)}
    return tuple(map(float, pools.values())), tuple(line._replace(pool=numbers[pool]) for pool, line in lines)


def _contract(group: list[Position], rule: Instrument, mode: str, policies: Contracts) -> PositionLine:
    """The line of one contract: what it requires goes by tiers of its value, is fixed at the entry, or a share of its value."""
    basis = policies.isolated if mode == "isolated" else policies.cross
    signed = sum((signed_quantity(position) for position in group), Decimal(0))
    cost = sum((signed_cost(position) for position in group), Decimal(0))
    if is_inverse(rule):
        cost = -sum((signed_quantity(position) / position.entry_price for position in group), Decimal(0))
    line = PositionLine(0, rule.name, COIN if is_inverse(rule) else MARK, float(signed * rule.contract_size), float(cost * rule.contract_size))
    fee = 0.0 if basis.fee == NONE else float(rule.taker_fee)
    opened = abs(cost) * rule.contract_size
    if len(group) > 1 and len({position.quantity > 0 for position in group}) > 1:  # a fee on the gross, tiers by the net
        raise _NoLine
    if rule.tier_unit == CONTRACTS:
        taken = maintenance(rule.brackets, rule.tier_policy, abs(signed), policies.tier_edge).amount
        share = float(taken / abs(signed))
        fixed = share * float(opened) if basis.maintenance == ENTRY else 0.0
        return line._replace(margin=fixed, share=fee + (0.0 if basis.maintenance == ENTRY else share))
    if basis.maintenance == ENTRY:
        return line._replace(margin=float(maintenance(rule.brackets, rule.tier_policy, opened, policies.tier_edge).amount), share=fee)
    return line._replace(share=fee)


def _line(pool: int, position: Position, rule: Instrument, field: int) -> PositionLine:
    size, cost = (float(amount * rule.contract_size) for amount in (signed_quantity(position), signed_cost(position)))
    return PositionLine(pool, position.instrument, field, size, cost)


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
        line = _line(0, position, rule, BID if signed > 0 else ASK)
        over = _conversion(rule.quote, account.currency, rules)
        lines.append(line._replace(conversion=over, margin=float(margin), margin_conversion=into))
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


__all__ = ["AccountLines", "Conversion", "PositionLine", "Zone", "lines_of", "zone_of"]
