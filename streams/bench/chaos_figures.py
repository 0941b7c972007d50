"""The README's table of the chaos campaign: seeds that passed, and what was done to the engine meanwhile."""

from collections.abc import Sequence
from statistics import median

from streams.bench.results import Row
from streams.bench.spread import numbers


def table(rows: Sequence[Row]) -> str:
    """By brokers and guard taken away, as Markdown: each seed by its last run; empty without rows."""
    if not rows:
        return ""
    head = ["| brokers | without | seeds passed, of those run | failed before | faults | facts | skipped by fence | unowned s (most) |",
            "|---|---|---|---|---|---|---|---|"]
    kinds = sorted({(int(str(row["brokers"])), str(row["without"])) for row in rows}, key=lambda kind: (kind[1], kind[0]))
    for brokers, without in kinds:
        found = [row for row in rows if (row["brokers"], row["without"]) == (brokers, without)]
        last = {str(row["seed"]): row for row in found}
        passed = [seed for seed, row in last.items() if row["ok"]]
        failed = sum(not row["ok"] for row in found if row is not last[str(row["seed"])])
        unowned = [float(str(value)) for row in last.values() for value in dict(row["unowned_s"]).values()]  # type: ignore[call-overload]
        head.append(f"| {brokers} | {without or 'nothing'} | {len(passed)} of {len(last)}{': ' if passed else ''}"
                    f"{', '.join(sorted(passed, key=int))} | {failed} | {median(numbers(list(last.values()), 'hit')):.0f} "
                    f"| {median(numbers(list(last.values()), 'sent')):,.0f} "
                    f"| {median(numbers(list(last.values()), 'skipped_by_fence_at_least')):,.0f} "
                    f"| {median(unowned):.0f} ({max(unowned):.0f}) |")
    commits = ", ".join(sorted({str(row["commit"]) for row in rows}))
    said = f"`make chaos`: 30 faults a seed, 12 with a guard taken away, which must fail. Commits {commits}; other work ran beside."
    return "\n".join([*head, "", said])
