"""The README's figures, made of the committed results: medians with their spread, and what the machine did beside."""

import re
from collections.abc import Sequence
from statistics import median

from streams.bench import chaos_figures, results, risk_figures
from streams.bench.results import FOLDER, ROOT, Row
from streams.bench.spent import TABLES
from streams.bench.spread import by, numbers, origin, spread

BEGIN, END = "<!-- figures: made by `marginstream bench figures --write` -->", "<!-- end of figures -->"
NAMES = {"engine": "**marginstream, engine**", "product": "**marginstream, product**", "confluent": "loop on confluent-kafka (no promises)",
         "aiokafka": "loop on aiokafka (no promises)", "streams-alos": "Kafka Streams, at least once",
         "streams-eos": "Kafka Streams, exactly once", "bytewax": "Bytewax", "quix": "Quix Streams", "faust": "plain Faust",
         "bare": "produce and consume, nothing between"}
_GOALS = {"streams-eos": 1.5, "bytewax": 1.3, "quix": 4.0, "faust": 30.0, "confluent": 0.5}  # the engine's speed by theirs
_WRONG = ("wrong_balances", "missing_outputs", "repeated_outputs")
_ENGINE, _OF = FOLDER / "engine.jsonl", {"mirrors": FOLDER / "mirrors.jsonl", "ticks": FOLDER / "ticks.jsonl"}


def text() -> str:
    """All tables, as the README holds them between its marks."""
    tables = TABLES | {"risk": risk_figures.table, "chaos": chaos_figures.table}
    others = (told(list(results.rows(FOLDER / f"{name}.jsonl"))) for name, told in tables.items())
    return "\n\n".join(part for part in (_speeds(), *others) if part)


def _speeds() -> str:
    rows = list(results.rows(_ENGINE))
    parts = [_drained([row for row in rows if row["run"] == "drain"]), _paced([row for row in rows if row["run"] == "pace"]),
             _delays([row for path in _OF.values() for row in results.rows(path)])]
    return "\n\n".join(part for part in parts if part)


def show(*, write: bool) -> int:
    """Prints the tables, or puts them into the README; 0."""
    if not write:
        print(text())
        return 0
    readme = ROOT / "README.md"
    readme.write_text(replaced(readme.read_text(), text()))
    return 0


def replaced(page: str, tables: str) -> str:
    """The page with other tables between its marks."""
    return re.sub(f"({re.escape(BEGIN)}\n).*?({re.escape(END)})", lambda found: f"{found[1]}{tables}\n{found[2]}", page, flags=re.DOTALL)


def _drained(rows: Sequence[Row]) -> str:
    if not rows:
        return ""
    head = ["| system | runs | events/s (least to most) | engine's speed by it (goal) | CPU s per million events | RSS MiB | right |",
            "|---|---|---|---|---|---|---|"]
    speeds = {system: median(numbers(found, "events_per_s")) for system, found in by(rows, "system")}
    ours = speeds.get("engine", 0.0)
    for system, found in sorted(by(rows, "system"), key=lambda pair: -speeds[pair[0]]):
        share = f"{ours / speeds[system]:.2f}" + (f" ({_GOALS[system]:g})" if system in _GOALS else "")
        right = "yes" if not any(row[field] for row in found for field in _WRONG) else "no"
        head.append(f"| {NAMES[system]} | {len(found)} | {spread(found, 'events_per_s')} | {share} "
                    f"| {spread(found, 'cpu_s_per_million')} | {median(numbers(found, 'rss_mib')):.0f} | {right} |")
    return "\n".join([*head, "", origin(rows)])


def _paced(rows: Sequence[Row]) -> str:
    head = ["| events/s | system | runs | p50 ms | p99 ms | most ms | cores |", "|---|---|---|---|---|---|---|"]
    for rate, same in sorted(by(rows, "rate"), key=lambda pair: int(pair[0])):
        for system, found in sorted(by(same, "system"), key=lambda pair: median(numbers(pair[1], "p50_ms"))):
            head.append(f"| {int(rate):,} | {NAMES[system]} | {len(found)} | {spread(found, 'p50_ms')} | {spread(found, 'p99_ms')} "
                        f"| {max(numbers(found, 'max_ms')):,.0f} | {median(numbers(found, 'cores')):.2f} |")
    return "\n".join([*head, "", origin(rows)]) if rows else ""


def _delays(rows: Sequence[Row]) -> str:
    head = ["| from the intended send time | a second | runs | p50 ms | p99 ms | most ms |", "|---|---|---|---|---|---|"]
    each = [{**row, **part, "to": to} for row in rows for to, part in dict(row["to"]).items()]  # type: ignore[call-overload]
    for to, same in by(each, "to"):
        for rate, found in sorted(by(same, "rate"), key=lambda pair: int(pair[0])):
            head.append(f"| {to} | {int(rate):,} | {len(found)} | {spread(found, 'p50_ms')} | {spread(found, 'p99_ms')} "
                        f"| {max(numbers(found, 'max_ms')):,.0f} |")
    return "\n".join([*head, "", origin(rows)]) if rows else ""
