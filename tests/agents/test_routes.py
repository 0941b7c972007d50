"""Conversions of the screen go where the law's market goes; early thresholds change nothing but when."""

import itertools
import random
from decimal import Decimal

import pytest

from agents.risk.board import FIELDS, Board
from agents.risk.ladder import rung
from agents.risk.law import Pool
from agents.risk.lines import ASK, BID, DIRECT, Conversion, NoLine
from agents.risk.market import Market
from agents.risk.routes import Routes
from agents.risk.rules import Thresholds, check_thresholds
from agents.risk.world import Mark
from tables.rows import LIQUIDATION, MARGIN_CALL, NORMAL, WARNING

D = Decimal
CURRENCIES = ("USD", "EUR", "JPY", "GBP", "CHF")


def sides(found: Conversion, routes: Routes, marks: dict[str, Mark]) -> tuple[float, float]:
    """(selling, buying) as the board prices a conversion."""
    board = Board()
    number, _ = board.number(found.instrument)
    if found.instrument in routes.products:
        board.multiplied(found.instrument, routes.products[found.instrument])
    board.priced(found.instrument, marks)
    bid, ask = (float(board.price[number * FIELDS + field]) for field in (BID, ASK))
    return (bid, ask) if found.kind == DIRECT else (1 / ask, 1 / bid)


@pytest.mark.parametrize("seed", range(60))
def test_a_conversion_costs_what_the_market_says(seed: int) -> None:
    rng = random.Random(seed)
    chosen = rng.sample(list(itertools.permutations(CURRENCIES, 2)), 5)
    pairs = {("house", base, quote): f"house:{base}{quote}" for base, quote in chosen}
    marks = {name: Mark(name, bid, bid * D("1.01")) for name in pairs.values() for bid in [D(rng.randint(1, 900)) / 100]}
    market, routes = Market(marks, lambda name: None, pairs), Routes(pairs)
    for source, target in itertools.permutations(CURRENCIES, 2):
        rates = [market.rate(source, target, buying=buying) for buying in (False, True)]
        try:
            found = routes.conversion("house", source, target)
        except NoLine:
            assert rates == [None, None]
            continue
        assert sides(found, routes, marks) == pytest.approx([float(rate or 0) for rate in rates], rel=1e-12)


def test_a_last_price_stands_for_itself_and_for_what_rests_on_it() -> None:
    routes, board = Routes({("house", "EUR", "USD"): "house:EURUSD"}), Board()
    found = routes.at_last("house:AAPEUR", "house", "EUR", "USD")
    number, _ = board.number(found.instrument)
    board.multiplied(found.instrument, routes.products[found.instrument])
    assert board.with_products(["house:AAPEUR", "house:EURUSD", "house:X"]) == [
        "house:AAPEUR", found.instrument, "house:EURUSD", found.instrument, "house:X"]
    marks = {"house:AAPEUR": Mark("house:AAPEUR", D(1), D(2), D(150)), "house:EURUSD": Mark("house:EURUSD", D("1.1"), D("1.2"))}
    board.priced(found.instrument, marks)
    assert board.price[number * FIELDS + BID] == pytest.approx(165)
    assert board.price[number * FIELDS + ASK] == pytest.approx(180)


@pytest.mark.parametrize("early", ["0.5", "0.65", "0.85", "1"])
def test_who_opted_in_is_liquidated_early_and_else_on_the_same_rungs(early: str) -> None:
    usual = Thresholds("ratio", D("0.6"), D("0.8"), D(1), D("0.4"), D(early))
    check_thresholds(usual.early(), "early")
    for ratio in range(1, 120):
        pool = Pool("cross:USDT", "cross", "USDT", None, D(100), D(100), D(ratio), D(ratio), D(ratio))
        for before in (NORMAL, WARNING, MARGIN_CALL):
            expected = LIQUIDATION if ratio >= D(early) * 100 else rung(pool, usual, before)
            assert rung(pool, usual.early(), before) == expected
