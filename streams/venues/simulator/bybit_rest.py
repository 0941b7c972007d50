"""Bybit's REST: account, positions, orders, executions, and the public calls clients start with."""

from collections.abc import Callable, Sequence
from decimal import Decimal

from schemas.money import ZERO, say, say_short
from streams.venues.simulator.amounts import Json
from streams.venues.simulator.books import BOTH, LONG, SHORT, Account, Instrument, Order, Position, Refused
from streams.venues.simulator.bybit_wire import BybitWire, order_id
from streams.venues.simulator.exchange import Exchange
from streams.venues.simulator.venue import Call, Route

_LEGS = {"0": BOTH, "1": LONG, "2": SHORT}


class BybitRest:
    """Handlers."""

    def __init__(self, exchange: Exchange, wire: BybitWire) -> None:
        self.exchange, self.wire = exchange, wire

    def routes(self) -> dict[tuple[str, str], Route]:
        """The endpoints."""
        public: dict[str, Callable[[Call], object]] = {
            "market/time": self.time, "market/instruments-info": self.instruments, "market/tickers": self.tickers,
            "market/risk-limit": self.risk_limits}
        reads: dict[str, Callable[[Call], object]] = {
            "user/query-api": self.key, "account/info": lambda call: {
                "unifiedMarginStatus": 5, "marginMode": "REGULAR_MARGIN", "isMasterTrader": False, "spotHedgingStatus": "OFF",
                "updatedTime": str(call.account.opened_ms), "dcpStatus": "OFF", "timeWindow": 0, "smpGroup": 0},
            "account/wallet-balance": lambda call: {"list": [self.wire.wallet(call.account)]}, "position/list": self.positions,
            "order/realtime": self.open_orders, "order/history": self.history, "execution/list": self.executions,
            "account/transaction-log": self.statement, "asset/coin/query-info": lambda _: {"rows": []},
            "account/fee-rate": self.fees}
        writes: dict[str, Callable[[Call], object]] = {
            "order/create": self.create, "order/cancel": self.cancel, "order/cancel-all": self.cancel_all, "order/amend": self.amend,
            "position/set-leverage": self.leverage, "position/switch-mode": self.mode}
        return {**{("GET", f"/v5/{path}"): Route(run, "") for path, run in public.items()},
                **{("GET", f"/v5/{path}"): Route(run) for path, run in reads.items()},
                **{("POST", f"/v5/{path}"): Route(run) for path, run in writes.items()}}

    # Public.
    def time(self, _: Call) -> object:
        now = self.exchange.clock.now_ms()
        return {"timeSecond": str(now // 1000), "timeNano": f"{now}000000"}

    def _listed(self, call: Call) -> list[Instrument]:
        if call.params.get("category", "linear") != "linear":
            return []
        return [one for one in self.exchange.instruments.values() if call.params.get("symbol", one.symbol) == one.symbol]

    def instruments(self, call: Call) -> object:
        rows = [{"symbol": one.symbol, "contractType": "LinearPerpetual", "status": "Trading", "baseCoin": one.base, "quoteCoin": one.quote,
                 "launchTime": "1584230400000", "deliveryTime": "0", "deliveryFeeRate": "", "priceScale": "2",
                 "leverageFilter": {"minLeverage": "1", "maxLeverage": "100.00", "leverageStep": "0.01"},
                 "priceFilter": {"minPrice": say(one.tick), "maxPrice": "1999999.80", "tickSize": say(one.tick)},
                 "lotSizeFilter": {"maxOrderQty": "1190.000", "minOrderQty": say(one.step), "qtyStep": say(one.step),
                                   "postOnlyMaxOrderQty": "1190.000", "maxMktOrderQty": "119.000", "minNotionalValue": "5"},
                 "unifiedMarginTrade": True, "fundingInterval": 480, "settleCoin": one.quote, "copyTrading": "none",
                 "upperFundingRate": "0.00375", "lowerFundingRate": "-0.00375", "isPreListing": False, "preListingInfo": None}
                for one in self._listed(call)]
        return {"category": call.params.get("category", "linear"), "list": rows, "nextPageCursor": ""}

    def tickers(self, call: Call) -> object:
        rows = []
        for one in self._listed(call):
            bid, ask = self.exchange.quote(one.symbol)
            mark = say(self.exchange.marks[one.symbol])
            rows.append({"symbol": one.symbol, "lastPrice": mark, "indexPrice": mark, "markPrice": mark, "bid1Price": say(bid),
                         "bid1Size": "10", "ask1Price": say(ask), "ask1Size": "10", "fundingRate": "0.0001",
                         "nextFundingTime": str(self.exchange.funding_ms())})
        return {"category": "linear", "list": rows}

    def risk_limits(self, call: Call) -> object:
        rows = [{"id": at, "symbol": one.symbol, "riskLimitValue": say(tier.cap), "maintenanceMargin": say(tier.rate),
                 "initialMargin": say_short(Decimal(1) / tier.leverage_max), "isLowestRisk": int(at == 1),
                 "maxLeverage": str(tier.leverage_max), "mmDeduction": say_short(tier.amount)}
                for one in self._listed(call) for at, tier in enumerate(one.brackets, 1)]
        return {"category": "linear", "list": rows}

    # Account.
    def key(self, call: Call) -> object:
        return {"id": str(call.account.uid), "note": "", "apiKey": call.account.key, "readOnly": 0, "secret": "", "type": 1,
                "permissions": {"ContractTrade": ["Order", "Position"], "Wallet": ["AccountTransfer"], "Derivatives": ["DerivativesTrade"]},
                "ips": ["*"], "deadlineDay": 90, "expiredAt": "2030-01-01T00:00:00Z", "createdAt": "2026-01-01T00:00:00Z", "unified": 0,
                "uta": 1, "userID": call.account.uid, "inviterID": 0, "vipLevel": "No VIP", "isMaster": True, "parentUid": "0"}

    def _of(self, call: Call, symbol: str) -> bool:
        """Whether the call asks for this symbol, by symbol or settle coin."""
        coin = call.params.get("settleCoin")
        return call.params.get("symbol", symbol) == symbol and coin in {None, self.exchange.instruments[symbol].quote}

    def positions(self, call: Call) -> object:
        """One symbol is listed flat, too; a whole coin only where something is held."""
        if "symbol" not in call.params and "settleCoin" not in call.params:
            raise Refused("missing:symbol or settleCoin")
        found = [one for one in call.account.positions.values() if one.amount and self._of(call, one.symbol)]
        if "symbol" in call.params and not found and call.params["symbol"] in self.exchange.instruments:
            found = [Position(call.params["symbol"], BOTH)]
        return _page(call, [self.wire.position(call.account, one) for one in found])

    def open_orders(self, call: Call) -> object:
        rows = [self.wire.order(call.account, one) for one in call.account.open_orders() if self._of(call, one.symbol)]
        rows += [self.wire.algo(one) for one in call.account.open_algos() if self._of(call, one.order.symbol)]
        if "orderId" in call.params or "orderLinkId" in call.params:  # by name also those that ended a moment ago
            rows = [self.wire.order(call.account, one) for one in reversed(call.account.orders.values()) if _is_named(call, one)]
        return _page(call, rows, 20)

    def history(self, call: Call) -> object:
        rows = [self.wire.order(call.account, one) for one in reversed(call.account.orders.values())
                if self._of(call, one.symbol) and _is_named(call, one)]
        return _page(call, rows, 20)

    def executions(self, call: Call) -> object:
        since = int(call.params.get("startTime", 0))
        rows = [self.wire.execution(call.account.orders[one.order_id], one) for one in reversed(call.account.fills)
                if self._of(call, one.symbol) and one.time_ms >= since]
        return _page(call, rows)

    def statement(self, call: Call) -> object:
        kinds = {"REALIZED_PNL": "TRADE", "COMMISSION": "TRADE", "FUNDING_FEE": "SETTLEMENT", "TRANSFER": "TRANSFER_IN"}
        rows: list[Json] = [{"id": str(one.id), "symbol": one.symbol, "category": "linear", "side": "", "transactionTime": str(one.time_ms),
                             "type": kinds[one.kind], "qty": "0", "size": "0", "currency": one.asset, "tradePrice": "", "funding": "",
                             "fee": "", "cashFlow": "0", "change": say_short(one.amount), "cashBalance": "", "tradeId": str(one.trade_id)}
                            for one in reversed(call.account.income)]
        return _page(call, rows, 20)

    def fees(self, call: Call) -> object:
        return {"list": [{"symbol": one.symbol, "takerFeeRate": say(one.taker_fee), "makerFeeRate": say(one.maker_fee)}
                         for one in self._listed(call)]}

    # Orders.
    def create(self, call: Call) -> object:
        kind = call.need("orderType").upper()
        order = Order(call.need("symbol"), call.need("side").upper(), kind, call.number("qty"),
                      call.number("price") if kind == "LIMIT" else ZERO)
        order.tif = {"PostOnly": "GTX"}.get(call.params.get("timeInForce", "GTC"), call.params.get("timeInForce", "GTC"))
        order.position_side = _LEGS[call.params.get("positionIdx", "0")]
        order.reduce_only, order.client_id = call.flag("reduceOnly"), call.params.get("orderLinkId", "")
        if call.number("triggerPrice"):
            order.stop_price, order.type = call.number("triggerPrice"), self._condition(call, order)
            algo = self.exchange.watch_for(call.account, order)
            return {"orderId": order_id(algo.id), "orderLinkId": order.client_id}
        self.exchange.place(call.account, order)
        return {"orderId": order_id(order.id), "orderLinkId": order.client_id}

    def _condition(self, call: Call, order: Order) -> str:
        """The neutral type that fires in the direction asked for: 1 rises to the trigger, 2 falls to it."""
        rises = call.params.get("triggerDirection", "1") == "1"
        return ("STOP" if rises == (order.side == "BUY") else "TAKE_PROFIT") + ("" if order.type == "LIMIT" else "_MARKET")

    def _find(self, account: Account, call: Call) -> Order:
        wanted, name = call.params.get("orderId"), call.params.get("orderLinkId")
        for order in account.open_orders():
            if (wanted and order_id(order.algo_id or order.id) == wanted) or (name and order.client_id == name):
                return order
        raise Refused("unknown_order")

    def cancel(self, call: Call) -> object:
        for algo in call.account.algos.values():
            if algo.status == "NEW" and (order_id(algo.id) == call.params.get("orderId")
                                         or algo.order.client_id == call.params.get("orderLinkId")):
                self.exchange.cancel_algo(call.account, algo.id)
                return {"orderId": order_id(algo.id), "orderLinkId": algo.order.client_id}
        order = self.exchange.cancel(call.account, self._find(call.account, call).id)
        return {"orderId": order_id(order.id), "orderLinkId": order.client_id}

    def cancel_all(self, call: Call) -> object:
        """Conditional orders with the others, unless a filter is sent."""
        gone = [self.exchange.cancel(call.account, one.id) for one in call.account.open_orders() if self._of(call, one.symbol)]
        waiting = [] if "orderFilter" in call.params else [one for one in call.account.open_algos() if self._of(call, one.order.symbol)]
        rows = [{"orderId": order_id(one.id), "orderLinkId": one.client_id} for one in gone]
        for algo in waiting:
            self.exchange.cancel_algo(call.account, algo.id)
            rows.append({"orderId": order_id(algo.id), "orderLinkId": algo.order.client_id})
        return {"list": rows, "success": "1"}

    def amend(self, call: Call) -> object:
        order = self._find(call.account, call)
        self.exchange.amend(call.account, order.id, call.number("qty", say(order.quantity)), call.number("price", say(order.price)))
        return {"orderId": order_id(order.id), "orderLinkId": order.client_id}

    def leverage(self, call: Call) -> object:
        value = int(Decimal(call.need("buyLeverage")))
        if call.account.leverage.get(call.need("symbol")) == value:
            raise Refused("no_change")
        self.exchange.set_leverage(call.account, call.need("symbol"), value)
        return {}

    def mode(self, call: Call) -> object:
        self.exchange.set_hedge(call.account, call.need("mode") == "3")
        return {}


def _is_named(call: Call, order: Order) -> bool:
    """Whether the call asks for this order, by id or by the client's; an order of a condition has that one's id."""
    return (call.params.get("orderId") in {None, order_id(order.id), order_id(order.algo_id or order.id)}
            and call.params.get("orderLinkId") in {None, order.client_id})


def _page(call: Call, rows: Sequence[Json], default: int = 50) -> Json:
    """A page and the cursor to the next; "" at the end."""
    start, size = int(call.params.get("cursor") or 0), min(100, int(call.params.get("limit") or default))
    after = start + size
    return {"category": call.params.get("category", "linear"), "list": list(rows[start:after]),
            "nextPageCursor": str(after) if after < len(rows) else ""}
