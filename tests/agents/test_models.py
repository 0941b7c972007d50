"""Worked examples of each model that no public case pins: shared pools, weights, tiers, orders, conversions, ways to reduce."""

from decimal import Decimal
from typing import Any

import pytest

from agents.evaluate import evaluate_json
from agents.fields import BadInput
from agents.risk.exchange import Exchange
from agents.risk.law import Book
from agents.risk.laws import law_of
from agents.risk.market import Market
from agents.risk.policies import MODEL_POLICIES
from agents.risk.reduce import Style
from agents.risk.rules import Instrument, Thresholds
from agents.risk.tiers import Bracket
from agents.risk.world import Mark
from agents.symbols import pair_of
from tables.rows import Position
from tests.agents.test_cases_models import price_of

D = Decimal
Json = dict[str, Any]
FLAT = {"brackets": [{"rate": "0.01"}]}


def usdt(model: str, *rows: Json, wallet: str = "1000", mark: str = "100", **more: Any) -> Json:
    """An account of BTCUSDT positions at 100 with 1 % required."""
    held = [{"symbol": "BTCUSDT", "entry_price": "100", **row} for row in rows]
    found: Json = {"model": model, "balances": {"USDT": wallet}, "positions": held, "prices": {"BTCUSDT": {"mark": mark}},
                   "rules": {"BTCUSDT": FLAT}}
    return evaluate_json(found | more)


def test_the_worked_example_of_binance() -> None:
    rows = [{"symbol": "ETHUSDT", "side": "LONG", "quantity": "3683.979", "entry_price": "1456.84"},
            {"symbol": "BTCUSDT", "side": "LONG", "quantity": "109.488", "entry_price": "32481.98"}]
    rules = {"ETHUSDT": {"brackets": [{"rate": "0.10", "amount": "135365"}]},
             "BTCUSDT": {"brackets": [{"rate": "0.025", "amount": "16300"}]}}
    prices = {"ETHUSDT": {"mark": "1335.18"}, "BTCUSDT": {"mark": "31967.27"}}
    found: Json = evaluate_json({"balances": {"USDT": "1535443.01"}, "positions": rows, "rules": rules, "prices": prices})
    assert [round(D(row["liquidation_price_below"]), 2) for row in found["positions"]] == [D("1153.26"), D("26316.89")]


def test_bybit_inverse_cross_has_its_published_prices() -> None:
    found = evaluate_json({"model": "bybit_inverse", "balances": {"BTC": "0.5"}, "prices": {"BTCUSD": {"mark": "8000"}},
                           "positions": [{"symbol": "BTCUSD", "side": "LONG", "quantity": "10000", "entry_price": "8000"}],
                           "rules": {"BTCUSD": {"brackets": [{"rate": "0.005"}], "taker_fee": "0.00075"}}})
    assert round(D(found["positions"][0]["bankruptcy_price"]), 2) == D("5718.57")  # type: ignore[index]
    assert found["maintenance_margin"] == "0.00625"


def test_a_short_of_its_own_coin_at_1x_has_no_price_above_a_long_has_one_below() -> None:
    for quantity, direction, none in (("-100", "-1", True), ("100", "1", False)):
        found = evaluate_json({"model": "binance_coinm", "balances": {"BTC": "1"}, "prices": {"BTCUSD_PERP": {"mark": "100"}},
                               "positions": [{"symbol": "BTCUSD_PERP", "quantity": quantity, "entry_price": "100"}],
                               "rules": {"BTCUSD_PERP": {"brackets": [{"rate": "0.004"}]}}})
        assert (price_of(found, direction) is None) is none


def test_linear_and_inverse_stand_side_by_side() -> None:
    found = usdt("bybit_linear", {"quantity": "5"}, {"symbol": "BTCUSD", "quantity": "100", "entry_price": "100"},
                 balances={"USDT": "1000", "BTC": "2"}, prices={"BTCUSDT": {"mark": "100"}, "BTCUSD": {"mark": "50"}},
                 rules={"BTCUSDT": FLAT, "BTCUSD": {**FLAT, "base": "BTC", "quote": "USD", "settle": "BTC"}})
    assert [(pool["asset"], pool["equity"]) for pool in found["pools"]] == [("BTC", "1"), ("USDT", "1000")]
    assert found["equity"] == "1100"  # a coin of what is left at 100 USDT


def test_weights_do_not_shrink_debts() -> None:
    found = usdt("binance_usdm_multi_asset", {"quantity": "1"}, balances={"BTC": "10", "USDT": "-100", "ETH": "-1"},
                 rates={"ETH/USDT": "10"}, collateral_weights={"BTC": "0.95", "USDT": "0.5", "ETH": "0.5"})
    assert (found["equity"], found["wallet_balance"]) == ("840", "890")


def test_both_legs_of_a_cross_hedge_show_the_same_two_prices() -> None:
    found = usdt("binance_usdm", {"side": "LONG", "quantity": "10"}, {"side": "SHORT", "quantity": "9.9"}, wallet="5",
                 rules={"BTCUSDT": {"brackets": [{"rate": "0.001", "cap": "1500"}, {"floor": "1500", "rate": "0.05", "amount": "73.5"}]}})
    prices = {(row["liquidation_price_below"], row["liquidation_price_above"]) for row in found["positions"]}
    assert len(prices) == 1
    assert None not in prices.pop()


def test_a_fee_in_the_requirement_is_not_in_the_maintenance() -> None:
    rule = {"BTCUSDT": {**FLAT, "taker_fee": "0.001"}}
    found, without = (usdt(model, {"quantity": "10"}, wallet="20", rules=rule) for model in ("okx_swap", "kucoin_futures"))
    assert (found["maintenance_margin"], found["margin_ratio"], without["margin_ratio"]) == ("10", "0.55", "0.5")


@pytest.mark.parametrize(
    ("model", "margin"), [("binance_usdm", "11"), ("bybit_linear", "10"), ("okx_swap", "10"), ("kucoin_futures", "10")]
)
def test_isolated_initial_margin_is_at_the_mark_or_the_entry(model: str, margin: str) -> None:
    row = {"quantity": "1", "leverage": "10", "margin_mode": "isolated", "isolated_wallet": "10"}
    assert usdt(model, row, mark="110")["positions"][0]["initial_margin"] == margin


@pytest.mark.parametrize("model", sorted(set(MODEL_POLICIES) - {"binance_usdm"}))
def test_past_the_last_cap_the_last_tier_goes_on_and_says_so(model: str) -> None:
    rule = {"BTCUSDT": {"brackets": [{"rate": "0.01", "cap": "5"}], "settle": "USDT"}}
    found = usdt(model, {"quantity": "10"}, rules=rule, currency="USDT")
    assert (found["reasons"], found["maintenance_margin"], found["rung"]) == (["beyond_table"], "10", "normal")


@pytest.mark.parametrize(
    ("orders", "margin"),
    [
        ([("BUY", "BOTH", "5", "90")], "145"),  # 1,000 held and 450 bid at 10x
        ([("SELL", "BOTH", "5", "110")], "100"),  # reduces
        ([("SELL", "BOTH", "25", None)], "150"),  # turns it: 1,500 short
        ([("BUY", "LONG", "1", "100"), ("SELL", "LONG", "9", "100")], "110"),
        ([("SELL", "SHORT", "1", "100"), ("BUY", "SHORT", "9", "100")], "110"),
    ],
)
def test_orders_take_what_they_may_add(orders: list[tuple[str, str, str, str | None]], margin: str) -> None:
    said = [{"symbol": "BTCUSDT", "side": a, "position_side": b, "quantity": c, "price": d} for a, b, c, d in orders]
    assert usdt("binance_usdm", {"quantity": "10", "leverage": "10"}, orders=said)["initial_margin"] == margin


def test_what_no_venue_would_carry_is_refused_with_the_field_named() -> None:
    with pytest.raises(BadInput, match=r"positions\[1\].leverage: expected 5, as its other leg has, was 6"):
        usdt("bybit_linear", {"side": "LONG", "quantity": "1", "leverage": "5"}, {"side": "SHORT", "quantity": "1", "leverage": "6"})
    with pytest.raises(BadInput, match=r"positions\[0\].margin_mode: expected cross"):
        usdt("binance_usdm_multi_asset", {"quantity": "1", "margin_mode": "isolated", "isolated_wallet": "1"})


@pytest.mark.parametrize(
    ("thresholds", "closed"),
    [
        ({}, ["34"]),  # 0.75 x 88 = 66 left of 100
        ({"release": "0.5"}, ["56"]),
        ({"mode": "percent", "warning": "30", "margin_call": "20", "liquidation": "10", "release": "20"}, ["56"]),  # 10x: 440 of margin
        ({"mode": "money", "warning": "300", "margin_call": "200", "liquidation": "100", "release": "200"}, ["100"]),
    ],
)
def test_the_smallest_reduction_by_each_kind_of_threshold(thresholds: Json, closed: list[str]) -> None:
    found = usdt("bybit_linear", {"quantity": "100", "leverage": "10"}, wallet="88", thresholds=thresholds)
    assert [step["quantity"] for step in found["liquidation_plan"] if step["action"] == "close"] == closed


def test_steps_and_smallest_orders() -> None:
    rule = {**FLAT, "quantity_step": "10", "min_quantity": "50"}
    found = usdt("bybit_linear", {"quantity": "100"}, wallet="88", rules={"BTCUSDT": rule})
    assert found["liquidation_plan"][1]["quantity"] == "50"
    found = usdt("bybit_linear", {"quantity": "100"}, wallet="88", rules={"BTCUSDT": {**rule, "min_quantity": "60"}})
    assert found["liquidation_plan"][1]["quantity"] == "100"  # 40 would be left, which no order could close


def test_a_style_caps_what_a_round_closes() -> None:
    name = "x:BTCUSDT"
    rule = Instrument(name, "BTC", "USDT", "USDT", brackets=(Bracket(D(0), None, D("0.01")),))
    book = Book("bybit_linear", "USDT", {"USDT": D(88)}, {"a": Position(name, quantity=D(100), entry_price=D(100))})
    capped = Exchange(MODEL_POLICIES["bybit_linear"], Style(share_max=D("0.2")))
    for law, quantity in ((law_of("bybit_linear"), 34), (capped, 20)):
        found = law.evaluate(book, Market({name: Mark(name, mark=D(100))}, lambda _: rule), Thresholds())
        assert [close.quantity for close in law.plan(found, Thresholds())] == [quantity]


@pytest.mark.parametrize(
    ("symbol", "base", "quote"),
    [("BTCUSDT", "BTC", "USDT"), ("BTCUSD_PERP", "BTC", "USD"), ("BTC-USDT-SWAP", "BTC", "USDT"), ("XBTUSDM", "XBT", "USD"),
     ("XBTUSDTM", "XBT", "USDT"), ("BTCUSDT_250328", "BTC", "USDT"), ("1000PEPEUSDC", "1000PEPE", "USDC"), ("BTCUSDH25", "BTC", "USD"),
     ("BTCUSDT-26DEC25", "BTC", "USDT"), ("BTC-26DEC25", "BTC", "USDC"), ("BTCPERP", "BTC", "USDC"), ("XBTMU25", "XBT", "USD")],
)
def test_names_say_their_currencies(symbol: str, base: str, quote: str) -> None:
    assert pair_of(symbol) == (base, quote)


def test_fx_converts_through_one_pair_between_in_either_direction() -> None:
    """GBPJPY on a EUR account: margin GBP > USD > EUR bought at the asks, the loss JPY > USD > EUR likewise."""
    prices = {"GBPJPY": {"bid": "189", "ask": "189.1"}, "EURUSD": {"bid": "1.1", "ask": "1.1002"},
              "USDJPY": {"bid": "150", "ask": "150.02"}, "GBPUSD": {"bid": "1.25", "ask": "1.2502"}}
    found = evaluate_json({"model": "mt5", "currency": "EUR", "balances": {"EUR": "1000"}, "leverage": "100", "prices": prices,
                           "positions": [{"symbol": "GBPJPY", "side": "LONG", "quantity": "0.1", "entry_price": "190"}]})
    assert round(D(str(found["initial_margin"])), 8) == round(D(100) * D("1.2502") / D("1.1"), 8)
    assert round(D(str(found["unrealised_pnl"])), 8) == round(D(-10_000) / 150 / D("1.1"), 8)


def test_stocks_without_a_last_price_are_unknown_not_free() -> None:
    found = evaluate_json({"model": "mt5", "prices": {"X": {"bid": "1", "ask": "1"}},
                           "rules": {"X": {"calc_mode": "EXCH_STOCKS", "base": "X", "quote": "USD"}},
                           "positions": [{"symbol": "X", "side": "LONG", "quantity": "1", "entry_price": "1"}]})
    assert (found["rung"], found["reasons"]) == ("unknown", ["missing_mark:X"])


@pytest.mark.parametrize(
    ("lots", "rates", "margin"),
    [
        (("1", "1"), {"long": "1", "short": "2"}, "2000"),
        (("3", "2"), {"long": "1", "short": "2"}, "4000"),  # fewer lots, more margin
        (("3", "1"), {"long": "1", "short": "2"}, "3000"),
        (("3", "0"), {"long": "1", "short": "2"}, "3000"),
    ],
)
def test_the_larger_leg_is_the_one_of_more_margin(lots: tuple[str, str], rates: Json, margin: str) -> None:
    rows = [{"symbol": "EURUSD", "side": side, "quantity": quantity, "entry_price": "1", "open_rate": "1"}
            for side, quantity in zip(("LONG", "SHORT"), lots, strict=True)]
    found = evaluate_json({"model": "mt5", "balances": {"USD": "10000"}, "leverage": "100", "positions": rows,
                           "rules": {"EURUSD": {"hedged_mode": "larger", "margin_rate": rates}},
                           "prices": {"EURUSD": {"bid": "1", "ask": "1"}}})
    assert found["initial_margin"] == margin


@pytest.mark.parametrize(
    ("more", "price", "gone"),
    [
        ({}, D(50_050) / D("1.94"), D(49_900) / D("1.95")),  # a coin beside a coin's contract falls with it
        ({"rates": {"BTC/USDT": "49000"}}, D(3_500) / D("0.99"), D(3_350)),  # a given rate stays
    ],
)
def test_collateral_falls_with_the_contract_of_its_own_coin(more: Json, price: Decimal, gone: Decimal) -> None:
    rows = [{"quantity": "1", "entry_price": "50000"}, {"symbol": "ETHUSDT", "quantity": "-5", "entry_price": "3000"}]
    given: Json = {"balances": {"USDT": "100", "BTC": "1"}, "collateral_weights": {"BTC": "0.95", "USDT": "0.99"},
                   "rules": {"BTCUSDT": FLAT, "ETHUSDT": FLAT}, **more}
    prices = {"BTCUSDT": {"mark": "49000"}, "ETHUSDT": {"mark": "3000"}}
    row = usdt("binance_usdm_multi_asset", *rows, **given, prices=prices)["positions"][0]
    assert [round(D(row[name]), 12) for name in ("liquidation_price_below", "bankruptcy_price")] == [round(price, 12), round(gone, 12)]
    prices["BTCUSDT"]["mark"] = row["liquidation_price_below"]
    assert usdt("binance_usdm_multi_asset", *rows, **given, prices=prices)["margin_ratio"] == "1"


@pytest.mark.parametrize(("model", "mode", "rung"), [("binance_usdm", "percent", "margin_call"), ("mt5", "ratio", "margin_call")])
def test_a_mode_of_thresholds_has_its_own_defaults(model: str, mode: str, rung: str) -> None:
    row = {"symbol": "X", "side": "LONG", "quantity": "1", "entry_price": "100"}
    found = evaluate_json({"model": model, "currency": "USD", "balances": {"USD": "99" if mode == "percent" else "105"}, "positions": [row],
                           "prices": {"X": {"bid": "100", "ask": "100", "mark": "100"}}, "thresholds": {"mode": mode},
                           "rules": {"X": {"calc_mode": "CFD", "brackets": [{"rate": "0.01"}]}}})
    assert found["rung"] == rung
