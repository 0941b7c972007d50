"""Mutated public frames, whole ones through the quotes, and a broker that takes nothing: no crash, no bad price, nothing newer lost."""

import random

import pytest
from aiokafka.errors import KafkaConnectionError

from agents.risk.ticks import Refused, read_tick
from schemas.engine_pb2 import PriceTick
from streams.venues.frames import Unreadable
from streams.venues.market.feeds import FEEDS
from streams.venues.market.publisher import TickPublisher
from streams.venues.normalise.market import Quotes
from tests.venues.corpus import TIME, Frame
from tests.venues.fuzz import mutate
from tests.venues.market import test_frames as frames
from tests.venues.payloads import raw
from tests.venues.test_decode_market import BOOK, KLINE, MARK, TRADE

POOLS: dict[str, tuple[Frame, ...]] = {
    "binance_usdm": (MARK, BOOK, TRADE, KLINE), "bybit_v5": (frames.BYBIT, frames.BYBIT_TRADE, frames.BYBIT_CANDLE),
    "okx_v5": (frames.OKX, frames.OKX_BOOK, frames.OKX_TRADE, frames.OKX_CANDLE),
    "kucoin_futures": (frames.KUCOIN, frames.KUCOIN_BOOK, frames.KUCOIN_TRADE, frames.KUCOIN_CANDLE)}


@pytest.mark.parametrize("venue", FEEDS)
def test_a_wounded_frame_is_a_good_price_a_refusal_or_unreadable(venue: str) -> None:
    chance, quotes, fates = random.Random(13), Quotes(), {"ticks": 0, "refused": 0, "unreadable": 0, "other": 0}
    for _ in range(2_500):
        wire = mutate(raw(chance.choice(POOLS[venue])), chance)
        try:
            found = FEEDS[venue].read(wire, TIME)
        except Unreadable:
            fates["unreadable"] += 1
            continue
        fates["ticks" if found.ticks else "refused" if found.refused else "other"] += 1
        for tick in found.ticks:
            sent = quotes.take(tick)
            if isinstance(sent, PriceTick):
                assert not isinstance(read_tick(sent, 0, TIME), Refused), wire
    assert min(fates["ticks"], fates["unreadable"]) > 250, fates
    assert fates["refused"] > 20, fates


class Away:
    """A producer whose broker is gone."""

    def __init__(self, publisher: TickPublisher) -> None:
        self.publisher = publisher

    async def send(self, _topic: str, value: bytes, _key: bytes) -> None:
        """A newer tick of the same instrument comes while this one is on its way."""
        if PriceTick.FromString(value).instrument == "v:A":
            self.publisher.put(PriceTick(instrument="v:A", mark="2"))
        raise KafkaConnectionError


async def test_a_batch_that_did_not_arrive_waits_unless_it_is_old() -> None:
    publisher = TickPublisher("127.0.0.1:1")
    for symbol in ("A", "B"):
        publisher.put(PriceTick(instrument=f"v:{symbol}", mark="1"))
    with pytest.raises(KafkaConnectionError):
        await publisher._send(Away(publisher))
    assert {name: tick.mark for name, tick in publisher.latest.ticks.items()} == {"v:A": "2", "v:B": "1"}
    assert publisher.sent == 0
