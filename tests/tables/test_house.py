"""House books: fills, their arithmetic, and liquidation steps applied in the row."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import engine_pb2 as pb
from schemas import names
from schemas import user_data_pb2 as ud
from tables.accounts import apply_house_step, doubts
from tables.fills import fill
from tables.house import Deal
from tables.invariants import Broken
from tables.rows import Fact, Output, PlanStep, Position, User
from tests.tables.facts import anomalies, delta, fold_all, house_fill, meta, position, said, update

KEY = "house:EURUSD/BOTH"
OUTSIDE = position("2", meta(1, account_id="house", exchange=ud.HOUSE), symbol="EURUSD")


def state(row: User) -> tuple[str, str, str]:
    """(quantity, entry, balance)"""
    account = row.accounts["house"]
    found = account.positions.get(KEY)
    money = account.balances.get("USD")
    return (str(found.quantity) if found else "-", str(found.entry_price) if found else "-", str(money.wallet_balance) if money else "-")


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ([house_fill(1, "2", "10")], ("2", "10", "-")),
        ([house_fill(1, "2", "10"), house_fill(2, "2", "20")], ("4", "15", "-")),
        ([house_fill(1, "2", "10"), house_fill(2, "-1", "14")], ("1", "10", "4")),
        ([house_fill(1, "2", "10"), house_fill(2, "-2", "9")], ("-", "-", "-2")),
        ([house_fill(1, "2", "10"), house_fill(2, "-5", "13")], ("-3", "13", "6")),
        ([house_fill(1, "-2", "10"), house_fill(2, "1", "7")], ("-1", "10", "3")),
        ([house_fill(1, "2", "10", fee="0.5")], ("2", "10", "-0.5")),
        ([house_fill(1, "2", "10"), house_fill(2, "-1", "14", realized_pnl="99")], ("1", "10", "99")),
        ([house_fill(1, "2", "10"), house_fill(1, "2", "10")], ("2", "10", "-")),
        ([house_fill(2, "-1", "14"), house_fill(1, "2", "10")], ("1", "10", "4")),  # out of order: held, then applied in order
        ([house_fill(1, "2", "10", numbered=False), house_fill(1, "2", "10", numbered=False)], ("2", "10", "-")),
    ],
)
def test_fills(facts: list[Fact], expected: tuple[str, str, str]) -> None:
    assert state(fold_all(facts)[0]) == expected


def test_a_fill_tells_its_changes_with_ids_of_their_own() -> None:
    _, steps = fold_all([delta(1, "100"), house_fill(1, "2", "10"), house_fill(2, "-1", "14", fee="0.25")])
    told = [message for message in said(steps[2].outputs, names.TRANSACTIONS) if isinstance(message, pb.Transaction)]
    assert [(one.delta_id, one.amount, one.balance_after) for one in told] == [
        ("fill/house/EURUSD/t2/2/realised_pnl", "4", "104"), ("fill/house/EURUSD/t2/2/fee", "-0.25", "103.75")]
    assert steps[2].checks == {"house": "fill"}


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ([house_fill(1, "2", "10")], ("unfunded",)),
        ([house_fill(1, "2", "10", fee="0.5")], ("unfunded",)),  # a fee makes a balance, but nobody has told what was there before
        ([house_fill(1, "2", "10", fee="0.5"), house_fill(2, "-2", "14", fee="0.5")], ("unfunded",)),
        ([house_fill(2, "2", "10"), delta(1, "100")], ("gap",)),
        ([house_fill(1, "2", "10"), delta(2, "100")], ("gap", "unfunded")),
        ([house_fill(1, "2", "10", fee="0.5"), delta(1, "100")], ()),
        ([house_fill(1, "2", "10"), delta(7, "0", opening=True)], ()),  # an opening of nothing is told, too
        ([house_fill(1, "2", "10"), delta(None, "100")], ()),
        ([delta(1, "100"), house_fill(1, "2", "10", fee="0.5"), house_fill(2, "-2", "14")], ()),
        ([delta(1, "100", asset="EUR"), house_fill(1, "2", "10")], ()),
        ([update("u")], None),
        ([update("u", profile=pb.AccountUpdate.Profile(execution="external")), OUTSIDE], ("unfunded",)),
        ([update("u", profile=pb.AccountUpdate.Profile(execution="external")), OUTSIDE, delta(1, "100")], ()),
    ],
)
def test_a_house_account_is_unknown_until_its_first_wallet_fact(facts: list[Fact], expected: tuple[str, ...] | None) -> None:
    row, steps = fold_all(facts)
    assert (doubts(row, "house") if "house" in row.accounts else None) == expected
    assert expected is None or steps[-1].checks


def test_an_overfill_of_a_leg_is_refused_and_the_neighbours_go_on() -> None:
    row, steps = fold_all([house_fill(1, "2", "10"), house_fill(2, "1", "10"), house_fill(3, "1", "10")])
    assert anomalies(steps) == []
    for number, quantity in ((4, "2"), (5, "-3"), (6, "-1")):
        one = house_fill(number, quantity, "10")
        one.message.position_side = 2  # type: ignore[attr-defined]
        row, steps = fold_all([one], row)
        assert anomalies(steps) == (["fill_refused", "quarantine"] if number == 5 else [])
    assert row.accounts["house"].positions["house:EURUSD/LONG"].quantity == 1


quantities = st.integers(-50, 50).filter(bool).map(lambda n: Decimal(n) / 10)
prices = st.integers(1, 10_000).map(lambda n: Decimal(n) / 100)


@given(st.lists(st.tuples(quantities, prices), min_size=1, max_size=30), prices)
def test_money_is_conserved_whatever_the_fills(fills: list[tuple[Decimal, Decimal]], mark: Decimal) -> None:
    """Realised and unrealised PnL together are what buying and selling paid, to the last digit."""
    position: Position | None = None
    realised = paid = Decimal(0)
    for quantity, price in fills:
        position, pnl = fill(position or Position("house:X"), quantity, price)
        realised += pnl
        paid += quantity * price
    held = sum((quantity for quantity, _ in fills), Decimal(0))
    assert (position.quantity if position else 0) == held
    unrealised = held * mark - (position.entry_cost if position else 0)
    assert realised + unrealised == held * mark - paid


@given(st.lists(st.tuples(quantities, prices), min_size=1, max_size=20))
def test_a_short_leg_mirrors_a_long_one(fills: list[tuple[Decimal, Decimal]]) -> None:
    """LONG and SHORT legs give what one netted book gives, sign by sign."""
    held = Decimal(0)
    leg: Position | None = None
    net: Position | None = None
    for quantity, price in fills:
        step = min(abs(quantity), -held) if quantity > 0 else quantity
        if not step:
            continue
        held += step
        leg, leg_pnl = fill(leg or Position("x", "SHORT"), step, price)
        net, net_pnl = fill(net or Position("x"), step, price)
        assert leg_pnl == net_pnl
        assert (leg.quantity if leg else 0) == -(net.quantity if net else 0)
        assert (leg.entry_price if leg else 0) == (net.entry_price if net else 0)


def outputs(found: list[Output]) -> list[tuple[str, str, str]]:
    return [(one.delta_id, one.amount, one.balance_after) for one in said(found, names.TRANSACTIONS) if isinstance(one, pb.Transaction)]


@pytest.mark.parametrize(("opened", "quantity", "left"), [("2", "1", "1"), ("-2", "1", "-1"), ("2", "2", "-"), ("2", "9", "-")])
def test_a_step_closes_at_most_what_is_open(opened: str, quantity: str, left: str) -> None:
    row, _ = fold_all([delta(1, "100"), house_fill(1, opened, "10")])
    step = PlanStep("live:1/house/1/s1", "close", "house:EURUSD", "BOTH", Decimal(quantity))
    after, pnl, found = apply_house_step(row, "house", step, Deal(Decimal(8), Decimal("0.5"), rate=Decimal(2), time_ms=50))
    closed = min(abs(Decimal(opened)), Decimal(quantity))
    expected = (Decimal(8) - 10) * 2 * closed * (1 if Decimal(opened) > 0 else -1)
    assert pnl == expected
    assert state(after)[0] == left
    assert after.accounts["house"].balances["USD"].wallet_balance == 100 + expected - Decimal("0.5")
    assert (after.version, after.updated_ms) == (row.version + 1, 50)
    assert [one[0] for one in outputs(found)] == ["live:1/house/1/s1/realised_pnl", "live:1/house/1/s1/fee"]


def test_a_step_without_its_position_is_a_broken_row() -> None:
    row, _ = fold_all([delta(1, "100")])
    with pytest.raises(Broken, match="expected a position house:EURUSD/BOTH in live:1/house, was none"):
        apply_house_step(row, "house", PlanStep("s", "close", "house:EURUSD", "BOTH", Decimal(1)), Deal(Decimal(8)))
