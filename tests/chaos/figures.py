"""What an account is worth and on which rung it stands, in plain sums over the generator's market: written apart from `agents`."""

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from schemas.engine_pb2 import PriceTick
from schemas.keys import HOUSE
from streams.stack.market import BY_KEY, brackets
from streams.stack.oracle import Expected

NORMAL, WARNING, MARGIN_CALL, LIQUIDATION, UNKNOWN = 1, 2, 3, 4, 5
NAMES = {NORMAL: "normal", WARNING: "warning", MARGIN_CALL: "margin_call", LIQUIDATION: "liquidation", UNKNOWN: "unknown"}
# As `market.rules` has them, turned so that more is worse: (warning, margin call, liquidation, release).
LEVELS = {True: (Decimal(-150), Decimal(-100), Decimal(-50), Decimal(-110)),
          False: (Decimal("0.8"), Decimal("0.9"), Decimal(1), Decimal("0.75"))}
LEVERAGE = 100
ZERO = Decimal(0)


class Leg(NamedTuple):
    """One open position valued; `need` is margin (house) or maintenance (exchange); money in the account's currency."""

    instrument: str
    side: str
    quantity: Decimal
    price: Decimal
    profit: Decimal
    need: Decimal


def legs_of(account: str, row: Expected, ticks: Mapping[str, PriceTick]) -> list[Leg]:
    """The open positions of an account at these prices, by name."""
    value = _house_leg if account == HOUSE else _exchange_leg
    return [value(what, *held, ticks[what.rpartition("/")[0]]) for what, held in sorted(row.positions.items())]


def wallet_of(row: Expected) -> Decimal:
    """Every account of this market has one currency."""
    return sum(row.balances.values(), ZERO)


def stands(account: str, wallet: Decimal, legs: list[Leg], known: int) -> int:
    """The rung; margin call and liquidation are left only where `release` is reached."""
    equity, need = wallet + sum((leg.profit for leg in legs), ZERO), sum((leg.need for leg in legs), ZERO)
    if equity < 0:
        return LIQUIDATION
    if not need:
        return NORMAL
    house = account == HOUSE
    warning, call, liquidation, release = LEVELS[house]
    # level of margin in percent, negated; or maintenance over equity
    bad, scale = (-100 * equity, need) if house else (need, equity)
    found = NORMAL + sum(bad >= level * scale for level in (warning, call, liquidation))
    return known if known in (MARGIN_CALL, LIQUIDATION) and found < known and bad > release * scale else found


def stopped_out(wallet: Decimal, legs: list[Leg]) -> Leg | None:
    """The ticket a house book closes next: the largest loss, without one the largest margin; None above the stop-out."""
    equity, margin = wallet + sum((leg.profit for leg in legs), ZERO), sum((leg.need for leg in legs), ZERO)
    if not legs or 2 * equity > margin:
        return None
    worst = min(legs, key=lambda leg: leg.profit)
    return worst if worst.profit < 0 else max(legs, key=lambda leg: leg.need)


def reduced(wallet: Decimal, legs: list[Leg]) -> list[Leg]:
    """The positions an exchange account's plan reduces, in its order: the largest maintenance first, until `release` is reached."""
    equity, need = wallet + sum((leg.profit for leg in legs), ZERO), sum((leg.need for leg in legs), ZERO)
    release = LEVELS[False][3]
    closes = []
    for leg in sorted(legs, key=lambda leg: (-leg.need, leg.instrument)):
        if equity > 0 and need <= release * equity:
            break
        closes.append(leg)
        worth, step = abs(leg.quantity) * leg.price, BY_KEY[leg.instrument].step * leg.price
        fee = Decimal("0.0005")
        kept = _maintenance(leg.instrument, step)
        if equity > 0 and need - leg.need + kept <= release * (equity - fee * (worth - step)):
            break  # a part of it may stay
        need -= leg.need
        equity -= worth * fee
    return closes


def _house_leg(what: str, quantity: Decimal, entry: Decimal, tick: PriceTick) -> Leg:
    name, _, side = what.rpartition("/")
    bid, ask = Decimal(tick.bid), Decimal(tick.ask)
    price = bid if quantity > 0 else ask
    base = entry if BY_KEY[name].calc_mode == "CFD_LEVERAGE" else ask if quantity > 0 else bid
    return Leg(name, side, quantity, price, quantity * (price - entry), abs(quantity) * base / LEVERAGE)


def _exchange_leg(what: str, quantity: Decimal, entry: Decimal, tick: PriceTick) -> Leg:
    name, _, side = what.rpartition("/")
    price = Decimal(tick.mark)
    return Leg(name, side, quantity, price, quantity * (price - entry), _maintenance(name, abs(quantity) * price))


def _maintenance(instrument: str, notional: Decimal) -> Decimal:
    """Bracket by bracket: each slice of the notional at its own rate."""
    total = ZERO
    for bracket in brackets(BY_KEY[instrument].base):
        top = min(notional, Decimal(bracket.cap)) if bracket.cap else notional
        total += max(top - Decimal(bracket.floor), ZERO) * Decimal(bracket.rate)
    return total
