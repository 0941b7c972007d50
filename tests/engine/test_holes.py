"""Holes in a source's offsets: what left nothing behind is passed, a record that was not delivered stops the worker."""

import asyncio
import time
import uuid
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from confluent_kafka import Producer
from confluent_kafka import TopicPartition as Place
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from streams.engine import holes, ledger
from streams.engine.holes import Lost, find_holes, read_again
from streams.engine.ledger import Ledger
from streams.engine.rows import Partition
from streams.engine.transport import Bundle
from tests.engine.records import Record


def bundle(*offsets: int, topic: str = "facts") -> Bundle:
    return Bundle(topic, 0, [Record(offset, b"live:1", b"") for offset in offsets])


# ---- against a log in memory


class FakeConsumer:
    """Reads a log of some offsets, a few at a time, as a broker's answer does; `end` is one past the last."""

    log: tuple[int, ...] = ()
    end = 0
    started = stopped = 0
    settings: dict[str, Any]

    def __init__(self, **settings: Any) -> None:
        FakeConsumer.settings = settings
        self.at = 0

    async def start(self) -> None:
        FakeConsumer.started += 1

    async def stop(self) -> None:
        FakeConsumer.stopped += 1

    def assign(self, partitions: list[TopicPartition]) -> None:
        [self.tp] = partitions

    def seek(self, tp: TopicPartition, offset: int) -> None:
        self.at = offset

    async def position(self, tp: TopicPartition) -> int:
        return self.at

    async def getmany(self, tp: TopicPartition, timeout_ms: int) -> dict[TopicPartition, list[Record]]:
        found = [offset for offset in self.log if offset >= self.at][:2]
        self.at = found[-1] + 1 if found else self.end
        return {tp: [Record(offset, b"k", b"v") for offset in found]} if found else {}


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    def set_log(*offsets: int, end: int = 100) -> None:
        FakeConsumer.log, FakeConsumer.end = offsets, end

    FakeConsumer.started = FakeConsumer.stopped = 0
    monkeypatch.setattr(holes, "AIOKafkaConsumer", FakeConsumer)
    yield set_log
    assert FakeConsumer.started == FakeConsumer.stopped  # whatever was found


@pytest.mark.parametrize(("offsets", "position", "lost"), [
    ((0, 1, 2, 5, 6), 3, None),  # a transaction's marker and what compaction removed
    ((5, 6), 3, None),  # all of the hole at the log's start
    ((0, 1, 2, 3, 5, 6), 3, 3),
    ((0, 1, 2, 4, 5, 6), 3, 4),  # half of the hole is a record
    ((0, 1, 2, 5, 6, 7, 8), 3, None),  # what comes after the hole is no concern
])
async def test_a_hole_before_a_bundle(log: Callable[..., None], offsets: tuple[int, ...], position: int, lost: int | None) -> None:
    log(*offsets)
    found = bundle(5, 6)
    asked = read_again("nowhere", found, find_holes(found, position))
    if lost is None:
        await asked
    else:
        with pytest.raises(Lost, match=rf"facts\[0\]: expected offset 3, was 5: record {lost} was not delivered"):
            await asked


async def test_every_hole_within_a_bundle_is_read(log: Callable[..., None]) -> None:
    found = bundle(5, 7, 9)
    log(5, 7, 8, 9)
    with pytest.raises(Lost, match="expected offset 8, was 9"):
        await read_again("nowhere", found, find_holes(found, 5))
    log(5, 7, 9)
    await read_again("nowhere", found, find_holes(found, 5))


async def test_the_second_reading_stands_apart_from_the_group(log: Callable[..., None]) -> None:
    log()
    await read_again("there:1", bundle(5), [(3, 5)])
    said = FakeConsumer.settings
    assert (said["bootstrap_servers"], said["group_id"], said["enable_auto_commit"]) == ("there:1", None, False)
    assert said["auto_offset_reset"] == "none"  # an offset that is gone is an error, not the end of the log


# ---- what the ledger makes of it


def admitting(monkeypatch: pytest.MonkeyPatch, answer: Exception | None) -> tuple[Any, list[Any]]:
    """A ledger that expects offset 3, and what was read again."""
    found: Any = Ledger.__new__(Ledger)
    found.sources, found.parts = {"facts": 0}, {0: Partition(1)}
    found.parts[0].position = [3]
    found.plan = SimpleNamespace(bootstrap="there:1")
    found.writer = SimpleNamespace(pending=0, room=asyncio.Event())
    asked: list[Any] = []

    async def read(bootstrap: str, one: Bundle, missing: list[tuple[int, int]]) -> None:
        asked.append(missing)
        if answer:
            raise answer

    async def halt(error: BaseException) -> None:
        asked.append(error)

    found.app = SimpleNamespace(consumer=SimpleNamespace(halt=halt))
    monkeypatch.setattr(ledger, "read_again", read)
    return found, asked


async def test_consecutive_bundles_are_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    found, asked = admitting(monkeypatch, None)
    for one in (bundle(3, 4), bundle(1, 2, 3)):  # the next one, and a replay
        await found.admit(one)
    assert asked == []


@pytest.mark.parametrize("answer", [None, Lost("facts[0]: record 4 was not delivered"), OSError("no broker answers")])
async def test_a_hole_is_read_once_and_a_lost_record_or_no_answer_stops_the_worker(
        monkeypatch: pytest.MonkeyPatch, answer: Exception | None) -> None:
    found, asked = admitting(monkeypatch, answer)
    if answer is None:
        await found.admit(bundle(5, 6))
    else:
        with pytest.raises(type(answer)):
            await found.admit(bundle(5, 6))
    assert asked == [[(3, 5)], *([answer] if answer else [])]


async def test_a_bundle_waits_while_too_much_is_unflushed(monkeypatch: pytest.MonkeyPatch) -> None:
    found, _ = admitting(monkeypatch, None)
    monkeypatch.setattr(Ledger, "should_stop", False)
    found.writer.pending = ledger.BACKLOG_MAX + 1
    waiting = asyncio.ensure_future(found.admit(bundle(3)))
    await asyncio.sleep(0.02)
    assert not waiting.done()
    found.writer.pending = 0
    found.writer.room.set()
    await asyncio.wait_for(waiting, 10)


# ---- on a real broker


class Log:
    """A topic of one partition, and what can make holes in it."""

    def __init__(self, bootstrap: str, **configs: str) -> None:
        self.bootstrap, self.name = bootstrap, f"holes-{uuid.uuid4().hex[:8]}"
        self.admin = AdminClient({"bootstrap.servers": bootstrap})
        self.admin.create_topics([NewTopic(self.name, 1, 1, config=configs)])[self.name].result(20)

    def send(self, *keys: str) -> None:
        producer = Producer({"bootstrap.servers": self.bootstrap})
        for key in keys:
            producer.produce(self.name, b"v", key)
        assert producer.flush(20) == 0

    def transact(self, *keys: str, commit: bool = True) -> None:
        """A transaction: its records and, one offset behind them, its marker."""
        producer = Producer({"bootstrap.servers": self.bootstrap, "transactional.id": uuid.uuid4().hex})
        producer.init_transactions(20)
        producer.begin_transaction()
        for key in keys:
            producer.produce(self.name, b"v", key)
        producer.flush(20)
        (producer.commit_transaction if commit else producer.abort_transaction)(20)

    def cut(self, before: int) -> None:
        """As retention does: the log begins there."""
        self.admin.delete_records([Place(self.name, 0, before)])[Place(self.name, 0)].result(20)

    async def read(self, *offsets: int, position: int) -> None:
        one = bundle(*offsets, topic=self.name)
        await asyncio.wait_for(read_again(self.bootstrap, one, find_holes(one, position)), 60)


@pytest.mark.slow
async def test_markers_of_transactions_are_passed_and_records_are_not(kafka: str) -> None:
    log = Log(kafka)
    await asyncio.to_thread(log.transact, "a", "b")  # 0 1, marker 2
    await asyncio.to_thread(log.transact, "c")  # 3, marker 4
    await asyncio.to_thread(log.transact, "d", commit=False)  # 5, marker 6
    await asyncio.to_thread(log.send, "e")  # 7
    await log.read(3, position=2)
    await log.read(0, 1, 3, 5, 7, position=0)
    with pytest.raises(Lost, match="expected offset 2, was 5: record 3 was not delivered"):
        await log.read(5, 7, position=2)
    with pytest.raises(Lost, match="record 5 was not delivered"):  # aborted, yet our consumer delivers it: it reads uncommitted
        await log.read(7, position=4)


@pytest.mark.slow
async def test_records_deleted_before_they_were_read_are_lost(kafka: str) -> None:
    """Retention overtook a consumer that lags: Kafka goes on at the new start of the log, we do not."""
    log = Log(kafka)
    await asyncio.to_thread(log.send, *"abcdef")
    await asyncio.to_thread(log.cut, 4)
    with pytest.raises(Lost, match="expected offset 2, was 4: the log begins after it"):
        await log.read(4, 5, position=2)


@pytest.mark.slow
async def test_what_compaction_removed_is_passed(kafka: str) -> None:
    log = Log(kafka, **{"cleanup.policy": "compact", "segment.ms": "100", "min.cleanable.dirty.ratio": "0.001",
                        "min.compaction.lag.ms": "0", "max.compaction.lag.ms": "100"})
    await asyncio.to_thread(log.send, *"aaab")
    end = time.monotonic() + 90
    while True:  # a segment is rolled by the next record, and the cleaner looks every now and then
        await asyncio.to_thread(log.send, "b")
        await asyncio.sleep(0.5)
        try:
            return await log.read(2, 3, position=0)
        except Lost:
            if time.monotonic() > end:
                pytest.skip("the broker's cleaner did not run within 90 s")
