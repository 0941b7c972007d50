"""Market streams as ticks: which price is which, what is refused, what waits for a mark."""

import pytest

from agents.risk.ticks import Refused
from schemas.engine_pb2 import PriceTick
from streams.venues.frames import Kind, Unreadable
from streams.venues.normalise.market import Quotes, read_market
from tests.venues.corpus import TIME, Frame
from tests.venues.payloads import MISSING, files, payload, raw

MARK: Frame = {"e": "markPriceUpdate", "E": TIME, "s": "BTCUSDT", "p": "65000.10", "i": "65001", "P": "65002", "r": "0.0001", "T": TIME}
BOOK: Frame = {"e": "bookTicker", "u": 1, "E": TIME, "T": TIME, "s": "BTCUSDT", "b": "64999.9", "B": "1", "a": "65000.0", "A": "2"}
TRADE: Frame = {"e": "trade", "E": TIME, "T": TIME, "s": "BTCUSDT", "t": 5, "p": "65000.05", "q": "0.1", "m": True}
KLINE: Frame = {"e": "kline", "E": TIME, "s": "BTCUSDT", "k": {"t": TIME, "T": TIME, "s": "BTCUSDT", "i": "1m", "o": "1", "c": "65000.2",
                                                              "h": "9", "l": "1", "v": "1", "x": False}}
DAY: Frame = {"e": "24hrTicker", "E": TIME, "s": "BTCUSDT", "p": "0.0015", "P": "250.00", "c": "65000.3", "o": "1", "h": "2", "l": "1"}


def _tick(frame: object) -> PriceTick:
    found = read_market(raw(frame), TIME)
    assert (found.refused, found.signal) == ((), None)
    return found.ticks[0]


@pytest.mark.parametrize(("frame", "prices"), [
    (MARK, {"mark": "65000.10"}), (BOOK, {"bid": "64999.9", "ask": "65000.0"}), (TRADE, {"last": "65000.05"}), (KLINE, {"last": "65000.2"}),
    (DAY, {"last": "65000.3"}), ({"stream": "btcusdt@trade", "data": TRADE}, {"last": "65000.05"}), ([MARK], {"mark": "65000.10"}),
    ({**MARK, "p": 65000.1}, {"mark": "65000.1"}), ({**MARK, "E": str(TIME)}, {"mark": "65000.10"}),
])
def test_each_event_tells_its_own_price(frame: object, prices: dict[str, str]) -> None:
    tick = _tick(frame)
    assert {name: getattr(tick, name) for name in ("bid", "ask", "last", "mark") if tick.HasField(name)} == prices
    assert (tick.instrument, tick.time_ms) == ("binance_usdm:BTCUSDT", TIME)


@pytest.mark.parametrize(("frame", "reason"), [
    ({**MARK, "p": "0"}, "not_positive"), ({**MARK, "p": "-1"}, "not_positive"), ({**TRADE, "p": "0"}, "not_positive"),
    ({**TRADE, "q": "0"}, "not_positive"), ({**BOOK, "b": "65000.1"}, "crossed"), ({**BOOK, "a": "0"}, "not_positive"),
    ({**MARK, "p": "abc"}, "malformed"), ({**MARK, "p": "1e99"}, "malformed"),
])
def test_prices_that_cannot_be_are_refused_and_said(frame: Frame, reason: str) -> None:
    found = read_market(raw(frame), TIME)
    assert (found.ticks, [one.reason for one in found.refused]) == ((), [reason])


def test_one_bad_price_of_a_list_costs_only_itself() -> None:
    frame = [MARK, {**MARK, "s": "ETHUSDT", "p": "0"}, {**MARK, "s": "BTCUSD_PERP", "st": 2}, {**MARK, "s": "XRPUSDT"}]
    found = read_market(raw(frame), TIME)
    told = [tick.instrument for tick in found.ticks]
    assert told == ["binance_usdm:BTCUSDT", "binance_usdm:XRPUSDT"], "and coin-margined ones are not ours"
    assert len(found.refused) == 1


def test_what_is_no_price_is_a_signal_or_unreadable() -> None:
    found = [read_market(raw(frame), TIME).signal for frame in ({"result": None, "id": 1}, {"e": "forceOrder", "E": 1},
                                                               {"error": {"code": 2, "msg": "m"}, "id": 1})]
    assert [one and one.kind for one in found] == [Kind.SUBSCRIBED, Kind.UNKNOWN, Kind.REFUSED]
    for frame in (b"x", b"[1]", b'{"a":1}', raw({**MARK, "s": ""}), raw({**KLINE, "k": 1}), raw({**MARK, "p": ["1"]})):
        with pytest.raises(Unreadable, match="expected"):
            read_market(frame, TIME)


def _sent(quotes: Quotes, frame: Frame) -> PriceTick:
    sent = quotes.take(_tick(frame))
    assert sent is not None
    assert not isinstance(sent, Refused)
    return sent


def test_a_mark_goes_out_with_what_the_book_said_and_a_book_alone_waits_for_it() -> None:
    quotes = Quotes()
    first = _sent(quotes, BOOK)
    assert not first.HasField("mark")
    whole = _sent(quotes, MARK)
    assert (whole.bid, whole.ask, whole.mark) == ("64999.9", "65000.0", "65000.10")
    assert quotes.take(_tick({**BOOK, "b": "64000", "E": TIME + 5})) is None, "it would renew the mark's age"
    later = _sent(quotes, {**MARK, "E": TIME + 9})
    assert (later.bid, later.time_ms) == ("64000", TIME + 9)
    assert _sent(quotes, {**TRADE, "s": "ETHUSDT"}).last == TRADE["p"]


@pytest.mark.skipif(not files("binance-usdm-market"), reason=MISSING)
@pytest.mark.parametrize("name", [path.name for path in files("binance-usdm-market")])
def test_market_frames_of_other_peoples_tests_are_ticks(name: str) -> None:
    assert _tick(payload("binance-usdm-market", name)).instrument.startswith("binance_usdm:B")
