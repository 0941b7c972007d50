"""Figures for people beside the checks: who is laid when, and who is forgotten with a partition."""

import pytest
from msgspec.structs import replace

from streams.engine.rows import Partition, Row
from streams.portfolios import Portfolios
from tests.streams_checks.desk import PARTITIONS, Desk, trader


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(monkeypatch)


def beside(desk: Desk) -> Portfolios:
    """The service as it listens; rows are told to it as the ledger tells them."""
    return Portfolios(desk.checks.config, desk.checks)


def recovered(desk: Desk, *numbers: int) -> None:
    for number in numbers:
        user = trader(number)
        desk.part(user.user_id).rows[user.user_id.encode()] = Row(user, [0] * len(desk.accounts.sources))


async def test_who_was_taken_over_comes_after_the_checks_have_them(desk: Desk) -> None:
    portfolios = beside(desk)
    recovered(desk, *range(1, 21))
    for partition in range(PARTITIONS):
        desk.accounts.on_owned(partition)
    desk.accounts.on_change(b"live:3", trader(3))
    await portfolios._lay()
    assert portfolios.portfolio.users() == ["live:3"]  # a row that changes meanwhile does not wait
    await desk.fill()
    await portfolios._lay()
    assert sorted(portfolios.portfolio.users()) == sorted(f"live:{number}" for number in range(1, 21))


async def test_a_newer_row_is_not_replaced_by_the_one_taken_over(desk: Desk) -> None:
    portfolios = beside(desk)
    recovered(desk, 1)
    desk.accounts.on_owned(desk_partition(desk, 1))
    await desk.fill()
    desk.accounts.on_change(b"live:1", replace(trader(1), accounts={}))
    await portfolios._lay()
    assert portfolios.portfolio.users() == []


async def test_a_partition_that_goes_takes_its_users_along(desk: Desk) -> None:
    portfolios = beside(desk)
    users = range(1, 41)
    recovered(desk, *users)
    for partition in range(PARTITIONS):
        desk.accounts.on_owned(partition)
    await desk.fill()
    await portfolios._lay()
    for number in users:
        desk.accounts.on_change(f"live:{number}".encode(), trader(number))
    gone = desk_partition(desk, 1)
    desk.accounts.on_lost(gone)
    await portfolios._lay()
    left = sorted(f"live:{number}" for number in users if desk_partition(desk, number) != gone)
    assert 0 < len(left) < len(users)
    assert sorted(portfolios.portfolio.users()) == left


def desk_partition(desk: Desk, number: int) -> int:
    part: Partition = desk.part(f"live:{number}")
    found: int = next(at for at, one in desk.accounts.parts.items() if one is part)
    return found
