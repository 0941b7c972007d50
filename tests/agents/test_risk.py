"""The parts of the law: brackets, rules, ticks, sessions, ladder, liquidation prices."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.evaluate import evaluate_json
from agents.fields import BadInput
from agents.risk import ladder, shipped
from agents.risk.law import Pool
from agents.risk.rules import FX_THRESHOLDS, Thresholds
from agents.risk.ticks import Accepted, MarkBook, Refused, next_stale_ms, stale
from agents.risk.tiers import BadRule, Bracket, maintenance, validate
from schemas import engine_pb2 as pb
from tables.rows import LIQUIDATION, MARGIN_CALL, NORMAL, WARNING
from tests.agents.worlds import BTC, EUR, NOW, fx_rule, mark, rules

D = Decimal
TABLE = (Bracket(D(0), D(50), D("0.004")), Bracket(D(50), D(250), D("0.005"), D("0.05")))
DAY_MS = 86_400_000


@pytest.mark.parametrize(
    ("notional", "amount", "rate"), [("0", "0", "0.004"), ("49", "0.196", "0.004"), ("50", "0.2", "0.005"), ("250", "1.2", "0.005")]
)
def test_maintenance(notional: str, amount: str, rate: str) -> None:
    assert maintenance(TABLE, "progressive", D(notional)) == (D(amount), D(rate), False)


def test_past_the_last_cap_is_said() -> None:
    assert maintenance(TABLE, "progressive", D(251)).beyond


@pytest.mark.parametrize(
    ("table", "word"),
    [
        ((Bracket(D(1), None, D("0.1")),), "brackets\\[0\\].floor"),
        ((TABLE[0], Bracket(D(60), None, D("0.005"), D("0.05"))), "brackets\\[1\\].floor"),
        ((TABLE[0], Bracket(D(50), None, D("0.003"), D("0.05"))), "brackets\\[1\\].rate"),
        ((TABLE[0], Bracket(D(50), None, D("0.005"), D("0.06"))), "brackets\\[1\\].amount"),
    ],
)
def test_a_bad_table_is_refused_by_name(table: tuple[Bracket, ...], word: str) -> None:
    with pytest.raises(BadRule, match=f"X: {word}"):
        validate(table, "progressive", "X")


def test_the_shipped_table_is_whole() -> None:
    assert len(shipped.symbols()) == 42
    assert all(shipped.instrument(symbol) for symbol in shipped.symbols())
    assert shipped.message("BTCUSDT").brackets[2].amount == "950"


def test_rules_hold_from_their_time() -> None:
    later = fx_rule(EUR, contract_size="1000")
    later.effective_from_ms = NOW
    found = rules(fx_rule(), later)
    assert [found.instrument(EUR, at).contract_size for at in (NOW - 1, NOW)] == [D(100_000), D(1_000)]  # type: ignore[union-attr]
    assert found.next_effective_ms(NOW - 1) == NOW
    assert found.instrument("house:NONE", NOW) is None
    assert found.group("any", NOW).thresholds_of("mt5") == FX_THRESHOLDS


def tick(**prices: str) -> pb.PriceTick:
    return pb.PriceTick(instrument=EUR, **prices)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("prices", "reason"),
    [
        ({"bid": "NaN", "ask": "1"}, "malformed"),
        ({"mark": "-1"}, "not_positive"),
        ({"mark": "0"}, "not_positive"),
        ({}, "empty"),
        ({"bid": "2", "ask": "1"}, "crossed"),
        ({"mark": "1e99"}, "malformed"),
        ({"mark": ""}, "malformed"),
    ],
)
def test_a_bad_tick_is_refused_and_the_mark_stays(prices: dict[str, str], reason: str) -> None:
    book = MarkBook()
    book.accept(tick(mark="1"), 1, NOW, rules())
    found = book.accept(tick(**prices), 2, NOW, rules())
    assert isinstance(found, Refused)
    assert found.reason == reason
    assert book.marks[EUR].offset == 1


def test_append_order_decides_not_the_ticks_own_time() -> None:
    book = MarkBook()
    book.accept(pb.PriceTick(instrument=EUR, mark="1", time_ms=9), 1, NOW, rules())
    book.accept(pb.PriceTick(instrument=EUR, mark="2", time_ms=1), 2, NOW + 1, rules())
    assert (book.marks[EUR].mark, book.marks[EUR].offset) == (D(2), 2)


def test_a_jump_waits_for_confirmation_but_a_crash_does_not_disarm_us() -> None:
    jumpy = rules(fx_rule(EUR, jump_ratio="0.1", jump_ticks=2, jump_ms=1_000))
    seen = []
    book = MarkBook()
    for at, price in enumerate(("1", "0.5", "0.51", "0.5")):
        found = book.accept(tick(mark=price), at, NOW + at, jumpy)
        assert isinstance(found, Accepted)
        seen.append((str(found.mark.mark), found.mark.jumping))
    assert seen == [("1", False), ("1", True), ("1", True), ("0.5", False)]
    for at, price in enumerate(("0.4", "0.3", "0.2", "0.1")):  # never confirms itself: the clock does
        book.accept(tick(mark=price), 10 + at, NOW + 10 + at * 400, jumpy)
    assert (book.marks[EUR].mark, book.marks[EUR].jumping) == (D("0.1"), False)
    book.accept(tick(mark="1"), 20, NOW + 5_000, jumpy)
    assert book.settle(NOW + 5_999, jumpy) == ()
    assert [found.mark for found in book.settle(NOW + 6_000, jumpy)] == [D(1)]


def test_a_book_ticker_does_not_renew_the_mark_of_a_venue() -> None:
    book = MarkBook()
    book.accept(pb.PriceTick(instrument=BTC, mark="1"), 1, NOW, rules())
    book.accept(pb.PriceTick(instrument=BTC, bid="5", ask="6"), 2, NOW + 9, rules())
    assert book.marks[BTC] == mark(BTC, "1")._replace(offset=1)


def test_a_mark_ages_only_while_its_market_is_open() -> None:
    weekly = fx_rule(EUR)
    weekly.instrument.sessions.add(open_minute=0, close_minute=5 * 1_440)
    rule = rules(weekly).instrument(EUR, NOW)
    monday = NOW - NOW % DAY_MS - DAY_MS  # NOW is a Tuesday
    friday, saturday, again = monday + 5 * DAY_MS, monday + 5 * DAY_MS + 3_600_000, monday + 7 * DAY_MS
    alive, dead = (mark(EUR, "1", append_ms=friday - age) for age in (1_000, 60_000))
    assert [stale(alive, at, rule, 10_000) for at in (friday - 1, friday, saturday, again, again + 9_001)] == [
        "",
        "closed",
        "closed",
        "",
        "stale",
    ]
    assert stale(dead, saturday, rule, 10_000) == "stale"
    assert next_stale_ms(alive, saturday, rule, 10_000) == again
    assert next_stale_ms(alive, friday - 1, rule, 10_000) == friday


@pytest.mark.parametrize(
    ("required", "previous", "rung"),
    [
        ("79", NORMAL, NORMAL),
        ("80", NORMAL, WARNING),
        ("90", NORMAL, MARGIN_CALL),
        ("100", NORMAL, LIQUIDATION),
        ("76", MARGIN_CALL, MARGIN_CALL),
        ("75", MARGIN_CALL, NORMAL),
        ("95", LIQUIDATION, LIQUIDATION),
        ("75", LIQUIDATION, NORMAL),
        ("79", WARNING, NORMAL),
        ("100", MARGIN_CALL, LIQUIDATION),
    ],
)
def test_the_ladder(required: str, previous: int, rung: int) -> None:
    pool = Pool("cross", "cross", "USD", None, D(100), D(100), D(1), D(required), D(required))
    assert ladder.rung(pool, Thresholds(), previous) == rung
    level = Pool("cross", "cross", "USD", None, D(100), D(100), D(0), D(0), D(0))
    assert ladder.rung(level, FX_THRESHOLDS, LIQUIDATION) == NORMAL  # no margin, no level, no breach


def shorted(quantity: str, balance: str, price: str) -> dict[str, object]:
    return {
        "model": "binance_usdm",
        "balances": {"USDT": balance},
        "prices": {"BTCUSDT": {"mark": price}},
        "positions": [{"symbol": "BTCUSDT", "quantity": quantity, "entry_price": "60000", "leverage": "10"}],
    }


@given(st.integers(-900, 900).filter(bool), st.integers(1_000, 3_000_000))
def test_slack_changes_sign_at_the_liquidation_price(quantity: int, balance: int) -> None:
    found = evaluate_json(shorted(str(quantity / 10), str(balance), "60000"))["positions"]
    for field in ("liquidation_price_below", "liquidation_price_above"):
        price = found[0][field]  # type: ignore[index]
        if price is None:
            continue
        signs = []
        for step in ("-0.01", "0.01"):
            at = evaluate_json(shorted(str(quantity / 10), str(balance), str(D(price) + D(step))))
            signs.append(D(str(at["equity"])) > D(str(at["maintenance_margin"])))
        assert signs[0] != signs[1]


def test_the_order_of_positions_does_not_matter() -> None:
    rows = [{"symbol": symbol, "quantity": "1", "entry_price": "100"} for symbol in ("BTCUSDT", "ETHUSDT")]
    prices = {"BTCUSDT": {"mark": "90"}, "ETHUSDT": {"mark": "80"}}
    one, two = (evaluate_json({"balances": {"USDT": "31"}, "positions": order, "prices": prices}) for order in (rows, rows[::-1]))
    assert one.pop("positions") == two.pop("positions")[::-1]  # type: ignore[index]
    assert one == two


@pytest.mark.parametrize(
    ("obj", "word"),
    [
        ({"foo": 1}, "foo: unknown field"),
        ({"balances": {"USDT": "NaN"}}, "balances.USDT"),
        ({"leverage": "Infinity"}, "leverage"),
        ({"model": "nope"}, "model: expected one of"),
        ({"positions": [{"symbol": "X", "y": 1}]}, r"positions\[0\].y"),
        ({"rules": {"X": {"brackets": [{"floor": "0", "rate": "x"}]}}}, r"rules.X.brackets\[0\].rate"),
        ([], "expected an object"),
        (shorted("100000000", "1", "60000"), "notional above final cap"),
        ({"now_ms": "1"}, "now_ms"),
        ({"thresholds": {"release": "2"}}, "release"),
    ],
)
def test_bad_input_is_refused_with_the_field_named(obj: object, word: str) -> None:
    with pytest.raises(BadInput, match=word):
        evaluate_json(obj)


def test_a_missing_price_or_rule_is_unknown() -> None:
    found = evaluate_json(
        {
            "positions": [
                {"symbol": "BTCUSDT", "quantity": "1", "entry_price": "1"},
                {"symbol": "NOSUCH", "quantity": "1", "entry_price": "1"},
            ]
        }
    )
    assert found["rung"] == "unknown"
    assert found["reasons"] == ["missing_mark:BTCUSDT", "missing_mark:NOSUCH", "missing_rule:NOSUCH"]
