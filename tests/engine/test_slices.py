"""A group taken in slices: others have their turn meanwhile, each row is whole, and what was taken is written or in doubt."""

import asyncio
from decimal import Decimal

import pytest

from schemas import engine_pb2 as pb
from streams.engine import writer
from streams.engine.ledger import Ledger
from streams.engine.rows import SENT
from tests.engine.records import Record
from tests.engine.test_writer import CHANGELOG, FakeProducer, fold, wallet


@pytest.fixture(autouse=True)
def changelog_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ledger, "changelog_topic_name", CHANGELOG)


async def test_a_large_group_lets_others_run_and_takes_every_row_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "SLICE_S", 0.0)
    producer = FakeProducer()
    ledger = wallet(producer)
    fold(ledger, *(Record(at, b"%d" % at, b"1") for at in range(20)))
    turns: list[int] = []

    flushing = asyncio.create_task(ledger.writer.flush())
    while b"19" in ledger.parts[0].dirty:
        turns.append(len(turns))
        if len(turns) == 5:  # of one row that was taken, and of one that was not
            fold(ledger, Record(20, b"0", b"1"), Record(21, b"19", b"1"))
        await asyncio.sleep(0)
    await flushing
    assert len(turns) > 10
    await ledger.flush()
    rows = [(key, pb.LedgerRow.FromString(value or b"")) for key, value in producer.logs[CHANGELOG, 0] if key != SENT]
    assert [(key, row.state, list(row.positions)) for key, row in rows if key in (b"0", b"19")] == [
        (b"0", b"1", [1]), (b"19", b"2", [22]), (b"0", b"2", [21])]
    assert len(rows) == 21
    assert sorted(int(value or b"") for _, value in producer.logs["out", 0]) == list(range(22))


async def test_a_row_with_a_large_outbox_gets_nothing_more_while_its_group_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "SLICE_S", 0.0)
    ledger = wallet(FakeProducer())
    fold(ledger, *(Record(at, b"%d" % at, b"1") for at in range(20)))
    ledger.heavy = True
    flushing = asyncio.create_task(ledger.writer.flush())
    await asyncio.sleep(0)
    assert not ledger.parts[0].dirty
    await flushing


async def test_a_row_that_cannot_be_written_leaves_its_group_in_doubt() -> None:
    producer = FakeProducer()
    ledger = wallet(producer)
    fold(ledger, Record(0, b"a", b"1"), Record(1, b"b", b"1"))
    ledger.codec.dump = {Decimal(1): b"1"}.pop  # the second state like it raises
    with pytest.raises(KeyError):
        await ledger.flush()
    with pytest.raises(RuntimeError, match="in doubt"):
        await ledger.flush()  # a commit must not cover what was taken and never written
    assert not producer.logs[CHANGELOG, 0]
