"""Contracts of exchange accounts as lines, by the policies of their model; rows of one contract are one line, as tiers see one size."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from msgspec.structs import replace

from agents.risk.effective import Effective
from agents.risk.law import signed_cost, signed_quantity
from agents.risk.lines import COIN, MARK, UNCONVERTED, NoLine, Part, PositionLine
from agents.risk.policies import CONTRACTS, ENTRY, MODEL_POLICIES, NONE, Basis, Contracts, Model, is_inverse, policies_of, settle_of
from agents.risk.rules import Instrument
from agents.risk.tiers import maintenance
from schemas.money import ONE, ZERO
from tables.rows import Account, Position

Lines = tuple[PositionLine, ...]
Wallets = dict[str, Decimal]
Read = tuple[tuple[float, ...], tuple[PositionLine, ...]]
_ASSETS = 8  # at most, of a weighted pool
WEIGHTED = "binance_usdm_multi_asset"


def contract_lines(account: Account, held: Sequence[Position], rules: Effective) -> Read:
    """(wallets of the pools with positions, lines); raises `NoLine` where floats cannot stand for the account."""
    pools, wallets, lines = _pooled(account, held, rules, MODEL_POLICIES[account.model])
    if any(wallet < 0 and asset not in pools for asset, wallet in wallets.items()):  # broken without a position: no price says so
        raise NoLine
    return tuple(float(wallets.get(pool, isolated)) for pool, isolated in pools.items()), tuple(lines)


def weighted_lines(account: Account, held: Sequence[Position], rules: Effective) -> tuple[tuple[Part, ...], Lines]:
    """(assets, lines in their assets) of an account whose collateral is weighed; raises `NoLine`."""
    pools, wallets, lines = _pooled(account, held, rules, MODEL_POLICIES[WEIGHTED])
    if len(pools.keys() | wallets.keys()) > _ASSETS or any(position.margin_mode == "isolated" for position in held):
        raise NoLine
    parts = []
    for asset in pools | wallets:
        weight = rules.weight(account.currency, asset) if asset in account.balances else None
        convertible = asset == account.currency or rules.routes.legs(account.venue, asset, account.currency)
        if not convertible and wallets.get(asset) and weight != 0:
            raise NoLine  # the law knows nothing without it
        if asset in pools or convertible:  # the law leaves others out
            into = rules.routes.conversion(account.venue, asset, account.currency)
            parts.append(Part(float(wallets.get(asset, ZERO)), 1.0 if weight is None else float(weight), into))
    return tuple(parts), tuple(replace(line, pool=0, part=line.pool) for line in lines)


def _pooled(account: Account, held: Sequence[Position], rules: Effective, model: Model) -> tuple[Wallets, Wallets, list[PositionLine]]:
    """(isolated wallet or nothing of each pool with positions, what is left of each asset, lines)."""
    lines = []
    wallets = {asset: balance.wallet_balance for asset, balance in account.balances.items()}
    pools: dict[str, Decimal] = {}
    numbers: dict[str, int] = {}
    for group in _grouped(held):
        first, own = group[0], ZERO
        rule = rules.instrument(first.instrument)
        if rule is None or not rule.brackets:
            raise NoLine
        pool = asset = settle_of(rule, model, account.currency)
        if first.margin_mode == "isolated":
            pool = f"{first.instrument}/{first.side}"
            own = _isolated(group)
            wallets[asset] = wallets.get(asset, ZERO) - own
        pools.setdefault(pool, own)
        lines.append(_line(numbers.setdefault(pool, len(numbers)), group, rule, policies_of(rule, model)))
    return pools, wallets, lines


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
    at_entry = basis.maintenance == ENTRY
    if not at_entry and rule.tier_unit != CONTRACTS:
        return None, fee
    opened = abs(cost) * rule.contract_size
    if rule.tier_unit == CONTRACTS:
        share = maintenance(rule.brackets, rule.tier_policy, abs(signed), policies.tier_edge).amount / abs(signed)
        return (float(share * opened), fee) if at_entry else (0.0, fee + float(share))
    return float(maintenance(rule.brackets, rule.tier_policy, opened, policies.tier_edge).amount), fee


__all__ = ["contract_lines", "weighted_lines"]
