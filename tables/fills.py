"""The arithmetic of fills: average entry and realised PnL, exact over the sum of quantity x price that is open."""

from decimal import Decimal
from typing import NamedTuple

from msgspec.structs import replace

from schemas.money import ONE, ZERO
from tables.rows import Position

_PLACES = Decimal(1).scaleb(-18)


class Overfilled(ValueError):
    """A fill that would close more of a LONG or SHORT position than is open."""


class Filled(NamedTuple):
    """`position` is None when nothing is left open; `pnl` in the quote currency, before fees."""

    position: Position | None
    pnl: Decimal


def fill(position: Position, quantity: Decimal, price: Decimal, contract_size: Decimal = ONE) -> Filled:
    """Moves a position by a fill of signed `quantity` (bought above zero) at `price` > 0.

    Entering adds to the sum of quantity x price; leaving takes its share out and realises the rest; a flip opens at the fill's price.
    Raises `Overfilled` where a LONG or SHORT position would flip.
    """
    sign = -1 if position.side == "SHORT" else 1
    held = position.quantity * sign
    cost = position.entry_cost * sign
    pnl = ZERO
    if held and (held > 0) != (quantity > 0):
        closing = min(abs(held), abs(quantity)).copy_sign(held)
        share = cost if closing == held else rounded(cost * closing / held)
        pnl = (closing * price - share) * contract_size
        held, cost, quantity = held - closing, cost - share, quantity + closing
    if quantity:
        if position.side != "BOTH" and (quantity > 0) != (sign > 0):
            raise Overfilled(f"expected at most {abs(position.quantity)} to close of {position.instrument}/{position.side}, "
                             f"was {abs(quantity)} more")
        held, cost = held + quantity, cost + quantity * price
    if not held:
        return Filled(None, pnl)
    return Filled(replace(position, quantity=held * sign, entry_cost=cost * sign, entry_price=rounded(cost / held)), pnl)


def rounded(number: Decimal) -> Decimal:
    """At most 18 decimals: sums of what is booked stay exact, and balance and ledger equal."""
    exponent = number.as_tuple().exponent
    return number.quantize(_PLACES) if isinstance(exponent, int) and exponent < -18 else number
