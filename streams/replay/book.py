"""Rows of one ledger in memory, as a worker keeps them: fences, folds, touches; what a row says is told at once."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from streams.engine.ledger import Plan, Step
from streams.engine.rows import STRAY, OutputLike, Row
from streams.replay.recording import Recorded

Tell = Callable[[bytes, OutputLike], None]


class Book:
    """Stands where checks expect a ledger: a replay has one owner, no recovery and nothing to write."""

    frozen = heavy = False

    def __init__(self, plan: Plan, tell: Tell) -> None:
        self.plan, self._tell = plan, tell
        self.sources = {name: at for at, name in enumerate(plan.sources)}
        self.rows: dict[bytes, Row] = {}
        self.parts: dict[int, Any] = {}
        self.skipped = 0
        self.on_change: Callable[[bytes, Any], None] = lambda key, state: None
        self.on_owned: Callable[[int], None] = lambda partition: None
        self.on_lost: Callable[[int], None] = lambda partition: None

    def fold(self, records: Sequence[Recorded], step: Step, key_of: Callable[[Any], bytes | None]) -> None:
        """Applies records of one topic and partition that are above their row's fence."""
        source = self.sources[records[0].topic]
        for record in records:
            key = key_of(record) or STRAY + b"%d" % record.partition
            row = self.rows.get(key) or self._born(key)
            if record.offset < row.positions[source]:
                self.skipped += 1
                continue
            result = step(row.state, record)
            row.positions[source] = record.offset + 1
            row.size += 2 * len(record.value or b"")
            self._change(key, row, result)

    def touch(self, key: bytes, partition: int, step: Callable[[Any], tuple[Any, Iterable[OutputLike]]]) -> bool:
        """Changes a row without a record; False where it is not here."""
        del partition
        row = self.rows.get(key)
        if row is not None:
            self._change(key, row, step(row.state))
        return row is not None

    def _change(self, key: bytes, row: Row, result: tuple[Any, Iterable[OutputLike]]) -> None:
        state, outputs = result
        for output in outputs:
            self._tell(key, output)
        if state is not row.state:
            row.state = state
            self.on_change(key, state)

    def _born(self, key: bytes) -> Row:
        row = self.rows[key] = Row(None, [0] * len(self.sources))
        return row

    def fits(self, record: Any, before: Any, after: Any) -> bool:
        """Whether the record leaves its row below the limit, or no larger than it was, as a worker decides it."""
        row = self.rows.get(record.key)
        if (row.size if row else 0) + 2 * len(record.value or b"") <= self.plan.row_bytes_max:
            return True
        grown = len(self.plan.dump(after))
        if row:
            row.size = grown
        return grown <= self.plan.row_bytes_max or (before is not None and grown <= len(self.plan.dump(before)))

    def state_of(self, key: bytes, partition: int) -> Any:
        """The state of a row, else None."""
        del partition
        row = self.rows.get(key)
        return row.state if row else None

    def fences(self, key: bytes, partition: int) -> dict[str, int]:
        """Last applied offset per source topic of a row, topics without one left out."""
        del partition
        row = self.rows.get(key)
        return {} if row is None else {name: row.positions[at] - 1 for name, at in self.sources.items() if row.positions[at]}

    def states(self) -> Iterable[tuple[bytes, Any]]:
        """(key, state) of every row that was born, by key."""
        return ((key, row.state) for key, row in sorted(self.rows.items()) if row.state is not None and not key.startswith(STRAY))
