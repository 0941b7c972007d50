"""Binance USD-M: the answers of its REST snapshot and of the questions about a gap."""

from collections.abc import Mapping

from schemas import user_data_pb2 as data
from schemas.names import ACCOUNT_CONFIG, BALANCE_UPDATES, ORDER_UPDATES, POSITION_UPDATES, VENUE_MARGIN_CALLS
from streams.venues.frames import Unreadable
from streams.venues.normalise.answers import Answers, Rest
from streams.venues.normalise.binance import EXCHANGE, PRODUCT, margin_mode
from streams.venues.normalise.binance_orders import POSITION_SIDES, SIDES, STATUSES, finish, origin_of
from streams.venues.normalise.derived import computed_call
from streams.venues.normalise.fields import Fields, is_zero, put, rows

_ASSET = {
    "asset": "asset", "wallet_balance": "walletBalance", "cross_wallet_balance": "crossWalletBalance",
    "available_balance": "availableBalance", "equity": "marginBalance", "unrealized_pnl": "unrealizedProfit",
    "initial_margin": "initialMargin", "maint_margin": "maintMargin",
    "order_margin": "openOrderInitialMargin", "position_margin": "positionInitialMargin",
}
_TOTAL = {
    "wallet_balance": "totalWalletBalance", "cross_wallet_balance": "totalCrossWalletBalance", "available_balance": "availableBalance",
    "equity": "totalMarginBalance", "unrealized_pnl": "totalUnrealizedProfit", "initial_margin": "totalInitialMargin",
    "maint_margin": "totalMaintMargin", "order_margin": "totalOpenOrderInitialMargin", "position_margin": "totalPositionInitialMargin",
}
_BALANCE = {"asset": "asset", "wallet_balance": "balance", "cross_wallet_balance": "crossWalletBalance",
            "available_balance": "availableBalance"}
_POSITION = {
    "symbol": "symbol", "amount": "positionAmt", "entry_price": "entryPrice", "breakeven_price": "breakEvenPrice",
    "mark_price": "markPrice", "liquidation_price": "liquidationPrice", "unrealized_pnl": "unRealizedProfit",
    "isolated_wallet": "isolatedWallet",
    "margin_asset": "marginAsset", "leverage": "leverage", "initial_margin": "initialMargin", "maint_margin": "maintMargin",
    "position_value": "notional", "adl_rank": "adl", "auto_add_margin": "isAutoAddMargin",
}
_ORDER = {
    "symbol": "symbol", "order_id": "orderId", "client_order_id": "clientOrderId", "order_type_raw": "type",
    "original_order_type_raw": "origType", "time_in_force_raw": "timeInForce", "orig_qty": "origQty", "price": "price",
    "stop_price": "stopPrice", "activation_price": "activatePrice", "callback_rate": "priceRate", "working_type_raw": "workingType",
    "reduce_only": "reduceOnly", "close_position": "closePosition", "price_protect": "priceProtect",
    "stp_mode_raw": "selfTradePreventionMode",
    "price_match_raw": "priceMatch", "good_till_date_ms": "goodTillDate", "status_raw": "status", "cum_filled_qty": "executedQty",
    "avg_price": "avgPrice", "cum_quote": "cumQuote", "order_create_time_ms": "time",
}
_ALGO = {
    "symbol": "symbol", "algo_id": "algoId", "client_algo_id": "clientAlgoId", "matching_order_id": "actualOrderId",
    "order_type_raw": "orderType", "time_in_force_raw": "timeInForce", "orig_qty": "quantity", "price": "price",
    "stop_price": "triggerPrice",
    "activation_price": "activatePrice", "callback_rate": "callbackRate", "working_type_raw": "workingType", "reduce_only": "reduceOnly",
    "close_position": "closePosition", "price_protect": "priceProtect", "stp_mode_raw": "selfTradePreventionMode",
    "price_match_raw": "priceMatch", "good_till_date_ms": "goodTillDate", "status_raw": "algoStatus", "avg_price": "actualPrice",
    "cum_filled_qty": "actualQty", "order_create_time_ms": "createTime",
}
_TRADE = {"trade_id": "id", "qty": "qty", "price": "price", "fee": "commission", "fee_asset": "commissionAsset", "is_maker": "maker",
          "realized_pnl": "realizedPnl", "quote_qty": "quoteQty", "trade_time_ms": "time"}


def _answer(part: str, found: object) -> object:
    """An error's body is no answer."""
    if isinstance(found, dict) and "code" in found and "msg" in found:
        raise Unreadable(f"{part}: expected an answer, was error {str(found['code'])[:20]} {str(found['msg'])[:120]!r}")
    return found


def _account(answers: Answers, found: object) -> None:
    [row] = rows(found, "account")
    assets, positions = row.rows("assets"), row.rows("positions")
    total = data.UserDataBalanceUpdateEvent()
    put(total, row, _TOTAL)
    answers.tell(total, row)
    for asset in assets:
        _tell_balance(answers, asset, _ASSET)
    _tell_calls(answers)
    if "positionRisk" not in answers.found:  # else told by it, with entry prices
        for position in positions:
            _tell_position(answers, position, {**_POSITION, "unrealized_pnl": "unrealizedProfit"})


def _tell_calls(answers: Answers) -> None:
    """Whether the account is called now: by its totals in multi-assets mode, else by each asset. The stream only says when it begins."""
    by_asset = any(row.flag("multiAssetsMargin") is False for row in rows(answers.found.get("accountConfig", []), "accountConfig"))
    for balance in answers.told():
        if isinstance(balance, data.UserDataBalanceUpdateEvent) and by_asset == bool(balance.asset):
            call = computed_call(balance)
            if call is not None:
                answers.tell(call)


def _balances(answers: Answers, found: object) -> None:
    if "account" not in answers.found:
        for row in rows(found, "balance"):
            _tell_balance(answers, row, _BALANCE)


def _positions(answers: Answers, found: object) -> None:
    for row in rows(found, "positionRisk"):
        _tell_position(answers, row, _POSITION)


def _tell_balance(answers: Answers, row: Fields, columns: Mapping[str, str]) -> None:
    balance = data.UserDataBalanceUpdateEvent()
    put(balance, row, columns)
    row.must("asset", columns["wallet_balance"])
    answers.timed(balance, row.moment("updateTime"), f"bal:{balance.asset}")
    answers.tell(balance, row)


def _tell_position(answers: Answers, row: Fields, columns: Mapping[str, str]) -> None:
    position = data.UserDataPositionUpdateEvent(qty_unit=data.BASE)
    put(position, row, columns)
    row.must("symbol", "positionAmt")
    position.position_side = row.choice("positionSide", POSITION_SIDES, data.POSITION_SIDE_UNSPECIFIED)
    settings = _settings_of(answers, position.symbol)
    if not position.leverage and settings:
        position.leverage = settings.said("leverage")
    position.margin_mode = margin_mode(row.text("marginType") or (settings.text("marginType") if settings else None))
    if not position.margin_mode and not is_zero(position.isolated_wallet):
        position.margin_mode = data.ISOLATED
    answers.timed(position, row.moment("updateTime"), f"pos:{position.symbol}:{data.PositionSide.Name(position.position_side)}")
    answers.tell(position, row)


def _settings_of(answers: Answers, symbol: str) -> Fields | None:
    return next((row for row in rows(answers.found.get("symbolConfig", []), "symbolConfig") if row.found.get("symbol") == symbol), None)


def _orders(answers: Answers, found: object) -> None:
    for row in rows(found, "orders"):
        order = data.UserDataOrderUpdateEvent(qty_unit=data.BASE, execution_type=data.EXEC_SNAPSHOT)
        put(order, row, _ORDER)
        row.must("symbol", "orderId", "status")
        _sides(order, row)
        order.status, order.origin = row.choice("status", STATUSES, data.ORDER_STATUS_UNSPECIFIED), origin_of(order)
        ident, time = f"order:{order.symbol}:{order.order_id}", row.moment("updateTime")
        answers.timed(order, time, ident)
        order.meta.business_key = f"{ident}:{time or 0}:{order.status_raw}:{order.cum_filled_qty}"
        answers.tell(order, row)


def _algos(answers: Answers, found: object) -> None:
    for row in rows(found, "algo orders"):
        algo = data.UserDataOrderUpdateEvent(qty_unit=data.BASE, is_algo=True, execution_type=data.EXEC_SNAPSHOT, origin=data.USER)
        put(algo, row, _ALGO)
        row.must("symbol", "algoId", "algoStatus")
        _sides(algo, row)
        algo.status = finish(algo, row, "algoStatus")
        ident, time = f"algo:{algo.symbol}:{algo.algo_id}", row.moment("updateTime")
        answers.timed(algo, time, ident)
        algo.meta.business_key = f"{ident}:{time or 0}:{algo.status_raw}:{algo.cum_filled_qty}"
        answers.tell(algo, row)


def _sides(order: data.UserDataOrderUpdateEvent, row: Fields) -> None:
    order.side = row.choice("side", SIDES, data.SIDE_UNSPECIFIED)
    order.position_side = row.choice("positionSide", POSITION_SIDES, data.POSITION_SIDE_UNSPECIFIED)


def _trades(answers: Answers, found: object) -> None:
    """Fills of a gap. They say how much was filled, and nothing of how the order stands."""
    for row in rows(found, "userTrades"):
        order = data.UserDataOrderUpdateEvent(qty_unit=data.BASE, execution_type=data.EXEC_TRADE, execution_type_raw="TRADE")
        put(order, row, {"symbol": "symbol", "order_id": "orderId"})
        put(order.fill, row, _TRADE)
        row.must("symbol", "orderId", "id", "qty", "price")
        _sides(order, row)
        answers.timed(order, row.moment("time"), "")
        order.meta.business_key = f"fill:{order.symbol}:{order.fill.trade_id}"
        answers.tell_gap(order, row)


def _gap_orders(answers: Answers, found: object) -> None:
    with answers.gap():
        _orders(answers, found)


def _gap_algos(answers: Answers, found: object) -> None:
    with answers.gap():
        _algos(answers, found)


def _config(answers: Answers, found: object) -> None:
    [row] = rows(found, "accountConfig")
    for column, name in (("hedge_mode", "dualSidePosition"), ("multi_assets_mode", "multiAssetsMargin")):
        event = data.UserDataAccountConfigEvent()
        put(event, row, {column: name})
        row.must(name)
        answers.timed(event, row.moment("updateTime"), f"config:{column}")
        answers.tell(event, row)


def _symbols(answers: Answers, found: object) -> None:
    """Settings of symbols that are held, traded or were: all of them would be a thousand facts that nothing rests on."""
    for row in rows(found, "symbolConfig"):
        symbol = row.said("symbol")
        if symbol not in answers.symbols():
            continue
        row.must("symbol", "leverage")
        leverage = data.LeverageChange(symbol=symbol, leverage=row.said("leverage"), margin_mode=margin_mode(row.text("marginType")))
        answers.tell(data.UserDataAccountConfigEvent(leverage=leverage), row)
        if leverage.margin_mode:
            mode = data.MarginModeChange(symbol=symbol, mode=leverage.margin_mode, mode_raw=row.said("marginType"))
            answers.tell(data.UserDataAccountConfigEvent(margin_mode=mode))


# A topic has an end where all parts of one of its ways were answered.
REST = Rest(EXCHANGE, PRODUCT, _answer, {
    "account": _account, "balance": _balances, "positionRisk": _positions, "openOrders": _orders, "openAlgoOrders": _algos,
    "accountConfig": _config, "symbolConfig": _symbols, "userTrades": _trades, "order": _gap_orders, "allOrders": _gap_orders,
    "algoOrder": _gap_algos, "allAlgoOrders": _gap_algos, "income": lambda _answers, _found: None,
}, {
    BALANCE_UPDATES: ({"account"}, {"balance"}), POSITION_UPDATES: ({"positionRisk"}, {"account"}),
    ORDER_UPDATES: ({"openOrders", "openAlgoOrders"},), ACCOUNT_CONFIG: ({"accountConfig", "symbolConfig"},),
    VENUE_MARGIN_CALLS: ({"account"},),
})
