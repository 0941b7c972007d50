"""The public cases whose model has a law, through `evaluate_json`, at their stated tolerance."""

import json
from collections import Counter
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest

from agents.evaluate import evaluate_json

CASES = Path(__file__).parents[2] / ".." / "shared" / "cases"
D = Decimal
Case = dict[str, Any]
RAN_AT_LEAST = 35


def tier(row: Case) -> Case:
    return {"floor": row["floor"], "cap": row["cap"], "rate": row["mmr"], "amount": row["cum"]}


def usdm(wallet: str, positions: list[Case], prices: dict[str, str], tiers: list[Case]) -> Case:
    rule = {"brackets": tiers}
    return evaluate_json(
        {
            "balances": {"USDT": wallet},
            "positions": positions,
            "prices": {name: {"mark": price} for name, price in prices.items()},
            "rules": dict.fromkeys(prices, rule),
        }
    )


def snapshot_cross(given: Case) -> Case:
    rows = [
        {"symbol": row["symbol"], "quantity": row["qty"], "entry_price": row["entry"], "leverage": row["leverage"]}
        for row in given["positions"]
    ]
    found = usdm(
        given["wallet_balance"], rows, {row["symbol"]: row["mark"] for row in given["positions"]}, [tier(row) for row in given["tiers"]]
    )
    return {
        "margin_balance": found["equity"],
        "initial_margin": found["initial_margin"],
        "maintenance_margin": found["maintenance_margin"],
        "available_balance": found["free_margin"],
        "per_position_upnl": [row["unrealised_pnl"] for row in found["positions"]],
        "liquidated": [row["symbol"] for row in found["positions"] if row["rung"] == "liquidation"],
    }


def liquidation_price(given: Case) -> Case:
    [row] = given["positions"]
    held = {
        "symbol": "X",
        "side": "BOTH",
        "quantity": str(D(row["qty"]) * D(row["direction"])),
        "entry_price": row["entry"],
        "margin_mode": "isolated",
        "isolated_wallet": given["wallet_balance"],
    }
    found = usdm(given["wallet_balance"], [held], {"X": row["entry"]}, [{"rate": row["mmr"], "amount": row["cum"]}])["positions"][0]
    return {"liquidation_price": found["liquidation_price_below" if row["direction"] == "1" else "liquidation_price_above"]}


def mm_tiered(given: Case) -> Case:
    held = {"symbol": "X", "quantity": given["qty"], "entry_price": "1"}
    return {"maintenance_margin": usdm("0", [held], {"X": given["mark"]}, [tier(row) for row in given["tiers"]])["maintenance_margin"]}


def tier_lookup(given: Case) -> Case:
    held = {"symbol": "X", "quantity": given["notional"], "entry_price": "1"}
    found = usdm("0", [held], {"X": "1"}, [tier(row) for row in given["tiers"]])["positions"][0]
    return {"mmr": found["bracket_rate"], "cum": str(D(given["notional"]) * D(found["bracket_rate"]) - D(found["maintenance_margin"]))}


def position_risk(given: Case) -> Case:
    held = {"symbol": "X", "quantity": given["qty"], "entry_price": given["entry"], "leverage": given["leverage"]}
    found = usdm("0", [held], {"X": given["mark"]}, [{"rate": given["mmr"], "amount": given["cum"]}])["positions"][0]
    return {name: found[name] for name in ("notional", "unrealised_pnl", "initial_margin", "maintenance_margin")}


def mt5_margin(given: Case) -> Case:
    rule = {
        "contract_size": given["contract_size"],
        "calc_mode": given["calc_mode"],
        "margin_rate": given.get("margin_rate", "1"),
        "base": "AAA",
        "quote": "BBB",
    }
    rates = {"AAA/USD": given.get("base_to_account", "1"), "BBB/USD": given.get("quote_to_account", "1")}
    price = given.get("price", "1")
    held = {"symbol": "X", "side": "LONG", "quantity": given["lots"], "entry_price": price}
    found = evaluate_json(
        {
            "model": "mt5",
            "positions": [held],
            "prices": {"X": {"bid": price, "ask": price, "last": price}},
            "rules": {"X": rule},
            "rates": rates,
            "leverage": given.get("leverage"),
        }
    )
    return {"margin": found["initial_margin"]}


def fx_account(given: Case) -> Case:
    rules, prices, rates, held = {}, {}, {}, []
    for at, row in enumerate(given["positions"]):
        rules[row["pair"]] = {"contract_size": "1", "calc_mode": "CFD_LEVERAGE", "base": f"B{at}", "quote": f"Q{at}"}
        prices[row["pair"]] = {"bid": row["bid"], "ask": row["ask"]}
        rates[f"Q{at}/USD"] = row["quote_to_account_now"]
        held.append(
            {
                "symbol": row["pair"],
                "side": "LONG" if row["direction"] == "1" else "SHORT",
                "quantity": row["units"],
                "entry_price": row["open_price"],
                "leverage": row["leverage"],
                "open_rate": row["quote_to_account_open"],
            }
        )
    found = evaluate_json(
        {"model": "mt5", "balances": {"USD": given["balance"]}, "positions": held, "prices": prices, "rules": rules, "rates": rates}
    )
    return {
        "equity": found["equity"],
        "margin": found["initial_margin"],
        "free_margin": found["free_margin"],
        "unrealised_pnl": found["unrealised_pnl"],
    }


ADAPTERS: dict[tuple[str, str], Callable[[Case], Case]] = {
    ("binance_usdm", "SNAPSHOT_CROSS"): snapshot_cross,
    ("binance_usdm", "BIN_LP"): liquidation_price,
    ("binance_usdm", "MM_TIERED"): mm_tiered,
    ("binance_usdm", "TIER_LOOKUP"): tier_lookup,
    ("binance_usdm", "BIN_POSITION_RISK"): position_risk,
    ("mt5", "MT5_MARGIN"): mt5_margin,
    ("laminar_fx", "FX_ACCOUNT"): fx_account,
}


def close_to(found: object, wanted: object, tolerance: dict[str, str]) -> bool:
    if isinstance(wanted, list):
        return (
            isinstance(found, list)
            and len(found) == len(wanted)
            and all(close_to(a, b, tolerance) for a, b in zip(found, wanted, strict=True))
        )
    try:
        a, b = D(str(found)), D(str(wanted))
    except ArithmeticError:
        return found == wanted
    if "round_dp" in tolerance:
        return a.quantize(D(1).scaleb(-int(tolerance["round_dp"])), ROUND_HALF_UP) == b
    return abs(a - b) <= D(tolerance.get("abs", "0")) + D(tolerance.get("rel", "0")) * abs(b)


def test_public_cases() -> None:
    if not CASES.is_dir():
        pytest.skip(f"the public cases are not beside the checkout: {CASES}")
    ran, left, wrong = Counter[str](), Counter[str](), []
    for path in sorted(CASES.glob("*.json")):
        for case in json.loads(path.read_text()).get("cases", []):
            adapter = ADAPTERS.get((case["model"], case["formula"]))
            if adapter is None:
                left[f"{case['model']}/{case['formula']}"] += 1
                continue
            ran[case["formula"]] += 1
            found = adapter(case["inputs"])
            wrong += [
                (case["id"], name, found[name], wanted)
                for name, wanted in case["expected"].items()
                if name in found and not close_to(found[name], wanted, case["tolerance"])
            ]
    print("ran", dict(ran), "not ours or not yet", dict(left))
    assert wrong == []
    assert ran.total() >= RAN_AT_LEAST
