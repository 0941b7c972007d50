"""Exchange accounts: linear and inverse contracts at the mark, brackets, cross and isolated pools; what differs is in the policies."""

from __future__ import annotations

from decimal import Decimal

from agents.risk import reduce
from agents.risk.ladder import rung, worst_pool
from agents.risk.law import Book, Close, Evaluation, Leg, Pool, Prices
from agents.risk.market import Market
from agents.risk.order_margin import order_margin
from agents.risk.policies import CLOSING, CONTRACTS, ENTRY, NONE, Model, is_inverse, policies_of
from agents.risk.pools import CROSS, pools_of
from agents.risk.reduce import Style
from agents.risk.rules import Thresholds
from agents.risk.tiers import maintenance
from agents.risk.valued import basis_of, legs_of
from agents.risk.walk import TINY, Line, Slack, roots
from schemas.money import ONE, ZERO
from tables.rows import LIQUIDATION


class Exchange:
    """Equity = wallet + PnL at the mark; a breach where the requirement reaches it. `style`: how positions are reduced."""

    def __init__(self, model: Model, style: Style | None = None) -> None:
        self._model, self._style = model, style or Style()

    def evaluate(self, book: Book, market: Market, thresholds: Thresholds) -> Evaluation:
        """Figures of the book; `refused` where the venue would not carry it."""
        legs, refused = legs_of(book, market, self._model)
        orders = order_margin(book, legs, market, self._model) if book.orders else {}
        legs, pools = pools_of(book, legs, orders, market, self._model)
        wallet, equity, initial, required, free, pnl = ZERO, ZERO, ZERO, ZERO, ZERO, ZERO
        rates = {}
        for pool in pools:
            rate = rates[pool.name] = pool.rate
            wallet += pool.wallet * rate
            equity += pool.equity * rate
            initial += pool.initial_margin * rate
            required += pool.maintenance_margin * rate
            if pool.kind == CROSS:
                free += (pool.equity - pool.initial_margin) * rate
        for leg in legs:
            pnl += leg.unrealised_pnl * rates[leg.pool] * leg.conversion
        return Evaluation(wallet, equity, pnl, initial, required, free, tuple(pools), tuple(legs), refused)

    def prices(self, leg: Leg, evaluation: Evaluation, thresholds: Thresholds) -> Prices:
        """Where the pool's requirement reaches its equity as this instrument alone moves; both legs of a hedge share them."""
        if not leg.conversion:  # its asset's rate is missing: nothing is known of the pool
            return Prices(None, None, None)
        pool = next(pool for pool in evaluation.pools if pool.name == leg.pool)
        moving = [found for found in evaluation.legs if found.pool == leg.pool and found.rule.name == leg.rule.name]
        slack, bare = self._slacks(pool, leg, moving)
        inverse = is_inverse(leg.rule)
        x = ONE / leg.price if inverse else leg.price
        below, above = roots(slack, x, pool.equity - pool.requirement > -TINY)
        gone = next((root for root in roots(bare, x, pool.equity >= 0) if root), None)
        return Prices(_flipped(above), _flipped(below), _flipped(gone)) if inverse else Prices(below, above, gone)

    def _slacks(self, pool: Pool, leg: Leg, moving: list[Leg]) -> tuple[Slack, Slack]:
        """What is between the pool and its requirement, and between it and nothing, as the instrument moves; in the leg's asset."""
        balance, rest, weight = _equity(pool, leg)
        others = (pool.requirement - sum((found.requirement * found.conversion for found in moving), ZERO)) / leg.conversion
        lines = []
        for group in _groups(moving):
            line, constant = self._line(group)
            lines.append(line)
            others += constant
        balance -= sum((line.slope for line in lines), ZERO) * (ONE / leg.price if is_inverse(leg.rule) else leg.price)
        fee = leg.rule.taker_fee if basis_of(leg, policies_of(leg.rule, self._model)).fee == CLOSING else ZERO
        bare = [Line(line.slope, ZERO, fixed=fee * line.size) for line in lines]
        follows = _following(pool, leg)
        if follows:
            rest -= follows * leg.price
            lines, bare = ([*found, Line(ZERO, ZERO, fixed=-follows)] for found in (lines, bare))
        return Slack(rest - others, balance, lines, weight), Slack(rest, balance, bare, weight)

    def plan(self, evaluation: Evaluation, thresholds: Thresholds) -> tuple[Close, ...]:
        """Per breached pool the reductions that bring it to `release`, the largest requirement first.

        Where none is breached any more the worst one goes on to `release`: it is what keeps the account on its rung.
        """
        found: list[Close] = []
        breached = [pool for pool in evaluation.pools if rung(pool, thresholds) == LIQUIDATION]
        worst = worst_pool(evaluation, thresholds)
        for pool in breached or ([worst] if worst else []):
            legs = [leg for leg in evaluation.legs if leg.pool == pool.name]
            found += reduce.to_target(pool, legs, thresholds, (self._style, self._model))
        return tuple(found)

    def _line(self, group: list[Leg]) -> tuple[Line, Decimal]:
        """The contract on the walk, and what of its requirement does not move."""
        leg = group[0]
        rule, policies = leg.rule, policies_of(leg.rule, self._model)
        basis = basis_of(leg, policies)
        signed = sum((found.signed for found in group), ZERO)
        contracts = abs(signed)
        slope, size = signed * rule.contract_size * (-1 if is_inverse(rule) else 1), contracts * rule.contract_size
        gross = sum((abs(found.signed) for found in group), ZERO) * rule.contract_size
        fixed = ZERO if basis.fee == NONE else rule.taker_fee * gross
        if basis.maintenance == ENTRY:
            return Line(slope, size, fixed=fixed), sum((found.maintenance_margin for found in group), ZERO)
        if rule.tier_unit == CONTRACTS:
            taken = maintenance(rule.brackets, rule.tier_policy, contracts, policies.tier_edge).amount
            return Line(slope, size, fixed=fixed + taken * rule.contract_size), ZERO
        return Line(slope, size, rule.brackets, rule.tier_policy, fixed), ZERO


def _groups(legs: list[Leg]) -> list[list[Leg]]:
    """Rows of one position side are one contract."""
    sides: dict[str, list[Leg]] = {}
    for leg in legs:
        sides.setdefault(leg.position.side, []).append(leg)
    return list(sides.values())


def _equity(pool: Pool, leg: Leg) -> tuple[Decimal, Decimal, Decimal]:
    """(balance with PnL in the leg's asset, the rest of the pool's equity in it, weight)."""
    if not pool.collateral:
        return pool.equity, ZERO, ONE
    own = pool.collateral[leg.asset]
    return own.balance, (pool.equity - own.value) / own.rate, own.weight


def _following(pool: Pool, leg: Leg) -> Decimal:
    """What other collateral gains, in the leg's asset, where the leg's price is one higher: a coin is worth its own contract's mark."""
    if is_inverse(leg.rule):
        return ZERO
    moved = (found for asset, found in pool.collateral.items() if asset != leg.asset and found.via == leg.rule.name)
    return sum((found.value / found.rate for found in moved if found.rate), ZERO) / leg.conversion


def _flipped(x: Decimal | None) -> Decimal | None:
    return ONE / x if x else None
