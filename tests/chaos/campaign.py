"""A chaos campaign by command: `make chaos SEED=n FAULTS=n`. Each run's result is a JSON line; a seed that passed is not run again."""

import argparse
import asyncio
import json
import logging
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
import traceback
from importlib.metadata import version
from pathlib import Path

from streams.stack.kafka_jars import VERSION
from tests.chaos.cluster import EXTRA, Shape, cluster
from tests.chaos.run import BURST, Blows, Chaos, Strike
from tests.chaos.story import Trial, tell

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "tests" / "benchmarks" / "results" / "chaos.jsonl"
PRODUCT = ("schemas", "tables", "agents", "streams", "sql")
BARRIERS = 5
USERS = 500
PAUSES = 6  # of 30
WITHOUT = Path(__file__).parent / "worker_without.py"


def main() -> int:
    """0 where every seed passed (or, with a guard taken away, failed as it must)."""
    options = _options()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # brokers are taken away
    results = Path(options.results)
    wrong = 0
    for seed in range(options.seed, options.seed + options.seeds):
        trial = Trial(seed, options.faults, options.brokers, options.without, options.facts, product())
        if not options.again and passed(results, trial):
            print(f"seed {seed}: passed before on this product")
            continue
        line = one(trial, Path(options.folder) if options.folder else Path(tempfile.mkdtemp(prefix="chaos-")))
        results.parent.mkdir(parents=True, exist_ok=True)
        with results.open("a") as out:
            out.write(json.dumps(line) + "\n")
        print(json.dumps(line))
        wrong += not line["ok"] if options.without in ("", "slow") else bool(line["ok"])
    return 1 if wrong else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.campaign", description=main.__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=1, help="how many, from SEED on")
    parser.add_argument("--faults", type=int, default=30)
    parser.add_argument("--facts", type=int, default=100_000)
    parser.add_argument("--brokers", type=int, choices=(1, 3), default=1)
    parser.add_argument("--without", choices=("", "fences", "claim", "outbox", "slow"), default="", help="a guard that is taken away")
    parser.add_argument("--again", action="store_true", help="run a seed that passed, too")
    parser.add_argument("--results", default=str(RESULTS))
    parser.add_argument("--folder", default="", help="where servers and logs live; kept where a run fails")
    return parser.parse_args()


def product() -> str:
    """What was tried: a hash of the product's tree, `+` where it has changes that no commit has."""
    words = ["git", "-C", str(ROOT)]
    trees = subprocess.run([*words, "rev-parse", *(f"HEAD:{room}" for room in PRODUCT)], capture_output=True, text=True, check=False).stdout
    changed = subprocess.run([*words, "status", "--porcelain", "--", *PRODUCT], capture_output=True, text=True, check=False).stdout
    return "".join(tree[:6] for tree in trees.split()) + "+" * bool(changed.strip())


def passed(results: Path, trial: Trial) -> bool:
    """Whether this very trial is on record as passed."""
    lines = results.read_text().splitlines() if results.exists() else []
    found = [json.loads(line) for line in lines]
    same = [line for line in found if all(line[name] == value for name, value in trial._asdict().items())]
    return not trial.product.endswith("+") and any(line["ok"] for line in same)


def one(trial: Trial, folder: Path) -> dict[str, object]:
    """Runs it; the result as it is recorded."""
    words: tuple[str | Path, ...] = (WITHOUT, trial.without) if trial.without else ("-m", "streams", "worker")
    shape = Shape(words, workers=3, bridges=2, brokers=trial.brokers, static=True)
    began, why, told = time.time(), [], {}
    try:
        with cluster(folder, shape) as on:
            chaos = Chaos(on, trial.seed, USERS, print)
            try:
                why = run(chaos, trial)
            except Exception as error:
                why = [f"{type(error).__name__}: {error}", *traceback.format_exc().splitlines()[-8:]]
            chaos.healed()
            told = tell(chaos)
            (folder / "said.log").write_text("\n".join([*chaos.said, *why]))
    except Exception as error:
        why = [*why, f"{type(error).__name__}: {error}"]
    return {**trial._asdict(), "ok": not why, "why": [line[:600] for line in why[:10]], "differences": len(why), **told,
            "seconds": round(time.time() - began), "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(began)), "commit": _commit(),
            "machine": f"{os.cpu_count()} x {platform.machine()}, {platform.system()}", "versions": _versions()}


def run(chaos: Chaos, trial: Trial) -> list[str]:
    """Phases that end at barriers, then one with prices that never rest; what differs where something first did."""
    asyncio.run(chaos.begin())
    phases = plan(chaos.on.shape, trial, chaos.random)
    for each in phases[:-1]:
        if found := chaos.phase(each):
            return found
    return chaos.restless(phases[-1])


def plan(shape: Shape, trial: Trial, chance: random.Random) -> list[Blows]:
    """All faults dealt out to the phases; a fifth of them are workers that sleep past their session."""
    phases = BARRIERS + 1
    faults = _faults(shape, trial, chance)
    chunk = max((trial.facts - phases * 2 * BURST) // (len(faults) - phases), 1) + 1
    dealt = [faults[at::phases] for at in range(phases)]
    if trial.without == "claim":  # it is of who sleeps and wakes up that a claim protects
        dealt = [[(blows[0][0], "pause"), *blows[1:]] for blows in dealt]
    return [Blows([blows[0]], [*blows[2:], (EXTRA, "leave")], blows[1], chunk) for blows in dealt]


def _faults(shape: Shape, trial: Trial, chance: random.Random) -> list[Strike]:
    """At least `trial.faults`: on workers first, those that strike at bursts and barriers; one on every server."""
    workers, bridges = shape.worker_names, shape.bridge_names
    pauses: list[Strike] = [(chance.choice(workers), "pause") for _ in range(max(trial.faults * PAUSES // 30, 1))]
    servers = [("redis", "away"), ("postgres", "away"), *((f"kafka-{1 + at % trial.brokers}", how)
               for at, how in enumerate(("restart", "kill", "pause")))]
    count = max(trial.faults - len(pauses) - len(servers) - 1, 2 * (BARRIERS + 1) - len(pauses))
    deaths: list[Strike] = [(chance.choice(workers), chance.choice(("kill", "kill", "end"))) for _ in range(count * 2 // 3)]
    others: list[Strike] = [(chance.choice(bridges), chance.choice(("kill", "end", "pause"))) for _ in range(count - len(deaths))]
    first = chance.sample([*pauses, *deaths], len(pauses) + len(deaths))
    head, rest = first[:2 * (BARRIERS + 1)], first[2 * (BARRIERS + 1):]
    later = [*rest, *others, *servers, (EXTRA, "join")]
    return [*head, *chance.sample(later, len(later))]


def _commit() -> str:
    return subprocess.run(["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"], capture_output=True, text=True,
                          check=False).stdout.strip()


def _versions() -> dict[str, str]:
    names = ("faust-streaming", "aiokafka", "redis", "psycopg")
    return {"python": platform.python_version(), "kafka": VERSION, **{name: version(name) for name in names}}


if __name__ == "__main__":
    sys.exit(main())
