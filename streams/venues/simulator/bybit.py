"""The simulated Bybit v5: REST in its envelope, the private socket with auth, subscriptions and heartbeats."""

import hashlib
import hmac
import json
import secrets
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal

from aiohttp import web

from streams.venues.simulator.books import Account, Event
from streams.venues.simulator.bybit_rest import BybitRest
from streams.venues.simulator.bybit_wire import BybitWire
from streams.venues.simulator.catalogue import BYBIT
from streams.venues.simulator.exchange import Exchange
from streams.venues.simulator.faults import Faults
from streams.venues.simulator.public import BYBIT_TOPICS, PublicSockets, bybit_frames
from streams.venues.simulator.sockets import Connection
from streams.venues.simulator.venue import Answer, Call, Route, Switches, Venue

TOPICS = frozenset({"order", "execution", "execution.fast", "position", "wallet", "greeks", "dcp", "order.linear", "execution.linear",
                    "position.linear", "order.inverse", "position.inverse", "execution.inverse"})
_REFUSALS = {
    "symbol": (10001, "params error: symbol invalid"), "precision": (10001, "Qty invalid"), "quantity": (10001, "Qty invalid"),
    "tick": (10001, "params error: price tick"), "position_side": (10001, "position idx not match position mode"),
    "reduce_only": (110017, "current position is zero, cannot fix reduce-only order qty"),
    "notional": (110094, "Order does not meet minimum"),
    "margin": (110007, "ab not enough for new order"), "unknown_order": (110001, "order not exists or too late to cancel"),
    "absent": (110001, "order not exists or too late to cancel"), "would_take": (170213, "post only order would take"),
    "would_trigger": (110093, "expect Rising, but trigger_price <= current"), "leverage": (110013, "cannot set leverage gt max leverage"),
    "no_change": (110043, "leverage not modified"), "open_orders": (110024, "You have an existing order"),
    "open_positions": (110024, "You have an existing position, so position mode cannot be switched"),
}
_CONNECTS_MAX, _WINDOW_MS, _IDLE_MS = 500, 300_000, 600_000


class Bybit(Venue):
    """See `Venue`."""

    name = BYBIT

    def __init__(self, exchange: Exchange, faults: Faults, switches: Switches) -> None:
        self.wire = BybitWire(exchange, switches)
        self.rest = BybitRest(exchange, self.wire)
        self.market = PublicSockets(exchange, bybit_frames, ("tickers",), 1_000)
        self._connects: list[int] = []
        super().__init__(exchange, faults, switches)
        self._tend()

    def routes(self) -> dict[tuple[str, str], Route]:
        return self.rest.routes()

    def sockets(self) -> dict[str, Callable[[web.Request], Awaitable[web.StreamResponse]]]:
        return {"/v5/private": self._open, "/v5/public/linear": self._open}

    def authenticate(self, call: Call, level: str) -> Account:
        headers = call.request.headers
        account = self.exchange.by_key(headers.get("X-BAPI-API-KEY", ""))
        if account is None:
            raise self._error(10003, "API key is invalid.")
        stamp, window = headers.get("X-BAPI-TIMESTAMP", ""), headers.get("X-BAPI-RECV-WINDOW", "5000")
        now = self.clock.now_ms()
        if not stamp.isdigit() or (self.switches.check_time and not now - int(window) <= int(stamp) < now + 1_000):
            raise self._error(10002, f"invalid request, please check your server timestamp or recv_window param. req_timestamp[{stamp}],"
                                     f"server_timestamp[{now}],recv_window[{window}]")
        payload = call.body if call.request.method == "POST" else call.query
        wanted = hmac.new(account.secret.encode(), f"{stamp}{account.key}{window}{payload}".encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(wanted, headers.get("X-BAPI-SIGN", "")):
            raise self._error(10004, f"error sign! origin_string[{stamp}{account.key}{window}{payload}]")
        return account

    def _error(self, code: int, text: str) -> Answer:
        return Answer(200, {"retCode": code, "retMsg": text, "result": {}, "retExtInfo": {}, "time": self.clock.now_ms()})

    def refuse(self, reason: str) -> Answer:
        word, _, name = reason.partition(":")
        return self._error(*_REFUSALS.get(word, (10001, f"params error: {name or word}")))

    def broken(self, status: int) -> object:
        if status in {403, 429}:
            code, text = (10006, "Too many visits!") if status == 429 else (10018, "Exceeded the IP Rate Limit.")
            return {"retCode": code, "retMsg": text, "result": {}, "retExtInfo": {}, "time": self.clock.now_ms()}
        return f"<html><head><title>{status}</title></head><body><center><h1>{status}</h1></center></body></html>"

    def wrap(self, answer: object) -> object:
        return {"retCode": 0, "retMsg": "OK", "result": answer, "retExtInfo": {}, "time": self.clock.now_ms()}

    # The private socket.
    async def _open(self, request: web.Request) -> web.StreamResponse:
        now = self.clock.now_ms()
        self._connects = [at for at in self._connects if at > now - _WINDOW_MS] + [now]
        fault = self.faults.take("refuse", venue=self.name, path=request.path)
        if fault or (self.switches.limits and len(self._connects) > _CONNECTS_MAX):
            return (self._failed(fault) if fault else Answer(403, self.broken(403))).response()
        connection = Connection(request, self.name, self.clock, self.faults)
        if request.path.startswith("/v5/public"):
            return await self.serve(connection, lambda text: self._asked(connection, text))
        number = secrets.token_hex(10)
        return await self.serve(connection, lambda text: self._heard(connection, number, text))

    async def _asked(self, connection: Connection, text: str) -> None:
        """The public socket: no login; one unknown topic refuses the whole message, the private ones among them."""
        said = json.loads(text)
        operation, words = said.get("op"), [str(word) for word in said.get("args") or []]
        unknown = [word for word in words
                   if word.rpartition(".")[0] not in BYBIT_TOPICS or word.rpartition(".")[2] not in self.exchange.instruments]
        known = operation in {"subscribe", "unsubscribe", "ping"} and not unknown
        text = "pong" if operation == "ping" else f"error:handler not found,topic:{unknown[0]}" if unknown else ""
        self._say(connection, {"success": known, "ret_msg": text, "conn_id": str(connection.number), "req_id": said.get("req_id", ""),
                               "op": operation})
        for word in words if known else ():
            self.market.want(connection, word, on=operation == "subscribe")
            if operation == "subscribe":
                self.market.show(connection, word)

    async def _heard(self, connection: Connection, number: str, text: str) -> None:
        try:
            said = json.loads(text)
            operation, words = said["op"], said.get("args") or []
        except (ValueError, KeyError, TypeError):
            self._say(connection, {"success": False, "ret_msg": "Invalid JSON", "conn_id": number, "req_id": "", "op": ""})
            return
        reply = {"success": True, "ret_msg": "", "op": operation, "conn_id": number} | (
            {"req_id": said["req_id"]} if "req_id" in said else {})
        if operation == "ping":
            reply = {"req_id": said.get("req_id", ""), "op": "pong", "args": [str(self.clock.now_ms())], "conn_id": number}
        elif operation == "auth":
            reply |= self._log_in(connection, words)
        elif operation in {"subscribe", "unsubscribe"}:
            reply |= self._subscribe(connection, operation, words)
        else:
            reply |= {"success": False, "ret_msg": "unknown op"}
        self._say(connection, reply)

    def _log_in(self, connection: Connection, words: Sequence[object]) -> dict[str, object]:
        key, expires, signature = (str(word) for word in (*words, "", "", "")[:3])
        account = self.exchange.by_key(key)
        wanted = hmac.new(account.secret.encode(), f"GET/realtime{expires}".encode(), hashlib.sha256).hexdigest() if account else ""
        if account is None or not hmac.compare_digest(wanted, signature):
            return {"success": False, "ret_msg": "Params Error" if account else "API key is invalid."}
        if self.switches.check_time and (not expires.isdigit() or int(expires) <= self.clock.now_ms()):
            return {"success": False, "ret_msg": "Params Error: expires"}
        connection.account = account.name
        return {}

    def _subscribe(self, connection: Connection, operation: str, words: Sequence[object]) -> dict[str, object]:
        if not connection.account:
            return {"success": False, "ret_msg": "Request not authorized"}
        if unknown := [str(word) for word in words if word not in TOPICS]:
            return {"success": False, "ret_msg": f"error:handler not found,topic:{unknown[0]}"}
        for word in words:
            if operation == "subscribe":
                connection.topics[str(word)] = {}
            else:
                connection.topics.pop(str(word), None)
        return {}

    def _say(self, connection: Connection, body: dict[str, object]) -> None:
        connection.send(json.dumps(body, separators=(",", ":")))

    def publish(self, account: Account, time_ms: int, events: Sequence[Event]) -> None:
        for topic, rows in self.wire.frames(account, events):
            text = json.dumps({"id": f"{account.uid}_{topic}_{time_ms}_{secrets.randbelow(10**9)}", "topic": topic,
                               "creationTime": time_ms, "data": rows}, separators=(",", ":"))
            for connection in self.of(account.name):
                for word in (topic, f"{topic}.linear"):
                    if word in connection.topics:
                        connection.send(text.replace(f'"topic":"{topic}"', f'"topic":"{word}"'), topic)

    def price_moved(self, symbol: str, price: Decimal) -> None:
        self.market.moved(symbol)

    def _tend(self) -> None:
        """Ten minutes without a word end a connection."""
        self.market.tend()
        for connection in list(self.connections):
            if self.clock.now_ms() - connection.heard_ms > _IDLE_MS:
                connection.cut()
        self.clock.after(1_000, self._tend)
