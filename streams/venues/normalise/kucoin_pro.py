"""KuCoin's Pro (unified) socket: short field names, times in ns, one object or a list of them under `d`."""

from collections.abc import Callable, Mapping

from schemas import user_data_pb2 as data
from streams.venues.normalise.fields import Fields, is_zero, put
from streams.venues.normalise.kucoin_rows import count_down
from streams.venues.normalise.telling import Teller

_SIDES = {"BUY": data.BUY, "SELL": data.SELL}
_LEGS = {"BOTH": data.BOTH, "LONG": data.LONG, "SHORT": data.SHORT}
_MODES = {"CROSS": data.CROSS, "ISOLATED": data.ISOLATED}
_STATUSES = {"0": data.UNTRIGGERED, "1": data.TRIGGERED, "2": data.NEW, "3": data.FILLED, "4": data.PARTIALLY_FILLED, "5": data.CANCELED,
             "6": data.PARTIALLY_FILLED_CANCELED}
_EXECUTED = {"OPEN": data.EXEC_NEW, "UPDATE": data.EXEC_AMENDMENT, "FILL": data.EXEC_TRADE, "MATCH": data.EXEC_TRADE,
             "CANCEL": data.EXEC_CANCELED, "TRIGGER": data.EXEC_TRIGGER}
_UNITS = {"UNIT": data.CONTRACTS, "BASECCY": data.BASE, "QUOTECCY": data.QUOTE}
_ORDER = {
    "symbol": "s", "order_id": "oi", "client_order_id": "ci", "algo_id": "toi", "order_type_raw": "oT", "time_in_force_raw": "tIF",
    "orig_qty": "q", "price": "p", "stop_price": "tP", "working_type_raw": "tPT", "reduce_only": "rO", "stp_mode_raw": "stp",
    "execution_type_raw": "eT", "status_raw": "os", "reason_raw": "cR", "cum_filled_qty": "fS", "avg_price": "aP", "leaves_qty": "rS",
    "order_create_time_ms": "O", "cum_fee": "f", "cum_fee_asset": "fC", "leverage": "l", "take_profit": "pP", "stop_loss": "lP",
    "create_type_raw": "oS",
}
_POSITION = {
    "symbol": "s", "position_id": "pi", "amount": "q", "entry_price": "eP", "mark_price": "mP", "liquidation_price": "lP",
    "bankruptcy_price": "bP", "unrealized_pnl": "uPL", "accumulated_realized": "rPL", "leverage": "l", "initial_margin": "iM",
    "maint_margin": "mtM", "position_value": "pV", "margin_ratio": "r", "open_time_ms": "O",
}
_BALANCE = {"asset": "c", "wallet_balance": "b", "available_balance": "a", "equity": "e", "locked": "h", "borrowed": "l"}
_CALL = {"account_margin_ratio": "r", "level_raw": "eT", "equity": "e", "maint_margin": "mM"}


def read_pro(teller: Teller, name: str, product: str, envelope: Fields) -> bool:
    """Reads the rows of a channel (`orderAll` of `orderAll.FUTURES`); False where nobody knows it."""
    reader = _CHANNELS.get(name)
    if reader is None:
        return False
    if not isinstance(envelope.found.get("d"), dict | list):
        raise envelope.wrong("d", "an object")
    for row in envelope.rows("d"):
        reader(teller, row, product)
    return True


def _order(teller: Teller, row: Fields, product: str) -> None:
    order = data.UserDataOrderUpdateEvent(origin=data.USER)
    put(order, row, _ORDER)
    row.must("s", "oi", "os")
    product = product or row.said("tT")
    order.side = row.choice("S", _SIDES, data.SIDE_UNSPECIFIED)
    order.position_side = row.choice("pS", _LEGS, data.BOTH)
    order.margin_mode = row.choice("mM", _MODES, data.MARGIN_MODE_UNSPECIFIED)
    order.qty_unit = row.choice("qU", _UNITS, data.CONTRACTS if product == "FUTURES" else data.BASE)
    order.status = _STATUSES.get(order.status_raw, data.ORDER_STATUS_UNSPECIFIED)
    order.execution_type = row.choice("eT", _EXECUTED, data.EXECUTION_TYPE_UNSPECIFIED)
    time = _meta(order.meta, row, product, "U")
    order.meta.business_key = f"order:{order.symbol}:{order.order_id}:{time}:{order.status_raw}:{order.cum_filled_qty}"
    if order.execution_type == data.EXEC_TRADE and row.has("ti") and not is_zero(row.text("lS")):  # else `execution` tells it
        put(order.fill, row, {"trade_id": "ti", "qty": "lS", "price": "ls"})
        order.fill.lite = True  # its fee is the order's, not its own
        order.fill.trade_time_ms = time
        order.meta.business_key = f"fill:{order.symbol}:{order.fill.trade_id}"
    if order.HasField("fill") and row.has("lR"):
        order.fill.is_maker = row.said("lR").upper() == "MAKER"
    teller.tell(order, row)


def _execution(teller: Teller, row: Fields, product: str) -> None:
    order = data.UserDataOrderUpdateEvent(execution_type=data.EXEC_TRADE, origin=data.USER)
    put(order, row, {"symbol": "s", "order_id": "oi", "client_order_id": "ci", "order_type_raw": "oT"})
    put(order.fill, row, {"trade_id": "ti", "qty": "q", "price": "p", "fee": "f", "fee_asset": "fC", "trade_time_ms": "E"})
    row.must("s", "oi", "ti", "q", "p")
    order.side = row.choice("S", _SIDES, data.SIDE_UNSPECIFIED)
    order.position_side = row.choice("pS", _LEGS, data.POSITION_SIDE_UNSPECIFIED)
    order.qty_unit = data.CONTRACTS if product == "FUTURES" else data.BASE
    order.fill.lite = not row.has("f")
    if row.has("lR"):
        order.fill.is_maker = row.said("lR").upper() == "MAKER"
    _meta(order.meta, row, product, "E")
    order.meta.business_key = f"fill:{order.symbol}:{order.fill.trade_id}"
    teller.tell(order, row)


def _position(teller: Teller, row: Fields, product: str) -> None:
    position = data.UserDataPositionUpdateEvent(qty_unit=data.CONTRACTS)
    put(position, row, _POSITION)
    row.must("s", "q")
    position.position_side = row.choice("pS", _LEGS, data.BOTH)
    count_down(position)
    position.margin_mode = row.choice("mM", _MODES, data.MARGIN_MODE_UNSPECIFIED)
    if position.margin_mode == data.ISOLATED and row.has("pM"):
        position.isolated_wallet = row.said("pM")
    time = _meta(position.meta, row, product, "U")
    position.meta.business_key = f"pos:{position.symbol}:{data.PositionSide.Name(position.position_side)}:{time}"
    teller.tell(position, row)


def _balance(teller: Teller, row: Fields, product: str) -> None:
    balance = data.UserDataBalanceUpdateEvent()
    put(balance, row, _BALANCE)
    row.must("c")
    put(balance.meta, row, {"exchange_seq": "E"})
    time = _meta(balance.meta, row, product, "U")
    balance.meta.business_key = f"bal:{balance.asset}:{time}"
    teller.tell(balance, row)


def _leverage(teller: Teller, row: Fields, product: str) -> None:
    row.must("s", "l")
    event = data.UserDataAccountConfigEvent(leverage=data.LeverageChange(symbol=row.said("s"), leverage=row.said("l")))
    time = _meta(event.meta, row, product, "U")
    event.meta.business_key = f"config:leverage:{event.leverage.symbol}:{time}"
    teller.tell(event, row)


def _warning(teller: Teller, row: Fields, product: str) -> None:
    call = data.UserDataMarginCallEvent()
    put(call, row, _CALL)
    row.must("eT")
    call.meta.business_key = f"call:{_meta(call.meta, row, product, 'U')}"
    teller.tell(call, row)


def _meta(meta: data.EventMeta, row: Fields, product: str, name: str) -> int:
    meta.product_raw = product
    time = row.moment(name)
    if time is not None:
        meta.transaction_time_ms = time
    return time or 0


_CHANNELS: Mapping[str, Callable[[Teller, Fields, str], None]] = {
    "orderAll": _order, "order": _order, "execution": _execution, "executionLite": _execution, "positionAll": _position,
    "position": _position, "balance": _balance, "leverage": _leverage, "lw": _warning,
}
