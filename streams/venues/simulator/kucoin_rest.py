"""KuCoin's REST: account, positions, orders, fills, and the calls clients start with."""

import hashlib
import secrets
from collections.abc import Callable, Sequence
from decimal import Decimal

from schemas.money import ZERO, say
from streams.venues.simulator.amounts import Json
from streams.venues.simulator.books import BOTH, Account, Instrument, Order, Position, Refused
from streams.venues.simulator.exchange import Exchange
from streams.venues.simulator.kucoin_wire import KucoinWire
from streams.venues.simulator.margin import leverage
from streams.venues.simulator.venue import Call, Route

TAIL = "tail"  # the last part of a path such as /api/v1/orders/{id}
_TOKEN_BYTES = 96


class KucoinRest:
    """Handlers; every answer is the content of `data`."""

    def __init__(self, exchange: Exchange, wire: KucoinWire) -> None:
        self.exchange, self.wire = exchange, wire

    def routes(self) -> dict[tuple[str, str], Route]:
        """The endpoints; `*` is any last part."""
        public: dict[str, Callable[[Call], object]] = {
            "v1/timestamp": lambda _: self.exchange.clock.now_ms(), "v1/status": lambda _: {"status": "open", "msg": ""},
            "v1/contracts/active": lambda _: [self._contract(one) for one in self.exchange.instruments.values()],
            "v1/contracts/*": lambda call: self._contract(self._instrument(call.need(TAIL))), "v1/ticker": self.ticker,
            "v1/allTickers": lambda _: [], "v3/currencies": lambda _: [], "v2/symbols": lambda _: [],
            "v3/margin/symbols": lambda _: {"items": []}, "v1/isolated/symbols": lambda _: [],
            "v1/contracts/risk-limit/*": self.risk_limits}
        reads: dict[str, Callable[[Call], object]] = {
            "ua/v1/account/mode": lambda call: {"accountMode": "CLASSIC", "selfAccountMode": "CLASSIC"},
            "v3/hf/accounts/opened": lambda _: True, "v1/hf/accounts/opened": lambda _: True,
            "v1/account-overview": lambda call: self.wire.overview(call.account, call.params.get("currency", "XBT")),
            "v1/positions": self.positions, "v1/position": self.position, "v2/position": self.position_v2, "v1/orders": self.orders,
            "v1/orders/*": self.get, "v1/orders/byClientOid": self.get_named, "v1/stopOrders": self.stops,
            "v1/fills": self.fills, "v1/recentFills": self.recent_fills,
            "v1/recentDoneOrders": self.done, "v2/position/getMarginMode": self.mode, "v2/getCrossUserLeverage": self.cross_leverage,
            "v1/transaction-history": self.statement, "v1/openOrderStatistics": self.statistics}
        writes: dict[tuple[str, str], Callable[[Call], object]] = {
            ("POST", "v1/orders"): self.place, ("DELETE", "v1/orders/*"): self.cancel, ("DELETE", "v1/orders"): self.cancel_all,
            ("DELETE", "v3/orders"): self.cancel_all, ("DELETE", "v1/stopOrders"): self.cancel_stops,
            ("POST", "v2/changeCrossUserLeverage"): self.set_leverage, ("POST", "v2/position/changeMarginMode"): self.set_mode}
        return {**{("GET", f"/api/{path}"): Route(run, "") for path, run in public.items()},
                **{("GET", f"/api/{path}"): Route(run) for path, run in reads.items()},
                **{(method, f"/api/{path}"): Route(run) for (method, path), run in writes.items()}}

    # Public.
    def _instrument(self, symbol: str) -> Instrument:
        if symbol not in self.exchange.instruments:
            raise Refused("symbol")
        return self.exchange.instruments[symbol]

    def _contract(self, one: Instrument) -> Json:
        mark = float(self.exchange.marks[one.symbol])
        return {"symbol": one.symbol, "rootSymbol": one.quote, "type": "FFWCSX", "firstOpenDate": 1585555200000, "expireDate": None,
                "settleDate": None, "baseCurrency": "XBT" if one.base == "BTC" else one.base, "quoteCurrency": one.quote,
                "settleCurrency": one.quote, "maxOrderQty": 1000000, "maxPrice": 1000000.0, "lotSize": 1, "tickSize": float(one.tick),
                "indexPriceTickSize": 0.01, "multiplier": float(one.contract_size), "initialMargin": 0.008,
                "maintainMargin": float(one.brackets[0].rate), "maxRiskLimit": 100000, "minRiskLimit": 100000, "riskStep": 50000,
                "makerFeeRate": float(one.maker_fee), "takerFeeRate": float(one.taker_fee), "takerFixFee": 0.0, "makerFixFee": 0.0,
                "isDeleverage": True, "isQuanto": True, "isInverse": False, "markMethod": "FairPrice", "fairMethod": "FundingRate",
                "fundingBaseSymbol": ".XBTINT8H", "fundingQuoteSymbol": ".USDTINT8H", "fundingRateSymbol": f".{one.symbol}FPI8H",
                "indexSymbol": ".KXBTUSDT", "settlementSymbol": "", "status": "Open", "fundingFeeRate": 0.0001,
                "predictedFundingFeeRate": 0.0001, "openInterest": "100", "turnoverOf24h": 1.0, "volumeOf24h": 1.0, "markPrice": mark,
                "indexPrice": mark, "lastTradePrice": mark,
                "nextFundingRateTime": self.exchange.funding_ms() - self.exchange.clock.now_ms(),
                "maxLeverage": 125, "sourceExchanges": ["kucoin"], "lowPrice": mark, "highPrice": mark, "priceChgPct": 0.0, "priceChg": 0.0,
                "supportCross": True}

    def ticker(self, call: Call) -> object:
        one = self._instrument(call.need("symbol"))
        bid, ask = self.exchange.quote(one.symbol)
        return {"sequence": 1, "symbol": one.symbol, "side": "buy", "size": 1, "tradeId": "1",
                "price": say(self.exchange.marks[one.symbol]),
                "bestBidPrice": say(bid), "bestBidSize": 10, "bestAskPrice": say(ask), "bestAskSize": 10,
                "ts": self.exchange.clock.now_ms() * 1_000_000}

    def risk_limits(self, call: Call) -> object:
        one = self._instrument(call.need(TAIL))
        return [{"symbol": one.symbol, "level": at, "maxRiskLimit": int(tier.cap), "minRiskLimit": int(tier.floor),
                 "maxLeverage": tier.leverage_max, "initialMargin": float(round(Decimal(1) / tier.leverage_max, 6)),
                 "maintainMargin": float(tier.rate)} for at, tier in enumerate(one.brackets, 1)]

    # Account.
    def _held(self, account: Account) -> list[Position]:
        return [one for one in account.positions.values() if one.amount]

    def positions(self, call: Call) -> object:
        coin = call.params.get("currency")
        return [self.wire.position(call.account, one) for one in self._held(call.account)
                if coin in {None, self.exchange.instruments[one.symbol].quote}]

    def position(self, call: Call) -> object:
        symbol = self._instrument(call.need("symbol")).symbol
        return self.wire.position(call.account, call.account.positions.get((symbol, BOTH)) or Position(symbol, BOTH))

    def position_v2(self, call: Call) -> object:
        symbol = call.need("symbol")
        return [self.wire.position(call.account, one) for one in self._held(call.account) if one.symbol == symbol]

    def orders(self, call: Call) -> object:
        status, symbol = call.params.get("status", "active"), call.params.get("symbol")
        rows = [one for one in reversed(call.account.orders.values())
                if (one.status in {"NEW", "PARTIALLY_FILLED"}) == (status == "active") and symbol in {None, one.symbol}]
        return _page(call, [self.wire.order(call.account, one) for one in rows])

    def done(self, call: Call) -> object:
        return [self.wire.order(call.account, one) for one in reversed(call.account.orders.values()) if one.status == "FILLED"][:1_000]

    def _find(self, call: Call) -> Order:
        wanted = call.need(TAIL)
        for order in reversed(call.account.orders.values()):
            if str(order.id) == wanted or order.client_id == wanted:
                return order
        raise Refused("absent")

    def get(self, call: Call) -> object:
        return self.wire.order(call.account, self._find(call))

    def get_named(self, call: Call) -> object:
        call.params[TAIL] = call.need("clientOid")
        return self.get(call)

    def stops(self, call: Call) -> object:
        return _page(call, [self.wire.stop_order(call.account, one) for one in call.account.algos.values()
                            if one.status == "NEW" and call.params.get("symbol", one.order.symbol) == one.order.symbol])

    def fills(self, call: Call) -> object:
        since, wanted, symbol = int(call.params.get("startAt") or 0), call.params.get("orderId"), call.params.get("symbol")
        rows = [one for one in reversed(call.account.fills)
                if one.time_ms >= since and wanted in {None, str(one.order_id)} and symbol in {None, one.symbol}]
        return _page(call, [self.wire.fill(one) for one in rows])

    def recent_fills(self, call: Call) -> object:
        return [self.wire.fill(one) for one in reversed(call.account.fills)][:1_000]

    def mode(self, call: Call) -> object:
        symbol = call.need("symbol")
        return {"symbol": symbol, "marginMode": "ISOLATED" if symbol in call.account.isolated else "CROSS"}

    def cross_leverage(self, call: Call) -> object:
        symbol = call.need("symbol")
        return {"symbol": symbol, "leverage": str(leverage(call.account, symbol))}

    def statement(self, call: Call) -> object:
        kinds = {"REALIZED_PNL": "RealisedPNL", "COMMISSION": "RealisedPNL", "FUNDING_FEE": "RealisedPNL", "TRANSFER": "TransferIn"}
        rows = [{"time": one.time_ms, "type": kinds[one.kind], "amount": float(one.amount), "fee": None, "accountEquity": 0.0,
                 "status": "Completed", "remark": one.symbol, "offset": one.id, "currency": one.asset}
                for one in reversed(call.account.income)]
        return {"dataList": rows[:50], "hasMore": len(rows) > 50}

    def statistics(self, call: Call) -> object:
        found = [one for one in call.account.open_orders() if one.symbol == call.need("symbol")]
        sums = {side: sum((one.left for one in found if one.side == side), ZERO) for side in ("BUY", "SELL")}
        return {"openOrderBuySize": int(sums["BUY"]), "openOrderSellSize": int(sums["SELL"]), "openOrderBuyCost": "0",
                "openOrderSellCost": "0", "settleCurrency": "USDT"}

    # Changes.
    def place(self, call: Call) -> object:
        kind = call.params.get("type", "limit").upper()
        price = call.number("price") if kind == "LIMIT" else ZERO
        order = Order(call.need("symbol"), call.need("side").upper(), kind, call.number("size"), price)
        order.client_id, order.reduce_only = call.need("clientOid"), call.flag("reduceOnly") or call.flag("closeOrder")
        order.tif = "GTX" if call.flag("postOnly") else call.params.get("timeInForce", "GTC")
        if call.params.get("stop"):
            rises = call.params["stop"] == "up"
            order.stop_price = call.number("stopPrice")
            order.type = ("STOP" if rises == (order.side == "BUY") else "TAKE_PROFIT") + ("" if kind == "LIMIT" else "_MARKET")
            return {"orderId": str(self.exchange.watch_for(call.account, order).id), "clientOid": order.client_id}
        self.exchange.place(call.account, order)
        return {"orderId": str(order.id), "clientOid": order.client_id}

    def cancel(self, call: Call) -> object:
        algo = call.account.algos.get(int(call.need(TAIL)))
        if algo is not None:
            return {"cancelledOrderIds": [str(self.exchange.cancel_algo(call.account, algo.id).id)]}
        return {"cancelledOrderIds": [str(self.exchange.cancel(call.account, self._find(call).id).id)]}

    def cancel_all(self, call: Call) -> object:
        gone = [self.exchange.cancel(call.account, one.id) for one in call.account.open_orders()
                if call.params.get("symbol", one.symbol) == one.symbol]
        return {"cancelledOrderIds": [str(one.id) for one in gone]}

    def cancel_stops(self, call: Call) -> object:
        waiting = [one for one in call.account.algos.values() if one.status == "NEW"
                   and call.params.get("symbol", one.order.symbol) == one.order.symbol]
        return {"cancelledOrderIds": [str(self.exchange.cancel_algo(call.account, one.id).id) for one in waiting]}

    def set_leverage(self, call: Call) -> object:
        self.exchange.set_leverage(call.account, self._instrument(call.need("symbol")).symbol, int(call.number("leverage")))
        return True

    def set_mode(self, call: Call) -> object:
        symbol, mode = self._instrument(call.need("symbol")).symbol, call.need("marginMode")
        self.exchange.set_isolated(call.account, symbol, mode == "ISOLATED")
        return {"symbol": symbol, "marginMode": mode}


def new_token() -> str:
    """As long and as opaque as the venue's."""
    return f"2neAiuYvAU61{secrets.token_urlsafe(_TOKEN_BYTES)}=.{hashlib.sha256(secrets.token_bytes(8)).hexdigest()[:20]}"


def _page(call: Call, rows: Sequence[Json]) -> Json:
    page, size = int(call.params.get("currentPage") or 1), min(1_000, int(call.params.get("pageSize") or 50))
    return {"currentPage": page, "pageSize": size, "totalNum": len(rows), "totalPage": -(-len(rows) // size),
            "items": list(rows[(page - 1) * size:page * size])}
