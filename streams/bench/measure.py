"""What a run cost: CPU seconds and memory of processes, the machine's other work, spread of figures."""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    """CPU seconds a process has used, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def busy_s() -> float:
    """CPU seconds the machine has spent on anything."""
    numbers = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return (sum(numbers) - numbers[3] - numbers[4] - numbers[7]) / _TICKS  # idle, waiting for disks, and what the host took


def rss_kib(pid: int) -> int:
    """Resident memory of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith("VmRSS")), 0)


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of them lie; `values` sorted and not empty."""
    return values[min(len(values) - 1, int(share * len(values)))]


def quantiles(values: Sequence[float]) -> dict[str, float]:
    """p50 to max in milliseconds of milliseconds, and how many there were."""
    ordered = sorted(values)
    return {"count": len(ordered), **{f"{name}_ms": round(quantile(ordered, share), 1)
                                      for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1.0))}}


class Sample(NamedTuple):
    """One look: outputs so far; CPU seconds of the worker, the broker, our own processes and the machine."""

    at_s: float
    outputs: int
    worker_s: float
    broker_s: float
    own_s: float
    machine_s: float


def look(outputs: int, worker: int, broker: int, own: Sequence[int] = ()) -> Sample:
    """A sample now; a process id of 0 counts nothing."""
    worker_s, broker_s = (cpu_s(pid) if pid else 0.0 for pid in (worker, broker))
    return Sample(time.monotonic(), outputs, worker_s, broker_s, sum(cpu_s(pid) for pid in (os.getpid(), *own)), busy_s())


def cores(first: Sample, last: Sample) -> dict[str, float]:
    """Cores in use between two looks, by whom; `other` is none of ours and spoils a run."""
    took = max(1e-9, last.at_s - first.at_s)
    used = {"worker": last.worker_s - first.worker_s, "broker": last.broker_s - first.broker_s, "bench": last.own_s - first.own_s}
    found = {"cores": used["worker"], "broker_cores": used["broker"], "other_cores": last.machine_s - first.machine_s - sum(used.values())}
    return {name: round(value / took, 3) for name, value in found.items()}
