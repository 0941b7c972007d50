"""The public cases of the other models: OKX, Bybit, inverse contracts, funding, fills, stop-outs; each through the public functions."""

import json
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from agents.evaluate import evaluate_json
from agents.risk.formulas import funding_payment, leverage_max, lots_max, open_loss
from agents.risk.fx import largest_loser
from agents.risk.rules import Instrument
from agents.risk.tiers import Bracket
from tables.fills import fill
from tables.rows import Position
from tests.agents.test_cases import ADAPTERS as FIRST
from tests.agents.test_cases import CASES, close_to

D = Decimal
Case = dict[str, Any]
OTHERS = ("dydx", "drift", "bluefin", "vega", "nautilus", "fastback")  # venues that this project does not implement
ELSEWHERE = {"UPNL_LINEAR", "NOTIONAL", "ISO_MARGIN", "MARGIN_LEVEL", "SO_EQUITY", "MT5_MARGIN_DIV", "FX_CONVERT", "CUM_RECURRENCE"}
RAN_AT_LEAST = 40


def one(model: str, row: Case, rule: Case, mark: str, *, wallet: str = "0") -> Case:
    """An account of one position; inverse where the rule settles in its base."""
    held = {"symbol": "X", **row}
    asset = rule.get("settle", "USDT")
    found: Case = evaluate_json({"model": model, "currency": asset, "balances": {asset: wallet}, "positions": [held],
                                 "prices": {"X": {"mark": mark}}, "rules": {"X": {"base": "AAA", "quote": "USDT", **rule}}})
    return found


def price_of(found: Case, direction: str) -> str | None:
    said: str | None = found["positions"][0]["liquidation_price_below" if direction == "1" else "liquidation_price_above"]
    return said


def signed(given: Case, field: str = "qty") -> str:
    return str(D(given[field]) * D(given["direction"]))


def fee_adjusted(given: Case) -> Case:
    row = {"quantity": signed(given), "entry_price": given["entry"], "margin_mode": "isolated", "isolated_wallet": given["margin"]}
    rule = {"brackets": [{"rate": given["mmr"]}], "taker_fee": given["taker_fee"]}
    return {"liquidation_price": price_of(one("okx_swap", row, rule, given["entry"], wallet=given["margin"]), given["direction"])}


def bybit_isolated(given: Case) -> Case:
    margin = D(given["qty"]) * D(given["entry"]) / D(given["leverage"])
    row = {"quantity": signed(given), "entry_price": given["entry"], "leverage": given["leverage"], "margin_mode": "isolated",
           "isolated_wallet": str(margin + D(given["extra_margin"]))}
    rule = {"brackets": [{"rate": given["mmr"], "amount": given["mm_deduction"]}]}
    found = one("bybit_linear", row, rule, given["entry"], wallet=str(margin))
    return {"liquidation_price": price_of(found, given["direction"]), "initial_margin": found["positions"][0]["initial_margin"],
            "maintenance_margin": found["positions"][0]["maintenance_margin"]}


def equity_form(given: Case) -> Case:
    """The rest of the account stands in the wallet: what others require lowers it."""
    own = abs(D(given["position_size"])) * D(given["mark_price"]) * D(given["mmr"])
    wallet = D(given["equity"]) - (D(given["total_maintenance"]) - own)
    row = {"quantity": given["position_size"], "entry_price": given["mark_price"]}
    found = one("binance_usdm", row, {"brackets": [{"rate": given["mmr"]}]}, given["mark_price"], wallet=str(wallet))
    return {"liquidation_price": price_of(found, "1" if D(given["position_size"]) > 0 else "-1")}


COIN = {"quote": "USD", "settle": "AAA"}


def bybit_inverse_cross(given: Case) -> Case:
    row = {"quantity": given["qty_usd"], "entry_price": given["entry"]}
    rule = {**COIN, "brackets": [{"rate": given["mmr"]}], "taker_fee": given["taker_fee"]}
    found = one("bybit_inverse", row, rule, given["entry"], wallet=given["balance"])
    return {"liquidation_price": price_of(found, "1"), "bankruptcy_price": found["positions"][0]["bankruptcy_price"]}


def inverse_position(given: Case) -> Case:
    quantity = str(D(given["qty_usd"]) * D(given.get("direction", "1")))
    row = {"quantity": quantity, "entry_price": given["entry"], "leverage": given["leverage"]}
    rule = {**COIN, "brackets": [{"rate": given.get("mmr", "0")}]}
    found = one("bybit_inverse", {**row, "margin_mode": "isolated", "isolated_wallet": "1"}, rule, given["entry"])["positions"][0]
    return {"position_value": found["notional"], "initial_margin": found["initial_margin"],
            "initial_margin_sats": str(D(found["initial_margin"]) * 10**8)}


def inverse_price(given: Case) -> Case:
    """Maintenance at the entry, as Bybit has it for isolated positions."""
    coins = 1 / D(given["entry"]) / D(given["leverage"])
    row = {"quantity": given["direction"], "entry_price": given["entry"], "margin_mode": "isolated", "isolated_wallet": f"{coins:.25f}"}
    found = one("bybit_inverse", row, {**COIN, "brackets": [{"rate": given["mmr"]}]}, given["entry"])
    return {"liquidation_price": price_of(found, given["direction"])}


def inverse_unrealised(given: Case) -> Case:
    rule = {**COIN, "contract_size": given["contract_value"], "brackets": [{"rate": "0"}]}
    row = {"quantity": signed(given, "contracts"), "entry_price": given["entry"]}
    return {"unrealised_pnl": one("binance_coinm", row, rule, given["mark"])["unrealised_pnl"]}


def inverse_notional(given: Case) -> Case:
    found = one("binance_coinm", {"quantity": given["contracts"], "entry_price": "1"}, {**COIN, "brackets": [{"rate": "0"}]}, given["mark"])
    return {"notional": found["positions"][0]["notional"]}


def inverse_rate(given: Case) -> Case:
    rate = str(D(given["rate"]) / D(given["leverage"]))
    row = {"quantity": given["qty_usd"], "entry_price": given["price"]}
    return {"margin": one("binance_coinm", row, {**COIN, "brackets": [{"rate": rate}]}, given["price"])["maintenance_margin"]}


def inclusive_tier(given: Case) -> Case:
    tiers = [{"floor": row["floor"], "cap": row["cap"], "rate": row["mmr"]} for row in given["tiers"]]
    found = one("okx_swap", {"quantity": given["size"], "entry_price": "1"}, {"brackets": tiers}, "1")
    return {"mmr": found["positions"][0]["bracket_rate"]}


def leveraged(given: Case) -> Case:
    row = {"quantity": given["qty"], "entry_price": given["price"], "leverage": given["leverage"]}
    found = one("binance_usdm", row, {"brackets": [{"rate": "0"}], "contract_size": given["multiplier"]}, given["price"])
    return {"maintenance_margin": found["initial_margin"]}


def percent_of_notional(given: Case) -> Case:
    held = {"symbol": "X", "side": "LONG", "quantity": given["qty"], "entry_price": given["price"]}
    rule = {"contract_size": "1", "calc_mode": "CFD_LEVERAGE", "margin_rate": given["rate"], "base": "B", "quote": "Q"}
    found = evaluate_json({"model": "mt5", "leverage": given.get("leverage", "1"), "positions": [held], "rules": {"X": rule},
                           "prices": {"X": {"bid": given["price"], "ask": given["price"]}}, "rates": {"Q/USD": given.get("conv", "1")}})
    return {"margin": found["initial_margin"]}


def excess(given: Case) -> Case:
    found = one("binance_usdm", {"quantity": given["qty"], "entry_price": given["entry"]}, {"brackets": [{"rate": given["maint_rate"]}]},
                given["mark"], wallet=given["balance"])
    return {"excess": str(D(found["equity"]) - D(found["maintenance_margin"])), "excess_negative": found["rung"] == "liquidation"}


def cross_pnl(given: Case) -> Case:
    held = {"symbol": "X", "side": "LONG" if given["direction"] == "1" else "SHORT", "quantity": given["units"],
            "entry_price": str(D(given["open_quote"]) / D(given["units"]))}
    price = given["close_price"]
    found = evaluate_json({"model": "mt5", "positions": [held], "prices": {"X": {"bid": price, "ask": price}},
                           "rules": {"X": {"contract_size": "1", "base": "B", "quote": "Q"}},
                           "rates": {"USD/Q": given["quote_to_account"], "B/USD": "1"}})
    return {"unrealised_pnl": found["unrealised_pnl"]}


def called(given: Case) -> Case:
    """equity over notional as the level: margin is the notional itself, thresholds times 100."""
    stop = str(max(D(given["stop_out"]) * 100, D("1e-9")))
    call = str(D(given["margin_call"]) * 100)
    found = evaluate_json({
        "model": "mt5", "balances": {"USD": given["level"]}, "prices": {"X": {"bid": "1", "ask": "1"}},
        "positions": [{"symbol": "X", "side": "LONG", "quantity": "1", "entry_price": "1"}],
        "rules": {"X": {"contract_size": "1", "calc_mode": "CFD", "base": "B", "quote": "USD"}},
        "previous_rung": "margin_call" if given["state"] == "margin_called" else "normal",
        "thresholds": {"warning": call, "margin_call": call, "liquidation": stop, "release": call}})
    reached = found["rung"] in ("margin_call", "liquidation")
    cleared = D(given["level"]) > D(given["margin_call"])
    out = found["rung"] == "liquidation"
    return {"margin_call": reached, "stop_out": out, "safe": not reached, "becomes_safe": cleared and not reached}


def filled(given: Case) -> Case:
    position, fees, realised = Position("house:X"), D(0), D(0)
    for row in given["fills"]:
        quantity, price = D(row["qty"]) * (1 if row["side"] == "BUY" else -1), D(row["px"])
        done = fill(position, quantity, price)
        assert done.position is not None
        position, realised, fees = done.position, realised + done.pnl, fees + abs(quantity) * price * D(given["fee_rate"])
    return {"qty": str(position.quantity), "avg_entry": str(position.entry_price), "realised_pnl_net_of_fees": str(realised - fees)}


def funding(given: Case) -> Case:
    found = funding_payment(Instrument("X"), D(given["signed_qty"]), D(given["mark"]), D(given["rate"]), D(given["conv"]))
    return {"payment": str(found)}


def most_leverage(given: Case) -> Case:
    tiers = [Bracket(D(row["floor"]), D(row["cap"]), D(row["mmr"]), D(row["cum"]), D(row["max_leverage"])) for row in given["tiers"]]
    return {"max_leverage": str(leverage_max(tiers, D(given["stake"])))}


def most_lots(given: Case) -> Case:
    margin = D(given["contract_size"]) * D(given["price"]) / D(given["leverage"])
    return {"max_lots": str(lots_max(D(given["free_margin"]), margin, D(given["step"])))}


def order_cost(given: Case) -> Case:
    return {"open_loss": str(open_loss(D(signed(given)), D(given["order_price"]), D(given["mark"])))}


ADAPTERS: dict[str, Callable[[Case], Case]] = {
    "LP_FEE_ADJ": fee_adjusted, "LP_BYBIT_ISO": bybit_isolated, "LP_EQUITY_FORM": equity_form, "BYBIT_INV_CROSS": bybit_inverse_cross,
    "BYBIT_INV_ISO": inverse_position, "INV_IM": inverse_position, "LP_INV_10101": inverse_price, "UPNL_INVERSE": inverse_unrealised,
    "NOTIONAL_INV": inverse_notional, "INV_RATE": inverse_rate, "TIER_LOOKUP_INCLUSIVE_CAP": inclusive_tier, "IM_LINEAR": leveraged,
    "RATE_NOTIONAL": percent_of_notional, "RATE_NOTIONAL_CCY": percent_of_notional, "PER_CCY_EXCESS": excess,
    "FX_CROSS_PNL": cross_pnl, "MC_SO": called, "FILLS": filled, "FUNDING": funding,
    "MAX_LEV": most_leverage, "FX_MAX_VOL": most_lots, "BIN_ORDER_COST": order_cost,
    "LARGEST_LOSER": lambda given: {"index": str(largest_loser([D(profit) for profit in given["profits"]]))},
}


def cases() -> list[Case]:
    if not CASES.is_dir():
        pytest.skip(f"the public cases are not beside the checkout: {CASES}")
    return [case for path in sorted(CASES.glob("*.json")) for case in json.loads(path.read_text()).get("cases", [])]


def differences(case: Case) -> list[object]:
    """What is not as the case says; a case of which nothing was compared is one, too."""
    found = ADAPTERS[case["formula"]](case["inputs"])
    shared = {name: wanted for name, wanted in case["expected"].items() if name in found}
    wrong = [(name, found[name], wanted) for name, wanted in shared.items() if not close_to(found[name], wanted, case["tolerance"])]
    return [(case["id"], wrong or "nothing compared")] if wrong or not shared else []


def test_public_cases_of_the_other_models() -> None:
    ran = [case for case in cases() if case["formula"] in ADAPTERS]
    assert [wrong for case in ran for wrong in differences(case)] == []
    print("ran", Counter(case["formula"] for case in ran))
    assert len(ran) >= RAN_AT_LEAST


def test_only_cases_of_other_venues_are_left() -> None:
    known = {formula for _, formula in FIRST} | ELSEWHERE | set(ADAPTERS)
    left = Counter(f"{case['model']}/{case['formula']}" for case in cases() if case["formula"] not in known)
    print("not ours", left.total(), dict(left))
    assert [name for name in left if not name.startswith(OTHERS)] == []
