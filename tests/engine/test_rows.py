"""Rows as bytes and back, and what a new owner makes of a changelog that others wrote, zombies among them."""

from decimal import Decimal

import pytest

from streams.engine.rows import Codec, Partition, Row
from tables.rows import Output
from tests.engine.records import Record, claim, row, sent


def codec(sources: int = 2) -> Codec:
    return Codec(sources, lambda state: str(state).encode(), lambda data: Decimal(data.decode()))


@pytest.mark.parametrize("state", [None, Decimal(0), Decimal("-12.340")])
def test_a_row_survives_its_bytes(state: Decimal | None) -> None:
    before = Row(state, [7, 0])
    before.outbox = [Output("out", b"one"), Output("other", b"\x00two")]
    data, dumped = codec().encode(before, 42)
    after = codec().decode(data)
    assert (after.state, list(after.positions)) == (state, [7, 0])
    assert [(output.topic, output.value) for output in after.outbox] == [("out", b"one"), ("other", b"\x00two")]
    assert dumped == (b"" if state is None else str(state).encode())
    assert before.size == after.size == len(data)


def test_a_source_that_was_added_starts_at_its_beginning() -> None:
    data, _ = codec(1).encode(Row(Decimal(1), [9]), 0)
    assert list(codec(3).decode(data).positions) == [9, 0, 0]


A, B = b"live:1", b"live:2"

CASES = {
    "rows wait for their SENT": ([claim(0), row(1, A, 0), row(2, B, 0)], {A, B}, set(), {A, B}),
    "SENT clears what came before it": ([claim(0), row(1, A, 0), sent(2, 0), row(3, B, 0)], {A, B}, set(), {B}),
    "a new owner's SENT clears, too": ([claim(0), row(1, A, 0), claim(2), sent(3, 2)], {A}, set(), set()),
    "a zombie's SENT does not": ([claim(0), row(1, A, 0), claim(2), sent(3, 0)], {A}, set(), {A}),
    "a zombie's row over a good one is to be written again": ([claim(0), row(1, A, 0), claim(2), row(3, A, 0)], {A}, {A}, {A}),
    "a zombie's row of its own is a ghost": ([claim(0), claim(1), row(2, B, 0)], set(), {B}, set()),
    "healed by the new owner": ([claim(0), claim(1), row(2, A, 0), row(3, A, 1)], {A}, set(), {A}),
    "a tombstone takes everything": ([claim(0), row(1, A, 0), Record(2, A, None)], set(), set(), set()),
    "a tombstone buries a ghost": ([claim(0), claim(1), row(2, B, 0), Record(3, B, None)], set(), set(), set()),
}


@pytest.mark.parametrize(("records", "rows", "stale", "unsent"), CASES.values(), ids=list(CASES))
@pytest.mark.parametrize("at_once", [True, False])
def test_what_a_new_owner_reads(records: list[Record], rows: set[bytes], stale: set[bytes], unsent: set[bytes], at_once: bool) -> None:
    part = Partition(1)
    for batch in [records] if at_once else [[one] for one in records]:
        part.restore(batch)
    assert (set(part.rows), part.stale, part.unsent) == (rows, stale, unsent)
    assert (part.next, part.read) == (records[-1].offset + 1, len(records))


def test_a_zombies_content_never_shows() -> None:
    part = Partition(1)
    part.restore([claim(0), row(1, A, 0, b"10"), claim(2), row(3, A, 2, b"12"), row(4, A, 0, b"11")])
    kept = part.rows[A]
    assert isinstance(kept, bytes)
    assert codec(1).decode(kept).state == Decimal(12)


def test_a_reading_from_the_start_forgets_the_one_before() -> None:
    """A rebalance during a recovery leaves its last records in the new partition: under their claim every row before would be a ghost."""
    part = Partition(1)
    part.restore([row(3, A, 0), claim(5)])
    for one in [claim(0), row(1, B, 0), sent(2, 0), row(3, A, 0), claim(5), claim(6)]:
        part.restore([one])
    assert (set(part.rows), part.stale, part.unsent, part.claim) == ({A, B}, set(), {A}, 6)
