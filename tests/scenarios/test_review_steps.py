"""Steps of a liquidation that others carry out: what ends one, what is said of it, and when its account is judged again."""

from decimal import Decimal

import pytest
from faust.types import TP
from msgspec.structs import replace

from agents.risk.world import World
from agents.verdict import Checked
from agents.verdict import check as judge
from schemas import engine_pb2 as pb
from schemas import names
from schemas import user_data_pb2 as ud
from schemas.keys import partition_of
from tables import codec
from tables.accounts import doubts, expire, settling_deadline
from tables.policy import Policy
from tables.rows import LIQUIDATION, Fact, User
from tests.agents import worlds
from tests.streams_checks.desk import PARTITIONS, Desk
from tests.tables.facts import USER, anomalies, fact, fold_all, meta, order

ACCOUNT = "a1"
POLICY = Policy(report_ms_max=60_000)
LATE = worlds.NOW + POLICY.report_ms_max


def at(now_ms: int) -> World:
    return worlds.world(worlds.mark(worlds.BTC, "90", append_ms=now_ms), now_ms=now_ms)


def checked(user: User, now_ms: int) -> Checked:
    found = judge(user, ACCOUNT, at(now_ms), ["test"])
    assert found is not None
    return found


def ordered(**more: object) -> User:
    """An account whose plan, cancel and close, somebody else carries out."""
    user = worlds.usdm_user("-10", worlds.position(worlds.BTC, "1", "100"), auto_reduce=True)
    user = replace(user, accounts={ACCOUNT: replace(user.accounts[ACCOUNT], **more)})
    return checked(user, worlds.NOW).row


def steps(user: User) -> dict[str, str]:
    return {step.action: step.status for step in user.accounts[ACCOUNT].margin.plan}


def events(found: Checked) -> list[pb.Liquidation]:
    return [pb.Liquidation.FromString(output.value) for output in found.outputs if output.topic == names.LIQUIDATIONS]


def reported(user: User, status: str = "completed", **more: str) -> Fact:
    close = user.accounts[ACCOUNT].margin.plan[-1]
    said = pb.LiquidationReport(id="r", user_id=USER, account_id=ACCOUNT, step_id=close.step_id, status=status)
    said.MergeFrom(pb.LiquidationReport(**more))  # type: ignore[arg-type]
    return fact(names.LIQUIDATION_REPORTS, said, worlds.NOW)


def closed(user: User, status: int = ud.FILLED, /, **more: str) -> Fact:
    """The terminal order of the close step."""
    name = user.accounts[ACCOUNT].margin.plan[-1].client_order_id
    return order("77", status, meta(9, account_id=ACCOUNT), worlds.NOW, client_order_id=name, **more)


def test_a_step_that_nobody_reports_expires_and_the_account_is_reduced_again() -> None:
    user = ordered()
    assert settling_deadline(user, POLICY) == LATE
    assert expire(user, LATE - 1, POLICY) is None
    folded = expire(user, LATE, POLICY)
    assert folded is not None
    assert isinstance(folded.row, User)
    assert anomalies([folded]) == ["step_expired", "step_expired"]
    assert folded.checks == {ACCOUNT: "step_expired"}
    assert expire(folded.row, LATE, POLICY) is None
    first = checked(folded.row, LATE)
    assert [event.refused for event in events(first)] == [
        "cancel_orders: expired, nobody reported it", f"close {worlds.BTC}: expired, nobody reported it"]
    assert len({event.id for event in events(first)}) == 2
    again = checked(first.row, LATE + 60_000)  # the cool-down is over
    assert [event.WhichOneof("event") for event in events(again)] == ["ordered", "step_ordered", "step_ordered"]
    assert settling_deadline(again.row, POLICY) == LATE + 60_000 + POLICY.report_ms_max


def test_a_report_after_the_deadline_counts_while_it_is_not_told() -> None:
    folded = expire(ordered(), LATE, POLICY)
    assert folded is not None
    assert isinstance(folded.row, User)
    row, _ = fold_all([reported(folded.row, filled_quantity="1")], folded.row)
    assert steps(row) == {"cancel_orders": "expired", "close": "completed"}


@pytest.mark.parametrize("execution", ["venue", "external"])
@pytest.mark.parametrize("turn", [1, -1])
def test_after_a_reported_close_nobody_is_judged_until_its_order_is_seen(turn: int, execution: str) -> None:
    """The position's own fact may still be on its way: a second plan would rest on what is no longer there."""
    user = ordered(execution=execution)
    name = user.accounts[ACCOUNT].margin.plan[-1].client_order_id
    facts = [reported(user, client_order_id=name), closed(user)][::turn]
    row, first = fold_all(facts[:1], user)
    assert ("settling" in doubts(row, ACCOUNT)) == (turn == 1)
    row, second = fold_all(facts[1:], row)
    assert doubts(row, ACCOUNT) == ()
    assert ACCOUNT in (second if turn == 1 else first)[0].checks
    assert steps(row)["close"] == "completed"
    assert codec.load_user(codec.dump_user(row)) == row


def test_an_order_that_never_comes_leaves_a_doubt_not_a_verdict() -> None:
    user = ordered(execution="venue")
    row, _ = fold_all([reported(user)], user)
    assert judge(row, ACCOUNT, at(worlds.NOW + 1_000), ["test"]) is None
    assert codec.load_user(codec.dump_user(row)) == row
    due = settling_deadline(row, POLICY)
    assert due == worlds.NOW + POLICY.settle_ms_max
    folded = expire(row, due, POLICY)
    assert folded is not None
    assert isinstance(folded.row, User)
    assert doubts(folded.row, ACCOUNT) == ("quarantined",)
    assert anomalies([folded])[0] == "settling_expired"
    assert checked(folded.row, due).rung != LIQUIDATION


@pytest.mark.parametrize(
    ("status", "more"),
    [
        ("completed", {}),  # an order system that tells no order id: there is nothing to wait for
        ("completed", {"client_order_id": "an id of its own"}),
        ("refused", {"client_order_id": "own"}),  # nothing was filled
    ],
)
def test_what_is_not_told_is_not_awaited(status: str, more: dict[str, str]) -> None:
    user = ordered(execution="external")
    if more.get("client_order_id") == "own":
        more = {"client_order_id": user.accounts[ACCOUNT].margin.plan[-1].client_order_id}
    row, _ = fold_all([reported(user, status, **more)], user)
    assert doubts(row, ACCOUNT) == ()
    assert steps(row)["close"] == status


def test_a_snapshot_that_the_report_names_goes_before_its_order() -> None:
    user = ordered(execution="venue")
    row, _ = fold_all([reported(user, snapshot_id="after")], user)
    assert row.accounts[ACCOUNT].awaited_snapshot == "after"
    assert row.accounts[ACCOUNT].margin.plan[-1].reported_ms == 0


FILLED = {"cum_filled_qty": "0.4", "avg_price": "91"}


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (["report"], ("0.4", "91")),
        (["order"], ("0.4", "91")),
        (["order", "report"], ("0.4", "91")),
        (["nothing told"], ("1", "")),
    ],
)
def test_completed_says_what_was_reported(facts: list[str], said: tuple[str, str]) -> None:
    """It said what had been planned, at no price."""
    user = ordered(execution="external")
    one = {"report": reported(user, filled_quantity="0.4", average_price="91"), "order": closed(user, **FILLED),
           "nothing told": reported(user)}
    row, _ = fold_all([one[name] for name in facts], user)
    done = [event.completed for event in events(checked(row, worlds.NOW)) if event.WhichOneof("event") == "completed"]
    assert [(event.quantity, event.price) for event in done] == [said]
    assert row.accounts[ACCOUNT].margin.plan[-1].quantity == Decimal(1)


def test_a_refusal_says_what_was_filled_before_it() -> None:
    user = ordered()
    row, _ = fold_all([closed(user, ud.CANCELED, **FILLED)], user)
    refused = [event.refused for event in events(checked(row, worlds.NOW)) if event.WhichOneof("event") == "refused"]
    assert refused == [f"close {worlds.BTC}: 0.4 filled"]


# ---- in the service


def put_mark(desk: Desk) -> None:
    desk.prices.book.marks[worlds.BTC] = worlds.mark(worlds.BTC, "90", append_ms=desk.now)


async def test_the_timers_find_a_step_that_nobody_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch)
    user = ordered()
    first = [step.step_id for step in user.accounts[ACCOUNT].margin.plan]
    desk.keep(user)
    desk.pass_ms(POLICY.report_ms_max - 1)
    put_mark(desk)
    desk.check()
    assert [step.step_id for step in desk.row(USER).accounts[ACCOUNT].margin.plan] == first
    desk.pass_ms(1)
    assert set(steps(desk.row(USER)).values()) == {"expired"}
    assert desk.outputs(USER) == [names.ANOMALIES] * 2
    desk.check()
    assert desk.row(USER).accounts[ACCOUNT].margin.plan == ()
    assert desk.outputs(USER) == [names.LIQUIDATIONS] * 2
    desk.pass_ms(desk.checks.config.cooldown_ms)
    put_mark(desk)
    desk.check()
    again = [step.step_id for step in desk.row(USER).accounts[ACCOUNT].margin.plan]
    assert len(again) == 2
    assert not {*again} & {*first}


async def test_a_report_that_lies_unread_in_the_log_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that comes back after the deadline first reads what was reported meanwhile."""
    desk = Desk(monkeypatch)
    desk.keep(ordered())
    partition = partition_of(USER.encode(), PARTITIONS)
    desk.accounts.app.consumer.ends[TP(names.LIQUIDATION_REPORTS, partition)] = 9
    desk.pass_ms(POLICY.report_ms_max)
    assert set(steps(desk.row(USER)).values()) == {"ordered"}
    desk.part(USER).position[desk.accounts.sources[names.LIQUIDATION_REPORTS]] = 9
    desk.pass_ms(250)
    assert set(steps(desk.row(USER)).values()) == {"expired"}
