"""Histories of the pure machine under a simulated clock, everything going wrong by the seed: what the topics amount to is the ledger.

`make histories SEED=n HISTORIES=200`: the small Binance of `world`, then each simulated venue; a line of JSON for each.
"""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path

from streams.bench import results
from streams.venues.decode import VENUES
from streams.venues.words import Changed, State
from tests.venues.folded import fold
from tests.venues.harness import compared
from tests.venues.wire import WireWorld
from tests.venues.world import BEGIN_MS, World

FAULTS = frozenset(("refused connect", "mute", "5xx", "lag", "late frames", "twice", "stray acknowledgements"))
RESULTS = results.FOLDER / "ingest_campaign.jsonl"


def _refuse(world: World) -> None:
    world.refuse(world.chance.choice(("auth", "banned", "limited", "clock")))
    world.cut()


def _take_kafka(world: World) -> None:
    world.kafka_up = False
    world.after(world.chance.randint(1_000, 120_000), lambda: setattr(world, "kafka_up", True))


_DEEDS: Mapping[str, Callable[[World], None]] = {
    "cut": lambda world: world.cut(), "half open": lambda world: world.cut(heard=False), "silence": lambda world: world.silence(),
    "expire": lambda world: world.expire(), "refuse": _refuse, "kill": lambda world: world.kill(), "kafka": _take_kafka,
    "closing": lambda world: world.emit_control({"e": "serverShutdown", "E": world.now_ms}), "lost": lambda world: world.lose(),
    "changed": lambda world: world.hear(Changed())}
WRONG = ("nothing", "wait", "long wait", *_DEEDS)


def live_through(world: World) -> Counter[str]:
    """Some hours of trading in which everything goes wrong at times, then quiet; how often what went wrong."""
    chance, struck = world.chance, Counter[str]()
    world.start()
    for _ in range(chance.randint(15, 40)):
        for _ in range(chance.randint(1, 12)):
            world.act()
            world.run(chance.choice((0, 3, 50, 400, 2_000)))
        what = chance.choice(WRONG)
        struck[what] += 1
        if what in _DEEDS:
            _DEEDS[what](world)
        world.run({"wait": 120_000, "long wait": chance.randint(1_800_000, 30_000_000)}.get(what, chance.randint(0, 5_000)))
    world.quiet()
    return struck


def differences(world: World) -> list[str]:
    """What the topics say otherwise than the ledger."""
    if isinstance(world, WireWorld):
        said = compared(fold(world.told), "bn", world.venue_name, world.sim.truth(world.account.name))
        return said if world.session.state is State.LIVE else [f"state: expected live, was {world.session.state}", *said]
    found, ledger = fold(world.told), world.ledger
    account = found.user.accounts["bn"]
    positions = {one.instrument.partition(":")[2]: one.quantity for one in account.positions.values()}
    fills = {(row["symbol"], str(row["orderId"]), str(row["id"])): (Decimal(row["qty"]), Decimal(row["price"])) for row in ledger.fills}
    told_open = {(order.instrument.partition(":")[2], order.order_id, order.filled_quantity) for order in found.orders.orders.values()}
    pairs = {"state": (world.session.state, State.LIVE), "fills missing": (len(fills.keys() - found.fills.keys()), 0),
             "positions": (positions, ledger.open_positions()), "wallet": (account.balances["USDT"].wallet_balance, ledger.wallet),
             "orders": (told_open, ledger.open_orders()), "fills": (found.fills, fills)}
    return [f"{name}: expected {truth}, was {told}"[:300] for name, (told, truth) in pairs.items() if told != truth]


def world_of(venue: str, seed: int) -> World:
    """`small` is the Binance of `world`."""
    return World(seed, FAULTS) if venue == "small" else WireWorld(venue, seed, FAULTS)


def run(venue: str, seeds: range) -> dict[str, object]:
    """A history a seed; their line."""
    began, struck, counts = time.monotonic(), Counter[str](), Counter[str]()
    wrong: dict[int, list[str]] = {}
    for seed in seeds:
        world = world_of(venue, seed)
        struck += live_through(world)
        if said := differences(world):
            wrong[seed] = said
        counts.update(lives=world.lives, calls=len(world.calls), facts=len(world.told), fills=len(fold(world.told).fills),
                      hours=(world.now_ms - BEGIN_MS) // 3_600_000)
    found = {"run": "histories", "venue": venue, "histories": len(seeds), **counts, "struck": dict(sorted(struck.items())),
             "differences": len(wrong), "why": [f"seed {seed}: {said}" for seed, said in wrong.items()][:20], "ok": not wrong}
    return results.stamped({**found, "took_s": round(time.monotonic() - began)}) | {"seed": seeds.start}


def main() -> int:
    """1 where a history ended otherwise than its ledger."""
    options = argparse.ArgumentParser(prog="python -m tests.venues.histories")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--histories", type=int, default=200, help="how many, from SEED on, of each venue")
    options.add_argument("--results", type=Path, default=RESULTS)
    chosen = options.parse_args()
    lines = []
    for venue in ("small", *VENUES):
        lines.append(run(venue, range(chosen.seed, chosen.seed + chosen.histories)))
        results.append(chosen.results, lines[-1])
        print(json.dumps(lines[-1]), flush=True)
    return 0 if all(line["ok"] for line in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
