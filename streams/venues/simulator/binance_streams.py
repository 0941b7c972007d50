"""Binance's market streams: which stream lives on which route, and their frames when a price moves."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING

from aiohttp import web

from schemas.money import say, say_short
from streams.venues.simulator.amounts import Json, fixed
from streams.venues.simulator.sockets import Connection

if TYPE_CHECKING:
    from streams.venues.simulator.binance import Binance

_PUBLIC = ("bookTicker", "trade", "depth", "rpiDepth")
_HOUR_MS, _MARK_MS = 3_600_000, 1_000


class MarketSockets:
    """All market connections; a stream on the wrong route is acknowledged and silent."""

    def __init__(self, venue: Binance) -> None:
        self.venue = venue
        self._wanted: dict[Connection, tuple[set[str], bool]] = {}
        self._count = 0
        self._told_ms: dict[str, int] = {}

    async def open(self, request: web.Request) -> web.StreamResponse:
        """`/market/...` or `/public/...`; streams by path, query or SUBSCRIBE."""
        connection = Connection(request, self.venue.name, self.venue.clock, self.venue.faults)
        route, wrapped = request.path.split("/")[1], request.path.endswith("/stream")
        streams = {one for one in request.query.get("streams", "").split("/") if one} | {request.match_info.get("key", "")} - {""}
        self._wanted[connection] = streams, wrapped

        async def heard(text: str) -> None:
            said = json.loads(text)
            if said.get("method") == "SUBSCRIBE":
                streams.update(map(str, said.get("params", ())))
            elif said.get("method") == "UNSUBSCRIBE":
                streams.difference_update(map(str, said.get("params", ())))
            connection.send(json.dumps({"result": None, "id": said.get("id")}, separators=(",", ":")))

        connection.account = route  # what belongs elsewhere never arrives
        try:
            return await self.venue.serve(connection, heard)
        finally:
            del self._wanted[connection]

    def moved(self, symbol: str, price: Decimal) -> None:
        """Frames of every stream of the symbol."""
        if self._wanted:
            self._count += 1
            self._told_ms[symbol] = self.venue.clock.now_ms()
            self._tell(self._frames(symbol, price))

    def tend(self) -> None:
        """Marks are told every second, whether they moved or not."""
        now = self.venue.clock.now_ms()
        marks = self.venue.exchange.marks
        wanted = {stream.partition("@") for streams, _ in self._wanted.values() for stream in streams}
        for symbol in {name.upper() for name, _, kind in wanted if kind.startswith("markPrice")}:
            if symbol in marks and now - self._told_ms.get(symbol, 0) >= _MARK_MS:
                self._told_ms[symbol] = now
                name = f"{symbol.lower()}@markPrice"
                self._tell({name: self._frames(symbol, marks[symbol])[name]})

    def _tell(self, made: dict[str, Json]) -> None:
        for connection, (streams, wrapped) in list(self._wanted.items()):
            for stream in streams:
                frame = made.get(stream) or made.get(stream.removesuffix("@1s"))
                if frame is None or (connection.account == "public") != stream.partition("@")[2].startswith(_PUBLIC):
                    continue
                body: Json = {"stream": stream, "data": frame} if wrapped else frame
                connection.send(json.dumps(body, separators=(",", ":")), str(frame["e"]))

    def _frames(self, symbol: str, price: Decimal) -> dict[str, Json]:
        now, low, text = self.venue.clock.now_ms(), symbol.lower(), say(price)
        bid, ask = self.venue.exchange.quote(symbol)
        start = now - now % 60_000
        kline = {"t": start, "T": start + 59_999, "s": symbol, "i": "1m", "f": 100, "L": 100 + self._count, "o": text, "c": text, "h": text,
                 "l": text, "v": "1000", "n": 1 + self._count, "x": False, "q": "1.0000", "V": "500", "Q": "0.500", "B": "0"}
        return {
            f"{low}@kline_1m": {"e": "kline", "E": now, "s": symbol, "k": kline},
            f"{low}@markPrice": {"e": "markPriceUpdate", "E": now, "s": symbol, "p": fixed(price), "ap": fixed(price), "P": fixed(price),
                                 "i": fixed(price), "r": "0.00010000", "T": self.venue.exchange.funding_ms()},
            f"{low}@ticker": {"e": "24hrTicker", "E": now, "s": symbol, "p": "0", "P": "0", "w": text, "c": text, "Q": "1", "o": text,
                              "h": text, "l": text, "v": "1000", "q": "1000", "O": now - 24 * _HOUR_MS, "C": now, "F": 0,
                              "L": self._count, "n": self._count},
            f"{low}@bookTicker": {"e": "bookTicker", "u": self._count, "s": symbol, "b": say_short(bid), "B": "1000", "a": say_short(ask),
                                  "A": "1000", "T": now, "E": now},
            f"{low}@trade": {"e": "trade", "E": now, "T": now, "s": symbol, "t": self._count, "p": text, "q": "0.010", "X": "MARKET",
                             "m": False},
            f"{low}@aggTrade": {"e": "aggTrade", "E": now, "a": self._count, "s": symbol, "p": text, "q": "0.010", "f": self._count,
                                "l": self._count, "T": now, "m": False}}
