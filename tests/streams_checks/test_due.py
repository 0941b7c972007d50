"""Which accounts wait for a check, in which order they get it, and what of it is written."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from schemas import engine_pb2 as pb
from schemas import names
from schemas.keys import partition_of
from streams import reporting
from tables.rows import LIQUIDATION, MARGIN_CALL, NORMAL, UNKNOWN, Frame, Orders
from tests.agents.worlds import BTC, EUR, JPY, NOW, fx_user, mark, position
from tests.streams_checks.desk import PARTITIONS, Desk, Reports, trader

FINE, CALLED, LOST = ("1.1000", "1.1002"), ("1.0600", "1.0602"), ("1.0550", "1.0552")  # for 5,000 of balance


@pytest.fixture
async def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    found = Desk(monkeypatch)
    found.prices.book.marks[EUR] = mark(EUR, *FINE)
    return found


def reported(reports: Reports) -> list[pb.MarginCheck]:
    """The reports, by user."""
    found = [pb.MarginCheck.FromString(value or b"") for records in reports.values() for _, value in records]
    return sorted(found, key=lambda check: check.user_id)


def record_checks(desk: Desk, costs_s: float = 0.0) -> list[tuple[str, list[str]]]:
    """Instead of checking: who was, with which causes; each takes its time."""
    seen: list[tuple[str, list[str]]] = []

    def instead(user: str, account: str, causes: list[str], reports: Any) -> None:
        seen.append((user, causes))
        desk.work_s += costs_s

    desk.checks._check = instead  # type: ignore[method-assign]
    return seen


# ---- the queue


async def test_the_worst_are_checked_first(desk: Desk) -> None:
    seen = record_checks(desk)
    for user, badness in (("live:1", 0.0), ("live:2", 0.7), ("live:3", float("inf")), ("live:4", 1.2)):
        desk.checks.due(user, "house", "price", badness)
    desk.check()
    assert [user for user, _ in seen] == ["live:3", "live:4", "live:2", "live:1"]


async def test_a_slice_ends_with_its_budget_and_the_next_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch, check_slice_ms=10)
    seen = record_checks(desk, costs_s=0.004)
    for number in range(7):
        desk.checks.due(f"live:{number}", "house", "price", 10.0 - number)
    sizes = []
    while desk.checks.waiting:
        before = len(seen)
        desk.check()
        sizes.append(len(seen) - before)
    assert sizes == [3, 3, 1]  # 10 ms at 4 ms each: what has begun is ended
    assert [user for user, _ in seen] == [f"live:{number}" for number in range(7)]


async def test_who_turns_worse_while_waiting_comes_forward(desk: Desk) -> None:
    seen = record_checks(desk)
    desk.checks.due("live:1", "house", "wallet")
    desk.checks.due("live:2", "house", "price", 0.9)
    desk.checks.due("live:1", "house", "price", 1.5)
    desk.check()
    assert seen == [("live:1", ["price", "wallet"]), ("live:2", ["price"])]


async def test_at_most_one_check_waits_per_account_with_all_its_causes(desk: Desk) -> None:
    desk.keep(trader(1))
    for cause in ("wallet", "price", "position", "price"):
        desk.checks.due("live:1", "house", cause, 0.5 if cause == "price" else 0.0)
    assert desk.waiting() == ["live:1/house"]
    [check] = reported(desk.check())
    assert list(check.causes) == ["position", "price", "wallet"]
    assert desk.checks.counts == {"position": 1, "price": 1, "wallet": 1}
    assert desk.check() == {}


async def test_the_queue_does_not_grow_with_the_ticks_while_nothing_is_checked(desk: Desk) -> None:
    desk.accounts.frozen = True
    for at in range(5_000):
        desk.checks.due("live:1", "house", "price", 1 + at / 5_000)  # a fall, tick by tick, during a rebalance
        desk.checks.due("live:2", "house", "price", float("inf"))
        desk.check()
    assert desk.waiting() == ["live:1/house", "live:2/house"]
    assert len(desk.checks._queue) < 200


async def test_a_queue_laid_anew_keeps_everybody_and_the_order(desk: Desk) -> None:
    seen = record_checks(desk)
    for round_ in range(300):
        for number in range(4):
            desk.checks.due(f"live:{number}", "house", "price", round_ + number / 10)
    desk.checks.due("live:9", "house", "wallet")
    desk.check()
    assert [user for user, _ in seen] == ["live:3", "live:2", "live:1", "live:0", "live:9"]


# ---- what a check writes


async def test_what_changes_nothing_writes_no_row(desk: Desk) -> None:
    desk.keep(trader(1))
    desk.checks.due("live:1", "house", "price")
    [check] = reported(desk.check())
    assert (check.rung, check.figures.equity) == (NORMAL, "5000.0000")
    assert desk.written() == []
    assert not desk.checks.verdicts


@pytest.mark.parametrize(("prices", "rung", "topics"), [
    (CALLED, MARGIN_CALL, [names.MARGIN_CALLS]),
    (LOST, NORMAL, [names.MARGIN_CALLS, names.LIQUIDATIONS, names.LIQUIDATIONS, names.LIQUIDATIONS, names.TRANSACTIONS,
                    names.MARGIN_CALLS]),  # in the same write: liquidated and out of danger
    ((), UNKNOWN, [names.MARGIN_CALLS]),
])
async def test_a_change_of_rung_is_one_write_with_its_outputs(desk: Desk, prices: tuple[str, ...], rung: int, topics: list[str]) -> None:
    desk.keep(trader(1))
    desk.prices.book.marks = {EUR: mark(EUR, *prices)} if prices else {}
    desk.checks.due("live:1", "house", "price")
    [check] = reported(desk.check())
    assert (check.rung, desk.row("live:1").accounts["house"].margin.rung) == (rung, rung)
    assert desk.written() == ["live:1"]
    assert sorted(desk.outputs("live:1")) == sorted(topics)
    assert desk.row("live:1").version == 1
    desk.checks.due("live:1", "house", "again")
    desk.check()
    assert desk.written() == []
    assert desk.outputs("live:1") == []


async def test_transitions_and_liquidations_are_counted_by_what_was_said(desk: Desk) -> None:
    desk.keep(trader(1))
    desk.prices.book.marks[EUR] = mark(EUR, *LOST)
    desk.checks.due("live:1", "house", "price")
    desk.check()
    assert desk.checks.verdicts[names.MARGIN_CALLS, LIQUIDATION] == desk.checks.verdicts[names.MARGIN_CALLS, NORMAL] == 1
    assert desk.checks.verdicts[names.LIQUIDATIONS, 0] == 3  # ordered, its step, completed


async def test_reports_of_an_account_are_at_most_one_a_second_but_a_change_is_always_told(desk: Desk) -> None:
    desk.keep(trader(1), trader(2))
    told = []
    for ms in (0, 1, 400, 598, 1):  # 0, 1, 401, 999, 1000 ms
        desk.now += ms
        desk.prices.book.marks[EUR] = mark(EUR, *FINE, append_ms=desk.now)
        desk.checks.due("live:1", "house", "price")
        told.append(len(reported(desk.check())))
    assert told == [1, 0, 0, 0, 1]
    assert desk.checks.judged == {NORMAL: 5}  # each was made
    desk.checks.due("live:2", "house", "price")
    assert len(reported(desk.check())) == 1  # each account has its own second
    desk.prices.book.marks[EUR] = mark(EUR, *CALLED, append_ms=desk.now)
    desk.checks.due("live:1", "house", "price")
    assert [check.rung for check in reported(desk.check())] == [MARGIN_CALL]


async def test_reports_go_to_the_partition_of_their_user(desk: Desk) -> None:
    users = [trader(number) for number in range(1, 9)]
    desk.keep(*users)
    for user in users:
        desk.checks.due(user.user_id, "house", "price")
    reports = desk.check()
    assert {(topic, partition_of(key, PARTITIONS)) for (topic, _), records in reports.items() for key, _ in records} == set(reports)
    await desk.checks._reporting.send(reports)
    assert sum(len(records) for topic, _, records in desk.accounts.writer.sent if topic == names.MARGIN_CHECKS) == len(users)


async def test_reports_travel_together(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 100.0
    monkeypatch.setattr(reporting, "time", SimpleNamespace(monotonic=lambda: now_s))
    place, sent = (names.MARGIN_CHECKS, 0), desk.accounts.writer.sent
    for at in range(3):
        await desk.checks._reporting.send({place: [(b"live:1", b"%d" % at)]})
    assert [records for _, _, records in sent] == [[(b"live:1", b"0")]]
    now_s += 2 * reporting.EVERY_S
    await desk.checks._reporting.send({})
    assert [records for _, _, records in sent[1:]] == [[(b"live:1", b"1"), (b"live:1", b"2")]]


async def test_a_verdict_is_stamped_with_the_fences_of_both_rows(desk: Desk) -> None:
    desk.keep(trader(1))
    wallet = desk.accounts.sources[names.WALLET_DELTAS]
    row: Any = desk.part("live:1").rows[b"live:1"]
    row.positions[wallet] = 8
    orders = desk.orders.parts[partition_of(b"live:1", PARTITIONS)]
    orders.rows[b"live:1"] = type(row)(Orders("live:1"), [4, 0])
    desk.checks.due("live:1", "house", "price")
    [check] = reported(desk.check())
    assert dict(check.stamp.fences) == {names.WALLET_DELTAS: 7, f"orders/{names.ORDER_UPDATES}": 3}


# ---- who has no verdict


async def test_a_settling_account_waits_for_the_fold_that_closes_the_frame(desk: Desk) -> None:
    user = trader(1)
    half = replace(user, accounts={"house": replace(user.accounts["house"], frames=(Frame(1, 1, 1, 2, (0,), NOW),))})
    desk.keep(half)
    desk.checks.due("live:1", "house", "price")
    assert desk.check() == {}
    assert (desk.written(), desk.waiting(), desk.checks.counts) == ([], [], {})
    desk.keep(user)
    desk.checks.due("live:1", "house", "settled")
    assert len(reported(desk.check())) == 1


@pytest.mark.parametrize(("user", "account"), [("live:404", "house"), ("live:1", "gone")])
async def test_who_is_not_here_is_passed(desk: Desk, user: str, account: str) -> None:
    desk.keep(trader(1))
    desk.checks.due(user, account, "price", 5.0)
    desk.checks.due("live:1", "house", "price")
    assert [check.user_id for check in reported(desk.check())] == ["live:1"]
    assert desk.waiting() == []


@pytest.mark.parametrize("ledger", ["accounts", "orders"])
async def test_nothing_is_judged_during_a_rebalance(desk: Desk, ledger: str) -> None:
    desk.keep(trader(1))
    desk.checks.due("live:1", "house", "price")
    getattr(desk, ledger).frozen = True
    assert desk.check() == {}
    assert not desk.checks.ready
    assert desk.waiting() == ["live:1/house"]
    getattr(desk, ledger).frozen = False
    assert len(reported(desk.check())) == 1
    assert desk.checks.ready


# ---- what makes a check due


async def test_a_price_marks_those_it_may_move_and_nobody_else(desk: Desk) -> None:
    desk.keep(trader(1), trader(2, "90000"), replace(fx_user("9", position(JPY, "1", "150")), user_id="live:3"))
    desk.prices.on_moved({EUR})  # the first mark ever: its holders rested on `unknown`
    assert desk.waiting() == ["live:1/house", "live:2/house"]
    desk.check()
    desk.move(*CALLED)
    assert desk.waiting() == ["live:1/house"]  # who has plenty is screened out


async def test_a_jump_is_told_to_all_holders_when_it_begins_and_when_it_ends(desk: Desk) -> None:
    desk.keep(trader(1, "90000"))
    desk.prices.on_moved({EUR})
    desk.check()
    seen = []
    for jumping in (True, True, False, False):
        desk.prices.book.marks[EUR] = mark(EUR, *FINE, jumping=jumping)
        desk.prices.on_moved({EUR})
        seen.append(desk.waiting())
        desk.check()
        seen[-1] += [str(desk.row("live:1").accounts["house"].margin.rung)]
    assert seen == [["live:1/house", "5"], ["live:1/house", "5"], ["live:1/house", "1"], ["1"]]  # who is unknown is always looked at


SCOPES: dict[str, set[str]] = {
    "global": {"live:1", "live:12", "live:2"}, "venue:house": {"live:1", "live:12", "live:2"}, f"instrument:{EUR}": {"live:1", "live:12"},
    "user:live:1": {"live:1"}, "account:live:1/house": {"live:1"},
    "user:live:9": set(), "account:live:1/other": set(), "venue:okx_v5": set(), f"instrument:{BTC}": set(),
}


@pytest.mark.parametrize(("scope", "held"), SCOPES.items())
async def test_a_pause_holds_its_scope_back_and_a_resume_lets_it_go(desk: Desk, scope: str, held: set[str]) -> None:
    desk.keep(trader(1), trader(12), replace(fx_user("-5", position(JPY, "1", "150")), user_id="live:2"))
    desk.prices.book.marks |= {EUR: mark(EUR, *LOST), JPY: mark(JPY, "150", "150.01")}

    def control(action: Any, offset: int) -> None:
        desk.prices._take_settings(names.CONTROL, [type("R", (), {"value": pb.Control(scope=scope, action=action).SerializeToString(),
                                                                  "offset": offset})])

    control(pb.Control.PAUSE, 0)
    for user in ("live:1", "live:12", "live:2"):
        desk.checks.due(user, "house", "price")
    desk.check()
    assert {user for user in ("live:1", "live:12", "live:2") if names.LIQUIDATIONS not in desk.outputs(user)} == held
    control(pb.Control.RESUME, 1)
    assert held <= {user for user, _ in desk.checks.waiting}
    desk.check()
    assert {user for user in held if names.LIQUIDATIONS in desk.outputs(user)} == held


@pytest.fixture(autouse=True)
def no_leftovers(desk: Desk) -> Iterator[None]:
    yield
    assert not desk.accounts.app.consumer.halts
