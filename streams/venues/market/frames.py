"""Public frames of Bybit, OKX and KuCoin as price ticks; Binance's are read by `normalise.market`. Facts: the venues' own documents."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from schemas.engine_pb2 import PriceTick
from schemas.keys import instrument_key
from streams.venues.decode import normalise
from streams.venues.frames import Kind, Receipt, Signal, Unreadable
from streams.venues.normalise.fields import Fields, is_zero, put, read
from streams.venues.normalise.market import Ticks, judged

_NOBODY = Receipt("live:0", "market")
_BYBIT, _OKX, _KUCOIN = "bybit_v5", "okx_v5", "kucoin_futures"


class Columns(NamedTuple):
    """Which fields are prices, which is the size traded, and for candles at which place of the row the last price stands."""

    prices: Mapping[str, str] = {}
    size: str = ""
    close: int = -1


_BYBIT_TOPICS = {"tickers": Columns({"mark": "markPrice", "last": "lastPrice", "bid": "bid1Price", "ask": "ask1Price"}),
                 "publicTrade": Columns({"last": "p"}, "v"), "kline": Columns({"last": "close"})}
_OKX_CHANNELS = {"mark-price": Columns({"mark": "markPx"}), "tickers": Columns({"last": "last", "bid": "bidPx", "ask": "askPx"}),
                 "trades": Columns({"last": "px"}, "sz"), "candle1m": Columns(close=4)}
_KUCOIN_SUBJECTS = {"mark.index.price": Columns({"mark": "markPrice"}), "tickerV2": Columns({"bid": "bestBidPrice", "ask": "bestAskPrice"}),
                    "match": Columns({"last": "price"}, "size"), "candle.stick": Columns(close=2), "funding.rate": Columns()}


def read_bybit(frame: bytes, received_ms: int) -> Ticks:
    """`/v5/public/linear`: a ticker is told whole first, then only what changed. Raises `Unreadable`."""
    envelope = _envelope(frame)
    topic = envelope.said("topic")
    if not topic:
        return Ticks(signal=_signal(_BYBIT, frame))
    name, symbol = topic.partition(".")[0], topic.rpartition(".")[2]
    columns = _BYBIT_TOPICS.get(name)
    if columns is None:
        return Ticks(signal=Signal(Kind.UNKNOWN, topic[:80]))
    place = PriceTick(instrument=instrument_key(_BYBIT, symbol), source=f"{_BYBIT}:{name}", time_ms=envelope.moment("ts") or received_ms)
    return judged(_ticks(envelope.rows("data"), columns, place), received_ms)


def read_okx(frame: bytes, received_ms: int) -> Ticks:
    """`/ws/v5/public` and, for candles, `/ws/v5/business`. Raises `Unreadable`."""
    if frame.strip() == b"pong":
        return Ticks(signal=Signal(Kind.PONG))
    envelope = _envelope(frame)
    if "data" not in envelope.found or envelope.has("event"):
        return Ticks(signal=_signal(_OKX, frame))
    argument = envelope.inner("arg")
    argument.must("channel", "instId")
    name = argument.said("channel")
    columns = _OKX_CHANNELS.get(name)
    if columns is None:
        return Ticks(signal=Signal(Kind.UNKNOWN, name[:80]))
    place = PriceTick(instrument=instrument_key(_OKX, argument.said("instId")), source=f"{_OKX}:{name}", time_ms=received_ms)
    if columns.close < 0:
        return judged(_ticks(envelope.rows("data"), columns, place), received_ms)
    candles = envelope.found["data"]
    if not isinstance(candles, list):
        raise envelope.wrong("data", "a list")
    return judged((_candle(row, columns.close, place) for row in candles), received_ms)


def read_kucoin(frame: bytes, received_ms: int) -> Ticks:
    """The classic futures socket, opened with a public token. Raises `Unreadable`."""
    envelope = _envelope(frame)
    topic, subject = envelope.said("topic"), envelope.said("subject")
    if not topic:
        return Ticks(signal=_signal(_KUCOIN, frame))
    columns = _KUCOIN_SUBJECTS.get(subject)
    if columns is None:
        return Ticks(signal=Signal(Kind.UNKNOWN, (subject or topic)[:80]))
    symbol, row = topic.partition(":")[2].partition("_")[0], envelope.inner("data")
    place = PriceTick(instrument=instrument_key(_KUCOIN, symbol), source=f"{_KUCOIN}:{subject}", time_ms=received_ms)
    if columns.close < 0:
        return judged(_ticks([row], columns, place), received_ms)
    return judged([_candle(row.found.get("candles"), columns.close, place)], received_ms)


def _ticks(rows: list[Fields], columns: Columns, place: PriceTick) -> Iterator[PriceTick]:
    """A row without any price tells of something else: no tick, and nothing wrong."""
    for row in rows:
        said = {column: name for column, name in columns.prices.items() if row.has(name)}
        if said:
            tick = PriceTick()
            tick.CopyFrom(place)
            tick.time_ms = row.moment("ts") or row.moment("timestamp") or row.moment("T") or place.time_ms
            put(tick, row, said)
            if columns.size and is_zero(row.said(columns.size)):
                tick.last = "0"  # a trade of nothing is no trade: refused as not positive
            yield tick


def _candle(row: object, close: int, place: PriceTick) -> PriceTick:
    if not isinstance(row, list) or len(row) <= close or isinstance(row[close], dict | list | bool | None):
        raise Unreadable(f"candle: expected a list with the close at {close}, was {str(row)[:80]!r}")
    tick = PriceTick(last=str(row[close]))
    tick.MergeFrom(place)
    return tick


def _envelope(frame: bytes) -> Fields:
    found = read(frame)
    if not isinstance(found, dict):
        raise Unreadable(f"frame: expected an object, was {type(found).__name__}")
    return Fields(found)


def _signal(venue: str, frame: bytes) -> Signal | None:
    """What is no price is spelt as on the private socket: greetings, acknowledgements, pongs, refusals."""
    return normalise(venue, frame, _NOBODY).signal
