"""Group commit: rows to the changelog, then outputs and states to their topics; the next group collects while one travels."""

import asyncio
import math
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from streams.engine.rows import SENT, STRAY, Partition
from streams.ops.metrics import METRICS

if TYPE_CHECKING:
    from streams.engine.ledger import Ledger

Records = list[tuple[bytes, bytes | None]]

SLICE_S = 0.05  # of encoding, before others have their turn: an ordinary group travels sooner in one go
RENEW_S = 300.0  # far below the hour that a displaced row is kept


def _sent(part: Partition) -> tuple[bytes, bytes | None]:
    """The record that says: outputs and states of every row before it are acknowledged."""
    return SENT, part.epoch.to_bytes(8, "big")


class Fenced(RuntimeError):
    """Another worker wrote to a changelog partition that this worker owns."""


class InDoubt(RuntimeError):
    """An earlier group failed: its rows may be in the changelog without their outputs being sent."""


class GroupWriter:
    """Writes the changed rows of one ledger; one group at a time."""

    def __init__(self, ledger: "Ledger") -> None:
        self.ledger = ledger
        self.wake, self.room, self._lock = asyncio.Event(), asyncio.Event(), asyncio.Lock()
        self.pending = 0  # records folded and not yet flushed
        self.groups = self.rows_written = self.bytes_written = 0
        self._failed: BaseException | None = None
        self._halting: asyncio.Future[None] | None = None

    async def run(self) -> None:
        """Flush whenever something changed; nothing waits for a timer. An error stops the worker."""
        while not self.ledger.should_stop:
            await self.wake.wait()
            try:
                await self.finish()
            except Exception as error:
                await self.ledger.app.consumer.halt(error)
                return

    async def renew(self) -> None:
        """Write one record to every owned changelog partition that is at rest, so that a foreign write there is noticed (`Fenced`)
        long before compaction could remove the good row it displaced."""
        async with self._lock:
            self._refuse_doubt()
            if self.ledger.frozen:
                return
            idle = {number: part for number, part in self.ledger.parts.items() if part.recovered and not part.dirty}
            await asyncio.gather(*(self.write_rows(number, part, [_sent(part)]) for number, part in idle.items()))

    async def keep_renewing(self) -> None:
        """`renew` every `RENEW_S`; an error stops the worker."""
        while not self.ledger.should_stop:
            await self.ledger.sleep(RENEW_S)
            try:
                await self.renew()
            except Exception as error:
                await self.ledger.app.consumer.halt(error)
                return

    async def finish(self) -> None:
        """`flush`, to its end even where nobody waits any more: a revoke that takes too long, or a worker that ends, leaves no group
        half done. An error that nobody hears stops the worker."""
        group = asyncio.ensure_future(self.flush())
        try:
            await asyncio.shield(group)
        except asyncio.CancelledError:
            group.add_done_callback(self._unheard)
            raise

    def _unheard(self, group: "asyncio.Future[None]") -> None:
        error = asyncio.CancelledError("a group") if group.cancelled() else group.exception()
        if error is not None:
            self._halting = asyncio.ensure_future(self.ledger.app.consumer.halt(error))

    async def flush(self) -> None:
        """Write every changed row and then its outputs; returns when the broker has acknowledged both."""
        async with self._lock:
            self._refuse_doubt()
            self.wake.clear()
            slice_s = math.inf if self.ledger.heavy else SLICE_S  # what is heavy gets nothing more before it is written
            self.pending, self.ledger.heavy = 0, False
            self.room.set()
            changed = {number: part for number, part in self.ledger.parts.items() if part.dirty and part.recovered}
            if not changed:
                return
            began = time.perf_counter()
            rows: dict[int, Records] = {}
            outputs: dict[tuple[str, int], Records] = defaultdict(list)
            try:
                for number, part in changed.items():
                    rows[number] = await self._encode(number, part, outputs, slice_s)
                await asyncio.gather(*(self.write_rows(number, changed[number], records) for number, records in rows.items()))
                await self.send_outputs(outputs)
            except BaseException as error:
                self._failed = self.ledger.app.consumer.halted = error  # these rows are in doubt: no commit and no group may follow
                raise
            self.groups += 1
            METRICS.flush_seconds.observe(time.perf_counter() - began)

    def _refuse_doubt(self) -> None:
        """The first record of a group says that all earlier outputs are acknowledged: after one that failed it would be a lie, and the
        next owner would not send them. Who waited for that group (a commit) must not write another."""
        if self._failed is not None:
            raise InDoubt(f"{self.ledger.plan.name}: expected no group after one that is in doubt ({self._failed!r})")

    async def _encode(self, number: int, part: Partition, outputs: dict[tuple[str, int], Records], slice_s: float) -> Records:
        """Rows of a partition as records, behind the record that says all earlier outputs are acknowledged.

        In slices: a large group holds up nothing else. What changes meanwhile is in this group where its row was not taken yet, else in
        the next; each row is whole.
        """
        records, until = [_sent(part)], time.perf_counter() + slice_s
        for key in list(part.dirty):
            row = part.dirty.pop(key)
            data, state = self.ledger.codec.encode(row, part.epoch)
            records.append((key, data))
            self.route(key, number, state, (row.outbox, outputs))
            row.outbox, row.waiting = (), 0
            if time.perf_counter() > until:
                await asyncio.sleep(0)
                until = time.perf_counter() + slice_s
        self.rows_written += len(records) - 1
        return records

    def route(self, key: bytes, number: int, state: bytes, into: tuple[Sequence[Any], dict[tuple[str, int], Records]]) -> None:
        """Add a row's outbox, and its state, to the records of the topics they go to."""
        outbox, outputs = into
        for output in outbox:
            outputs[output.topic, number].append((key, output.value))
        if state and key != STRAY and self.ledger.plan.states:
            outputs[self.ledger.plan.states, number].append((key, state))

    async def write_rows(self, number: int, part: Partition, records: Records) -> None:
        """Append records to a changelog partition; raises `Fenced` where the offsets are not the next ones."""
        name = self.ledger.changelog_topic_name
        for count, sent in await self.send(name, number, records):
            base = (await sent).offset
            if base != part.next:
                raise Fenced(f"{name}[{number}]: expected offset {part.next}, was {base}")
            part.next += count

    async def send_outputs(self, outputs: dict[tuple[str, int], Records]) -> None:
        """Send records to their topics and wait for all acknowledgements."""
        sends = [(name, await self.send(name, number, records)) for (name, number), records in outputs.items() if records]
        for name, batches in sends:
            for count, sent in batches:
                await sent
                METRICS.outputs.labels(name).inc(count)

    async def send(self, topic: str, partition: int, records: Records) -> list[tuple[int, Any]]:
        """Hand records to the producer as ready-made batches: (count, future of the acknowledgement) of each."""
        producer = self.ledger.app.producer._producer
        batches = [producer.create_batch()]
        append = batches[-1].append
        for key, value in records:
            if append(key=key, value=value, timestamp=None) is None:
                batches.append(producer.create_batch())
                append = batches[-1].append
                if append(key=key, value=value, timestamp=None) is None:
                    raise ValueError(f"{topic}: expected a record within producer_max_batch_size, was {len(value or b'')} bytes of {key!r}")
        self.bytes_written += sum(len(value) for _, value in records if value)
        sent = []
        for batch in batches:
            batch.close()
            sent.append((batch.record_count(), await producer.send_batch(batch, topic, partition=partition)))
        return sent
