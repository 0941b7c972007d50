"""What a new owner finds in the logs: records that are gone stop it, unless the loss was accepted."""

from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from streams.engine.ledger import Ledger
from streams.engine.ownership import LogTooShort, claim, find_losses
from streams.engine.rows import CLAIM
from tests.engine.records import Record
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
    found.on_lost, found.recovery_began = (lambda number: None), 0.0
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
