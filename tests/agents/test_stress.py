"""Shocks in one pass: the same rungs as `evaluate` says account by account, on random books of every model."""

import itertools
import json
import random
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest
from msgspec import to_builtins

from agents.evaluate import evaluate_json
from agents.fields import BadInput
from agents.intake import read
from agents.shocks import BadShock, Scenario, scenarios
from agents.stress import Case, Stress
from agents.tally import summed
from tables.rows import RUNG_NAMES

MODELS = ("binance_usdm", "binance_usdm_multi_asset", "binance_coinm", "bybit_linear", "bybit_inverse", "okx_swap", "kucoin_futures", "mt5")
BRACKETS = [{"floor": "0", "cap": "50000", "rate": "0.004"}, {"floor": "50000", "cap": "250000", "rate": "0.01", "amount": "300"},
            {"floor": "250000", "cap": "3000000", "rate": "0.05", "amount": "10300"}]
COINS = [{"floor": "0", "cap": "5", "rate": "0.004"}, {"floor": "5", "cap": "500", "rate": "0.02", "amount": "0.08"}]
CONTRACTS = [{"floor": "0", "cap": "300", "rate": "0.01"}, {"floor": "300", "cap": "9000", "rate": "0.04"}]
PRICES = {"BTC": "60000", "ETH": "3000"}
SHOCKS = scenarios(["all=-0.4:0.4:0.1", "BTCUSDT=-0.15,ETHUSDT=0.2", "ETHUSD=0.3", "EURUSD=-0.05:0.05:0.01", "USDJPY=0.1"])
RUNGS = [name for number, name in RUNG_NAMES.items() if number]


def account(model: str, dice: random.Random) -> dict[str, Any]:
    return fx(dice) if model == "mt5" else exchange(model, dice)


def exchange(model: str, dice: random.Random) -> dict[str, Any]:
    inverse = model in ("binance_coinm", "bybit_inverse") or (model in ("okx_swap", "kucoin_futures") and dice.random() < 0.4)
    currency = dice.choice(["BTC", "ETH"]) if inverse else "USDT"
    quote = "USD" if inverse else "USDT"
    coins = [currency] if inverse else dice.sample(["BTC", "ETH"], dice.randint(1, 2))
    positions: list[dict[str, Any]] = []
    rules: dict[str, Any] = {}
    for coin in coins:
        symbol = coin + quote
        contract = Decimal(100) if inverse else Decimal("0.01") if model in ("okx_swap", "kucoin_futures") else Decimal(1)
        price = Decimal(PRICES[coin])
        value = Decimal(dice.randint(100, 400_000))
        quantity = (value / contract if inverse else value / price / contract).quantize(Decimal("0.001"))
        flat = model == "okx_swap"
        rules[symbol] = {"brackets": CONTRACTS if flat else COINS if inverse else BRACKETS, "base": coin, "quote": quote,
                         "settle": coin if inverse else quote, "contract_size": str(contract), "taker_fee": "0.0005",
                         **({"tier_policy": "flat", "tier_unit": "contracts"} if flat else {"tier_unit": "settle"} if inverse else {})}
        if quantity:
            positions += legs(model, symbol, quantity, (price, dice))
    unit = Decimal(PRICES[currency]) if inverse else Decimal(1)
    wallet = (Decimal(dice.randint(1, 100_000)) / unit).quantize(Decimal("0.00001"))
    balances = {currency: str(wallet + sum(Decimal(one.get("isolated_wallet") or 0) for one in positions))}
    found = {"model": model, "currency": currency, "balances": balances, "positions": positions, "rules": rules,
             "prices": {coin + quote: {"mark": price} for coin, price in PRICES.items()}, "previous_rung": dice.choice(RUNGS[:4])}
    if model == "binance_usdm_multi_asset":
        balances["BTC"] = str(Decimal(dice.randint(-50, 100)) / 100)
        found |= {"collateral_weights": {"BTC": "0.95"}}
        rules.setdefault("BTCUSDT", {"brackets": BRACKETS, "base": "BTC", "quote": "USDT"})
    return found


def legs(model: str, symbol: str, quantity: Decimal, around: tuple[Decimal, random.Random]) -> list[dict[str, Any]]:
    price, dice = around
    entry = str((price * Decimal(dice.randint(80, 120)) / 100).quantize(Decimal("0.1")))
    common = {"symbol": symbol, "entry_price": entry, "leverage": str(dice.choice([1, 5, 20, 50]))}
    if dice.random() < 0.2:
        return [common | {"side": side, "quantity": str(quantity * share)} for side, share in (("LONG", 1), ("SHORT", 2))]
    isolated = model != "binance_usdm_multi_asset" and dice.random() < 0.3
    sign = dice.choice([1, -1])
    margin = {"margin_mode": "isolated", "isolated_wallet": str(dice.randint(1, 3) if "USDT" not in symbol else dice.randint(50, 20_000))}
    return [common | {"quantity": str(quantity * sign)} | (margin if isolated else {})]


def fx(dice: random.Random) -> dict[str, Any]:
    prices = {"EURUSD": ("1.0790", "1.0792"), "USDJPY": ("150.10", "150.13"), "EURJPY": ("162.0", "162.05"), "XAUUSD": ("2000", "2001")}
    rules = {name: {"base": name[:3], "quote": name[3:], "contract_size": "100" if name == "XAUUSD" else "100000",
                    "calc_mode": dice.choice(["CFD", "CFD_LEVERAGE"]) if name == "XAUUSD" else "FOREX"} for name in prices}
    positions: list[dict[str, Any]] = []
    for name in dice.choices(list(prices), k=dice.randint(1, 4)):
        entry = Decimal(prices[name][0]) * Decimal(dice.randint(95, 105)) / 100
        positions.append({"id": len(positions), "symbol": name, "side": dice.choice(["LONG", "SHORT"]), "entry_price": str(entry),
                          "quantity": str(Decimal(dice.randint(1, 300)) / 100), "swap": str(dice.randint(-50, 10)), "commission": "-7",
                          **({"open_rate": "1.05"} if name == "EURUSD" else {})})
    names = ("mode", "warning", "margin_call", "liquidation", "release")
    mode = dice.choice([(), ("money", "5000", "2000", "100", "3000"), ("ratio", "0.8", "0.9", "1", "0.7")])
    return {"model": "mt5", "currency": "USD", "leverage": "100", "balances": {"USD": str(dice.randint(500, 30_000))},
            "positions": positions, **({"thresholds": dict(zip(names, mode, strict=True))} if mode else {}),
            "credit": str(dice.choice([0, 100])), "prices": {name: {"bid": bid, "ask": ask} for name, (bid, ask) in prices.items()},
            "rules": rules, "previous_rung": dice.choice(RUNGS[:4])}


def shocked(raw: dict[str, Any], scenario: Scenario) -> dict[str, Any]:
    prices = {symbol: {field: str(Decimal(price) * scenario.factor(symbol)) for field, price in row.items()}
              for symbol, row in raw["prices"].items()}
    return raw | {"prices": prices}


def rung_of(raw: dict[str, Any]) -> str:
    try:
        return str(evaluate_json(raw)["rung"])
    except BadInput as error:
        assert "above final cap" in str(error)
        return "unknown"


def stressed(books: list[dict[str, Any]]) -> Stress:
    stress = Stress()
    for number, raw in enumerate(books):
        intake = read(raw)
        stress.add(Case((f"live:{number}", "a"), intake.book, intake.market, intake.thresholds, intake.previous))
    return stress


@pytest.mark.parametrize("model", MODELS)
def test_rungs_are_those_of_the_law_under_every_shock(model: str) -> None:
    dice = random.Random(f"stress {model}")
    books = [account(model, dice) for _ in range(120)]
    found: Any = to_builtins(stressed(books).run(SHOCKS))
    for scenario, told in zip(SHOCKS, found["scenarios"], strict=True):
        # Whoever cannot be judged now is counted as unknown throughout.
        expected = Counter("unknown" if rung_of(raw) == "unknown" else rung_of(shocked(raw, scenario)) for raw in books)
        assert told["rungs"] == {name: expected[name] for name in RUNGS}, (model, scenario.text)
    assert found["exact"] < len(books) / 2  # most are laid as lines: else this test says nothing of them
    assert len({json.dumps(told["rungs"]) for told in found["scenarios"]}) > 3


def bull(wallet: str, quantity: str = "1") -> dict[str, Any]:
    return {"model": "binance_usdm", "balances": {"USDT": wallet}, "prices": {"BTCUSDT": {"mark": "60000"}},
            "positions": [{"symbol": "BTCUSDT", "quantity": quantity, "entry_price": "60000", "leverage": "10"}]}


def test_what_is_liquidated_at_which_price_and_who_goes_first() -> None:
    books = [bull("20000"), bull("6000"), bull("6000", "-0.5"), bull("600000")]
    found: Any = to_builtins(stressed(books).run(scenarios(["BTCUSDT=-0.2:0.3:0.1"])))
    by_shock = {row["shock"]: row for row in found["scenarios"]}
    assert by_shock["BTCUSDT=-0.1"]["liquidation"] == {"binance_usdm:BTCUSDT": {"price": "54000", "long": "54000", "short": "0"}}
    assert by_shock["BTCUSDT=0.2"]["liquidation"] == {"binance_usdm:BTCUSDT": {"price": "72000", "long": "0", "short": "36000"}}
    assert by_shock["now"]["liquidation"] == {}
    assert [(one["user"], one["shock"]) for one in found["first"]] == [("live:1", "BTCUSDT=-0.1"), ("live:2", "BTCUSDT=0.2")]
    assert {row["shock"]: row["newly_liquidated"] for row in found["scenarios"] if row["newly_liquidated"]} == {
        "BTCUSDT=-0.1": 1, "BTCUSDT=0.2": 1}


def test_parts_of_a_book_sum_to_the_whole() -> None:
    dice = random.Random("parts")
    books = [account(model, dice) for model in MODELS for _ in range(30)]
    grid = scenarios(["all=-0.3:0.3:0.1"])
    whole: Any = to_builtins(stressed(books).run(grid, 5))
    parts: Any = to_builtins(summed([stressed(some).run(grid, 5) for some in (books[:100], books[100:], [])], 5))
    for one, other in zip(whole["scenarios"], parts["scenarios"], strict=True):
        assert one["rungs"] == other["rungs"]
        assert one["newly_liquidated"] == other["newly_liquidated"]
        assert one["liquidation"].keys() == other["liquidation"].keys()
        for name, side in itertools.product(one["liquidation"], ("long", "short")):
            amount, again = (Decimal(row["liquidation"][name][side]) for row in (one, other))
            assert abs(amount - again) <= Decimal("0.0000001") + amount / 10**12
    assert list(whole["first"]) == [one | {"user": early["user"]} for one, early in zip(parts["first"], whole["first"], strict=True)]


def test_accounts_without_a_price_are_counted_not_moved() -> None:
    found: Any = to_builtins(stressed([bull("6000") | {"prices": {}}, bull("6000")]).run(scenarios(["all=-0.2"])))
    assert (found["accounts"], found["unjudged"]) == (2, 1)
    assert [row["rungs"]["unknown"] for row in found["scenarios"]] == [1, 1]


@pytest.mark.parametrize("text", ["", "BTCUSDT", "BTCUSDT=", "=1", "all=-1", "all=x", "all=NaN", "all=0.1,all=0.2", "all=0:1",
                                  "all=1:0:0.1", "all=0:1:0", "all=0:1:0.0001", "a=0:1:0.5,b=0:1:0.5"])
def test_a_bad_shock_is_refused(text: str) -> None:
    with pytest.raises(BadShock):
        scenarios([text])


def test_the_nearest_name_says_the_shock() -> None:
    [_, one] = scenarios(["all=-0.1,BTCUSDT=-0.2,bybit_v5:BTCUSDT=-0.3"])
    assert [str(one.factor(name)) for name in ("okx_v5:ETHUSDT", "binance_usdm:BTCUSDT", "bybit_v5:BTCUSDT")] == ["0.9", "0.8", "0.7"]


PERCENT = {"thresholds": {"mode": "percent", "warning": "50", "margin_call": "30", "liquidation": "10", "release": "40"}}
STOCK = {"model": "mt5", "balances": {"USD": "5000"}, "prices": {"AAPL": {"bid": "200", "ask": "200.1", "last": "200"}},
         "rules": {"AAPL": {"base": "AAPL", "quote": "USD", "contract_size": "1", "calc_mode": "EXCH_STOCKS"}},
         "positions": [{"symbol": "AAPL", "side": "SHORT", "quantity": "40", "entry_price": "200"}]}


@pytest.mark.parametrize("raw", [bull("20000") | PERCENT, STOCK], ids=["initial margin decides", "margin at the last price"])
def test_what_no_line_stands_for_is_asked_of_the_law(raw: dict[str, Any]) -> None:
    grid = scenarios(["all=-0.6:0.9:0.1"])
    found: Any = to_builtins(stressed([raw]).run(grid))
    assert found["exact"] == 1
    rungs = [rung_of(shocked(raw, scenario)) for scenario in grid]
    assert [next(name for name, count in row["rungs"].items() if count) for row in found["scenarios"]] == rungs
    assert {"normal", "liquidation"} <= set(rungs)
    assert [bool(row["liquidation"]) for row in found["scenarios"]] == [rung == "liquidation" for rung in rungs]
