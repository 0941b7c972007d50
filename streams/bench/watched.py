"""A process of ours and a thread that writes down what it holds: `python -m streams.bench.watched FILE SECONDS WORDS...`."""

import asyncio
import gc
import os
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import msgspec

from streams.__main__ import main
from streams.bench.measure import cpu_s, rss_kib

_KINDS_MAX = 15


class Held(msgspec.Struct):
    """One look: `blocks` are all live blocks of Python's allocator, `kinds` the most numerous types of what the collector tracks."""

    at_s: float
    rss_kib: int
    descriptors: int
    threads: int
    tasks: int
    blocks: int
    objects: int
    cpu_s: float
    kinds: dict[str, int]


def look() -> Held:
    """What this process holds now."""
    objects = gc.get_objects()
    kinds = Counter(type(one).__name__ for one in objects)
    tasks = sum(isinstance(one, asyncio.Task) and not one.done() for one in objects)
    count = len(objects)
    del objects
    return Held(time.time(), rss_kib(os.getpid()), len(list(Path("/proc/self/fd").iterdir())),
                threading.active_count(), tasks, sys.getallocatedblocks(), count, cpu_s(os.getpid()), dict(kinds.most_common(_KINDS_MAX)))


def _keep_looking(file: Path, interval_s: float) -> None:
    while True:
        time.sleep(interval_s)
        with file.open("ab") as out:
            out.write(msgspec.json.encode(look()) + b"\n")


if __name__ == "__main__":
    threading.Thread(target=_keep_looking, args=(Path(sys.argv[1]), float(sys.argv[2])), daemon=True).start()
    sys.exit(main(sys.argv[3:]))
