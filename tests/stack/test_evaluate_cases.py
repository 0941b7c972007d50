"""More of the public cases, as an account's JSON through the command's own reading: conversions, levels, notionals, table amounts."""

import json
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from streams.stack.evaluate import evaluate_text
from tests.agents.test_cases import CASES, close_to

D = Decimal
Case = dict[str, Any]
FREE = {"brackets": [{"rate": "0"}]}
UNIT = {"contract_size": "1", "base": "USD", "quote": "USD", "calc_mode": "CFD"}
RAN_AT_LEAST = 25


def _evaluated(account: Case) -> Case:
    found: Case = json.loads(evaluate_text(json.dumps(account)))
    return found


def _linear(quantity: str, entry: str, mark: str, **more: object) -> Case:
    held = {"symbol": "X", "quantity": quantity, "entry_price": entry, **more}
    return _evaluated({"balances": {"USDT": "100"}, "positions": [held], "prices": {"X": {"mark": mark}}, "rules": {"X": FREE}})


def _tickets(equity: str, lots: str, **more: object) -> Case:
    held = [{"symbol": "X", "side": "LONG", "quantity": lots, "entry_price": "1"}] if D(lots) else []
    return _evaluated({"model": "mt5", "balances": {"USD": equity}, "positions": held, "prices": {"X": {"bid": "1", "ask": "1"}},
                       "rules": {"X": UNIT}, **more})


def _unrealised(given: Case) -> Case:
    return {"unrealised_pnl": _linear(str(D(given["qty"]) * D(given["direction"])), given["entry"], given["mark"])["unrealised_pnl"]}


def _notional(given: Case) -> Case:
    """The command shows it without its sign."""
    return {"notional": "-" + _linear(given["signed_qty"], "1", given["mark"])["positions"][0]["notional"]}


def _isolated(given: Case) -> Case:
    mark = str(10 + D(given["unrealised_pnl"]))
    found = _linear("1", "10", mark, margin_mode="isolated", isolated_wallet=given["isolated_wallet"])
    return {"isolated_margin": found["positions"][0]["equity"]}


def _level(given: Case) -> Case:
    """A level without margin is undefined here: null."""
    return {"margin_level_pct": _tickets(given["equity"], given["margin"])["margin_level_pct"] or "inf"}


def _stop_out(given: Case) -> Case:
    found = _tickets("100000", given["margin"], thresholds={"liquidation": given["stop_out_pct"]})
    return {"equity_at_stop_out": found["maintenance_margin"]}


def _divided(given: Case) -> Case:
    held = {"symbol": "X", "side": "LONG", "quantity": given["lots"], "entry_price": "1"}
    rule = {"contract_size": given["contract_size"], "base": "USD", "quote": "USD"}
    found = _evaluated({"model": "mt5", "currency": "EUR", "leverage": given["leverage"], "positions": [held],
                        "prices": {"X": {"bid": "1", "ask": "1"}}, "rules": {"X": rule}, "rates": {"EUR/USD": given["divide_by"]}})
    return {"margin": found["initial_margin"]}


def _converted(given: Case) -> Case:
    source, target = given["path"].split(">")
    rates = {f"{pair[:3]}/{pair[3:]}": rate for pair, rate in given["rates"].items()}
    found = _evaluated({"model": "mt5", "currency": target, "balances": {source: given["amount"]}, "rates": rates})
    return {"result": found["wallet_balance"]}


def _order(given: Case) -> Case:
    order = {"symbol": "X", "side": "SELL", "quantity": given["qty"], "price": given["order_price"]}
    found = _evaluated({"balances": {"USDT": "100000"}, "orders": [order], "prices": {"X": {"mark": given["mark"]}},
                        "leverage": given["leverage"], "rules": {"X": FREE}})
    return {"initial_margin": found["initial_margin"]}


ADAPTERS: dict[str, Callable[[Case], Case]] = {
    "UPNL_LINEAR": _unrealised, "NOTIONAL": _notional, "ISO_MARGIN": _isolated, "MARGIN_LEVEL": _level, "SO_EQUITY": _stop_out,
    "MT5_MARGIN_DIV": _divided, "FX_CONVERT": _converted, "BIN_ORDER_COST": _order,
}


def _cases() -> list[Case]:
    if not CASES.is_dir():
        pytest.skip(f"the public cases are not beside the checkout: {CASES}")
    return [case for path in sorted(CASES.glob("*.json")) for case in json.loads(path.read_text()).get("cases", [])]


def test_public_cases() -> None:
    ran, wrong = Counter[str](), []
    for case in _cases():
        if case["formula"] in ADAPTERS:
            ran[case["formula"]] += 1
            found = ADAPTERS[case["formula"]](case["inputs"])
            wrong += [(case["id"], name, said, case["expected"][name]) for name, said in found.items()
                      if said != case["expected"][name] and not close_to(said, case["expected"][name], case["tolerance"])]
    print("ran", dict(ran))
    assert wrong == []
    assert ran.total() >= RAN_AT_LEAST


def test_tables_with_the_published_amounts_are_taken_and_others_refused() -> None:
    for case in _cases():
        if case["formula"] == "CUM_RECURRENCE":
            rows = [{"floor": tier["floor"], "cap": tier["cap"], "rate": tier["mmr"], "amount": amount}
                    for tier, amount in zip(case["inputs"]["tiers"], case["expected"]["cum"], strict=True)]
            assert _evaluated({"rules": {"X": {"brackets": rows}}})["rung"] == "normal"
            rows[1]["amount"] = str(D(rows[1]["amount"]) + 1)
            with pytest.raises(ValueError, match=r"brackets\[1\]\.amount: expected"):
                _evaluated({"rules": {"X": {"brackets": rows}}})
