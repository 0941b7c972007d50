"""What every simulated venue shares: the REST gate (faults, authentication, weights, refusals), its sockets and its clock."""

import asyncio
import copy
import json
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import NamedTuple
from urllib.parse import parse_qsl

from aiohttp import web
from multidict import CIMultiDict

from streams.venues.simulator import faults as wrong
from streams.venues.simulator.books import Account, Event, Refused
from streams.venues.simulator.exchange import Exchange
from streams.venues.simulator.faults import Fault, Faults
from streams.venues.simulator.sockets import Connection

HISTORY_MAX = 200


@dataclass(slots=True)
class Switches:
    """Standing behaviour; faults are for what happens once. Strict mainnet by default."""

    strict: bool = True  # False: as the test network, where old addresses still work
    events_absent: str = "all"  # what a Binance stream without `events=` gets: all or none
    check_time: bool = True  # timestamps of signed calls must be near the simulated clock
    limits: bool = True  # weights, message rates, connection rates
    key_minutes: int = 60  # life of a Binance listen key
    life_hours: int = 24  # life of a connection
    expiry_repeats: int = 1  # how often listenKeyExpired is told
    expiry_text_time: bool = True  # its E as a string
    expiry_names_key: bool = True  # its field listenKey
    weight_max: int = 2_400  # Binance, a minute and address
    connects_max: int = 300  # Binance, in five minutes and by address: the spot figure, futures publish none
    repeat_ms: int = 5_000  # OKX repeats account and positions that often
    ping_ms: int = 18_000  # KuCoin's pingInterval
    double_filled: bool = False  # Bybit tells Filled twice, as in a race with a cancel


class Answer(Exception):
    """An answer that ends a call early: `body` is JSON or, where it is a text, sent as it is."""

    def __init__(self, status: int, body: object, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status} {body}")
        self.status, self.body, self.headers = status, body, dict(headers or {})

    def response(self) -> web.Response:
        """As aiohttp sends it."""
        if isinstance(self.body, str):
            return web.Response(status=self.status, text=self.body, content_type="text/html", headers=self.headers)
        text = json.dumps(self.body, separators=(",", ":"))
        return web.Response(status=self.status, text=text, content_type="application/json", headers=self.headers)


@dataclass
class Call:
    """One REST call: parameters of query and body together, all text; `raw` is query and body exactly as sent."""

    request: web.Request
    params: dict[str, str]
    query: str
    body: str
    account: Account  # whose it is; of public calls an empty one
    headers: CIMultiDict[str] = field(default_factory=CIMultiDict)

    def need(self, name: str) -> str:
        """A parameter that must be there."""
        if not self.params.get(name):
            raise Refused(f"missing:{name}")
        return self.params[name]

    def number(self, name: str, default: str = "0") -> Decimal:
        """A decimal parameter."""
        try:
            return Decimal(self.params.get(name) or default)
        except InvalidOperation:
            raise Refused(f"malformed:{name}") from None

    def flag(self, name: str) -> bool:
        """A parameter that says true."""
        return str(self.params.get(name, "")).lower() == "true"


class Route(NamedTuple):
    """One REST endpoint: `signed` "" for public, "key" for the key header alone, "signed" for a signature."""

    run: Callable[[Call], object]
    signed: str = "signed"
    weight: int = 1


class Venue:
    """Base of the four; a venue gives routes, authentication, error bodies and what its sockets do."""

    name = ""

    def __init__(self, exchange: Exchange, faults: Faults, switches: Switches) -> None:
        self.exchange, self.faults, self.switches, self.clock = exchange, faults, switches, exchange.clock
        self.connections: set[Connection] = set()
        self._past: dict[str, deque[tuple[int, Account]]] = {}
        exchange.listeners.append(self._happened)
        exchange.price_listeners.append(self.price_moved)
        self.table = self.routes()
        self.address = ""  # of its sockets, once it listens

    # What a venue says itself.
    def routes(self) -> dict[tuple[str, str], Route]:
        """(method, path) -> endpoint."""
        raise NotImplementedError

    def sockets(self) -> dict[str, Callable[[web.Request], Awaitable[web.StreamResponse]]]:
        """path -> handler of WebSockets."""
        raise NotImplementedError

    def authenticate(self, call: Call, level: str) -> Account:
        """Whose call it is, or raise the venue's `Answer`."""
        raise NotImplementedError

    def refuse(self, reason: str) -> Answer:
        """The venue's error for a neutral reason."""
        raise NotImplementedError

    def broken(self, status: int) -> object:
        """The body of an HTTP status that is no business answer."""
        raise NotImplementedError

    def publish(self, account: Account, time_ms: int, events: Sequence[Event]) -> None:
        """Frames to the account's connections."""
        raise NotImplementedError

    def price_moved(self, symbol: str, price: Decimal) -> None:
        """Frames of the market."""

    def weigh(self, call: Call, route: Route) -> None:
        """Count the call; raise `Answer` where it is over a limit."""

    def expire(self, account: str) -> None:
        """The account's session token ends now, where the venue has one."""

    def announce(self, account: str) -> None:
        """The venue says that connections will soon end, where it does."""

    def wrap(self, answer: object) -> object:
        """The venue's envelope around a successful answer."""
        return answer

    # What all share.
    def app(self) -> web.Application:
        """REST and sockets on one port."""
        made = web.Application(client_max_size=1 << 20)
        made.on_response_prepare.append(_as_a_venue)
        for path, handler in self.sockets().items():
            made.router.add_get(path, handler)
        made.router.add_route("*", "/{tail:.*}", self._rest)
        return made

    async def _rest(self, request: web.Request) -> web.StreamResponse:
        place = {"venue": self.name, "method": request.method, "path": request.path}
        body = (await request.read()).decode("utf-8", "replace")
        call = Call(request, _params(request, body), request.raw_path.partition("?")[2], body, Account("", self.name, "", "", "", 0))
        if slow := self.faults.take(wrong.SLOW, **place):
            await asyncio.sleep(slow.ms / 1000)
        failure = self.faults.take(wrong.HTTP, **place)
        if failure and not failure.after_effect:
            return self._failed(failure).response()
        try:
            answer = Answer(200, self.wrap(self._run(call, place)), dict(call.headers))
        except Answer as other:
            answer = other
            answer.headers = {**dict(call.headers), **other.headers}
        return (self._failed(failure) if failure else answer).response()

    def _run(self, call: Call, place: Mapping[str, str]) -> object:
        route = self._find(call)
        self.weigh(call, route)
        if route.signed:
            call.account = self.authenticate(call, route.signed)
        lag = self.faults.take(wrong.LAG, **place, account=call.account.name) if call.request.method == "GET" else None
        if lag:
            call.account = self._as_of(call.account, self.clock.now_ms() - lag.ms)
        try:
            return route.run(call)
        except Refused as refused:
            raise self.refuse(refused.reason) from None

    def _find(self, call: Call) -> Route:
        """The endpoint; in a path that ends with `*` the last part becomes the parameter `tail`."""
        method, path = call.request.method, call.request.path
        route = self.table.get((method, path))
        if route is None and (route := self.table.get((method, f"{path.rpartition('/')[0]}/*"))) is not None:
            call.params["tail"] = path.rpartition("/")[2]
        if route is None:
            raise Answer(404, self.broken(404))
        return route

    def _failed(self, fault: Fault) -> Answer:
        return Answer(fault.status, fault.body or self.broken(fault.status), fault.headers)

    def _happened(self, account: Account, time_ms: int, events: Sequence[Event]) -> None:
        if any(fault.kind == wrong.LAG for fault in self.faults.script):
            self.remember(account)
        self.publish(account, time_ms, events)

    def remember(self, account: Account) -> None:
        """Keep the account as it is now, for answers that lag."""
        self._past.setdefault(account.name, deque(maxlen=HISTORY_MAX)).append((self.clock.now_ms(), copy.deepcopy(account)))

    def _as_of(self, account: Account, time_ms: int) -> Account:
        kept = self._past.get(account.name, ())
        return next((state for at, state in reversed(kept) if at <= time_ms), kept[0][1] if kept else account)

    async def serve(self, connection: Connection, heard: Callable[[str], Awaitable[None]]) -> web.StreamResponse:
        """A connection's whole life: handshake, frames out, messages in to `heard`."""
        await connection.open()
        self.connections.add(connection)
        pump = asyncio.create_task(connection.pump())
        try:
            while (text := await connection.hear()) is not None:
                await heard(text)
        finally:
            connection.gone = True
            self.connections.discard(connection)
            pump.cancel()
        return connection.socket

    async def dismiss(self, connection: Connection, text: str) -> web.StreamResponse:
        """A connection that may not be: opened to say so, then closed."""
        await connection.open()
        await connection.socket.send_str(text)
        await connection.close()
        return connection.socket

    def of(self, account: str) -> list[Connection]:
        """The account's connections, oldest first."""
        return sorted((one for one in self.connections if one.account == account), key=lambda one: one.number)


async def _as_a_venue(_: web.Request, response: web.StreamResponse) -> None:
    response.headers["Server"] = "nginx"


def _params(request: web.Request, body: str) -> dict[str, str]:
    found = dict(request.query)
    if body.lstrip().startswith("{"):
        found |= {key: value if isinstance(value, str) else json.dumps(value) for key, value in json.loads(body).items()}
    elif body and not body.lstrip().startswith("["):
        found |= dict(parse_qsl(body, keep_blank_values=True))
    return found
