"""A worker and a thread that says where its CPU time goes: `python -m streams.bench.profiled FILE WORDS...`.

Every few milliseconds it looks at the stack of each thread; what the thread's own CPU clock has moved since then is that stack's.
"""

import sys
import threading
import time
from collections import Counter
from pathlib import Path
from types import FrameType

import msgspec

from streams.__main__ import main

_LOOK_S, _WRITE_S = 0.005, 0.5
# The innermost of these functions names the cost; else the first of the folders that is on the stack.
_FUNCTIONS = {
    ("agents/facts.py", "read"): "records: protobuf, every field checked",
    ("engine/ledger.py", "fold"): "folds",
    ("streams/checks.py", "put"): "a changed row's rungs and deadlines",
    ("streams/checks.py", "_lay_columns"): "columns of the changed rows",
    ("streams/checks.py", "_slice"): "checks: the law, stamps, reports",
    ("streams/checks.py", "_check"): "checks: the law, stamps, reports",
    ("engine/rows.py", "encode"): "rows and states to bytes",
    ("engine/writer.py", "send"): "batches for the producer",
    ("engine/transport.py", "_commit_offsets"): "commits of offsets",
    ("streams/view.py", "collect"): "metrics",
    ("streams/survey.py", "survey"): "metrics",
}
_FOLDERS = {"aiokafka": "Kafka protocol of producer and group", "faust": "Faust: delivery to streams", "mode": "Faust: delivery to streams"}
_ENTRY = "execute_from_commandline"  # below it the loop runs what it runs
FETCHING, LOOP = "fetching, a thread of its own", "event loop and the rest"


class Spent(msgspec.Struct):
    """CPU seconds by cost since the first fact was folded, and how many were."""

    seconds: dict[str, float]
    folded: int


def cost(frame: FrameType | None) -> str:
    """The cost that a stack belongs to, from its innermost frame."""
    folder = ""
    while frame is not None and frame.f_code.co_name != _ENTRY:
        path, name = frame.f_code.co_filename, frame.f_code.co_name
        if found := _FUNCTIONS.get(("/".join(path.split("/")[-2:]), name)):
            return found
        folder = folder or next((cost for part, cost in _FOLDERS.items() if f"/{part}/" in path), "")
        frame = frame.f_back
    return folder or LOOP


class Sampler:
    """Adds up; `own` is the thread it runs in and `first` the worker's."""

    def __init__(self, first: threading.Thread) -> None:
        self.seconds: Counter[str] = Counter()
        self._first = first.ident
        self._clocks: dict[int, float] = {}

    def look(self) -> None:
        """One look at every other thread."""
        for thread, frame in sys._current_frames().items():
            if thread == threading.get_ident():
                continue
            now_s = time.clock_gettime(time.pthread_getcpuclockid(thread))
            spent_s = now_s - self._clocks.get(thread, now_s)
            self._clocks[thread] = now_s
            if spent_s:
                self.seconds[cost(frame) if thread == self._first else FETCHING] += spent_s  # type: ignore[assignment]  # seconds


def _folded() -> int:
    worker = sys.modules.get("streams.worker")
    return int(worker.app.tables["accounts"].folded) if worker and hasattr(worker, "app") else 0


def _keep_looking(file: Path, first: threading.Thread) -> None:
    while not _folded():
        time.sleep(_WRITE_S / 10)
    sampler, written_s = Sampler(first), time.monotonic()
    while True:
        sampler.look()
        time.sleep(_LOOK_S)
        if time.monotonic() - written_s > _WRITE_S:
            written_s = time.monotonic()
            file.with_suffix(".new").write_bytes(msgspec.json.encode(Spent(dict(sampler.seconds), _folded())))
            file.with_suffix(".new").rename(file)


if __name__ == "__main__":
    threading.Thread(target=_keep_looking, args=(Path(sys.argv[1]), threading.current_thread()), daemon=True).start()
    sys.exit(main(sys.argv[2:]))
