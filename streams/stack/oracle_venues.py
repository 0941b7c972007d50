"""Accounts of the simulated venues three ways: what their facts amount to, what the engine holds, and the simulator's own ledger.

Naive on purpose, as `streams.stack.oracle` is: nothing of sessions, folds or normalisers is used to judge them.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from schemas import user_data_pb2 as data
from schemas.engine_pb2 import OrdersState
from schemas.keys import instrument_key
from schemas.money import say_short
from streams import topics
from streams.stack.oracle import Expected, Seen
from streams.stack.oracle_accounts import account_differences
from streams.stack.venues import Simulated
from streams.venues.simulator.bybit_wire import order_id
from streams.venues.simulator.catalogue import BYBIT

_OPEN = (data.NEW, data.PARTIALLY_FILLED)
_OPEN_WORDS = ("NEW", "PARTIALLY_FILLED")
Orders = dict[str, tuple[Decimal, Decimal]]  # id -> filled, quantity
Fills = dict[tuple[str, str], tuple[Decimal, Decimal]]  # symbol, trade id -> quantity, price


class Shown(NamedTuple):
    """One account as one of the three has it; `fills` None: it does not keep them."""

    account: Expected
    orders: Orders
    fills: Fills | None = None


class Told:
    """Orders and fills of one account as its order updates tell them."""

    def __init__(self) -> None:
        self.orders: dict[str, tuple[int, Decimal, Decimal]] = {}  # those seen open: time, filled, quantity
        self.ended: set[str] = set()
        self.fills: Fills = {}
        self._mentioned: dict[str, set[str]] = {}

    def take(self, event: data.UserDataOrderUpdateEvent) -> None:
        """One fact, in the order of the topic."""
        if event.meta.HasField("snapshot_end"):
            self._end(event.meta)
            return
        name, time_ms = event.algo_id if event.is_algo else event.order_id, event.meta.transaction_time_ms or event.meta.event_time_ms
        if event.HasField("fill") and event.fill.trade_id and not event.fill.lite:
            self.fills[event.symbol, event.fill.trade_id] = Decimal(event.fill.qty), Decimal(event.fill.price)
        if event.meta.snapshot_id:
            self._mentioned.setdefault(event.meta.snapshot_id, set()).add(name)
        if event.status in _OPEN:
            _, filled, _ = self.orders.get(name, (0, Decimal(0), Decimal(0)))
            self.orders[name] = time_ms, max(filled, Decimal(event.cum_filled_qty or "0")), Decimal(event.orig_qty or "0")
        elif event.status:
            self.ended.add(name)

    def open_orders(self) -> Orders:
        return {name: order[1:] for name, order in self.orders.items() if name not in self.ended}

    def _end(self, meta: data.EventMeta) -> None:
        mentioned = self._mentioned.get(meta.snapshot_id, set())
        if len(mentioned) == meta.snapshot_end.rows_of_this_topic:
            self.ended |= {name for name, (time_ms, _, _) in self.orders.items()
                           if name not in mentioned and time_ms < meta.snapshot_end.as_of_ms}


def orders_told(seen: Iterable[Seen]) -> dict[tuple[str, str], Told]:
    """By user and account, what order updates of venues amount to."""
    found: dict[tuple[str, str], Told] = {}
    for record in seen:
        event = data.UserDataOrderUpdateEvent.FromString(record.value)
        if event.meta.exchange != data.HOUSE:
            found.setdefault((record.user, event.meta.account_id), Told()).take(event)
    return found


def orders_held(seen: Iterable[Seen]) -> dict[tuple[str, str], Orders]:
    """By user and account, the open orders of the newest states the engine told."""
    newest = {record.user: OrdersState.FromString(record.value) for record in seen}
    found: dict[tuple[str, str], Orders] = {}
    for user, state in newest.items():
        for order in state.orders.values():
            filled, quantity = Decimal(order.filled_quantity or "0"), Decimal(order.quantity or "0")
            found.setdefault((user, order.account_id), {})[order.order_id] = filled, quantity
    return found


def truth(said: Mapping[str, Any], venue: str) -> Shown:
    """An account as the simulator's control address shows it, in the words of the engine; of what ended it has the newest."""
    ident = order_id if venue == BYBIT else str
    balances = {asset: Decimal(one["wallet"]) for asset, one in said["balances"].items()}
    positions = {}
    for key, one in said["positions"].items():
        symbol, _, side = key.partition("/")
        amount = Decimal(one["amount"])
        if amount:
            positions[f"{instrument_key(venue, symbol)}/{side}"] = amount if side == "BOTH" else abs(amount), Decimal(one["entry"])
    orders = {ident(one["id"]): (Decimal(one["filled"]), Decimal(one["quantity"]))
              for one in said["orders"] if one["status"] in _OPEN_WORDS}
    fills = {(one["symbol"], order_id(-one["id"]) if venue == BYBIT else str(one["id"])): (Decimal(one["quantity"]), Decimal(one["price"]))
             for one in said["fills"]}
    return Shown(Expected(balances, positions), orders, fills)


def _remembered(told: Fills, true: Fills, forgotten: int) -> Fills:
    """Those that the simulator still has, where it forgot as many as were told beside them; else all."""
    return {name: fill for name, fill in told.items() if name in true} if len(told.keys() - true.keys()) == forgotten else told


def differences(one: Simulated, true: Shown, told: Shown, held: Shown) -> list[str]:
    """A line for whatever the facts or the engine have otherwise than the simulator's ledger; the row's own digits of entries count."""
    return [f"{where} {one.user}/{one.name} {line}" for where, shown in (("simulator and facts of", told), ("simulator and row of", held))
            for line in (*account_differences(true.account, shown.account), *_unlike("order", true.orders, shown.orders),
                         *(() if shown.fills is None else _unlike("fill", true.fills or {}, shown.fills)))]


def _unlike(what: str, true: Mapping[Any, tuple[Decimal, Decimal]], shown: Mapping[Any, tuple[Decimal, Decimal]]) -> list[str]:
    """Orders are said as filled / quantity, fills as quantity / price."""
    return [f"{what} {name}: expected {_said(true.get(name))}, was {_said(shown.get(name))}"
            for name in sorted(true.keys() | shown.keys()) if true.get(name) != shown.get(name)]


def _said(found: tuple[Decimal, Decimal] | None) -> str:
    return "none" if found is None else " / ".join(map(say_short, found))


def compared(simulated: Iterable[tuple[Simulated, Mapping[str, Any]]], read: Mapping[str, list[Seen]],
             told: Mapping[str, Mapping[str, Expected]], held: Mapping[str, Mapping[str, Expected]]) -> list[str]:
    """`simulated`: accounts with what the control address says; `told`: the oracle's fold, `held`: the rows, by user and account."""
    events, orders = orders_told(read[topics.ORDER_UPDATES]), orders_held(read[topics.ORDER_STATES])
    nothing, lines = Expected({}, {}), list[str]()
    for one, said in simulated:
        name = one.user, one.name
        facts, true = events.get(name, Told()), truth(said, one.venue)
        fills = _remembered(facts.fills, true.fills or {}, said.get("forgotten", 0))
        lines += differences(one, true, Shown(told.get(one.user, {}).get(one.name, nothing), facts.open_orders(), fills),
                             Shown(held.get(one.user, {}).get(one.name, nothing), orders.get(name, {})))
    return lines
