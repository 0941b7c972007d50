"""Open orders: one that ended never comes back, and memory is bounded."""

import pytest

from schemas import engine_pb2 as pb
from schemas import names
from schemas import user_data_pb2 as ud
from tables.invariants import check
from tables.orders import fold_orders
from tables.policy import Policy
from tables.rows import Fact, Folded, Orders
from tests.tables.facts import end, meta, order, said

S = ud.OrderStatus


def fold_each(facts: list[Fact], row: Orders | None = None, policy: Policy | None = None) -> tuple[Orders, list[Folded]]:
    steps = []
    for one in facts:
        folded = fold_orders(row, one, policy or Policy())
        assert isinstance(folded.row, Orders)
        check(folded.row)
        row = folded.row
        steps.append(folded)
    assert row is not None
    return row, steps


@pytest.mark.parametrize(
    ("facts", "status"),
    [
        ([order("1", S.NEW, meta(1))], "NEW"),
        ([order("1", S.NEW, meta(1)), order("1", S.PARTIALLY_FILLED, meta(2), cum_filled_qty="2")], "PARTIALLY_FILLED"),
        ([order("1", S.PARTIALLY_FILLED, meta(2), cum_filled_qty="2"), order("1", S.NEW, meta(1))], "PARTIALLY_FILLED"),
        ([order("1", S.PARTIALLY_FILLED, meta(2), cum_filled_qty="2"), order("1", S.NEW, meta(3))], "PARTIALLY_FILLED"),
        ([order("1", S.NEW, meta(1)), order("1", S.FILLED, meta(2))], None),
        ([order("1", S.FILLED, meta(2)), order("1", S.NEW, meta(1))], None),
        ([order("1", S.CANCELED, meta(2)), order("1", S.NEW, meta(9, lease_epoch=5))], None),
        ([order("1", S.NEW, meta(5)), order("1", S.EXPIRED_IN_MATCH, meta(2))], None),
        ([order("1", 42, meta(1), status_raw="FROZEN")], "FROZEN"),
        ([order("1", 42, meta(1))], "status_42"),
        ([order("1", 0, meta(1), fill=ud.Fill(trade_id="t", lite=True))], None),
    ],
)
def test_which_order_stands(facts: list[Fact], status: str | None) -> None:
    row, _ = fold_each(facts)
    assert [found.status for found in row.orders.values()] == ([status] if status else [])


def test_what_is_filled_never_falls() -> None:
    row, _ = fold_each(
        [order("1", S.PARTIALLY_FILLED, meta(1), cum_filled_qty="3"), order("1", S.PARTIALLY_FILLED, meta(2), cum_filled_qty="2")]
    )
    assert [found.filled_quantity for found in row.orders.values()] == [3]


def test_a_redelivered_order_is_the_old_row_itself() -> None:
    one = order("1", S.NEW, meta(1))
    row, _ = fold_each([one])
    assert fold_each([one], row)[0] is row
    closed, _ = fold_each([order("1", S.FILLED, meta(2))], row)
    assert fold_each([one, order("1", S.FILLED, meta(2))], closed)[0] is closed


def test_the_memory_of_closed_orders_is_bounded() -> None:
    row, _ = fold_each([order(str(n), S.FILLED, meta(n)) for n in range(1, 9)], policy=Policy(closed_orders_max=3))
    assert [entry.order.rpartition("/")[2] for entry in row.closed] == ["6", "7", "8"]


def test_conditional_orders_have_ids_of_their_own() -> None:
    row, _ = fold_each([order("1", S.NEW, meta(1)), order("1", S.UNTRIGGERED, meta(2), is_algo=True)])
    assert sorted(row.orders) == ["bn/binance_usdm:BTCUSDT/1", "bn/binance_usdm:BTCUSDT/algo-1"]


def test_a_complete_snapshot_closes_what_it_lacks() -> None:
    facts = [order("old", S.NEW, meta(1)), order("young", S.NEW, meta(30)), order("kept", S.NEW, meta(2)),
             order("kept", S.NEW, meta(8, snapshot_id="snap")), end(names.ORDER_UPDATES, 9, 1, 100)]
    row, steps = fold_each(facts)
    assert sorted(found.order_id for found in row.orders.values()) == ["kept", "young"]
    assert steps[-1].outputs == ()
    again, _ = fold_each([facts[3], facts[4], facts[0]], row)
    assert again is row


def test_an_incomplete_snapshot_closes_nothing() -> None:
    row, steps = fold_each([order("old", S.NEW, meta(1)), end(names.ORDER_UPDATES, 9, 1, 100), end(names.ORDER_UPDATES, 9, 1, 100)])
    assert len(row.orders) == 1
    kinds = [message.kind for step in steps for message in said(step.outputs, names.ANOMALIES) if isinstance(message, pb.Anomaly)]
    assert kinds == ["orders_snapshot_incomplete"]
