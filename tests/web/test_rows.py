"""Rows as JSON: decimal text, integers, names, and nothing that only folds need."""

from decimal import Decimal

import orjson
import pytest

from streams.web.rows import TABLES, VIEWS, margin, open_orders, plain, rung
from tables import rows

from .views import trader, with_order

PLAIN = [
    (Decimal("1E+3"), "1000"), (Decimal("-0.00"), "0.00"), (Decimal("1E-9"), "0.000000001"), (Decimal("12.50"), "12.50"),
    (7, 7), (True, True), ("text", "text"), (None, None), ((1, Decimal(2)), [1, "2"]), ({3: Decimal("0.1")}, {"3": "0.1"}),
    (rows.Quarantine("wallet-deltas", "unreadable", 5), {"topic": "wallet-deltas", "reason": "unreadable", "since_ms": 5}),
    (rows.Balance(Decimal("1.0"), rows.Version(1), 5), {"wallet_balance": "1.0", "updated_ms": 5}),
]


@pytest.mark.parametrize(("value", "expected"), PLAIN)
def test_plain(value: object, expected: object) -> None:
    assert plain(value) == expected


@pytest.mark.parametrize("value", [1.5, b"bytes", object(), {1, 2}, [0.5]])
def test_what_no_row_shows_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="row: expected text, an integer, a Decimal or a struct, was "):
        plain(value)


@pytest.mark.parametrize(("number", "name"), [
    (1, "normal"), (2, "warning"), (3, "margin_call"), (4, "liquidation"), (5, "unknown"), (9, "rung_9")])
def test_rung(number: int, name: str) -> None:
    assert rung(number) == name


def test_margin_before_any_check_has_null_figures() -> None:
    shown = margin(rows.Margin())
    assert {shown[name] for name in rows.Figures.__struct_fields__} == {None}
    assert (shown["rung"], shown["reasons"], shown["episode"], shown["plan"]) == ("normal", [], 0, [])


@pytest.mark.parametrize("table", VIEWS)
def test_views_of_a_user_without_accounts(table: str) -> None:
    shown = VIEWS[table](rows.User("live:1"))
    assert table == "profiles" or shown["accounts"] == {}


@pytest.mark.parametrize("table", VIEWS)
def test_views_encode(table: str) -> None:
    assert orjson.loads(orjson.dumps(VIEWS[table](trader())))


def test_orders_by_account() -> None:
    orders = with_order()
    other = rows.Order("bybit-1", "bybit_v5:BTCUSDT", "o-2")
    shown = open_orders(rows.Orders("live:123", orders=orders.orders | {"bybit-1/bybit_v5:BTCUSDT/o-2": other}))
    accounts = shown["accounts"]
    assert isinstance(accounts, dict)
    assert list(accounts) == ["bybit-1", "house"]
    assert "'order_id': 'o-2'" in str(accounts["bybit-1"])
    assert "'order_id': 'o-1'" in str(accounts["house"])


def test_tables_are_those_documented() -> None:
    assert sorted(TABLES) == ["accounts", "balances", "margin", "orders", "positions", "profiles"]
