"""Binance USD-M's market streams as price ticks: mark prices, book tickers, day tickers, candles, trades."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from agents.risk.ticks import Refused, read_tick
from schemas.engine_pb2 import PriceTick
from schemas.keys import instrument_key
from schemas.money import parse
from streams.venues.frames import Kind, Signal, Unreadable
from streams.venues.normalise.fields import Fields, is_zero, put, read, rows

VENUE = "binance_usdm"
# By event: which of its fields are prices. An index price, a settlement estimate or a candle's high is not how the market stands.
_PRICES: Mapping[str, Mapping[str, str]] = {
    "markPriceUpdate": {"mark": "p"}, "bookTicker": {"bid": "b", "ask": "a"}, "24hrTicker": {"last": "c"}, "24hrMiniTicker": {"last": "c"},
    "trade": {"last": "p"}, "aggTrade": {"last": "p"}, "kline": {"last": "c"},
}
_COIN_MARGINED = 2  # `st` of the merged all-market streams


class Ticks(NamedTuple):
    """What a market frame tells: ticks (key: the instrument), those refused with the reason, and a signal where it is about the socket."""

    ticks: tuple[PriceTick, ...] = ()
    refused: tuple[Refused, ...] = ()
    signal: Signal | None = None


class Quotes:
    """What is known of each instrument besides its mark: a tick with a mark goes out with it, whole.

    A tick without one waits for the next mark where there are marks: alone it would renew no mark's age, and compaction would keep it
    instead of the mark.
    """

    def __init__(self) -> None:
        self._known: dict[str, PriceTick] = {}

    def take(self, tick: PriceTick) -> PriceTick | Refused | None:
        """The tick to send, or None where it waits. Where bid and ask came apart and crossed, both are forgotten."""
        known = self._known.get(tick.instrument)
        whole = PriceTick()
        if known is not None:
            whole.CopyFrom(known)
        whole.MergeFrom(tick)
        self._known[tick.instrument] = whole
        if whole.HasField("bid") and whole.HasField("ask") and parse(whole.bid) > parse(whole.ask):
            refused = Refused("crossed", f"{tick.instrument}: expected bid at or below ask, was {whole.bid} over {whole.ask}")
            whole.ClearField("bid")
            whole.ClearField("ask")
            return refused
        if tick.HasField("mark") or not whole.HasField("mark"):
            return whole
        return None

    def forget(self, venue: str) -> None:
        """A socket of the venue told its last: what it said of bid, ask and last trade is of then. That there are marks is remembered."""
        for instrument, known in self._known.items():
            if instrument.startswith(venue + ":"):
                kept = PriceTick(instrument=instrument, mark=known.mark) if known.HasField("mark") else PriceTick(instrument=instrument)
                known.CopyFrom(kept)


def read_market(frame: bytes, received_ms: int) -> Ticks:
    """One frame, bare or wrapped, one event or a list of them. Raises `Unreadable`."""
    found = read(frame)
    if isinstance(found, dict) and "stream" in found:
        found = found.get("data")
    events = rows(found, "frame")
    if len(events) == 1 and not events[0].has("e"):
        return Ticks(signal=_answered(events[0]))
    if len(events) == 1 and events[0].said("e") == "serverShutdown":
        return Ticks(signal=Signal(Kind.CLOSING, "serverShutdown"))
    return judged((_tick(event, received_ms) for event in events if event.found.get("st") != _COIN_MARGINED), received_ms)


def judged(found: Iterable[PriceTick | str], received_ms: int) -> Ticks:
    """Ticks that can be apart from those that cannot; a text is the name of an event that nobody knows."""
    ticks: list[PriceTick] = []
    refused: list[Refused] = []
    unknown: Signal | None = None
    for tick in found:
        said = read_tick(tick, 0, received_ms) if isinstance(tick, PriceTick) else None
        if isinstance(said, Refused):
            refused.append(said)
        elif isinstance(tick, PriceTick):
            ticks.append(tick)
        else:
            unknown = Signal(Kind.UNKNOWN, tick)
    return Ticks(tuple(ticks), tuple(refused), unknown)


def _tick(event: Fields, received_ms: int) -> PriceTick | str:
    """The tick, or the name of an event that has no price we take."""
    name = event.said("e")
    columns = _PRICES.get(name)
    if columns is None:
        return name[:80]
    event.must("s")
    tick = PriceTick(instrument=instrument_key(VENUE, event.said("s")), source=f"{VENUE}:{name}", time_ms=event.moment("E") or received_ms)
    prices = event.inner("k") if name == "kline" else event
    prices.must(*columns.values())
    put(tick, prices, columns)
    if name in ("trade", "aggTrade") and is_zero(prices.said("q")):
        tick.last = "0"  # a trade of nothing is no trade: refused as not positive
    return tick


def _answered(event: Fields) -> Signal:
    if "error" in event.found or "code" in event.found:
        error = event.inner("error") if isinstance(event.found.get("error"), dict) else event
        return Signal(Kind.REFUSED, event.said("id"), error.said("code"), error.said("msg")[:200])
    if "id" not in event.found:
        raise Unreadable("e: expected the event's name, was none")
    return Signal(Kind.SUBSCRIBED, event.said("id"))
