"""Which instruments' holders may rest on `unknown`, or no longer do: first, jumping, stale and closed marks."""

from agents.risk.rules import Rules
from agents.risk.ticks import MarkBook


class Unsteady:
    """Remembers how each instrument stood at the last look."""

    def __init__(self) -> None:
        self._stale: dict[str, str] = {}  # instrument -> "stale" or "closed"
        self._seen, self._jumping = set[str](), set[str]()

    def moved(self, instruments: set[str], book: MarkBook) -> set[str]:
        """Of those that moved: back from stale, at their first mark, jumping, or steady again."""
        back = {name for name in instruments if self._stale.pop(name, "")}
        now = {name for name in instruments if book.marks[name].jumping}
        changed = {name for name in instruments if name not in self._seen} | (now ^ (self._jumping & instruments))
        self._seen |= instruments
        self._jumping = (self._jumping - instruments) | now
        return changed | back

    def aged(self, book: MarkBook, now_ms: int, rules: Rules, stale_ms: int) -> set[str]:
        """Instruments that went stale or closed since the last look, and those that are no longer so, at whatever price."""
        stale = {name: word for name, mark in book.marks.items() if (word := book.stale(mark, now_ms, rules, stale_ms))}
        changed = {name for name, _ in stale.items() ^ self._stale.items()}
        self._stale = stale
        return changed
