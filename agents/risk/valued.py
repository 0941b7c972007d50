"""Exchange positions valued: notional, PnL, initial margin, and the requirement of what is one contract at the venue."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from agents.risk.law import Book, Leg, signed_cost, signed_quantity
from agents.risk.market import Market
from agents.risk.policies import CONTRACTS, ENTRY, NONE, REFUSE, Basis, Contracts, Model, is_inverse, policies_of, settle_of
from agents.risk.rules import Instrument
from agents.risk.tiers import maintenance
from schemas.money import ONE, ZERO
from tables.rows import Position

BEYOND = "beyond_table"


def legs_of(book: Book, market: Market, model: Model) -> tuple[list[Leg], str]:
    """The legs that can be valued, and why the first of the others was refused. Rows of one contract share its tier by size."""
    legs = []
    for key in sorted(book.positions):
        position = book.positions[key]
        if position.quantity:
            leg = _leg(key, position, book, (market, model))
            if leg is not None:
                legs.append(leg)
    groups: dict[tuple[str, str, str], list[Leg]] = {}
    for leg in legs:
        groups.setdefault((leg.rule.name, leg.position.side, leg.position.margin_mode), []).append(leg)
    refused, found = "", []
    for (name, _, _), group in groups.items():
        done, beyond = _required(group, policies_of(group[0].rule, model))
        found += done
        if beyond and policies_of(group[0].rule, model).past_last_cap == REFUSE:
            refused = refused or f"notional above final cap: {name}"
        elif beyond:
            market.notes.add(BEYOND)
    return sorted(found, key=lambda leg: leg.key) if len(groups) < len(legs) else found, refused


def basis_of(leg: Leg, policies: Contracts) -> Basis:
    """Those of the leg's margin mode."""
    return policies.isolated if leg.position.margin_mode == "isolated" else policies.cross


def leverage_of(position: Position | None, name: str, book: Book) -> Decimal:
    """The position's own, else the account's for the instrument, else the account's."""
    return (position and position.leverage) or book.leverages.get(name) or book.leverage or ONE


def unit_at(rule: Instrument, price: Decimal) -> Decimal:
    """What one contract is worth in its settle asset at a price."""
    return rule.contract_size / price if is_inverse(rule) else rule.contract_size * price


def pnl_at(rule: Instrument, position: Position, signed: Decimal, price: Decimal) -> Decimal:
    """signed x (P - e); inverse, in coin: signed x (1/e - 1/P)."""
    if not is_inverse(rule):
        return (signed * price - signed_cost(position)) * rule.contract_size
    entry = position.entry_price
    return signed * rule.contract_size * (price - entry) / (entry * price) if entry else ZERO


def _leg(key: str, position: Position, book: Book, around: tuple[Market, Model]) -> Leg | None:
    market, model = around
    rule, price = market.instrument(position.instrument), market.price(position.instrument, "mark")
    if rule is None or price is None:
        return None
    if not rule.brackets:
        market.unknown.add(f"missing_rule:{position.instrument}")
        return None
    entry, isolated = position.entry_price, position.margin_mode == "isolated"
    if not entry:
        market.unknown.add(f"missing_entry:{position.instrument}")
    if isolated and position.isolated_wallet is None:
        market.unknown.add(f"missing_isolated_wallet:{position.instrument}")
    policies, asset = policies_of(rule, model), settle_of(rule, model, book.currency)
    basis, signed, unit = policies.isolated if isolated else policies.cross, signed_quantity(position), unit_at(rule, price)
    opened = abs(signed) * unit_at(rule, entry) if entry else ZERO
    notional = abs(signed) * unit
    return Leg(
        key,
        position,
        rule,
        f"isolated:{position.instrument}/{position.side}" if isolated else f"cross:{asset}",
        signed,
        price,
        notional,
        pnl_at(rule, position, signed, price),
        (opened if basis.initial == ENTRY else notional) / leverage_of(position, rule.name, book),
        ZERO,
        unit=unit,
        asset=asset,
        held=opened if basis.maintenance == ENTRY else notional,
    )


def _required(group: Sequence[Leg], policies: Contracts) -> tuple[list[Leg], bool]:
    """The legs of one contract with what it requires, dealt out by value; and whether its table ended below it."""
    rule, basis = group[0].rule, basis_of(group[0], policies)
    gross = sum((leg.held for leg in group), ZERO)
    value = gross if len(group) == 1 else abs(sum((leg.held.copy_sign(leg.signed) for leg in group), ZERO))
    scale = ONE  # from the table's unit to money
    if rule.tier_unit == CONTRACTS:
        size = abs(sum((leg.signed for leg in group), ZERO))
        scale = value / size if size else ZERO
        found = maintenance(rule.brackets, rule.tier_policy, size, policies.tier_edge)
    else:
        found = maintenance(rule.brackets, rule.tier_policy, value, policies.tier_edge)
    amount, fee = found.amount * scale, ZERO if basis.fee == NONE else rule.taker_fee
    done = []
    for leg in group:
        own = amount if len(group) == 1 else amount * leg.held / gross if gross else ZERO
        done.append(leg._replace(maintenance_margin=own, requirement=own + fee * leg.notional, bracket_rate=found.rate))
    return done, found.beyond
