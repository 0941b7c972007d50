"""Binance's public REST: time, instruments, prices; and the few spot calls that client libraries make on their way."""

from decimal import Decimal

from schemas.money import say
from streams.venues.simulator.amounts import Json, fixed
from streams.venues.simulator.books import Instrument, Refused
from streams.venues.simulator.exchange import Exchange
from streams.venues.simulator.venue import Call, Route

_LIMITS = [{"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 2400},
           {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": 1200},
           {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 300}]


def routes(exchange: Exchange) -> dict[tuple[str, str], Route]:
    """The endpoints."""
    public = Public(exchange)
    return {("GET", path): Route(run, "", cost) for path, run, cost in (
        ("/fapi/v1/ping", lambda _: {}, 1), ("/fapi/v1/time", lambda _: {"serverTime": exchange.clock.now_ms()}, 1),
        ("/fapi/v1/exchangeInfo", public.exchange_info, 1), ("/fapi/v1/premiumIndex", public.premium, 1),
        ("/fapi/v1/ticker/price", public.price, 1), ("/fapi/v2/ticker/price", public.price, 1),
        ("/fapi/v1/ticker/bookTicker", public.book, 2), ("/api/v3/ping", lambda _: {}, 1),
        ("/api/v3/time", lambda _: {"serverTime": exchange.clock.now_ms()}, 1),
        ("/sapi/v1/capital/config/getall", lambda _: [], 10), ("/sapi/v1/margin/allPairs", lambda _: [], 1),
        ("/sapi/v1/margin/isolated/allPairs", lambda _: [], 1))}


class Public:
    """Handlers."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange

    def exchange_info(self, call: Call) -> object:
        assets = sorted({one.quote for one in self.exchange.instruments.values()})
        return {"timezone": "UTC", "serverTime": self.exchange.clock.now_ms(), "futuresType": "U_MARGINED", "rateLimits": _LIMITS,
                "exchangeFilters": [], "assets": [{"asset": one, "marginAvailable": True, "autoAssetExchange": "-10000"} for one in assets],
                "symbols": [_symbol(one) for one in self.exchange.instruments.values()]}

    def _wanted(self, call: Call) -> list[Instrument]:
        symbol = call.params.get("symbol")
        if symbol and symbol not in self.exchange.instruments:
            raise Refused("symbol")
        return [one for one in self.exchange.instruments.values() if symbol in {None, one.symbol}]

    def _rows(self, call: Call, rows: list[Json]) -> object:
        return rows[0] if "symbol" in call.params else rows

    def premium(self, call: Call) -> object:
        now = self.exchange.clock.now_ms()
        return self._rows(call, [{
            "symbol": one.symbol, "markPrice": fixed(self.exchange.marks[one.symbol]), "indexPrice": fixed(self.exchange.marks[one.symbol]),
            "estimatedSettlePrice": fixed(self.exchange.marks[one.symbol]), "lastFundingRate": "0.00010000", "interestRate": "0.00010000",
            "nextFundingTime": self.exchange.funding_ms(), "time": now} for one in self._wanted(call)])

    def price(self, call: Call) -> object:
        return self._rows(call, [{"symbol": one.symbol, "price": say(self.exchange.marks[one.symbol]), "time": self.exchange.clock.now_ms()}
                                 for one in self._wanted(call)])

    def book(self, call: Call) -> object:
        rows: list[Json] = []
        for one in self._wanted(call):
            bid, ask = self.exchange.quote(one.symbol)
            rows.append({"symbol": one.symbol, "bidPrice": say(bid), "bidQty": "1000", "askPrice": say(ask), "askQty": "1000",
                         "time": self.exchange.clock.now_ms(), "lastUpdateId": 1})
        return self._rows(call, rows)


def _symbol(one: Instrument) -> Json:
    return {"symbol": one.symbol, "pair": one.symbol, "contractType": "PERPETUAL", "deliveryDate": 4133404800000,
            "onboardDate": 1569398400000, "status": "TRADING", "maintMarginPercent": "2.5000", "requiredMarginPercent": "5.0000",
            "baseAsset": one.base, "quoteAsset": one.quote, "marginAsset": one.quote, "pricePrecision": _places(one.tick),
            "quantityPrecision": _places(one.step), "baseAssetPrecision": 8, "quotePrecision": 8, "underlyingType": "COIN",
            "underlyingSubType": ["PoW"], "triggerProtect": "0.0500", "liquidationFee": "0.012500", "marketTakeBound": "0.05",
            "maxMoveOrderLimit": 10000,
            "filters": [{"filterType": "PRICE_FILTER", "minPrice": say(one.tick), "maxPrice": "4529764", "tickSize": say(one.tick)},
                        {"filterType": "LOT_SIZE", "minQty": say(one.step), "maxQty": "1000000", "stepSize": say(one.step)},
                        {"filterType": "MARKET_LOT_SIZE", "minQty": say(one.step), "maxQty": "100000", "stepSize": say(one.step)},
                        {"filterType": "MAX_NUM_ORDERS", "limit": 200}, {"filterType": "MAX_NUM_ALGO_ORDERS", "limit": 10},
                        {"filterType": "MIN_NOTIONAL", "notional": say(one.notional_min)},
                        {"filterType": "PERCENT_PRICE", "multiplierUp": "1.0500", "multiplierDown": "0.9500", "multiplierDecimal": "4"}],
            "orderTypes": ["LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"],
            "timeInForce": ["GTC", "IOC", "FOK", "GTX", "GTD"], "permissionSets": ["GRID", "COPY"]}


def _places(step: Decimal) -> int:
    return max(0, -int(step.normalize().as_tuple().exponent))
