"""The simulated venues as one thing: accounts, trades, prices, time, faults and truth, in-process or by the control address."""

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Mapping
from decimal import Decimal
from types import TracebackType
from typing import NamedTuple, Self

from aiohttp import web

from streams.venues.simulator import faults as wrong
from streams.venues.simulator.binance import Binance
from streams.venues.simulator.books import BOTH, Account, Order
from streams.venues.simulator.bybit import Bybit
from streams.venues.simulator.catalogue import BINANCE, BYBIT, KUCOIN, OKX, VENUES
from streams.venues.simulator.clock import Clock
from streams.venues.simulator.control import control_app
from streams.venues.simulator.exchange import Exchange
from streams.venues.simulator.faults import Fault, Faults
from streams.venues.simulator.kucoin import Kucoin
from streams.venues.simulator.okx import Okx
from streams.venues.simulator.truth import Truth, plain
from streams.venues.simulator.venue import Switches, Venue

_TICK_S = 0.02
_KINDS: dict[str, type[Venue]] = {BINANCE: Binance, BYBIT: Bybit, OKX: Okx, KUCOIN: Kucoin}


class Urls(NamedTuple):
    """Base addresses of a venue, without a path: `http://host:port` and `ws://host:port`."""

    rest: str
    ws: str


class State(NamedTuple):
    """The truth about an account: wallet per asset, (symbol, side) -> (amount, entry), open order ids, fills as (symbol, trade id)."""

    balances: dict[str, Decimal]
    positions: dict[tuple[str, str], tuple[Decimal, Decimal]]
    orders: frozenset[int]
    algos: frozenset[int]
    fills: tuple[tuple[str, int], ...]


class Simulator:
    """`async with Simulator() as sim: sim.urls["binance_usdm"].rest`; accounts have names that are unique over all venues."""

    def __init__(self, venues: tuple[str, ...] = VENUES, *, switches: Switches | None = None, clock: Clock | None = None, seed: int = 1,
                 ports: Mapping[str, int] | None = None) -> None:
        self.clock, self.truth_log, self.faults = clock or Clock(), Truth(), Faults()
        self.switches = switches or Switches()
        self.exchanges = {name: Exchange(name, self.clock, self.truth_log, seed) for name in venues}
        self.venues = {name: _KINDS[name](exchange, self.faults, self.switches) for name, exchange in self.exchanges.items()}
        self.urls: dict[str, Urls] = {}
        self.tls: ssl.SSLContext | None = None  # set before the start: the venues speak https and wss, as some clients insist
        self.actions: dict[str, Callable[..., object]] = {}  # what the control address can do besides
        self._ports = dict(ports or {})
        self._runners: list[web.AppRunner] = []
        self._ticking: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen on 127.0.0.1, a port per venue and one for `control`; free ports unless given."""
        for name, venue in self.venues.items():
            self.urls[name] = await self._listen(venue.app(), self._ports.get(name, 0), self.tls)
        self.urls["control"] = await self._listen(control_app(self), self._ports.get("control", 0))
        for name, venue in self.venues.items():
            venue.address = self.urls[name].ws
        self._ticking = asyncio.create_task(self._tick())

    async def _listen(self, app: web.Application, port: int, tls: ssl.SSLContext | None = None) -> Urls:
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port, ssl_context=tls)
        await site.start()
        self._runners.append(runner)
        found = runner.addresses[0][1]
        safe = "s" if tls else ""
        return Urls(f"http{safe}://127.0.0.1:{found}", f"ws{safe}://127.0.0.1:{found}")

    async def stop(self) -> None:
        """Cut everything."""
        if self._ticking:
            self._ticking.cancel()
        for venue in self.venues.values():
            for connection in list(venue.connections):
                connection.cut()
        for runner in self._runners:
            with contextlib.suppress(asyncio.TimeoutError):
                await runner.cleanup()

    async def _tick(self) -> None:
        while True:
            self.clock.run_due()
            await asyncio.sleep(_TICK_S)

    # Accounts and what they do.
    def open_account(self, name: str, venue: str = BINANCE, deposits: Mapping[str, str | Decimal] | None = None) -> Account:
        """With `key`, `secret`, `passphrase`, `uid`; 10,000 USDT unless told otherwise."""
        if any(name in exchange.accounts for exchange in self.exchanges.values()):
            raise ValueError(f"expected a new account name, was {name!r}")
        return self.exchanges[venue].open_account(name, dict(deposits) if deposits else None)

    def exchange_of(self, account: str) -> Exchange:
        """The exchange that has the account; KeyError where none has."""
        return next((one for one in self.exchanges.values() if account in one.accounts), None) or _unknown(account)

    def account(self, name: str) -> Account:
        """By name."""
        return self.exchange_of(name).accounts[name]

    def trade(self, account: str, symbol: str, side: str, quantity: str | Decimal, price: str | Decimal = "") -> Order:
        """A market order of the account that fills whole at `price` (default: the mark); pushes what the venue would push.

        `side` is BUY or SELL, in hedge mode also `BUY/LONG`, `SELL/SHORT` and so on. `Refused` where the venue would refuse.
        """
        exchange = self.exchange_of(account)
        at = Decimal(price) if price else exchange.marks[symbol]
        way, _, leg = side.partition("/")
        return exchange.trade(exchange.accounts[account], Order(symbol, way, "MARKET", Decimal(quantity), position_side=leg or BOTH), at)

    def place(self, account: str, order: Order) -> Order:
        """An order as REST would place it."""
        exchange = self.exchange_of(account)
        return exchange.place(exchange.accounts[account], order)

    def transfer(self, account: str, asset: str, amount: str | Decimal, reason: str = "") -> None:
        """Deposit (positive) or withdrawal."""
        exchange = self.exchange_of(account)
        exchange.transfer(exchange.accounts[account], asset, Decimal(amount), reason)

    def price(self, venue: str, symbol: str, price: str | Decimal) -> None:
        """Move the mark."""
        self.exchanges[venue].set_price(symbol, Decimal(price))

    def fund(self, venue: str, symbol: str, rate: str | Decimal) -> None:
        """A funding payment."""
        self.exchanges[venue].fund(symbol, Decimal(rate))

    # Time and faults.
    def advance(self, seconds: float) -> None:
        """Jump forward; timers on the way happen."""
        self.clock.advance(seconds)

    def fault(self, kind: str, **fields: object) -> Fault:
        """Add to the script; fields as `Fault` has them."""
        made = wrong.parse({"kind": kind, **fields})
        if kind == wrong.LAG:
            for venue in self.venues.values():
                for account in venue.exchange.accounts.values():
                    venue.remember(account)
        self.faults.add(made)
        return made

    async def disconnect(self, account: str, how: str = wrong.CUT, code: int = 1000) -> int:
        """All connections of an account, now: close (with `code`), cut, reset, half_open or silent; how many there were."""
        exchange = self.exchange_of(account)
        connections = self.venues[exchange.venue].of(account)
        for connection in connections:
            if how == "close":
                await connection.close(code)
            elif how == wrong.HALF_OPEN:
                connection.halve()
            elif how == wrong.SILENT:
                connection.silent = True
            elif how in {wrong.CUT, wrong.RESET}:
                connection.cut() if how == wrong.CUT else connection.reset()
            else:
                raise ValueError(f"expected close, cut, reset, half_open or silent, was {how!r}")
        return len(connections)

    def expire_key(self, account: str) -> None:
        """The account's session token ends now (Binance: listenKeyExpired)."""
        self.venues[self.exchange_of(account).venue].expire(account)

    def announce(self, account: str) -> None:
        """Connections will soon end: serverShutdown (Binance), notice 64008 (OKX, which cuts after 30 s)."""
        self.venues[self.exchange_of(account).venue].announce(account)

    def deleverage(self, account: str, symbol: str, side: str = BOTH) -> Order:
        """The venue closes a position against its best trader (ADL)."""
        exchange = self.exchange_of(account)
        return exchange.force(exchange.accounts[account], exchange.accounts[account].positions[(symbol, side)], "adl_autoclose")

    # Truth.
    def truth(self, account: str) -> State:
        """What the account really has now."""
        found = self.account(account)
        return State({asset: one.wallet for asset, one in found.balances.items()},
                     {key: (one.amount, one.entry) for key, one in found.positions.items() if one.amount},
                     frozenset(one.id for one in found.open_orders()),
                     frozenset(one.id for one in found.algos.values() if one.status == "NEW"),
                     tuple((one.symbol, one.id) for one in found.fills))

    def told(self, account: str) -> object:
        """The whole account as JSON: balances, positions, orders, algos, fills (and how many it forgot), income."""
        found = self.account(account)
        return plain({name: getattr(found, name) for name in (
            "name", "venue", "balances", "positions", "fills", "forgotten", "income", "leverage", "hedge", "multi_assets")}
            | {"orders": list(found.orders.values()), "algos": list(found.algos.values())})


def _unknown(account: str) -> Exchange:
    raise KeyError(f"expected an account of this simulator, was {account!r}")
