"""What tells one thing from another: ids of deltas, orders and checks, and the times by which facts outrank each other."""

import pytest

from agents.verdict import check as judge
from schemas import engine_pb2 as pb
from schemas import names
from schemas import user_data_pb2 as ud
from tables.invariants import check as hold_true
from tables.orders import fold_orders
from tables.policy import Policy
from tables.rows import Fact, Orders
from tests.agents import worlds
from tests.tables.facts import VENUE, balance, delta, end, fact, fold_all, house_fill, meta, order, position, said, update


def test_deltas_of_two_sources_may_have_the_same_id() -> None:
    """The second was taken for a repeat, and its money was gone."""
    deltas = [delta(None, "1", id="x", source="a"), delta(None, "2", id="x", source="b"), delta(None, "4", id="b/c", source="a"),
              delta(None, "8", id="c", source="a/b"), delta(None, "1", id="x", source="a")]
    row, _ = fold_all(deltas)
    assert row.accounts["house"].balances["USD"].wallet_balance == 15
    row, _ = fold_all([update("x", profile=pb.AccountUpdate.Profile(group="a"))], row)
    other = pb.AccountUpdate(id="x", user_id="live:1", source="other", profile=pb.AccountUpdate.Profile(group="b"))
    row, _ = fold_all([fact(names.ACCOUNT_UPDATES, other)], row)
    assert row.profile.group == "b"


def test_every_balance_change_has_an_id_of_its_own_whatever_ids_producers_give() -> None:
    """Of two with one id Postgres kept the first."""
    facts = [delta(1, "1", id="x"), delta(2, "2", id="x"), delta(1, "2", id="x", source="b"), delta(None, "2", id="x"),
             delta(None, "2", id="x", source="b"), delta(3, "2", id="")]
    for number in (1, 2):  # both sides of a self-trade have its trade id
        sale = house_fill(number, "1", "1", fee="1").message
        sale.fill.trade_id = "t"  # type: ignore[attr-defined]
        facts.append(fact(names.ORDER_UPDATES, sale))  # type: ignore[arg-type]
    _, steps = fold_all(facts)
    ids = [one.delta_id for step in steps for one in said(step.outputs, names.TRANSACTIONS) if isinstance(one, pb.Transaction)]
    assert len(ids) == len(set(ids)) == 8


def test_a_snapshot_of_a_wrong_clock_outranks_what_follows_for_a_minute_at_most() -> None:
    """Told to be of the year 33658, it made every later fact of the stream an old one."""
    ahead = end(names.POSITION_UPDATES, 5, 0, 10**15)
    facts = [position("1", meta(1)), ahead, position("2", meta(6, transaction_time_ms=60_002))]
    row, _ = fold_all(facts)
    assert [one.quantity for one in row.accounts[VENUE].positions.values()] == [2]
    row, _ = fold_all([balance("1", meta(1)), end(names.BALANCE_UPDATES, 5, 0, 10**15), balance("2", meta(6, transaction_time_ms=60_002))])
    assert [one.wallet_balance for one in row.accounts[VENUE].balances.values()] == [2]


def open_orders(*facts: Fact) -> dict[str, str]:
    row: Orders | None = None
    for one in facts:
        folded = fold_orders(row, one, Policy()).row
        assert isinstance(folded, Orders)
        hold_true(folded)
        row = folded
    assert row is not None
    return {name: order.client_order_id for name, order in row.orders.items()}


NAMED = f"{VENUE}/binance_usdm:BTCUSDT/77"
BY_CLIENT, BY_BOTH = order("", ud.NEW, meta(1), client_order_id="c"), order("77", ud.NEW, meta(2), client_order_id="c")


@pytest.mark.parametrize(
    ("facts", "left"),
    [
        ([BY_CLIENT, BY_BOTH], {NAMED: "c"}),
        ([BY_BOTH, BY_CLIENT], {NAMED: "c"}),
        ([BY_CLIENT, order("77", ud.FILLED, meta(3), client_order_id="c")], {}),
        ([BY_CLIENT, order("77", ud.FILLED, meta(3), client_order_id="c"), BY_CLIENT, BY_BOTH], {}),
        ([BY_CLIENT, BY_BOTH, order("77", ud.FILLED, meta(3))], {}),
        ([BY_BOTH, order("", ud.CANCELED, meta(3), client_order_id="c")], {}),
        ([BY_CLIENT, order("78", ud.FILLED, meta(3), client_order_id="d")], {f"{VENUE}/binance_usdm:BTCUSDT/c": "c"}),
        ([order("c", ud.NEW, meta(1)), BY_BOTH], {f"{VENUE}/binance_usdm:BTCUSDT/c": "", NAMED: "c"}),  # an id that looks like another's
    ],
)
def test_an_order_told_by_its_client_s_id_first_is_one_order(facts: list[Fact], left: dict[str, str]) -> None:
    assert open_orders(*facts) == left


def test_checks_of_one_millisecond_have_ids_of_their_own() -> None:
    user = worlds.fx_user("1400", worlds.position(worlds.EUR, "1", "1.1"))
    found = [judge(user, "house", worlds.world(worlds.mark(worlds.EUR, bid, bid)), ["x"]) for bid in ("1.0950", "1.1", "1.1")]
    ids = [pb.MarginCheck.FromString(one.report.value).id for one in found if one and one.report]
    assert ids[0] != ids[1]
    assert ids[1] == ids[2]
