"""The course of a step on paper: killed between any two commands, with any answer lost, never a second order."""

import random
from decimal import Decimal

import pytest

from streams.venues.execute.course import course
from streams.venues.execute.words import CANCEL, Ask, Command, Course, Limits, Outcome, Wait, proceed
from tests.venues.execute import paper as papers
from tests.venues.execute.paper import BEGUN_MS, FAULTS, STEP, Paper, Placed, drive

LIMITS = Limits()
LONG = Limits(send_within_ms=10_000_000, answer_within_ms=20_000_000)
FILLED = Outcome("filled", Decimal("0.4"), Decimal(60_000))


def test_a_step_cancels_reduces_once_and_says_so() -> None:
    paper = Paper()
    assert drive(paper, LIMITS) == FILLED
    assert (paper.open, paper.position, len(paper.orders)) == ([], Decimal("0.6"), 1)
    assert paper.orders[0].client_id == STEP.client_order_id
    assert [one.status for one in paper.told] == ["accepted"]


def test_a_step_done_before_is_only_told_again() -> None:
    paper = Paper()
    assert drive(paper, LIMITS) == drive(paper, LIMITS) == FILLED
    assert len(paper.orders) == 1


@pytest.mark.parametrize("fault", FAULTS[1:])
@pytest.mark.parametrize("at", range(12))
def test_one_lost_answer_anywhere_changes_nothing(fault: str, at: int) -> None:
    paper = Paper(["" for _ in range(at)] + [fault])
    assert drive(paper, LIMITS) == FILLED
    assert (len(paper.orders), paper.position, paper.open) == (1, Decimal("0.6"), [])


@pytest.mark.parametrize("lost", [False, True])
@pytest.mark.parametrize("fault", FAULTS)
def test_killed_between_any_two_commands_it_sends_one_order(fault: str, lost: bool) -> None:
    for faulty in range(11 if fault else 1):
        for at in range(25):
            paper = Paper(["" for _ in range(faulty)] + [fault])
            first = drive(paper, LONG, at, lost=lost)
            assert first in (None, FILLED)
            assert drive(paper, LONG) == FILLED, (faulty, at)
            paper.now_ms += 60_000
            paper.answer(Wait(0))
            assert (len(paper.orders), paper.position) == (1, Decimal("0.6")), (faulty, at)


@pytest.mark.parametrize("seed", range(300))
def test_random_faults_and_deaths_never_make_two_orders(seed: int) -> None:
    chance = random.Random(seed)
    paper = Paper(chance.choices(FAULTS, (4, 1, 1, 1, 1, 1), k=chance.randrange(40)))
    paper.unique = chance.random() < 0.5
    outcome = None
    for _ in range(chance.randrange(6)):
        outcome = drive(paper, LIMITS, chance.randrange(20), lost=chance.random() < 0.5)
        paper.now_ms += chance.choice((0, 500, 4_000, 12_000))
    outcome = drive(paper, LIMITS)
    assert outcome is not None
    said = (len(paper.orders), outcome.status)
    paper.now_ms += 60_000
    paper.answer(Wait(0))
    assert len(paper.orders) <= 1
    if outcome.status == "filled":
        assert said == (1, "filled")
    elif outcome.status == "refused":  # said for certain: nothing came, nor comes later
        assert len(paper.orders) == 0
    else:
        assert outcome.status == "unknown"


def finish(paper: Paper, under_way: Course, said: Command | Outcome) -> Outcome:
    """A course to its end."""
    while not isinstance(said, Outcome):
        said = proceed(under_way, paper.answer(said))
    return said


def test_two_processes_at_once_send_one_order() -> None:
    """A process that lost its partition may still be at work; both know of no order, one may send."""
    for at in range(14):
        paper = Paper()
        one, two = course(STEP, paper.desk(), LIMITS, BEGUN_MS), course(STEP, paper.desk(), LIMITS, BEGUN_MS)
        said = proceed(one)
        for _ in range(at):
            said = said if isinstance(said, Outcome) else proceed(one, paper.answer(said))
        outcomes = {finish(paper, two, proceed(two)), finish(paper, one, said)}
        assert len(paper.orders) == 1, at
        assert outcomes == {FILLED}, at


def test_a_duplicate_client_order_id_is_looked_up() -> None:
    """Its order stands at the venue, and the venue does not show it at first."""
    paper = Paper()
    paper.unique = True
    paper._place(Placed(BEGUN_MS, BEGUN_MS, STEP.client_order_id, STEP.quantity))
    hidden, paper.orders = paper.orders, []
    under_way = course(STEP, paper.desk(), LIMITS, BEGUN_MS)
    command = next(under_way)
    while not (isinstance(command, Ask) and command.request.part == "place"):
        command = under_way.send(paper.answer(command))
    paper.orders = hidden
    assert finish(paper, under_way, command) == FILLED
    assert (len(paper.orders), paper.position) == (1, Decimal("0.6"))


@pytest.mark.parametrize("kill_at", range(8, 30))
def test_what_the_venue_took_and_does_not_show_is_never_sent_again(kill_at: int) -> None:
    """A view that lags behind the book by more than any window."""
    paper = Paper()
    paper.hidden = True
    drive(paper, LONG, kill_at)
    if not paper.known:  # it died before the answer came: only the window tells
        paper.hidden = False
    outcome = drive(paper, LIMITS)
    assert outcome is not None
    assert (outcome.status, len(paper.orders)) == ("unknown" if paper.hidden else "filled", 1)
    paper.hidden = False
    assert drive(paper, LIMITS) == FILLED
    assert len(paper.orders) == 1


@pytest.mark.parametrize(("change", "limits", "status", "says"), [
    ({"refusal": "the account did not opt in to execution"}, LIMITS, "refused", "did not opt in"),
    ({"refusal": "paused: global"}, LIMITS, "refused", "paused: global"),
    ({"now_ms": BEGUN_MS + 31_000}, LIMITS, "refused", "within 30000 ms"),
    ({"position": Decimal(0)}, LIMITS, "refused", "no position"),
    ({}, Limits(step_notional_max=Decimal(39)), "refused", "at most 39 a step, was 40"),
    ({}, Limits(dry_run=True), "refused", "dry run: would close 0.4 BTCUSDT BOTH, notional 40, after 2 requests"),
])
def test_a_refusal_says_why_and_sends_nothing(change: dict[str, object], limits: Limits, status: str, says: str) -> None:
    paper = Paper()
    for name, value in change.items():
        setattr(paper, name, value)
    outcome = drive(paper, limits)
    assert outcome is not None
    assert (outcome.status, len(paper.orders), paper.attempts) == (status, 0, {})
    assert says in outcome.error
    assert paper.open == ["o1", "o2"]


def test_a_cap_that_is_kept_lets_it_pass() -> None:
    assert drive(Paper(), Limits(step_notional_max=Decimal(40))) == FILLED


def test_never_more_than_is_held() -> None:
    paper = Paper(position="0.1")
    assert drive(paper, LIMITS) == FILLED._replace(filled=Decimal("0.1"))
    assert paper.position == 0


def test_an_order_that_ends_in_part_says_what_was_filled() -> None:
    paper = Paper()
    paper.part = Decimal("0.5")
    assert drive(paper, LIMITS) == Outcome("canceled", Decimal("0.20"), Decimal(60_000), "order ended: ended")


def test_a_venue_that_is_away_is_given_up_and_nothing_follows() -> None:
    paper = Paper(["before"] * 1_000)
    outcome = drive(paper, LIMITS)
    assert outcome == Outcome("refused", error="503: not sent")
    assert paper.now_ms - BEGUN_MS < 70_000
    sent = Paper(["", "", "", "", "", "", "after", *["before"] * 1_000])
    assert drive(sent, LIMITS) == Outcome("unknown", error="503")
    assert len(sent.orders) == 1
    assert "unknown" in [one.status for one in sent.told]


def test_cancelling_by_itself_asks_for_every_symbol(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(papers, "STEP", STEP._replace(action=CANCEL, symbol="", venue=""))
    paper = Paper(["after", "before", "", "after"])
    assert drive(paper, LIMITS) == Outcome("completed")
    assert (paper.open, paper.orders, paper.position) == ([], [], Decimal(1))
