"""The product's ingestion process for `bench ingest`: its budgets widened, and each fact's time from socket to acknowledgement kept.

`python -m streams.bench.ingest_process FILE [PROFILE]`: SIGUSR1 puts the quantiles since the last one as a line of JSON into FILE; with
PROFILE, cProfile runs from the first of them to the second and its findings go there.
"""

import asyncio
import cProfile
import json
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from streams.__main__ import main
from streams.bench.measure import quantiles
from streams.venues import ingest, places, publisher, reader
from streams.venues.frames import Event

_PLENTY = 10_000_000


class Timed(publisher.Lane):
    """Looks at the clock when a fact is acknowledged."""

    delays_ms: list[float] = []

    def put(self, event: Event, key: bytes, sent: Callable[[], None]) -> None:
        received_ns: int = getattr(event.message, "meta").receive_time_ns  # noqa: B009

        def acknowledged() -> None:
            Timed.delays_ms.append((time.time_ns() - received_ns) / 1e6)
            sent()

        super().put(event, key, acknowledged)


def tell(file: Path, profile: Path | None) -> Callable[[], None]:
    """What SIGUSR1 does."""
    profiler, count = cProfile.Profile(time.thread_time), 0

    def told() -> None:
        nonlocal count
        found, Timed.delays_ms = Timed.delays_ms, []
        with file.open("a") as out:
            out.write(json.dumps(quantiles(found) if found else {"count": 0}) + "\n")
        count += 1
        if profile is not None and count == 1:
            profiler.enable()
        elif profile is not None:
            profiler.disable()
            profiler.dump_stats(profile)

    return told


def widen(file: Path, profile: Path | None) -> None:
    """The venue allows everything, so that what is measured is us."""
    record: Any = places.venue_of

    def wide(*given: Any) -> Any:
        return record(*given)._replace(weight_per_min=_PLENTY, connects_per_min=6_000, used_header="")

    run = ingest.Ingest.run

    async def watched(one: ingest.Ingest, stop: asyncio.Event) -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, tell(file, profile))
        await run(one, stop)

    reader.venue_of = wide  # type: ignore[assignment,attr-defined]
    publisher.Lane = Timed  # type: ignore[misc]
    ingest.Ingest.run = watched  # type: ignore[assignment]


if __name__ == "__main__":
    widen(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
    sys.exit(main(["ingest"]))
