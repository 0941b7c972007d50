"""The simulated OKX v5: REST in its envelope, private and business sockets with login, snapshots on subscription, repeats, notices."""

import base64
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

from aiohttp import web

from streams.venues.simulator import books
from streams.venues.simulator.amounts import Json
from streams.venues.simulator.books import Account, Event
from streams.venues.simulator.catalogue import OKX
from streams.venues.simulator.exchange import Exchange
from streams.venues.simulator.faults import Faults
from streams.venues.simulator.okx_rest import REFUSALS, OkxRest
from streams.venues.simulator.okx_wire import OkxWire
from streams.venues.simulator.public import OKX_BUSINESS, OKX_CHANNELS, PublicSockets, okx_frames
from streams.venues.simulator.sockets import Connection
from streams.venues.simulator.venue import Answer, Call, Route, Switches, Venue

PRIVATE = frozenset({"account", "positions", "balance_and_position", "orders", "liquidation-warning", "account-greeks", "fills"})
BUSINESS = frozenset({"orders-algo", "algo-advance"}) | OKX_BUSINESS
_OPEN_TO_ALL = OKX_CHANNELS | OKX_BUSINESS  # without a login
_IDLE_MS, _LOGIN_MS, _HOUR_MS, _REQUESTS_MAX = 30_000, 30_000, 3_600_000, 480
_PER_CHANNEL_MAX, _CONNECTS_MAX = 30, 3
_QUIET = re.compile(r'"updateInterval":\s*"?0"?[,}]')
_BALANCE_WORDS = {"ORDER": "filled", "FUNDING_FEE": "funding_fee", "DEPOSIT": "transferred", "WITHDRAW": "transferred"}


@dataclass(slots=True)
class Line:
    """A connection with its place: private or business; `requests` are times of login, subscribe and unsubscribe."""

    connection: Connection
    number: str
    channels: frozenset[str]
    requests: list[int] = field(default_factory=list)
    repeated_ms: int = 0


class Okx(Venue):
    """See `Venue`."""

    name = OKX

    def __init__(self, exchange: Exchange, faults: Faults, switches: Switches) -> None:
        self.wire = OkxWire(exchange)
        self.rest = OkxRest(exchange, self.wire)
        self.lines: dict[int, Line] = {}
        self.market = PublicSockets(exchange, okx_frames, ("mark-price",), 10_000)
        self._connects: list[int] = []
        super().__init__(exchange, faults, switches)
        self._tend()

    def routes(self) -> dict[tuple[str, str], Route]:
        return self.rest.routes()

    def sockets(self) -> dict[str, Callable[[web.Request], Awaitable[web.StreamResponse]]]:
        return {"/ws/v5/private": self._private, "/ws/v5/business": self._business, "/ws/v5/public": self._public}

    def authenticate(self, call: Call, level: str) -> Account:
        headers = call.request.headers
        account = self.exchange.by_key(headers.get("OK-ACCESS-KEY", ""))
        if account is None:
            raise self._error(401, "50111", "Invalid OK-ACCESS-KEY")
        if not hmac.compare_digest(headers.get("OK-ACCESS-PASSPHRASE", ""), account.passphrase):
            raise self._error(401, "50105", 'Request header "OK-ACCESS-PASSPHRASE" incorrect.')
        stamp = headers.get("OK-ACCESS-TIMESTAMP", "")
        try:
            sent_ms = datetime.fromisoformat(stamp).replace(tzinfo=UTC).timestamp() * 1000
        except ValueError:
            raise self._error(401, "50112", "Invalid OK-ACCESS-TIMESTAMP") from None
        if self.switches.check_time and abs(sent_ms - self.clock.now_ms()) > _LOGIN_MS:
            raise self._error(401, "50102", "Timestamp request expired")
        if not _signed(account, f"{stamp}{call.request.method}{call.request.raw_path}{call.body}", headers.get("OK-ACCESS-SIGN", "")):
            raise self._error(401, "50113", "Invalid Sign")
        return account

    def _error(self, status: int, code: str, text: str) -> Answer:
        return Answer(status, {"code": code, "data": [], "msg": text})

    def refuse(self, reason: str) -> Answer:
        word, _, name = reason.partition(":")
        return self._error(200 if word in REFUSALS else 400, *REFUSALS.get(word, ("50014", f"Parameter {name} can not be empty.")))

    def broken(self, status: int) -> object:
        codes = {429: ("50011", "Too Many Requests"), 503: ("50001", "Service temporarily unavailable. Try again later"),
                 401: ("50113", "Invalid Sign"), 404: ("404", "Not Found"), 500: ("50026", "System error. Try again later")}
        code, text = codes.get(status, ("50026", "System error. Try again later"))
        return {"code": code, "data": [], "msg": text}

    def wrap(self, answer: object) -> object:
        return {"code": "0", "data": answer, "msg": ""}

    # Sockets.
    async def _private(self, request: web.Request) -> web.StreamResponse:
        return await self._open(request, PRIVATE)

    async def _public(self, request: web.Request) -> web.StreamResponse:
        return await self._open(request, OKX_CHANNELS)

    async def _business(self, request: web.Request) -> web.StreamResponse:
        return await self._open(request, BUSINESS)

    async def _open(self, request: web.Request, channels: frozenset[str]) -> web.StreamResponse:
        now = self.clock.now_ms()
        self._connects = [at for at in self._connects if at > now - 1_000] + [now]
        fault = self.faults.take("refuse", venue=self.name, path=request.path)
        if fault or (self.switches.limits and len(self._connects) > _CONNECTS_MAX):
            return (self._failed(fault) if fault else Answer(429, self.broken(429))).response()
        line = Line(Connection(request, self.name, self.clock, self.faults), secrets.token_hex(4), channels, repeated_ms=now)
        self.lines[line.connection.number] = line
        try:
            return await self.serve(line.connection, lambda text: self._heard(line, text))
        finally:
            del self.lines[line.connection.number]

    async def _heard(self, line: Line, text: str) -> None:
        if text == "ping":
            line.connection.send("pong")
            return
        try:
            said = json.loads(text)
            operation, words = said["op"], said["args"]
        except (ValueError, KeyError, TypeError):
            self._say(line, {"event": "error", "code": "60012", "msg": f"Invalid request: {text[:200]}"})
            return
        line.requests = [at for at in line.requests if at > self.clock.now_ms() - _HOUR_MS] + [self.clock.now_ms()]
        if self.switches.limits and len(line.requests) > _REQUESTS_MAX:
            self._say(line, {"event": "error", "code": "60014", "msg": "Requests too frequent"})
        elif operation == "login":
            self._log_in(line, words[0] if words else {})
        elif operation in {"subscribe", "unsubscribe"} and _may(line, words):
            for word in words:
                self._subscribe(line, operation, word)
        else:
            known = operation in {"subscribe", "unsubscribe"}
            self._say(line, {"event": "error", "code": "60011" if known else "60012", "msg": "Please log in" if known else
                             f"Invalid request: {text[:200]}"})

    def _say(self, line: Line, body: Json) -> None:
        line.connection.send(json.dumps({**body, "connId": line.number}, separators=(",", ":")))

    def _log_in(self, line: Line, said: dict[str, str]) -> None:
        account, stamp = self.exchange.by_key(said.get("apiKey", "")), str(said.get("timestamp", ""))
        code, text = "0", ""
        if account is None:
            code, text = "60005", "Invalid apiKey"
        elif said.get("passphrase") != account.passphrase:
            code, text = "60024", "Wrong passphrase"
        elif self.switches.check_time and (not stamp.isdigit() or abs(int(stamp) * 1000 - self.clock.now_ms()) > _LOGIN_MS):
            code, text = "60006", "Timestamp request expired"
        elif not _signed(account, f"{stamp}GET/users/self/verify", str(said.get("sign", ""))):
            code, text = "60007", "Invalid sign"
        else:
            line.connection.account = account.name
        self._say(line, {"event": "login" if code == "0" else "error", "code": code, "msg": text})

    def _subscribe(self, line: Line, operation: str, word: dict[str, object]) -> None:
        channel, key = str(word.get("channel")), json.dumps(word, sort_keys=True)
        if channel not in line.channels or (channel in _OPEN_TO_ALL and word.get("instId") not in self.exchange.instruments):
            self._say(line, {"event": "error", "code": "60018", "msg": f"Wrong URL or channel:{channel},instId:{word.get('instId', '')} "
                             "doesn't exist. Please use the correct URL, channel and parameters referring to API document."})
            return
        if channel in _OPEN_TO_ALL:
            self._subscribe_market(line, operation, word)
            return
        if operation == "unsubscribe":
            line.connection.topics.pop(key, None)
            self._say(line, {"event": "unsubscribe", "arg": word})
            return
        taken = sum(any(arg["channel"] == channel for arg in one.topics.values()) for one in self.of(line.connection.account)) + 1
        if taken > _PER_CHANNEL_MAX:
            self._say(line, {"event": "channel-conn-count-error", "channel": channel, "connCount": str(_PER_CHANNEL_MAX)})
            return
        line.connection.topics[key] = word
        self._say(line, {"event": "subscribe", "arg": word})
        self._say(line, {"event": "channel-conn-count", "channel": channel, "connCount": str(taken)})
        self._show(line.connection, word)

    def _subscribe_market(self, line: Line, operation: str, word: dict[str, object]) -> None:
        topic = f"{word['channel']}:{word['instId']}"
        self.market.want(line.connection, topic, on=operation == "subscribe")
        self._say(line, {"event": operation, "arg": word})
        if operation == "subscribe":
            self.market.show(line.connection, topic)

    # Frames.
    def _show(self, connection: Connection, word: dict[str, object]) -> None:
        """The snapshot of a channel that has one: what is not zero."""
        account = self.exchange.accounts[connection.account]
        held = [one for one in account.positions.values() if one.amount]
        now = self.clock.now_ms()
        if word["channel"] == "account":
            self._push(connection, word, [self.wire.balance(account)])
        elif word["channel"] == "positions":
            self._push(connection, word, [self.wire.position(account, one, now) for one in held])
        elif word["channel"] == "balance_and_position":
            self._push(connection, word, [self.wire.both(account, "snapshot", self._balances(account), held)])

    def _balances(self, account: Account) -> list[Json]:
        rows = self.wire.balance(account)["details"]
        assert isinstance(rows, list)
        return [{name: row[name] for name in ("ccy", "cashBal", "uTime")} for row in rows]

    def _push(self, connection: Connection, word: dict[str, object], rows: Sequence[Json]) -> None:
        arg = {name: value for name, value in word.items() if name != "extraParams"}
        arg["uid"] = str(self.exchange.accounts[connection.account].uid)
        connection.send(json.dumps({"arg": arg, "data": rows}, separators=(",", ":")), str(word["channel"]))

    def publish(self, account: Account, time_ms: int, events: Sequence[Event]) -> None:
        connections = self.of(account.name)
        for event in events if connections else ():
            for channel, rows in self._rows(account, time_ms, event):
                for connection in connections:
                    for word in [one for one in connection.topics.values() if one["channel"] == channel]:
                        if wanted := [row for row in rows if word.get("instId", row.get("instId")) == row.get("instId")]:
                            self._push(connection, word, wanted)

    def _rows(self, account: Account, time_ms: int, event: Event) -> list[tuple[str, list[Json]]]:
        match event:
            case books.OrderMoved(order, _, fill):
                return [("orders", [self.wire.order(account, order, fill)])]
            case books.AlgoMoved(algo) if algo.status in {"NEW", "TRIGGERED", "CANCELED", "REJECTED"}:
                return [("orders-algo", [self.wire.algo(account, algo)])]
            case books.MarginCalled(positions):
                return [("liquidation-warning", [self.wire.warning(account, one, time_ms) for one in positions])]
            case books.AccountMoved(reason, _, positions):
                word = _BALANCE_WORDS.get(reason, "delivered")
                return [("balance_and_position", [self.wire.both(account, word, self._balances(account), list(positions))]),
                        ("positions", [self.wire.position(account, one, time_ms) for one in positions]),
                        ("account", [self.wire.balance(account)])]
        return []

    def price_moved(self, symbol: str, price: Decimal) -> None:
        self.market.moved(symbol)

    def announce(self, account: str) -> None:
        """64008: reconnect within 30 s; the connections are closed then."""
        for line in [one for one in self.lines.values() if one.connection.account == account]:
            self._say(line, {"event": "notice", "code": "64008",
                             "msg": "The connection will soon be closed for a service upgrade. Please reconnect."})
            self.clock.after(_IDLE_MS, line.connection.cut)

    def _tend(self) -> None:
        """30 s without a frame either way end a connection; account and positions are repeated."""
        self.market.tend()
        now = self.clock.now_ms()
        for line in list(self.lines.values()):
            if now - max(line.connection.heard_ms, line.connection.spoke_ms) > _IDLE_MS:
                line.connection.cut()
            elif self.switches.repeat_ms and now - line.repeated_ms >= self.switches.repeat_ms:
                line.repeated_ms = now
                for word in list(line.connection.topics.values()):
                    if word["channel"] in {"account", "positions"} and not _QUIET.search(str(word.get("extraParams", ""))):
                        self._repeat(line.connection, word)
        self.clock.after(1_000, self._tend)

    def _repeat(self, connection: Connection, word: dict[str, object]) -> None:
        account = self.exchange.accounts[connection.account]
        if word["channel"] == "account" or any(one.amount for one in account.positions.values()):
            self._show(connection, word)


def _may(line: Line, words: Sequence[dict[str, object]]) -> bool:
    """Whether these channels are open to who did not log in, or somebody did."""
    return bool(line.connection.account) or {str(word.get("channel")) for word in words} <= _OPEN_TO_ALL


def _signed(account: Account, payload: str, signature: str) -> bool:
    wanted = base64.b64encode(hmac.new(account.secret.encode(), payload.encode(), hashlib.sha256).digest()).decode()
    return hmac.compare_digest(wanted, signature)


