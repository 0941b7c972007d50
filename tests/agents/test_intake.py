"""What an evaluation's input may leave out and what not: a missing or impossible figure is refused by name, never taken for nothing."""

import copy
from typing import Any

import pytest

from agents.evaluate import evaluate_json
from agents.fields import BadInput

Json = dict[str, Any]
POSITION: Json = {"symbol": "BTCUSDT", "quantity": "1", "entry_price": "1000"}
ORDER: Json = {"symbol": "BTCUSDT", "side": "BUY", "quantity": "1", "price": "900"}
ACCOUNT: Json = {"balances": {"USDT": "1000"}, "positions": [POSITION], "orders": [ORDER], "prices": {"BTCUSDT": {"mark": "1000"}},
                 "rules": {"BTCUSDT": {"brackets": [{"rate": "0.01"}]}}}
GONE = object()


def changed(path: str, value: object) -> Json:
    """The account with one field set, or without it."""
    found: Any = copy.deepcopy(ACCOUNT)
    at = found
    *parents, last = (int(name) if name.isdecimal() else name for name in path.split("."))
    for name in parents:
        at = at[name] if isinstance(name, int) else at.setdefault(name, {})
    if value is GONE:
        del at[last]
    else:
        at[last] = value
    return dict(found)


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("positions.0.quantity", GONE, "positions[0].quantity: expected decimal text, was None"),
        ("positions.0.quantity", None, "positions[0].quantity: expected decimal text, was None"),
        ("positions.0.quantity", "", "positions[0].quantity: expected a decimal number, was ''"),
        ("positions.0.leverage", "", "positions[0].leverage: expected a decimal number, was ''"),
        ("prices.BTCUSDT.mark", "", "prices.BTCUSDT.mark: expected a decimal number, was ''"),
        ("prices.BTCUSDT", {"bid": "2", "ask": "1"}, "prices.BTCUSDT.bid: expected at or below ask 1, was 2"),
        ("orders.0.quantity", GONE, "orders[0].quantity: expected decimal text, was None"),
        ("orders.0.side", GONE, "orders[0].side: expected BUY or SELL, was none"),
        ("orders.0.reduce_only", 0, "orders[0].reduce_only: expected true or false, was 0"),
        ("rules.BTCUSDT.maintenance_margin", "-1", "rules.BTCUSDT.maintenance_margin: expected 0 or more, was -1"),
        ("rules.BTCUSDT.brackets.0.amount", "-1", "rules.BTCUSDT.brackets[0].amount: expected 0 or more, was -1"),
        ("thresholds.auto_reduce", "0", "thresholds: auto_reduce: expected before liquidation 1, was 0"),
    ],
)
def test_a_missing_or_impossible_figure_is_refused(path: str, value: object, says: str) -> None:
    with pytest.raises(BadInput) as refused:
        evaluate_json(changed(path, value))
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("given", "currency"),
    [
        ({}, "USDT"),
        ({"model": "okx_swap", "balances": {"BTC": "1"}}, "BTC"),  # nothing converts it
        ({"model": "okx_swap", "balances": {"BTC": "1"}, "prices": {"BTC-USDT-SWAP": {"mark": "50000"}}}, "USDT"),
        ({"model": "binance_coinm", "balances": {"BTC": "1"}, "prices": {"BTCUSD_PERP": {"mark": "50000"}}}, "BTC"),
        ({"model": "mt5", "balances": {"EUR": "1"}}, "EUR"),
        ({"model": "mt5", "balances": {"EUR": "1"}, "prices": {"EURUSD": {"bid": "1.1", "ask": "1.1"}}}, "USD"),
    ],
)
def test_an_account_that_names_no_currency_counts_in_the_one_it_can(given: Json, currency: str) -> None:
    said, named = evaluate_json(given), evaluate_json(given | {"currency": currency})
    assert said == named
    assert said["rung"] == "normal"


@pytest.mark.parametrize(
    ("given", "rung", "reasons"),
    [
        ({"orders": [{**ORDER, "symbol": "X", "reduce_only": True}]}, "normal", []),  # takes no margin: needs no price
        ({"orders": [{**ORDER, "symbol": "X"}]}, "unknown", ["missing_mark:X", "missing_rule:X"]),
        ({"balances": {"USDT": "1000", "BNB": "0"}}, "normal", []),
        ({"balances": {"USDT": "1000", "BNB": "1"}}, "normal", ["unconverted:BNB"]),
        ({"balances": {"USDT": "1000", "BNB": "-1"}}, "unknown", ["missing_rate:BNB/USDT"]),
        ({"model": "binance_usdm_multi_asset", "balances": {"USDT": "1000", "BNB": "1"}}, "unknown", ["missing_rate:BNB/USDT"]),
        ({"model": "binance_usdm_multi_asset", "balances": {"USDT": "1000", "BNB": "1"}, "collateral_weights": {"BNB": "0"}}, "normal",
         ["unconverted:BNB"]),
    ],
)
def test_unknown_is_what_a_missing_rate_or_price_would_change(given: Json, rung: str, reasons: list[str]) -> None:
    found = evaluate_json(ACCOUNT | given)
    assert (found["rung"], found["reasons"]) == (rung, reasons)


def test_a_position_that_cannot_be_valued_is_listed_without_figures() -> None:
    rows = [{**POSITION, "symbol": "X"}, POSITION, {**POSITION, "quantity": "0"}]
    found: Any = evaluate_json(ACCOUNT | {"positions": rows})
    said = [(row["symbol"], row["notional"], row["rung"]) for row in found["positions"]]
    assert said == [("X", None, "unknown"), ("BTCUSDT", "1000", "unknown")]
    assert found["positions"][0].keys() == found["positions"][1].keys()


@pytest.mark.parametrize("rule", [{"brackets": [{"rate": "NaN"}]}, {"tier_policy": "x"}, {"brackets": [{"rate": "0.1", "nope": "1"}]}])
def test_a_malformed_table_is_refused_where_nobody_needs_one(rule: Json) -> None:
    with pytest.raises(BadInput, match=r"rules\.X\."):
        evaluate_json({"model": "mt5", "rules": {"X": rule}})


@pytest.mark.parametrize("rule", [{}, {"settle": "BTC"}, {"base": "BTC"}, {"base": "BTC", "quote": "USD", "settle": "BTC"}])
@pytest.mark.parametrize("symbol", ["BTCUSD_PERP", "BTCUSDH25", "X"])
def test_a_coin_margined_contract_is_inverse_whatever_its_name(symbol: str, rule: Json) -> None:
    found = evaluate_json({"model": "binance_coinm", "balances": {"BTC": "2"}, "prices": {symbol: {"mark": "50000"}},
                           "positions": [{"symbol": symbol, "quantity": "600", "entry_price": "60000"}],
                           "rules": {symbol: {"contract_size": "100", "brackets": [{"rate": "0.005"}], **rule}}})
    assert (found["equity"], found["maintenance_margin"]) == ("1.8", "0.006")


def test_a_coin_margined_contract_of_no_known_coin_is_refused() -> None:
    with pytest.raises(BadInput, match=r"rules\.X\.base: expected the coin"):
        evaluate_json({"model": "binance_coinm", "balances": {"BTC": "2", "ETH": "1"}, "rules": {"X": {}}})
