"""Other people's clients, unmodified, against the simulator: log in, snapshot, orders, positions and balances heard, keep alive."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import pytest

from streams.venues.simulator.books import Account, Order
from streams.venues.simulator.catalogue import BINANCE, BYBIT, KUCOIN, OKX
from streams.venues.simulator.server import Simulator
from tests.clients.environment import PROGRAMS, python

WAIT_S = 90
QUANTITIES = {BINANCE: "0.05", BYBIT: "0.05", OKX: "5", KUCOIN: "50"}  # base units or contracts: 0.05 BTC everywhere
SYMBOLS = {BINANCE: "BTCUSDT", BYBIT: "BTCUSDT", OKX: "BTC-USDT-SWAP", KUCOIN: "XBTUSDTM"}

pytestmark = [pytest.mark.slow,
              pytest.mark.skipif(python() is None, reason="the real clients are not installed in their own environment: make clients")]


class Client(NamedTuple):
    """A program of `programs` and a venue it speaks to."""

    program: str
    venue: str


class Running:
    """A client's process; `heard` is what it said, by kind."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process, self.heard = process, dict[str, list[object]]()

    async def read(self) -> None:
        """Collect its lines."""
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            try:
                said = json.loads(line)
                self.heard.setdefault(said["what"], []).append(said["content"])
            except (ValueError, KeyError, TypeError):
                self.heard.setdefault("noise", []).append(line.decode(errors="replace"))

    async def within(self, seconds: float, *kinds: str) -> bool:
        """Whether it said one of each kind before that time is over."""
        for _ in range(int(seconds * 10)):
            if all(kind in self.heard for kind in kinds):
                return True
            await asyncio.sleep(0.1)
        return False

    async def until(self, *kinds: str) -> None:
        """Wait until it said one of each kind."""
        if not await self.within(WAIT_S, *kinds):
            counts = {kind: len(lines) for kind, lines in self.heard.items()}
            raise AssertionError(f"expected {kinds}, was {counts} {self.heard.get('error')}")


@asynccontextmanager
async def running(sim: Simulator, account: Account, client: Client) -> AsyncIterator[Running]:
    """The client's program in its own environment, killed at the end; its stderr is shown where it failed."""
    given = {"venue": account.venue, "rest": sim.urls[account.venue].rest, "ws": sim.urls[account.venue].ws, "key": account.key,
             "secret": account.secret, "passphrase": account.passphrase, "symbol": SYMBOLS[account.venue]}
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(str(python()), str(PROGRAMS / client.program), json.dumps(given),
                                                   stdin=pipe, stdout=pipe, stderr=pipe, limit=1 << 22)
    made = Running(process)
    reading = asyncio.create_task(made.read())
    assert process.stderr is not None
    complaining = asyncio.create_task(process.stderr.read())
    try:
        yield made
    except BaseException:
        if process.returncode is None:
            process.kill()
        print((await complaining).decode(errors="replace")[-4000:])
        raise
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await asyncio.gather(reading, complaining)


async def connected(sim: Simulator, account: Account, topics: int) -> None:
    """Wait until the account has a connection with that many subscriptions."""
    for _ in range(WAIT_S * 10):
        if sum(len(one.topics) for one in sim.venues[account.venue].of(account.name)) >= topics:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"expected {topics} subscriptions, was {[one.topics for one in sim.venues[account.venue].of(account.name)]}")


CLIENTS = {
    "ccxt binance": (Client("with_ccxt.py", BINANCE), 1, ("order", "position", "balance")),
    "python-binance": (Client("with_python_binance.py", BINANCE), 1, ("order", "account")),
    "ccxt bybit": (Client("with_ccxt.py", BYBIT), 3, ("order", "position", "balance")),
    "pybit": (Client("with_pybit.py", BYBIT), 4, ("order", "execution", "position", "balance")),
    "ccxt okx": (Client("with_ccxt.py", OKX), 3, ("order", "position", "balance")),
    "python-okx": (Client("with_python_okx.py", OKX), 3, ("order", "position", "balance")),
    "ccxt kucoin": (Client("with_ccxt.py", KUCOIN), 3, ("order", "position", "balance")),
    "binance sdk": (Client("with_binance_sdk.py", BINANCE), 1, ("order", "account")),
}


@pytest.mark.parametrize("name", CLIENTS)
async def test_a_real_client_logs_in_hears_events_and_keeps_alive(name: str) -> None:
    client, topics, kinds = CLIENTS[name]
    symbol, quantity = SYMBOLS[client.venue], QUANTITIES[client.venue]
    async with Simulator((client.venue,)) as sim:
        account = sim.open_account("alice", client.venue)
        sim.trade("alice", symbol, "BUY", quantity, "60000")
        async with running(sim, account, client) as heard:
            await heard.until("snapshot")
            assert quantity in json.dumps(heard.heard["snapshot"]) or "0.05" in json.dumps(heard.heard["snapshot"])
            await connected(sim, account, topics)
            sim.place("alice", resting(symbol, quantity))
            for side in ("SELL", "BUY") * WAIT_S:  # again and again: a client may still be busy with its own snapshot
                sim.trade("alice", symbol, side, quantity, "61000")
                if await heard.within(2, *kinds):
                    break
            await heard.until(*kinds)
            assert heard.process.stdin is not None
            heard.process.stdin.close()
            await heard.until("alive")
            assert "error" not in heard.heard
            assert await heard.process.wait() == 0


def resting(symbol: str, quantity: str) -> Order:
    """A limit order far below the market."""
    from decimal import Decimal

    return Order(symbol, "BUY", "LIMIT", Decimal(quantity), Decimal(50_000))
