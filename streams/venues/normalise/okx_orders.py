"""OKX v5: a row of an order, a fill, or a conditional (algo) order; streams and REST answers have the same."""

from schemas import user_data_pb2 as data
from streams.venues.normalise.fields import Fields, flipped, is_zero, put
from streams.venues.normalise.okx_rows import LEGS, MODES, SIDES, attach, contracts, product_of
from streams.venues.normalise.telling import Teller

_STATUSES = {"LIVE": data.NEW, "PARTIALLY_FILLED": data.PARTIALLY_FILLED, "FILLED": data.FILLED, "CANCELED": data.CANCELED,
             "MMP_CANCELED": data.CANCELED}
# Effective: its order was placed and lives on under an id of its own; the conditional order itself is used up.
_ALGO_STATUSES = {"LIVE": data.UNTRIGGERED, "PAUSE": data.UNTRIGGERED, "PARTIALLY_EFFECTIVE": data.UNTRIGGERED, "EFFECTIVE": data.EXPIRED,
                  "ORDER_PLACED": data.EXPIRED, "FILLED": data.FILLED, "PARTIALLY_FILLED": data.PARTIALLY_FILLED,
                  "CANCELED": data.CANCELED, "ORDER_FAILED": data.REJECTED, "PARTIALLY_FAILED": data.REJECTED}
_EXECUTED = {data.NEW: data.EXEC_NEW, data.CANCELED: data.EXEC_CANCELED, data.UNTRIGGERED: data.EXEC_NEW, data.EXPIRED: data.EXEC_TRIGGER,
             data.REJECTED: data.EXEC_REJECTED}
_ORIGINS = {"FULL_LIQUIDATION": data.LIQUIDATION, "PARTIAL_LIQUIDATION": data.LIQUIDATION, "ADL": data.ADL, "DELIVERY": data.DELIVERY,
            "AUTO_CONVERSION": data.SYSTEM_OTHER, "": data.ORIGIN_UNSPECIFIED}
_IN_FORCE = {"ioc", "fok", "op_fok", "post_only", "mmp_and_post_only", "optimal_limit_ioc"}
_AMENDED = {data.NEW, data.PARTIALLY_FILLED}
_ORDER = {
    "symbol": "instId", "order_id": "ordId", "client_order_id": "clOrdId", "algo_id": "algoId", "client_algo_id": "algoClOrdId",
    "order_type_raw": "ordType", "orig_qty": "sz", "price": "px", "reduce_only": "reduceOnly", "stp_mode_raw": "stpMode",
    "status_raw": "state", "cum_filled_qty": "accFillSz", "avg_price": "avgPx", "order_create_time_ms": "cTime",
    "cum_fee_asset": "feeCcy", "cum_realized_pnl": "pnl", "leverage": "lever", "take_profit": "tpTriggerPx", "stop_loss": "slTriggerPx",
    "create_type_raw": "category", "modify_id": "reqId",
}
_ALGO = {
    "symbol": "instId", "algo_id": "algoId", "client_algo_id": "algoClOrdId", "client_order_id": "clOrdId", "matching_order_id": "ordId",
    "order_type_raw": "ordType", "orig_qty": "sz", "stop_price": "triggerPx", "activation_price": "activePx",
    "callback_rate": "callbackRatio",
    "working_type_raw": "triggerPxType", "reduce_only": "reduceOnly", "status_raw": "state", "cum_filled_qty": "actualSz",
    "avg_price": "actualPx", "order_create_time_ms": "cTime", "leverage": "lever", "take_profit": "tpTriggerPx", "stop_loss": "slTriggerPx",
    "reason_raw": "failCode", "modify_id": "reqId",
}
_FILL = {"trade_id": "tradeId", "qty": "fillSz", "price": "fillPx", "fee_asset": "fillFeeCcy", "realized_pnl": "fillPnl",
         "trade_time_ms": "fillTime"}


def read_order(teller: Teller, row: Fields) -> None:
    """An order as it stands, with its last fill where this push carries one. Fees are negative where charged: ours are positive."""
    order = _order(row, _ORDER)
    row.must("instId", "ordId", "state")
    order.status = row.choice("state", _STATUSES, data.ORDER_STATUS_UNSPECIFIED)
    order.origin = row.choice("category", _ORIGINS, data.USER)
    if order.order_type_raw in _IN_FORCE:
        order.time_in_force_raw = order.order_type_raw
    fee = flipped(row.text("fee"))
    if fee is not None:
        order.cum_fee = fee
    _reason(order, row)
    attach(order, row, "attachAlgoOrds")
    changed = row.has("amendResult") and order.status in _AMENDED
    order.execution_type = data.EXEC_AMENDMENT if changed else _EXECUTED.get(order.status, data.EXECUTION_TYPE_UNSPECIFIED)
    order.execution_type_raw = row.said("amendResult")
    time = _time(order.meta, row, "uTime")
    order.meta.business_key = f"order:{order.symbol}:{order.order_id}:{time}:{order.status_raw}:{order.cum_filled_qty}"
    if str(row.found.get("tradeId") or "0") != "0" and not is_zero(row.text("fillSz")):
        _fill(order, row)
        if time and not order.fill.trade_time_ms:
            order.fill.trade_time_ms = time
        order.fill.lite = not row.has("fillFee")  # REST tells an order's last fill so: its fee comes with `fills`
    teller.tell(order, row)


def read_fill(teller: Teller, row: Fields) -> None:
    """A fill alone, from the `fills` channel (without its fee) or a REST answer (with it)."""
    order = _order(row, {"symbol": "instId", "order_id": "ordId", "client_order_id": "clOrdId"})
    row.must("instId", "ordId", "tradeId", "fillSz", "fillPx")
    _fill(order, row)
    if row.has("fee"):
        order.fill.fee = flipped(row.text("fee")) or ""
        put(order.fill, row, {"fee_asset": "feeCcy"})
    order.fill.lite = not row.has("fee")
    time = _time(order.meta, row, "ts")
    if time and not order.fill.trade_time_ms:
        order.fill.trade_time_ms = time
    teller.tell(order, row)


def read_algo(teller: Teller, row: Fields) -> None:
    """A conditional or sliced order as it stands; a price of -1 means at the market."""
    algo = _order(row, _ALGO)
    algo.is_algo, algo.origin = True, data.USER
    row.must("instId", "algoId", "state")
    if row.has("ordPx") and row.found["ordPx"] != "-1":
        algo.price = row.said("ordPx")
    if row.has("closeFraction"):  # it closes that part of the position, whatever its size is by then
        algo.close_position = row.found["closeFraction"] == "1"
    attach(algo, row, "attachAlgoOrds")
    algo.status = row.choice("state", _ALGO_STATUSES, data.ORDER_STATUS_UNSPECIFIED)
    algo.execution_type = _EXECUTED.get(algo.status, data.EXECUTION_TYPE_UNSPECIFIED)
    time = _time(algo.meta, row, "uTime") or row.moment("pTime") or algo.order_create_time_ms
    if time:
        algo.meta.transaction_time_ms = time
    algo.meta.business_key = f"algo:{algo.symbol}:{algo.algo_id}:{time}:{algo.status_raw}:{algo.cum_filled_qty}"
    teller.tell(algo, row)


def _order(row: Fields, columns: dict[str, str]) -> data.UserDataOrderUpdateEvent:
    order = data.UserDataOrderUpdateEvent()
    put(order, row, columns)
    order.meta.product_raw = product_of(row)
    order.qty_unit = data.QUOTE if row.found.get("tgtCcy") == "quote_ccy" else contracts(order.meta.product_raw)
    order.side = row.choice("side", SIDES, data.SIDE_UNSPECIFIED)
    order.position_side = row.choice("posSide", LEGS, data.BOTH if "posSide" in row.found else data.POSITION_SIDE_UNSPECIFIED)
    order.margin_mode = row.choice("tdMode", MODES, data.MARGIN_MODE_UNSPECIFIED)
    return order


def _fill(order: data.UserDataOrderUpdateEvent, row: Fields) -> None:
    put(order.fill, row, _FILL)
    row.must("fillPx")
    order.execution_type, order.execution_type_raw = data.EXEC_TRADE, row.said("execType")
    order.fill.exec_type_raw = order.execution_type_raw
    if order.execution_type_raw in ("M", "T"):
        order.fill.is_maker = order.execution_type_raw == "M"
    fee = flipped(row.text("fillFee"))
    if fee is not None:
        order.fill.fee = fee
    order.meta.business_key = f"fill:{order.symbol}:{order.fill.trade_id}"


def _reason(order: data.UserDataOrderUpdateEvent, row: Fields) -> None:
    """A refused amendment before a cancellation's source; where both are said the other is left over."""
    if row.has("code") and row.found["code"] != "0":
        order.reason_raw = row.said("code")
    elif row.has("cancelSource"):
        order.reason_raw = row.said("cancelSource")


def _time(meta: data.EventMeta, row: Fields, name: str) -> int:
    time = row.moment(name)
    if time is not None:
        meta.transaction_time_ms = time
    told = row.moment("pTime")
    if told is not None:
        meta.event_time_ms = told
    return time or 0
