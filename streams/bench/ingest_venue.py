"""The venue of `bench ingest` in a process of its own: accounts, and frames made before the clock runs, sent when told at a given rate.

`python -m streams.bench.ingest_venue ACCOUNTS FRAMES SEED` says its addresses and accounts in a line of JSON; then each line of stdin, a
rate and seconds, is answered by what was sent.
"""

import asyncio
import json
import random
import sys
import time
from collections import deque
from decimal import Decimal

from streams.venues.simulator.amounts import Json
from streams.venues.simulator.binance import Binance
from streams.venues.simulator.catalogue import BINANCE
from streams.venues.simulator.control import credentials
from streams.venues.simulator.server import Simulator
from streams.venues.simulator.sockets import Connection
from streams.venues.simulator.venue import Switches

_SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
_QUANTITIES = {"BTCUSDT": "0.002", "ETHUSDT": "0.04", "SOLUSDT": "0.8"}
_STEP_S = 0.005
Frame = tuple[str, str, int]  # account, text, facts in it


def facts(frame: Json) -> int:
    """How many facts the frame tells: a balance and a position are one each."""
    moved = frame.get("a")
    if isinstance(moved, dict):
        return len(moved["B"]) + len(moved["P"])
    return 1


def make(sim: Simulator, names: list[str], count: int, seed: int) -> deque[Frame]:
    """So many frames of trades of random accounts, in the venue's order; nothing is sent yet."""
    venue = sim.venues[BINANCE]
    assert isinstance(venue, Binance)
    made, chance, send = deque[Frame](), random.Random(seed), venue.users.send

    def keep(account: str, frame: Json) -> None:
        made.append((account, json.dumps(frame, separators=(",", ":")), facts(frame)))

    venue.users.send = keep  # type: ignore[method-assign]
    while len(made) < count:
        name, symbol = chance.choice(names), chance.choice(_SYMBOLS)
        position = sim.account(name).positions.get((symbol, "BOTH"))
        held = position.amount if position else Decimal(0)
        sim.trade(name, symbol, "SELL" if held > 0 else "BUY", _QUANTITIES[symbol])
    venue.users.send = send  # type: ignore[method-assign]
    return made


async def pace(sim: Simulator, made: deque[Frame], rate: float, seconds: float) -> dict[str, object]:
    """Sends at the rate; what it came to."""
    by_name: dict[str, Connection] = {one.account: one for one in sim.venues[BINANCE].connections}
    began, sent, told, wanted = time.monotonic(), 0, 0, min(int(rate * seconds), len(made))
    while sent < wanted:
        due = min(int((time.monotonic() - began) * rate) + 1, wanted)
        for _ in range(due - sent):
            account, text, count = made.popleft()
            by_name[account].send(text)
            told += count
        sent = due
        await asyncio.sleep(_STEP_S)
    while any(connection._queue.qsize() for connection in by_name.values()):
        await asyncio.sleep(_STEP_S)
    return {"sent": sent, "facts": told, "took_s": round(time.monotonic() - began, 3), "connections": len(by_name)}


async def serve(accounts: int, frames: int, seed: int) -> None:
    """Until stdin ends."""
    switches = Switches(limits=False)  # the budget of weights is another measure's matter
    async with Simulator((BINANCE,), switches=switches, seed=seed) as sim:
        names = [f"a{at:04d}" for at in range(accounts)]
        opened = [sim.open_account(name) for name in names]
        made = make(sim, names, frames, seed) if frames else deque()
        print(json.dumps({"rest": sim.urls[BINANCE].rest, "ws": sim.urls[BINANCE].ws, "accounts": [credentials(one) for one in opened]}),
              flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            rate, seconds = map(float, line.split())
            print(json.dumps(await pace(sim, made, rate, seconds)), flush=True)


if __name__ == "__main__":
    asyncio.run(serve(*map(int, sys.argv[1:4])))
