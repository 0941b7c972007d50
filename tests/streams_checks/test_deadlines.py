"""A user stands among the deadlines once, however often its row changes, and is asked for again as long as something is to come."""

import math

import pytest
from faust.types import TP
from msgspec.structs import replace

from schemas.keys import partition_of
from schemas.names import POSITION_UPDATES
from streams.deadlines import Deadlines
from tables.rows import LIQUIDATION, Folded, Frame, Margin, User
from tests.agents.worlds import NOW
from tests.streams_checks.desk import PARTITIONS, Desk, trader, with_margin


def test_the_earliest_of_a_user_counts() -> None:
    found = Deadlines()
    for user, at in (("a", 30), ("b", 20), ("a", 10), ("a", 40)):
        found.add(user, at)
    assert found.first_ms() == 10
    assert found.pop(19) == ["a"]
    assert found.pop(100) == ["b"]
    assert (found.first_ms(), len(found)) == (math.inf, 0)


def test_earlier_and_earlier_ones_do_not_pile_up() -> None:
    found = Deadlines()
    for at in range(100_000, 0, -1):
        found.add("a", at)
    assert len(found) <= 102
    assert found.pop(1) == ["a"]


async def test_a_row_that_changes_all_the_time_has_one_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    desk, user = Desk(monkeypatch), trader(1)
    for at in range(1_000):
        frames = (Frame(1, 1, at, 2, (0,), NOW + at),)
        desk.keep(replace(user, accounts={"house": replace(user.accounts["house"], frames=frames)}))
        desk.keep(with_margin(trader(2), Margin(LIQUIDATION, cooldown_until_ms=NOW + 1_000 + at)))
    assert len(desk.checks.deadlines) == 2


async def test_waiting_for_an_end_asks_once_a_time_and_checks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a backlog every half frame was asked for once per change of its row, four times a second: most of a worker's time."""
    desk, user = Desk(monkeypatch), trader(1)
    desk.accounts.app.consumer.ends[TP(POSITION_UPDATES, partition_of(b"live:1", PARTITIONS))] = 9
    asked: list[str] = []
    give_up = desk.checks.settling.give_up

    def ask(row: User, partition: int, now_ms: int) -> tuple[Folded | None, int]:
        asked.append(row.user_id)
        return give_up(row, partition, now_ms)

    monkeypatch.setattr(desk.checks.settling, "give_up", ask)
    for at in range(50):
        desk.keep(replace(user, version=at, accounts={"house": replace(user.accounts["house"], frames=(Frame(1, 1, 1, 2, (0,), NOW),))}))
    desk.pass_ms(5_000)
    desk.checks.waiting.clear()
    asked.clear()
    desk.pass_ms(250)
    assert asked == ["live:1"]
    assert desk.waiting() == []


async def test_a_frame_behind_a_cool_down_is_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch)
    cooling = with_margin(trader(1), Margin(cooldown_until_ms=NOW + 1_000))
    desk.keep(replace(cooling, accounts={"house": replace(cooling.accounts["house"], frames=(Frame(1, 1, 1, 2, (0,), NOW),))}))
    desk.pass_ms(1_000)
    assert desk.written() == []
    desk.pass_ms(4_000)
    assert desk.written() == ["live:1"]
