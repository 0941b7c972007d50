"""The ledger of open orders: an order that ended never comes back."""

from decimal import Decimal

from msgspec.structs import replace

from schemas.engine_pb2 import AccountUpdate
from schemas.keys import instrument_key, venue_name
from schemas.money import parse
from schemas.user_data_pb2 import OrderStatus, Side, UserDataOrderUpdateEvent
from tables import order_accounts
from tables.draft import anomaly
from tables.policy import Policy
from tables.positions import side_of
from tables.rows import ClosedOrder, Fact, Folded, Order, Orders, Output
from tables.snapshots import as_of_ms, forget, gone, mentioned, noted
from tables.versions import newer, version_of

_RANKS = {2: 2, 3: 5, 4: 4, 5: 4, 6: 4, 7: 4, 9: 1, 10: 4}  # by OrderStatus; from 4 on an order has ended
_ENDED = 4
_ENDED_MARK = "."  # stands among a snapshot's rows once it has ended: an end is told once
_STATUSES = {number: name for name, number in OrderStatus.items() if number}
_SIDES = {number: name for name, number in Side.items() if number}


def new_orders(user_id: str) -> Orders:
    """The row of a user without orders."""
    return Orders(user_id)


def fold_orders(row: Orders | None, fact: Fact, policy: Policy) -> Folded:
    """Folds an order update, or what an account update says of whole accounts. The row is the old object itself where nothing changed
    (a new one at version 0 where there was none). Rungs rest on `accounts` alone: no checks. Topics commute but for an account's return.
    """
    before = row if row is not None else new_orders(fact.user)
    after, outputs = ((order_accounts.fold(before, fact.message, policy), ()) if isinstance(fact.message, AccountUpdate)
                      else _told(before, fact, policy))
    if after is not before:
        after = replace(after, version=before.version + 1, updated_ms=max(before.updated_ms, fact.time_ms))
    return Folded(after, outputs)


def _told(row: Orders, fact: Fact, policy: Policy) -> tuple[Orders, tuple[Output, ...]]:
    event = fact.message
    assert isinstance(event, UserDataOrderUpdateEvent)
    if event.meta.account_id in row.removed_accounts:  # late facts do not revive it
        return row, ()
    return _end_snapshot(row, fact, event, policy) if event.meta.HasField("snapshot_end") else (_take(row, fact, event, policy), ())


def rank_of(status: int) -> int:
    """How far an order with this status has come; 4 and above has ended. A status added tomorrow counts as open."""
    return _RANKS.get(status, 0)


def order_key(event: UserDataOrderUpdateEvent) -> str:
    """`account/venue:symbol/order id`; conditional orders count in a series of their own."""
    return _prefix(event) + (event.order_id or event.algo_id or event.client_order_id)


def _prefix(event: UserDataOrderUpdateEvent) -> str:
    kind = "algo-" if event.is_algo else ""
    return f"{event.meta.account_id}/{instrument_key(venue_name(event.meta.exchange), event.symbol)}/{kind}"


def _one_name(row: Orders, event: UserDataOrderUpdateEvent, policy: Policy) -> tuple[Orders, str]:
    """(the row, the order's key in it): one first told by its client's id is the same order under the venue's, not a second one."""
    key, prefix = order_key(event), _prefix(event)
    ident, client = event.order_id or event.algo_id, event.client_order_id
    if not ident:
        told = (name for name, order in row.orders.items() if order.client_order_id == client and name.startswith(prefix))
        return row, min(told, default=key)
    known = row.orders.get(prefix + client) if client else None
    if known is None or known.order_id:
        return row, key
    row = _close(row, ClosedOrder(prefix + client, _ENDED, version_of(event.meta).time_ms), policy)
    if key in row.orders or any(entry.order == key for entry in row.closed):
        return row, key
    return replace(row, orders={**row.orders, key: replace(known, order_id=ident)}), key


def _take(row: Orders, fact: Fact, event: UserDataOrderUpdateEvent, policy: Policy) -> Orders:
    row, key = _one_name(row, event, policy)
    version = version_of(event.meta)
    topic = _topic(fact, event.meta.account_id)
    if event.meta.snapshot_id and not _has_ended(row, topic, event.meta.snapshot_id):
        rows = noted(row.snapshot_rows, topic, event.meta.snapshot_id, key)
        row = row if rows is row.snapshot_rows else replace(row, snapshot_rows=rows)
    known = row.orders.get(key)
    said = bool(event.status or event.status_raw)
    if any(entry.order == key for entry in row.closed) or (known is None and not said) or (event.fill.lite and not said):
        return row
    if rank_of(event.status) >= _ENDED:
        return _close(row, ClosedOrder(key, rank_of(event.status), version.time_ms or fact.time_ms), policy)
    if known and not (newer(version, known.version) and _number(event.cum_filled_qty, known.filled_quantity) >= known.filled_quantity):
        return row
    return replace(row, orders={**row.orders, key: _order(known or _blank(event), fact, event)})


def _blank(event: UserDataOrderUpdateEvent) -> Order:
    return Order(event.meta.account_id, instrument_key(venue_name(event.meta.exchange), event.symbol), event.order_id or event.algo_id,
                 is_algo=event.is_algo)


def _order(known: Order, fact: Fact, event: UserDataOrderUpdateEvent) -> Order:
    """Absent and empty texts change nothing."""
    falls = known.status == "PARTIALLY_FILLED" and event.status == OrderStatus.NEW
    status = _STATUSES.get(event.status, event.status_raw or (f"status_{event.status}" if event.status else known.status))
    return replace(
        known, client_order_id=event.client_order_id or known.client_order_id,
        side=_SIDES.get(event.side, f"side_{event.side}" if event.side else known.side),
        position_side=_leg(known, event), order_type=event.order_type_raw or known.order_type,
        quantity=_number(event.orig_qty, known.quantity), filled_quantity=_number(event.cum_filled_qty, known.filled_quantity),
        price=_number(event.price, known.price), average_price=_number(event.avg_price, known.average_price),
        stop_price=_number(event.stop_price, known.stop_price), status=known.status if falls else status,
        reduce_only=event.reduce_only if event.HasField("reduce_only") else known.reduce_only, version=version_of(event.meta),
        updated_ms=fact.time_ms, snapshot_id=event.meta.snapshot_id or known.snapshot_id, product=event.meta.product_raw or known.product,
    )


def _leg(known: Order, event: UserDataOrderUpdateEvent) -> str:
    """Executions say no leg: the order keeps its own."""
    said = event.position_side or event.HasField("position_idx")
    return side_of(event.position_side, event.position_idx) if said else known.position_side


def _close(row: Orders, entry: ClosedOrder, policy: Policy) -> Orders:
    orders = {name: order for name, order in row.orders.items() if name != entry.order}
    return replace(row, orders=orders, closed=(*row.closed, entry)[-policy.closed_orders_max:])


def _end_snapshot(row: Orders, fact: Fact, event: UserDataOrderUpdateEvent, policy: Policy) -> tuple[Orders, tuple[Output, ...]]:
    """Closes what the snapshot did not mention; where rows are missing an anomaly asks for another and nothing is closed."""
    meta, topic = event.meta, _topic(fact, event.meta.account_id)
    if _has_ended(row, topic, meta.snapshot_id):
        return row, ()
    items = mentioned(row.snapshot_rows, topic, meta.snapshot_id)
    expected, scope = meta.snapshot_end.rows_of_this_topic, meta.snapshot_end.scope_product
    rows = noted(forget(row.snapshot_rows, topic, meta.snapshot_id), topic, meta.snapshot_id, _ENDED_MARK)
    after = replace(row, snapshot_rows=rows)
    if len(items) != expected:
        detail = f"{fact.topic} {meta.snapshot_id!r}: expected {expected} rows, was {len(items)}"
        return after, (anomaly(fact, "orders_snapshot_incomplete", meta.account_id, detail),)
    as_of = as_of_ms(meta, fact.time_ms)
    for key, order in sorted(row.orders.items()):  # as after a restart: the memory of ended ones is bounded
        mine = order.account_id == meta.account_id and (not scope or not order.product or order.product == scope)
        if mine and key not in items and gone(order.version, order.updated_ms, meta, as_of):
            after = _close(after, ClosedOrder(key, _ENDED, as_of), policy)
    return after, ()


def _has_ended(row: Orders, topic: str, snapshot_id: str) -> bool:
    return _ENDED_MARK in mentioned(row.snapshot_rows, topic, snapshot_id)


def _topic(fact: Fact, account_id: str) -> str:
    return f"{account_id}/{fact.topic}"


def _number(text: str, otherwise: Decimal) -> Decimal:
    return parse(text) if text else otherwise
