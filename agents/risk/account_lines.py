"""The lines of an account: which model reads it, and everything that may move it; what no line fits is always looked at."""

from __future__ import annotations

from decimal import Decimal

from agents.risk.contract_lines import contract_lines
from agents.risk.fx_lines import fx_lines
from agents.risk.lines import NEVER, AccountLines, NoLine, Zone, zone_of
from agents.risk.policies import MODEL_POLICIES
from agents.risk.rules import Rules, Thresholds
from tables.rows import LIQUIDATION, NORMAL, UNKNOWN, Account, Position

_WEIGHTED = "binance_usdm_multi_asset"  # its collateral has kinks: no lines yet


def lines_of(account: Account, rules: Rules, now_ms: int, settings: tuple[Thresholds, Decimal | None]) -> AccountLines:
    """The lines of an account under (thresholds, leverage)."""
    held = [position for position in account.positions.values() if position.quantity]
    watched = frozenset(_watched(account, held, rules, now_ms))
    rung = account.margin.rung
    try:
        if rung in (LIQUIDATION, UNKNOWN) or account.multi_assets or account.model == _WEIGHTED:
            raise NoLine
        if account.model == "mt5":
            pools, lines = fx_lines(account, held, (rules, now_ms, settings[1]))
        elif account.model in MODEL_POLICIES:
            pools, lines = contract_lines(account, held, rules, now_ms)
        else:
            raise NoLine
        if len(pools) > 1 and rung != NORMAL:  # which pool holds the account on its rung may change with every tick
            raise NoLine
        return AccountLines(pools, lines, zone_of(settings[0], rung), always=False, watched=watched)
    except NoLine:
        return AccountLines((), (), Zone(NEVER), always=True, watched=watched)


def _watched(account: Account, held: list[Position], rules: Rules, now_ms: int) -> set[str]:
    """Instruments held, and every pair that their conversions could rest on."""
    found = {position.instrument for position in held}
    currencies = {account.currency, *account.balances}
    for rule in filter(None, [rules.instrument(name, now_ms) for name in found]):
        currencies |= {rule.quote, rule.settle, rule.base if account.model == "mt5" else ""}
    if currencies <= {account.currency, ""}:
        return found
    venue, target = account.venue if account.model != "mt5" else "house", account.currency
    for source in currencies - {target, ""}:
        direct = [rules.pairs[pair] for pair in ((venue, source, target), (venue, target, source)) if pair in rules.pairs]
        found |= set(direct or [name for (_, *pair), name in rules.pairs.items() if source in pair or target in pair])
    return found
