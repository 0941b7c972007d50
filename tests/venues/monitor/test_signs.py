"""Stops near their trigger, positions that grow old, funding that costs: when it is said, of which figures, and once."""

from decimal import Decimal
from typing import Any

import pytest

from streams.config import Config
from streams.venues.decode import VENUES
from streams.venues.frames import Unreadable
from streams.venues.monitor.around import QUESTIONS, Mark, joined, read_marks
from streams.venues.monitor.signs import Bounds, Said, Sign, signs
from streams.venues.monitor.told import Position, Stop, Told
from tests.venues.payloads import raw

NOW, HOUR, MINUTE = 1_790_000_000_000, 3_600_000, 60_000
BTC = "binance_usdm:BTCUSDT"
KEY = f"{BTC}/BOTH"
BOUNDS = Bounds(Decimal(1), 72 * HOUR, 60 * MINUTE, Decimal(1))


def _found(told: Told, mark: Mark = Mark(), bounds: Bounds = BOUNDS) -> list[Sign]:  # noqa: B008
    return list(signs(told, {BTC: mark}, NOW, bounds))


def _held(amount: str, opened_ms: int = NOW, leverage: str = "") -> Told:
    told = Told()
    told.positions[KEY] = Position(BTC, Decimal(amount), opened_ms, NOW)
    if leverage:
        told.leverages[BTC] = Decimal(leverage)
    return told


@pytest.mark.parametrize(("trigger", "price", "away"), [
    ("59400", "60000", "1"), ("60600", "60000", "1"), ("60599.9", "60000", "0.9998"), ("60000", "60000", "0"), ("59399", "60000", None),
    ("60601", "60000", None), ("59400", None, None),
])
def test_a_stop_is_near_by_its_share_of_the_mark(trigger: str, price: str | None, away: str | None) -> None:
    told = Told()
    told.stops["7"] = Stop(BTC, Decimal(trigger))
    found = _found(told, Mark(Decimal(price) if price else None))
    assert [(one.kind, one.instrument, one.field, one.expected, one.was) for one in found] == (
        [("stop_approaching", BTC, "distance_pct", "1", away)] if away is not None else [])


@pytest.mark.parametrize(("amount", "age_ms", "says"), [
    ("1", 72 * HOUR, "72"), ("-1", 100 * HOUR + MINUTE, "100"), ("1", 72 * HOUR - 1, None), ("0", 500 * HOUR, None),
])
def test_a_position_is_old_from_its_hour_on(amount: str, age_ms: int, says: str | None) -> None:
    found = _found(_held(amount, NOW - age_ms))
    assert [(one.kind, one.expected, one.was) for one in found] == ([("time_decay", "72", says)] if says else [])


@pytest.mark.parametrize(("amount", "rate", "leverage", "in_ms", "share"), [
    ("1", "0.001", "20", 30 * MINUTE, "2"), ("-1", "-0.001", "20", 60 * MINUTE, "2"), ("1", "0.0005", "20", 30 * MINUTE, None),
    ("1", "-0.001", "20", 30 * MINUTE, None), ("-1", "0.001", "20", 30 * MINUTE, None), ("1", "0.001", "", 30 * MINUTE, None),
    ("1", "0.001", "20", 61 * MINUTE, None), ("1", "0.001", "20", -1, None), ("0", "0.001", "20", MINUTE, None),
    ("0.003", "0.00075", "125", 0, "9.375"),
])
def test_funding_is_said_where_the_position_pays_more_than_its_share(amount: str, rate: str, leverage: str, in_ms: int,
                                                                    share: str | None) -> None:
    found = _found(_held(amount, leverage=leverage), Mark(Decimal(60_000), Decimal(rate), NOW + in_ms))
    assert [(one.kind, one.field, one.expected, one.was) for one in found] == (
        [("funding_ahead", "margin_pct", "1", share)] if share else [])


def test_zero_in_the_settings_is_never() -> None:
    told = _held("1", NOW - 1_000 * HOUR, "125")
    told.stops["7"] = Stop(BTC, Decimal(60_000))
    mark = Mark(Decimal(60_000), Decimal("0.01"), NOW)
    off = Bounds.of(Config(monitor_stop_pct=0, monitor_age_hours=0, monitor_funding_minutes=0))
    assert _found(told, mark, off) == []
    assert len(_found(told, mark, Bounds.of(Config()))) == 3


def test_what_stands_is_said_once_and_again_when_it_was_gone_for_an_hour() -> None:
    said, [sign] = Said(), _found(_held("1", NOW - 72 * HOUR))
    assert said.fresh([sign], NOW) == [sign]
    assert said.fresh([sign], NOW + MINUTE) == []
    assert said.fresh([], NOW + 30 * MINUTE) == []
    assert said.fresh([sign], NOW + 40 * MINUTE) == []
    assert said.fresh([], NOW + 101 * MINUTE) == []
    assert said.fresh([sign], NOW + 102 * MINUTE) == [sign]
    assert said.fresh([sign._replace(cause="other")], NOW + 102 * MINUTE) != []


ROWS: dict[str, list[Any]] = {
    "binance_usdm": [[{"symbol": "X", "markPrice": "1.50", "lastFundingRate": "-0.0001", "nextFundingTime": NOW, "time": 1}]],
    "bybit_v5": [{"result": {"list": [{"symbol": "X", "markPrice": "1.50", "fundingRate": "-0.0001", "nextFundingTime": str(NOW)}]}}],
    "okx_v5": [{"data": [{"instId": "X", "markPx": "1.50", "ts": "1"}]},
               {"data": [{"instId": "X", "fundingRate": "-0.0001", "fundingTime": str(NOW)}]}],
    "kucoin_futures": [{"data": [{"symbol": "X", "markPrice": 1.50, "fundingFeeRate": -0.0001, "nextFundingRateTime": 40_000}]}],
}


@pytest.mark.parametrize("venue", VENUES)
def test_each_venue_tells_marks_and_funding(venue: str) -> None:
    mark = Mark()
    for question, body in zip(QUESTIONS[venue], ROWS[venue], strict=True):
        mark = joined(mark, read_marks(venue, question, raw(body), NOW)[f"{venue}:X"])
    assert (mark.price, mark.rate) == (Decimal("1.5"), Decimal("-0.0001"))
    assert mark.funding_ms == (NOW // MINUTE * MINUTE + MINUTE if venue == "kucoin_futures" else NOW)


@pytest.mark.parametrize("venue", VENUES)
def test_rows_that_cannot_be_are_left_out_and_no_answer_is_said(venue: str) -> None:
    [question, *_] = QUESTIONS[venue]
    bad = raw(ROWS[venue][0]).replace(b'"1.50"', b'"-1"').replace(b"1.5,", b"0,")
    assert read_marks(venue, question, bad, NOW) == {}
    assert read_marks("binance_usdm", QUESTIONS["binance_usdm"][0], b'{"code": -1}', NOW) == {}
    for body in (b"", b"<html>", b"[1]"):
        with pytest.raises(Unreadable):
            read_marks(venue, question, body, NOW)
