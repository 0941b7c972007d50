"""Triggers and the switch: who is looked at on a tick, what is dealt, when a slice is swept, and that nothing stays behind."""

import math
from decimal import Decimal

import numpy as np
import pytest
from msgspec.structs import replace

from agents.risk.columns import Columns
from agents.risk.lines import Zone, zone_of
from agents.risk.rules import EXCHANGE_THRESHOLDS, FX_THRESHOLDS, Thresholds
from agents.risk.switch import PATIENCE, Switch
from tables.rows import MARGIN_CALL, NORMAL, WARNING
from tests.agents.worlds import BTC, EUR, NOW, btc_rule, fx_user, mark, position, rules, usdm_user

D = Decimal


def laid(balance: str = "5000", quantity: str = "1") -> Columns:
    """One account with a line at 60,000, its triggers dealt."""
    columns = Columns()
    columns.ruled(rules(), NOW)
    columns.put("live:1", usdm_user(balance, position(BTC, quantity, "60000")))
    columns.touched([BTC], {BTC: mark(BTC, "60000")})
    return columns


def triggers_of(columns: Columns) -> tuple[float, float]:
    slot = int(np.flatnonzero(columns.positions.pool)[0])
    return float(columns.positions.low[slot]), float(columns.positions.high[slot])


@pytest.mark.parametrize(("quantity", "side"), [("1", 0), ("-1", 1)])
def test_what_falls_one_way_has_a_trigger_on_that_side_only_and_never_beyond_its_warning(quantity: str, side: int) -> None:
    ends = triggers_of(laid(quantity=quantity))
    sign = 1 if side == 0 else -1
    rate, amount = 0.005, 50  # 0.8 x (5,000 +- (P - 60,000)) = 0.005 x P - 50
    warning = (sign * 0.8 * 60_000 - 0.8 * 5_000 - amount) / (sign * 0.8 - rate)
    assert sign * ends[side] >= sign * warning
    assert abs(ends[side] - warning) < 300
    assert math.isinf(ends[1 - side]) or ends[1 - side] >= 240_000  # the last cap: the law refuses beyond it


def test_a_tick_that_meets_no_trigger_looks_at_nobody() -> None:
    columns = laid()
    number = columns.board.numbers[BTC]
    for _ in range(2):  # the first draws the bounds of what was new anew
        columns.board.priced(BTC, {BTC: mark(BTC, "59000")})
        assert columns.triggers.ticked(number) == []
    columns.board.priced(BTC, {BTC: mark(BTC, "54000")})
    assert [pools.tolist() for pools in columns.triggers.ticked(number)] == [[1]]


def test_who_may_have_moved_is_told_with_every_tick_until_its_row_is_put_again() -> None:
    columns = laid()
    for price in ("54900", "54901", "54902"):
        assert [name[:2] for name in columns.touched([BTC], {BTC: mark(BTC, price)})] == [("live:1", "a1")]
    assert columns.touched([BTC], {BTC: mark(BTC, "60000")}) == []


def test_a_price_that_is_gone_is_told() -> None:
    columns = laid()
    assert columns.touched([BTC], {BTC: mark(BTC, "1", "2")}) != []


def test_a_boxed_account_is_looked_at_when_either_its_price_or_its_conversion_leaves_the_box() -> None:
    columns = Columns()
    columns.ruled(rules(), NOW)
    columns.put("live:1", fx_user("5000", position(EUR, "1", "1.1")))
    assert columns.touched([EUR], {EUR: mark(EUR, "1.1", "1.1")}) == []
    assert bool(columns.pools.boxed[1])
    assert columns.touched([EUR], {EUR: mark(EUR, "1.0999", "1.1")}) == []
    assert columns.touched([EUR], {EUR: mark(EUR, "1.06", "1.06")}) != []


@pytest.mark.parametrize(("mode", "rung", "up", "down"), [
    (EXCHANGE_THRESHOLDS, NORMAL, (0.8, 1.0, 0.0), None),
    (EXCHANGE_THRESHOLDS, WARNING, (0.9, 1.0, 0.0), (0.8, 1.0, 0.0)),
    (EXCHANGE_THRESHOLDS, MARGIN_CALL, (1.0, 1.0, 0.0), (0.75, 1.0, 0.0)),
    (FX_THRESHOLDS, WARNING, (1.0, 1.0, 0.0), (100 / 150, 1.0, 0.0)),
    (Thresholds("money", D(300), D(200), D(100), D(350)), MARGIN_CALL, (1.0, 0.0, 100.0), (1.0, 0.0, 350.0)),
])
def test_the_zone_of_a_rung(mode: Thresholds, rung: int, up: tuple[float, ...], down: tuple[float, ...] | None) -> None:
    found = zone_of(mode, rung)
    assert found == (Zone(up) if down is None else Zone(up, down))  # type: ignore[arg-type]


def test_a_slice_is_swept_where_that_is_cheaper_and_tried_again_later_each_time() -> None:
    switch = Switch()
    assert not switch.dearer(4, crossed=1, size=20_000)
    for wanted in (PATIENCE, 2 * PATIENCE, 4 * PATIENCE):
        assert switch.dearer(4, crossed=20_000, size=20_000)
        assert [switch.over(4) for _ in range(wanted)] == [False] * (wanted - 1) + [True]
    assert switch.turns == 6


def test_a_sweep_and_back_leave_the_pools_what_they_had() -> None:
    columns = laid()
    triggers, lane = columns.triggers, 2 * 4 * columns.board.numbers[BTC]
    triggers.switch.swept[lane] = 2
    triggers._undeal_lane(lane)
    spare = float(columns.pools.up[1])
    assert spare == pytest.approx(0.8 * 5_000 - 250, abs=1e-3)
    assert columns.touched([BTC], {BTC: mark(BTC, "59000")}) == []
    assert float(columns.pools.up[1]) == pytest.approx(0.8 * 4_000 - 245, abs=1e-3)
    assert columns.touched([BTC], {BTC: mark(BTC, "59001")}) == []
    low, _ = triggers_of(columns)
    assert 54_000 < low < 59_000
    assert columns.touched([BTC], {BTC: mark(BTC, "55000")}) != []


def test_an_account_beyond_the_last_cap_is_told() -> None:
    columns = laid("500000", "4")
    assert columns.touched([BTC], {BTC: mark(BTC, "62400")}) == []
    assert columns.touched([BTC], {BTC: mark(BTC, "62600")}) != []


def test_slots_of_who_is_gone_are_used_again() -> None:
    columns = laid()
    for _ in range(500):
        columns.put("live:1", usdm_user("5000", position(BTC, "1", "60000")))
        columns.touched([BTC], {BTC: mark(BTC, "60000")})
    assert columns.positions.used == 1
    assert columns.pools._next <= 3
    assert columns.pools._end <= 2
    columns.drop("live:1")
    assert len(columns.positions) == 0
    assert columns.holders([BTC]) == []


def test_an_account_that_several_pools_hold_on_its_rung_is_told_when_the_last_lets_go() -> None:
    eth = "binance_usdm:ETHUSDT"
    rule = btc_rule()
    rule.rule_id, rule.instrument.instrument, rule.instrument.base = f"instrument:{eth}", eth, "ETH"
    columns = Columns()
    columns.ruled(rules(btc_rule(), rule), NOW)
    alone = {"margin_mode": "isolated", "isolated_wallet": D(290)}
    user = usdm_user("590", position(BTC, "1", "60000", **alone), position(eth, "1", "60000", **alone))  # 250 are required of each
    account = user.accounts["a1"]
    columns.put("live:1", replace(user, accounts={"a1": replace(account, margin=replace(account.margin, rung=WARNING))}))
    marks = {BTC: mark(BTC, "60000"), eth: mark(eth, "60000")}
    assert columns.touched([BTC, eth], marks) == []
    told = []
    for name, price in ((BTC, "60100"), (eth, "60001"), (eth, "60100"), (BTC, "60001"), (eth, "60000"), (BTC, "60100"), (eth, "60100")):
        marks[name] = mark(name, price)
        told.append(bool(columns.touched([name], marks)))
    assert told[2]
    assert told[6]
    assert not all(told)
