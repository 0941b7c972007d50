"""`bench profile`: where a worker's CPU time goes, with a backlog and at a steady rate."""

import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from streams.bench.engine import Broker, Load, drain, on_broker
from streams.bench.latency import pace
from streams.bench.profiled import Spent
from streams.bench.systems import Run

Figures = dict[str, object]


class Profiled(Run):
    """The product, looked at while it runs."""

    @property
    def told(self) -> Path:
        return self.folder / "profile.json"

    def words(self) -> list[str]:
        return [sys.executable, "-m", "streams.bench.profiled", str(self.told), "worker"]


def profile(load: Load) -> Iterator[Figures]:
    """Figures of a drain, and of each rate; shares of the worker's CPU time by cost."""
    if load.deltas:
        with on_broker() as (folder, broker):
            run = _run(folder, broker)
            found = drain(run, load.deltas, broker)
            yield {**found, "run": "profile", "load": "backlog", **_spent(run)}
    for rate in load.rates:
        with on_broker() as (folder, broker):
            run = _run(folder, broker)
            paced = pace(run, (rate, load.seconds), broker.pid)
            yield {**paced, "run": "profile", "load": f"{rate:,} a second", **_spent(run)}


def _run(folder: Path, broker: Broker) -> Profiled:
    return Profiled("product", broker.bootstrap, folder)


def _spent(run: Profiled) -> Figures:
    spent = msgspec.json.decode(run.told.read_bytes(), type=Spent)
    whole = sum(spent.seconds.values())
    shares = sorted(spent.seconds.items(), key=lambda cost: -cost[1])
    return {"cpu_us_per_event": round(whole / spent.folded * 1e6, 1), "shares": {name: round(part / whole, 3) for name, part in shares}}
