"""A worker that tells, as JSON on a line, what its takeover took: `python -m streams.bench.recovering FILE`."""

import gc
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

import msgspec

from streams.bench.measure import rss_kib

_LOOK_S = 0.01


class Took(msgspec.Struct):
    """Seconds of each part by the clock and of CPU, what was read, and resident KiB: before, with rows as bytes, and with every row
    touched, the book filled and the figures for people laid (`figures_s` after the book)."""

    ledgers_s: float
    ledgers_cpu_s: float
    rows: int
    book_s: float
    book_cpu_s: float
    figures_s: float
    users: int
    before_kib: int
    read_kib: int
    filled_kib: int


def _until(condition: Any) -> float:
    while not condition():
        time.sleep(_LOOK_S)
    return time.perf_counter()


def _measure(app: Any, file: Path) -> None:
    accounts, orders = app.tables["accounts"], app.tables["orders"]
    [checks], [portfolios] = ([one for one in app.services_first if hasattr(one, field)] for field in ("backlog", "portfolio"))
    _until(lambda: accounts.recovery_began)
    before, began_cpu = rss_kib(os.getpid()), time.process_time()
    recovered = _until(lambda: len(accounts.owned()) == accounts.plan.partitions and not (accounts.frozen or orders.frozen))
    read, read_cpu = rss_kib(os.getpid()), time.process_time()
    filled = _until(lambda: not (checks.refill or checks._changed) and checks.rungs)
    filled_cpu, passes = time.process_time(), portfolios.passes
    told = _until(lambda: portfolios.passes > passes + 1)  # one may have begun before
    gc.collect()
    took = Took(ledgers_s=max(accounts.recovery_s, orders.recovery_s), ledgers_cpu_s=read_cpu - began_cpu,
                rows=sum(part.read for part in accounts.parts.values()), book_s=filled - recovered, book_cpu_s=filled_cpu - read_cpu,
                figures_s=told - filled, users=sum(len(accounts.keys_of(number)) for number in accounts.owned()), before_kib=before,
                read_kib=read, filled_kib=rss_kib(os.getpid()))
    file.write_bytes(msgspec.json.encode(took))


if __name__ == "__main__":
    from streams.worker import app, main  # it reads its settings at once: only where it is to run

    threading.Thread(target=_measure, args=(app, Path(sys.argv[1])), daemon=True).start()
    main()
