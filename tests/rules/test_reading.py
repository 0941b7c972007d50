"""Rules from files: every bad one is refused by its name and field, the shipped ones are those of their source."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from agents.risk import shipped
from agents.risk.rules import BadRule, Rules, rules_with
from streams.rules.reading import json_of, key_of, read_rules, shipped_rules

SOURCE = Path(__file__).resolve().parents[3] / "shared" / "reference" / "binance_brackets_2024-10.json"


def rule(**instrument: Any) -> dict[str, Any]:
    return {"rule_id": "instrument:house:EURUSD", "instrument": {"instrument": "house:EURUSD", "base": "EUR", "quote": "USD", **instrument}}


def tiers(*rows: tuple[str, str | None, str, str], **more: Any) -> dict[str, Any]:
    return rule(brackets=[{"floor": a, "cap": b or "", "rate": c, "amount": d} for a, b, c, d in rows], **more)


GROUP = {"rule_id": "group:vip", "group": {"group": "vip", "thresholds": {
    "mode": "percent", "warning": "150", "margin_call": "100", "liquidation": "50", "release": "110"}}}
GOOD = [rule(), GROUP, {"rule_id": "weight:USDT/BTC", "effective_from_ms": 5, "collateral_weight": {
    "currency": "USDT", "asset": "BTC", "weight": "0.95"}}]

OTHER = {"rule_id": "group:other", "group": {"group": "other"}}
BAD: dict[str, tuple[object, str]] = {
    "another's id": ({**rule(), "rule_id": "instrument:house:GBPUSD"}, "rule_id: expected 'instrument:house:EURUSD'"),
    "about nothing": ({"rule_id": "group:vip"}, "group:vip: expected an instrument, a group or a collateral weight"),
    "an unknown field": (rule(levrage="3"), "instrument:house:EURUSD: .*levrage"),
    "not from zero": (tiers(("1", "2", "0.1", "0")), r"house:EURUSD: brackets\[0\].floor: expected 0, was 1"),
    "a gap": (tiers(("0", "10", "0.1", "0"), ("11", None, "0.2", "1.1")), r"house:EURUSD: brackets\[1\].floor: expected 10"),
    "an overlap": (tiers(("0", "10", "0.1", "0"), ("9", None, "0.2", "0.9")), r"house:EURUSD: brackets\[1\].floor: expected 10"),
    "falling rates": (tiers(("0", "10", "0.2", "0"), ("10", None, "0.1", "-1")), r"house:EURUSD: brackets\[1\]"),
    "a wrong amount": (tiers(("0", "10", "0.1", "0"), ("10", None, "0.2", "1.1")), r"brackets\[1\].amount: expected 1.0, was 1.1"),
    "an upside-down tier": (tiers(("0", "0", "0.1", "0")), r"brackets\[0\].cap: expected above 0"),
    "a rate above all": (tiers(("0", None, "1.5", "0")), r"brackets\[0\].rate: expected 0 to 1"),
    "no number": (tiers(("0", None, "NaN", "0")), r"house:EURUSD: brackets\[0\].rate"),
    "an unknown policy": (rule(tier_policy="steep"), "house:EURUSD: tier_policy"),
    "an unknown unit": (rule(tier_unit="lots"), "house:EURUSD: tier_unit"),
    "sessions that overlap": (rule(sessions=[{"open_minute": 0, "close_minute": 9}, {"open_minute": 8, "close_minute": 20}]), "sessions"),
    "no contract": (rule(contract_size="0"), "house:EURUSD: contract_size: expected above 0"),
    "thresholds out of order": ({**GROUP, "group": {"group": "vip", "thresholds": {
        "mode": "ratio", "warning": "0.9", "margin_call": "0.8", "liquidation": "1", "release": "0.7"}}}, "group vip: expected warning"),
    "a weight above one": ({"rule_id": "weight:USDT/BTC", "collateral_weight": {"currency": "USDT", "asset": "BTC", "weight": "1.1"}},
                           "weight USDT/BTC: expected 0 to 1"),
    "a time before all": ({**rule(), "effective_from_ms": -1}, "effective_from_ms: expected 0 or more"),
    "text": ("what", "expected a rule as an object"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_rule_is_refused_by_name_and_field(what: str) -> None:
    value, words = BAD[what]
    with pytest.raises(BadRule, match=words):
        read_rules(json.dumps(value))
    with pytest.raises(BadRule, match=words):
        read_rules(json.dumps([OTHER, value]))


def test_flat_tables_need_no_amounts() -> None:
    assert read_rules(json.dumps(tiers(("0", "10", "0.1", ""), ("10", None, "0.2", ""), tier_policy="flat")))


def test_a_list_and_lines_say_the_same() -> None:
    listed, lines = read_rules(json.dumps(GOOD, indent=1)), read_rules("\n".join(map(json.dumps, GOOD)))
    assert listed == lines
    assert [key_of(found) for found in listed] == ["instrument:house:EURUSD@0", "group:vip@0", "weight:USDT/BTC@5"]
    assert read_rules(json.dumps([json_of(found) for found in listed])) == listed


@pytest.mark.parametrize(("text", "words"), [("{", "line 1"), ('{"a": 1}\n{"a"', "line 2"), (json.dumps([rule(), rule()]), "repeated")])
def test_a_file_that_is_none_is_refused(text: str, words: str) -> None:
    with pytest.raises(BadRule, match=words):
        read_rules(text)


def test_shipped_rules_are_rules() -> None:
    text = "\n".join(json.dumps(json_of(found)) for found in shipped_rules())
    assert len(read_rules(text)) == 42


def test_the_shipped_table_is_its_source() -> None:
    if not SOURCE.exists():
        pytest.skip(f"the source lies beside a checkout only: {SOURCE} is not there")
    source = json.loads(SOURCE.read_text())["symbols"]
    assert len(source) == len(shipped.symbols())
    for name, rows in source.items():
        pair, _, rest = name.partition(":")
        symbol = pair.replace("/", "") + (f"_{rest.partition('-')[2]}" if "-" in rest else "")
        found = shipped.instrument(symbol)
        assert found, symbol
        assert [(one.floor, one.cap, one.rate, one.amount, one.max_leverage) for one in found.brackets] == [
            tuple(Decimal(row[field]) for field in ("notional_floor", "notional_cap", "mmr", "cum", "max_leverage")) for row in rows]


def test_a_rule_said_again_is_no_other_rule() -> None:
    once = rules_with(Rules(), shipped_rules()[0], 0)
    assert rules_with(once, shipped_rules()[0], 1).instruments == once.instruments
