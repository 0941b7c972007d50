"""What a new owner finds in the logs: records that are gone stop it, unless the loss was accepted."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from schemas import engine_pb2 as pb
from streams.engine.ledger import Ledger
from streams.engine.ownership import LogTooShort, Overtaken, claim, find_losses, resume
from streams.engine.rows import CLAIM, SENT
from streams.engine.transport import Bundle
from streams.engine.writer import Fenced
from tests.engine.records import Record, row
from tests.engine.test_writer import CHANGELOG, FakeProducer, fold, wallet

FACTS = TP("facts", 1)


def ledger(*, accept: bool, start: int) -> Any:
    async def log_starts(tps: dict[TP, int]) -> dict[TP, int]:
        return dict.fromkeys(tps, start)

    consumer = SimpleNamespace(_thread=SimpleNamespace(log_starts=log_starts))
    said: list[str] = []
    log = SimpleNamespace(error=lambda text, *values: said.append(text % values))
    return SimpleNamespace(app=SimpleNamespace(consumer=consumer, accept_loss=accept), losses={}, log=log, said=said)


@pytest.mark.parametrize("accept", [False, True])
async def test_a_log_that_holds_the_committed_offset_is_no_loss(*, accept: bool) -> None:
    found = ledger(accept=accept, start=5)
    assert await find_losses(found, {FACTS: 5}) == {}
    assert not found.losses


async def test_records_that_are_gone_stop_the_worker() -> None:
    with pytest.raises(LogTooShort, match=r"facts\[1\]: expected records from 5 on, was 9; start with MARGINSTREAM_ACCEPT_LOSS"):
        await find_losses(ledger(accept=False, start=9), {FACTS: 5})


async def test_an_accepted_loss_is_noted_and_the_log_is_read_from_its_start() -> None:
    found = ledger(accept=True, start=9)
    assert await find_losses(found, {FACTS: 5}) == {FACTS: 9}
    assert found.losses == {1: ["facts"]}
    assert found.said == ["loss accepted: facts[1]: expected records from 5 on, was 9"]


async def test_a_group_without_commits_has_lost_nothing() -> None:
    assert await find_losses(ledger(accept=False, start=9), {}) == {}


@pytest.mark.parametrize("foreign", [False, True])
async def test_a_partition_is_kept_over_a_rebalance_only_where_nobody_else_wrote(monkeypatch: pytest.MonkeyPatch, *, foreign: bool) -> None:
    """A member that missed a generation comes back to a claim it never saw: rows of its old epoch would not count."""
    monkeypatch.setattr(Ledger, "changelog_topic_name", CHANGELOG)
    producer = FakeProducer()
    found = wallet(producer)
    found.app.assignor = SimpleNamespace(assigned_actives=lambda: {TP(CHANGELOG, 0)})
    found.app.tables = SimpleNamespace(recovery=SimpleNamespace(revoke=lambda tp: None))
    found.on_lost, found.recovery_began, found.app.rebalancing_count = (lambda number: None), 0.0, 1
    fold(found, Record(0, b"a", b"5"))
    await found.flush()
    before = found.parts[0]
    if foreign:
        producer.logs[CHANGELOG, 0].append((CLAIM, b""))
    await claim(found)
    assert (found.parts[0] is before) is not foreign
    assert found.parts[0].recovered is not foreign
    assert found.parts[0].next == len(producer.logs[CHANGELOG, 0])
    assert found.parts[0].epoch == (found.parts[0].next - 1 if foreign else 0)


class Recovering:
    """A ledger that has claimed a partition with a row of an owner before, and is about to resume."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Ledger, "changelog_topic_name", CHANGELOG)
        self.producer = FakeProducer()
        self.ledger = wallet(self.producer)
        self.during: list[Any] = []  # awaited where the brokers are asked
        self.owned: list[int] = []
        consumer = SimpleNamespace(_thread=SimpleNamespace(committed=self._committed, log_starts=self._log_starts))
        self.ledger.app.consumer, self.ledger.stale_rows = consumer, 0
        self.ledger.app.assignor = SimpleNamespace(assigned_actives=lambda: {TP(CHANGELOG, 0)})
        self.recovery = SimpleNamespace(revoke=lambda tp: None, _generation_id=1, signal_recovery_start=asyncio.Event(), active_offsets={})
        self.ledger.app.tables = SimpleNamespace(recovery=self.recovery)
        self.ledger.app.consumer_generation_id = 2  # the members' next generation, of which recovery does not know yet
        self.ledger.app.rebalancing_count = 1
        self.ledger.on_lost, self.ledger.on_owned = (lambda number: None), self.owned.append
        self.ledger.parts, self.ledger.recovery_began, self.ledger.recovery_s = {}, 0.0, 0.0
        self.producer.logs[CHANGELOG, 0] += [(CLAIM, b""), (b"a", row(1, b"a", 0, b"5").value)]

    async def _committed(self) -> dict[TP, int]:
        while self.during:
            await self.during.pop()
        return {}

    async def _log_starts(self, tps: dict[TP, int]) -> dict[TP, int]:
        return dict.fromkeys(tps, 0)

    async def rebalance(self) -> None:
        self.ledger.app.rebalancing_count += 1
        await claim(self.ledger)

    def replay(self, count: int) -> None:
        """What recovery reads of the changelog, up to `count`."""
        log = self.producer.logs[CHANGELOG, 0][:count]
        self.ledger.parts[0].restore([Record(at, key, value) for at, (key, value) in enumerate(log)])


async def test_a_partition_is_taken_over_once_its_own_claim_was_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A recovery that ends while the next rebalance claims found empty rows to be recovered: nobody of them was judged again."""
    found = Recovering(monkeypatch)
    await claim(found.ledger)
    found.replay(2)
    with pytest.raises(Overtaken):
        await resume(found.ledger)  # of the rebalance before: it read to an end below the claim
    assert (found.owned, found.ledger.parts[0].recovered, found.ledger.frozen) == ([], False, True)
    found.replay(3)
    await resume(found.ledger)
    assert (found.owned, found.ledger.parts[0].recovered, found.ledger.frozen) == ([0], True, False)
    assert found.ledger.keys_of(0) == [b"a"]


async def test_a_recovery_of_this_generation_that_read_too_little_is_begun_again(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Recovering(monkeypatch)
    found.ledger.app.consumer_generation_id = 1
    await claim(found.ledger)
    found.replay(2)
    with pytest.raises(Overtaken):
        await resume(found.ledger)
    assert found.recovery.signal_recovery_start.is_set()
    assert found.recovery.active_offsets == {TP(CHANGELOG, 0): None}
    assert found.ledger.frozen
    found.replay(3)
    await resume(found.ledger)
    assert (found.owned, found.ledger.frozen) == ([0], False)


async def test_a_recovery_that_a_revocation_cut_short_is_the_next_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Recovering(monkeypatch)
    found.ledger.app.consumer_generation_id = 1
    await claim(found.ledger)
    found.replay(2)
    found.ledger.app.rebalancing_count += 1
    with pytest.raises(Overtaken):
        await resume(found.ledger)


async def test_a_rebalance_during_the_resumption_leaves_it_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Recovering(monkeypatch)
    await claim(found.ledger)
    found.replay(3)
    found.during.append(found.rebalance())
    with pytest.raises(Overtaken):
        await resume(found.ledger)
    assert (found.owned, found.ledger.parts[0].recovered, found.ledger.frozen) == ([], False, True)
    assert found.ledger.parts[0].epoch == 3
    found.replay(4)
    await resume(found.ledger)
    assert (found.owned, found.ledger.frozen) == ([0], False)


@pytest.mark.parametrize("acknowledged", [False, True])
async def test_what_the_owner_before_delivered_is_not_sent_again(monkeypatch: pytest.MonkeyPatch, *, acknowledged: bool) -> None:
    found = Recovering(monkeypatch)
    log = found.producer.logs[CHANGELOG, 0]
    said = pb.LedgerRow(epoch=0, state=b"5", positions=[1], outbox=[pb.Outgoing(topic="out", value=b"said")])
    log[1:] = [(b"a", said.SerializeToString()), *([(SENT, bytes(8))] if acknowledged else [])]
    await claim(found.ledger)
    found.replay(len(log))
    await resume(found.ledger)
    fold(found.ledger, Record(7, b"a", b"1"))
    await found.ledger.flush()
    assert [value for _, value in found.producer.logs["out", 0]] == ([b"7"] if acknowledged else [b"said", b"7"])


async def test_what_was_fetched_before_a_rebalance_is_no_part_of_the_reading_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Recovering(monkeypatch)
    await claim(found.ledger)
    place = TP(CHANGELOG, 0)
    for generation, rows in ((1, 0), (2, 1)):  # the members' generation is 2
        bundle = Bundle(CHANGELOG, 0, [Record(at, key, value) for at, (key, value) in enumerate(found.producer.logs[place])])
        event = SimpleNamespace(value=bundle, message=SimpleNamespace(tp=place, generation_id=generation))
        found.recovery.active_offsets[place] = bundle.offset
        await found.ledger.on_changelog_event(event)
        found.ledger.apply_changelog_batch([event])
        assert len(found.ledger.parts[0].rows) == rows
        assert found.recovery.active_offsets[place] == (bundle.offset if rows else None)


async def test_a_partition_that_another_claimed_later_is_not_taken_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """A claim that lay with a producer while its broker was away comes after ours: rows of our epoch would count for nobody."""
    found = Recovering(monkeypatch)
    await claim(found.ledger)
    found.producer.logs[CHANGELOG, 0].append((CLAIM, b""))
    found.replay(4)
    with pytest.raises(Fenced, match="expected the last claim at 2, was 3"):
        await resume(found.ledger)
    assert (found.owned, found.ledger.parts[0].recovered) == ([], False)


async def test_what_another_wrote_to_a_kept_partition_is_not_taken_for_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Recovery reads kept partitions on: their next offset moved past a claim of another owner, who was not noticed any more."""
    found = Recovering(monkeypatch)
    await claim(found.ledger)
    found.replay(3)
    await resume(found.ledger)
    found.producer.logs[CHANGELOG, 0].append((CLAIM, b""))
    event = SimpleNamespace(value=Bundle(CHANGELOG, 0, [Record(3, CLAIM, b"")]), message=SimpleNamespace(generation_id=2))
    found.ledger.apply_changelog_batch([event])
    fold(found.ledger, Record(7, b"a", b"1"))
    with pytest.raises(Fenced, match="expected offset 3, was 4"):
        await found.ledger.flush()
