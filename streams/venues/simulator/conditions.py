"""Conditional orders beside the book: stop, take profit, trailing; their life from NEW to FINISHED."""

import itertools
from dataclasses import replace

from schemas.money import ZERO
from streams.venues.simulator import books
from streams.venues.simulator.books import BUY, Account, Algo, AlgoMoved, Event, Order, Refused
from streams.venues.simulator.clock import Clock
from streams.venues.simulator.matching import Matching
from streams.venues.simulator.truth import Truth

TRIGGERING, TRIGGERED, FINISHED, REJECTED = "TRIGGERING", "TRIGGERED", "FINISHED", "REJECTED"
TRAILING = "TRAILING_STOP_MARKET"
_NOT_FILLED = ("Due to the order could not be filled immediately, the FOK order has been rejected. "
               "The order will not be recorded in the order history")
_RISING = {("STOP", BUY), ("STOP_MARKET", BUY), ("TAKE_PROFIT", books.SELL), ("TAKE_PROFIT_MARKET", books.SELL)}


class Conditions(Matching):
    """Conditional orders of all accounts."""

    def __init__(self, venue: str, clock: Clock, truth: Truth, seed: int = 1) -> None:
        super().__init__(venue, clock, truth, seed)
        self.algo_ids = itertools.count(2_000_000_547_000_000)

    def watch_for(self, account: Account, order: Order) -> Algo:
        """Take a conditional order; a trailing one says NEW again once it is active."""
        if order.symbol not in self.instruments:
            raise Refused("symbol")
        if not order.client_id:
            order.client_id = f"algo{self.random.getrandbits(64):x}"
        algo = Algo(next(self.algo_ids), order)
        if order.type != TRAILING and self._is_met(algo):
            raise Refused("would_trigger")
        algo.created_ms = algo.updated_ms = self.now()
        account.algos[algo.id] = account.waiting[algo.id] = algo
        self.tell(account, [AlgoMoved(replace(algo))])
        if order.type == TRAILING:
            self._trail(account, algo)
        return algo

    def cancel_algo(self, account: Account, algo_id: int) -> Algo:
        """Cancel one that still waits."""
        algo = account.algos.get(algo_id)
        if algo is None or algo.status != books.NEW:
            raise Refused("unknown_order")
        self.tell(account, [self._turn(algo, books.CANCELED)])
        return algo

    def fire(self, account: Account, symbol: str) -> None:
        """Place the orders of all conditions that the price has met."""
        for algo in [one for one in account.open_algos() if one.order.symbol == symbol]:
            if algo.order.type == TRAILING:
                self._trail(account, algo)
            if self._is_met(algo):
                self._place_child(account, algo)

    def _turn(self, algo: Algo, status: str) -> AlgoMoved:
        algo.status, algo.updated_ms = status, self.now()
        return AlgoMoved(replace(algo))

    def _is_met(self, algo: Algo) -> bool:
        order, price = algo.order, self.marks[algo.order.symbol]
        if order.type == TRAILING:
            away = algo.extreme * order.callback_rate / 100
            return algo.active and (price >= algo.extreme + away if order.side == BUY else price <= algo.extreme - away)
        return price >= order.stop_price if (order.type, order.side) in _RISING else price <= order.stop_price

    def _trail(self, account: Account, algo: Algo) -> None:
        order, price = algo.order, self.marks[algo.order.symbol]
        best = min if order.side == BUY else max
        if algo.active:
            algo.extreme = best(algo.extreme, price)
        elif not order.activation or best(order.activation, price) == price:
            algo.active, algo.extreme = True, price
            self.tell(account, [AlgoMoved(replace(algo))])

    def _place_child(self, account: Account, algo: Algo) -> None:
        algo.triggered_ms = self.now()
        self.tell(account, [self._turn(algo, TRIGGERING)])
        child = replace(algo.order, type="LIMIT" if algo.order.type in {"STOP", "TAKE_PROFIT"} else "MARKET", stop_price=ZERO,
                        algo_id=algo.id, callback_rate=ZERO, activation=ZERO, original_type="")
        child.price = child.price if child.type == "LIMIT" else ZERO
        if child.close_position:
            held = account.positions.get((child.symbol, child.position_side))
            child.quantity, child.reduce_only = abs(held.amount) if held else ZERO, True
        try:
            self.check(account, child)
        except Refused as refused:
            algo.reason = "margin not enough" if refused.reason == "margin" else "ReduceOnly Order is rejected."
            self.tell(account, [self._turn(algo, REJECTED)])
            return
        events: list[Event] = [self._enter(account, child)]
        algo.child_id = child.id
        self._match(account, child, events)
        events.append(self._turn(algo, TRIGGERED))
        self._end_parent(account, child, events)
        if child.expiry_reason:
            events.append(books.TriggerRejected(child.symbol, child.id, _NOT_FILLED))
        self.tell(account, events)
        self.watch(account)

    def _end_parent(self, account: Account, order: Order, events: list[Event]) -> None:
        algo = account.algos.get(order.algo_id)
        if algo is None or algo.status != TRIGGERED or order.status in books.OPEN:
            return
        algo.filled, algo.average = order.filled, order.average
        events.append(self._turn(algo, FINISHED))


def is_conditional(kind: str) -> bool:
    """Whether an order type belongs to the conditional orders."""
    return kind in {"STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", TRAILING}


