"""A session in its shell against the simulated venue over real sockets, with a list where Kafka would be."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Protocol, TypeVar

from streams.venues.attempts import Policy
from streams.venues.clock import Clock
from streams.venues.frames import Event, Receipt
from streams.venues.places import venue_of
from streams.venues.rest import Egress, Rest
from streams.venues.secret import Secret
from streams.venues.session import Session
from streams.venues.shell import Outside, Shell
from streams.venues.simulator.bybit_wire import order_id
from streams.venues.simulator.server import Simulator, State
from streams.venues.venue import Credentials, Hosts, Venue
from streams.venues.words import Report, Save, Started, Stopped
from tests.venues.folded import Folded, fold

QUICK = Policy(rest_lag_ms=150)
WAIT_S = 180.0  # others may need the machine, and a venue's budget is by the minute


class Kept:
    """A sink that keeps all, or has no room."""

    def __init__(self) -> None:
        self.told: list[tuple[int, Event]] = []
        self.room = True

    def take(self, name: tuple[str, str], events: tuple[Event, ...], received_ms: int) -> bool:
        if self.room:
            self.told += [(received_ms, event) for event in events]
        return self.room

    def safe_ms(self, name: tuple[str, str]) -> int | None:
        return self.told[-1][0] if self.told else None


class Bench:
    """One account being read."""

    def __init__(self, sim: Simulator, account: str, venue: Venue, policy: Policy = QUICK) -> None:
        found = sim.account(account)
        self.sim, self.account, self.kept = sim, account, Kept()
        self.credentials = Credentials(Secret(found.key), Secret(found.secret), Secret(found.passphrase))
        self.reports: list[Report] = []
        self.saved: list[Save] = []
        clock = Clock()
        self.rest = Rest(venue, Egress(venue, clock), clock)
        self.session = Session(Receipt("live:1", account), venue, random.Random(1), policy=policy)
        self.shell = Shell(self.session, Outside(self.rest, self.kept, lambda: self.credentials, self._save, self.reports.append,
                                                 lambda _events: None))

    async def _save(self, command: Save) -> None:
        self.saved.append(command)

    def folded(self) -> Folded:
        return fold(self.kept.told)

    def agrees(self) -> bool:
        """Whether what was told amounts to what the simulator knows."""
        return not self.differences()

    def differences(self) -> list[str]:
        return compared(self.folded(), self.account, self.session.venue.name, self.sim.truth(self.account))

    async def until(self, done: Callable[[], bool], what: str = "") -> None:
        """Waits, generously."""
        await until(done, lambda: f"{what}: was {self.session.state}, {self.reports[-5:]}, {self.differences()}")


def compared(found: Folded, account_id: str, venue: str, truth: State) -> list[str]:
    """What the facts of an account amount to otherwise than the simulator knows."""
    account = found.user.accounts.get(account_id)
    if account is None:
        return ["nothing was told"]
    wallets = {asset: one.wallet_balance for asset, one in account.balances.items() if one.wallet_balance}
    held = {(one.instrument.partition(":")[2], one.side): one.quantity for one in account.positions.values()}
    fills = sorted((symbol, trade) for symbol, _, trade in found.fills)
    name = order_id if venue == "bybit_v5" else str
    said = [(symbol, name(-trade).lstrip("-")) for symbol, trade in truth.fills]
    orders = set(map(name, truth.orders | truth.algos))
    pairs: dict[str, tuple[object, object]] = {"balances": (wallets, _wallets(truth)), "positions": (held, _amounts(truth)),
             "orders": ({one.order_id for one in found.orders.orders.values()}, orders), "fills": (fills, sorted(said))}
    return unequal(pairs)


def unequal(pairs: dict[str, tuple[object, object]]) -> list[str]:
    """What was told otherwise than it is, of (told, true) by name."""
    return [f"{name}: expected {true}, was {told}" for name, (told, true) in pairs.items() if told != true]


def _wallets(truth: State) -> dict[str, Decimal]:
    return {asset: amount for asset, amount in truth.balances.items() if amount}


def _amounts(truth: State) -> dict[tuple[str, str], Decimal]:
    return {(symbol, side): amount if side == "BOTH" else abs(amount) for (symbol, side), (amount, _) in truth.positions.items()}


class Service(Protocol):
    """A process of the product, within this one."""

    async def run(self, stop: asyncio.Event) -> None: ...


Run = TypeVar("Run", bound=Service)


@asynccontextmanager
async def running(service: Run) -> AsyncIterator[Run]:
    stop = asyncio.Event()
    task = asyncio.create_task(service.run(stop))
    try:
        yield service
    finally:
        stop.set()
        await task


async def until(done: Callable[[], bool], what: str | Callable[[], str]) -> None:
    """Waits, generously."""
    end = time.monotonic() + WAIT_S
    while not done():
        assert time.monotonic() < end, what if isinstance(what, str) else what()
        await asyncio.sleep(0.02)


@asynccontextmanager
async def reading(sim: Simulator, account: str, venue: str = "binance_usdm", policy: Policy = QUICK) -> AsyncIterator[Bench]:
    """A bench that was started, closed at the end."""
    hosts = {venue: Hosts(sim.urls[venue].rest, sim.urls[venue].ws)}
    bench = Bench(sim, account, venue_of(venue, "mainnet", hosts), policy)
    bench.rest.open()
    bench.shell.hear(Started())
    try:
        yield bench
    finally:
        bench.shell.hear(Stopped())
        await bench.shell.close()
        await bench.rest.close()
