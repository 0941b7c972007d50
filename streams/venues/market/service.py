"""Market data beside the sessions: what the accounts hold is subscribed, what the venues say becomes ticks."""

import asyncio
import logging
import random
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from agents.risk.ticks import Refused
from schemas.engine_pb2 import DeadLetter
from streams.config import Config
from streams.ops.logs import place_of
from streams.venues import metrics
from streams.venues.frames import Kind
from streams.venues.market.feeds import FEEDS
from streams.venues.market.line import Line
from streams.venues.market.publisher import TickPublisher
from streams.venues.market.sockets import Outside, Wire
from streams.venues.normalise.market import Quotes, Ticks
from streams.venues.reader import Reader
from streams.venues.rest import Rest

log = logging.getLogger(__name__)
_LOOK_S, _LINGER_MS, _LETTER_BYTES_MAX = 1.0, 600_000, 65_536
_SYMBOLS_MAX = 500  # of a venue: one socket a route must carry them


class Holding(NamedTuple):
    """What an account wants to know the price of; `rest` says which venue, where."""

    rest: Rest
    symbols: frozenset[str]


class Wanted:
    """Symbols by venue, those just let go for a while longer: a position that comes back in a minute finds its socket as it was."""

    def __init__(self, linger_ms: int = _LINGER_MS) -> None:
        self._linger_ms = linger_ms
        self._seen: dict[str, dict[str, int]] = {}

    def now(self, held: Iterable[tuple[str, frozenset[str]]], now_ms: int) -> dict[str, frozenset[str]]:
        """(venue, symbols) of each account; what to subscribe now. Past the bound, what was let go longest ago gives way."""
        for venue, symbols in held:
            self._seen.setdefault(venue, {}).update(dict.fromkeys(symbols, now_ms))
        for seen in self._seen.values():
            for symbol in [one for one, at in seen.items() if now_ms - at > self._linger_ms]:
                del seen[symbol]
        return {venue: frozenset(sorted(seen, key=lambda one: (-seen[one], one))[:_SYMBOLS_MAX]) for venue, seen in self._seen.items()}


def holdings(readers: Mapping[tuple[str, str], Reader]) -> list[Holding]:
    """Of what is read in this process: positions, and orders that may become some."""
    return [Holding(reader.rest, reader.session.memory.symbols()) for reader in readers.values()]


class MarketData:
    """`run` until cancelled; `holdings` says what the accounts hold now."""

    def __init__(self, config: Config, holdings: Callable[[], list[Holding]]) -> None:
        self._enabled, self._types, self._holdings = config.websocket_enabled, config.websocket_stream_types.split(","), holdings
        self.publisher = TickPublisher(config.kafka_bootstrap)
        self.quotes, self.wanted = Quotes(), Wanted()
        self.wires: dict[tuple[str, str], Wire] = {}
        self._rests: dict[str, Rest] = {}

    async def run(self) -> None:
        """Sends, and every second looks at what is held; nothing where it is not enabled."""
        if not self._enabled:
            return
        sending = asyncio.create_task(self.publisher.run())
        try:
            while True:
                try:
                    self._look()
                except Exception as error:  # a bug of ours must not end what the process reads
                    log.error("market data: %s", place_of(error))
                await asyncio.sleep(_LOOK_S)
        finally:
            await asyncio.gather(self.publisher.close(sending), *(wire.close() for wire in self.wires.values()), return_exceptions=True)

    def _look(self) -> None:
        held = [one for one in self._holdings() if one.rest.venue.name in FEEDS]
        for one in held:
            self._rests.setdefault(one.rest.venue.name, one.rest)
        now_ms = next((rest.clock.now_ms() for rest in self._rests.values()), 0)
        for venue, symbols in self.wanted.now(((one.rest.venue.name, one.symbols) for one in held), now_ms).items():
            for route, topics in FEEDS[venue].wanted(self._types, symbols).items():
                if topics or (venue, route) in self.wires:
                    self._wire(venue, route).want(topics)

    def _wire(self, venue: str, route: str) -> Wire:
        wire = self.wires.get((venue, route))
        if wire is None:
            outside = Outside(self._rests[venue], self.hear, self.unreadable, self.quotes.forget)
            wire = self.wires[venue, route] = Wire(Line(FEEDS[venue], route, random.Random()), outside)
        return wire

    def hear(self, venue: str, frame: bytes, found: Ticks) -> None:
        """What a frame told: ticks whole to the publisher, what cannot be counted, an unknown event to the dead letters."""
        for refused in found.refused:
            self._refuse(venue, refused)
        for tick in found.ticks:
            whole = self.quotes.take(tick)
            if isinstance(whole, Refused):
                self._refuse(venue, whole)
            elif whole is not None:
                metrics.TICKS.labels(venue).inc()
                self.publisher.put(whole)
        if found.signal is not None and found.signal.kind is Kind.UNKNOWN:
            self._write(venue, frame, "unknown", f"event {found.signal.name!r}: expected one with a price, was none of them")

    def unreadable(self, venue: str, frame: bytes, error: str) -> None:
        """A frame that is none of the venue's."""
        self._write(venue, frame, "unreadable", error)

    def _refuse(self, venue: str, refused: Refused) -> None:
        metrics.TICKS_REFUSED.labels(venue, refused.reason).inc()
        log.debug("%s: tick refused: %s", venue, refused.detail)

    def _write(self, venue: str, frame: bytes, reason: str, error: str) -> None:
        metrics.TICKS_REFUSED.labels(venue, reason).inc()
        self.publisher.write(DeadLetter(topic=f"market/{venue}", key=venue.encode(), value=frame[:_LETTER_BYTES_MAX], error=error[:1_000],
                                        time_ms=self._rests[venue].clock.now_ms() if venue in self._rests else 0))

