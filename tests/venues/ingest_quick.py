"""The product's ingestion process with shorter times and nothing else changed: a campaign of minutes meets what takes an hour otherwise."""

import sys
from functools import partial
from typing import Any

from streams.__main__ import main
from streams.venues import backoff, places, reader, websocket
from streams.venues.attempts import Policy
from streams.venues.session import Session

POLICY = Policy(open_ms_max=15_000, attempt_ms_max=60_000, steady_ms=5_000, silent_ms=5_000, silent_idle_ms=5_000, silent_by_ms=2_000,
                doubt_every_ms=5_000)
PING_MS, QUIET_MS, PING_S, CEILING_MS = 2_000, 8_000, 4.0, 4_000


def hasten() -> None:
    """Every part that waits takes less: sessions, heartbeats, backoff."""
    record: Any = places.venue_of

    def quick(*given: Any) -> Any:
        found = record(*given)
        return found._replace(ping_every_ms=PING_MS, quiet_ms_max=QUIET_MS) if found.quiet_ms_max else found

    reader.venue_of = quick  # type: ignore[assignment,attr-defined]
    reader.Session = partial(Session, policy=POLICY)  # type: ignore[assignment,attr-defined]
    backoff.CEILING_MS = CEILING_MS
    websocket._PING_S = PING_S


if __name__ == "__main__":
    hasten()
    sys.exit(main(["ingest"]))
