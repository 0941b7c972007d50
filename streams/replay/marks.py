"""The marks of stamps against the ticks of the log."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from google.protobuf.message import DecodeError

from agents.risk.ticks import read_tick
from agents.risk.world import Mark
from schemas import engine_pb2 as pb
from schemas.keys import partition_of
from streams.replay.recording import Recorded


class Marks:
    """Collect them first, then let the ticks pass; only marks that a verdict rests on are held."""

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self._stamped: dict[int, dict[Mark, str]] = defaultdict(dict)  # by offset; with the id of the first verdict that rests on it
        self._found: set[tuple[str, int]] = set()
        self._others: dict[tuple[int, int], str] = {}  # by partition and offset: what lies there
        self._ends: dict[int, int] = {}

    def rest_on(self, marks: Iterable[Mark], ident: str) -> None:
        """Notes the marks of one stamp."""
        for mark in marks:
            self._stamped[mark.offset].setdefault(mark._replace(jumping=False), ident)

    def differences(self, ticks: Iterable[Recorded], ends: dict[int, int]) -> Iterator[tuple[str, str]]:
        """(id, what) of each mark that is not what the log has at its offset. `ends`: by partition, the offset after the last."""
        self._ends = ends
        for record in ticks:
            for mark, ident in self._stamped.get(record.offset, {}).items():
                if what := self._compare(mark, record):
                    yield ident, what
        for mark, ident in self._missing():
            home = partition_of(mark.instrument.encode(), self._partitions)
            other = self._others.get((home, mark.offset))
            if other is not None or not 0 <= mark.offset < ends.get(home, 0):
                yield ident, f"{_name(mark)}: expected {other or 'no such offset'} as the log has, was this mark"

    def gone(self) -> list[str]:
        """The marks that are no longer in the log: compacted, or older than the recording."""
        return sorted(_name(mark) for mark, _ in self._missing()
                      if 0 <= mark.offset < self._ends.get(home := partition_of(mark.instrument.encode(), self._partitions), 0)
                      and (home, mark.offset) not in self._others)

    def _missing(self) -> list[tuple[Mark, str]]:
        return [(mark, ident) for at in sorted(self._stamped) for mark, ident in self._stamped[at].items()
                if (mark.instrument, at) not in self._found]

    def _compare(self, mark: Mark, record: Recorded) -> str:
        try:
            tick = pb.PriceTick.FromString(record.value or b"")
        except DecodeError:
            tick = pb.PriceTick()
        if tick.instrument != mark.instrument:
            self._others[record.partition, record.offset] = tick.instrument or "an unreadable tick"
            return ""
        self._found.add((mark.instrument, mark.offset))
        there = read_tick(tick, record.offset, record.timestamp)
        return "" if there == mark else f"{_name(mark)}: expected {_said(there)} as the log has, was {_said(mark)}"


def _name(mark: Mark) -> str:
    return f"mark {mark.instrument}@{mark.offset}"


def _said(found: object) -> str:
    if not isinstance(found, Mark):
        return "a tick that is refused"
    prices = " ".join(f"{field} {price}" for field in ("bid", "ask", "last", "mark") if (price := getattr(found, field)) is not None)
    return f"{prices} at {found.append_ms}"
