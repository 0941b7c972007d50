"""The transport's promises against small fakes: the silent losses of stock Faust, commits, holes."""

import asyncio
import logging
from collections import defaultdict
from typing import Any

import pytest
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from streams.engine.holes import find_holes
from streams.engine.ledger import Ledger
from streams.engine.rows import Partition
from streams.engine.transport import Bundle, Consumer, ConsumerThread
from tests.engine.records import Record

HERE, THERE = TP("facts", 0), TP("facts", 1)


def bundle(*offsets: int) -> Bundle:
    return Bundle("facts", 0, [Record(offset, b"live:1", b"") for offset in offsets])


class Message:
    def __init__(self, offset: int, acked: bool = False, tp: TP = HERE) -> None:
        self.tp, self.offset, self.acked = tp, offset, acked


class FakeConsumer(Consumer):
    """Our overrides without Faust's own state."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self._acked: Any = defaultdict(list)
        self._acked_index: Any = defaultdict(set)
        self._unacked_messages: Any = set()
        self.transport = type("Transport", (), {"bundled": set(), "bundle_records_max": 500})

    def stop_flow(self) -> None:
        self.calls.append("stop flow")


class FakeAiokafka:
    """A consumer that remembers its seeks."""

    def __init__(self, committed: dict[TP, int]) -> None:
        self.found = {tp: type("Meta", (), {"offset": offset}) for tp, offset in committed.items()}
        self.seeks: dict[TP, int] = {}
        self._coordinator = self

    def assignment(self) -> set[TP]:
        return {HERE, THERE}

    async def fetch_committed_offsets(self, partitions: list[TP]) -> Any:
        return self.found

    def seek(self, tp: TP, offset: int) -> None:
        self.seeks[tp] = offset

    async def seek_to_beginning(self, *tps: TP) -> None:
        self.seeks |= dict.fromkeys(tps, 0)


async def test_race_1_the_flow_is_stopped_before_the_seek(monkeypatch: pytest.MonkeyPatch) -> None:
    consumer = FakeConsumer()

    async def stock(self: FakeConsumer) -> None:
        self.calls.append("seek")

    monkeypatch.setattr(driver.Consumer, "perform_seek", stock)
    await consumer.perform_seek()
    assert consumer.calls == ["stop flow", "seek"]


@pytest.mark.parametrize(("active", "asked"), [({HERE}, {HERE}), (set(), None), (None, None)])
async def test_race_2_a_pause_during_the_fetch_does_not_empty_the_asked_set(
        monkeypatch: pytest.MonkeyPatch, active: set[TP] | None, asked: set[TP] | None) -> None:
    seen: list[Any] = []

    async def stock(self: Any, active_partitions: Any, timeout: float) -> Any:
        await asyncio.sleep(0.001)
        seen.append(active_partitions)
        return {}

    monkeypatch.setattr(driver.Consumer, "_getmany", stock)
    fetch = asyncio.ensure_future(FakeConsumer()._getmany(active, 1.0))
    await asyncio.sleep(0)
    if active:
        active.clear()  # what `pause_partitions` does
    await fetch
    assert seen == [asked]


async def test_race_3_a_partition_without_a_commit_goes_back_to_its_beginning() -> None:
    kafka = FakeAiokafka({HERE: 17})
    thread: Any = ConsumerThread.__new__(ConsumerThread)
    thread._ensure_consumer = lambda: kafka
    thread.consumer = type("Owner", (), {"_is_changelog_tp": staticmethod(lambda tp: False)})
    assert await thread._seek_to_committed() == {HERE: 17, THERE: None}
    assert kafka.seeks == {HERE: 17, THERE: 0}


async def test_a_partition_that_was_not_sought_yet_does_not_end_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stock looks at every position each few seconds, and aiokafka asserts that there is one."""
    def stock(self: FakeConsumer, now: float, tp: TP) -> None:
        raise AssertionError(tp)

    monkeypatch.setattr(driver.Consumer, "verify_event_path", stock)
    consumer = FakeConsumer()
    monkeypatch.setattr(consumer, "assignment", lambda: {HERE})
    await consumer.verify_all_partitions_active()


@pytest.mark.parametrize(("acked", "unacked", "expected", "left"), [
    ([], [], None, []),
    ([4], [], 5, []),
    ([1, 2, 9], [], 10, []),  # offsets between two bundles need no acks
    ([1, 2, 9], [5], 3, [9]),
    ([9], [5], None, [9]),
    ([9, 1], [9], 2, [9]),
])
def test_a_commit_is_one_past_the_last_ack_below_the_first_open_message(
        acked: list[int], unacked: list[int], expected: int | None, left: list[int]) -> None:
    consumer = FakeConsumer()
    consumer._acked[HERE], consumer._acked_index[HERE] = list(acked), set(acked)
    consumer._unacked_messages = {Message(offset) for offset in unacked} | {Message(0, acked=True), Message(0, tp=THERE)}
    assert consumer._new_offset(HERE) == expected
    assert consumer._acked[HERE] == left
    assert consumer._acked_index[HERE] == set(left)


@pytest.mark.parametrize(("offsets", "position", "expected"), [
    ((5, 6, 7), None, []),
    ((5, 6, 7), 5, []),
    ((5, 6, 7), 6, []),  # a replay is no hole
    ((5, 6, 7), 3, [(3, 5)]),
    ((5, 7, 8, 11), 5, [(6, 7), (9, 11)]),
    ((5, 7), 2, [(2, 5), (6, 7)]),
    ((5,), 5, []),
])
def test_holes_before_and_within_a_bundle(offsets: tuple[int, ...], position: int | None, expected: list[tuple[int, int]]) -> None:
    assert find_holes(bundle(*offsets), position) == expected


def test_a_commit_is_capped_by_what_is_folded_into_rows_held_now() -> None:
    ledger: Any = Ledger.__new__(Ledger)
    held, recovering = Partition(1), Partition(1)
    held.position, held.recovered, recovering.position = [7], True, [9]
    ledger.sources, ledger.parts = {"facts": 0}, {0: held, 1: recovering}
    offsets = {HERE: 9, THERE: 9, TP("facts", 2): 9, TP("else", 0): 9}
    assert ledger.cap(offsets) == {HERE: 7, TP("else", 0): 9}
    assert ledger.cap({HERE: 5}) == {HERE: 5}


async def test_small_fetches_are_paced_and_full_ones_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pause only after less than a full bundle: a drain never waits."""
    slept: list[float] = []
    answers = [{HERE: [Record(0, b"k", b"")]}, {HERE: [Record(at, b"k", b"") for at in range(500)]}, {}]

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async def getmany(self: Any, active_partitions: Any, timeout: float) -> Any:
        return answers.pop(0)

    monkeypatch.setattr(driver.Consumer, "_getmany", getmany)
    monkeypatch.setattr("streams.engine.transport.asyncio.sleep", sleep)
    consumer = FakeConsumer()
    consumer.transport.bundled = {"facts"}
    for _ in range(3):
        await consumer._getmany({HERE}, 1.0)
    assert len(slept) == 1  # after the first only
    assert consumer.few


async def test_a_consumer_that_does_not_close_does_not_keep_its_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that restarted while a worker ended: aiokafka had lost its coordinator and waited for it, in vain, while it closed."""
    async def close(_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(driver.AIOKafkaConsumerThread, "on_thread_stop", close)
    thread = ConsumerThread.__new__(ConsumerThread)
    thread.stop_s_max, thread.log = 0.01, logging.getLogger(__name__)  # type: ignore[assignment]  # mode wraps it
    await asyncio.wait_for(thread.on_thread_stop(), 10)
