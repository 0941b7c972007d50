"""Public frames of Bybit, OKX and KuCoin as ticks: which price is which, what is refused, what is a signal, what nobody knows."""

import pytest

from agents.risk.ticks import Refused
from streams.venues.frames import Kind, Unreadable
from streams.venues.market.feeds import FEEDS
from streams.venues.normalise.market import Quotes, Ticks
from tests.venues.corpus import TIME, Frame
from tests.venues.payloads import raw

BYBIT: Frame = {"topic": "tickers.BTCUSDT", "type": "snapshot", "cs": 1, "ts": TIME,
                "data": {"symbol": "BTCUSDT", "lastPrice": "65000.20", "markPrice": "65000.10", "indexPrice": "1", "bid1Price": "64999.9",
                         "bid1Size": "1", "ask1Price": "65000.3", "ask1Size": "2", "fundingRate": "-0.0001", "nextFundingTime": "1"}}
BYBIT_TRADE: Frame = {"topic": "publicTrade.BTCUSDT", "type": "snapshot", "ts": TIME,
                      "data": [{"T": TIME - 3, "s": "BTCUSDT", "S": "Buy", "v": "0.001", "p": "65000.05", "i": "x", "BT": False}]}
BYBIT_CANDLE: Frame = {"topic": "kline.1.BTCUSDT", "type": "snapshot", "ts": TIME,
                       "data": [{"start": TIME, "end": TIME, "interval": "1", "open": "1", "close": "65000.2", "high": "9", "low": "1",
                                 "volume": "1", "turnover": "1", "confirm": False, "timestamp": TIME}]}
OKX: Frame = {"arg": {"channel": "mark-price", "instId": "BTC-USDT-SWAP"},
              "data": [{"instType": "SWAP", "instId": "BTC-USDT-SWAP", "markPx": "65000.10", "ts": str(TIME)}]}
OKX_BOOK: Frame = {"arg": {"channel": "tickers", "instId": "BTC-USDT-SWAP"},
                   "data": [{"instType": "SWAP", "instId": "BTC-USDT-SWAP", "last": "65000.2", "lastSz": "1", "askPx": "65000.3",
                             "askSz": "11", "bidPx": "64999.9", "bidSz": "5", "open24h": "1", "ts": str(TIME)}]}
OKX_TRADE: Frame = {"arg": {"channel": "trades", "instId": "BTC-USDT-SWAP"},
                    "data": [{"instId": "BTC-USDT-SWAP", "tradeId": "1", "px": "65000.05", "sz": "3", "side": "buy", "ts": str(TIME)}]}
OKX_CANDLE: Frame = {"arg": {"channel": "candle1m", "instId": "BTC-USDT-SWAP"},
                     "data": [[str(TIME), "1", "9", "1", "65000.2", "1", "1", "1", "0"]]}
KUCOIN: Frame = {"topic": "/contract/instrument:XBTUSDTM", "type": "message", "subject": "mark.index.price",
                 "data": {"markPrice": 65000.10, "indexPrice": 65000.09, "granularity": 1000, "timestamp": TIME}}
KUCOIN_BOOK: Frame = {"topic": "/contractMarket/tickerV2:XBTUSDTM", "type": "message", "subject": "tickerV2",
                      "data": {"symbol": "XBTUSDTM", "sequence": 1, "bestBidSize": 10, "bestBidPrice": "64999.9", "bestAskPrice": "65000.3",
                               "bestAskSize": 10, "ts": TIME * 1_000_000}}
KUCOIN_TRADE: Frame = {"topic": "/contractMarket/execution:XBTUSDTM", "type": "message", "subject": "match",
                       "data": {"symbol": "XBTUSDTM", "side": "buy", "size": 1, "price": "65000.05", "ts": TIME * 1_000_000}}
KUCOIN_CANDLE: Frame = {"topic": "/contractMarket/limitCandle:XBTUSDTM_1min", "type": "message", "subject": "candle.stick",
                        "data": {"symbol": "XBTUSDTM", "candles": ["1", "1", "65000.2", "9", "1", "1", "1"], "time": TIME}}


def _read(venue: str, frame: Frame) -> Ticks:
    return FEEDS[venue].read(raw(frame), TIME)


def _changed(frame: Frame, **values: object) -> Frame:
    """The frame with other values in its row."""
    row = frame["data"][0] if isinstance(frame["data"], list) else frame["data"]
    other = {**row, **values}
    return {**frame, "data": [other] if isinstance(frame["data"], list) else other}


@pytest.mark.parametrize(("venue", "frame", "prices"), [
    ("bybit_v5", BYBIT, {"mark": "65000.10", "last": "65000.20", "bid": "64999.9", "ask": "65000.3"}),
    ("bybit_v5", {**BYBIT, "type": "delta", "data": {"symbol": "BTCUSDT", "markPrice": "65000.10"}}, {"mark": "65000.10"}),
    ("bybit_v5", _changed(BYBIT, bid1Price="", ask1Price=""), {"mark": "65000.10", "last": "65000.20"}),
    ("bybit_v5", BYBIT_TRADE, {"last": "65000.05"}), ("bybit_v5", BYBIT_CANDLE, {"last": "65000.2"}),
    ("okx_v5", OKX, {"mark": "65000.10"}), ("okx_v5", OKX_BOOK, {"last": "65000.2", "bid": "64999.9", "ask": "65000.3"}),
    ("okx_v5", OKX_TRADE, {"last": "65000.05"}), ("okx_v5", OKX_CANDLE, {"last": "65000.2"}),
    ("kucoin_futures", KUCOIN, {"mark": "65000.1"}), ("kucoin_futures", _changed(KUCOIN, markPrice="65000.10"), {"mark": "65000.10"}),
    ("kucoin_futures", KUCOIN_BOOK, {"bid": "64999.9", "ask": "65000.3"}), ("kucoin_futures", KUCOIN_TRADE, {"last": "65000.05"}),
    ("kucoin_futures", KUCOIN_CANDLE, {"last": "65000.2"}),
])
def test_each_topic_tells_its_own_price_digit_for_digit(venue: str, frame: Frame, prices: dict[str, str]) -> None:
    found = _read(venue, frame)
    assert (found.refused, found.signal, len(found.ticks)) == ((), None, 1)
    [tick] = found.ticks
    assert {name: getattr(tick, name) for name in ("bid", "ask", "last", "mark") if tick.HasField(name)} == prices
    symbol = {"bybit_v5": "BTCUSDT", "okx_v5": "BTC-USDT-SWAP", "kucoin_futures": "XBTUSDTM"}[venue]
    assert tick.instrument == f"{venue}:{symbol}"
    assert abs(tick.time_ms - TIME) <= 3


def test_a_float_keeps_its_digits() -> None:
    frame = raw(KUCOIN).replace(b"65000.1,", b"0.00000123400,")
    assert FEEDS["kucoin_futures"].read(frame, TIME).ticks[0].mark == "0.00000123400"


@pytest.mark.parametrize(("venue", "frame", "reason"), [
    ("bybit_v5", _changed(BYBIT, markPrice="0"), "not_positive"), ("bybit_v5", _changed(BYBIT, lastPrice="-1"), "not_positive"),
    ("bybit_v5", _changed(BYBIT, bid1Price="65000.4"), "crossed"), ("bybit_v5", _changed(BYBIT, markPrice="abc"), "malformed"),
    ("bybit_v5", _changed(BYBIT_TRADE, v="0"), "not_positive"), ("bybit_v5", _changed(BYBIT_TRADE, p="1e99"), "malformed"),
    ("okx_v5", _changed(OKX, markPx="-65000"), "not_positive"), ("okx_v5", _changed(OKX_BOOK, askPx="64999"), "crossed"),
    ("okx_v5", _changed(OKX_TRADE, sz="0"), "not_positive"), ("okx_v5", {**OKX, "data": [{"markPx": "0"}]}, "not_positive"),
    ("kucoin_futures", _changed(KUCOIN, markPrice=0), "not_positive"),
    ("kucoin_futures", _changed(KUCOIN_BOOK, bestAskPrice="1"), "crossed"),
    ("kucoin_futures", _changed(KUCOIN_TRADE, size=0), "not_positive"),
    ("kucoin_futures", {**KUCOIN, "topic": "/contract/instrument"}, "instrument"),
])
def test_prices_that_cannot_be_are_refused_and_said(venue: str, frame: Frame, reason: str) -> None:
    found = _read(venue, frame)
    assert (found.ticks, [one.reason for one in found.refused]) == ((), [reason])


@pytest.mark.parametrize(("venue", "frame", "kind"), [
    ("bybit_v5", {"success": True, "ret_msg": "pong", "conn_id": "c", "req_id": "", "op": "ping"}, Kind.PONG),
    ("bybit_v5", {"success": True, "ret_msg": "", "conn_id": "c", "op": "subscribe"}, Kind.SUBSCRIBED),
    ("bybit_v5", {"success": False, "ret_msg": "error:handler not found,topic:x", "op": "subscribe"}, Kind.REFUSED),
    ("bybit_v5", {"topic": "liquidation.BTCUSDT", "data": {}}, Kind.UNKNOWN),
    ("okx_v5", {"event": "subscribe", "arg": {"channel": "tickers", "instId": "x"}}, Kind.SUBSCRIBED),
    ("okx_v5", {"event": "error", "code": "60018", "msg": "wrong"}, Kind.REFUSED),
    ("okx_v5", {"event": "notice", "code": "64008", "msg": "soon"}, Kind.CLOSING),
    ("okx_v5", {"arg": {"channel": "price-limit", "instId": "x"}, "data": [{}]}, Kind.UNKNOWN),
    ("kucoin_futures", {"id": "1", "type": "welcome"}, Kind.WELCOME), ("kucoin_futures", {"id": "1", "type": "pong"}, Kind.PONG),
    ("kucoin_futures", {"id": "1", "type": "error", "code": 404, "data": "topic is not found"}, Kind.REFUSED),
    ("kucoin_futures", {"topic": "/contract/instrument:X", "subject": "premium.index", "data": {}}, Kind.UNKNOWN),
    ("binance_usdm", {"e": "serverShutdown", "E": TIME}, Kind.CLOSING), ("binance_usdm", {"e": "forceOrder", "E": TIME}, Kind.UNKNOWN),
])
def test_what_is_no_price_is_a_signal(venue: str, frame: Frame, kind: Kind) -> None:
    found = _read(venue, frame)
    assert (found.ticks, found.refused, found.signal and found.signal.kind) == ((), (), kind)


def test_the_bare_pong_and_funding_are_nothing_to_write_home_about() -> None:
    assert FEEDS["okx_v5"].read(b"pong", TIME).signal is not None
    funding = {**KUCOIN, "subject": "funding.rate", "data": {"granularity": 60000, "fundingRate": -0.002966, "timestamp": TIME}}
    assert _read("kucoin_futures", funding) == Ticks()
    assert _read("bybit_v5", {**BYBIT, "type": "delta", "data": {"symbol": "BTCUSDT", "openInterest": "1"}}) == Ticks()


@pytest.mark.parametrize("venue", list(FEEDS))
@pytest.mark.parametrize("frame", [
    b"", b"x", b"[1]", b"1", b'{"a":', b'{"topic":"tickers.X","data":5}', b'{"topic":["x"]}', b'{"arg":{},"data":[]}', b"\xff\xfe",
    b'{"arg":{"channel":"candle1m","instId":"X"},"data":[["1"]]}', b'{"arg":{"channel":"candle1m","instId":"X"},"data":[{"c":1}]}',
    b'{"topic":"/contract/instrument:X","subject":"mark.index.price","data":[]}', b'{"topic":"tickers.X","data":{"markPrice":["1"]}}',
    b'{"topic":"tickers.X","data":{"markPrice":"\\ud800"}}', b'{"arg":{"channel":"tickers","instId":"X"},"data":[{"last":NaN}]}',
])
def test_bytes_that_are_no_frame_are_unreadable_or_tell_nothing(venue: str, frame: bytes) -> None:
    try:
        found = FEEDS[venue].read(frame, TIME)
    except Unreadable as error:
        assert "expected" in str(error) or "frame" in str(error)
    else:
        assert found.ticks == ()


def test_quotes_that_came_apart_and_crossed_are_forgotten_not_sent() -> None:
    quotes = Quotes()
    [whole] = _read("bybit_v5", BYBIT).ticks
    assert quotes.take(whole) == whole
    [bid] = _read("bybit_v5", {**BYBIT, "type": "delta", "data": {"symbol": "BTCUSDT", "bid1Price": "65001"}}).ticks
    refused = quotes.take(bid)
    assert isinstance(refused, Refused)
    assert refused.reason == "crossed"
    [mark] = _read("bybit_v5", {**BYBIT, "type": "delta", "data": {"symbol": "BTCUSDT", "markPrice": "65002"}}).ticks
    sent = quotes.take(mark)
    assert not isinstance(sent, Refused)
    assert sent is not None
    assert (sent.mark, sent.HasField("bid"), sent.HasField("ask")) == ("65002", False, False)


def test_what_a_lost_socket_said_is_forgotten_but_that_there_are_marks() -> None:
    quotes = Quotes()
    for venue, frame in (("okx_v5", OKX), ("okx_v5", OKX_BOOK), ("bybit_v5", BYBIT)):
        quotes.take(_read(venue, frame).ticks[0])
    quotes.forget("okx_v5")
    assert quotes.take(_read("okx_v5", OKX_TRADE).ticks[0]) is None, "it would stand in the log instead of a mark"
    again = quotes.take(_read("okx_v5", OKX).ticks[0])
    other = quotes.take(_read("bybit_v5", BYBIT).ticks[0])
    assert again is not None
    assert other is not None
    assert not isinstance(again, Refused)
    assert not isinstance(other, Refused)
    assert (again.HasField("bid"), again.last, other.bid) == (False, "65000.05", "64999.9")
