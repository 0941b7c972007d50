"""Rungs: from a pool's figures to normal, warning, margin call or liquidation, with a release level against flapping."""

from __future__ import annotations

from decimal import Decimal

from agents.risk.law import Evaluation, Pool
from agents.risk.rules import Thresholds
from tables.rows import LIQUIDATION, MARGIN_CALL, NORMAL, WARNING


def danger(pool: Pool, mode: str) -> tuple[Decimal, Decimal]:
    """(a, b): the rung of threshold t is reached where a >= t x b, so nothing is divided: ratio (requirement, equity);

    percent: level <= t, thus (-100 x equity, -margin); money: equity <= t, thus (-equity, -1).
    """
    if mode == "ratio":
        return pool.requirement, pool.equity
    return (-100 * pool.equity, -pool.initial_margin) if mode == "percent" else (-pool.equity, Decimal(-1))


def rung(pool: Pool, thresholds: Thresholds, previous: int = NORMAL) -> int:
    """The rung of a pool; on a threshold it is reached. Margin call and liquidation step down only where `release` is reached.

    Without any requirement there is no ratio and no breach, unless the equity itself is negative: a liquidation with nothing to close.
    """
    if pool.equity < 0:
        return LIQUIDATION
    if not pool.initial_margin and not pool.requirement:
        return NORMAL
    a, b = danger(pool, thresholds.mode)
    steps = ((LIQUIDATION, thresholds.liquidation), (MARGIN_CALL, thresholds.margin_call), (WARNING, thresholds.warning))
    found = next((name for name, threshold in steps if a > threshold * b or (pool.reached and a == threshold * b)), NORMAL)
    if found < previous and previous in (MARGIN_CALL, LIQUIDATION) and a > thresholds.release * b:
        return previous
    return found


def rungs(evaluation: Evaluation, thresholds: Thresholds, previous: int = NORMAL) -> dict[str, int]:
    """The rung of every pool by name. Only the worst pool remembers `previous`: the account has one rung, that of its worst pool."""
    found = {pool.name: rung(pool, thresholds) for pool in evaluation.pools}
    worst = worst_pool(evaluation, thresholds)
    if worst is not None:
        found[worst.name] = rung(worst, thresholds, previous)
    return found


def worst_pool(evaluation: Evaluation, thresholds: Thresholds) -> Pool | None:
    """The pool nearest to liquidation: highest rung, then highest ratio, then name."""
    return max(evaluation.pools, key=lambda pool: (rung(pool, thresholds), _badness(pool), pool.name), default=None)


def slack(pool: Pool, thresholds: Thresholds) -> Decimal:
    """Money between a pool and liquidation; at or below zero it is reached."""
    if thresholds.mode == "ratio":
        return pool.equity - pool.requirement / thresholds.liquidation
    return pool.equity - (thresholds.liquidation if thresholds.mode == "money" else pool.initial_margin * thresholds.liquidation / 100)


def _badness(pool: Pool) -> Decimal:
    if pool.ratio is not None:
        return pool.ratio
    return Decimal("Infinity") if pool.requirement or pool.equity < 0 else Decimal(0)
