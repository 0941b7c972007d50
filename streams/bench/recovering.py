"""A worker that tells, as JSON on a line, what its takeover took: `python -m streams.bench.recovering FILE`."""

import gc
import sys
import threading
import time
from pathlib import Path
from typing import Any

import msgspec

from streams.worker import app, main

_LOOK_S = 0.002


class Took(msgspec.Struct):
    """Seconds of each part, what was read, and resident KiB before, with rows as bytes, and with every row touched and the book filled."""

    ledgers_s: float
    rows: int
    book_s: float
    users: int
    before_kib: int
    read_kib: int
    filled_kib: int
    done_at_s: float


def _rss_kib() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def _until(condition: Any) -> float:
    while not condition():
        time.sleep(_LOOK_S)
    return time.perf_counter()


def _measure(file: Path) -> None:
    accounts, orders = app.tables["accounts"], app.tables["orders"]
    [checks] = [one for one in app.services_first if hasattr(one, "backlog")]
    _until(lambda: accounts.recovery_began)
    before = _rss_kib()
    _until(lambda: len(accounts.owned()) == accounts.plan.partitions and not (accounts.frozen or orders.frozen))
    recovered, read = time.perf_counter(), _rss_kib()
    filled = _until(lambda: not (checks._refill or checks._changed) and checks.rungs)
    gc.collect()
    users = sum(len(accounts.keys_of(number)) for number in accounts.owned())
    took = Took(max(accounts.recovery_s, orders.recovery_s), sum(part.read for part in accounts.parts.values()), filled - recovered, users,
                before, read, _rss_kib(), time.time())
    file.write_bytes(msgspec.json.encode(took))


if __name__ == "__main__":
    target = Path(sys.argv[1])
    threading.Thread(target=_measure, args=(target,), daemon=True).start()
    main()
