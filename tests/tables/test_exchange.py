"""Facts of exchange accounts: redelivered, late, out of order, in parts, by snapshot."""

from decimal import Decimal
from typing import cast

import pytest
from msgspec.structs import replace

from schemas import engine_pb2 as pb
from schemas import names
from schemas import user_data_pb2 as ud
from tables.accounts import doubts, expire, quarantine, settling_deadline
from tables.rows import Fact, Margin, PlanStep, User
from tests.tables.facts import POLICY, USER, VENUE, anomalies, balance, delta, end, fact, fold_all, house_fill, meta, position, update

KEY = "binance_usdm:BTCUSDT/BOTH"
FRAME = [balance("90", meta(5, 0, 2)), position("3", meta(5, 1, 2))]


def quantity(row: User) -> Decimal | None:
    found = row.accounts[VENUE].positions.get(KEY)
    return found.quantity if found else None


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ([position("3", meta(1))], "3"),
        ([position("-3", meta(1)), position("-3", meta(1))], "-3"),
        ([position("3", meta(2)), position("4", meta(1))], "3"),
        ([position("3", meta(2)), position("4", meta(3, connection_epoch=0))], "3"),
        ([position("3", meta(2)), position("4", meta(1, lease_epoch=2))], "4"),
        ([position("3", meta(2)), position("4", meta(2, 1))], "4"),
        ([position("3", meta(2)), position("0", meta(3))], None),
        ([position("3", meta(2)), position("0", meta(4)), position("4", meta(3))], None),  # a late fact does not revive it
        ([position("3", meta(2)), position("0", meta(4)), position("4", meta(5))], "4"),
        # only between stream and snapshot does the venue's own time go first
        ([position("3", meta(9, transaction_time_ms=50)), position("4", meta(10, snapshot_id="x", transaction_time_ms=40))], "3"),
        ([position("3", meta(9, transaction_time_ms=50)), position("4", meta(2, snapshot_id="x", transaction_time_ms=60))], "4"),
        ([position("3", meta(9, transaction_time_ms=50)), position("4", meta(10, transaction_time_ms=40))], "4"),
        ([position("3", meta(1)), position("", meta(2), partial=True, leverage="7")], "3"),
        ([position("3", meta(1)), position("", meta(2), partial=True, symbol="", mark_price="7")], "3"),
        ([position("", meta(2), partial=True), position("3", meta(3))], "3"),
    ],
)
def test_which_position_stands(facts: list[Fact], expected: str | None) -> None:
    row, _ = fold_all(facts)
    assert quantity(row) == (expected and Decimal(expected))


def test_a_partial_fact_changes_what_it_says_alone() -> None:
    full = position("3", meta(1), leverage="5", margin_mode=ud.ISOLATED, isolated_wallet="20")
    row, _ = fold_all([full, position("", meta(2), partial=True, entry_price="", leverage="7")])
    found = row.accounts[VENUE].positions[KEY]
    assert (found.entry_price, found.leverage, found.isolated_wallet, found.margin_mode) == (
        Decimal(100),
        Decimal(7),
        Decimal(20),
        "isolated",
    )


def test_values_of_tomorrow_are_kept() -> None:
    row, _ = fold_all([position("3", meta(1, exchange=17), position_side=9, margin_mode=8)])
    found = row.accounts[VENUE].positions["exchange_17:BTCUSDT/SIDE_9"]
    assert (found.side, found.margin_mode) == ("SIDE_9", "mode_8")


def test_an_unannounced_account_is_made_from_its_venue() -> None:
    row, _ = fold_all([balance("1", meta(1, exchange=ud.OKX_V5))])
    found = row.accounts[VENUE]
    assert (found.venue, found.model, found.currency, found.execution) == ("okx_v5", "okx_swap", "USDT", "external")


def test_a_removed_account_is_not_revived_but_may_return() -> None:
    added = update("a", exchange_account=pb.AccountUpdate.ExchangeAccount(account_id=VENUE, venue="binance_usdm"))
    back = update("c", exchange_account=pb.AccountUpdate.ExchangeAccount(account_id=VENUE, venue="binance_usdm"))
    row, _ = fold_all([added, update("b", exchange_account_removed=VENUE), balance("1", meta(1))])
    assert VENUE not in row.accounts
    row, _ = fold_all([back, balance("1", meta(1))], row)
    assert row.accounts[VENUE].balances["USDT"].wallet_balance == 1


def test_positions_without_any_balance_are_not_judged() -> None:
    row, _ = fold_all([position("3", meta(1))])
    assert doubts(row, VENUE) == ("unfunded",)
    row, steps = fold_all([balance("0", meta(2))], row)
    assert doubts(row, VENUE) == ()
    assert steps[0].checks == {VENUE: "balance"}


@pytest.mark.parametrize("frame", [FRAME, FRAME[::-1]])
def test_no_check_until_the_last_part(frame: list[Fact]) -> None:
    row, steps = fold_all(frame)
    assert [set(step.checks) for step in steps] == [set(), {VENUE}]
    assert row.accounts[VENUE].frames == ()
    half, _ = fold_all(frame[:1])
    assert "settling" in doubts(half, VENUE)


@pytest.mark.parametrize("repeats", [[0], [1], [0, 1], [1, 0, 1]])
def test_a_redelivered_frame_opens_nothing(repeats: list[int]) -> None:
    row, _ = fold_all(FRAME)
    again, steps = fold_all([FRAME[n] for n in repeats], row)
    assert again is row
    assert all(step.checks == {} for step in steps)


def test_a_newer_fact_overtaking_half_a_frame_still_lets_it_close() -> None:
    row, _ = fold_all([FRAME[0], position("9", meta(6)), FRAME[1]])
    assert quantity(row) == 9
    assert row.accounts[VENUE].frames == ()


def test_half_a_frame_ends_in_quarantine_and_a_snapshot_ends_that() -> None:
    row, _ = fold_all(FRAME[:1])
    assert settling_deadline(row, POLICY) == 5_001
    assert expire(row, 5_000, POLICY) is None
    late = expire(row, 5_001, POLICY)
    assert late is not None
    assert late.checks == {VENUE: "quarantine"}
    assert isinstance(late.row, User)
    assert late.row.version == row.version + 1
    assert doubts(late.row, VENUE) == ("quarantined",)
    assert anomalies([late]) == ["settling_expired", "quarantine", "quarantine"]
    ends = [end(names.BALANCE_UPDATES, 20, 0, 0), end(names.POSITION_UPDATES, 21, 0, 0)]
    row, steps = fold_all(ends[:1], late.row)
    assert doubts(row, VENUE) == ("quarantined",)
    row, steps = fold_all(ends[1:], row)
    assert doubts(row, VENUE) == ()
    assert steps[-1].checks[VENUE] == "quarantine_ended"


def rows_of_snapshot() -> list[Fact]:
    return [position("1", meta(7, snapshot_id="snap")), position("2", meta(8, snapshot_id="snap"), symbol="ETHUSDT")]


def test_a_snapshots_end_removes_what_is_older_and_unmentioned() -> None:
    old, young = position("5", meta(1), symbol="OLD"), position("6", meta(12), symbol="YOUNG")
    row, steps = fold_all([old, young, *rows_of_snapshot(), end(names.POSITION_UPDATES, 9, 2, 100)])
    assert sorted(found.instrument for found in row.accounts[VENUE].positions.values()) == [
        "binance_usdm:BTCUSDT", "binance_usdm:ETHUSDT", "binance_usdm:YOUNG"]
    assert anomalies(steps) == ["position_vanished"]
    assert row.accounts[VENUE].snapshot_rows == {}
    again, _ = fold_all([*rows_of_snapshot(), end(names.POSITION_UPDATES, 9, 2, 100), position("5", meta(2), symbol="OLD")], row)
    assert again is row


def test_an_incomplete_snapshot_removes_nothing_and_asks_for_another() -> None:
    row, steps = fold_all([position("5", meta(1), symbol="OLD"), *rows_of_snapshot(), end(names.POSITION_UPDATES, 9, 3, 100)])
    assert len(row.accounts[VENUE].positions) == 3
    assert anomalies(steps) == ["snapshot_incomplete"]


def test_a_snapshot_of_another_product_removes_nothing() -> None:
    facts = [position("5", meta(1, product_raw="inverse")), end(names.POSITION_UPDATES, 9, 0, 100)]
    facts[1].message.meta.snapshot_end.scope_product = "linear"  # type: ignore[attr-defined]
    assert quantity(fold_all(facts)[0]) == 5
    facts[1].message.meta.snapshot_end.scope_product = "inverse"  # type: ignore[attr-defined]
    assert quantity(fold_all(facts)[0]) is None


def test_a_balance_that_a_snapshot_lacks_is_gone() -> None:
    row, steps = fold_all([balance("5", meta(1)), end(names.BALANCE_UPDATES, 9, 0, 100), balance("7", meta(2))])
    assert row.accounts[VENUE].balances == {}
    assert anomalies(steps) == ["balance_vanished"]


@pytest.mark.parametrize("first", [0, 1])
def test_a_report_names_the_snapshot_that_ends_its_settling(first: int) -> None:
    report = fact(names.LIQUIDATION_REPORTS, pb.LiquidationReport(user_id=USER, account_id=VENUE, step_id="s1", status="Filled",
                                                                  client_order_id="c1", snapshot_id="snap"))
    row = with_plan()
    ends = [end(names.BALANCE_UPDATES, 20, 1, 0), end(names.POSITION_UPDATES, 21, 0, 0)]
    seen = balance("1", meta(19, snapshot_id="snap"))
    facts = [report, seen, *ends] if first == 0 else [seen, *ends, report]
    row, steps = fold_all(facts, row)
    assert row.accounts[VENUE].margin.plan[0].status == "completed"
    assert doubts(row, VENUE) == ()
    assert steps[-1].checks


def with_plan() -> User:
    row, _ = fold_all([balance("1", meta(1))])
    account = replace(row.accounts[VENUE], margin=Margin(plan=(PlanStep("s1", "close", client_order_id="c1"),)))
    return replace(row, accounts={VENUE: account})


@pytest.mark.parametrize(("status", "expected"), [(ud.FILLED, "completed"), (ud.EXPIRED, "refused"), (ud.PARTIALLY_FILLED, "ordered")])
def test_the_terminal_order_ends_its_step(status: int, expected: str) -> None:
    event = ud.UserDataOrderUpdateEvent(
        meta=meta(30), symbol="BTCUSDT", order_id="9", client_order_id="c1", status=cast("ud.OrderStatus", status)
    )
    row, steps = fold_all([fact(names.ORDER_UPDATES, event)] * 2, with_plan())
    assert row.accounts[VENUE].margin.plan[0].status == expected
    assert [bool(step.checks) for step in steps] == [expected != "ordered", False]


def test_settings_take_the_newest_of_each() -> None:
    def setting(seq: int, **change: object) -> Fact:
        return fact(names.ACCOUNT_CONFIG, ud.UserDataAccountConfigEvent(meta=meta(seq), **change))  # type: ignore[arg-type]

    facts = [setting(3, leverage=ud.LeverageChange(symbol="BTCUSDT", leverage="20")), setting(2, hedge_mode=True),
             setting(1, leverage=ud.LeverageChange(symbol="BTCUSDT", leverage="5")), setting(4, multi_assets_mode=True),
             setting(5, margin_mode=ud.MarginModeChange(symbol="BTCUSDT", mode=ud.ISOLATED)), setting(6, account_level_raw="3")]
    row, steps = fold_all(facts)
    found = row.accounts[VENUE]
    assert found.leverages == {"binance_usdm:BTCUSDT": 20}
    assert (found.hedge_mode, found.multi_assets, found.margin_modes, found.account_level) == (
        True, True, {"binance_usdm:BTCUSDT": "isolated"}, "3")
    assert steps[2].checks == {}


def test_a_margin_call_of_the_venue_is_kept_forwarded_and_checked_once() -> None:
    call = fact(names.VENUE_MARGIN_CALLS, ud.UserDataMarginCallEvent(meta=meta(3), level_raw="MARGIN_CALL"))
    row, steps = fold_all([call, call])
    assert row.accounts[VENUE].venue_margin_call
    assert [step.checks for step in steps] == [{VENUE: "venue_margin_call"}, {}]
    assert anomalies(steps) == ["venue_margin_call"]
    row, _ = fold_all([end(names.VENUE_MARGIN_CALLS, 9, 0, 100)], row)
    assert not row.accounts[VENUE].venue_margin_call


def test_a_book_of_the_house_refuses_absolute_facts() -> None:
    row, steps = fold_all([house_fill(1, "2", "1.1"), position("9", meta(2, account_id="house", exchange=ud.HOUSE), symbol="EURUSD"),
                           balance("9", meta(3, account_id="house", exchange=ud.HOUSE))])
    assert anomalies(steps) == ["absolute_fact_refused"] * 2
    assert row.accounts["house"].positions["house:EURUSD/BOTH"].quantity == 2


def test_quarantine_by_account_and_by_user_and_an_operators_end() -> None:
    row, _ = fold_all([balance("1", meta(1)), delta(1), house_fill(1, "2", "1.1")])
    one = quarantine(row, names.BALANCE_UPDATES, VENUE, "garbage", 7)
    assert isinstance(one.row, User)
    assert (doubts(one.row, VENUE), doubts(one.row, "house")) == (("quarantined",), ())
    everyone = quarantine(one.row, names.WALLET_DELTAS, "", "garbage", 8)
    assert isinstance(everyone.row, User)
    assert doubts(everyone.row, "house") == ("quarantined",)
    assert quarantine(everyone.row, names.WALLET_DELTAS, "", "garbage", 9).row is everyone.row
    row, _ = fold_all([balance("3", meta(2)), end(names.BALANCE_UPDATES, 9, 0, 0)], everyone.row)
    assert row.accounts[VENUE].balances["USDT"].wallet_balance == 3
    assert row.accounts[VENUE].quarantines == ()
    ended = update("q", end_quarantine=pb.AccountUpdate.EndQuarantine(topic=names.WALLET_DELTAS, actor="ops"))
    row, steps = fold_all([ended], row)
    assert row.quarantines == ()
    assert anomalies(steps) == ["quarantine_ended"]


def test_a_doubt_about_orders_ends_with_a_complete_snapshot_of_orders() -> None:
    row, _ = fold_all([balance("1", meta(1))])
    doubted = quarantine(row, names.ORDER_UPDATES, VENUE, "garbage", 7).row
    assert isinstance(doubted, User)
    resting = fact(names.ORDER_UPDATES, ud.UserDataOrderUpdateEvent(meta=meta(4, snapshot_id="snap"), symbol="BTCUSDT", order_id="1",
                                                                    status=ud.NEW))
    half, _ = fold_all([end(names.ORDER_UPDATES, 9, 1, 0)], doubted)
    assert doubts(half, VENUE) == ("quarantined",)
    whole, _ = fold_all([resting, end(names.ORDER_UPDATES, 9, 1, 0)], doubted)
    assert doubts(whole, VENUE) == ()
