"""Contracts of exchange accounts as lines, by the policies of their model; rows of one contract are one line, as tiers see one size."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from agents.risk.law import signed_cost, signed_quantity
from agents.risk.lines import COIN, MARK, UNCONVERTED, NoLine, PositionLine
from agents.risk.policies import CONTRACTS, ENTRY, MODEL_POLICIES, NONE, Basis, Contracts, is_inverse, policies_of, settle_of
from agents.risk.rules import Instrument, Rules
from agents.risk.tiers import maintenance
from schemas.money import ONE, ZERO
from tables.rows import Account, Position

Read = tuple[tuple[float, ...], tuple[PositionLine, ...]]


def contract_lines(account: Account, held: Sequence[Position], rules: Rules, now_ms: int) -> Read:
    """(wallets of the pools with positions, lines); raises `NoLine` where floats cannot stand for the account."""
    model, lines = MODEL_POLICIES[account.model], []
    wallets = {asset: balance.wallet_balance for asset, balance in account.balances.items()}
    pools: dict[str, Decimal] = {}
    numbers: dict[str, int] = {}
    for group in _grouped(held):
        first = group[0]
        rule = rules.instrument(first.instrument, now_ms)
        if rule is None or not rule.brackets:
            raise NoLine
        pool = asset = settle_of(rule, model, account.currency)
        if first.margin_mode == "isolated":
            pool = f"{first.instrument}/{first.side}"
            pools[pool] = _isolated(group)
            wallets[asset] = wallets.get(asset, ZERO) - pools[pool]
        lines.append(_line(numbers.setdefault(pool, len(numbers)), group, rule, policies_of(rule, model)))
    if any(wallet < 0 and asset not in numbers for asset, wallet in wallets.items()):  # broken without a position: no price says so
        raise NoLine
    pools |= wallets
    return tuple(float(pools.get(pool, ZERO)) for pool in numbers), tuple(lines)


def _isolated(group: Sequence[Position]) -> Decimal:
    return sum((position.isolated_wallet or ZERO for position in group), ZERO)


def _grouped(held: Sequence[Position]) -> list[list[Position]]:
    groups: dict[tuple[str, str, str], list[Position]] = {}
    for position in held:
        groups.setdefault((position.instrument, position.side, position.margin_mode), []).append(position)
    return list(groups.values())


def _line(pool: int, group: Sequence[Position], rule: Instrument, policies: Contracts) -> PositionLine:
    """What a contract requires goes by tiers of its value, is fixed at the entry, or is a share of its value."""
    basis = policies.isolated if group[0].margin_mode == "isolated" else policies.cross
    signed, cost = _sums(group, inverse := is_inverse(rule))
    margin, share = _margin((rule, basis, policies), signed, cost)
    if rule.contract_size != ONE:
        signed, cost = signed * rule.contract_size, cost * rule.contract_size
    field = COIN if inverse else MARK
    return PositionLine(pool, rule.name, field, float(signed), float(cost), UNCONVERTED, margin, UNCONVERTED, share)


def _sums(group: Sequence[Position], inverse: bool) -> tuple[Decimal, Decimal]:
    """(contracts, their cost); inverse ones cost minus contracts / entry."""
    signed, cost = ZERO, ZERO
    for position in group:
        own = signed_quantity(position)
        if not position.entry_price or own * signed < 0:  # a fee would go by the gross, tiers by the net
            raise NoLine
        signed += own
        cost += -own / position.entry_price if inverse else signed_cost(position)
    return signed, cost


def _margin(by: tuple[Instrument, Basis, Contracts], signed: Decimal, cost: Decimal) -> tuple[float | None, float]:
    """(amount that is fixed or None where tiers say it, share of the value)."""
    rule, basis, policies = by
    fee = 0.0 if basis.fee == NONE else float(rule.taker_fee)
    at_entry, opened = basis.maintenance == ENTRY, abs(cost) * rule.contract_size
    if rule.tier_unit == CONTRACTS:
        share = maintenance(rule.brackets, rule.tier_policy, abs(signed), policies.tier_edge).amount / abs(signed)
        return (float(share * opened), fee) if at_entry else (0.0, fee + float(share))
    if at_entry:
        return float(maintenance(rule.brackets, rule.tier_policy, opened, policies.tier_edge).amount), fee
    return None, fee


__all__ = ["contract_lines"]
