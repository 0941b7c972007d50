"""The README's table of the chaos campaign: seeds that passed, and what was done to the engine meanwhile."""

from collections.abc import Sequence
from statistics import median

from streams.bench.results import Row
from streams.bench.spread import numbers

_HEAD = ["| brokers | without | seeds passed, of those run | failed before | faults | facts | skipped by fence | unowned s (most) |",
         "|---|---|---|---|---|---|---|---|"]


def table(rows: Sequence[Row]) -> str:
    """By brokers and guard taken away, as Markdown: each seed by its last run; empty without rows."""
    if not rows:
        return ""
    kinds = sorted({(str(row["without"]), int(str(row["brokers"]))) for row in rows})
    lines = [_line(brokers, without, [row for row in rows if (row["without"], row["brokers"]) == (without, brokers)])
             for without, brokers in kinds]
    commits = ", ".join(sorted({str(row["commit"]) for row in rows}))
    said = f"`make chaos`: 30 faults a seed, 12 with a guard taken away, which must fail. Commits {commits}; other work ran beside."
    return "\n".join([*_HEAD, *lines, "", said])


def _line(brokers: int, without: str, rows: Sequence[Row]) -> str:
    last = {str(row["seed"]): row for row in rows}
    passed = sorted((seed for seed, row in last.items() if row["ok"]), key=int)
    failed = sum(not row["ok"] for row in rows if row is not last[str(row["seed"])])
    unowned = [float(str(value)) for row in last.values() for value in dict(row["unowned_s"]).values()]  # type: ignore[call-overload]
    hit, sent, skipped = (median(numbers(list(last.values()), name)) for name in ("hit", "sent", "skipped_by_fence_at_least"))
    seeds = f"{len(passed)} of {len(last)}" + (f": {', '.join(passed)}" if passed else "")
    return (f"| {brokers} | {without or 'nothing'} | {seeds} | {failed} | {hit:.0f} | {sent:,.0f} | {skipped:,.0f} "
            f"| {median(unowned):.0f} ({max(unowned):.0f}) |")
