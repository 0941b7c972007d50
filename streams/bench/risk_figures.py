"""The README's table of `bench risk`: what a tick, a crash, a changed account and a verdict cost, beside the goals."""

from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from streams.bench.results import Row
from streams.bench.spread import numbers, origin


class Line(NamedTuple):
    """A figure of the rows of a run: those of so many accounts at least, and its goal."""

    what: str
    run: str
    field: str
    goal: str = ""
    accounts: int = 0


_LINES = (
    Line("a tick at 1 M accounts, 5 M positions, 200 symbols: CPU µs", "ordinary", "tick_us", accounts=1_000_000),
    Line("the sweep of the symbol's slice beside it, by the tick", "ordinary", "sweep_over_tick", "at least 50", 1_000_000),
    Line("a tick at 1 M accounts by one at 10 k", "ordinary", "times_small", "at most 3", 1_000_000),
    Line("memory, bytes a position by RSS", "ordinary", "bytes_a_position", "at most 250", 1_000_000),
    Line("a crash, 125x leverage, a third liquidated: by sweeping every tick", "crash", "cost_over_sweep", "at most 1.3"),
    Line("a changed account of 5 positions into columns and triggers, 100 together: by its ratio in Decimal", "changed", "put_over_ratio",
         "at most 1.5"),
    Line("the same alone", "changed", "put_alone_over_ratio"),
    Line("ratio and rung, exact, 5 positions: a second", "changed", "ratios_a_second", "at least 10,000"),
    Line("with its liquidation prices: accounts a second", "changed", "prices_a_second"),
    Line("with its plan: accounts a second", "changed", "plans_a_second"),
)


def table(rows: Sequence[Row]) -> str:
    """The table as Markdown, medians with least and most; empty without rows."""
    if not rows:
        return ""
    head = ["| the risk law, one core | goal | runs | median (least to most) |", "|---|---|---|---|"]
    for line in _LINES:
        found = sorted(numbers([row for row in rows if row["run"] == line.run and line.field in row
                                and int(str(row["accounts"])) >= line.accounts], line.field))
        if found:
            said = [f"{number:,.0f}" if number >= 100 else f"{number:.3g}" for number in (median(found), found[0], found[-1])]
            head.append(f"| {line.what} | {line.goal} | {len(found)} | {said[0]} ({said[1]} to {said[2]}) |")
    return "\n".join([*head, "", origin([row for row in rows if row["run"] == "changed"])])
