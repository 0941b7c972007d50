"""Checks over a rebalance: rows that come are filled and judged once, rows that go are forgotten, a failing check stops the worker."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from schemas import names
from schemas.keys import partition_of
from streams.checks import Checks
from streams.engine.rows import Partition
from tables.rows import LIQUIDATION, Margin, User
from tests.agents.worlds import EUR, mark
from tests.streams_checks.desk import PARTITIONS, Desk, ids, trader, with_margin

ALL = [trader(number) for number in range(1, 13)]


@pytest.fixture
async def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    found = Desk(monkeypatch)
    found.prices.book.marks[EUR] = mark(EUR, "1.1000", "1.1002")
    return found


def of(partition: int, users: list[User] = ALL) -> list[User]:
    return [user for user in users if partition_of(user.user_id.encode(), PARTITIONS) == partition]


def recovered(desk: Desk, *users: User) -> None:
    """Rows as a recovery leaves them: there, and told to nobody."""
    put, desk.checks.put = desk.checks.put, lambda key, row: None  # type: ignore[method-assign]
    desk.keep(*users)
    desk.checks.put = put  # type: ignore[method-assign]


def columned(desk: Desk) -> list[str]:
    """Who is in the columns."""
    desk.checks._lay_columns()
    return sorted(f"{user}/{account}" for user, account in desk.checks.columns.holders({EUR}))


# ---- rows that come


async def test_recovered_rows_are_filled_and_each_is_checked_once(desk: Desk) -> None:
    recovered(desk, *ALL)
    for partition in range(PARTITIONS):
        desk.checks._owned(partition)
    assert not desk.checks.ready
    await desk.fill()
    assert desk.checks.ready
    assert columned(desk) == ids(ALL)
    assert set(map(tuple, desk.checks.waiting.values())) == {("recovered",)}
    desk.check()
    assert desk.checks.counts == {"recovered": len(ALL)}


async def test_a_partition_lost_while_it_is_filled_is_passed(desk: Desk) -> None:
    recovered(desk, *ALL)
    for partition in (0, 1):
        desk.checks._owned(partition)
    del desk.accounts.parts[0]
    desk.checks._lost(0)
    await desk.fill()
    assert columned(desk) == ids(of(1))
    assert desk.checks.ready


async def test_a_cool_down_under_way_is_remembered_over_a_restart(desk: Desk) -> None:
    recovered(desk, with_margin(trader(1), Margin(cooldown_until_ms=desk.now + 500)))
    desk.checks._owned(partition_of(b"live:1", PARTITIONS))
    await desk.fill()
    desk.check()
    desk.pass_ms(500)
    assert desk.checks.waiting == {("live:1", "house"): {"timer"}}


# ---- rows that go


async def test_rows_that_go_are_forgotten_and_their_waiting_checks_come_to_nothing(desk: Desk) -> None:
    desk.keep(*ALL)
    for user in ALL:
        desk.checks.due(user.user_id, "house", "price", 1.0)
    desk.accounts.frozen = True
    desk.accounts.on_lost(2)
    desk.accounts.parts[2] = Partition(0)
    desk.accounts.frozen = False
    kept = [user for user in ALL if user not in of(2)]
    assert of(2)
    assert columned(desk) == ids(kept)
    assert sorted(f"{user}/{account}" for user, account in desk.checks.rungs) == ids(kept)
    reports = desk.check()
    assert sorted(key.decode() + "/house" for records in reports.values() for key, _ in records) == ids(kept)
    assert desk.waiting() == []


async def test_a_row_changed_just_before_it_went_is_not_put_back(desk: Desk) -> None:
    desk.keep(*of(2))
    desk.accounts.on_lost(2)
    assert columned(desk) == []


async def test_what_a_partition_costs_to_lose_does_not_grow_with_the_square_of_the_users(desk: Desk) -> None:
    class Counted(dict[tuple[str, str], int]):
        passes = 0

        def __iter__(self) -> Iterator[tuple[str, str]]:
            self.passes += 1
            return super().__iter__()

    desk.keep(*ALL)
    desk.checks.rungs = counted = Counted(desk.checks.rungs)
    desk.accounts.on_lost(1)
    assert counted.passes <= 2
    assert sorted(f"{user}/{account}" for user, account in counted) == ids([user for user in ALL if user not in of(1)])


async def test_a_removed_account_counts_no_longer(desk: Desk) -> None:
    """Else its user would stand on its last rung for ever."""
    user = with_margin(trader(1), Margin(rung=LIQUIDATION))
    desk.keep(user)
    assert desk.checks.rungs == {("live:1", "house"): LIQUIDATION}
    desk.keep(replace(user, accounts={}, removed_accounts=("house",)))
    assert desk.checks.rungs == {}
    assert columned(desk) == []


# ---- an accepted loss


async def test_an_accepted_loss_leaves_every_user_of_its_partition_in_doubt(desk: Desk) -> None:
    recovered(desk, *ALL)
    desk.accounts.losses = {1: [names.WALLET_DELTAS, names.ORDER_UPDATES]}
    for partition in range(PARTITIONS):
        desk.checks._owned(partition)
    await desk.fill()
    assert desk.written() == sorted(user.user_id for user in of(1))
    for user in of(1):
        assert [entry.topic for entry in desk.row(user.user_id).quarantines] == [names.ORDER_UPDATES, names.WALLET_DELTAS]
        assert desk.outputs(user.user_id) == [names.ANOMALIES] * 2
    desk.checks._owned(1)
    await desk.fill()
    assert desk.written() == []


async def test_a_rebalance_in_between_does_not_make_the_loss_forgotten(desk: Desk) -> None:
    recovered(desk, *ALL)
    desk.accounts.losses = {1: [names.WALLET_DELTAS]}
    desk.checks._owned(1)
    desk.accounts.frozen = True
    filling = asyncio.ensure_future(desk.checks._fill())
    await asyncio.sleep(0.05)
    assert desk.written() == []
    desk.accounts.frozen = False
    await asyncio.wait_for(filling, 10)
    assert desk.written() == sorted(user.user_id for user in of(1))


# ---- failures


async def test_a_failing_check_stops_the_worker(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = AssertionError("expected figures with a known rung, was none")

    def fail(*_: Any) -> None:
        raise broken

    desk.keep(trader(1))
    desk.checks.due("live:1", "house", "price")
    monkeypatch.setattr(desk.checks, "_check", fail)
    await asyncio.wait_for(Checks._run.fun(desk.checks), 10)
    assert desk.accounts.app.consumer.halts == [broken]


async def test_a_failing_timer_stops_the_worker(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = ValueError("a deadline that cannot be")

    def fail(_: int) -> None:
        raise broken

    monkeypatch.setattr(desk.checks, "_look", fail)
    await asyncio.wait_for(Checks._timer.fun(desk.checks), 10)
    assert desk.accounts.app.consumer.halts == [broken]


async def test_the_loop_fills_checks_and_reports_until_it_is_stopped(desk: Desk) -> None:
    recovered(desk, *ALL)
    for partition in range(PARTITIONS):
        desk.checks._owned(partition)
    tasks = [asyncio.ensure_future(task.fun(desk.checks)) for task in (Checks._run, Checks._timer)]
    async with asyncio.timeout(20):
        while sum(len(records) for _, _, records in desk.accounts.writer.sent) < len(ALL):
            await asyncio.sleep(0.01)
    for task in tasks:
        task.cancel()
    assert all(isinstance(ended, asyncio.CancelledError) for ended in await asyncio.gather(*tasks, return_exceptions=True))
    assert desk.waiting() == []
    assert desk.accounts.app.consumer.halts == []
