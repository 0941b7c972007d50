"""Everything read again over REST: the snapshot's pages, then what ended or was filled while nobody listened."""

from collections.abc import Sequence

from streams.venues.decode import snapshot
from streams.venues.frames import Asked, Event, Receipt
from streams.venues.memory import Memory
from streams.venues.venue import Gap, Request, Venue


class Reading:
    """As old as the link's opening (`as_of_ms`): what came after, the link tells. Nothing is asked before REST had time to know it."""

    def __init__(self, venue: Venue, memory: Memory, as_of_ms: int) -> None:
        self.venue, self.memory, self.as_of_ms = venue, memory, as_of_ms
        self.held = memory.held
        self.pages: dict[str, list[bytes]] = {request.part: [] for request in venue.snapshot}
        self.between: list[tuple[Request, bytes]] = []  # answers about the gap, each on its own
        self.round = 0
        self.rows: tuple[Event, ...] | None = None

    def take(self, request: Request, body: bytes) -> Request | None:
        """Keeps an answer; the question for its next page, if it has one."""
        if self.rows is None:
            self.pages[request.part].append(body)
        else:
            self.between.append((request, body))
        return self.venue.next_page(request, body)

    def snapshot(self, receipt: Receipt) -> None:
        """The snapshot is whole. Raises `Unreadable`."""
        parts = {part: self.venue.merge(pages) for part, pages in self.pages.items()}
        asked = Asked(self.as_of_ms, f"{receipt.connection_id}-{self.as_of_ms}", self.held)
        self.rows = snapshot(self.venue.name, parts, receipt, asked)

    def gap(self, since_ms: int) -> Sequence[Request]:
        """The next round of questions about the time since then; none where all is known."""
        assert self.rows is not None
        seen = Memory()
        seen.note(self.rows)
        missing = self.memory.missing(self.rows)
        symbols = tuple(sorted(self.memory.symbols() | seen.symbols() | {symbol for symbol, _, _ in missing}))
        answers = tuple((request.part, body) for request, body in self.between)
        asked = self.venue.gap(Gap(self.round, since_ms, symbols, missing, answers))
        self.round += 1
        return asked

    def facts(self, receipt: Receipt) -> tuple[Event, ...]:
        """The gap's facts, then the snapshot's: how something ended is told before the snapshot lacks it. Raises `Unreadable`."""
        assert self.rows is not None
        asked = Asked(self.as_of_ms, "")
        told = [event for request, body in self.between if request.told
                for event in snapshot(self.venue.name, {request.part: body}, receipt, asked)]
        return (*told, *self.rows)
