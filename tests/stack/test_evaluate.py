"""What `evaluate` takes and what it refuses: the field is named, whatever a stranger sends."""

import copy
import io
import json

import pytest

from streams.stack.evaluate import evaluate_lines, evaluate_one, evaluate_text
from streams.stack.process import StackError

ACCOUNT: dict[str, object] = {
    "balances": {"USDT": "1000"},
    "positions": [{"symbol": "BTCUSDT", "quantity": "-0.5", "entry_price": "60000"}],
    "prices": {"BTCUSDT": {"mark": "59500"}},
}


def changed(path: str, value: object) -> str:
    """The account's JSON with one field set; `positions.0.side`."""
    found: dict[str, object] = copy.deepcopy(ACCOUNT)
    *parents, last = path.split(".")
    at: object = found
    for name in parents:
        if isinstance(at, list):
            at = at[int(name)]
        else:
            assert isinstance(at, dict)
            at = at.setdefault(name, {})
    assert isinstance(at, dict)
    at[last] = value
    return json.dumps(found)


REFUSED = [
    ("", "input: expected JSON"),
    ("null", "input: expected a JSON object"),
    ("[]", "input: expected a JSON object"),
    ("NaN", "input: expected a JSON object"),
    ("[" * 100_000, "input: expected JSON nested less deeply"),
    ('{"a":' * 100_000, "input: expected JSON nested less deeply"),
    ('{"balances": {"USDT": "1", "USDT": "2"}}', "USDT: expected once, was repeated"),
    ('{"model": "mt5", "model": "binance_usdm"}', "model: expected once, was repeated"),
    ('{"balances": {"USDT": NaN}}', "balances.USDT: expected decimal text, was nan"),
    ('{"balances": {"USDT": -Infinity}}', "balances.USDT: expected decimal text, was -inf"),
    ('{"balances": {"USDT": 1e999}}', "balances.USDT: expected a decimal number"),
    ('{"balances": {"USDT": ' + "9" * 5_000 + "}}", "balances.USDT: expected a decimal number"),
    (changed("nope", 1), "nope: unknown field"),
    (changed("model", "nope"), "model: expected one of"),
    (changed("model", 3), "model: expected text"),
    (changed("balances.USDT", "NaN"), "balances.USDT: expected a decimal number, was 'NaN'"),
    (changed("balances.USDT", "Infinity"), "balances.USDT"),
    (changed("balances.USDT", "1e400"), "balances.USDT"),
    (changed("balances.USDT", "١٢"), "balances.USDT"),
    (changed("balances.USDT", True), "balances.USDT: expected decimal text, was True"),
    (changed("balances.USDT", None), "balances.USDT"),
    (changed("positions.0.id", True), "positions[0].id: expected text or a whole number"),
    (changed("positions.0.id", []), "positions[0].id: expected text or a whole number"),
    (changed("positions.0.nope", 1), "positions[0].nope: unknown field"),
    (changed("positions.0.side", "long"), "positions[0].side: expected one of BOTH, LONG, SHORT"),
    (changed("positions.0.quantity", "x"), "positions[0].quantity"),
    (changed("positions.0.leverage", "0"), "positions[0].leverage: expected above 0"),
    (changed("positions", {}), "positions: expected a list"),
    (changed("positions", [None]), "positions[0]: expected an object"),
    (changed("prices.BTCUSDT.mark", "-1"), "prices.BTCUSDT.mark: expected above 0"),
    (changed("prices.BTCUSDT.time_ms", -5), "prices.BTCUSDT.time_ms: expected whole milliseconds"),
    (changed("prices.BTCUSDT.time_ms", 1.5), "prices.BTCUSDT.time_ms: expected whole milliseconds"),
    (changed("prices.BTCUSDT.nope", "1"), "prices.BTCUSDT.nope: unknown field"),
    (changed("rules.BTCUSDT.nope", 1), "rules.BTCUSDT.nope: unknown field"),
    (changed("rules.BTCUSDT.brackets", {}), "rules.BTCUSDT.brackets: expected a list"),
    (changed("rules.BTCUSDT.brackets", [{"rate": "0.1", "nope": 1}]), "rules.BTCUSDT.brackets[0].nope: unknown field"),
    (changed("rules.BTCUSDT.brackets", [{"rate": "0.1", "cap": "5"}]), "notional above final cap"),
    (changed("rules.BTCUSDT.stale_after_ms", -1), "rules.BTCUSDT.stale_after_ms: expected whole milliseconds"),
    (changed("rules.BTCUSDT.margin_rate", {"long": "-1"}), "rules.BTCUSDT.margin_rate.long: expected 0 or more"),
    (changed("rates.EURUSD", "1"), "rates.EURUSD: expected 'EUR/USD'"),
    (changed("rates.A/B/C", "1"), "rates.A/B/C: expected 'EUR/USD'"),
    (changed("collateral_weights.BTC", "2"), "collateral_weights.BTC: expected 0 to 1"),
    (changed("leverage", True), "leverage: expected decimal text"),
    (changed("previous_rung", "unknown"), "previous_rung: expected one of"),
    (changed("now_ms", "5"), "now_ms: expected whole milliseconds"),
    (changed("thresholds.mode", "x"), "thresholds.mode: expected one of ratio, percent, money, was 'x'"),
    (changed("thresholds.auto_reduce", "2"), "thresholds: auto_reduce: expected before liquidation 1, was 2"),
    (changed("thresholds.nope", "2"), "thresholds.nope: unknown field"),
    (changed("orders", [{"symbol": "BTCUSDT", "quantity": "-1"}]), "orders[0].quantity: expected 0 or more"),
    (changed("orders", [{"symbol": "BTCUSDT", "reduce_only": "yes"}]), "orders[0].reduce_only"),
]


@pytest.mark.parametrize(("text", "says"), REFUSED, ids=[says for _, says in REFUSED])
def test_refused_with_the_field_named(text: str, says: str) -> None:
    with pytest.raises(StackError) as refused:
        evaluate_one(io.StringIO(text), io.StringIO())
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("balance", ["1000.10", "1.00010e3", 1000.10])
def test_a_fraction_keeps_its_digits_in_quotes_or_not(balance: object) -> None:
    assert json.loads(evaluate_text(changed("balances.USDT", balance)))["wallet_balance"] == "1000.1"


def test_a_symbol_with_a_colon_is_named_whole() -> None:
    found = json.loads(evaluate_text(changed("positions.0.symbol", "ET:X")))
    assert found["rung"] == "unknown"
    assert "missing_mark:ET:X" in found["reasons"]


def test_lines_go_on_behind_a_bad_one_and_say_so_at_the_end() -> None:
    lines = ["{}", "", "x", '{"nope": 1}', '{"model": "' + "x" * 10_000 + '"}', "[" * 100_000, json.dumps(ACCOUNT)]
    out = io.StringIO()
    assert evaluate_lines(io.StringIO("\n".join(lines)), out) == 1
    answers = [json.loads(line) for line in out.getvalue().splitlines()]
    assert ["error" in answer for answer in answers] == [False, True, True, True, True, False]
    assert max(len(answer["error"]) for answer in answers if "error" in answer) <= 500
    assert answers[-1]["equity"] == "1250"


def test_good_lines_are_0() -> None:
    assert evaluate_lines(io.StringIO("{}\n{}"), io.StringIO()) == 0
