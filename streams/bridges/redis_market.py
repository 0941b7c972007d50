"""Prices of the house in: `market_price_updates` names a symbol, its hash becomes a tick."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import NamedTuple

from schemas.engine_pb2 import PriceTick
from schemas.money import say
from streams.bridges import redis_metrics as metrics
from streams.bridges.redis_reading import BadMessage, Quote, read_quote, read_symbol
from streams.cache import keys
from streams.cache.store import Store, scan

log = logging.getLogger(__name__)
SOURCE = "redis"
_WAITING_MAX = 10_000
_RENEW_MS = 1_000  # an unchanged price is said again no more often: it renews the mark's age
Send = Callable[[list[tuple[str, bytes]]], Awaitable[None]]  # (instrument, PriceTick) to the topic


class Seen(NamedTuple):
    """What was last sent of a symbol."""

    bid: Decimal
    ask: Decimal
    time_ms: int
    sent_ms: int


class Market:
    """Symbols wait once each, however often they are named; what their hash says is read when their turn comes."""

    def __init__(self, store: Store, send: Send, stale_ms: int) -> None:
        self._store, self._send, self._stale_ms = store, send, stale_ms
        self._waiting: dict[str, float] = {}
        self._seen: dict[str, Seen] = {}
        self._there = asyncio.Event()

    def heard(self, data: object) -> None:
        """Takes a message of the channel."""
        try:
            symbol = read_symbol(data)
        except BadMessage as error:
            metrics.PRICES.labels("refused").inc()
            log.error("%s: left out: %s", keys.MARKET_PRICE_UPDATES, error)
            return
        if len(self._waiting) >= _WAITING_MAX and symbol not in self._waiting:
            metrics.PRICES.labels("lost").inc()  # its next update comes
            return
        self._waiting.setdefault(symbol, time.perf_counter())
        self._there.set()

    async def read_all(self) -> None:
        """Names every symbol there is: what was published while nobody listened is lost, its hash is not."""
        async for found in scan(self._store, keys.MARKET_PATTERN):
            for key in found:
                self.heard(keys.symbol_of_market(key))

    async def send_next(self) -> int:
        """Waits for symbols, reads their hashes in one pipeline and sends what is news; how many. Raises one of `AWAY` with all waiting."""
        await self._there.wait()
        taken, self._waiting = self._waiting, {}
        self._there.clear()
        symbols = list(taken)
        try:
            answers = await self._store.run([("HMGET", keys.market(symbol), "bid", "ask", "ts") for symbol in symbols])
            now_ms = int(time.time() * 1000)
            ticks = [tick for symbol, answer in zip(symbols, answers, strict=True) if (tick := self._tick(symbol, answer, now_ms))]
            await self._send(ticks)
        except BaseException:
            self._waiting = taken | self._waiting
            self._there.set()
            raise
        now = time.perf_counter()
        for began in taken.values():
            metrics.PRICE_SECONDS.observe(now - began)
        return len(ticks)

    def _tick(self, symbol: str, answer: object, now_ms: int) -> tuple[str, bytes] | None:
        try:
            quote = read_quote(symbol, answer, now_ms)
        except BadMessage as error:
            metrics.PRICES.labels("refused").inc()
            log.error("left out: %s", error)
            return None
        outcome = self._outcome(quote, now_ms)
        metrics.PRICES.labels(outcome).inc()
        if outcome != "sent":
            return None
        self._seen[quote.instrument] = Seen(quote.bid, quote.ask, quote.time_ms, now_ms)
        tick = PriceTick(instrument=quote.instrument, bid=say(quote.bid), ask=say(quote.ask), time_ms=quote.time_ms, source=SOURCE)
        return quote.instrument, tick.SerializeToString()

    def _outcome(self, quote: Quote, now_ms: int) -> str:
        seen = self._seen.get(quote.instrument)
        # The age of a mark counts from the topic's clock: an old price must not look new because somebody names it again.
        if quote.time_ms < now_ms - self._stale_ms or (seen and quote.time_ms < seen.time_ms):
            return "late"
        if seen and (quote.bid, quote.ask) == (seen.bid, seen.ask) and (quote.time_ms == seen.time_ms
                                                                        or now_ms - seen.sent_ms < _RENEW_MS):
            return "unchanged"
        return "sent"
