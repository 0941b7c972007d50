"""Binance REST that changes something: orders, conditional orders, settings."""

from collections.abc import Callable

from schemas.money import ZERO
from streams.venues.simulator.amounts import Json
from streams.venues.simulator.binance_keys import error
from streams.venues.simulator.binance_reads import order_row
from streams.venues.simulator.binance_wire import BinanceWire
from streams.venues.simulator.books import BOTH, Account, Algo, Order, Refused
from streams.venues.simulator.conditions import is_conditional
from streams.venues.simulator.exchange import Exchange
from streams.venues.simulator.venue import Call, Route


def routes(exchange: Exchange, wire: BinanceWire) -> dict[tuple[str, str], Route]:
    """The endpoints."""
    orders, settings = Orders(exchange, wire), Settings(exchange)
    table: dict[tuple[str, str], Callable[[Call], object]] = {
        ("POST", "order"): orders.place, ("GET", "order"): orders.get, ("PUT", "order"): orders.amend, ("DELETE", "order"): orders.cancel,
        ("POST", "order/test"): orders.try_out, ("GET", "openOrder"): orders.get_open, ("DELETE", "allOpenOrders"): orders.cancel_all,
        ("POST", "algoOrder"): orders.watch, ("GET", "algoOrder"): orders.get_algo, ("DELETE", "algoOrder"): orders.cancel_algo,
        ("DELETE", "algoOpenOrders"): orders.cancel_all_algos,
        ("POST", "leverage"): settings.leverage, ("POST", "marginType"): settings.margin_type, ("POST", "positionMargin"): settings.margin,
        ("POST", "positionSide/dual"): settings.hedge, ("POST", "multiAssetsMargin"): settings.multi_assets}
    return {(method, f"/fapi/v1/{path}"): Route(run) for (method, path), run in table.items()}


def read_order(call: Call) -> Order:
    """An order from its parameters; `Refused` where one is missing or malformed."""
    symbol, side, kind = call.need("symbol"), call.need("side"), call.params.get("type") or call.need("orderType")
    if side not in {"BUY", "SELL"}:
        raise Refused("malformed:side")
    priced = kind in {"LIMIT", "STOP", "TAKE_PROFIT"}
    for name in (("quantity",) if not call.flag("closePosition") else ()) + (("price",) if priced else ()):
        call.need(name)
    order = Order(symbol, side, kind, call.number("quantity"), call.number("price") if priced else ZERO)
    order.tif = call.params.get("timeInForce") or "GTC"
    order.position_side = call.params.get("positionSide") or BOTH
    order.reduce_only, order.close_position = call.flag("reduceOnly"), call.flag("closePosition")
    order.client_id = call.params.get("newClientOrderId") or call.params.get("clientAlgoId") or ""
    order.stop_price = call.number("triggerPrice") or call.number("stopPrice")
    order.working_type = call.params.get("workingType") or "CONTRACT_PRICE"
    order.price_protect = str(call.params.get("priceProtect", "")).lower() == "true"
    order.self_trade = call.params.get("selfTradePreventionMode") or "EXPIRE_MAKER"
    order.good_till_ms = int(call.number("goodTillDate"))
    order.callback_rate = call.number("callbackRate")
    order.activation = call.number("activatePrice") or call.number("activationPrice")
    return order


class Orders:
    """Handlers of orders in the book and beside it."""

    def __init__(self, exchange: Exchange, wire: BinanceWire) -> None:
        self.exchange, self.wire = exchange, wire

    def place(self, call: Call) -> object:
        order = read_order(call)
        if is_conditional(order.type):
            raise Refused("algo_type")  # since 2025-12-09
        return _acknowledged(self.exchange.place(call.account, order))

    def try_out(self, call: Call) -> object:
        self.exchange.check(call.account, read_order(call))
        return {}

    def _named(self, call: Call, absent: str) -> Order:
        wanted, name, symbol = call.params.get("orderId"), call.params.get("origClientOrderId"), call.need("symbol")
        if not wanted and not name:
            raise error(400, -1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!")
        found = [one for one in call.account.orders.values() if one.symbol == symbol and (str(one.id) == wanted or one.client_id == name)]
        if not found:
            raise Refused(absent)
        return found[-1]

    def get(self, call: Call) -> object:
        return order_row(self._named(call, "absent"))

    def get_open(self, call: Call) -> object:
        order = self._named(call, "absent")
        if order.id not in {one.id for one in call.account.open_orders()}:
            raise Refused("absent")
        return order_row(order)

    def amend(self, call: Call) -> object:
        order = self._named(call, "absent")
        try:
            self.exchange.amend(call.account, order.id, call.number("quantity"), call.number("price"))
        except Refused as refused:
            raise Refused("same_order" if refused.reason == "no_change" else refused.reason) from None
        return _acknowledged(order)

    def cancel(self, call: Call) -> object:
        return _acknowledged(self.exchange.cancel(call.account, self._named(call, "unknown_order").id))

    def cancel_all(self, call: Call) -> object:
        symbol = call.need("symbol")
        for order in [one for one in call.account.open_orders() if one.symbol == symbol]:
            self.exchange.cancel(call.account, order.id)
        return {"code": 200, "msg": "The operation of cancel all open order is done."}

    def watch(self, call: Call) -> object:
        if call.params.get("algoType", "CONDITIONAL") != "CONDITIONAL":
            raise Refused("malformed:algoType")
        order = read_order(call)
        if not is_conditional(order.type):
            raise Refused("malformed:type")
        if not order.callback_rate:
            call.need("triggerPrice")
        return self.wire.algo_row(self.exchange.watch_for(call.account, order))

    def _algo(self, call: Call) -> Algo:
        wanted, name = call.params.get("algoId"), call.params.get("clientAlgoId")
        found = [one for one in call.account.algos.values() if str(one.id) == wanted or one.order.client_id == name]
        if not found:
            raise Refused("absent")
        return found[-1]

    def get_algo(self, call: Call) -> object:
        return self.wire.algo_row(self._algo(call))

    def cancel_algo(self, call: Call) -> object:
        algo = self.exchange.cancel_algo(call.account, self._algo(call).id)
        return {"algoId": algo.id, "clientAlgoId": algo.order.client_id, "code": "200", "msg": "success"}

    def cancel_all_algos(self, call: Call) -> object:
        symbol = call.need("symbol")
        for algo in [one for one in call.account.open_algos() if one.order.symbol == symbol]:
            self.exchange.cancel_algo(call.account, algo.id)
        return {"code": 200, "msg": "The operation of cancel all open algo order is done."}


def _acknowledged(order: Order) -> Json:
    """Since July 2026 without avgPrice and cumQuote."""
    return {key: value for key, value in order_row(order).items() if key not in {"avgPrice", "cumQuote", "time"}}


class Settings:
    """Handlers of leverage and modes."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange

    def _symbol(self, call: Call) -> tuple[Account, str]:
        symbol = call.need("symbol")
        if symbol not in self.exchange.instruments:
            raise Refused("symbol")
        return call.account, symbol

    def leverage(self, call: Call) -> object:
        account, symbol = self._symbol(call)
        value = int(call.number("leverage"))
        self.exchange.set_leverage(account, symbol, value)
        return {"leverage": value, "maxNotionalValue": "50000000", "symbol": symbol}

    def margin_type(self, call: Call) -> object:
        account, symbol = self._symbol(call)
        self.exchange.set_isolated(account, symbol, call.need("marginType") == "ISOLATED")
        return _done()

    def margin(self, call: Call) -> object:
        account, symbol = self._symbol(call)
        amount, kind = call.number("amount"), int(call.number("type", "1"))
        self.exchange.add_margin(account, symbol, call.params.get("positionSide") or BOTH, amount if kind == 1 else -amount)
        return {"amount": float(amount), "code": 200, "msg": "Successfully modify position margin.", "type": kind}

    def hedge(self, call: Call) -> object:
        self._set(call, "dualSidePosition", self.exchange.set_hedge, "same_side")
        return _done()

    def multi_assets(self, call: Call) -> object:
        self._set(call, "multiAssetsMargin", self.exchange.set_multi_assets, "same_assets")
        return _done()

    def _set(self, call: Call, name: str, change: Callable[[Account, bool], None], same: str) -> None:
        call.need(name)
        try:
            change(call.account, call.flag(name))
        except Refused as refused:
            raise Refused(same if refused.reason == "no_change" else refused.reason) from None


def _done() -> Json:
    return {"code": 200, "msg": "success"}
