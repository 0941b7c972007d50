"""KuCoin Futures: a row of an order, a stop order or a fill, of the classic socket and of REST."""

from schemas import user_data_pb2 as data
from schemas.money import parse
from streams.venues.normalise.fields import Fields, is_zero, put
from streams.venues.normalise.kucoin_rows import LEGS, MODES
from streams.venues.normalise.telling import Teller

SIDES = {"BUY": data.BUY, "SELL": data.SELL}
_STATUSES = {"OPEN": data.NEW, "RECEIVED": data.NEW, "MATCH": data.PARTIALLY_FILLED, "FILLED": data.FILLED, "CANCELED": data.CANCELED,
             "UPDATE": data.NEW}
_EXECUTED = {"OPEN": data.EXEC_NEW, "RECEIVED": data.EXEC_NEW, "MATCH": data.EXEC_TRADE, "FILLED": data.EXEC_TRADE,
             "CANCELED": data.EXEC_CANCELED, "UPDATE": data.EXEC_AMENDMENT}
# A triggered stop order is used up: the order it became has an id of its own.
_STOPS = {"OPEN": data.UNTRIGGERED, "TRIGGERED": data.EXPIRED, "CANCEL": data.CANCELED, "CANCELED": data.CANCELED}
_STOPPED = {"OPEN": data.EXEC_NEW, "TRIGGERED": data.EXEC_TRIGGER, "CANCEL": data.EXEC_CANCELED, "CANCELED": data.EXEC_CANCELED}
_ORDER = {
    "symbol": "symbol", "order_id": "orderId", "client_order_id": "clientOid", "order_type_raw": "orderType", "orig_qty": "size",
    "price": "price", "leaves_qty": "remainSize", "cum_filled_qty": "filledSize", "reduce_only": "reduceOnly",
    "execution_type_raw": "type", "leverage": "leverage",
}
_FILL = {"trade_id": "tradeId", "qty": "matchSize", "price": "matchPrice", "fee": "fee", "fee_asset": "feeCurrency"}
_STOP = {
    "symbol": "symbol", "order_id": "orderId", "client_order_id": "clientOid", "order_type_raw": "orderType", "orig_qty": "size",
    "price": "orderPrice", "stop_price": "stopPrice", "working_type_raw": "stopPriceType", "status_raw": "type", "reason_raw": "error",
    "reduce_only": "reduceOnly", "order_create_time_ms": "createdAt",
}
_RESTING = {
    "symbol": "symbol", "order_id": "id", "client_order_id": "clientOid", "order_type_raw": "type", "time_in_force_raw": "timeInForce",
    "orig_qty": "size", "price": "price", "stop_price": "stopPrice", "working_type_raw": "stopPriceType", "reduce_only": "reduceOnly",
    "close_position": "closeOrder", "stp_mode_raw": "stp", "status_raw": "status", "cum_filled_qty": "filledSize",
    "avg_price": "avgDealPrice", "cum_quote": "filledValue", "leverage": "leverage", "order_create_time_ms": "createdAt",
}
_TRADE = {"trade_id": "tradeId", "qty": "size", "price": "price", "fee": "fee", "fee_asset": "feeCurrency", "quote_qty": "value",
          "exec_type_raw": "tradeType", "fee_rate": "feeRate"}


def read_order(teller: Teller, row: Fields, symbol: str = "") -> None:
    """symbolOrderChange. `match` carries the fill, without its fee; `filled` ends the order and carries none."""
    order = data.UserDataOrderUpdateEvent(qty_unit=data.CONTRACTS, origin=_origin(row))
    put(order, row, _ORDER)
    order.symbol = order.symbol or symbol
    row.must("orderId", "type")
    _sides(order, row)
    kind = order.execution_type_raw.upper()
    order.status_raw = row.said("status") or order.execution_type_raw
    _stand(order, row, kind)
    created, time = row.moment("orderTime"), row.moment("ts")
    if created:
        order.order_create_time_ms = created
    if time:
        order.meta.transaction_time_ms = time
    order.meta.business_key = f"order:{order.symbol}:{order.order_id}:{time or 0}:{order.execution_type_raw}:{order.cum_filled_qty}"
    if kind == "MATCH" and row.has("tradeId") and row.has("matchPrice") and not is_zero(row.text("matchSize")):
        _match(order, row)
    teller.tell(order, row)


def _match(order: data.UserDataOrderUpdateEvent, row: Fields) -> None:
    put(order.fill, row, _FILL)
    order.fill.exec_type_raw, order.fill.lite = order.execution_type_raw, not row.has("fee")  # else it comes with the fill's REST answer
    if order.meta.transaction_time_ms:
        order.fill.trade_time_ms = order.meta.transaction_time_ms
    if str(row.found.get("liquidity")).lower() in ("maker", "taker"):
        order.fill.is_maker = row.said("liquidity").lower() == "maker"
    order.meta.business_key = f"fill:{order.symbol}:{order.fill.trade_id}"


def _stand(order: data.UserDataOrderUpdateEvent, row: Fields, kind: str) -> None:
    """How it stands. `update` makes it smaller; when `done`, what was left of it was cancelled, as by self-trade prevention."""
    order.status = _STATUSES.get(kind, data.ORDER_STATUS_UNSPECIFIED)
    order.execution_type = _EXECUTED.get(kind, data.EXECUTION_TYPE_UNSPECIFIED)
    done, filled = order.status_raw.lower() == "done", not is_zero(order.cum_filled_qty)
    if kind == "UPDATE" and done:
        order.status, order.execution_type = data.PARTIALLY_FILLED_CANCELED if filled else data.CANCELED, data.EXEC_CANCELED
    elif kind == "UPDATE" and filled:
        order.status = data.PARTIALLY_FILLED
    elif kind == "MATCH" and done and order.leaves_qty and is_zero(order.leaves_qty):
        order.status = data.FILLED
    elif kind == "CANCELED" and filled and order.orig_qty and parse(order.cum_filled_qty) >= parse(order.orig_qty):
        order.status = data.FILLED  # as market orders may end
    if order.status == data.FILLED and not row.has("filledSize") and is_zero(str(row.found.get("canceledSize") or "")):
        order.cum_filled_qty = order.orig_qty


def read_stop(teller: Teller, row: Fields, symbol: str = "") -> None:
    """stopOrder: a conditional order; an error on its trigger is its end."""
    stop = data.UserDataOrderUpdateEvent(qty_unit=data.CONTRACTS, is_algo=True, origin=data.USER)
    put(stop, row, _STOP)
    stop.symbol = stop.symbol or symbol
    row.must("orderId", "type")
    _sides(stop, row)
    kind, right = stop.status_raw.upper(), row.flag("triggerSuccess")
    stop.status = _STOPS.get(kind, data.ORDER_STATUS_UNSPECIFIED)
    stop.execution_type, stop.execution_type_raw = _STOPPED.get(kind, data.EXECUTION_TYPE_UNSPECIFIED), stop.status_raw
    if kind == "TRIGGERED" and right is False:
        stop.status, stop.execution_type = data.REJECTED, data.EXEC_REJECTED
    time = row.moment("ts")
    if time:
        stop.meta.transaction_time_ms = time
    stop.meta.business_key = f"algo:{stop.symbol}:{stop.order_id}:{time or 0}:{stop.status_raw}"
    teller.tell(stop, row)


def read_resting(teller: Teller, row: Fields) -> None:
    """An order of a REST answer: open, or done and then filled or cancelled."""
    order = data.UserDataOrderUpdateEvent(qty_unit=data.CONTRACTS, execution_type=data.EXEC_SNAPSHOT, origin=_origin(row))
    put(order, row, _RESTING)
    row.must("symbol", "id")
    _sides(order, row)
    filled, active = not is_zero(order.cum_filled_qty), row.flag("isActive")
    if active is False or order.status_raw == "done":
        order.status = data.CANCELED if row.flag("cancelExist") or not filled else data.FILLED
    else:
        order.status = data.PARTIALLY_FILLED if filled else data.NEW
    _resting(order, row, "order")
    teller.tell(order, row)


def read_resting_stop(teller: Teller, row: Fields) -> None:
    """A stop order of a REST answer that waits for its trigger."""
    stop = data.UserDataOrderUpdateEvent(qty_unit=data.CONTRACTS, execution_type=data.EXEC_SNAPSHOT, origin=data.USER, is_algo=True)
    put(stop, row, _RESTING)
    row.must("symbol", "id")
    _sides(stop, row)
    stop.status = data.TRIGGERED if row.flag("stopTriggered") else data.UNTRIGGERED
    _resting(stop, row, "algo")
    teller.tell(stop, row)


def read_trade(teller: Teller, row: Fields) -> None:
    """A fill of a REST answer, with the fee that the socket does not tell."""
    order = data.UserDataOrderUpdateEvent(qty_unit=data.CONTRACTS, execution_type=data.EXEC_TRADE, execution_type_raw="match",
                                          origin=_origin(row))
    put(order, row, {"symbol": "symbol", "order_id": "orderId", "order_type_raw": "orderType"})
    put(order.fill, row, _TRADE)
    row.must("symbol", "orderId", "tradeId", "size", "price")
    _sides(order, row)
    if not row.has("positionSide"):
        order.position_side = data.POSITION_SIDE_UNSPECIFIED
    if row.has("liquidity"):
        order.fill.is_maker = row.said("liquidity").lower() == "maker"
    time = row.moment("tradeTime") or row.moment("createdAt")
    if time:
        order.meta.transaction_time_ms = order.fill.trade_time_ms = time
    order.meta.business_key = f"fill:{order.symbol}:{order.fill.trade_id}"
    teller.tell(order, row)


def _resting(order: data.UserDataOrderUpdateEvent, row: Fields, kind: str) -> None:
    time = row.moment("updatedAt") or order.order_create_time_ms
    if time:
        order.meta.transaction_time_ms = time
    order.meta.business_key = f"{kind}:{order.symbol}:{order.order_id}:{time}:{order.status_raw}:{order.cum_filled_qty}"


def _sides(order: data.UserDataOrderUpdateEvent, row: Fields) -> None:
    order.side = row.choice("side", SIDES, data.SIDE_UNSPECIFIED)
    order.position_side = row.choice("positionSide", LEGS, data.BOTH)
    order.margin_mode = row.choice("marginMode", MODES, data.MARGIN_MODE_UNSPECIFIED)


def _origin(row: Fields) -> data.Origin:
    """Fills of a liquidation, an ADL or a settlement are named by their trade type."""
    kinds = {"liquidation": data.LIQUIDATION, "liquid": data.LIQUIDATION, "adl": data.ADL, "settlement": data.SETTLEMENT,
             "cancel": data.SYSTEM_OTHER}
    return kinds.get(str(row.found.get("tradeType")).lower(), data.USER)
