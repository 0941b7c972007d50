"""Courses at the simulated venues over real REST, with a dict where the database would be; lives that end where the test says."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal

from schemas.keys import step_id
from streams.venues.clock import Clock
from streams.venues.execute.course import course
from streams.venues.execute.desks import DESKS
from streams.venues.execute.words import BOTH, CLOSE, Ask, Claim, Command, Desk, Limits, Outcome, Recall, Reply, Step, Tell, Wait, proceed
from streams.venues.places import venue_of
from streams.venues.rest import Egress, Refused, Rest
from streams.venues.secret import Secret
from streams.venues.simulator.books import Account, Algo, Order
from streams.venues.simulator.catalogue import BINANCE, BYBIT, KUCOIN, OKX
from streams.venues.simulator.server import Simulator
from streams.venues.venue import Credentials, Hosts, Judged, Reason

# Venue -> a symbol, another one, the position's size, what a step closes, and far-off prices of resting orders.
PLACES = {BINANCE: ("BTCUSDT", "ETHUSDT", "0.5", "0.2"), BYBIT: ("BTCUSDT", "ETHUSDT", "0.5", "0.2"),
          OKX: ("BTC-USDT-SWAP", "ETH-USDT-SWAP", "50", "20"), KUCOIN: ("XBTUSDTM", "ETHUSDTM", "500", "200")}
QUICK = Limits(poll_ms=20, slack_ms=100, send_within_ms=120_000, answer_within_ms=180_000)
WINDOW_MS = 200  # where nothing is on its way: the venue's own would be waited for


class Floor:
    """One account at one venue: `carry_out` is a life of the executor."""

    def __init__(self, sim: Simulator, venue: str, name: str = "a") -> None:
        self.sim, self.venue = sim, venue
        self.account: Account = sim.open_account(name, venue, {"USDT": "100000"})
        self.symbol, self.other, self.size, self.closes = PLACES[venue]
        self.attempts: dict[str, tuple[int, float]] = {}
        self.told: list[Outcome] = []
        self.limits, self.window_ms = QUICK, WINDOW_MS
        clock = Clock()
        record = venue_of(venue, "mainnet", {venue: Hosts(sim.urls[venue].rest, sim.urls[venue].ws)})
        self.rest = Rest(record, Egress(record, clock), clock)

    @property
    def desk(self) -> Desk:
        return DESKS[self.venue]._replace(window_ms=self.window_ms)

    def step(self, side: str = BOTH, number: int = 2) -> Step:
        """Closes a part of the position."""
        ident = step_id("live:1", self.account.name, 1, number)
        now_ms = self.rest.clock.now_ms()
        return Step(ident, "live:1", self.account.name, CLOSE, self.venue, self.symbol, side, Decimal(self.closes), now_ms)

    def hold(self, side: str = "BUY") -> None:
        """A position, two resting orders and a conditional one; an order of another symbol."""
        exchange, way = self.sim.exchange_of(self.account.name), side.partition("/")
        self.sim.trade(self.account.name, self.symbol, side, self.size)
        leg, far = way[2] or BOTH, Decimal("0.5") if way[0] == "BUY" else Decimal(2)
        for symbol in (self.symbol, self.symbol, self.other):
            self.sim.place(self.account.name, Order(symbol, way[0], "LIMIT", Decimal(1), exchange.marks[symbol] * far, position_side=leg))
        condition = Order(self.symbol, "SELL", "STOP_MARKET", Decimal(1), position_side=leg, stop_price=exchange.marks[self.symbol] / 2)
        exchange.watch_for(self.account, condition)

    def sent(self, step: Step) -> list[Order]:
        """The orders that stand at the venue for a step."""
        return [order for order in self.account.orders.values() if order.client_id == step.client_order_id]

    def waiting(self) -> tuple[set[str], list[Algo]]:
        """Symbols with open orders, and conditional orders."""
        return {order.symbol for order in self.account.open_orders()}, self.account.open_algos()

    def held(self, side: str = BOTH) -> Decimal:
        return self.account.positions[self.symbol, side].amount

    async def carry_out(self, step: Step, kill_at: int = -1, *, lost: bool = False) -> Outcome | None:
        """A life: dies before command `kill_at`, or once its deed is done (`lost`). None: it died."""
        clock = self.rest.clock
        under_way = course(step, self.desk, self.limits, clock.now_ms())
        said, number = proceed(under_way), 0
        while not isinstance(said, Outcome):
            if number == kill_at and not lost:
                return None
            reply = await self._do(step, said)
            if number == kill_at:
                return None
            said, number = proceed(under_way, reply._replace(now_ms=clock.now_ms())), number + 1
        return said

    async def _do(self, step: Step, command: Command) -> Reply:
        match command:
            case Ask():
                return await self._ask(command)
            case Recall():
                return self._known(step)
            case Claim(_, attempts):
                if self.attempts.get(step.step_id, (0, 0.0))[0] != attempts:
                    return self._known(step)
                self.attempts[step.step_id] = (attempts + 1, time.monotonic())
                return self._known(step)._replace(mine=True)
            case Wait(ms):
                await asyncio.sleep(ms / 1_000)
            case Tell(outcome):
                self.told.append(outcome)
        return Reply(0)

    def _known(self, step: Step) -> Reply:
        attempts, at_s = self.attempts.get(step.step_id, (0, time.monotonic()))
        return Reply(0, attempts=attempts, age_ms=int((time.monotonic() - at_s) * 1_000))

    async def _ask(self, command: Ask) -> Reply:
        request, at_ms = command
        try:
            async with asyncio.timeout(self.limits.ask_within_ms / 1_000):
                asked = self.rest.ask_as_of(request, self._keys, at_ms) if at_ms else self.rest.ask(request, self._keys, urgent=True)
                return Reply(0, await asked)
        except Refused as refused:
            return Reply(0, refused=refused.judged)
        except TimeoutError:
            return Reply(0, refused=Judged(Reason.TRANSIENT, text="no answer"))

    def _keys(self) -> Credentials:
        return Credentials(Secret(self.account.key), Secret(self.account.secret), Secret(self.account.passphrase))


@asynccontextmanager
async def floor(venue: str) -> AsyncIterator[Floor]:
    """A simulator of its own."""
    async with Simulator((venue,)) as sim:
        found = Floor(sim, venue)
        found.rest.open()
        try:
            yield found
        finally:
            await found.rest.close()
