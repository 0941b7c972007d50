"""A worker whose rows forget what they have applied: a record that comes again is applied again."""

from collections.abc import Callable
from typing import Any

import streams.app
from streams.engine.ledger import Ledger, Step
from streams.engine.rows import STRAY
from streams.engine.transport import Bundle


class Unfenced(Ledger):
    """Lowers a row's fence to the record at hand before it is folded, so that nothing is ever skipped."""

    def _fold(self, bundle: Bundle, step: Step, key_of: Callable[[Any], bytes | None]) -> None:
        part, source = self._owned(bundle.partition), self.sources[bundle.topic]
        for record in bundle.records:
            row = self._row(part, key_of(record) or STRAY)
            if row is not None:
                row.positions[source] = min(row.positions[source], record.offset)
        super()._fold(bundle, step, key_of)


if __name__ == "__main__":
    streams.app.Ledger = Unfenced  # type: ignore[attr-defined]
    from streams.worker import main

    main()
