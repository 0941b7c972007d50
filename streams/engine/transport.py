"""Kafka transport for Faust that neither loses nor doubles work, and hands out records in bundles.

The broker URL `safe://host:port` selects it. Every override names the behaviour of faust-streaming 0.15.3 that it replaces.
"""

import asyncio
import time
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from faust.transport.drivers import TRANSPORTS
from faust.transport.drivers import aiokafka as driver
from faust.transport.producer import ProducerBuffer
from faust.types import TP

from streams.engine.delivery import DirectConsumer, DirectThread

TRANSPORTS.aliases["safe"] = f"{__name__}:Transport"


BUNDLE_BYTES_MAX = 131_072
FETCH_PACE_S = 0.005  # between fetches at low rates: a record each would make a group each, and a group costs over 1 ms of CPU


class Bundle(NamedTuple):
    """Consecutive records of one partition, handed to the agent as one message."""

    topic: str
    partition: int
    records: list[Any]  # aiokafka ConsumerRecord: offset, key, value, timestamp

    @property
    def offset(self) -> int:
        """Offset of the last record."""
        return int(self.records[-1].offset)


def cut(rows: list[Any], most: int, bytes_most: int) -> list[list[Any]]:
    """Consecutive parts of at most so many records and bytes, a larger record alone: outputs of a bundle may all be of one row."""
    found: list[list[Any]] = []
    left = 0
    for row in rows:
        size = len(row.key or b"") + len(row.value or b"")
        if not found or len(found[-1]) == most or size > left:
            found.append([])
            left = bytes_most
        found[-1].append(row)
        left -= size
    return found


class Buffer(ProducerBuffer):
    """Buffer of `send_soon`, with a flush that ends only when everything was handed over.

    Stock gives up after 100 ms without progress (producer.py:74-94) and only logs a failed send (topics.py:463-479).
    """

    max_messages = 10_000
    accepted = handed = 0
    failure: BaseException | None = None

    def put(self, fut: Any) -> None:
        self.accepted += 1
        super().put(fut)

    async def _send_pending(self, fut: Any) -> None:
        sent = await fut.message.channel.publish_message(fut, wait=False)
        sent.add_done_callback(self._note_failure)
        self.handed += 1

    def _note_failure(self, sent: Any) -> None:
        if not sent.cancelled() and sent.exception():
            self.failure = sent.exception()

    async def flush(self) -> None:
        target = self.accepted
        while self.handed < target and not self.should_stop:
            await asyncio.sleep(0.001)


class Producer(driver.Producer):
    """Idempotent producer, acks=all: a broker outage means retries in order, a failed send stops the worker."""

    buffer: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.buffer = Buffer(loop=self.loop, beacon=self.beacon)
        self.buffer.app = self.app

    def _settings_extra(self) -> Mapping[str, Any]:
        return {"acks": "all", "enable_idempotence": True}

    async def flush(self) -> None:
        await super().flush()
        if self.buffer.failure:
            raise self.buffer.failure


class ConsumerThread(DirectThread):
    """The thread that owns the aiokafka consumer."""

    shutdown_timeout = 10.0  # stock: 60; it may never end where a rebalance was under way, and meanwhile the process holds its name
    stop_s_max = 5.0

    async def on_thread_stop(self) -> None:
        """Stock waits for aiokafka, which looks for no coordinator once it closes and waits for an answer of one all the same."""
        try:
            await asyncio.wait_for(super().on_thread_stop(), self.stop_s_max)
        except TimeoutError:
            self.log.warning("the consumer did not close within %g s: its place in the group lasts as long as its session", self.stop_s_max)

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = transport.fetch_wait_ms  # stock: 1500, hard-coded (aiokafka.py:615)
        return consumer

    async def seek_to_committed(self) -> Any:
        return await self.call_thread(self._seek_to_committed)

    async def _seek_to_committed(self) -> Mapping[TP, int | None]:
        """Seek all source partitions with one request; one without a commit goes back to its beginning.

        Stock asks one by one and leaves a partition without a commit where it is: past records that were fetched
        and dropped (aiokafka consumer.py:896-903).
        """
        consumer = self._ensure_consumer()
        committed = await self._committed()
        for tp, offset in committed.items():
            if offset:
                consumer.seek(tp, offset)
        if fresh := [tp for tp, offset in committed.items() if not offset]:
            await consumer.seek_to_beginning(*fresh)
        return committed

    async def committed(self) -> Any:
        """Committed offset (None: there is none) of every assigned source partition."""
        return await self.call_thread(self._committed)

    async def _committed(self) -> Mapping[TP, int | None]:
        consumer = self._ensure_consumer()
        tps = [tp for tp in consumer.assignment() if not self.consumer._is_changelog_tp(tp)]
        found = await consumer._coordinator.fetch_committed_offsets(tps)
        return {tp: found[tp].offset if tp in found and found[tp].offset > 0 else None for tp in tps}

    async def log_starts(self, tps: Iterable[TP]) -> Any:
        """First offset that the broker still holds, per partition."""
        return await self.call_thread(self._log_starts, list(tps))

    async def _log_starts(self, tps: list[TP]) -> Any:
        return await self._ensure_consumer().beginning_offsets(tps)


class Consumer(DirectConsumer):
    """Bundles out, commits that are covered by the changelog."""

    halted: BaseException | None = None
    few, fetched_s = False, 0.0  # whether the last fetch was less than a full bundle, and when it ended
    transport: Any

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    # ---- bundles

    async def _getmany(self, active_partitions: Any, timeout: float) -> Any:
        # A frozen copy: the set is emptied on pause while the thread waits, and aiokafka reads an empty set as "all"
        # (fetcher.py:1221): records of paused partitions were taken and dropped.
        frozen: Any = frozenset(active_partitions or ()) or None
        if self.few:
            await asyncio.sleep(self.fetched_s + FETCH_PACE_S - time.monotonic())
        records = await super()._getmany(frozen, timeout)
        self.fetched_s, self.few = time.monotonic(), sum(map(len, records.values())) < self.transport.bundle_records_max
        return {tp: self._bundle(tp, rows) for tp, rows in records.items()}

    def _bundle(self, tp: TP, rows: list[Any]) -> list[Any]:
        if tp.topic not in self.transport.bundled:
            return rows
        return [Bundle(tp.topic, tp.partition, part) for part in cut(rows, self.transport.bundle_records_max, BUNDLE_BYTES_MAX)]

    def _to_message(self, tp: TP, record: Any) -> Any:
        if not isinstance(record, Bundle):
            return super()._to_message(tp, record)
        message: Any = super()._to_message(tp, record.records[-1])
        message.key, message.value = None, record
        return message

    async def _wait_next_records(self, timeout: float) -> Any:
        # Stock sleeps a whole second when every partition is back-pressured (consumer.py:806-808).
        while self.flow_active and not self._get_active_partitions() and not self.should_stop:
            await asyncio.sleep(0.005)
            if not self._buffered_partitions:
                break
        return await super()._wait_next_records(timeout)

    async def perform_seek(self) -> None:
        """Seek with the flow stopped; the callers resume it.

        Stock leaves it active (recovery.py:649-659): what is delivered between the seek and `flow_control.resume()`,
        which clears the queues, is lost without a trace.
        """
        self.stop_flow()
        await super().perform_seek()

    async def verify_all_partitions_active(self) -> None:
        """Nothing: lag is the watchdog's. Stock reads positions of partitions that were not sought yet and dies of it (aiokafka.py:845)."""

    # ---- commits

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Nothing: offsets between two messages need no book-keeping, see `_new_offset`."""

    def _new_offset(self, tp: TP) -> int | None:
        """One past the last acked message that has no unacked message before it.

        Stock is off by one and counts the unacked message into its gaps (consumer.py:1094-1164).
        """
        acked = self._acked[tp]
        floor = min((m.offset for m in self._unacked_messages if m.tp == tp and not m.acked), default=None)
        done = {offset for offset in acked if floor is None or offset < floor}
        if not done:
            return None
        acked[:] = [offset for offset in acked if offset not in done]
        self._acked_index[tp].difference_update(done)
        return max(done) + 1

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        if self.halted:
            return False
        return await super().commit(topics, start_new_transaction)

    async def _commit_offsets(self, offsets: Mapping[TP, int], start_new_transaction: bool = True) -> bool:
        """What the offsets cover reaches the changelog first; only then are they committed."""
        generation = self.app.consumer_generation_id
        capped = dict(offsets)
        for ledger in self._ledgers():
            capped = ledger.cap(capped)
            await ledger.flush()
        if generation != self.app.consumer_generation_id or not capped:
            return False
        return await super()._commit_offsets(capped, start_new_transaction)

    def _ledgers(self) -> list[Any]:
        return [table for table in self.app.tables.values() if hasattr(table, "cap")]

    async def halt(self, error: BaseException) -> None:
        """Stop the worker without committing anything any more."""
        first = self.halted is None
        self.halted = self.halted or error
        if first:
            self.log.error("worker stops: %r", error)
        await self.app.crash(error)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Commit while the group still accepts it (stock forgets the acks first, consumer.py:656-664)."""
        if revoked and not self.app.should_stop and not self.halted:
            clean = False
            try:
                clean = await asyncio.wait_for(self._settle(), self.transport.settle_timeout_s)
            except Exception as error:
                self.log.warning("commit before revoke failed, rows will be replayed: %r", error)
            for ledger in self._ledgers():
                ledger.on_revoke(clean)
        await super().on_partitions_revoked(revoked)

    async def _settle(self) -> bool:
        self.stop_flow()
        self.app.flow_control.suspend()
        self.app.flow_control.clear()
        while any(not m.acked for m in self._unacked_messages):
            await asyncio.sleep(0.001)
        await self.maybe_wait_for_commit_to_finish()
        for ledger in self._ledgers():
            await ledger.flush()
        return await self.commit() if any(self._acked.values()) else True


class Transport(driver.Transport):
    """The transport of the scheme `safe`; its settings are set by `streams.engine.boot`."""

    Consumer = Consumer
    Producer = Producer
    fetch_wait_ms = 20
    bundle_records_max = 500
    settle_timeout_s = 5.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.bundled: set[str] = set()

    def bundle(self, topic: Any) -> Any:
        """Deliver the records of this Faust topic in bundles."""
        self.bundled.update(topic.topics)
        return topic
