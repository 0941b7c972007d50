"""The tables of what it takes, from rows as the benchmarks write them."""

from streams.bench import spent
from streams.bench.results import Row

FROM: Row = {"machine": "2 x a, 4 GiB, Linux", "commit": "abc", "at": "2026-11-21T10:00:00Z"}


def lines(table: str) -> list[str]:
    """Of its body."""
    return table.split("\n\n", maxsplit=1)[0].splitlines()[2:]


def test_costs_are_sorted_and_a_load_without_one_has_none_of_it() -> None:
    rows: list[Row] = [{**FROM, "load": "backlog", "cpu_us_per_event": 50.0, "shares": {"folds": 0.7, "metrics": 0.3}},
                       {**FROM, "load": "backlog", "cpu_us_per_event": 60.0, "shares": {"folds": 0.9, "metrics": 0.1}},
                       {**FROM, "load": "5,000 a second", "cpu_us_per_event": 90.0, "shares": {"checks": 0.95, "folds": 0.05}}]
    assert lines(spent.profile(rows)) == ["| checks | 0% | 95% |", "| folds | 80% | 5% |", "| metrics | 20% | 0% |",
                                          "| CPU microseconds per event | 55.0 (50.0 to 60.0) | 90.0 |"]


def test_workers_count_together_and_their_rest_and_memory_each() -> None:
    row: Row = {**FROM, "workers": 2, "partitions": 4, "rate": 1_000, "other_cores": 0.5,
                "cpu_s_per_million": {"broker": 300.0, "worker 1": 200.0, "worker 2": 240.0, "bridge postgres": 90.0, "bridge redis": 80.0},
                "cores_at_rest": {"broker": 0.1, "worker 1": 0.02, "worker 2": 0.04, "bridge postgres": 0.01, "bridge redis": 0.01},
                "rss_mib": {"broker": 400, "worker 1": 80, "worker 2": 90, "bridge postgres": 60, "bridge redis": 60}}
    assert lines(spent.growth([row])) == ["| 2 | 4 | 1,000 | 1 | 440 | 300 | 90.0 | 80.0 | 0.03 | 0.10 | 85 |"]


def test_the_longest_soak_is_told_with_what_grew() -> None:
    level = {"first": 1_024.0, "last": 2_048.0, "per_hour": 9.0, "grew": True}
    held = {"looks": 9, "cores": 0.5, "rss_kib": level, **{name: {**level, "grew": False} for name in ("blocks", "descriptors", "tasks")}}
    rows: list[Row] = [{**FROM, "seconds": seconds, "facts": 5_000, "processes": {"worker": held}} for seconds in (600.0, 1_200.0)]
    table = spent.soak(rows)
    assert table.startswith("| 20 minutes, 5,000 facts |")
    assert lines(table) == ["| worker | 0.50 | 1 to 2 | 1,024 to 2,048 | 1,024 to 2,048 | 1,024 to 2,048 | rss_kib |"]


def test_what_ingestion_keeps_is_told_by_rate() -> None:
    load = {**FROM, "run": "load", "rate": 5_000, "kept": True, "lost": 0, "p50_ms": 13.0, "p99_ms": 153.0, "ingest_cores": 0.81}
    idle = {**FROM, "run": "idle", "accounts": 1_000, "kib_per_account": 44.8}
    table = spent.ingest([load, {**load, "kept": False, "lost": 3}, idle])
    assert lines(table) == ["| 5,000 | 2 | no | 3 | 13.0 (13.0 to 13.0) | 153 (153 to 153) | 0.8 (0.8 to 0.8) |"]
    assert table.endswith("An idle account holds 44.8 KiB, of 1,000 in one process.")


def test_what_mirrors_write_is_told_beside_other_ways() -> None:
    store = {**FROM, "store": "redis", "states_per_s": 12_725, "times_row_by_row": 14.4, "times_guarded_row_by_row": 10.4,
             "share_of_ready_made": 0.68}
    table = spent.mirror([store, {**FROM, "store": "figures for people", "pass_ms": 31.1, "all_written_s": 1.66}])
    assert lines(table) == ["| redis | 1 | 12,725 | 14.4 | 10.4 | 68.0 |"]
    assert table.endswith("100,000 changed users: a pass over all takes 31.1 ms, writing them 1.7 s.")


def test_a_takeover_says_its_size() -> None:
    row: Row = {**FROM, "users": 1_000, "positions": 3, "rows_per_s": 150_000, "users_per_s": 12_345, "users_per_cpu_s": 13_000,
                "bytes_per_user": 7_800, "bytes_per_user_untouched": 1_100}
    assert lines(spent.recovery([row])) == ["| 1,000 users, 3 positions each | 1 | 150,000 | 12,345 | 13,000 | 7,800 | 1,100 |"]


def test_no_rows_are_no_table() -> None:
    assert {name: table([]) for name, table in spent.TABLES.items()} == dict.fromkeys(spent.TABLES, "")
