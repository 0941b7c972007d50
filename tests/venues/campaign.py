"""Ingestion under random faults over real sockets, Kafka and Postgres: in the end the topics amount to the venues' ledger.

`make ingest-campaign SEED=n`. Four simulated venues in a process of their own, whose accounts trade by the seed; two ingest processes
that share them by leases, with shorter times (`ingest_quick`) and nothing else changed; every fault of `campaign_faults`. Then trading
stops, everything settles, and each account's rows, folded from the five topics, are compared with the ledger.
"""

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from streams.bench import results
from streams.stack.process import StackError
from tests.venues.campaign_faults import Striker, plan
from tests.venues.campaign_field import WORKERS, Field, Size, fielded
from tests.venues.campaign_truth import counted, differences, read, true_fills

RESULTS = Path(__file__).resolve().parents[1] / "benchmarks" / "results" / "ingest_campaign.jsonl"
_QUIET_S, _SETTLE_S = 6.0, 240.0


def live_through(field: Field, size: Size) -> Mapping[str, object]:
    """Trading with faults, then quiet; figures and what differs."""
    chance = random.Random(f"campaign {size.seed}")
    striker = Striker(field, chance)
    striker.go(plan(chance, field.names, size.seconds), size.seconds)
    field.rest()
    taken = field.see("time")["taken"]
    field.do("clear_faults")
    began = time.monotonic()
    said = striker.wrong + settle(field)
    figures = {"settled_s": round(time.monotonic() - began, 1), "struck": dict(sorted(striker.struck.items())),
               "faults": sum(striker.struck.values()), "taken": taken, "leases_moved": striker.moved,
               "fills": sum(map(len, true_fills(field).values())), **counted(read(field))}
    return {**figures, "differences": len(said), "why": said[:20], "ok": not said}


def settle(field: Field) -> list[str]:
    """Waits until nothing differs; what still does when the time is over.

    A last deposit comes after some quiet: what lies behind a mute line shows by it.
    """
    time.sleep(_QUIET_S)
    for account in (name for names in field.names.values() for name in names):
        field.do("transfer", account=account, asset="USDT", amount="1")
    end = time.monotonic() + _SETTLE_S
    while True:
        said = [f"{worker}: expected alive, was dead" for worker in WORKERS if not field.worker_lives(worker)]
        said += differences(field) + [f"{name}: expected live, was {state}" for name, state in field.states().items() if state != "live"]
        if not said or time.monotonic() > end:
            return said
        time.sleep(2)


def run(size: Size, folder: Path) -> dict[str, object]:
    """A whole campaign in `folder`; its line."""
    began = time.monotonic()
    with fielded(folder, size) as field:
        found = live_through(field, size)
    return results.stamped({"run": "campaign", **size._asdict(), **found, "took_s": round(time.monotonic() - began)}) | {"seed": size.seed}


def main() -> int:
    """A line of JSON a seed; 1 where one of them found a difference: its folder with all logs stays."""
    options = argparse.ArgumentParser(prog="python -m tests.venues.campaign")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--seeds", type=int, default=1, help="how many, from SEED on")
    options.add_argument("--accounts", type=int, default=3, help="of each venue")
    options.add_argument("--seconds", type=float, default=90.0, help="of trading with faults")
    options.add_argument("--events", type=float, default=12.0, help="a second, all accounts together")
    options.add_argument("--results", type=Path, default=RESULTS)
    chosen = options.parse_args()
    wrong = 0
    for seed in range(chosen.seed, chosen.seed + chosen.seeds):
        folder = Path(tempfile.mkdtemp(prefix=f"ingest-{seed}-"))
        try:
            line = run(Size(seed, chosen.accounts, chosen.seconds, chosen.events), folder)
        except (StackError, TimeoutError) as error:
            print(f"seed {seed}: {error}; see {folder}", file=sys.stderr)
            return 1
        results.append(chosen.results, line)
        print(json.dumps(line), flush=True)
        wrong += not line["ok"]
        if line["ok"]:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            print(f"seed {seed}: see {folder}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
