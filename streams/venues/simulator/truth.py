"""The truth log: every change of state with a sequence, what tests compare all other books with."""

import json
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from decimal import Decimal
from itertools import islice
from typing import NamedTuple, TextIO

from schemas.money import say
from streams.venues.simulator.books import Account, Event

KEPT = 50_000


class Entry(NamedTuple):
    """`kind` is the event's name; `data` as `since` tells it is plain JSON, amounts as text."""

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
    """Entries of all venues in one order: the newest `KEPT`, and all of them as JSON lines after `write_to`."""

    def __init__(self) -> None:
        self.entries: deque[Entry] = deque(maxlen=KEPT)
        self.count = 0
        self._file: TextIO | None = None

    def write_to(self, file: TextIO) -> None:
        """From now on every entry is a line of `file`, too."""
        self._file = file

    def log(self, account: Account, time_ms: int, events: Sequence[Event]) -> None:
        """Each event of one transaction."""
        for event in events:
            self.note(account, time_ms, type(event).__name__, event)

    def note(self, account: Account, time_ms: int, kind: str, data: object) -> None:
        """One entry."""
        self.count += 1
        entry = Entry(self.count, time_ms, account.venue, account.name, kind, data)
        self.entries.append(entry)
        if self._file:
            self._file.write(json.dumps(_told(entry)._asdict()) + "\n")

    def since(self, sequence: int) -> list[Entry]:
        """Entries after `sequence`."""
        first = self.count - len(self.entries)
        return [_told(entry) for entry in islice(self.entries, max(0, sequence - first), None)]


def _told(entry: Entry) -> Entry:
    return entry._replace(data=plain(entry.data))
