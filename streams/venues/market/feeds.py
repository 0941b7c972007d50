"""What a venue's market sockets are: which stream type is which topic on which route, how it is asked for, how its frames are read."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from streams.venues import bybit
from streams.venues.frames import Unreadable
from streams.venues.market.frames import read_bybit, read_kucoin, read_okx
from streams.venues.normalise.market import Ticks, read_market
from streams.venues.venue import Access, Hosts, Request

_SILENT_MS, _SPARSE_MS = 30_000, 600_000
_TOPICS_MAX = 100  # in one message


class Path(NamedTuple):
    """A route: without any price for `silent_ms` its socket is mute, whatever else it answers."""

    path: str
    silent_ms: int = _SILENT_MS


class Feed(NamedTuple):
    """A venue's market data. `topics`: stream type -> (route, topic with `{symbol}` or `{low}`)."""

    name: str
    paths: Mapping[str, Path]
    topics: Mapping[str, tuple[tuple[str, str], ...]]
    speak: Callable[[bool, Sequence[str], int], list[str]]  # subscribe or not, topics, a number: texts to send
    reader: Callable[[bytes, int], Ticks]
    say_every_ms: int = 150  # between two messages of ours
    ping: Callable[[int], str] | None = None
    ping_every_ms: int = 20_000
    quiet_ms_max: int = 60_000  # of a venue that answers pings: nothing at all for so long
    token: Request | None = None  # asked before every connection, where the address comes with a token
    hosts: Callable[[Hosts], Hosts] = lambda hosts: hosts

    def wanted(self, types: Iterable[str], symbols: Iterable[str]) -> dict[str, frozenset[str]]:
        """Topics by route."""
        found: dict[str, set[str]] = {route: set() for route in self.paths}
        places = {place for kind in types for place in self.topics.get(kind, ())}
        for symbol in symbols:
            for route, topic in places:
                found[route].add(topic.format(symbol=symbol, low=symbol.lower()))
        return {route: frozenset(topics) for route, topics in found.items()}

    def read(self, frame: bytes, received_ms: int) -> Ticks:
        """One frame. Raises `Unreadable`."""
        try:
            return self.reader(frame, received_ms)
        except Unreadable:
            raise
        except ValueError as error:  # lone surrogates, numbers past 64 bits: what protobuf cannot hold
            raise Unreadable(f"frame: {str(error)[:200]}") from None


def _speak_binance(on: bool, topics: Sequence[str], number: int) -> list[str]:
    method = "SUBSCRIBE" if on else "UNSUBSCRIBE"
    return [json.dumps({"method": method, "params": topics[at:at + _TOPICS_MAX], "id": number + at})
            for at in range(0, len(topics), _TOPICS_MAX)]


def _speak_bybit(on: bool, topics: Sequence[str], number: int) -> list[str]:
    """One topic that the venue does not know refuses its whole message: a symbol a message."""
    by_symbol = groupby(sorted(topics, key=_last), _last)
    return [json.dumps({"req_id": f"{number}-{symbol}", "op": "subscribe" if on else "unsubscribe", "args": sorted(found)})
            for symbol, found in by_symbol]


def _speak_okx(on: bool, topics: Sequence[str], _number: int) -> list[str]:
    arguments = [{"channel": channel, "instId": symbol} for channel, _, symbol in (topic.partition(":") for topic in topics)]
    return [json.dumps({"op": "subscribe" if on else "unsubscribe", "args": arguments[at:at + _TOPICS_MAX]})
            for at in range(0, len(arguments), _TOPICS_MAX)]


def _speak_kucoin(on: bool, topics: Sequence[str], number: int) -> list[str]:
    by_head = groupby(sorted(topics), lambda topic: topic.partition(":")[0])
    symbols = [(head, [topic.partition(":")[2] for topic in found]) for head, found in by_head]
    return [json.dumps({"id": f"{number}-{head}-{at}", "type": "subscribe" if on else "unsubscribe", "response": True,
                        "topic": f"{head}:{','.join(found[at:at + _TOPICS_MAX])}", "privateChannel": False})
            for head, found in symbols for at in range(0, len(found), _TOPICS_MAX)]


def _last(topic: str) -> str:
    return topic.rpartition(".")[2]


BINANCE = Feed(
    "binance_usdm", {"market": Path("/market/ws"), "public": Path("/public/ws", _SPARSE_MS)},
    {"kline": (("market", "{low}@kline_1m"),), "markPrice": (("market", "{low}@markPrice@1s"),), "ticker": (("market", "{low}@ticker"),),
     "trade": (("public", "{low}@trade"),), "bookTicker": (("public", "{low}@bookTicker"),)},
    _speak_binance, read_market)
_TICKERS = (("linear", "tickers.{symbol}"),)
BYBIT = Feed(
    "bybit_v5", {"linear": Path("/v5/public/linear")},
    {"kline": (("linear", "kline.1.{symbol}"),), "markPrice": _TICKERS, "ticker": _TICKERS, "bookTicker": _TICKERS,
     "trade": (("linear", "publicTrade.{symbol}"),)},
    _speak_bybit, read_bybit, ping=lambda _: '{"op": "ping"}',
    hosts=lambda hosts: bybit.MAINNET if hosts == bybit.DEMO else hosts)  # the demo has the mainnet's prices
_OKX_TICKERS = (("public", "tickers:{symbol}"),)
OKX = Feed(
    "okx_v5", {"public": Path("/ws/v5/public"), "business": Path("/ws/v5/business", _SPARSE_MS)},
    {"kline": (("business", "candle1m:{symbol}"),), "markPrice": (("public", "mark-price:{symbol}"),), "ticker": _OKX_TICKERS,
     "bookTicker": _OKX_TICKERS, "trade": (("public", "trades:{symbol}"),)},
    _speak_okx, read_okx, say_every_ms=400, ping=lambda _: "ping", quiet_ms_max=45_000)
_KUCOIN_TICKERS = (("classic", "/contractMarket/tickerV2:{symbol}"),)
KUCOIN = Feed(
    "kucoin_futures", {"classic": Path("")},
    {"kline": (("classic", "/contractMarket/limitCandle:{symbol}_1min"),), "markPrice": (("classic", "/contract/instrument:{symbol}"),),
     "ticker": _KUCOIN_TICKERS, "bookTicker": _KUCOIN_TICKERS, "trade": (("classic", "/contractMarket/execution:{symbol}"),)},
    _speak_kucoin, read_kucoin, ping=lambda now_ms: json.dumps({"id": str(now_ms), "type": "ping"}), ping_every_ms=15_000,
    token=Request("bullet-public", "/api/v1/bullet-public", method="POST", weight=10, access=Access.PUBLIC))
FEEDS: Mapping[str, Feed] = {feed.name: feed for feed in (BINANCE, BYBIT, OKX, KUCOIN)}
