"""Money that a fact does not tell is not booked: units, currencies, and venues of other accounts."""

from decimal import Decimal
from typing import Any, cast

import pytest
from msgspec.structs import replace

from agents.book import book_of
from agents.risk.world import World
from agents.verdict import check as judge
from schemas import engine_pb2 as pb
from schemas import names
from schemas import user_data_pb2 as ud
from tables.orders import fold_orders
from tables.policy import Policy
from tables.rows import UNKNOWN, Balance, Fact, Orders, User
from tests.agents import worlds
from tests.scenarios.test_review import refused
from tests.tables.facts import VENUE, anomalies, balance, delta, end, fact, fold_all, house_fill, meta, order, position, said, update

CONTRACTS = ud.CONTRACTS


def fill(number: int, quantity: str, price: str, symbol: str = "EURUSD", unit: ud.QtyUnit = ud.BASE, **more: str) -> Fact:
    event = house_fill(number, quantity, price, **cast("Any", more)).message
    assert isinstance(event, ud.UserDataOrderUpdateEvent)
    event.symbol, event.qty_unit = symbol, unit
    return fact(names.ORDER_UPDATES, event)


def money(row: User) -> str:
    return str(row.accounts["house"].balances["USD"].wallet_balance)


@pytest.mark.parametrize(
    ("symbol", "unit", "told", "left"),
    [
        ("EURUSD", ud.BASE, {}, "900"),
        ("EURUSD", ud.QTY_UNIT_UNSPECIFIED, {}, "900"),
        ("USDJPY", ud.BASE, {}, None),  # 100 yen were booked as 100 dollars
        ("USDJPY", ud.BASE, {"realized_pnl": "-0.67"}, "999.33"),
        ("US500", ud.BASE, {}, None),  # nothing in the fact says in what it is quoted
        ("EURUSD", CONTRACTS, {}, None),  # of 100,000 each, as a rule may say
        ("EURUSD", CONTRACTS, {"realized_pnl": "-0.67"}, "999.33"),
    ],
)
def test_what_a_reduction_realised_is_told_or_shown(symbol: str, unit: ud.QtyUnit, told: dict[str, str], left: str | None) -> None:
    facts = [delta(1, "1000"), fill(1, "100", "150", symbol, unit), fill(2, "-100", "149", symbol, unit, **told), delta(2, "0")]
    row, steps = fold_all(facts)
    account = row.accounts["house"]
    if left is not None:
        assert (money(row), account.positions, anomalies(steps)) == (left, {}, [])
        return
    assert money(row) == "1000"
    assert account.positions[f"house:{symbol}/BOTH"].quantity == 100
    assert "expected an amount in USD" in str(said(steps[2].outputs, names.DEAD_LETTERS)[0])
    assert anomalies(steps) == ["fill_refused", "quarantine"]
    assert [entry.topic for entry in account.quarantines] == [names.ORDER_UPDATES]


def test_what_realises_nothing_need_not_be_told() -> None:
    fills = [fill(number, size, price, "USDJPY") for number, size, price in ((1, "100", "150"), (2, "100", "152"), (3, "-200", "151"))]
    row, steps = fold_all([delta(1, "1000"), *fills])
    assert (money(row), row.accounts["house"].positions, anomalies(steps)) == ("1000", {}, [])


def test_a_position_is_not_opened_in_one_unit_and_closed_in_another() -> None:
    row, steps = fold_all([delta(1, "1000"), fill(1, "1", "1.1", unit=CONTRACTS), fill(2, "-1", "1.1", realized_pnl="5")])
    assert anomalies(steps) == ["fill_refused", "quarantine"]
    assert row.accounts["house"].positions["house:EURUSD/BOTH"].quantity == 1


@pytest.mark.parametrize(
    ("unit", "size", "reasons"),
    [(ud.BASE, "1", ()), (ud.BASE, "100000", (f"contract_size:{worlds.EUR}",)), (CONTRACTS, "100000", ()), (CONTRACTS, "1", ())],
)
def test_base_units_are_not_judged_as_lots(unit: ud.QtyUnit, size: str, reasons: tuple[str, ...]) -> None:
    """They were multiplied by the contract size."""
    row, _ = fold_all([delta(1, "1000000"), fill(1, "1", "1.1", unit=unit)])
    rule = worlds.fx_rule(worlds.EUR, contract_size=size)
    found = judge(row, "house", worlds.world(worlds.mark(worlds.EUR, "1.1", "1.1"), with_rules=worlds.rules(rule)), ["x"])
    assert found is not None
    assert found.row.accounts["house"].margin.reasons == reasons


OTHER = {"exchange": ud.BYBIT_V5}
BROUGHT = {
    names.POSITION_UPDATES: position("5", meta(9, **OTHER)),
    names.BALANCE_UPDATES: balance("5", meta(9, **OTHER)),
    names.VENUE_MARGIN_CALLS: fact(names.VENUE_MARGIN_CALLS, ud.UserDataMarginCallEvent(meta=meta(9, **OTHER))),
    names.ACCOUNT_CONFIG: fact(names.ACCOUNT_CONFIG, ud.UserDataAccountConfigEvent(meta=meta(9, **OTHER), hedge_mode=True)),
}


@pytest.mark.parametrize("topic", sorted(BROUGHT))
def test_a_fact_of_another_venue_changes_nothing_and_is_said(topic: str) -> None:
    known, _ = fold_all([balance("1", meta(1)), position("1", meta(2))])
    row, steps = fold_all([BROUGHT[topic]], known)
    account = row.accounts[VENUE]
    before = known.accounts[VENUE]
    assert (account.balances, account.positions, account.hedge_mode) == (before.balances, before.positions, False)
    letters = [one.error for one in said(steps[0].outputs, names.DEAD_LETTERS) if isinstance(one, pb.DeadLetter)]
    assert letters == [f"{topic}@1: meta.exchange: expected venue 'binance_usdm' of its account, was 'bybit_v5'"]
    assert [entry.topic for entry in account.quarantines] == [topic]
    assert anomalies(steps) == ["venue_refused", "quarantine"]


def test_a_snapshot_of_its_own_venue_ends_the_doubt() -> None:
    facts = [balance("1", meta(1)), BROUGHT[names.POSITION_UPDATES], end(names.POSITION_UPDATES, 10, 0, 1000)]
    assert fold_all(facts)[0].accounts[VENUE].quarantines == ()
    other = end(names.POSITION_UPDATES, 10, 0, 1000, exchange=ud.BYBIT_V5)
    assert fold_all([*facts[:2], other])[0].accounts[VENUE].quarantines


def test_an_order_of_another_venue_reserves_no_margin() -> None:
    added = update(exchange_account=pb.AccountUpdate.ExchangeAccount(account_id=VENUE, venue="binance_usdm"))
    row, _ = fold_all([added, balance("100", meta(1))])
    orders: Orders | None = None
    for one in (order("1", ud.NEW, meta(9, **OTHER)), order("2", ud.NEW, meta(9))):
        found = fold_orders(orders, one, Policy()).row
        assert isinstance(found, Orders)
        orders = found
    book = book_of(row, row.accounts[VENUE], worlds.rules().group("standard", worlds.NOW), orders)
    assert [one.order_id for one in book.orders] == ["2"]


@pytest.mark.parametrize(
    ("one", "error"),
    [
        (delta(1, "1e-19"), "amount: expected at most 18 decimals, was '1e-19'"),  # beside 1e29 it was rounded away, and the ledger kept it
        (delta(1, "0." + "1" * 19), "amount: expected at most 18 decimals"),
        (delta(1, "0.1000000000000000000000"), ""),
        (delta(1, "9" * 30 + "." + "9" * 18), ""),
        (fill(1, "1", "1", fee="1e-19"), "fill.fee: expected at most 18 decimals"),
        (fill(1, "1", "1", realized_pnl="1e-19"), "fill.realized_pnl: expected at most 18 decimals"),
    ],
)
def test_what_is_booked_has_at_most_eighteen_decimals(one: Fact, error: str) -> None:
    letter = refused(one)
    assert error in letter
    assert bool(error) == bool(letter)


def test_the_largest_and_the_smallest_amount_add_up_exactly() -> None:
    row, _ = fold_all([delta(number, amount) for number, amount in enumerate(["9" * 30, "1e-18", "-1", "0.1"], 1)])
    assert money(row) == "9" * 29 + "8.100000000000000001"


def grouped(ratio: str) -> World:
    """A world whose only mark is old."""
    rule = pb.RiskRule(rule_id="group:standard", group=pb.RiskRule.Group(group="standard", fallback_ratio=ratio))
    old = worlds.mark(worlds.BTC, "60000", append_ms=worlds.NOW - 60_000)
    return worlds.world(old, with_rules=worlds.rules(rule, worlds.btc_rule()))


@pytest.mark.parametrize(("ratio", "wallet", "warns"), [("0.5", "400", True), ("0.5", "100000", False), ("", "400", False)])
def test_what_is_unknown_may_warn_by_the_last_figures(ratio: str, wallet: str, warns: bool) -> None:
    user = worlds.usdm_user(wallet, worlds.position(worlds.BTC, "1", "60000"), auto_reduce=True)
    found = judge(user, "a1", grouped(ratio), ["x"])
    assert found is not None
    reasons = found.row.accounts["a1"].margin.reasons
    assert found.rung == UNKNOWN
    assert ("fallback_ratio" in reasons) == warns
    assert f"stale_mark:{worlds.BTC}" in reasons
    calls = [pb.MarginCall.FromString(output.value) for output in found.outputs if output.topic == names.MARGIN_CALLS]
    assert [list(call.reasons) for call in calls] == [list(reasons)]
    richer = replace(found.row.accounts["a1"], balances={"USDT": Balance(Decimal(100_000))})
    again = judge(replace(found.row, accounts={"a1": richer}), "a1", grouped(ratio), ["x"])
    assert again is not None
    assert again.outputs == ()  # said once
