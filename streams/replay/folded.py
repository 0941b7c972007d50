"""A user's rows folded from facts that pass by: held until a verdict needs them, forgotten when both ledgers have them."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, overload

from agents.facts import Reading
from agents.rederive import ORDERS, Rows
from schemas import engine_pb2 as pb
from streams.replay.recording import Recorded
from streams.topics import ORDER_SOURCES
from tables import accounts
from tables.codec import load_margin
from tables.read import Record
from tables.rows import Orders, User


class Begun(NamedTuple):
    """Rows to begin with, and what is folded into each by source topic."""

    row: User | None = None
    fences: Mapping[str, int] = {}
    orders: Orders | None = None
    order_fences: Mapping[str, int] = {}


class Tail(Sequence[Record]):
    """The end of a sequence: places count from its beginning, what was dropped is gone."""

    def __init__(self) -> None:
        self._items: list[Record] = []
        self._dropped = 0

    def __len__(self) -> int:
        return self._dropped + len(self._items)

    @overload
    def __getitem__(self, at: int) -> Record: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Record]: ...
    def __getitem__(self, at: int | slice) -> Record | Sequence[Record]:
        assert isinstance(at, int), "expected a place, was a slice"
        return self._items[at - self._dropped]

    def append(self, record: Record) -> None:
        """One more at the end."""
        self._items.append(record)

    def drop_to(self, at: int) -> int:
        """Forgets what is before a place; how many are still held."""
        del self._items[: at - self._dropped]
        self._dropped = max(at, self._dropped)
        return len(self._items)


class StreamedRows(Rows):
    """`Rows` whose facts come one by one, each topic in the order of its offsets."""

    def __init__(self, user: str, reading: Reading, begun: Begun) -> None:
        self._tails: dict[str, Tail] = {}
        super().__init__(user, self._tails, reading)
        self._begun, self.held = begun, 0
        self.row, self.orders = begun.row or accounts.new(user), begun.orders

    def offer(self, record: Recorded) -> None:
        """One more fact; what the rows began with is not folded again."""
        tail = self._tails.setdefault(record.topic, Tail())
        tail.append(record)
        self.held += 1
        for name, fences in ((record.topic, self._begun.fences), (ORDERS + record.topic, self._begun.order_fences)):
            if record.offset <= fences.get(record.topic, -1):
                self._folded[name] = len(tail)

    def forget(self) -> None:
        """Drops the facts that are folded wherever they belong."""
        self.held = 0
        for topic, tail in self._tails.items():
            places = [self._folded[topic], *([self._folded[ORDERS + topic]] if topic in ORDER_SOURCES else [])]
            self.held += tail.drop_to(min(places))

    def is_past(self, account_id: str, stamp: pb.Stamp) -> bool:
        """Whether a stamp was made before the rows it would have to be derived from."""
        folded = {**self._begun.fences, **{ORDERS + topic: fence for topic, fence in self._begun.order_fences.items()}}
        if any(stamp.fences.get(name, -1) < fence for name, fence in folded.items()):
            return True
        account = self._begun.row.accounts.get(account_id) if self._begun.row else None
        before = load_margin(stamp.margin_before)
        known = account.margin if account else before
        return (before.episode, before.transition, before.step) < (known.episode, known.transition, known.step)
