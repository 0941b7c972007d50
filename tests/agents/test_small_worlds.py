"""Small worlds, all of them: model x side x margin mode x tier policy x tier unit x place around an edge x wallet, against the oracle."""

import itertools
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from agents.evaluate import evaluate_json
from tests.agents.accounts import EXCHANGES, FX_RATES, MODES, PAIRS, RATES
from tests.agents.oracle_campaign import differences

Json = dict[str, Any]
HELD: dict[str, list[tuple[str, str]]] = {
    "long": [("BOTH", "10")], "short": [("BOTH", "-10")], "hedged long": [("LONG", "10")], "hedged short": [("SHORT", "10")],
    "even hedge": [("LONG", "10"), ("SHORT", "10")], "long hedge": [("LONG", "10"), ("SHORT", "4")],
    "short hedge": [("LONG", "4"), ("SHORT", "10")],
}
WALLETS = ("0", "15", "100")  # of 10 contracts worth 1,000: gone, between what two tiers require, healthy
MARKS = ("99.99", "100", "200")  # below an edge, on it, on the next
# A table whose first edge is met at a mark of 100 by 10 contracts, its second at 200.
TIERS = {"progressive": ("0", "10", "60"), "flat": ("0", "0", "0")}


def world(model: str, inverse: bool, held: str, mode: str, policy: str) -> Json:
    symbol, settle = ("AAAUSD", "AAA") if inverse else ("AAAUSDT", "USDT")
    amounts = TIERS[policy]
    tiers = [{"floor": "0", "cap": "1000", "rate": "0.01", "amount": amounts[0]},
             {"floor": "1000", "cap": "2000", "rate": "0.02", "amount": amounts[1]},
             {"floor": "2000", "cap": None, "rate": "0.045", "amount": amounts[2]}]
    row = {"symbol": symbol, "entry_price": "100", "leverage": "10", "margin_mode": mode}
    size = "10000" if inverse else "1"  # inverse: 10 x 10,000 / 100 = 1,000 coins at the first edge
    rule = {"base": "AAA", "quote": "USD" if inverse else "USDT", "settle": settle, "contract_size": size, "tier_policy": policy,
            "tier_unit": "notional", "taker_fee": "0.001", "quantity_step": "0", "brackets": tiers}
    return {"model": model, "currency": "USDT", "balances": {settle: "0"}, "prices": {symbol: {"mark": "100"}}, "rules": {symbol: rule},
            "positions": [{**row, "side": side, "quantity": quantity} for side, quantity in HELD[held]], "rates": dict(RATES),
            "collateral_weights": {"USDT": "0.9"}}


def kinds() -> list[tuple[str, bool]]:
    """Every model with the kinds of contract it may hold."""
    both = [(model, inverse) for model in ("bybit_linear", "bybit_inverse", "okx_swap", "kucoin_futures") for inverse in (False, True)]
    return [("binance_usdm", False), ("binance_usdm_multi_asset", False), ("binance_coinm", True), *both]


def given_worlds(model: str, inverse: bool) -> Iterator[tuple[tuple[str, ...], Json]]:
    modes = ("cross",) if model == "binance_usdm_multi_asset" else ("cross", "isolated")
    units = ("notional",) if model.startswith("binance_usdm") else ("notional", "contracts")
    for name in itertools.product(HELD, modes, TIERS, units, MARKS, WALLETS):
        held, mode, policy, unit, mark, wallet = name
        given = world(model, inverse, held, mode, policy)
        [rule], [prices] = given["rules"].values(), given["prices"].values()
        prices["mark"] = mark
        if unit == "contracts":  # the first edge is at 10 contracts, the second at 20
            rule["tier_unit"] = unit
            for tier in rule["brackets"]:
                tier |= {field: str(Decimal(tier[field]) / 100) for field in ("floor", "cap", "amount") if tier[field] is not None}
        given["balances"] = dict.fromkeys(given["balances"], wallet)
        for row in given["positions"] if mode == "isolated" else ():
            row["isolated_wallet"] = wallet
        yield name, given


@pytest.mark.parametrize(("model", "inverse"), kinds())
def test_every_small_world(model: str, inverse: bool) -> None:
    assert [(name, found) for name, given in given_worlds(model, inverse) for found in differences(given)] == []


def test_the_models_are_all_tried() -> None:
    assert {model for model, _ in kinds()} == set(EXCHANGES)


@pytest.mark.parametrize(
    ("model", "rate"), [("binance_usdm", "0.02"), ("bybit_linear", "0.01"), ("okx_swap", "0.01"), ("kucoin_futures", "0.01")]
)
def test_on_an_edge_the_model_says_which_tier(model: str, rate: str) -> None:
    found = evaluate_json(world(model, False, "long", "cross", "flat") | {"balances": {"USDT": "500"}})
    assert [row["bracket_rate"] for row in found["positions"]] == [rate]  # type: ignore[attr-defined]


def test_a_flat_tiers_jump_is_a_price_without_a_root() -> None:
    """Healthy with 15 of 10 required at 99.99; at the edge 20 are required: the price above is the edge itself."""
    given = world("binance_usdm", False, "even hedge", "cross", "flat")
    given["balances"], given["prices"] = {"USDT": "30"}, {"AAAUSDT": {"mark": "99"}}
    found: Json = evaluate_json(given)
    for row in found["positions"]:
        assert (row["liquidation_price_below"], row["liquidation_price_above"], row["bankruptcy_price"]) == (None, "100", None)


LOTS = {"long": "L1", "short": "S1", "two tickets": "L1 L2", "even hedge": "L1 S1", "long hedge": "L2 S1", "short hedge": "L1 S2",
        "hedge of three": "L1 S1 L1"}
DIFFERENT = {"FOREX": "EURUSD", "CFD": "XAUUSD", "FOREX_NO_LEVERAGE": "USDJPY"}  # currencies; all others: EURUSD


def fx_world(mode: str, lots: str, hedged: str, open_rate: str | None) -> Json:
    symbol = DIFFERENT.get(mode, "EURUSD")
    base, quote, price = PAIRS[symbol]
    rule = {"base": base, "quote": quote, "contract_size": "100", "calc_mode": mode, "margin_rate": {"long": "1", "short": "0.5"},
            "hedged_mode": hedged, "hedged_factor": "0.25", "initial_margin": "900", "tick_size": "0.01", "tick_value": "0.02"}
    rows = [{"id": str(at), "symbol": symbol, "side": "LONG" if lot[0] == "L" else "SHORT", "quantity": lot[1], "swap": "-1",
             "commission": "-2", "entry_price": price, **({"open_rate": open_rate} if open_rate else {})}
            for at, lot in enumerate(lots.split())]
    return {"model": "mt5", "currency": "USD", "balances": {"USD": "0"}, "positions": rows, "rules": {symbol: rule},
            "rates": {**FX_RATES}, "leverage": "30", "credit": "5",
            "prices": {symbol: {"bid": price, "ask": str(Decimal(price) * Decimal("1.001")), "last": price}}}


@pytest.mark.parametrize("mode", MODES)
def test_every_small_world_of_fx(mode: str) -> None:
    """Mode x side x hedge x how it saves x rate x wallet (nothing, exactly at the stop-out, above) x thresholds."""
    money = {"mode": "money", "warning": "3000", "margin_call": "2000", "liquidation": "1000", "release": "2500"}
    wrong = []
    for lots, hedged, rate, limit in itertools.product(LOTS.values(), ("factor", "larger"), (None, "1.2"), (None, money)):
        given = fx_world(mode, lots, hedged, rate) | ({"thresholds": limit} if limit else {})
        found = evaluate_json(given)
        stop = Decimal(1000) if limit else Decimal(str(found["initial_margin"])) / 2
        exactly = stop - Decimal(str(found["equity"])) + (lots == LOTS["even hedge"])  # its equity never moves: no price is one's own
        for wallet in (Decimal(0), exactly, stop * 3):
            given["balances"]["USD"] = format(wallet, "f")
            wrong += [(lots, hedged, rate, bool(limit), wallet, said) for said in differences(given)]
    assert wrong == []
