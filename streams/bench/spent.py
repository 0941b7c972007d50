"""The README's tables of what it takes: where CPU time goes, recovery and memory, a long run, and growth."""

from collections.abc import Callable, Mapping, Sequence
from statistics import median

from streams.bench.results import Row
from streams.bench.spread import by, numbers, origin, spread

Parts = Mapping[str, float]


def _parts(row: Row, field: str) -> Parts:
    found = row[field]
    if not isinstance(found, dict):
        raise TypeError(f"{field}: expected numbers by name, was {found!r}")
    return found


def _table(head: Sequence[str], lines: Sequence[Sequence[str]], rows: Sequence[Row]) -> str:
    said = [head, ["---"] * len(head), *lines]
    return "\n".join([*(f"| {' | '.join(line)} |" for line in said), "", origin(rows)])


def profile(rows: Sequence[Row]) -> str:
    """Shares of the worker's CPU time, the largest first; medians."""
    if not rows:
        return ""
    loads = dict(by(rows, "load"))
    lines = [[name, *map("{:.0%}".format, shares)] for name, shares in sorted(_shares(loads).items(), key=lambda cost: -sum(cost[1]))]
    lines.append(["CPU microseconds per event", *(spread(found, "cpu_us_per_event") for found in loads.values())])
    return _table(["where the worker's time goes", *loads], lines, rows)


def _shares(loads: Mapping[str, Sequence[Row]]) -> dict[str, list[float]]:
    names = sorted({name for rows in loads.values() for row in rows for name in _parts(row, "shares")})
    return {name: [median(_parts(row, "shares").get(name, 0.0) for row in rows) for rows in loads.values()] for name in names}


def recovery(rows: Sequence[Row]) -> str:
    """A takeover of many users."""
    lines = [[f"{int(users):,} users, {found[0]['positions']} positions each", str(len(found)),
              *(spread(found, field) for field in ("rows_per_s", "users_per_s", "users_per_cpu_s", "bytes_per_user",
                                                    "bytes_per_user_untouched"))]
             for users, found in by(rows, "users")]
    return _table(["takeover", "runs", "rows/s read", "users/s into the book", "users per CPU s", "bytes a user, all touched",
                   "untouched"], lines, rows) if rows else ""


def soak(rows: Sequence[Row]) -> str:
    """What the processes of the longest run (the last of several) held: the first and last tenth after the warm-up."""
    if not rows:
        return ""
    row = max(reversed(rows), key=lambda one: float(str(one["seconds"])))
    lines = [_held(name, found) for name, found in _parts(row, "processes").items()]  # type: ignore[arg-type]  # not numbers here
    minutes = float(str(row["seconds"])) / 60
    head = f"{minutes:.0f} minutes, {int(str(row['facts'])):,} facts"
    return _table([head, "cores", "RSS MiB", "live blocks", "descriptors", "tasks", "grew"], lines, [row])


def _held(name: str, found: Mapping[str, Mapping[str, float]]) -> list[str]:
    grew = [measure for measure, level in found.items() if isinstance(level, dict) and level.get("grew")]
    units = {"rss_kib": 1024, "blocks": 1, "descriptors": 1, "tasks": 1}
    levels = [f"{found[measure]['first'] / unit:,.0f} to {found[measure]['last'] / unit:,.0f}" for measure, unit in units.items()]
    return [name, f"{found['cores']:.2f}", *levels, ", ".join(grew) or "no"]


def ingest(rows: Sequence[Row]) -> str:
    """From a frame received to its facts acknowledged, by rate; and what an idle account holds."""
    lines = [[f"{int(rate):,}", str(len(found)), "yes" if all(row["kept"] for row in found) else "no", f"{sum(numbers(found, 'lost')):.0f}",
              *(spread(found, field) for field in ("p50_ms", "p99_ms", "ingest_cores"))]
             for rate, found in by([row for row in rows if row["run"] == "load"], "rate")]
    idle = [f"\nAn idle account holds {spread(found, 'kib_per_account')} KiB, of {int(accounts):,} in one process."
            for accounts, found in by([row for row in rows if row["run"] == "idle"], "accounts")]
    head = ["frames/s of 200 accounts, received to acknowledged", "runs", "kept", "lost", "p50 ms", "p99 ms", "cores"]
    return "\n".join([_table(head, lines, rows), *idle]) if rows else ""


def mirror(rows: Sequence[Row]) -> str:
    """States a second into each store, by other ways of writing them; figures for people."""
    stores = [{**row, "percent": 100 * float(str(row["share_of_ready_made"]))} for row in rows if "share_of_ready_made" in row]
    people = [row for row in rows if "all_written_s" in row]
    if not (stores and people):
        return ""
    lines = [[name, str(len(found)), *(spread(found, field) for field in ("states_per_s", "times_row_by_row", "times_guarded_row_by_row",
                                                                          "percent"))] for name, found in by(stores, "store")]
    head = ["mirrored", "runs", "states/s", "times row by row (10)", "times row by row, guarded", "% of ready-made (60)"]
    return (_table(head, lines, rows) + f"\n\n100,000 changed users: a pass over all takes {spread(people, 'pass_ms')} ms, "
            f"writing them {spread(people, 'all_written_s')} s.")


def growth(rows: Sequence[Row]) -> str:
    """CPU time by process at one load; workers together."""
    lines = []
    for (workers, partitions), found in sorted(_by_size(rows).items()):
        each = [_summed(row) for row in found]
        lines.append([workers, partitions, f"{int(str(found[0]['rate'])):,}", str(len(found)),
                      *(spread(each, name) for name in ("workers", "broker", "bridge postgres", "bridge redis")),
                      *(f"{median(numbers(each, name)):.2f}" for name in ("rest", "broker at rest")),
                      f"{median(numbers(each, 'rss_mib')):.0f}"])
    return _table(["workers", "partitions", "events/s", "runs", "CPU s per million: workers", "broker", "Postgres mirror", "Redis mirror",
                   "cores at rest: a worker", "broker", "RSS MiB a worker"], lines, rows) if rows else ""


def _by_size(rows: Sequence[Row]) -> dict[tuple[str, str], list[Row]]:
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        found.setdefault((str(row["workers"]), str(row["partitions"])), []).append(row)
    return found


def _summed(row: Row) -> Row:
    spent, rest, rss = (_parts(row, field) for field in ("cpu_s_per_million", "cores_at_rest", "rss_mib"))
    own = [name for name in spent if name.startswith("worker")]
    return {**spent, "workers": sum(spent[name] for name in own), "rest": sum(rest[name] for name in own) / len(own),
            "broker at rest": rest["broker"], "rss_mib": sum(rss[name] for name in own) / len(own)}


TABLES: dict[str, Callable[[Sequence[Row]], str]] = {"profile": profile, "recovery": recovery, "soak": soak, "ingest": ingest,
                                                  "mirror": mirror, "growth": growth}
