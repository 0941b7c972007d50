"""How orders meet the price: entering, resting, filling, expiring, cancelling."""

import string
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

from schemas.money import ZERO
from streams.venues.simulator import books
from streams.venues.simulator.books import BUY, Account, Event, Execution, Order, OrderMoved, Refused, Traded
from streams.venues.simulator.clock import Clock
from streams.venues.simulator.ledger import Ledger
from streams.venues.simulator.margin import leverage
from streams.venues.simulator.truth import Truth

_TRIGGERED_FOK = 8
_LETTERS = string.ascii_letters + string.digits
PriceListener = Callable[[str, Decimal], None]


class Matching(Ledger):
    """Orders of all accounts against one price per instrument: bid and ask stand one tick below and above it."""

    def __init__(self, venue: str, clock: Clock, truth: Truth, seed: int = 1) -> None:
        super().__init__(venue, clock, truth, seed)
        self.price_listeners: list[PriceListener] = []
        self.depth: dict[str, Decimal] = {}  # the most one execution takes, by symbol: larger orders fill in parts

    def leverage_of(self, account: Account, symbol: str) -> int:
        """As set, else the default."""
        return leverage(account, symbol)

    def quote(self, symbol: str) -> tuple[Decimal, Decimal]:
        """Bid and ask."""
        price, tick = self.marks[symbol], self.instruments[symbol].tick
        return price - tick, price + tick

    def find(self, account: Account, order_id: int) -> Order:
        """An open order of the account."""
        order = account.orders.get(order_id)
        if order is None or order.status not in books.OPEN:
            raise Refused("unknown_order")
        return order

    def check(self, account: Account, order: Order) -> None:
        """Refuse what the venue would refuse."""
        raise NotImplementedError

    def watch(self, account: Account) -> None:
        """Look at the account's margin after money moved."""
        raise NotImplementedError

    def place(self, account: Account, order: Order) -> Order:
        """Take an order: NEW, then fills, rest or expiry, in one transaction."""
        self.check(account, order)
        if order.tif == "GTX" and self._crosses(order):
            raise Refused("would_take")
        events: list[Event] = [self._enter(account, order)]
        self._match(account, order, events)
        self.tell(account, events)
        self.watch(account)
        return order

    def cancel(self, account: Account, order_id: int) -> Order:
        """Cancel an open order; a child of a condition ends that, too."""
        order = self.find(account, order_id)
        events: list[Event] = []
        self._finish(order, books.CANCELED, events)
        self._end_parent(account, order, events)
        self.tell(account, events)
        return order

    def _enter(self, account: Account, order: Order) -> OrderMoved:
        order.id, order.status = next(self.order_ids), books.NEW
        order.original_type = order.original_type or order.type
        order.client_id = order.client_id or "".join(self.random.choices(_LETTERS, k=22))
        order.created_ms = order.updated_ms = self.now()
        account.enter(order)
        if order.good_till_ms:
            self.clock.after(max(0, order.good_till_ms - order.created_ms), lambda: self._expire(account, order))
        return OrderMoved(replace(order), books.NEW)

    def _expire(self, account: Account, order: Order) -> None:
        if order.status in books.OPEN:
            events: list[Event] = []
            self._finish(order, books.EXPIRED, events)
            self.tell(account, events)

    def _finish(self, order: Order, status: str, events: list[Event]) -> None:
        order.status, order.updated_ms = status, self.now()
        events.append(OrderMoved(replace(order), books.EXPIRED if status == books.EXPIRED_IN_MATCH else status))

    def _crosses(self, order: Order) -> bool:
        bid, ask = self.quote(order.symbol)
        return order.type == "MARKET" or (order.price >= ask if order.side == BUY else order.price <= bid)

    def _reached(self, order: Order) -> bool:
        """A resting order fills when the price comes to it."""
        price = self.marks[order.symbol]
        return price <= order.price if order.side == BUY else price >= order.price

    def _match(self, account: Account, order: Order, events: list[Event], *, resting: bool = False) -> None:
        if resting:
            if self._reached(order):
                self._execute(account, order, order.price, events, maker=True)
            return
        if self._crosses(order) and not self._meets_itself(account, order, events):
            bid, ask = self.quote(order.symbol)
            self._execute(account, order, ask if order.side == BUY else bid, events)
        elif order.status in books.OPEN and order.tif in {"IOC", "FOK"}:
            order.expiry_reason = _TRIGGERED_FOK if order.algo_id and order.tif == "FOK" else 0
            self._finish(order, books.EXPIRED, events)

    def _meets_itself(self, account: Account, order: Order, events: list[Event]) -> bool:
        """Self-trade prevention against the account's own resting orders; True where the new order does not go on."""
        own = [one for one in account.open_orders() if one.symbol == order.symbol and one.side != order.side and one.id != order.id
               and one.type == "LIMIT" and (order.type == "MARKET" or (order.price >= one.price) == (order.side == BUY))]
        if not own or order.self_trade == "NONE":
            return False
        if order.self_trade in {"EXPIRE_MAKER", "EXPIRE_BOTH"}:
            for one in own:
                self._finish(one, books.EXPIRED_IN_MATCH, events)
        if order.self_trade == "EXPIRE_MAKER":
            return False
        self._finish(order, books.EXPIRED_IN_MATCH, events)
        return True

    def _execute(self, account: Account, order: Order, price: Decimal, events: list[Event], *, maker: bool = False) -> None:
        """Fill what is left, in parts where the depth is smaller; a reduce-only order never opens."""
        most = self.depth.get(order.symbol, order.left)
        while order.left > 0:
            part = min(most, order.left)
            if order.reduce_only:
                held = self.position(account, order.symbol, order.position_side).amount
                part = min(part, abs(held) if (held > 0) != (order.side == BUY) else ZERO)
                if not part:
                    self._finish(order, books.EXPIRED, events)
                    return
            self._fill(account, order, Execution(part, price, maker), events)

    def _fill(self, account: Account, order: Order, execution: Execution, events: list[Event]) -> None:
        fill, moved = self.apply(account, order, execution)
        order.status = books.PARTLY if order.left > 0 else books.FILLED
        events += [Traded(replace(order), fill), moved, OrderMoved(replace(order), books.TRADE, fill)]

    def _end_parent(self, account: Account, order: Order, events: list[Event]) -> None:
        """What the condition that placed this order says at its end."""
        raise NotImplementedError
