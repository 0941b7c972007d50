"""The simulated KuCoin Futures: REST in its envelope, sockets by token, welcome, acknowledgements, private topics."""

import base64
import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from aiohttp import web

from streams.venues.simulator import books
from streams.venues.simulator.amounts import Json
from streams.venues.simulator.books import Account, Event
from streams.venues.simulator.catalogue import KUCOIN
from streams.venues.simulator.exchange import Exchange
from streams.venues.simulator.faults import Faults
from streams.venues.simulator.kucoin_rest import KucoinRest, new_token
from streams.venues.simulator.kucoin_wire import KucoinWire, ns
from streams.venues.simulator.public import KUCOIN_TOPICS, PublicSockets, kucoin_frames
from streams.venues.simulator.sockets import Connection
from streams.venues.simulator.venue import Answer, Call, Route, Switches, Venue

ORDERS, STOPS, POSITIONS = "/contractMarket/tradeOrders", "/contractMarket/advancedOrders", "/contract/positionAll"
POSITION, WALLET, MODE, LEVERAGE = "/contract/position", "/contractAccount/wallet", "/contract/marginMode", "/contract/crossLeverage"
TOPICS = (ORDERS, STOPS, POSITIONS, POSITION, WALLET, MODE, LEVERAGE)
_REFUSALS = {
    "symbol": ("100001", "The symbol does not exist"), "precision": ("100001", "Quantity parameter cannot be empty or illegal"),
    "quantity": ("100001", "Quantity parameter cannot be empty or illegal"), "tick": ("100001", "The price increment is invalid"),
    "margin": ("300003", "Balance insufficient. The order would cost more than the available balance."),
    "reduce_only": ("300009", "No open positions to close."), "unknown_order": ("100004", "The order cannot be canceled."),
    "absent": ("100001", "error.getOrder.orderNotExist"), "notional": ("100001", "Quantity parameter cannot be empty or illegal"),
    "position_side": ("330011", "positionSide does not match the position mode"), "leverage": ("300012", "Leverage over the limit"),
    "would_take": ("300011", "Post only order would match"), "no_change": ("330005", "The order's margin mode matches"),
    "open_orders": ("330008", "Current position or orders block the change"), "would_trigger": ("300015", "The stop price is invalid"),
}
_LIFE_MS, _GRACE_MS, _STAMP_MS = 86_400_000, 10_000, 5_000
_MESSAGES_MAX, _MESSAGES_MS, _PARTIAL_MS = 100, 10_000, 1_000


@dataclass(slots=True)
class Token:
    """What a connection is opened with: good for one, for a day."""

    account: str
    until_ms: int
    used: bool = False


class Kucoin(Venue):
    """See `Venue`."""

    name = KUCOIN

    def __init__(self, exchange: Exchange, faults: Faults, switches: Switches) -> None:
        self.wire = KucoinWire(exchange)
        self.rest = KucoinRest(exchange, self.wire)
        self.tokens: dict[str, Token] = {}
        self.market = PublicSockets(exchange, kucoin_frames, KUCOIN_TOPICS[:1], 1_000)
        self._marked_ms: dict[str, int] = {}
        super().__init__(exchange, faults, switches)
        self._tend()

    def routes(self) -> dict[tuple[str, str], Route]:
        return {**self.rest.routes(), ("POST", "/api/v1/bullet-private"): Route(self._bullet),
                ("POST", "/api/v1/bullet-public"): Route(self._bullet, "")}

    def sockets(self) -> dict[str, Callable[[web.Request], Awaitable[web.StreamResponse]]]:
        return {"/endpoint": self._open}

    def authenticate(self, call: Call, level: str) -> Account:
        headers = call.request.headers
        given = {name: headers.get(f"KC-API-{name}", "") for name in ("KEY", "SIGN", "TIMESTAMP", "PASSPHRASE", "KEY-VERSION")}
        if not all(given[name] for name in ("KEY", "SIGN", "TIMESTAMP", "PASSPHRASE")):
            raise _error(401, "400001", "Please check the header of your request for KC-API-KEY, KC-API-SIGN, "
                                        "KC-API-TIMESTAMP, KC-API-PASSPHRASE")
        account = self.exchange.by_key(given["KEY"])
        if account is None:
            raise _error(401, "400003", "KC-API-KEY not exists")
        stamp = given["TIMESTAMP"]
        if not stamp.isdigit() or (self.switches.check_time and abs(int(stamp) - self.clock.now_ms()) > _STAMP_MS):
            raise _error(401, "400002", "KC-API-TIMESTAMP Invalid")
        passphrase = account.passphrase if given["KEY-VERSION"] in {"", "1"} else _sign(account, account.passphrase)
        if not hmac.compare_digest(passphrase, given["PASSPHRASE"]):
            raise _error(401, "400004", "Invalid KC-API-PASSPHRASE")
        if not hmac.compare_digest(_sign(account, f"{stamp}{call.request.method}{call.request.raw_path}{call.body}"), given["SIGN"]):
            raise _error(401, "400005", "Invalid KC-API-SIGN")
        return account

    def refuse(self, reason: str) -> Answer:
        word, _, name = reason.partition(":")
        return _error(200, *_REFUSALS.get(word, ("100001", f"Parameter {name or word} is invalid")))

    def broken(self, status: int) -> object:
        codes = {429: ("429000", "Too many requests in a short period of time, please retry later"), 401: ("400005", "Invalid KC-API-SIGN"),
                 404: ("404000", "Url not found")}
        code, text = codes.get(status, ("500000", "Internal Server Error"))
        return {"code": code, "msg": text}

    def wrap(self, answer: object) -> object:
        return {"code": "200000", "data": answer}

    def _bullet(self, call: Call) -> object:
        text = new_token()
        self.tokens[text] = Token(call.account.name, self.clock.now_ms() + _LIFE_MS)
        return {"token": text, "instanceServers": [{"endpoint": f"{self.address}/endpoint", "encrypt": True, "protocol": "websocket",
                                                    "pingInterval": self.switches.ping_ms, "pingTimeout": _GRACE_MS}]}

    def expire(self, account: str) -> None:
        for token in self.tokens.values():
            if token.account == account:
                token.until_ms = 0

    # Sockets.
    async def _open(self, request: web.Request) -> web.StreamResponse:
        if fault := self.faults.take("refuse", venue=self.name, path=request.path):
            return self._failed(fault).response()
        token = self.tokens.get(request.query.get("token", ""))
        connection = Connection(request, self.name, self.clock, self.faults)
        number = request.query.get("connectId", "")
        if token is None or token.used or token.until_ms <= self.clock.now_ms():
            return await self.dismiss(connection, _text({"id": number, "type": "error", "code": 401, "data": "token is invalid"}))
        token.used, connection.account = True, token.account
        connection.send(_text({"id": number, "type": "welcome"}))
        return await self.serve(connection, lambda text: self._heard(connection, text))

    async def _heard(self, connection: Connection, text: str) -> None:
        if self.switches.limits and connection.rate(_MESSAGES_MS) > _MESSAGES_MAX:
            await connection.close(1008, "Exceed the max message limit")
            return
        try:
            said = json.loads(text)
            kind, number, topic = said["type"], str(said.get("id", "")), str(said.get("topic", ""))
        except (ValueError, KeyError, TypeError):
            connection.send(_text({"id": "", "type": "error", "code": 400, "data": "invalid message"}))
            return
        if kind == "ping":
            connection.send(_text({"id": number, "type": "pong", "timestamp": self.clock.now_ms() * 1000}))
        elif kind not in {"subscribe", "unsubscribe"}:
            connection.send(_text({"id": number, "type": "error", "code": 406, "data": f"type {kind} is not supported"}))
        elif topic.partition(":")[0] not in (*KUCOIN_TOPICS, *(TOPICS if connection.account else ())):
            connection.send(_text({"id": number, "type": "error", "code": 404, "data": f"topic {topic} is not found"}))
        else:
            self._subscribe(connection, topic, on=kind == "subscribe")
            if said.get("response"):
                connection.send(_text({"id": number, "type": "ack"}))

    def _subscribe(self, connection: Connection, topic: str, *, on: bool) -> None:
        head, _, symbols = topic.partition(":")
        if head in KUCOIN_TOPICS:
            for symbol in symbols.split(","):
                self.market.want(connection, f"{head}:{symbol}", on=on)
            return
        for symbol in symbols.split(",") if symbols else [""]:
            key = f"{head}:{symbol}" if symbol else head
            if on:
                connection.topics[key] = {}
            else:
                connection.topics.pop(key, None)

    # Frames.
    def _push(self, account: Account, topic: str, subject: str, data: Json, symbol: str = "") -> None:
        """To the topic itself and to its form with a symbol."""
        for connection in self.of(account.name):
            for wanted in {topic, f"{topic}:{symbol}" if symbol else topic}:
                if wanted in connection.topics:
                    word = "symbolOrderChange" if topic == ORDERS and wanted != topic else subject
                    connection.send(_text({"topic": wanted, "type": "message", "subject": word, "userId": f"{account.uid:024x}",
                                           "channelType": "private", "data": data}), topic)

    def publish(self, account: Account, time_ms: int, events: Sequence[Event]) -> None:
        for event in events:
            match event:
                case books.OrderMoved(order):
                    for row in self.wire.order_frames(account, event):
                        self._push(account, ORDERS, "orderChange", row, order.symbol)
                case books.AlgoMoved(algo) if algo.status in {"NEW", "TRIGGERED", "CANCELED"}:
                    word = {"NEW": "open", "TRIGGERED": "triggered", "CANCELED": "cancel"}[algo.status]
                    self._push(account, STOPS, "stopOrder", self.wire.stop_frame(algo, word))
                case books.ConfigMoved(symbol, leverage) if symbol:
                    self._push(account, LEVERAGE, "user.config", {symbol: {"leverage": str(leverage)}})
                case books.AccountMoved():
                    self._moved(account, time_ms, event)

    def _moved(self, account: Account, time_ms: int, event: books.AccountMoved) -> None:
        for position in event.positions:
            liquidated = event.reason == "ORDER" and not position.amount and account.called
            row = self.wire.position(account, position, "liquidation" if liquidated else "positionChange")
            for topic in (POSITIONS, POSITION):
                self._push(account, topic, "position.change", row, position.symbol if topic == POSITION else "")
            if event.reason == "MARGIN_TYPE_CHANGE":
                self._push(account, MODE, "user.config", {position.symbol: "ISOLATED" if position.isolated else "CROSS"})
        if event.reason == "FUNDING_FEE":
            held = account.positions[(event.symbol, books.BOTH)]
            row = {"fundingTime": time_ms, "qty": float(held.amount), "markPrice": float(self.exchange.marks[event.symbol]),
                   "fundingRate": 0.0001, "fundingFee": float(event.balances[0].change), "ts": ns(time_ms),
                   "settleCurrency": event.balances[0].asset, "symbol": event.symbol}
            self._push(account, POSITIONS, "position.settlement", row)
        for balance in event.balances:
            self._push(account, WALLET, "walletBalance.change", self.wire.wallet(account, balance.asset))

    def price_moved(self, symbol: str, price: Decimal) -> None:
        """`markPriceChange` of whoever holds the symbol, at most once a second each; partial."""
        self.market.moved(symbol)
        now = self.clock.now_ms()
        for account in self.exchange.accounts.values() if self.connections else ():
            position = account.positions.get((symbol, books.BOTH))
            if position is None or not position.amount or now - self._marked_ms.get(account.name, 0) < _PARTIAL_MS:
                continue
            self._marked_ms[account.name] = now
            row = self.wire.marked(account, position)
            self._push(account, POSITIONS, "position.change", row)
            self._push(account, POSITION, "position.change", {**row, "symbol": symbol}, symbol)

    def _tend(self) -> None:
        """A client that does not ping, and a connection of a day, are closed."""
        self.market.tend()
        now = self.clock.now_ms()
        for connection in list(self.connections):
            deaf = now - connection.heard_ms > self.switches.ping_ms + _GRACE_MS
            if deaf or now - connection.opened_ms >= self.switches.life_hours * 3_600_000:
                connection.cut()
        self.clock.after(1_000, self._tend)


def _error(status: int, code: str, text: str) -> Answer:
    return Answer(status, {"code": code, "msg": text})


def _sign(account: Account, payload: str) -> str:
    return base64.b64encode(hmac.new(account.secret.encode(), payload.encode(), hashlib.sha256).digest()).decode()


def _text(body: Json) -> str:
    return json.dumps(body, separators=(",", ":"))
