"""After a takeover nobody is judged before what lay on the topics is folded."""

import pytest
from aiokafka.errors import IllegalStateError
from faust.types import TP

from schemas import names
from schemas.keys import partition_of
from streams.backlog import STILL_MS
from streams.topics import ACCOUNT_SOURCES
from tests.streams_checks.desk import PARTITIONS, Desk, trader

USER = trader(1)
HERE = partition_of(b"live:1", PARTITIONS)
DELTAS = TP(names.WALLET_DELTAS, HERE)


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    """One user whose partition was just taken over, with ten deltas on the topic."""
    found = Desk(monkeypatch)
    found.keep(USER)
    found.accounts.app.consumer.ends[DELTAS] = 10
    found.checks._owned(HERE)
    return found


def fold_to(desk: Desk, offset: int) -> None:
    desk.accounts.parts[HERE].position[ACCOUNT_SOURCES.index(names.WALLET_DELTAS)] = offset


def fetched_to(desk: Desk, offset: int) -> None:
    async def position(tp: TP) -> int:
        return offset if tp == DELTAS else 0

    desk.accounts.app.consumer.position = position


async def test_nobody_is_judged_while_a_delta_of_before_is_unread(desk: Desk) -> None:
    fold_to(desk, 9)
    await desk.fill()
    desk.move("1.0", "1.0001")
    assert desk.check() == {}
    assert not desk.checks.ready
    assert desk.checks.counts == {}
    fold_to(desk, 10)
    await desk.fill()
    desk.check()
    assert desk.checks.ready
    assert desk.checks.counts == {"recovered": 1}


async def test_what_comes_after_the_takeover_is_not_waited_for(desk: Desk) -> None:
    await desk.fill()
    desk.accounts.app.consumer.ends[DELTAS] = 1_000
    fold_to(desk, 10)
    await desk.fill()
    assert desk.checks.ready


async def test_an_end_nobody_told_yet_is_waited_for(desk: Desk) -> None:
    desk.accounts.app.consumer.ends[DELTAS] = None
    await desk.fill()
    assert not desk.checks.ready
    desk.accounts.app.consumer.ends[DELTAS] = 0
    await desk.fill()
    assert desk.checks.ready


@pytest.mark.parametrize(("fetched", "ms", "ready"), [(10, STILL_MS, True), (10, STILL_MS - 1, False), (9, 10 * STILL_MS, False)])
async def test_an_end_of_control_records_is_passed_when_it_was_fetched(desk: Desk, fetched: int, ms: int, ready: bool) -> None:
    fold_to(desk, 8)
    fetched_to(desk, fetched)
    await desk.fill()
    desk.now += ms
    await desk.fill()
    assert desk.checks.ready is ready


async def test_a_partition_lost_and_taken_again_waits_for_its_new_end(desk: Desk) -> None:
    desk.checks._lost(HERE)
    assert not desk.checks.backlog
    desk.accounts.app.consumer.ends[DELTAS] = 20
    desk.checks._owned(HERE)
    fold_to(desk, 10)
    await desk.fill()
    assert not desk.checks.ready


async def test_partitions_held_before_are_judged_meanwhile(desk: Desk) -> None:
    other = next(user for user in map(trader, range(2, 50)) if partition_of(user.user_id.encode(), PARTITIONS) != HERE)
    desk.keep(other)
    await desk.fill()
    desk.move("1.0", "1.0001")
    desk.check()
    assert desk.checks.counts["price"] == 1  # not two


@pytest.mark.parametrize("error", [AssertionError("Partition is not assigned"), IllegalStateError("no current assignment")])
async def test_a_rebalance_meanwhile_stops_nobody(desk: Desk, error: Exception) -> None:
    def highwater(tp: TP) -> int:
        raise error

    consumer = desk.accounts.app.consumer
    told, consumer.highwater = consumer.highwater, highwater
    assert await desk.checks.backlog.ended(0) == []
    consumer.highwater = told
    fold_to(desk, 10)
    await desk.fill()
    assert desk.checks.ready
