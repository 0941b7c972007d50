"""A simulated exchange: takes orders, matches them against one price per instrument, watches margin, liquidates."""

from dataclasses import replace
from decimal import Decimal

from schemas.money import ZERO
from streams.venues.simulator import books
from streams.venues.simulator.books import BOTH, BUY, SELL, Account, Event, Execution, Order, OrderMoved, Position, Refused
from streams.venues.simulator.conditions import Conditions
from streams.venues.simulator.margin import isolated_ratio, pool, ratio

FUNDING_MS = 28_800_000
CALL_AT = Decimal("0.8")  # maintenance over equity at which the venue warns


class Exchange(Conditions):
    """The whole venue: see `place`, `cancel`, `amend`, `set_price`, `trade`, and the ledger's own transactions."""

    def trade(self, account: Account, order: Order, price: Decimal) -> Order:
        """A scripted fill: the order is taken and filled whole at `price`, whatever the book says."""
        self.check(account, order)
        events: list[Event] = [self._enter(account, order)]
        self._fill(account, order, Execution(order.quantity, price), events)
        self.tell(account, events)
        self.watch(account)
        return order

    def fill(self, account: Account, order_id: int, quantity: Decimal, price: Decimal) -> Order:
        """A scripted (partial) fill of a resting order, as maker."""
        order = self.find(account, order_id)
        events: list[Event] = []
        self._fill(account, order, Execution(min(quantity, order.left), price, maker=True), events)
        self._end_parent(account, order, events)
        self.tell(account, events)
        self.watch(account)
        return order

    def amend(self, account: Account, order_id: int, quantity: Decimal, price: Decimal) -> Order:
        """A resting order with another quantity or price; told as AMENDMENT."""
        order = self.find(account, order_id)
        if (quantity, price) == (order.quantity, order.price) or quantity <= order.filled:
            raise Refused("no_change")
        order.quantity, order.price, order.updated_ms = quantity, price, self.now()
        events: list[Event] = [OrderMoved(replace(order), books.AMENDMENT)]
        self._match(account, order, events, resting=True)
        self.tell(account, events)
        return order

    def funding_ms(self) -> int:
        """When the next funding is due: every eight hours."""
        return self.clock.now_ms() // FUNDING_MS * FUNDING_MS + FUNDING_MS

    def set_price(self, symbol: str, price: Decimal) -> None:
        """The mark moves: resting orders are filled, conditions fire, margin is watched."""
        self.marks[symbol] = price
        self.truth.note(Account("", self.venue, "", "", "", 0), self.clock.now_ms(), "Price", {"symbol": symbol, "price": price})
        for listener in self.price_listeners:
            listener(symbol, price)
        for account in list(self.accounts.values()):
            for order in [one for one in account.open_orders() if one.symbol == symbol]:
                events: list[Event] = []
                self._match(account, order, events, resting=True)
                self._end_parent(account, order, events)
                if events:
                    self.tell(account, events)
            self.fire(account, symbol)
            self.watch(account)

    def watch(self, account: Account) -> None:
        """Warn once on the way up, liquidate at 1."""
        held = [one for one in account.positions.values() if one.amount]
        for asset in list(account.balances) if held else ():
            self._watch_pool(account, asset, [one for one in held if not one.isolated and self.instruments[one.symbol].quote == asset])
        for position in held:
            if position.isolated and isolated_ratio(position, self.market) >= 1:
                self._liquidate(account, [position])

    def _watch_pool(self, account: Account, asset: str, cross: list[Position]) -> None:
        worst = ratio(account, asset, self.market)
        if worst >= 1:
            self._liquidate(account, cross)
        elif worst >= CALL_AT and not account.called:
            account.called = True
            self.tell(account, [books.MarginCalled(tuple(replace(one) for one in cross))])
        elif worst < CALL_AT and cross:
            account.called = False

    def _liquidate(self, account: Account, positions: list[Position]) -> None:
        for order in [one for one in account.open_orders() if any(one.symbol == held.symbol for held in positions)]:
            self.cancel(account, order.id)
        for position in positions:
            self.force(account, position, "autoclose-")
        for balance in [one for one in account.balances.values() if one.wallet < 0]:
            self.transfer(account, balance.asset, -balance.wallet, "INSURANCE_CLEAR")

    def force(self, account: Account, position: Position, prefix: str, quantity: Decimal | None = None) -> Order:
        """The venue closes a position (`autoclose-` liquidation, `adl_autoclose` deleveraging) at the mark."""
        side = SELL if position.amount > 0 else BUY
        now, price = self.now(), self.marks[position.symbol]
        order = Order(position.symbol, side, "LIMIT", quantity or abs(position.amount), price, tif="IOC",
                      position_side=position.side, client_id=f"{prefix}{now}" if prefix.endswith("-") else prefix)
        events: list[Event] = [self._enter(account, order)]
        fill, moved = self.apply(account, order, Execution(order.quantity, price))
        order.status = books.FILLED
        self.tell(account, [*events, moved, OrderMoved(replace(order), books.CALCULATED, fill)])
        return order

    def check(self, account: Account, order: Order) -> None:
        """Refuse what the venue would refuse: symbol, precision, size, position mode, reduce-only, margin."""
        instrument = self.instruments.get(order.symbol)
        if instrument is None:
            raise Refused("symbol")
        if order.quantity <= 0 or order.quantity % instrument.step:
            raise Refused("precision" if order.quantity > 0 else "quantity")
        if order.price % instrument.tick:
            raise Refused("tick")
        if account.hedge != (order.position_side != BOTH):
            raise Refused("position_side")
        self._check_size(account, order)

    def _check_size(self, account: Account, order: Order) -> None:
        instrument, position = self.instruments[order.symbol], self.position(account, order.symbol, order.position_side)
        closing = position.amount and (position.amount > 0) != (order.side == BUY)
        if order.reduce_only:
            if not closing:
                raise Refused("reduce_only")
            order.quantity = min(order.quantity, abs(position.amount))
            return
        if order.position_side != BOTH and (order.position_side == books.LONG) != (order.side == BUY):
            if order.quantity > abs(position.amount):
                raise Refused("reduce_only")
            return
        opened = order.quantity - min(order.quantity, abs(position.amount) if closing else ZERO)
        value = (order.price or self.marks[order.symbol]) * instrument.contract_size
        if order.quantity * value < instrument.notional_min and not closing:
            raise Refused("notional")
        if opened * value / self.leverage_of(account, order.symbol) > pool(account, instrument.quote, self.market).available:
            raise Refused("margin")


