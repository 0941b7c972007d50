"""The truth log: every change of state with a sequence, what tests compare all other books with."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from decimal import Decimal
from typing import NamedTuple

from schemas.money import say
from streams.venues.simulator.books import Account, Event


class Entry(NamedTuple):
    """`kind` is the event's name; `data` is plain JSON, amounts as text."""

    sequence: int
    time_ms: int
    venue: str
    account: str
    kind: str
    data: object


def plain(value: object) -> object:
    """JSON of records and amounts."""
    if isinstance(value, Decimal):
        return say(value)
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return plain(value._asdict())
    if isinstance(value, Mapping):
        return {key if isinstance(key, str) else "/".join(key): plain(one) for key, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, list | tuple) else value


class Truth:
    """All entries since the start, of all venues, in one order."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def log(self, account: Account, time_ms: int, events: Sequence[Event]) -> None:
        """Each event of one transaction."""
        for event in events:
            self.note(account, time_ms, type(event).__name__, event)

    def note(self, account: Account, time_ms: int, kind: str, data: object) -> None:
        """One entry."""
        self.entries.append(Entry(len(self.entries) + 1, time_ms, account.venue, account.name, kind, plain(data)))

    def since(self, sequence: int) -> list[Entry]:
        """Entries after `sequence`."""
        return self.entries[sequence:]
