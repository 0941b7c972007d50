"""A bar on stderr where a person looks at it, for what takes long."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from streams.replay.recording import Say

_EVERY = 5_000


@contextmanager
def bar(what: str, total: int) -> Iterator[Say]:
    """Call what it gives with each count that is through; without a terminal nothing is shown."""
    if not sys.stderr.isatty():
        yield lambda count: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task, behind = progress.add_task(what, total=total), 0

        def say(count: int) -> None:
            nonlocal behind
            behind += count
            if behind >= _EVERY:
                progress.advance(task, behind)
                behind = 0

        yield say
