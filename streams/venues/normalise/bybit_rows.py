"""Bybit v5: a row of an order, an execution, a position or a wallet; streams and REST answers have the same."""

from schemas import user_data_pb2 as data
from streams.venues.normalise.derived import margin_call
from streams.venues.normalise.fields import Fields, flipped, is_zero, put
from streams.venues.normalise.telling import Teller

EXCHANGE = data.BYBIT_V5
_SIDES = {"BUY": data.BUY, "SELL": data.SELL}
_LEGS = {0: data.BOTH, 1: data.LONG, 2: data.SHORT}
_STATUSES = {
    "CREATED": data.NEW, "NEW": data.NEW, "ACTIVE": data.NEW, "PARTIALLYFILLED": data.PARTIALLY_FILLED, "FILLED": data.FILLED,
    "UNTRIGGERED": data.UNTRIGGERED, "TRIGGERED": data.TRIGGERED, "REJECTED": data.REJECTED, "CANCELLED": data.CANCELED,
    "PARTIALLYFILLEDCANCELED": data.PARTIALLY_FILLED_CANCELED, "DEACTIVATED": data.CANCELED,
}
_EXECUTED = {data.NEW: data.EXEC_NEW, data.CANCELED: data.EXEC_CANCELED, data.REJECTED: data.EXEC_REJECTED,
             data.TRIGGERED: data.EXEC_TRIGGER, data.UNTRIGGERED: data.EXEC_NEW, data.PARTIALLY_FILLED_CANCELED: data.EXEC_CANCELED}
_TRADES = {
    "TRADE": data.EXEC_TRADE, "BLOCKTRADE": data.EXEC_TRADE, "MOVEPOSITION": data.EXEC_TRADE, "FUTURESPREAD": data.EXEC_TRADE,
    "ADLTRADE": data.EXEC_CALCULATED, "BUSTTRADE": data.EXEC_CALCULATED, "SETTLE": data.EXEC_CALCULATED, "DELIVERY": data.EXEC_CALCULATED,
    "SESSIONSETTLEPNL": data.EXEC_CALCULATED, "CORPORATEACTION": data.EXEC_CALCULATED,
}
_ORIGINS = {"ADLTRADE": data.ADL, "BUSTTRADE": data.LIQUIDATION, "SETTLE": data.SETTLEMENT, "DELIVERY": data.DELIVERY,
            "SESSIONSETTLEPNL": data.SETTLEMENT, "CORPORATEACTION": data.SYSTEM_OTHER}
_SYSTEM = (("CreateByLiq", data.LIQUIDATION), ("CreateByTakeOver", data.LIQUIDATION), ("CreateByAdl", data.ADL),
           ("CreateBySettle", data.SETTLEMENT), ("CreateByDelivery", data.DELIVERY), ("CreateByAdmin", data.SYSTEM_OTHER),
           ("CreateBy", data.USER), ("CloseBy", data.USER))
_ORDER = {
    "symbol": "symbol", "order_id": "orderId", "client_order_id": "orderLinkId", "position_idx": "positionIdx",
    "order_type_raw": "orderType", "time_in_force_raw": "timeInForce", "orig_qty": "qty", "price": "price", "stop_price": "triggerPrice",
    "working_type_raw": "triggerBy",
    "reduce_only": "reduceOnly", "close_position": "closeOnTrigger", "stp_mode_raw": "smpType", "status_raw": "orderStatus",
    "cum_filled_qty": "cumExecQty", "avg_price": "avgPrice", "cum_quote": "cumExecValue", "leaves_qty": "leavesQty",
    "order_create_time_ms": "createdTime", "cum_fee": "cumExecFee", "cum_fee_asset": "feeCurrency", "cum_realized_pnl": "closedPnl",
    "take_profit": "takeProfit", "stop_loss": "stopLoss", "create_type_raw": "createType", "original_order_type_raw": "stopOrderType",
}
_EXECUTION = {
    "symbol": "symbol", "order_id": "orderId", "client_order_id": "orderLinkId", "order_type_raw": "orderType", "orig_qty": "orderQty",
    "price": "orderPrice", "leaves_qty": "leavesQty", "create_type_raw": "createType", "original_order_type_raw": "stopOrderType",
}
_FILL = {"trade_id": "execId", "qty": "execQty", "price": "execPrice", "fee": "execFee", "fee_asset": "feeCurrency", "is_maker": "isMaker",
         "realized_pnl": "execPnl", "trade_time_ms": "execTime", "exec_type_raw": "execType", "fee_rate": "feeRate",
         "quote_qty": "execValue"}
_POSITION = {
    "symbol": "symbol", "position_idx": "positionIdx", "breakeven_price": "breakEvenPrice", "mark_price": "markPrice",
    "liquidation_price": "liqPrice", "unrealized_pnl": "unrealisedPnl", "accumulated_realized": "cumRealisedPnl",
    "closed_pnl": "curRealisedPnl", "leverage": "leverage", "initial_margin": "positionIM", "maint_margin": "positionMM",
    "position_value": "positionValue", "adl_rank": "adlRankIndicator", "status_raw": "positionStatus", "bankruptcy_price": "bustPrice",
    "risk_limit_raw": "riskId", "auto_add_margin": "autoAddMargin", "take_profit": "takeProfit", "stop_loss": "stopLoss",
}
_TOTAL = {
    "wallet_balance": "totalWalletBalance", "available_balance": "totalAvailableBalance", "equity": "totalEquity",
    "unrealized_pnl": "totalPerpUPL", "initial_margin": "totalInitialMargin", "maint_margin": "totalMaintenanceMargin",
    "margin_ratio": "accountMMRate",
}
_COIN = {
    "asset": "coin", "wallet_balance": "walletBalance", "available_balance": "availableToWithdraw", "equity": "equity",
    "unrealized_pnl": "unrealisedPnl", "locked": "locked", "borrowed": "borrowAmount", "accrued_interest": "accruedInterest",
    "maint_margin": "totalPositionMM", "usd_value": "usdValue", "order_margin": "totalOrderIM", "position_margin": "totalPositionIM",
    "bonus": "bonus",
}


def read_order(teller: Teller, row: Fields) -> None:
    """An order as it stands. Its fills come as executions."""
    order = data.UserDataOrderUpdateEvent(qty_unit=_unit(row))
    put(order, row, _ORDER)
    row.must("symbol", "orderId", "orderStatus")
    _sides(order, row)
    order.status = row.choice("orderStatus", _STATUSES, data.ORDER_STATUS_UNSPECIFIED)
    order.execution_type = _EXECUTED.get(order.status, data.EXECUTION_TYPE_UNSPECIFIED)
    order.origin = _creator(order) or data.ORIGIN_UNSPECIFIED
    if order.original_order_type_raw == "TrailingStop":  # there the trigger is where it begins to trail
        order.activation_price = order.stop_price
    _reason(order, row)
    _fees(order, row)
    time = _meta(order.meta, row, row.moment("updatedTime"))
    order.meta.business_key = f"order:{order.symbol}:{order.order_id}:{time}:{order.status_raw}:{order.cum_filled_qty}"
    teller.tell(order, row)


def read_execution(teller: Teller, row: Fields) -> None:
    """An execution: a fill, or a funding fee, which is no trade and touches a balance. `execution.fast` has no fee and no type."""
    row.must("symbol", "execId")
    if row.said("execType") == "Funding":
        _read_funding(teller, row)
        return
    order = data.UserDataOrderUpdateEvent(qty_unit=_unit(row))
    put(order, row, _EXECUTION)
    put(order.fill, row, _FILL)
    row.must("execQty", "execPrice")
    _sides(order, row)
    order.execution_type = row.choice("execType", _TRADES, data.EXECUTION_TYPE_UNSPECIFIED)
    order.execution_type_raw, order.fill.lite = row.said("execType"), not row.has("execType")
    if order.fill.lite:
        order.execution_type = data.EXEC_TRADE
    order.origin = _ORIGINS.get(order.execution_type_raw.upper()) or _creator(order) or data.USER
    for item in row.rows("extraFees") if isinstance(row.found.get("extraFees"), list) else ():
        fee = order.fill.extra_fees.add()
        put(fee, item, {"kind_raw": "feeType", "asset": "feeCoin", "amount": "fee", "rate": "feeRate"})
    _meta(order.meta, row, row.moment("execTime"))
    order.meta.business_key = f"fill:{order.symbol}:{order.fill.trade_id}"
    teller.tell(order, row)


def read_position(teller: Teller, row: Fields) -> None:
    """A position as it stands; Bybit says its side apart from its size, and neither where it is flat."""
    position = data.UserDataPositionUpdateEvent(qty_unit=_unit(row))
    put(position, row, _POSITION)
    row.must("symbol", "size")
    size, side = row.said("size"), row.choice("side", _SIDES, data.SIDE_UNSPECIFIED)
    if side == data.SIDE_UNSPECIFIED and not is_zero(size):
        raise row.wrong("side", "Buy or Sell of a position that is not flat")
    position.amount = (flipped(size) or "") if side == data.SELL else size
    put(position, row, {"entry_price": "entryPrice" if row.has("entryPrice") else "avgPrice"})
    position.position_side = _leg(position)
    mode = row.whole("tradeMode")
    position.margin_mode = {0: data.CROSS, 1: data.ISOLATED}.get(mode if mode is not None else -1, data.MARGIN_MODE_UNSPECIFIED)
    if position.margin_mode == data.ISOLATED and row.has("positionBalance"):
        position.isolated_wallet = row.said("positionBalance")
    opened = row.moment("openTime") or row.moment("createdTime")  # createdTime is of the first one ever in this symbol
    if opened:
        position.open_time_ms = opened
    time = _meta(position.meta, row, row.moment("updatedTime"))
    position.meta.business_key = f"pos:{position.symbol}:{data.PositionSide.Name(position.position_side)}:{time}"
    teller.tell(position, row)


def read_wallet(teller: Teller, row: Fields) -> None:
    """An account: its totals in dollars, a margin call where they are near liquidation, then its coins."""
    total = data.UserDataBalanceUpdateEvent()
    coins = row.rows("coin")
    put(total, row, _TOTAL)
    total.meta.business_key = "bal:"
    call = margin_call(total, "accountMMRate")
    if any(map(row.has, _TOTAL.values())):
        teller.tell(total, row)
    for coin in coins:
        balance = data.UserDataBalanceUpdateEvent()
        put(balance, coin, _COIN)
        coin.must("coin")
        balance.meta.business_key = f"bal:{balance.asset}"
        teller.tell(balance, coin)
    if call is not None:
        teller.tell(call)


def _read_funding(teller: Teller, row: Fields) -> None:
    balance = data.UserDataBalanceUpdateEvent(reason_raw="Funding", related_symbol=row.said("symbol"), asset=_settle(row))
    balance.balance_change = flipped(row.text("execFee")) or "0"
    _meta(balance.meta, row, row.moment("execTime"))
    balance.meta.business_key = f"funding:{row.said('symbol')}:{row.said('execId')}"
    teller.tell(balance, row)


def _settle(row: Fields) -> str:
    """What a contract's funding is paid in: said, or by its symbol (BTCUSDT, BTCPERP in USDC, BTCUSD in the coin)."""
    symbol = row.said("symbol").partition("-")[0]
    known = row.said("feeCurrency") or next((coin for coin in ("USDT", "USDC") if symbol.endswith(coin)), "")
    return known or ("USDC" if symbol.endswith("PERP") else symbol.removesuffix("USD"))


def _sides(order: data.UserDataOrderUpdateEvent, row: Fields) -> None:
    order.side = row.choice("side", _SIDES, data.SIDE_UNSPECIFIED)
    order.position_side = _leg(order)


def _leg(message: data.UserDataOrderUpdateEvent | data.UserDataPositionUpdateEvent) -> data.PositionSide:
    """Where the index is said; executions have none."""
    known = _LEGS.get(message.position_idx) if message.HasField("position_idx") else None
    return data.POSITION_SIDE_UNSPECIFIED if known is None else known


def _reason(order: data.UserDataOrderUpdateEvent, row: Fields) -> None:
    """Why it ended: a rejection before a cancellation; where both are said the other is left over."""
    for name in ("rejectReason", "cancelType"):
        if row.has(name) and row.found[name] not in ("EC_NoError", "UNKNOWN"):
            order.reason_raw = row.said(name)
            return


def _fees(order: data.UserDataOrderUpdateEvent, row: Fields) -> None:
    """`cumFeeDetail` follows the older fields: it tells what they do not, where it knows one coin."""
    detail = row.found.get("cumFeeDetail")
    if not isinstance(detail, dict) or len(detail) != 1:
        return
    [coin] = detail
    amount = Fields(detail, "cumFeeDetail.").said(coin)
    if not order.cum_fee:
        order.cum_fee = amount
    if order.cum_fee == amount and not order.cum_fee_asset:
        order.cum_fee_asset = coin


def _creator(order: data.UserDataOrderUpdateEvent) -> data.Origin | None:
    created = order.create_type_raw
    return next((origin for prefix, origin in _SYSTEM if created.startswith(prefix)), None)


def _unit(row: Fields) -> data.QtyUnit:
    """Inverse contracts count dollars, as market orders of spot may; all else counts the base coin."""
    quote = row.found.get("category") == "inverse" or row.found.get("marketUnit") == "quoteCoin"
    return data.QUOTE if quote else data.BASE


def _meta(meta: data.EventMeta, row: Fields, time_ms: int | None) -> int:
    """Product, sequence and time of a row; the time, 0 for none."""
    put(meta, row, {"product_raw": "category", "exchange_seq": "seq"})
    if time_ms is not None:
        meta.transaction_time_ms = time_ms
    return time_ms or 0

