"""An account that is removed takes its open orders along: in any order of topics, told once or often, and it may come back."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import engine_pb2 as pb
from schemas import names
from schemas import user_data_pb2 as ud
from tables.rows import Fact, Orders
from tests.tables.facts import VENUE, end, fact, interleaved, meta, order, update
from tests.tables.test_orders import fold_each

S = ud.OrderStatus
OTHER = "other"
ORDERS = [order("1", S.NEW, meta(1)), order("2", S.PARTIALLY_FILLED, meta(2), cum_filled_qty="1"),
          order("3", S.NEW, meta(3, account_id=OTHER)), order("4", S.FILLED, meta(4))]


def removed(number: int | None = None, ident: str = "gone") -> Fact:
    return _told(number, ident, exchange_account_removed=VENUE)


def added(number: int | None = None, ident: str = "back", name: str = VENUE) -> Fact:
    return _told(number, ident, exchange_account=pb.AccountUpdate.ExchangeAccount(account_id=name, venue="binance_usdm"))


def _told(number: int | None, ident: str, **change: Any) -> Fact:
    return update(ident, **change) if number is None else update("", sequence=number, **change)


def ids(row: Orders) -> list[str]:
    return sorted(found.order_id for found in row.orders.values())


def test_its_open_orders_go_with_it_and_no_others() -> None:
    before, _ = fold_each(ORDERS)
    assert ids(before) == ["1", "2", "3"]
    row, steps = fold_each([removed()], before)
    assert (ids(row), row.removed_accounts, row.version) == (["3"], (VENUE,), before.version + 1)
    assert row.closed == before.closed  # nobody knows how they ended
    assert steps[0].outputs == ()


def test_late_facts_do_not_bring_it_back() -> None:
    row, _ = fold_each([*ORDERS, removed()])
    late = [order("5", S.NEW, meta(9)), order("6", S.NEW, meta(10, snapshot_id="s")), end(names.ORDER_UPDATES, 11, 7, 100, "s")]
    after, steps = fold_each(late, row)
    assert after is row
    assert [step.outputs for step in steps] == [()] * 3


@settings(max_examples=100, deadline=None)
@given(st.permutations(ORDERS), st.lists(st.integers(0, 1), max_size=6), st.booleans())
def test_whichever_topic_is_read_first_none_is_left(facts: list[Fact], picks: list[int], again: bool) -> None:
    topics = {names.ORDER_UPDATES: [*facts, *facts[:2]], names.ACCOUNT_UPDATES: [added(1), removed(2), *([removed(2)] if again else [])]}
    row, _ = fold_each(interleaved(topics, picks))
    assert ids(row) == ["3"]
    assert row.removed_accounts == (VENUE,)


def test_who_comes_back_has_what_its_snapshot_tells_and_what_ended_stays_ended() -> None:
    row, _ = fold_each([*ORDERS, removed(1), added(2)])
    assert (ids(row), row.removed_accounts) == (["3"], ())
    told = [order(str(number), S.NEW, meta(20 + number, snapshot_id="s")) for number in (1, 2, 4)]
    row, steps = fold_each([*told, end(names.ORDER_UPDATES, 30, 3, 300, "s")], row)
    assert ids(row) == ["1", "2", "3"]
    assert steps[-1].outputs == ()


@pytest.mark.parametrize(("first", "again"), [
    ([removed(1), added(2)], removed(1)),
    ([removed(None), added(None)], removed(None)),
    ([added(5)], removed(4)),  # its number was overtaken: `accounts` had them in the order of their numbers
])
def test_what_was_told_before_does_not_remove_it_again(first: list[Fact], again: Fact) -> None:
    row, _ = fold_each([*first, *ORDERS])
    assert fold_each([again], row)[0] is row
    assert ids(row) == ["1", "2", "3"]


def test_a_number_that_an_operator_skipped_does_nothing() -> None:
    skip = update("skip", skip_gap=pb.AccountUpdate.SkipGap(source="s", up_to_sequence=7, actor="ops"))
    row, _ = fold_each([*ORDERS, skip])
    assert fold_each([removed(7)], row)[0] is row
    assert ids(fold_each([removed(8)], row)[0]) == ["3"]


def test_what_half_a_snapshot_mentioned_is_forgotten() -> None:
    half = order("2", S.NEW, meta(2, snapshot_id="s", account_id=OTHER))
    row, _ = fold_each([order("1", S.NEW, meta(1, snapshot_id="s")), half, removed()])
    assert all(name.startswith(f"{OTHER}/") for name in row.snapshot_rows)
    assert len(row.snapshot_rows) == 1


@pytest.mark.parametrize("change", [
    {"profile": pb.AccountUpdate.Profile(group="g")}, {"end_quarantine": pb.AccountUpdate.EndQuarantine(actor="ops")},
    {"skip_gap": pb.AccountUpdate.SkipGap(source="x", up_to_sequence=9, actor="ops")}])
def test_what_says_nothing_of_accounts_makes_no_row(change: dict[str, Any]) -> None:
    row, _ = fold_each([update("u", **change)])
    assert row == Orders(row.user_id)


def test_a_change_of_tomorrow_changes_nothing() -> None:
    row, _ = fold_each(ORDERS)
    unknown = fact(names.ACCOUNT_UPDATES, pb.AccountUpdate(id="x", user_id=row.user_id, source="s"))
    assert fold_each([unknown], row)[0] is row
