"""What time alone makes due: frames that do not close, cool-downs, stale marks, jumps that have waited, rules that begin to hold."""

import pytest
from faust.types import TP
from msgspec.structs import replace

from agents.risk.rules import rules_with
from schemas import engine_pb2 as pb
from schemas.keys import partition_of
from schemas.names import POSITION_UPDATES
from tables.policy import Policy
from tables.rows import LIQUIDATION, NORMAL, UNKNOWN, Frame, Margin, PlanStep, Refused
from tests.agents.worlds import EUR, NOW, fx_rule, mark, rules
from tests.streams_checks.desk import PARTITIONS, Desk, trader, with_margin

DAY_MS = 86_400_000
MONDAY = NOW - NOW % DAY_MS - DAY_MS  # NOW is a Tuesday


@pytest.fixture
async def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    found = Desk(monkeypatch, mark_stale_ms=10_000)
    found.prices.book.marks[EUR] = mark(EUR, "1.1000", "1.1002")
    return found


def settled(desk: Desk) -> int:
    """The rung of user 1 after every waiting check."""
    desk.check()
    return desk.row("live:1").accounts["house"].margin.rung


# ---- deadlines of rows


async def test_half_a_frame_past_its_bound_is_a_quarantine_and_a_verdict_of_unknown(desk: Desk) -> None:
    user = trader(1)
    desk.keep(replace(user, accounts={"house": replace(user.accounts["house"], frames=(Frame(1, 1, 1, 2, (0,), NOW),))}))
    desk.pass_ms(4_999)
    assert desk.written() == []
    desk.pass_ms(1)
    assert desk.row("live:1").accounts["house"].frames == ()
    assert {entry.reason for entry in desk.row("live:1").accounts["house"].quarantines} == {"half a frame"}
    assert desk.written() == ["live:1"]
    assert settled(desk) == UNKNOWN
    assert ("live:1", "house") in desk.checks.quarantined


async def test_an_account_whose_frames_overlap_without_end_is_told_of(desk: Desk) -> None:
    """None of its frames is late, so no timer gives them up; it is not judged all the same."""
    user = trader(1)
    quiet = user.accounts["house"]
    for number in range(100):
        desk.keep(replace(user, accounts={"house": replace(quiet, frames=(Frame(1, 1, number, 2, (0,), desk.now),))}))
        desk.pass_ms(20)
    assert desk.checks.settling.longest_ms(desk.now) == 2_000
    assert desk.written() == []
    desk.keep(user)
    assert desk.checks.settling.longest_ms(desk.now) == 0


async def test_who_settled_where_it_is_no_longer_owned_is_not_told_of(desk: Desk) -> None:
    user = trader(1)
    desk.keep(replace(user, accounts={"house": replace(user.accounts["house"], frames=(Frame(1, 1, 1, 2, (0,), NOW),))}))
    desk.checks._lost(partition_of(b"live:1", PARTITIONS))
    assert desk.checks.settling.longest_ms(NOW + 60_000) == 0


async def test_a_frame_waits_for_its_other_half_while_that_may_lie_unread(desk: Desk) -> None:
    """A worker that is seconds behind takes up the first half of a frame when its bound is long past: the other half is right behind."""
    user = trader(1)
    account = replace(user.accounts["house"], frames=(Frame(1, 1, 1, 2, (0,), NOW - 60_000),))
    part, source = desk.part("live:1"), desk.accounts.sources[POSITION_UPDATES]
    part.position[source] = 7
    desk.accounts.app.consumer.ends[TP(POSITION_UPDATES, partition_of(b"live:1", PARTITIONS))] = 9
    desk.keep(replace(user, accounts={"house": account}))
    desk.pass_ms(5_000)
    assert desk.written() == []
    desk.accounts.app.consumer.ends[TP(POSITION_UPDATES, partition_of(b"live:1", PARTITIONS))] = 1_000  # later records do not count
    part.position[source] = 9
    desk.pass_ms(250)
    assert {entry.reason for entry in desk.row("live:1").accounts["house"].quarantines} == {"half a frame"}


async def test_a_frame_does_not_wait_for_ever_for_an_end_nobody_can_reach(desk: Desk) -> None:
    user = trader(1)
    desk.accounts.app.consumer.ends[TP(POSITION_UPDATES, partition_of(b"live:1", PARTITIONS))] = 9
    desk.keep(replace(user, accounts={"house": replace(user.accounts["house"], frames=(Frame(1, 1, 1, 2, (0,), NOW),))}))
    desk.pass_ms(5_000)
    desk.pass_ms(59_750)
    assert desk.written() == []
    desk.pass_ms(250)
    assert desk.written() == ["live:1"]


async def test_a_frame_that_closed_in_time_costs_nothing_at_its_deadline(desk: Desk) -> None:
    user = trader(1)
    desk.keep(replace(user, accounts={"house": replace(user.accounts["house"], frames=(Frame(1, 1, 1, 2, (0,), NOW),))}))
    desk.keep(user)
    desk.pass_ms(6_000)
    desk.check()
    assert desk.written() == []


async def test_after_its_cool_down_an_account_is_checked(desk: Desk) -> None:
    desk.keep(with_margin(trader(1), Margin(cooldown_until_ms=NOW + 1_000)))
    desk.pass_ms(999)
    assert desk.waiting() == []
    desk.pass_ms(1)
    assert desk.checks.waiting == {("live:1", "house"): {"timer"}}


async def test_a_cool_down_that_ended_before_the_row_was_read_needs_no_timer(desk: Desk) -> None:
    desk.keep(with_margin(trader(1), Margin(cooldown_until_ms=NOW)))
    desk.pass_ms(60_000)
    assert ("live:1", "house") not in {name for name, causes in desk.checks.waiting.items() if "timer" in causes}


async def test_the_deadline_of_a_row_that_went_elsewhere_is_passed(desk: Desk) -> None:
    desk.keep(with_margin(trader(1), Margin(cooldown_until_ms=NOW + 1_000)))
    desk.part("live:1").rows.clear()
    desk.pass_ms(1_000)
    assert desk.waiting() == []


async def test_a_step_nobody_reports_is_given_up_and_its_account_judged_again(desk: Desk) -> None:
    step = PlanStep("live:1/house/1/s1", "close", EUR, "BOTH", ordered_ms=NOW)
    desk.keep(with_margin(trader(1), Margin(plan=(step,), episode=1, step=2)))
    desk.pass_ms(Policy().report_ms_max - 1)
    assert desk.written() == []
    desk.pass_ms(1)
    assert [found.status for found in desk.row("live:1").accounts["house"].margin.plan] == ["expired"]
    assert ("live:1", "house") in desk.checks.waiting


# ---- deadlines of marks


async def test_a_mark_goes_stale_once_and_its_holders_are_unknown(desk: Desk) -> None:
    desk.keep(trader(1))
    desk.pass_ms(10_000)
    assert desk.waiting() == []
    desk.pass_ms(1)
    assert desk.waiting() == ["live:1/house"]
    assert settled(desk) == UNKNOWN
    desk.pass_ms(60_000)
    assert desk.waiting() == []


@pytest.mark.parametrize("price", ["1.1000", "1.1001"])
async def test_a_mark_that_comes_back_ends_it_even_at_the_same_price(desk: Desk, price: str) -> None:
    desk.keep(trader(1))
    desk.pass_ms(20_000)
    assert settled(desk) == UNKNOWN
    tick = pb.PriceTick(instrument=EUR, bid=price, ask="1.1002").SerializeToString()
    record = type("Record", (), {"key": EUR.encode(), "value": tick, "offset": 9, "timestamp": desk.now})
    desk.prices._take({type("Tp", (), {"topic": "price-ticks"})(): [record]})
    desk.pass_ms(250)
    assert settled(desk) == NORMAL


async def test_a_market_that_opens_again_has_its_holders_checked(desk: Desk) -> None:
    """A stop-out found in a closed market is not executed; it is at the open, though no price moved."""
    weekly = fx_rule(EUR, stale_after_ms=60_000)
    weekly.instrument.sessions.add(open_minute=0, close_minute=5 * 1_440)
    desk.prices.rules = rules(weekly)
    desk.now = MONDAY + 5 * DAY_MS - 1_000
    desk.prices.book.marks[EUR] = mark(EUR, "1.0550", "1.0552", append_ms=desk.now)
    desk.keep(trader(1))
    desk.pass_ms(2_000)
    assert settled(desk) == LIQUIDATION
    assert desk.row("live:1").accounts["house"].positions
    desk.pass_ms(2 * DAY_MS - 1_000)
    assert settled(desk) == NORMAL
    assert not desk.row("live:1").accounts["house"].positions


async def test_a_jump_that_waited_its_time_is_taken_without_a_further_tick(desk: Desk) -> None:
    jumpy = rules(fx_rule(EUR, jump_ratio="0.01", jump_ms=1_000))
    desk.prices.rules = jumpy
    desk.keep(trader(1))
    desk.prices.on_moved({EUR})
    desk.check()
    desk.prices.book.accept(pb.PriceTick(instrument=EUR, bid="1.055", ask="1.0552"), 8, NOW, jumpy)
    desk.prices.on_moved({EUR})
    assert settled(desk) == UNKNOWN
    desk.pass_ms(999)
    assert settled(desk) == UNKNOWN
    desk.pass_ms(1)
    assert settled(desk) == NORMAL  # by way of liquidation, in one write
    assert not desk.row("live:1").accounts["house"].positions


# ---- deadlines of rules


async def test_a_rule_is_applied_when_it_begins_to_hold(desk: Desk) -> None:
    later = pb.RiskRule(rule_id="group:standard", effective_from_ms=NOW + 5_000)
    later.group.group = "standard"
    later.group.thresholds.CopyFrom(pb.Threshold(mode="percent", warning="900", margin_call="800", liquidation="50", release="810"))
    desk.prices.rules = rules_with(desk.prices.rules, later, 9)
    desk.prices.on_rules({"group:standard"})
    desk.keep(trader(1))
    desk.prices.on_moved({EUR})
    assert settled(desk) == NORMAL  # at 454 %
    desk.pass_ms(4_999)
    assert desk.waiting() == []
    desk.prices.book.marks[EUR] = desk.prices.book.marks[EUR]._replace(append_ms=NOW + 5_000)
    desk.pass_ms(1)
    assert settled(desk) == 3
    desk.pass_ms(1_000)
    assert desk.waiting() == []
    desk.move("1.1001", "1.1003")  # the columns know the rule, too: it is no news
    assert desk.waiting() == []


async def test_what_was_refused_is_looked_at_again_when_it_is_due(desk: Desk) -> None:
    """Once after the cool-down, for the account may have changed meanwhile, and once when the wait is over."""
    margin = Margin(LIQUIDATION, cooldown_until_ms=NOW + 1_000, refused=Refused(5, "held", NOW + 16_000))
    desk.keep(with_margin(trader(1), margin))
    due = []
    for second in range(1, 40):
        desk.pass_ms(1_000)
        if ("live:1", "house") in desk.checks.waiting and "timer" in desk.checks.waiting["live:1", "house"]:
            due.append(second)
            desk.checks.waiting.clear()
    assert due == [1, 16]
