"""Rows as bytes: exact, and equal for equal rows."""

from decimal import Decimal
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas import names
from tables import codec, rows
from tests.tables.facts import delta, end, fold_all, house_fill, meta, order, position

T = TypeVar("T")
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
whole = st.integers(0, 2**53)
small = st.integers(0, 2**31)
numbers = st.decimals(-(10**18), 10**18, allow_nan=False, allow_infinity=False, places=8) | st.integers(-99, 99).map(Decimal)
maybe = st.none() | numbers
versions = st.builds(rows.Version, whole, small, whole, small, whole, st.booleans())


def by_name(values: st.SearchStrategy[T]) -> st.SearchStrategy[dict[str, T]]:
    return st.dictionaries(texts, values, max_size=2)


figures = st.builds(rows.Figures, numbers, numbers, numbers, numbers, numbers, maybe, maybe)
steps = st.builds(rows.PlanStep, texts, texts, texts, texts, numbers, texts, texts, texts, whole)
refusals = st.none() | st.builds(rows.Refused, small, texts, whole)
margins = st.builds(rows.Margin, st.integers(0, 9), st.lists(texts, max_size=3).map(tuple), whole, small, small, st.none() | figures, whole,
                    st.integers(0, 9), st.lists(steps, max_size=2).map(tuple), whole, refusals)
balances = st.builds(rows.Balance, numbers, st.none() | versions, whole)
positions = st.builds(
    rows.Position,
    texts,
    texts,
    numbers,
    numbers,
    texts,
    maybe,
    maybe,
    texts,
    maybe,
    numbers,
    numbers,
    st.none() | versions,
    whole,
    numbers,
    texts,
)
frames = st.lists(st.builds(rows.Frame, whole, small, whole, small, st.lists(small, max_size=3).map(tuple), whole), max_size=2).map(tuple)
quarantines = st.lists(st.builds(rows.Quarantine, texts, texts, whole), max_size=2).map(tuple)
names_of = st.lists(texts, max_size=3).map(tuple)
accounts = st.builds(
    rows.Account, texts, texts, texts, texts, texts, st.booleans(), by_name(balances), by_name(positions), by_name(numbers), by_name(texts),
    st.booleans(), st.booleans(), texts, margins, frames, quarantines, numbers, by_name(versions), st.booleans(), by_name(small),
    st.none() | versions, texts, by_name(versions), names_of, by_name(versions), names_of, st.booleans())
profiles = st.builds(rows.Profile, texts, maybe, texts, st.booleans(), st.booleans(), texts, texts, texts, by_name(texts))
sequences = st.builds(rows.Sequence, whole, st.dictionaries(whole, st.binary(max_size=20), max_size=2), whole)
users = st.builds(rows.User, texts, whole, small, profiles, by_name(accounts), by_name(sequences), names_of, quarantines, whole, names_of)
order_rows = st.builds(rows.Order, texts, texts, texts, texts, texts, texts, texts, numbers, numbers, numbers, numbers, numbers, texts,
                       st.booleans(), st.booleans(), st.none() | versions, whole, texts, texts)
orders = st.builds(rows.Orders, texts, whole, small, by_name(order_rows),
                   st.lists(st.builds(rows.ClosedOrder, texts, small, whole), max_size=2).map(tuple), whole, by_name(small), names_of,
                   by_name(whole), names_of)


@settings(max_examples=60, deadline=None)
@given(users)
def test_a_user_comes_back_exactly(user: rows.User) -> None:
    data = codec.dump_user(user)
    assert codec.load_user(data) == user
    assert codec.dump_user(codec.load_user(data)) == data


@settings(max_examples=60, deadline=None)
@given(orders)
def test_orders_come_back_exactly(row: rows.Orders) -> None:
    assert codec.load_orders(codec.dump_orders(row)) == row


@settings(max_examples=60, deadline=None)
@given(margins)
def test_a_margin_state_comes_back_exactly(margin: rows.Margin) -> None:
    assert codec.load_margin(codec.dump_margin(margin)) == margin


@pytest.mark.parametrize("kind", [rows.User, rows.Account, rows.Position, rows.Order, rows.Margin, rows.Profile, rows.Orders])
def test_every_field_is_drawn_above(kind: type) -> None:
    """A field added to a row must be added to its strategy, and so to the codec."""
    drawn = {"User": 10, "Account": 27, "Position": 15, "Order": 19, "Margin": 11, "Profile": 9, "Orders": 10}
    assert len(kind.__struct_fields__) == drawn[kind.__name__]  # type: ignore[attr-defined]


def test_the_order_of_a_rows_dicts_does_not_matter() -> None:
    row, _ = fold_all([delta(1, "5"), house_fill(1, "2", "10"), delta(2, "7", asset="EUR"), position("3", meta(1))])
    turned = replace(row, accounts=dict(reversed(row.accounts.items())), sequences=dict(reversed(row.sequences.items())))
    assert codec.dump_user(turned) == codec.dump_user(row)
    assert codec.state_hash(codec.dump_user(turned)) == codec.state_hash(codec.dump_user(row))
    assert len(codec.state_hash(b"")) == 32


def test_a_folded_row_comes_back_exactly() -> None:
    row, _ = fold_all([delta(3, "5"), house_fill(1, "3", "10"), house_fill(2, "-1", "7"), position("3", meta(1, 0, 2)),
                       position("4", meta(2, snapshot_id="x")), end(names.BALANCE_UPDATES, 9, 0, 5), order("1", 1, meta(1))])
    assert codec.load_user(codec.dump_user(row)) == row
