"""Messages as the rows of Postgres: plain values, every amount checked, so that one bad text never spoils a batch."""

from collections.abc import Iterator

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from schemas import keys
from schemas.engine_pb2 import AccountState, Liquidation, MarginCall, OrdersState, Transaction, UserState
from schemas.money import parse, say
from schemas.user_data_pb2 import OrderStatus, PositionSide, Side, UserDataOrderUpdateEvent
from streams.bridges.states import currency_of, house, net_profit, used_margin
from tables.orders import order_key
from tables.rows import NORMAL, RUNG_NAMES

Row = dict[str, object]
FROM_POSTGRES = ("admin", "grpc", "margin_updates")  # sources whose facts are numbered there
Kinds = Iterator[tuple[str, Row]]
_ENDED = {OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.REJECTED, OrderStatus.EXPIRED, OrderStatus.EXPIRED_IN_MATCH,
          OrderStatus.PARTIALLY_FILLED_CANCELED}


def amount(text: str, field: str) -> str | None:
    """Checked decimal text; None where empty. Raises `BadNumber`: Postgres would take a NaN."""
    return say(parse(text, field)) if text else None


def rung(number: int) -> str:
    """Name of a rung; one added tomorrow keeps its number."""
    return RUNG_NAMES.get(number, f"rung_{number}")


def user_rows(state: UserState) -> Kinds:
    """The rows of a whole account state: `users`, `accounts`, `balances`, `positions`."""
    profile, own = state.profile, house(state)
    kind, ident = keys.user_parts(state.user_id)
    yield "users", {
        "user_key": state.user_id, "user_type": kind, "user_id": ident, "currency": currency_of(state, own),
        "margin": say(used_margin(own)), "net_profit": say(net_profit(own)),
        "group_name": profile.group or "standard", "leverage": amount(profile.leverage, "leverage"), "status": profile.status or "active",
        "is_active": profile.is_active, "kyc": profile.kyc, "risk_tier": profile.risk_tier,
        "rung": rung(own.margin.rung or NORMAL),
        "fields": dict(profile.fields),
        "sequences": {source: numbers.next - 1 for source, numbers in state.sequences.items() if source in FROM_POSTGRES and numbers.next},
        "generation": state.generation, "version": state.version, "updated_ms": state.updated_ms}
    for account_id, account in state.accounts.items():
        if account_id != keys.HOUSE:
            yield "accounts", {
                "user_key": state.user_id, "account_id": account_id, "venue": account.venue, "model": account.model,
                "currency": account.currency, "execution": account.execution, "auto_reduce": account.auto_reduce,
                "rung": rung(account.margin.rung or NORMAL), "updated_ms": state.updated_ms}
        yield from _account_rows(state, account_id, account)


def _account_rows(state: UserState, account_id: str, account: AccountState) -> Kinds:
    owner: Row = {"user_key": state.user_id, "account_id": account_id}
    for asset, balance in account.balances.items():
        yield "balances", {**owner, "asset": asset, "wallet_balance": amount(balance.wallet_balance or "0", "wallet_balance"),
                           "updated_ms": balance.updated_ms or state.updated_ms}
    for position in account.positions.values():
        venue, symbol = keys.instrument_parts(position.instrument)
        yield "positions", {
            **owner, "venue": venue, "symbol": symbol, "side": position.side, "position_id": position.position_id,
            "quantity": amount(position.quantity or "0", "quantity"), "entry_price": amount(position.entry_price or "0", "entry_price"),
            "margin_mode": position.margin_mode, "isolated_wallet": amount(position.isolated_wallet, "isolated_wallet"),
            "leverage": amount(position.leverage, "leverage"), "open_rate": amount(position.open_rate, "open_rate"),
            "swap": amount(position.swap or "0", "swap"), "commission": amount(position.commission or "0", "commission"),
            "updated_ms": position.updated_ms or state.updated_ms}


def book_rows(state: OrdersState) -> Kinds:
    """The rows of a user's open orders: `books`, `orders`."""
    yield "books", {"user_key": state.user_id, "generation": state.generation, "version": state.version, "updated_ms": state.updated_ms}
    for key, order in state.orders.items():
        venue, symbol = keys.instrument_parts(order.instrument)
        yield "orders", {
            "user_key": state.user_id, "account_id": order.account_id, "venue": venue, "symbol": symbol,
            "order_id": key.removeprefix(f"{order.account_id}/{order.instrument}/"), "client_order_id": order.client_order_id,
            "side": order.side, "position_side": order.position_side, "order_type": order.order_type,
            "quantity": amount(order.quantity, "quantity"),
            "filled_quantity": amount(order.filled_quantity, "filled_quantity"), "price": amount(order.price, "price"),
            "average_price": amount(order.average_price, "average_price"), "stop_price": amount(order.stop_price, "stop_price"),
            "status": order.status, "reduce_only": order.reduce_only, "updated_ms": order.updated_ms or state.updated_ms}


def order_update_rows(event: UserDataOrderUpdateEvent, user: str, time_ms: int) -> Kinds:
    """History in an order update: its end (`ended_orders`) and its execution (`fills`). `time_ms` stands in for times it leaves out."""
    if event.meta.HasField("snapshot_end"):
        return
    base: Row = {"user_key": user, "account_id": event.meta.account_id or keys.HOUSE, "venue": keys.venue_name(event.meta.exchange),
                 "symbol": event.symbol, "order_id": _order_ident(event), "side": _name(Side, event.side)}
    happened_ms = event.meta.transaction_time_ms or event.meta.event_time_ms or time_ms
    if event.status in _ENDED and base["order_id"]:
        yield "ended_orders", {
            **base, "client_order_id": event.client_order_id, "position_side": _name(PositionSide, event.position_side),
            "order_type": event.order_type_raw, "quantity": amount(event.orig_qty, "orig_qty"),
            "filled_quantity": amount(event.cum_filled_qty, "cum_filled_qty"), "price": amount(event.price, "price"),
            "average_price": amount(event.avg_price, "avg_price"), "stop_price": amount(event.stop_price, "stop_price"),
            "status": OrderStatus.Name(event.status), "reduce_only": event.reduce_only, "updated_ms": happened_ms}
    fill = event.fill
    if fill.trade_id:
        yield "fills", {
            **base, "trade_id": fill.trade_id, "quantity": amount(fill.qty, "qty"), "price": amount(fill.price, "price"),
            "fee": amount(fill.fee, "fee"), "fee_asset": fill.fee_asset or None, "realised_pnl": amount(fill.realized_pnl, "realized_pnl"),
            "is_maker": fill.is_maker if fill.HasField("is_maker") else None, "lite": fill.lite,
            "created_ms": fill.trade_time_ms or happened_ms}


def _order_ident(event: UserDataOrderUpdateEvent) -> str:
    # What the ledger of open orders calls it: conditional orders count in a series of their own.
    account, instrument = event.meta.account_id, keys.instrument_key(keys.venue_name(event.meta.exchange), event.symbol)
    return order_key(event).removeprefix(f"{account}/{instrument}/")


def _name(enum: object, number: int) -> str:
    # A number added tomorrow keeps itself; zero says nothing.
    try:
        return str(enum.Name(number)) if number else ""  # type: ignore[attr-defined]
    except ValueError:
        return str(number)


def transaction_rows(event: Transaction, user: str, time_ms: int) -> Kinds:
    """A balance change as applied: `transactions`."""
    yield "transactions", {
        "user_key": user, "account_id": event.account_id, "delta_id": event.delta_id, "asset": event.asset,
        "amount": amount(event.amount or "0", "amount"), "balance_after": amount(event.balance_after, "balance_after"), "kind": event.kind,
        "source": event.source, "source_sequence": event.sequence if event.HasField("sequence") else None, "cause": event.cause,
        "created_ms": event.time_ms or time_ms}


def margin_event_rows(event: MarginCall, user: str, time_ms: int) -> Kinds:
    """A rung transition: `margin_events`."""
    yield "margin_events", {
        "id": event.id, "user_key": user, "account_id": event.account_id, "rung_before": rung(event.before),
        "rung_after": rung(event.after),
        "reasons": list(event.reasons), "episode": event.episode, "transition": event.transition, "figures": _plain(event.figures),
        "created_ms": event.stamp.time_ms or time_ms}


def liquidation_rows(event: Liquidation, user: str, time_ms: int) -> Kinds:
    """One event of a liquidation: `liquidations`. `detail` holds the whole event without its stamp."""
    kind = event.WhichOneof("event") or ""
    row: Row = {"id": event.id, "event": kind, "user_key": user, "account_id": event.account_id, "episode": event.episode,
                "step": event.step, "created_ms": event.time_ms or event.stamp.time_ms or time_ms, "detail": _plain(event).get(kind, {})}
    if kind == "step_ordered":
        step = event.step_ordered
        row |= {"action": step.action, "side": step.side, "quantity": amount(step.quantity, "quantity"),
                "price": amount(step.limit_price, "limit_price"), **_instrument(step.instrument)}
    elif kind == "completed":
        done = event.completed
        row |= {"quantity": amount(done.quantity, "quantity"), "price": amount(done.price, "price"), "fee": amount(done.fee, "fee"),
                "realised_pnl": amount(done.realised_pnl, "realised_pnl"), **_instrument(done.instrument)}
    elif kind == "refused":
        row["detail"] = {"reason": event.refused}
    yield "liquidations", row


def _instrument(text: str) -> Row:
    return dict(zip(("venue", "symbol"), keys.instrument_parts(text), strict=True)) if text else {}


def _plain(message: Message) -> dict[str, object]:
    return MessageToDict(message, preserving_proto_field_name=True)
