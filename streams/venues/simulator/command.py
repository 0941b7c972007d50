"""`marginstream simulate`: the simulated venues in a process of their own, addresses as JSON on the first line."""

import argparse
import asyncio
import json
import os
from typing import TextIO

from streams.venues.simulator.catalogue import VENUES
from streams.venues.simulator.clock import Clock
from streams.venues.simulator.control import credentials
from streams.venues.simulator.server import Simulator
from streams.venues.simulator.traders import Traders
from streams.venues.simulator.venue import Switches


def simulate(options: argparse.Namespace) -> int:
    """Serve until stopped; the first line on stdout is {"urls", "control", "accounts"}."""
    with open(options.truth or os.devnull, "w", buffering=1) as file:
        asyncio.run(_serve(options, file))
    return 0


async def _serve(options: argparse.Namespace, file: TextIO) -> None:
    ports = {name: int(number) for name, _, number in (one.partition("=") for one in options.port)}
    clock = Clock(speed=options.speed)
    made = Simulator(tuple(options.venue or VENUES), switches=Switches(strict=not options.lenient), clock=clock, seed=options.seed,
                     ports=ports)
    if options.truth:
        made.truth_log.write_to(file)
    async with made as sim:
        traders = Traders(sim, options.accounts, options.events, options.seed)
        made.actions["traders"] = traders.pace
        print(json.dumps({"urls": {name: urls._asdict() for name, urls in sim.urls.items() if name != "control"},
                          "control": sim.urls["control"].rest, "accounts": [credentials(one) for one in traders.accounts]}), flush=True)
        await traders.run()
