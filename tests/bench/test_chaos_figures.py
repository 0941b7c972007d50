"""The campaign's table: a seed counts by its last run, what failed before is told."""

from streams.bench.chaos_figures import table
from streams.bench.results import Row


def _run(seed: int, *, ok: bool, brokers: int = 1, without: str = "") -> Row:
    return {"seed": seed, "brokers": brokers, "without": without, "ok": ok, "hit": 30, "sent": 100_000, "skipped_by_fence_at_least": 7,
            "unowned_s": {"0": 1.0, "1": 5.0}, "commit": "abc"}


def test_nothing_was_run() -> None:
    assert table([]) == ""


def test_a_seed_counts_by_its_last_run() -> None:
    told = table([_run(1, ok=False), _run(2, ok=True), _run(1, ok=True), _run(3, ok=True), _run(3, ok=False),
                  _run(1, ok=True, brokers=3), _run(1, ok=False, without="fences")])
    assert told.splitlines()[2:5] == [
        "| 1 | nothing | 2 of 3: 1, 2 | 1 | 30 | 100,000 | 7 | 3 (5) |",
        "| 3 | nothing | 1 of 1: 1 | 0 | 30 | 100,000 | 7 | 3 (5) |",
        "| 1 | fences | 0 of 1 | 0 | 30 | 100,000 | 7 | 3 (5) |"]
