"""The lines of an account: which model reads it, and everything that may move it; what no line fits is always looked at."""

from __future__ import annotations

from decimal import Decimal

from agents.risk.contract_lines import WEIGHTED, contract_lines, weighted_lines
from agents.risk.effective import Effective
from agents.risk.fx_lines import fx_lines
from agents.risk.lines import NEVER, AccountLines, NoLine, Part, Zone
from agents.risk.policies import MODEL_POLICIES
from tables.rows import LIQUIDATION, UNKNOWN, Account, Position


def lines_of(account: Account, rules: Effective, settings: tuple[Zone, Decimal | None]) -> AccountLines:
    """The lines of an account under (zone of its rung, leverage).

    Always looked at: who is in liquidation or unknown; where a rule, tiers, a conversion or an entry is missing; both directions of one
    contract on one side; a debt in an asset that nothing is held in; a hedge that pays for its larger side; a weighted pool of isolated
    positions or of more than 8 assets.
    Each costs about 1 µs in the screen and a check, 40 to 150 µs, whenever something it holds ticks.
    """
    held = [position for position in account.positions.values() if position.quantity]
    watched = _watched(account, held, rules)
    rung, parts = account.margin.rung, tuple[Part, ...]()
    pools: tuple[float, ...] = (0.0,)
    try:
        if rung in (LIQUIDATION, UNKNOWN):
            raise NoLine
        if account.model == "mt5":
            pools, lines = fx_lines(account, held, (rules, settings[1]))
        elif account.model == WEIGHTED or (account.multi_assets and account.model == "binance_usdm"):
            parts, lines = weighted_lines(account, held, rules)
        elif account.model in MODEL_POLICIES:
            pools, lines = contract_lines(account, held, rules)
        else:
            raise NoLine
        return AccountLines(pools, lines, settings[0], always=False, watched=watched, parts=parts)
    except NoLine:
        return AccountLines((), (), Zone(NEVER), always=True, watched=watched)


def _watched(account: Account, held: list[Position], rules: Effective) -> frozenset[str]:
    """Instruments held, and those that conversions of their currencies and the balances' go through."""
    parts = [rules.moving(account, position.instrument) for position in held]
    return frozenset().union(*parts, *[rules.moving(account, "", asset) for asset in account.balances if asset != account.currency])
