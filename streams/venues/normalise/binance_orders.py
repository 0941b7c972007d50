"""Binance USD-M: its order events as order updates: orders, conditional (algo) orders, lite fills, refused triggers."""

from schemas import user_data_pb2 as data
from schemas.money import parse
from streams.venues.normalise.fields import Fields, is_zero, put
from streams.venues.normalise.telling import Telling

SIDES = {"BUY": data.BUY, "SELL": data.SELL}
POSITION_SIDES = {"BOTH": data.BOTH, "LONG": data.LONG, "SHORT": data.SHORT}
STATUSES = {
    "NEW": data.NEW, "PARTIALLY_FILLED": data.PARTIALLY_FILLED, "FILLED": data.FILLED, "CANCELED": data.CANCELED, "REJECTED": data.REJECTED,
    "EXPIRED": data.EXPIRED, "EXPIRED_IN_MATCH": data.EXPIRED_IN_MATCH, "NEW_ADL": data.NEW, "NEW_INSURANCE": data.NEW,
    "PENDING_NEW": data.NEW, "PENDING_CANCEL": data.NEW,
}
ALGO_STATUSES = {
    "NEW": data.UNTRIGGERED, "TRIGGERING": data.UNTRIGGERED, "TRIGGERED": data.TRIGGERED, "CANCELED": data.CANCELED,
    "REJECTED": data.REJECTED, "EXPIRED": data.EXPIRED,
}
_EXECUTIONS = {
    "NEW": data.EXEC_NEW, "TRADE": data.EXEC_TRADE, "CANCELED": data.EXEC_CANCELED, "EXPIRED": data.EXEC_EXPIRED,
    "AMENDMENT": data.EXEC_AMENDMENT, "CALCULATED": data.EXEC_CALCULATED, "REJECTED": data.EXEC_REJECTED,
}
_ALGO_EXECUTIONS = {"NEW": data.EXEC_NEW, "TRIGGERED": data.EXEC_TRIGGER, "CANCELED": data.EXEC_CANCELED, "REJECTED": data.EXEC_REJECTED,
                    "EXPIRED": data.EXEC_EXPIRED}
_ORIGINS = (("autoclose-", data.LIQUIDATION), ("adl_autoclose", data.ADL), ("settlement_autoclose-", data.SETTLEMENT),
            ("delivery_autoclose-", data.DELIVERY))
_BY_THE_VENUE = {"NEW_ADL": data.ADL, "NEW_INSURANCE": data.INSURANCE}
_CONDITIONAL = {"STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"}
_SHARED = {
    "symbol": "s", "time_in_force_raw": "f", "orig_qty": "q", "price": "p", "avg_price": "ap", "working_type_raw": "wt", "reduce_only": "R",
    "close_position": "cp", "price_protect": "pP", "stp_mode_raw": "V", "price_match_raw": "pm", "callback_rate": "cr",
    "activation_price": "AP", "good_till_date_ms": "gtd",
}
_ORDER = _SHARED | {
    "order_id": "i", "client_order_id": "c", "order_type_raw": "o", "original_order_type_raw": "ot", "stop_price": "sp",
    "execution_type_raw": "x", "status_raw": "X", "reason_raw": "er", "cum_filled_qty": "z", "bids_notional": "b", "asks_notional": "a",
    "modify_id": "M",
}
_ALGO = _SHARED | {
    "algo_id": "aid", "client_algo_id": "caid", "matching_order_id": "ai", "order_type_raw": "o", "stop_price": "tp", "status_raw": "X",
    "cum_filled_qty": "aq", "reason_raw": "rm", "activated": "ia",
}
_LITE = {"symbol": "s", "order_id": "i", "client_order_id": "c", "orig_qty": "q", "price": "p"}
_FILL = {"trade_id": "t", "qty": "l", "price": "L", "fee": "n", "fee_asset": "N", "is_maker": "m", "realized_pnl": "rp"}
_LITE_FILL = {"trade_id": "t", "qty": "l", "price": "L", "is_maker": "m"}


def read_order(telling: Telling, event: Fields) -> None:
    """ORDER_TRADE_UPDATE; a fill where a trade or a liquidation moved the order."""
    row = event.inner("o")
    order = data.UserDataOrderUpdateEvent(qty_unit=data.BASE)
    put(order, row, _ORDER)
    row.must("i", "X", "x")
    row.whole("i")  # an id with an exponent has passed through a float
    _sides(order, row)
    order.execution_type = row.choice("x", _EXECUTIONS, data.EXECUTION_TYPE_UNSPECIFIED)
    order.status = _status(order, row)
    order.origin = origin_of(order)
    parent = row.positive("si")
    if parent:
        order.algo_id = str(parent)
    time = _fill(order, row) or event.moment("T") or event.moment("E") or 0
    if event.moment("T") is None and time:
        order.meta.transaction_time_ms = time
    if not order.HasField("fill"):
        order.meta.business_key = f"order:{order.symbol}:{order.order_id}:{time}:{order.status_raw}:{order.cum_filled_qty}"
    telling.tell(order, row)


def read_algo(telling: Telling, event: Fields) -> None:
    """ALGO_UPDATE. FINISHED is the end of the order that was placed: filled, or cancelled in the book."""
    row = event.inner("o")
    algo = data.UserDataOrderUpdateEvent(qty_unit=data.BASE, is_algo=True, origin=data.USER)
    put(algo, row, _ALGO)
    row.must("aid", "X")
    row.whole("aid")
    _sides(algo, row)
    algo.status, algo.execution_type = finish(algo, row, "X"), row.choice("X", _ALGO_EXECUTIONS, data.EXECUTION_TYPE_UNSPECIFIED)
    time = event.moment("T") or event.moment("E") or 0
    algo.meta.business_key = f"algo:{algo.symbol}:{algo.algo_id}:{time}:{algo.status_raw}:{algo.cum_filled_qty}"
    telling.tell(algo, row)


def read_lite(telling: Telling, event: Fields) -> None:
    """TRADE_LITE: the same fill as the full event's, earlier, without fee, PnL and status."""
    order = data.UserDataOrderUpdateEvent(qty_unit=data.BASE, execution_type=data.EXEC_TRADE, execution_type_raw="TRADE")
    put(order, event, _LITE)
    order.side = event.choice("S", SIDES, data.SIDE_UNSPECIFIED)
    put(order.fill, event, _LITE_FILL)
    for name in ("i", "t"):
        event.whole(name)
    order.fill.lite = True
    if not order.order_id or not order.fill.trade_id:
        raise event.wrong("t" if order.order_id else "i", "an id")
    time = event.moment("T")
    if time is not None:
        order.fill.trade_time_ms = time
    order.meta.business_key = f"fill:{order.symbol}:{order.fill.trade_id}"
    telling.tell(order)


def read_reject(telling: Telling, event: Fields) -> None:
    """CONDITIONAL_ORDER_TRIGGER_REJECT: the order ended when its trigger was reached."""
    row = event.inner("or")
    order = data.UserDataOrderUpdateEvent(status=data.REJECTED, execution_type=data.EXEC_REJECTED)
    put(order, row, {"symbol": "s", "order_id": "i", "reason_raw": "r"})
    order.meta.business_key = f"reject:{order.symbol}:{order.order_id}:{event.moment('T') or event.moment('E') or 0}"
    telling.tell(order, row)


def finish(algo: data.UserDataOrderUpdateEvent, row: Fields, name: str) -> data.OrderStatus:
    """A conditional order's status; FINISHED with less than all of it filled was cancelled in the book."""
    if algo.status_raw != "FINISHED":
        return row.choice(name, ALGO_STATUSES, data.ORDER_STATUS_UNSPECIFIED)
    if is_zero(algo.cum_filled_qty):
        return data.CANCELED
    whole = is_zero(algo.orig_qty) or parse(algo.cum_filled_qty) >= parse(algo.orig_qty)
    return data.FILLED if whole else data.PARTIALLY_FILLED_CANCELED


def origin_of(order: data.UserDataOrderUpdateEvent) -> data.Origin:
    """Who sent the order, by its client order id, type and status."""
    if order.status_raw in _BY_THE_VENUE:
        return _BY_THE_VENUE[order.status_raw]
    by_name = next((origin for prefix, origin in _ORIGINS if order.client_order_id.startswith(prefix)), None)
    if by_name is not None:
        return by_name
    return data.LIQUIDATION if order.order_type_raw == "LIQUIDATION" else data.USER


def _sides(order: data.UserDataOrderUpdateEvent, row: Fields) -> None:
    order.side = row.choice("S", SIDES, data.SIDE_UNSPECIFIED)
    order.position_side = row.choice("ps", POSITION_SIDES, data.POSITION_SIDE_UNSPECIFIED)


def _status(order: data.UserDataOrderUpdateEvent, row: Fields) -> data.OrderStatus:
    """EXPIRED without a reason (`er` 0) is how a conditional order is used up: it comes back as what it became, under the same id."""
    if order.status_raw == "EXPIRED" and order.reason_raw == "0" and order.order_type_raw in _CONDITIONAL:
        return data.TRIGGERED
    taken = order.status_raw in _BY_THE_VENUE or (order.status_raw, order.execution_type_raw) == ("NEW", "CALCULATED")
    if taken and not is_zero(order.cum_filled_qty):  # it takes what it says at once
        return data.FILLED if parse(order.cum_filled_qty) >= parse(order.orig_qty or "0") else data.PARTIALLY_FILLED
    return row.choice("X", STATUSES, data.ORDER_STATUS_UNSPECIFIED)


def _fill(order: data.UserDataOrderUpdateEvent, row: Fields) -> int | None:
    """Fills in the execution, if there is one; returns the order's own time, ms."""
    time = row.moment("T")
    is_nothing = is_zero(str(row.found.get("l") or ""))  # then its fields are left over
    if is_nothing or order.execution_type_raw not in ("TRADE", "CALCULATED") or row.positive("t") is None:
        return time
    put(order.fill, row, _FILL)
    row.must("L")
    if time is not None:
        order.fill.trade_time_ms = time
    order.fill.exec_type_raw = order.execution_type_raw
    order.meta.business_key = f"fill:{order.symbol}:{order.fill.trade_id}"
    return time
