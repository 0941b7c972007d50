"""Verdicts: reasons of unknown, pauses, episodes, plans and their ids, and the house loop that closes itself."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from agents.risk.world import Control, World
from agents.verdict import Checked, check
from schemas import engine_pb2 as pb
from schemas import names
from tables.rows import LIQUIDATION, MARGIN_CALL, NORMAL, UNKNOWN, WARNING, Frame, Quarantine, Sequence, User
from tests.agents.worlds import BTC, EUR, JPY, NOW, fx_rule, fx_user, mark, position, rederived, rules, usdm_user, world

GOOD = mark(EUR, "1.1000", "1.1002")


def judged(user: User, at: World, account: str = "house") -> Checked:
    found = check(user, account, at, ["test"])
    assert found is not None
    return found


def calls(found: Checked) -> list[pb.MarginCall]:
    return [pb.MarginCall.FromString(output.value) for output in found.outputs if output.topic == names.MARGIN_CALLS]


def liquidations(found: Checked) -> list[pb.Liquidation]:
    return [pb.Liquidation.FromString(output.value) for output in found.outputs if output.topic == names.LIQUIDATIONS]


def test_nothing_changes_nothing_is_written() -> None:
    user = fx_user("5000", position(EUR, "1", "1.1"))
    found = judged(user, world(GOOD))
    assert found.row is user
    assert found.outputs == ()
    assert found.rung == NORMAL
    assert found.report is not None
    assert pb.MarginCheck.FromString(found.report.value).figures.equity == "5000.0000"


@pytest.mark.parametrize(
    ("at", "reason"),
    [
        (world(), f"missing_mark:{EUR}"),
        (world(mark(EUR, "1.1", "1.1", append_ms=NOW - 10_001)), f"stale_mark:{EUR}"),
        (world(mark(EUR, "1.1", "1.1", jumping=True)), f"jumping_mark:{EUR}"),
        (world(GOOD, with_rules=rules(fx_rule(JPY))), f"missing_rule:{EUR}"),
    ],
)
def test_unknown_of_the_world(at: World, reason: str) -> None:
    user = fx_user("-99999", position(EUR, "1", "1.1"))
    found = judged(user, at)
    assert found.rung == UNKNOWN
    assert reason in calls(found)[0].reasons
    assert not liquidations(found)
    assert found.row.accounts["house"].margin.known_rung == NORMAL


def test_unknown_of_the_facts() -> None:
    user = fx_user("100", position(EUR, "1", "1.1"))
    gap = replace(user, sequences={"admin": Sequence(next=2, held={4: b"x"}, gap_since_ms=1)})
    assert calls(judged(gap, world(GOOD)))[0].reasons == ["gap:admin"]
    doubted = replace(user, accounts={"house": replace(user.accounts["house"], quarantines=(Quarantine("wallet-deltas", "bad", 1),))})
    assert calls(judged(doubted, world(GOOD)))[0].reasons == ["quarantined:wallet-deltas"]
    lagging = replace(user, accounts={"house": replace(user.accounts["house"], balances={})})
    found = judged(lagging, world(mark(EUR, "0.5", "0.5")))
    assert found.rung == UNKNOWN
    assert calls(found)[0].reasons == ["unfunded"]
    assert not liquidations(found)
    settling = replace(user, accounts={"house": replace(user.accounts["house"], frames=(Frame(1, 1, 1, 2, (0,), 1),))})
    assert check(settling, "house", world(GOOD), ["x"]) is None


def test_an_episode_is_one_stay_outside_normal_and_unknown_neither_opens_nor_ends_it() -> None:
    user, seen = fx_user("2000", position(EUR, "1", "1.1")), []
    for bid, rung in (
        ("1.1", NORMAL),
        ("1.095", WARNING),
        ("1.0900", MARGIN_CALL),
        (None, UNKNOWN),
        ("1.0905", MARGIN_CALL),
        ("1.1", NORMAL),
        ("1.0950", WARNING),
    ):
        found = judged(user, world(mark(EUR, bid, bid)) if bid else world())
        assert found.rung == rung, bid
        seen += [call.id for call in calls(found)]
        user = found.row
    assert seen == [
        "live:1/house/1/t1",
        "live:1/house/1/t2",
        "live:1/house/1/t3",
        "live:1/house/1/t4",
        "live:1/house/1/t5",
        "live:1/house/2/t1",
    ]


def test_a_stop_out_closes_the_largest_loss_first_and_only_what_it_must() -> None:
    user = fx_user("1400", position(EUR, "1", "1.1000"), position(JPY, "1", "150"))
    at = world(mark(EUR, "1.0950", "1.0952"), mark(JPY, "150", "150.01"))
    found = judged(user, at)
    assert list(found.row.accounts["house"].positions) == [f"{JPY}/BOTH"]
    assert found.row.accounts["house"].balances["USD"].wallet_balance == Decimal(900)
    assert [event.id for event in liquidations(found)] == ["live:1/house/1/s0", "live:1/house/1/s1", "live:1/house/1/s1/completed"]
    assert [(call.before, call.after) for call in calls(found)] == [(NORMAL, LIQUIDATION)]
    assert found.row.accounts["house"].margin.plan == ()


def test_closing_everything_steps_down_and_the_money_is_kept() -> None:
    found = judged(fx_user("1000", position(EUR, "1", "1.1")), world(mark(EUR, "1.0910", "1.0912")))
    account = found.row.accounts["house"]
    assert account.positions == {}
    assert account.balances["USD"].wallet_balance == Decimal(100)
    assert [(call.before, call.after) for call in calls(found)] == [(NORMAL, LIQUIDATION), (LIQUIDATION, NORMAL)]
    assert [output.topic for output in found.outputs].count(names.TRANSACTIONS) == 1
    again = judged(found.row, world(mark(EUR, "1.0910", "1.0912")))
    assert again.row is found.row
    assert again.outputs == ()


def test_nobody_is_liquidated_while_paused_and_resuming_goes_on() -> None:
    user, bad = fx_user("1000", position(EUR, "1", "1.1")), mark(EUR, "1.0910", "1.0912")
    for scope in ("global", "venue:house", "user:live:1", "account:live:1/house", f"instrument:{EUR}"):
        found = judged(user, world(bad, control=Control({scope: "drill"})))
        assert found.rung == LIQUIDATION
        assert not liquidations(found)
        assert found.row.accounts["house"].margin.reasons == (f"paused:{scope}",)
        assert judged(found.row, world(bad, control=Control({scope: "drill"}))).row is found.row
        assert liquidations(judged(found.row, world(bad)))
    assert liquidations(judged(user, world(bad, control=Control({"user:live:2": "other"}))))


def test_negative_equity_without_positions_is_a_rung_with_nothing_to_close() -> None:
    found = judged(fx_user("-1"), world())
    assert found.rung == LIQUIDATION
    assert calls(found)[0].reasons == ["negative_equity"]
    assert not liquidations(found)


def test_a_venue_account_is_ordered_once_with_deterministic_ids() -> None:
    user = usdm_user("200", position(BTC, "1", "60000"), auto_reduce=True)
    found = judged(user, world(mark(BTC, "60000")), "a1")
    margin = found.row.accounts["a1"].margin
    assert [(step.action, step.quantity) for step in margin.plan] == [("cancel_orders", Decimal(0)), ("close", Decimal("0.375"))]
    assert [step.step_id for step in margin.plan] == ["live:1/a1/1/s1", "live:1/a1/1/s2"]
    assert judged(user, world(mark(BTC, "60000")), "a1").outputs == found.outputs
    again = judged(found.row, world(mark(BTC, "59990")), "a1")
    assert again.row is found.row
    done = replace(margin, plan=tuple(replace(step, status="completed") for step in margin.plan))
    row = replace(found.row, accounts={"a1": replace(found.row.accounts["a1"], margin=done)})
    late, later = (world(mark(BTC, "60000", append_ms=at), now_ms=at) for at in (NOW + 2_000, NOW + 3_000))
    ended = judged(row, late, "a1")  # however late: what it did to the position may still be on its way
    assert [event.id for event in liquidations(ended)] == ["live:1/a1/1/s1/completed", "live:1/a1/1/s2/completed"]
    assert next(event.id for event in liquidations(judged(ended.row, later, "a1"))) == "live:1/a1/1/s3"


def test_a_venue_account_that_did_not_opt_in_gets_a_rung_and_no_orders() -> None:
    found = judged(usdm_user("200", position(BTC, "1", "60000")), world(mark(BTC, "60000")), "a1")
    assert found.rung == LIQUIDATION
    assert not liquidations(found)


def test_a_verdict_derives_again_from_its_stamp() -> None:
    user, at = (
        fx_user("1400", position(EUR, "1", "1.1"), position(JPY, "1", "150")),
        world(mark(EUR, "1.0950", "1.0952"), mark(JPY, "150", "150.01")),
    )
    found = judged(user, at)
    forgotten = replace(
        user, accounts={"house": replace(user.accounts["house"], margin=replace(user.accounts["house"].margin, episode=99))}
    )
    for event in (*calls(found), *liquidations(found)):
        assert tuple(rederived(forgotten, event, (at.rules, at.control))) == found.outputs  # type: ignore[arg-type]
