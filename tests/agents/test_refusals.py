"""A plan that is refused whole is ordered again later and later; one that is due is ordered when it is due."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from agents.verdict import Checked
from schemas import engine_pb2 as pb
from schemas import names
from tables.codec import dump_user, load_user
from tables.rows import LIQUIDATION, User
from tests.agents.test_verdict import judged, liquidations
from tests.agents.worlds import BTC, NOW, mark, position, rederived, usdm_user, world

A = "a1"
STEP_MS, SECOND = 50, 1_000


def at(row: User, now_ms: int, price: str = "60000") -> Checked:
    return judged(row, world(mark(BTC, price, append_ms=now_ms), now_ms=now_ms), A)


def ordered(found: Checked) -> bool:
    return any(event.WhichOneof("event") == "ordered" for event in liquidations(found))


def ended(row: User, status: str = "refused", filled: str = "") -> User:
    """The row once its plan was reported on; what was filled is of the close."""
    account = row.accounts[A]
    plan = tuple(replace(step, status=status, filled_quantity=Decimal(filled) if filled and step.action == "close" else None)
                 for step in account.margin.plan)
    return changed(row, margin=replace(account.margin, plan=plan))


def changed(row: User, **fields: object) -> User:
    return replace(row, accounts={A: replace(row.accounts[A], **fields)})


def begun() -> User:
    return at(usdm_user("200", position(BTC, "1", "60000"), auto_reduce=True), NOW).row


def next_plan(row: User, now_ms: int, most_ms: int = 200 * SECOND) -> tuple[User, int]:
    """(the row with its next plan, how long after `now_ms` it was ordered): looked at again and again, as ticks do."""
    for later in range(0, most_ms, STEP_MS):
        found = at(row, now_ms + later)
        row = found.row
        if ordered(found):
            return row, later
    raise AssertionError("expected a plan, was none")


def test_what_is_refused_again_and_again_is_ordered_later_and_later() -> None:
    row, now, waited = begun(), NOW, []
    for _ in range(9):
        row, after = next_plan(ended(row), now)
        waited.append(after / SECOND)
        now += after
    assert waited == [1, 2, 4, 8, 16, 32, 64, 64, 64]


def test_it_is_said_once_meanwhile() -> None:
    row = begun()
    for _ in range(3):
        row, _ = next_plan(ended(row), NOW)
    said = [at(ended(row), NOW)]
    said += [at(said[-1].row, NOW + later) for later in range(SECOND, 3 * SECOND, SECOND)]
    assert [len(one.outputs) for one in said] == [2, 0, 0]
    assert said[-1].row is said[0].row


@pytest.mark.parametrize(("status", "filled"), [("completed", "0.375"), ("refused", "0.1"), ("completed", "")])
def test_a_step_that_did_something_is_followed_after_the_cool_down(status: str, filled: str) -> None:
    row, now = begun(), NOW
    for word, part in (("refused", ""), ("refused", ""), (status, filled)):
        row, after = next_plan(ended(row, word, part), now)
        now += after
    assert after == SECOND
    assert row.accounts[A].margin.refused is None


def test_what_nobody_answered_is_ordered_again_after_the_cool_down() -> None:
    row, now = begun(), NOW
    for _ in range(4):
        row, after = next_plan(ended(row, "expired"), now)
        assert after == SECOND
        now += after


def test_another_position_or_another_decision_is_no_longer_what_was_refused() -> None:
    row, now = begun(), NOW
    for _ in range(5):
        row, after = next_plan(ended(row), now)
        now += after
    row = at(ended(row), now).row  # the next one would be due in 32 s
    now += 2 * SECOND
    assert not ordered(at(row, now))
    held = row.accounts[A].positions[f"{BTC}/BOTH"]
    for fields in ({"positions": {f"{BTC}/BOTH": replace(held, quantity=Decimal("0.9"))}}, {"execution": "external"}):
        assert ordered(at(changed(row, **fields), now)), fields
    same = {"positions": {f"{BTC}/BOTH": replace(held, quantity=Decimal("1.00"), updated_ms=now)}}
    assert not ordered(at(changed(row, **same), now))


def test_who_was_over_the_rung_no_longer_is_reduced_at_once_when_over_it_again() -> None:
    row, now = begun(), NOW
    for _ in range(5):
        row, after = next_plan(ended(row), now)
        now += after
    row, now = at(ended(row), now).row, now + 2 * SECOND
    relieved = changed(row, balances={"USDT": replace(row.accounts[A].balances["USDT"], wallet_balance=Decimal(90_000))})
    relieved = at(relieved, now).row
    assert relieved.accounts[A].margin.rung != LIQUIDATION
    again = changed(relieved, balances=row.accounts[A].balances)
    assert ordered(at(again, now + 1))


def test_a_step_after_the_other_counts_one_plan() -> None:
    row = begun()
    first, close = row.accounts[A].margin.plan
    half = changed(row, margin=replace(row.accounts[A].margin, plan=(replace(first, status="refused"), close)))
    half = at(half, NOW + 100).row
    assert half.accounts[A].margin.refused is None
    whole = at(ended(half), NOW + 200).row
    refused = whole.accounts[A].margin.refused
    assert refused is not None
    assert (refused.plans, refused.until_ms) == (1, NOW + 200 + SECOND)


def test_what_was_refused_survives_the_row_and_the_verdict_derives_again() -> None:
    row, now = begun(), NOW
    for _ in range(3):
        row, after = next_plan(ended(row), now)
        now += after
    row = load_user(dump_user(ended(row)))
    refused = at(row, now)
    assert refused.row.accounts[A].margin.refused is not None
    found = at(load_user(dump_user(refused.row)), now + 8 * SECOND)
    assert ordered(found)
    for event in liquidations(found):
        stamped = world(mark(BTC, "60000", append_ms=now + 8 * SECOND), now_ms=now + 8 * SECOND)
        forgotten = changed(refused.row, margin=replace(refused.row.accounts[A].margin, refused=None, episode=9))
        assert tuple(rederived(forgotten, event, (stamped.rules, stamped.control))) == found.outputs
    assert {output.topic for output in found.outputs} == {names.LIQUIDATIONS}
    assert pb.MarginState.FromString(liquidations(found)[0].stamp.margin_before).refused.plans == 4
