"""Initial margin of open orders: what max(|position + bids|, |position - asks|) takes above the position (dev.binance.vision/t/17078)."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from agents.risk.law import Book, Leg
from agents.risk.market import Market
from agents.risk.policies import Model, settle_of
from agents.risk.rules import Instrument
from agents.risk.valued import leverage_of, unit_at
from schemas.money import ZERO
from tables.rows import Order, Position

SIDES = ("BOTH", "LONG", "SHORT")


def order_margin(book: Book, legs: Sequence[Leg], market: Market, model: Model) -> dict[str, Decimal]:
    """Per asset, in it. A market order counts at the mark; what only reduces, or closes a LONG or SHORT position, takes none."""
    found: dict[str, Decimal] = {}
    for name, orders in _taking(book).items():
        rule, price = market.instrument(name), market.price(name, "mark")
        if rule is not None and price is not None:
            own = [leg for leg in legs if leg.rule.name == name]
            taken = sum((_beside(side, own, orders, (rule, price)) for side in SIDES), ZERO)
            asset = settle_of(rule, model, book.currency)
            found[asset] = found.get(asset, ZERO) + taken / leverage_of(_held(name, book), name, book)
    return {asset: taken for asset, taken in found.items() if taken}


def _taking(book: Book) -> dict[str, list[Order]]:
    """The orders that may take margin, by instrument."""
    found: dict[str, list[Order]] = {}
    for order in sorted(book.orders, key=lambda order: order.instrument):
        if not order.reduce_only:
            found.setdefault(order.instrument, []).append(order)
    return found


def _held(name: str, book: Book) -> Position | None:
    """A position of the instrument, of any side: a venue knows one leverage of it."""
    return next((position for key, position in sorted(book.positions.items()) if position.instrument == name), None)


def _beside(side: str, legs: Sequence[Leg], orders: Sequence[Order], at: tuple[Instrument, Decimal]) -> Decimal:
    """Notional that the orders of one position side may add to its position."""
    held = sum((leg.notional.copy_sign(leg.signed) for leg in legs if leg.position.side == side), ZERO)
    bids, asks = (_worth(orders, side, way, at) for way in ("BUY", "SELL"))
    if side == "BOTH":
        return max(abs(held), abs(held + bids), abs(held - asks)) - abs(held)
    return bids if side == "LONG" else asks


def _worth(orders: Sequence[Order], position_side: str, side: str, at: tuple[Instrument, Decimal]) -> Decimal:
    rule, mark = at
    return sum(
        ((order.quantity - order.filled_quantity) * unit_at(rule, order.price or mark) for order in orders
         if order.side == side and (order.position_side or "BOTH") == position_side),
        ZERO,
    )
