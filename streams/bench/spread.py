"""Several runs of one figure in words: the median with its spread, and what the machine did beside."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from statistics import median

from streams.bench.results import Row


def origin(rows: Sequence[Row]) -> str:
    """Where, when and of what these rows are."""
    machines, commits, days = (", ".join(sorted({str(row[field])[:most] for row in rows})) for field, most in
                               (("machine", 80), ("commit", 8), ("at", 10)))
    said = f"{len(rows)} run{'s' if len(rows) > 1 else ''} on {machines}, {days}, commit {commits}."
    known = [row for row in rows if "other_cores" in row]
    if not known:
        return said
    other = sorted(numbers(known, "other_cores"))
    return f"{said} Other work on the machine took {other[0]:.1f} to {other[-1]:.1f} cores meanwhile (median {median(other):.1f})."


def by(rows: Iterable[Row], field: str) -> Iterator[tuple[str, list[Row]]]:
    """Rows by what a field says, as text."""
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[str(row[field])].append(row)
    yield from found.items()


def numbers(rows: Iterable[Row], field: str) -> list[float]:
    """What a field says in each."""
    return [float(str(row[field])) for row in rows]


def spread(rows: Sequence[Row], field: str) -> str:
    """Median, and from least to most where there are several."""
    found = sorted(numbers(rows, field))
    digits = 1 if median(found) < 100 else 0
    said = [f"{number:,.{digits}f}" for number in (median(found), found[0], found[-1])]
    return f"{said[0]} ({said[1]} to {said[2]})" if len(found) > 1 else said[0]
