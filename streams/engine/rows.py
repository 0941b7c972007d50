"""Rows of one owned partition: state, fences and outbox as objects, their bytes in the changelog, and what recovery reads of them.

A changelog partition holds, besides rows: claims (key `CLAIM`, the first record of a new owner) and `SENT` records. A `SENT`
record says that the outputs and states of all rows before it are acknowledged by their topics.
"""

from array import array
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from schemas import engine_pb2 as pb

CLAIM = b"\x00claim"
SENT = b"\x00sent"
STRAY = b"\x00stray"  # the row of the partition itself: outputs of records that have no row of their own


class OutputLike(Protocol):
    """Topic name and bytes of one record to send."""

    @property
    def topic(self) -> str: ...
    @property
    def value(self) -> bytes: ...


class Row:
    """State (None: not born), positions (last applied offset + 1 by source index), outputs not known to be delivered.

    There is one a user and ledger: numbers lie side by side, and nothing to deliver costs nothing.
    """

    __slots__ = ("outbox", "positions", "size", "state", "waiting")

    def __init__(self, state: Any, positions: Iterable[int]) -> None:
        self.state = state
        self.positions = array("q", positions)
        self.outbox: Sequence[OutputLike] = ()
        self.size = 0  # bytes when last encoded, and an upper bound of what was added since
        self.waiting = 0  # bytes in the outbox


class Codec:
    """Row to bytes and back; `dump` and `load` are the table's own codec of a state."""

    def __init__(self, sources: int, dump: Callable[[Any], bytes], load: Callable[[bytes], Any]) -> None:
        self.sources = sources
        self.dump, self.load = dump, load

    def encode(self, row: Row, epoch: int) -> tuple[bytes, bytes]:
        """(bytes for the changelog, bytes of the state; empty where there is none)."""
        state = b"" if row.state is None else self.dump(row.state)
        message = pb.LedgerRow()  # filled field by field: a fifth quicker than by keywords
        message.epoch, message.state = epoch, state
        message.positions.extend(row.positions)
        for output in row.outbox:
            added = message.outbox.add()
            added.topic, added.value = output.topic, output.value
        data = message.SerializeToString()
        row.size = len(data)
        return data, state

    def decode(self, data: bytes) -> Row:
        """The row that these changelog bytes say; sources added since then start at 0."""
        message = pb.LedgerRow.FromString(data)
        row = Row(self.load(message.state) if message.state else None, list(message.positions))  # a list has a length: no slack
        row.positions.extend([0] * (self.sources - len(row.positions)))
        row.outbox = tuple(message.outbox)
        row.size = len(data)
        return row


class Partition:
    """Rows of one owned partition; bytes until first touched."""

    def __init__(self, sources: int) -> None:
        self.rows: dict[bytes, Row | bytes] = {}
        self.dirty: dict[bytes, Row] = {}
        self.stale: set[bytes] = set()  # keys to write again: an older owner wrote over them
        self.unsent: set[bytes] = set()  # keys whose outputs and state may not have been delivered
        self.position: list[int | None] = [None] * sources  # next offset by source index
        self.epoch = -1  # offset of our claim
        self.claim = -1  # offset of the last claim read during recovery
        self.next = 0  # offset our next changelog record must get
        self.recovered = False
        self.read_to = 0  # next offset of the reading
        self.read = 0  # records read during recovery

    def restore(self, records: Sequence[Any]) -> None:
        """Take changelog records in order; rows and `SENT` records of an owner older than the last claim do not count.

        Records from further back are a new reading, from the start: the last records of an overtaken one may have come before it.
        """
        if records[0].offset < self.read_to:
            self.rows, self.stale, self.unsent, self.claim, self.read = {}, set(), set(), -1, 0
        self.read_to = records[-1].offset + 1
        for record in records:
            key, value = record.key, record.value
            if key == CLAIM:
                self.claim = max(self.claim, record.offset)
            elif key == SENT:
                if int.from_bytes(value, "big") >= self.claim:
                    self.unsent.clear()
            elif value is None:
                self._forget(key)
            else:
                self._restore_row(key, value)
        self.read += len(records)
        self.next = max(self.next, self.read_to)

    def _restore_row(self, key: bytes, value: bytes) -> None:
        if pb.LedgerRow.FromString(value).epoch < self.claim:
            self.stale.add(key)
            return
        self.rows[key] = value
        self.stale.discard(key)
        self.unsent.add(key)

    def _forget(self, key: bytes) -> None:
        self.rows.pop(key, None)
        self.stale.discard(key)
        self.unsent.discard(key)
