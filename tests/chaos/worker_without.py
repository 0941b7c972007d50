"""A worker without one of the engine's guards, named by the first argument: fences, claim or outbox. `slow` has them all."""

import asyncio
import os
import sys
from collections.abc import Callable
from typing import Any

import streams.app
from streams.config import PREFIX
from streams.engine import ownership
from streams.engine.ledger import Ledger, Plan, Step
from streams.engine.rows import STRAY, Codec, Partition, Row
from streams.engine.transport import Bundle
from streams.engine.writer import GroupWriter, Records

COMMITS_S = "10"  # without fences: a death finds facts that were folded and not committed, which is then no matter of luck either
ROWS_S = 1.0  # without claim: so long rows are in hand
OUTPUTS_S = 1.0  # outputs leave so long after their rows: a death between the two is then no matter of luck


class Unfenced(Ledger):
    """Lowers a row's fence to the record at hand before it is folded, so that nothing is ever skipped."""

    def _fold(self, bundle: Bundle, step: Step, key_of: Callable[[Any], bytes | None]) -> None:
        part, source = self._owned(bundle.partition), self.sources[bundle.topic]
        for record in bundle.records:
            row = self._row(part, key_of(record) or STRAY)
            if row is not None:
                row.positions[source] = min(row.positions[source], record.offset)
        super()._fold(bundle, step, key_of)


class AnyOwner(Partition):
    """Takes the last row of a key whoever wrote it."""

    def _restore_row(self, key: bytes, value: bytes) -> None:
        self.rows[key] = value
        self.unsent.add(key)


class Trusting(GroupWriter):
    """Does not look where its rows went, and has some in hand whenever it falls asleep."""

    async def write_rows(self, number: int, part: Partition, records: Records) -> None:
        if len(records) > 1:  # rows, no mere sign of life
            await asyncio.sleep(ROWS_S)
        for count, sent in await self.send(self.ledger.changelog_topic_name, number, records):
            part.next = int((await sent).offset) + count


class Slow(GroupWriter):
    """Sends outputs some time after their rows are durable."""

    async def send_outputs(self, outputs: dict[tuple[str, int], Records]) -> None:
        await asyncio.sleep(OUTPUTS_S)
        await super().send_outputs(outputs)


class Forgetful(Codec):
    """Rows are written without their outputs."""

    def encode(self, row: Row, epoch: int) -> tuple[bytes, bytes]:
        kept, row.outbox = row.outbox, []
        try:
            return super().encode(row, epoch)
        finally:
            row.outbox = kept


class Unclaimed(Ledger):
    def __init__(self, app: Any, plan: Plan) -> None:
        super().__init__(app, plan)
        self.writer = Trusting(self)


class Slowed(Ledger):
    def __init__(self, app: Any, plan: Plan) -> None:
        super().__init__(app, plan)
        self.writer = Slow(self)


class Unsent(Slowed):
    def __init__(self, app: Any, plan: Plan) -> None:
        super().__init__(app, plan)
        self.codec = Forgetful(len(plan.sources), plan.dump, plan.load)


def _only_stale(ledger: Ledger, number: int, part: Partition, outputs: dict[tuple[str, int], Records]) -> None:
    """A new owner that sends nothing again."""
    for key in part.stale:
        if row := ledger._row(part, key):
            part.dirty[key] = row


def main() -> None:
    """Takes the guard away, then works."""
    which = sys.argv[1]
    if which == "fences":
        os.environ[f"{PREFIX}COMMIT_INTERVAL_S"] = COMMITS_S
    streams.app.Ledger = {"fences": Unfenced, "claim": Unclaimed, "outbox": Unsent, "slow": Slowed}[which]  # type: ignore[attr-defined]
    if which == "claim":
        ownership.Partition = AnyOwner  # type: ignore[attr-defined]
    if which == "outbox":
        ownership._send_again = _only_stale
    from streams.worker import main as work

    work()


if __name__ == "__main__":
    main()
