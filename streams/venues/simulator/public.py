"""Market data of the simulated Bybit, OKX and KuCoin: the frames of a price, by topic, and who gets them."""

import json
from collections.abc import Callable, Mapping
from decimal import Decimal

from schemas.money import say
from streams.venues.simulator.amounts import Json
from streams.venues.simulator.exchange import Exchange
from streams.venues.simulator.sockets import Connection

Frames = Callable[[Exchange, str, int], Mapping[str, Json]]  # of a symbol, with a count: frame by topic
_MINUTE_MS = 60_000


class PublicSockets:
    """The venue's public connections; a topic that does not live on a connection's route was refused before."""

    def __init__(self, exchange: Exchange, frames: Frames, marks: tuple[str, ...], every_ms: int) -> None:
        self.exchange, self._frames, self._marks, self._every_ms = exchange, frames, marks, every_ms
        self._wanted: dict[Connection, set[str]] = {}
        self._count = 0
        self._told_ms: dict[str, int] = {}

    def want(self, connection: Connection, topic: str, *, on: bool) -> None:
        """Subscribe, or not."""
        topics = self._wanted.setdefault(connection, set())
        (topics.add if on else topics.discard)(topic)

    def moved(self, symbol: str) -> None:
        """Frames of every topic of the symbol."""
        self._tell(symbol, ())

    def tend(self) -> None:
        """Marks are told again where nothing moved: venues do, and who listens counts on it."""
        now = self.exchange.clock.now_ms()
        for symbol in {topic.rpartition(":")[2].rpartition(".")[2] for topics in self._wanted.values() for topic in topics}:
            if symbol in self.exchange.instruments and now - self._told_ms.get(symbol, 0) >= self._every_ms:
                self._tell(symbol, self._marks)

    def show(self, connection: Connection, topic: str) -> None:
        """The frame of a topic at once, as on subscription."""
        symbol = topic.rpartition(":")[2].rpartition(".")[2]
        if frame := self._frames(self.exchange, symbol, self._count).get(topic):
            connection.send(_text(frame), topic)

    def _tell(self, symbol: str, heads: tuple[str, ...]) -> None:
        self._wanted = {connection: topics for connection, topics in self._wanted.items() if not connection.gone}
        if not self._wanted:
            return
        self._count += 1
        self._told_ms[symbol] = self.exchange.clock.now_ms()
        texts = {topic: _text(frame) for topic, frame in self._frames(self.exchange, symbol, self._count).items()
                 if not heads or topic.startswith(heads)}
        for connection, topics in self._wanted.items():
            for topic in sorted(topics & texts.keys()):
                connection.send(texts[topic], topic)


def _text(frame: Json) -> str:
    return json.dumps(frame, separators=(",", ":"))


def _figures(exchange: Exchange, symbol: str) -> tuple[int, str, str, str]:
    """(now, mark, bid, ask)."""
    bid, ask = exchange.quote(symbol)
    return exchange.clock.now_ms(), say(exchange.marks[symbol]), say(bid), say(ask)


def bybit_frames(exchange: Exchange, symbol: str, count: int) -> Mapping[str, Json]:
    """`/v5/public/linear`. The ticker is whole every time, as its first one."""
    now, price, bid, ask = _figures(exchange, symbol)
    start = now - now % _MINUTE_MS
    ticker = {"symbol": symbol, "tickDirection": "PlusTick", "price24hPcnt": "0", "lastPrice": price, "prevPrice24h": price,
              "highPrice24h": price, "lowPrice24h": price, "prevPrice1h": price, "markPrice": price, "indexPrice": price,
              "openInterest": "1", "openInterestValue": "1", "turnover24h": "1", "volume24h": "1",
              "nextFundingTime": str(exchange.funding_ms()),
              "fundingRate": "0.0001", "bid1Price": bid, "bid1Size": "10", "ask1Price": ask, "ask1Size": "10"}
    candle = {"start": start, "end": start + _MINUTE_MS - 1, "interval": "1", "open": price, "close": price, "high": price, "low": price,
              "volume": "1", "turnover": price, "confirm": False, "timestamp": now}
    trade = {"T": now, "s": symbol, "S": "Buy", "v": "0.001", "p": price, "L": "PlusTick", "i": f"{count:032x}", "BT": False}
    return {f"tickers.{symbol}": {"topic": f"tickers.{symbol}", "type": "snapshot", "data": ticker, "cs": count, "ts": now},
            f"kline.1.{symbol}": {"topic": f"kline.1.{symbol}", "data": [candle], "ts": now, "type": "snapshot"},
            f"publicTrade.{symbol}": {"topic": f"publicTrade.{symbol}", "type": "snapshot", "ts": now, "data": [trade]}}


def okx_frames(exchange: Exchange, symbol: str, count: int) -> Mapping[str, Json]:
    """`/ws/v5/public`; candles on `/ws/v5/business`. The topic is `channel:instId`."""
    now, price, bid, ask = _figures(exchange, symbol)
    rows: dict[str, object] = {
        "mark-price": {"instType": "SWAP", "instId": symbol, "markPx": price, "ts": str(now)},
        "tickers": {"instType": "SWAP", "instId": symbol, "last": price, "lastSz": "1", "askPx": ask, "askSz": "11", "bidPx": bid,
                    "bidSz": "5", "open24h": price, "high24h": price, "low24h": price, "volCcy24h": "1", "vol24h": "1",
                    "sodUtc0": price, "sodUtc8": price, "ts": str(now)},
        "trades": {"instId": symbol, "tradeId": str(count), "px": price, "sz": "1", "side": "buy", "ts": str(now), "count": "1"},
        "funding-rate": {"instType": "SWAP", "instId": symbol, "fundingRate": "0.0001", "nextFundingRate": "", "ts": str(now),
                         "fundingTime": str(exchange.funding_ms()), "nextFundingTime": str(exchange.funding_ms())},
        "candle1m": [str(now - now % _MINUTE_MS), price, price, price, price, "1", "1", price, "0"]}
    return {f"{channel}:{symbol}": {"arg": {"channel": channel, "instId": symbol}, "data": [row]} for channel, row in rows.items()}


def kucoin_frames(exchange: Exchange, symbol: str, count: int) -> Mapping[str, Json]:
    """The classic socket, opened with a public token: marks are JSON floats, quotes are text, times of trades are ns."""
    now, price, bid, ask = _figures(exchange, symbol)
    mark = float(Decimal(price))
    start = str(now // _MINUTE_MS * 60)
    rows: dict[tuple[str, str], Json] = {
        (f"/contract/instrument:{symbol}", "mark.index.price"): {"markPrice": mark, "indexPrice": mark, "granularity": 1000,
                                                                 "timestamp": now},
        (f"/contractMarket/tickerV2:{symbol}", "tickerV2"): {
            "symbol": symbol, "sequence": count, "bestBidSize": 10, "bestBidPrice": bid, "bestAskPrice": ask, "bestAskSize": 10,
            "ts": now * 1_000_000},
        (f"/contractMarket/execution:{symbol}", "match"): {
            "symbol": symbol, "sequence": count, "side": "buy", "size": 1, "price": price, "takerOrderId": f"{count:024x}",
            "makerOrderId": f"{count:024x}", "tradeId": str(count), "ts": now * 1_000_000},
        (f"/contractMarket/limitCandle:{symbol}_1min", "candle.stick"): {
            "symbol": symbol, "candles": [start, price, price, price, price, "1", "1"], "time": now}}
    return {topic: {"topic": topic, "type": "message", "subject": subject, "sn": count, "data": row}
            for (topic, subject), row in rows.items()}


BYBIT_TOPICS = ("tickers", "kline.1", "publicTrade")
OKX_CHANNELS, OKX_BUSINESS = frozenset({"mark-price", "tickers", "trades", "funding-rate"}), frozenset({"candle1m"})
KUCOIN_TOPICS = ("/contract/instrument", "/contractMarket/tickerV2", "/contractMarket/execution", "/contractMarket/limitCandle")
