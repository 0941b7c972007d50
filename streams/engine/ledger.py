"""Ledger: a Faust table whose rows carry their own fences and outbox.

A record at or below its row's fence is skipped, so a replay cannot apply it twice. Rows change by `fold` (records of a source)
and `touch` (checks and timers); what changed is written in groups by `GroupWriter`. Ownership is in `streams.engine.ownership`.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from faust.tables.table import Table
from faust.types import TP

from streams.engine import ownership
from streams.engine.holes import find_holes, read_again
from streams.engine.rows import STRAY, Codec, OutputLike, Partition, Row
from streams.engine.transport import Bundle
from streams.engine.writer import GroupWriter

Step = Callable[[Any, Any], tuple[Any, Iterable[OutputLike]]]
BACKLOG_MAX = 20_000  # records folded and not yet flushed
OUTBOX_BYTES_MAX = 131_072  # of one row: state, outbox and what one more bundle or check adds travel as one record


class Plan(NamedTuple):
    """What a ledger is made of: its name, sources in the order of the fences, the codec of its states and where states go."""

    name: str
    sources: Sequence[str]
    dump: Callable[[Any], bytes]
    load: Callable[[bytes], Any]
    states: str  # compacted topic that gets every changed state
    partitions: int
    row_bytes_max: int
    changelog_configs: Mapping[str, str]
    bootstrap: str


class Ledger(Table[bytes, bytes]):
    """Rows of the owned partitions, by the source's key (bytes)."""

    app: Any  # Faust's own type does not know our transport
    heavy = False  # some row's outbox is large: nothing more is folded before the next group has taken it

    def __init__(self, app: Any, plan: Plan) -> None:
        self.plan = plan
        self.sources = {name: index for index, name in enumerate(plan.sources)}
        self.codec = Codec(len(plan.sources), plan.dump, plan.load)
        self.parts: dict[int, Partition] = {}
        self.writer = GroupWriter(self)
        self.on_change: Callable[[bytes, Any], None] = lambda key, state: None
        self.on_owned: Callable[[int], None] = lambda partition: None
        self.on_lost: Callable[[int], None] = lambda partition: None
        self.losses: dict[int, list[str]] = {}  # partition -> topics of which records are gone, to be answered with a quarantine
        self.folded = self.skipped = self.stale_rows = self.refused = 0
        self.fold_s = self.recovery_s = self.recovery_began = 0.0
        self.frozen = True  # between a revoke and the end of the recovery after it
        self.rebalance = 0  # the one whose partitions were claimed last
        super().__init__(app, name=plan.name, key_type=bytes, value_type=bytes, recovery_buffer_size=2, partitions=plan.partitions,
                         extra_topic_configs=dict(plan.changelog_configs))
        app.tables.add(self)
        app.transport.bundle(self.changelog_topic)

    # ---- the agents' side

    async def breathe(self) -> None:
        """Wait while too much is unflushed, or a row's outbox is large."""
        while (self.writer.pending > BACKLOG_MAX or self.heavy) and not self.should_stop:
            self.writer.room.clear()
            await self.writer.room.wait()

    async def admit(self, bundle: Bundle) -> None:
        """Look into holes of the offsets before a bundle is folded; a record in one stops the worker. Waits as `breathe` does."""
        await self.breathe()
        part = self.parts.get(bundle.partition)
        holes = find_holes(bundle, part.position[self.sources[bundle.topic]] if part else None)
        if holes:
            try:
                await read_again(self.plan.bootstrap, bundle, holes)
            except Exception as error:
                await self.app.consumer.halt(error)
                raise

    def fold(self, bundle: Bundle, step: Step, key_of: Callable[[Any], bytes | None]) -> None:
        """Apply `step(state or None, record) -> state, outputs` to every record above its row's fence.

        `step` must not change the old state. `key_of` None puts the record's outputs into the row of the partition. If `step`
        raises, the worker stops and nothing more is committed.
        """
        began = time.perf_counter()
        try:
            self._fold(bundle, step, key_of)
        except Exception as error:
            self.app.consumer.halted = error
            self.add_future(self.app.consumer.halt(error))
            raise
        self.fold_s += time.perf_counter() - began

    def _fold(self, bundle: Bundle, step: Step, key_of: Callable[[Any], bytes | None]) -> None:
        part = self._owned(bundle.partition)
        source = self.sources[bundle.topic]
        for record in bundle.records:
            key = key_of(record) or STRAY
            row = self._row(part, key) or self._born(part, key)
            if record.offset < row.positions[source]:
                self.skipped += 1
                continue
            result = step(row.state, record)
            row.positions[source] = record.offset + 1
            row.size += 2 * len(record.value or b"")
            self._change(part, key, row, result)
            if key == STRAY:  # no other row says how far its topic is read
                part.dirty[key] = row
        part.position[source] = max(bundle.offset + 1, part.position[source] or 0)
        self.folded += len(bundle.records)
        self.writer.pending += len(bundle.records)
        self.writer.wake.set()

    def touch(self, key: bytes, partition: int, step: Callable[[Any], tuple[Any, Iterable[OutputLike]]]) -> bool:
        """Change a row without a record: `step(state) -> state, outputs`. False where the row is not (or no longer) here."""
        part = self.parts.get(partition)
        row = self._row(part, key) if part and part.recovered and not self.frozen else None
        if part is None or row is None:
            return False
        self._change(part, key, row, step(row.state))
        self.writer.wake.set()
        return True

    def _change(self, part: Partition, key: bytes, row: Row, result: tuple[Any, Iterable[OutputLike]]) -> None:
        state, outputs = result
        if told := tuple(outputs):
            row.outbox = (*row.outbox, *told) if row.outbox else told
            for output in told:
                row.waiting += len(output.value)
            self.heavy = self.heavy or row.waiting > OUTBOX_BYTES_MAX
        if state is not row.state:
            row.state = state
            part.dirty[key] = row
            self.on_change(key, state)
        elif row.outbox:
            part.dirty[key] = row

    def _row(self, part: Partition, key: bytes) -> Row | None:
        row = part.rows.get(key)
        if isinstance(row, bytes):
            row = part.rows[key] = self.codec.decode(row)
            if part.recovered:  # what the owner before had not delivered was sent again by then
                row.outbox = ()
        return row

    def _born(self, part: Partition, key: bytes) -> Row:
        row = part.rows[key] = Row(None, [0] * len(self.sources))
        return row

    def _owned(self, number: int) -> Partition:
        part = self.parts.get(number)
        if part is None or not part.recovered:
            raise RuntimeError(f"{self.plan.name}[{number}]: expected an owned and recovered partition")
        return part

    def fits(self, record: Any, before: Any, after: Any) -> bool:
        """Whether the record leaves its row below the limit, or no larger than it was: what shrinks a full row must be taken.

        Twice its own size is an upper bound of what a record adds; only where that is too much is the state measured.
        """
        part = self.parts.get(record.partition)
        row = part.rows.get(record.key) if part else None
        size = row.size if isinstance(row, Row) else len(row or b"")
        if size + 2 * len(record.value or b"") <= self.plan.row_bytes_max:
            return True
        grown = len(self.plan.dump(after))
        if isinstance(row, Row):
            row.size = grown
        return grown <= self.plan.row_bytes_max or (before is not None and grown <= len(self.plan.dump(before)))

    # ---- reading

    def state_of(self, key: bytes, partition: int) -> Any:
        """The state of a row that is here, else None."""
        part = self.parts.get(partition)
        row = self._row(part, key) if part and part.recovered else None
        return row.state if row else None

    def fences(self, key: bytes, partition: int) -> dict[str, int]:
        """Last applied offset per source topic of a row, topics without one left out."""
        part = self.parts.get(partition)
        row = self._row(part, key) if part else None
        return {} if row is None else {name: row.positions[at] - 1 for name, at in self.sources.items() if row.positions[at]}

    def owned(self) -> list[int]:
        """Numbers of the partitions whose rows are here."""
        return [number for number, part in self.parts.items() if part.recovered]

    def keys_of(self, partition: int) -> list[bytes]:
        """Keys of the rows of an owned partition, without the row of the partition itself."""
        part = self.parts.get(partition)
        return [key for key in part.rows if key != STRAY] if part and part.recovered else []

    # ---- what the transport and Faust call

    def cap(self, offsets: dict[TP, int]) -> dict[TP, int]:
        """Limit a commit to what is folded into the rows this worker holds now."""
        capped = {}
        for tp, offset in offsets.items():
            if tp.topic not in self.sources:
                capped[tp] = offset
                continue
            part = self.parts.get(tp.partition)
            position = part.position[self.sources[tp.topic]] if part and part.recovered else None
            if position is not None:
                capped[tp] = min(offset, position)
        return capped

    async def flush(self) -> None:
        """Write every changed row and then its outputs; returns when the broker has both."""
        await self.writer.finish()

    async def on_start(self) -> None:
        await super().on_start()
        self.add_future(self.writer.run())
        self.add_future(self.writer.keep_renewing())

    def on_revoke(self, clean: bool) -> None:
        """Rows may be kept for the next generation only if all of them reached the changelog."""
        self.frozen = True
        for part in self.parts.values():
            if not clean or part.dirty:
                part.recovered = False

    async def on_rebalance(self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP], generation_id: int = 0) -> None:
        await super().on_rebalance(assigned, revoked, newly_assigned, generation_id)
        await ownership.claim(self)

    def persisted_offset(self, tp: TP) -> int | None:
        """Kept partitions keep their rows: Faust replays nothing for them."""
        part = self.parts.get(tp.partition)
        return part.next - 1 if part and part.recovered else None

    async def on_changelog_event(self, event: Any) -> None:
        """What was fetched before the rebalance is not read: stock would seek to where it ended (recovery.py:866-872), past all rows."""
        if self._is_late(event):
            self.app.tables.recovery.active_offsets[event.message.tp] = None

    def _is_late(self, event: Any) -> bool:
        return bool(event.message.generation_id != self.app.consumer_generation_id)

    def apply_changelog_batch(self, batch: Iterable[Any], *_: Any, **__: Any) -> None:
        for event in batch:
            bundle = event.value
            part = self.parts.get(bundle.partition)
            if part and not part.recovered and not self._is_late(event):  # a kept one has no news but another's, which its next write meets
                part.restore(bundle.records)

    async def on_recovery_completed(self, active_tps: set[TP], standby_tps: set[TP]) -> None:
        try:  # stock swallows exceptions of this callback (recovery.py:631-641)
            await ownership.resume(self)
            await super().on_recovery_completed(active_tps, standby_tps)
        except ownership.AGAIN:
            self.log.info("another rebalance began during recovery")
        except asyncio.CancelledError:
            raise
        except Exception as error:
            await self.app.consumer.halt(error)
