"""The simulated Binance USD-M: its REST table, errors, weights and user data sockets."""

from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal

from aiohttp import web

from streams.venues.simulator import binance_market, binance_orders, binance_reads
from streams.venues.simulator.binance_keys import ListenKey, ListenKeys, error, verify_signature, verify_time
from streams.venues.simulator.binance_sockets import UserSockets, WsApi
from streams.venues.simulator.binance_wire import BinanceWire
from streams.venues.simulator.books import Account, Event
from streams.venues.simulator.catalogue import BINANCE
from streams.venues.simulator.exchange import Exchange
from streams.venues.simulator.faults import Faults
from streams.venues.simulator.venue import Answer, Call, Route, Switches, Venue

_POST_ONLY = ("Due to the order could not be executed as maker, the Post Only order will be rejected. "
              "The order will not be recorded in the order history")
_REFUSALS = {
    "symbol": (-1121, "Invalid symbol."), "precision": (-1111, "Precision is over the maximum defined for this asset."),
    "quantity": (-4003, "Quantity less than or equal to zero."), "tick": (-4014, "Price not increased by tick size."),
    "position_side": (-4061, "Order's position side does not match user's setting."),
    "reduce_only": (-2022, "ReduceOnly Order is rejected."),
    "notional": (-4164, "Order's notional must be no smaller than 5 (unless you choose reduce only)."),
    "margin": (-2019, "Margin is insufficient."), "unknown_order": (-2011, "Unknown order sent."),
    "absent": (-2013, "Order does not exist."),
    "would_take": (-5022, _POST_ONLY),
    "would_trigger": (-2021, "Order would immediately trigger."), "leverage": (-4028, "Leverage 0 is not valid"),
    "no_change": (-4046, "No need to change margin type."), "same_side": (-4059, "No need to change position side."),
    "same_assets": (-4171, "No need to change margin mode."), "same_order": (-5027, "No need to modify the order."),
    "open_orders": (-4047, "Margin type cannot be changed if there exists open orders."),
    "open_positions": (-4068, "Position side cannot be changed if there exists position."),
    "not_isolated": (-4064, "Wrong position side."), "no_key": (-1125, "This listenKey does not exist."),
    "algo_type": (-4120, "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead."),
}
_PAGE = "<html><head><title>{0}</title></head><body><center><h1>{0}</h1></center><hr><center>{1}</center></body></html>"
_WAF = _PAGE.format("403 Forbidden", "cloudfront")
_STATUS = {
    418: {"code": -1003, "msg": "Way too many requests; IP banned until 0. Please use the websocket for live updates to avoid bans."},
    429: {"code": -1003, "msg": "Too many requests; current limit is 2400 requests per minute. "
                                "Please use the websocket for live updates to avoid polling the API."},
    401: {"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."},
    408: {"code": -1007, "msg": "Timeout waiting for response from backend server. Send status unknown; execution status unknown."},
    500: {"code": -1000, "msg": "An unknown error occurred while processing the request."},
    502: _PAGE.format("502 Bad Gateway", "nginx"),
    503: {"code": -1001, "msg": "Internal error; unable to process your request. Please try again."},
    504: _PAGE.format("504 Gateway Time-out", "nginx"),
}
_LEGAL = r"^([0-9]{1,20})(\.[0-9]{1,20})?$"
_BANS_AFTER = 10  # refused calls in a row that turn 429 into 418


class Binance(Venue):
    """See `Venue`; `keys` are the listen keys."""

    name = BINANCE

    def __init__(self, exchange: Exchange, faults: Faults, switches: Switches) -> None:
        self.keys = ListenKeys(exchange.clock, switches)
        self.wire = BinanceWire(exchange)
        self._weights: dict[str, tuple[int, int, int]] = {}  # address -> minute, used, refused
        self._banned: dict[str, int] = {}  # address -> until
        super().__init__(exchange, faults, switches)
        self.users = UserSockets(self)
        self._tend()

    def routes(self) -> dict[tuple[str, str], Route]:
        return {("POST", "/fapi/v1/listenKey"): Route(lambda call: {"listenKey": self.keys.create(call.account).text}, "key"),
                ("PUT", "/fapi/v1/listenKey"): Route(lambda call: {"listenKey": self.renew(call.account).text}, "key"),
                ("DELETE", "/fapi/v1/listenKey"): Route(self._end_key, "key"),
                **binance_reads.routes(self.exchange, self.wire), **binance_orders.routes(self.exchange, self.wire),
                **binance_market.routes(self.exchange)}

    def sockets(self) -> dict[str, Callable[[web.Request], Awaitable[web.StreamResponse]]]:
        users, market = self.users, self.users.market
        return {"/ws-fapi/v1": WsApi(self).open, "/private/ws": users.raw, "/private/stream": users.combined,
                "/private/ws/{key}": users.by_path, "/ws/{key}": users.legacy, "/ws": users.legacy, "/stream": users.legacy_combined,
                "/market/ws": market.open, "/market/ws/{key}": market.open, "/market/stream": market.open,
                "/public/ws": market.open, "/public/ws/{key}": market.open, "/public/stream": market.open}

    def authenticate(self, call: Call, level: str) -> Account:
        key = call.request.headers.get("X-MBX-APIKEY", "")
        if not key:
            raise error(401, -2014, "API-key format invalid.")
        account = self.exchange.by_key(key)
        if account is None:
            raise error(401, -2015, "Invalid API-key, IP, or permissions for action.")
        if level == "signed":
            verify_time(call, self.clock.now_ms(), self.switches)
            verify_signature(account, call)
        return account

    def refuse(self, reason: str) -> Answer:
        word, _, name = reason.partition(":")
        if word == "missing":
            return error(400, -1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")
        if word == "malformed":
            return error(400, -1100, f"Illegal characters found in parameter '{name}'; legal range is '{_LEGAL}'.")
        return error(400, *_REFUSALS[reason])

    def broken(self, status: int) -> object:
        if status == 403:
            return _WAF
        if status == 404:
            return _PAGE.format("404 Not Found", "nginx")
        return _STATUS.get(status, _STATUS[500])

    def weigh(self, call: Call, route: Route) -> None:
        """2,400 a minute and address: 429 with Retry-After, a ban for who goes on."""
        address, now = call.request.remote or "", self.clock.now_ms()
        if self._banned.get(address, 0) > now:
            raise self._refused_for(418, (self._banned[address] - now) // 1000 + 1)
        minute, used, refused = self._weights.get(address, (0, 0, 0))
        if minute != now // 60_000:
            minute, used, refused = now // 60_000, 0, 0
        used += binance_reads.weight(call, route)
        over = self.switches.limits and used > self.switches.weight_max
        self._weights[address] = (minute, used, refused + over)
        call.headers["X-MBX-USED-WEIGHT-1M"] = str(used)
        if over and refused + 1 >= _BANS_AFTER:
            self._banned[address] = now + 120_000
        if over:
            raise self._refused_for(429, 60 - now // 1000 % 60)

    def _refused_for(self, status: int, retry_s: int) -> Answer:
        return Answer(status, self.broken(status), {"Retry-After": str(retry_s)})

    def renew(self, account: Account) -> ListenKey:
        """PUT: -1125 where there is no live key."""
        key = self.keys.live(account.name)
        if key is None:
            raise self.refuse("no_key")
        self.keys.extend(key)
        return key

    def _end_key(self, call: Call) -> object:
        key = self.keys.end(call.account.name)
        if key is None:
            raise self.refuse("no_key")
        self.users.tell_expired(key)
        return {}

    def expire(self, account: str) -> None:
        """The key ends now, as if its hour were over."""
        key = self.keys.end(account)
        if key is not None:
            self.users.tell_expired(key)

    def announce(self, account: str) -> None:
        self.users.shut_down(account)

    def publish(self, account: Account, time_ms: int, events: Sequence[Event]) -> None:
        for frame in self.wire.frames(account, time_ms, events):
            self.users.send(account.name, frame)

    def price_moved(self, symbol: str, price: Decimal) -> None:
        self.users.market.moved(symbol, price)

    def _tend(self) -> None:
        """Once a simulated second: keys that ended, connections that are too old, pings."""
        for key in self.keys.expired():
            self.users.tell_expired(key)
        self.users.tend()
        self.users.market.tend()
        self.clock.after(1_000, self._tend)
