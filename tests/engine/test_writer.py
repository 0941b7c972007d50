"""Group commit against a fake producer: rows first, outputs only after them, and none where another owner wrote in between."""

import asyncio
from collections import defaultdict
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from schemas import engine_pb2 as pb
from streams.engine.ledger import OUTBOX_BYTES_MAX, Ledger
from streams.engine.rows import SENT, STRAY, Codec, Partition, Row
from streams.engine.transport import Bundle, cut
from streams.engine.writer import Fenced, GroupWriter
from tables.rows import Output
from tests.engine.records import Record

CHANGELOG = "app-wallets-changelog"


class FakeBatch:
    def __init__(self, most: int) -> None:
        self.records: list[tuple[bytes, bytes | None]] = []
        self.most = most

    def append(self, *, key: bytes, value: bytes | None, timestamp: None) -> object | None:
        if len(self.records) == self.most:
            return None
        self.records.append((key, value))
        return self

    def close(self) -> None: ...

    def record_count(self) -> int:
        return len(self.records)


class FakeProducer:
    """A broker in memory; `foreign` records get in between, as from another owner."""

    def __init__(self, most: int = 100) -> None:
        self.logs: dict[tuple[str, int], list[tuple[bytes, bytes | None]]] = defaultdict(list)
        self.order: list[str] = []
        self.most = most

    def create_batch(self) -> FakeBatch:
        return FakeBatch(self.most)

    async def send_batch(self, batch: FakeBatch, topic: str, partition: int) -> asyncio.Future[Any]:
        done = asyncio.get_running_loop().create_future()
        log = self.logs[topic, partition]
        done.set_result(SimpleNamespace(offset=len(log)))
        log += batch.records
        self.order.append(topic)
        return done


def wallet(producer: FakeProducer) -> Any:
    """A ledger of one recovered partition, without Faust around it."""
    ledger: Any = Ledger.__new__(Ledger)
    consumer = SimpleNamespace(halted=None)
    ledger.app = SimpleNamespace(producer=SimpleNamespace(_producer=producer), consumer=consumer)
    ledger.plan = SimpleNamespace(name="wallets", states="states", row_bytes_max=100, dump=lambda state: str(state).encode())
    ledger.changelog_topic = SimpleNamespace(get_topic_name=lambda: CHANGELOG)
    ledger._changelog_topic = ledger.changelog_topic
    ledger.codec = Codec(1, lambda state: str(state).encode(), lambda data: Decimal(data.decode()))
    part = Partition(1)
    part.recovered, part.epoch = True, 0
    ledger.parts, ledger.sources = {0: part}, {"facts": 0}
    ledger.on_change = lambda key, state: None
    ledger.folded = ledger.skipped = 0
    ledger.fold_s = 0.0
    ledger.frozen = False
    ledger.writer = GroupWriter(ledger)
    return ledger


def step(state: Decimal | None, record: Any) -> tuple[Decimal, list[Output]]:
    return (state or Decimal(0)) + int(record.value), [Output("out", b"%d" % record.offset)]


def fold(ledger: Any, *records: Record) -> None:
    ledger.fold(Bundle("facts", 0, list(records)), step, lambda record: record.key or None)


@pytest.fixture(autouse=True)
def changelog_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ledger, "changelog_topic_name", CHANGELOG)


async def test_rows_go_before_their_outputs_and_states() -> None:
    producer = FakeProducer()
    ledger = wallet(producer)
    fold(ledger, Record(0, b"a", b"5"), Record(1, b"b", b"7"), Record(2, b"a", b"-1"))
    await ledger.flush()
    assert producer.order[0] == CHANGELOG
    assert set(producer.order[1:]) == {"out", "states"}
    first, *rows = producer.logs[CHANGELOG, 0]
    assert first == (SENT, (0).to_bytes(8, "big"))
    assert {key: ledger.codec.decode(value).state for key, value in rows} == {b"a": Decimal(4), b"b": Decimal(7)}
    assert sorted(value or b"" for _, value in producer.logs["out", 0]) == [b"0", b"1", b"2"]
    assert dict(producer.logs["states", 0]) == {b"a": b"4", b"b": b"7"}


async def test_a_row_carries_its_outputs_until_they_are_sent() -> None:
    producer = FakeProducer()
    ledger = wallet(producer)
    fold(ledger, Record(0, b"a", b"5"))
    await ledger.flush()
    fold(ledger, Record(1, b"a", b"5"))
    await ledger.flush()
    rows = [pb.LedgerRow.FromString(value or b"") for key, value in producer.logs[CHANGELOG, 0] if key == b"a"]
    assert [[output.value for output in row.outbox] for row in rows] == [[b"0"], [b"1"]]


async def test_another_owner_in_between_is_noticed_and_no_output_is_sent() -> None:
    producer = FakeProducer()
    ledger = wallet(producer)
    fold(ledger, Record(0, b"a", b"5"))
    await ledger.flush()
    producer.logs[CHANGELOG, 0].append((b"\x00claim", b""))
    fold(ledger, Record(1, b"a", b"5"))
    with pytest.raises(Fenced, match=r"expected offset 2, was 3"):
        await ledger.flush()
    assert [value for _, value in producer.logs["out", 0]] == [b"0"]
    assert isinstance(ledger.app.consumer.halted, Fenced)  # no commit may follow


async def test_a_group_larger_than_a_batch_is_numbered_through() -> None:
    producer = FakeProducer(most=2)
    ledger = wallet(producer)
    fold(ledger, *(Record(at, b"%d" % at, b"1") for at in range(5)))
    await ledger.flush()
    assert ledger.parts[0].next == len(producer.logs[CHANGELOG, 0]) == 6
    await ledger.flush()  # nothing changed, nothing written
    assert len(producer.logs[CHANGELOG, 0]) == 6


def test_a_replayed_record_is_skipped() -> None:
    ledger = wallet(FakeProducer())
    fold(ledger, Record(3, b"a", b"5"))
    fold(ledger, Record(3, b"a", b"5"), Record(4, b"a", b"1"))
    assert (ledger.state_of(b"a", 0), ledger.skipped, ledger.fences(b"a", 0)) == (Decimal(6), 1, {"facts": 4})


async def test_outputs_of_a_record_without_a_key_lie_in_the_partitions_row() -> None:
    producer = FakeProducer()
    ledger = wallet(producer)
    ledger.fold(Bundle("facts", 0, [Record(0, b"", b"?")]), lambda state, record: (None, [Output("dead", b"?")]), lambda record: None)
    await ledger.flush()
    assert [key for key, _ in producer.logs[CHANGELOG, 0]] == [SENT, STRAY]
    assert producer.logs["dead", 0] == [(STRAY, b"?")]
    assert ledger.keys_of(0) == []


async def test_how_far_a_topic_is_read_is_written_where_no_row_says_it() -> None:
    """An export of rows asks which facts are in them: of those that no row takes, the partition's own row knows."""
    producer = FakeProducer()
    ledger = wallet(producer)
    ledger.fold(Bundle("facts", 0, [Record(6, b"", b"?"), Record(8, b"", b"?")]), lambda state, record: (None, ()), lambda record: None)
    await ledger.flush()
    [(sent, _), (stray, value)] = producer.logs[CHANGELOG, 0]
    assert (sent, stray) == (SENT, STRAY)
    assert list(ledger.codec.decode(value).positions) == [9]


@pytest.mark.parametrize(("frozen", "recovered", "expected"), [(False, True, True), (True, True, False), (False, False, False)])
def test_a_row_is_touched_only_while_it_is_ours(frozen: bool, recovered: bool, expected: bool) -> None:
    ledger = wallet(FakeProducer())
    ledger.parts[0].rows[b"a"] = Row(Decimal(1), [1])
    ledger.frozen, ledger.parts[0].recovered = frozen, recovered
    assert ledger.touch(b"a", 0, lambda state: (state + 1, ())) is expected
    assert (b"a" in ledger.parts[0].dirty) is expected


@pytest.mark.parametrize(("clean", "dirty", "kept"), [(True, False, True), (True, True, False), (False, False, False)])
def test_rows_are_kept_over_a_rebalance_only_where_all_were_written(clean: bool, dirty: bool, kept: bool) -> None:
    ledger = wallet(FakeProducer())
    if dirty:
        fold(ledger, Record(0, b"a", b"5"))
    ledger.on_revoke(clean)
    assert ledger.frozen
    assert ledger.owned() == ([0] if kept else [])


def test_a_row_above_the_limit_takes_nothing_more() -> None:
    ledger = wallet(FakeProducer())
    ledger.parts[0].rows[b"a"] = Row(Decimal(1), [1])
    ledger.parts[0].rows[b"a"].size = 80
    small, large = (SimpleNamespace(key=b"a", partition=0, value=b"y" * size) for size in (10, 11))
    assert ledger.fits(small, "", "y" * 999)  # twice its size is an upper bound: nothing is measured
    assert not ledger.fits(large, "y" * 100, "y" * 101)
    assert ledger.fits(large, "y" * 102, "y" * 101)  # it shrinks: what ends a gap or an order must be taken
    assert ledger.fits(large, None, "y" * 100)


async def test_a_row_with_a_large_outbox_is_written_before_more_is_folded() -> None:
    producer = FakeProducer()
    ledger = wallet(producer)
    ledger._stopped = ledger._crashed = SimpleNamespace(is_set=lambda: False)
    large: list[Output] = [Output("out", b"x" * (OUTBOX_BYTES_MAX // 2))]
    bundles = [Bundle("facts", 0, [Record(at, b"a", b"1")]) for at in range(4)]

    async def drain() -> None:
        for bundle in bundles:
            await ledger.admit(bundle)
            ledger.fold(bundle, lambda state, _: ((state or Decimal(0)) + 1, large), lambda record: record.key)

    draining = asyncio.create_task(drain())
    for _ in range(20):
        await asyncio.sleep(0)
    assert (ledger.heavy, ledger.parts[0].rows[b"a"].state) == (True, Decimal(3))
    await ledger.flush()
    await draining
    assert (ledger.heavy, ledger.parts[0].rows[b"a"].state) == (False, Decimal(4))


@pytest.mark.parametrize(
    ("sizes", "parts"),
    [([], []), ([1, 1, 1], [[1, 1, 1]]), ([1] * 5, [[1] * 4, [1]]), ([6, 4, 1], [[6, 4], [1]]), ([3, 99, 3], [[3], [99], [3]])],
)
def test_bundles_are_cut_by_records_and_bytes(sizes: list[int], parts: list[list[int]]) -> None:
    found = cut([SimpleNamespace(key=b"", value=b"x" * size) for size in sizes], 4, 10)
    assert [[len(record.value) for record in part] for part in found] == parts


async def test_an_idle_owner_notices_a_foreign_write() -> None:
    producer = FakeProducer()
    ledger = wallet(producer)
    await ledger.writer.renew()
    assert producer.logs[CHANGELOG, 0] == [(SENT, (0).to_bytes(8, "big"))]
    ledger.frozen = True
    await ledger.writer.renew()
    assert len(producer.logs[CHANGELOG, 0]) == 1  # not ours to write while a rebalance is under way
    ledger.frozen = False
    producer.logs[CHANGELOG, 0].append((b"a", b"from a paused owner"))
    with pytest.raises(Fenced, match="expected offset 1, was 2"):
        await ledger.writer.renew()


@pytest.mark.parametrize("again", ["flush", "renew"])
async def test_after_a_group_that_failed_nothing_says_that_its_outputs_were_sent(monkeypatch: pytest.MonkeyPatch, again: str) -> None:
    producer = FakeProducer()
    ledger = wallet(producer)
    real = producer.send_batch

    async def away(batch: FakeBatch, topic: str, partition: int) -> asyncio.Future[Any]:
        done = await real(batch, topic, partition)  # appended, but nobody hears of it
        lost = asyncio.get_running_loop().create_future()
        lost.set_exception(TimeoutError("no answer"))
        return lost if topic == CHANGELOG else done

    fold(ledger, Record(0, b"live:1", b"5"))
    with monkeypatch.context() as patch, pytest.raises(TimeoutError):
        patch.setattr(producer, "send_batch", away)
        await ledger.flush()
    written = list(producer.logs[CHANGELOG, 0])
    if again == "flush":  # a commit that waited for the first group
        fold(ledger, Record(1, b"live:2", b"5"))
    with pytest.raises(RuntimeError, match="in doubt"):
        await getattr(ledger.writer, again)()
    assert producer.logs[CHANGELOG, 0] == written
