"""Results of benchmarks as lines of JSON, each with the machine, versions, seed and commit that it comes from."""

import json
import os
import platform
import subprocess
import time
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path

from streams.bench import peers
from streams.bench.workload import SEED
from streams.stack import kafka_jars

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "tests" / "benchmarks" / "results"
_OURS = ("faust-streaming", "aiokafka", "msgspec", "uvloop", "protobuf")

Row = dict[str, object]


def stamped(figures: Mapping[str, object]) -> Row:
    """The figures with what they come from."""
    system = str(figures.get("system", ""))
    versions = peers.versions(system) if system in peers.PEERS else {name: metadata.version(name) for name in _OURS}
    return {"at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), **figures, "seed": SEED, "commit": commit(), "machine": machine(),
            "versions": {"python": platform.python_version(), "kafka": kafka_jars.VERSION, **versions}}


def append(path: Path, row: Row) -> None:
    """One line more."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps(row) + "\n")


def rows(path: Path) -> Iterator[Row]:
    """The lines of a file; none where there is no such file."""
    if path.exists():
        yield from map(json.loads, path.read_text().splitlines())


def machine() -> str:
    """Processor, cores and memory, in words."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    found = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} x {(found or [platform.machine()])[0]}, {gib:.0f} GiB, {platform.system()}"


def commit() -> str:
    """The checkout's, "+" where its code was changed since; "" outside of one."""
    def said(*words: str) -> str:
        return subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=False).stdout.strip()

    changed = said("status", "--porcelain", "--untracked-files=no", "--", "streams", "tables", "agents", "schemas")
    return said("rev-parse", "--short", "HEAD") + ("+" if changed else "")
