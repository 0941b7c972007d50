"""The oracle's house book: deltas by number, fills by number, liquidation steps between the fills they came after."""

from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from schemas import engine_pb2 as engine


class Fill(NamedTuple):
    """`quantity` signed; `what` = `house:SYMBOL/SIDE`."""

    offset: int
    what: str
    quantity: Decimal
    price: Decimal
    fee: Decimal
    asset: str


class Step(NamedTuple):
    """A completed liquidation step; `fence` is the offset of the last order update folded before it."""

    fence: int
    order: tuple[int, int]
    instrument: str
    quantity: Decimal
    price: Decimal
    realised_pnl: Decimal
    fee: Decimal


_NO_MONEY = engine.WalletDelta()


class Book:
    """One user's house account."""

    def __init__(self, user: str) -> None:
        self._user = user
        self._deltas: dict[str, dict[int, engine.WalletDelta]] = {}
        self._unnumbered: dict[str, engine.WalletDelta] = {}
        self._fills: dict[int, Fill] = {}
        self.steps: dict[str, Step] = {}
        self.sides: dict[str, str] = {}  # what a step closes, by step id

    def delta(self, delta: engine.WalletDelta) -> None:
        """Note a delta; of two with one number the first counts."""
        if delta.HasField("sequence"):
            self._deltas.setdefault(delta.source, {}).setdefault(delta.sequence, delta)
        else:
            self._unnumbered.setdefault(delta.id, delta)

    def numbered(self, source: str, number: int) -> None:
        """Note a fact of another topic that shares the numbers of a source: no delta waits for it."""
        self._deltas.setdefault(source, {}).setdefault(number, _NO_MONEY)

    def fill(self, number: int, fill: Fill) -> None:
        """Note a fill; of two with one number the first counts."""
        self._fills.setdefault(number, fill)

    def state(self) -> tuple[dict[str, Decimal], dict[str, tuple[Decimal, Decimal]]]:
        """Balances by asset; (quantity, entry price) by `house:SYMBOL/SIDE` of what is open."""
        balances, held, _ = self._folded()
        return balances, {what: (quantity, _exact(cost / quantity)) for what, (quantity, cost) in held.items() if quantity}

    def doubts(self) -> list[str]:
        """Steps that realised something else than the book says."""
        return self._folded()[2]

    def _folded(self) -> tuple[dict[str, Decimal], dict[str, tuple[Decimal, Decimal]], list[str]]:
        balances: dict[str, Decimal] = {}
        held: dict[str, tuple[Decimal, Decimal]] = {}
        lines: list[str] = []
        for delta in self._applied():
            if delta is _NO_MONEY:
                continue
            balances[delta.asset] = balances.get(delta.asset, Decimal(0)) + Decimal(delta.amount)
        for ident, event in self._ordered():
            if isinstance(event, Fill):
                pnl = _move(held, event.what, event.quantity, event.price)
                balances[event.asset] = balances.get(event.asset, Decimal(0)) + pnl - event.fee
                continue
            what = self._what(held, ident, event.instrument)
            open_quantity = held.get(what, (Decimal(0), Decimal(0)))[0]
            pnl = _move(held, what, -event.quantity.copy_sign(open_quantity), event.price)
            balances["USD"] = balances.get("USD", Decimal(0)) + pnl - event.fee
            if pnl != event.realised_pnl or event.quantity > abs(open_quantity):
                lines.append(f"{self._user} step {ident}: expected PnL {pnl} of at most {abs(open_quantity)}, "
                             f"was {event.realised_pnl} of {event.quantity}")
        return balances, held, lines

    def _applied(self) -> Iterator[engine.WalletDelta]:
        """Deltas without a gap before them; the order among them does not matter to a sum."""
        yield from self._unnumbered.values()
        for by_number in self._deltas.values():
            at = min((number for number, delta in by_number.items() if delta.opening), default=1)
            while at in by_number:
                yield by_number[at]
                at += 1

    def _ordered(self) -> Iterator[tuple[str, Fill | Step]]:
        """Fills by number; a step once every fill up to its fence is in. A fill behind a late one waited for it."""
        steps = sorted(self.steps.items(), key=lambda item: (item[1].fence, item[1].order))
        number, folded_at = 1, -1
        while number in self._fills:
            fill = self._fills[number]
            folded_at = max(folded_at, fill.offset)
            while steps and steps[0][1].fence < folded_at:
                yield steps.pop(0)
            yield str(number), fill
            number += 1
        yield from steps

    def _what(self, held: dict[str, tuple[Decimal, Decimal]], ident: str, instrument: str) -> str:
        """The position a step closes: of the one or two sides of its instrument, the side that was ordered."""
        sides = [what for what, (quantity, _) in held.items() if quantity and what.startswith(f"{instrument}/")]
        wanted = f"{instrument}/{self.sides.get(ident, '')}"
        return wanted if wanted in sides or not sides else sides[0]


def _move(held: dict[str, tuple[Decimal, Decimal]], what: str, quantity: Decimal, price: Decimal) -> Decimal:
    """Buy or sell at a price; what it realises at the average entry. `held` keeps (quantity, sum of quantity x price)."""
    before, cost = held.get(what, (Decimal(0), Decimal(0)))
    pnl = Decimal(0)
    if before * quantity < 0:
        closed = min(abs(before), abs(quantity)).copy_sign(before)
        share = cost if closed == before else _exact(cost * closed / before)
        pnl = closed * price - share
        before, cost, quantity = before - closed, cost - share, quantity + closed
    held[what] = before + quantity, cost + quantity * price
    return pnl


def _exact(number: Decimal) -> Decimal:
    """Shares of a cost are kept to 18 places, as documented of the rows."""
    exponent = number.as_tuple().exponent
    return number.quantize(Decimal("1e-18")) if isinstance(exponent, int) and exponent < -18 else number
