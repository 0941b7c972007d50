"""Market data over real sockets and a real broker: simulator, socket, `price-ticks`; and what goes wrong on the way."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from decimal import Decimal

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas import names
from schemas.engine_pb2 import DeadLetter, PriceTick
from schemas.keys import partition_of
from streams.config import Config
from streams.stack.topics import create
from streams.venues.clock import Clock
from streams.venues.market.feeds import FEEDS
from streams.venues.market.publisher import Latest
from streams.venues.market.service import Holding, MarketData
from streams.venues.places import venue_of
from streams.venues.rest import Egress, Rest
from streams.venues.simulator.catalogue import BINANCE, BYBIT, KUCOIN, OKX
from streams.venues.simulator.server import Simulator
from streams.venues.venue import Hosts
from tests.venues.harness import WAIT_S, until

SYMBOLS = {BINANCE: "BTCUSDT", BYBIT: "BTCUSDT", OKX: "BTC-USDT-SWAP", KUCOIN: "XBTUSDTM"}
WHOLE = tuple(map(Decimal, ("61000.1", "61000.0", "61000.2", "61000.1")))  # mark, bid, ask, last


class Place:
    """The simulator, what is held, and what came out."""

    def __init__(self, sim: Simulator, config: Config) -> None:
        self.sim, self.held = sim, dict[str, frozenset[str]]()
        self.rests: dict[str, Rest] = {}
        for venue in FEEDS:
            record, clock = venue_of(venue, "mainnet", {venue: Hosts(sim.urls[venue].rest, sim.urls[venue].ws)}), Clock()
            self.rests[venue] = Rest(record, Egress(record, clock), clock)
        self.data = MarketData(config, lambda: [Holding(self.rests[venue], symbols) for venue, symbols in self.held.items()])

    def subscribed(self, venue: str) -> bool:
        """Whether every route that should carry something has asked for all of it."""
        lines = [wire.line for (name, _), wire in self.data.wires.items() if name == venue]
        return bool(lines) and all(
            line.live is not None and line.live.asked == line.wanted and not line.live.texts for line in lines if line.wanted)


@asynccontextmanager
async def running(config: Config) -> AsyncIterator[Place]:
    async with Simulator() as sim:
        place = Place(sim, config)
        for rest in place.rests.values():
            rest.open()
        task = asyncio.create_task(place.data.run())
        try:
            yield place
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await asyncio.gather(*(rest.close() for rest in place.rests.values()))


def _config(kafka: str = "127.0.0.1:1", types: str = "kline,markPrice,ticker,trade,bookTicker") -> Config:
    return Config(kafka_bootstrap=kafka, websocket_enabled=True, websocket_stream_types=types)


@pytest.fixture
def config(kafka: str) -> Config:
    found = _config(kafka)
    create(found)
    return found


async def test_prices_of_all_venues_arrive_on_price_ticks(config: Config) -> None:
    consumer = AIOKafkaConsumer(bootstrap_servers=config.kafka_bootstrap, enable_auto_commit=False)
    await consumer.start()
    parts = [TopicPartition(topic, number) for topic in (names.PRICE_TICKS, names.DEAD_LETTERS) for number in range(config.partitions)]
    consumer.assign(parts)
    await consumer.seek_to_end(*parts)
    try:
        async with running(config) as place:
            place.held = {venue: frozenset({symbol}) for venue, symbol in SYMBOLS.items()}
            await until(lambda: all(map(place.subscribed, SYMBOLS)), "subscribed")
            for venue, symbol in SYMBOLS.items():
                place.sim.price(venue, symbol, "61000.1")
            wanted = {f"{venue}:{symbol}" for venue, symbol in SYMBOLS.items()}
            found = await _newest(consumer, config, wanted)
            place.data.hear(OKX, b'{"arg":{}}', FEEDS[OKX].read(b'{"arg":{"channel":"price-limit","instId":"X"},"data":[]}', 1))
            letter = await _letter(consumer)
    finally:
        await consumer.stop()
    assert {tick.source.partition(":")[0] for tick in found.values()} == set(SYMBOLS)
    assert all(tick.time_ms > 0 for tick in found.values())
    assert (letter.topic, letter.key) == ("market/okx_v5", b"okx_v5")


async def _newest(consumer: AIOKafkaConsumer, config: Config, wanted: set[str]) -> dict[str, PriceTick]:
    """The first tick of each instrument that has everything at the new price."""
    found: dict[str, PriceTick] = {}
    end = time.monotonic() + WAIT_S
    while found.keys() != wanted:
        assert time.monotonic() < end, f"expected {wanted}, was {found}"
        for part, records in (await consumer.getmany(timeout_ms=500)).items():
            for record in records:
                tick = PriceTick.FromString(record.value)
                assert record.key == tick.instrument.encode()
                assert part.partition == partition_of(record.key, config.partitions)
                if tuple(Decimal(text or 0) for text in (tick.mark, tick.bid, tick.ask, tick.last)) == WHOLE:
                    found[tick.instrument] = tick
    return found


async def _letter(consumer: AIOKafkaConsumer) -> DeadLetter:
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        for part, records in (await consumer.getmany(timeout_ms=500)).items():
            if part.topic == names.DEAD_LETTERS:
                return DeadLetter.FromString(records[0].value)
    raise AssertionError("expected a dead letter, was none")


async def test_symbols_come_and_go_with_what_is_held() -> None:
    async with running(_config()) as place:
        place.held = {BINANCE: frozenset({"BTCUSDT"})}
        await until(lambda: place.subscribed(BINANCE), "subscribed")
        assert {name for name, _ in place.data.wires} == {BINANCE}, "of the other venues nothing is held"
        place.held = {BINANCE: frozenset({"BTCUSDT", "ETHUSDT"})}
        await until(lambda: len(place.data.wires[BINANCE, "market"].line.wanted) == 6 and place.subscribed(BINANCE), "both")
        place.sim.price(BINANCE, "ETHUSDT", "3001")
        await until(lambda: f"{BINANCE}:ETHUSDT" in place.data.publisher.latest.ticks, "a tick waits: Kafka is away")
        place.data.wanted._linger_ms = 0
        place.held = {BINANCE: frozenset()}
        await until(lambda: not place.sim.venues[BINANCE].connections, "no socket is left")


@pytest.mark.parametrize("venue", SYMBOLS)
async def test_a_lost_socket_comes_back_and_a_mark_that_rests_is_told_again(venue: str) -> None:
    async with running(_config(types="markPrice")) as place:
        place.held = {venue: frozenset({SYMBOLS[venue]})}
        latest, instrument = place.data.publisher.latest, f"{venue}:{SYMBOLS[venue]}"
        await until(lambda: instrument in latest.ticks, "told without any move")
        for connection in list(place.sim.venues[venue].connections):
            connection.cut()
        latest.ticks.clear()
        await until(lambda: instrument in latest.ticks, "told again")


@pytest.mark.parametrize("topic", ["btcusdt@bookTicker", "btcusdt@markPrice@1s"])
async def test_a_topic_on_the_wrong_route_is_silent_as_on_the_mainnet(topic: str) -> None:
    wrong = "market" if "book" in topic else "public"
    async with running(_config()) as place:
        place.held = {BINANCE: frozenset({"BTCUSDT"})}
        await until(lambda: place.subscribed(BINANCE), "subscribed")
        for route in ("market", "public"):
            place.data.wires[BINANCE, route].want(frozenset({topic}) if route == wrong else frozenset())
        place.held.clear()
        place.data._look = lambda: None  # type: ignore[method-assign]
        line = place.data.wires[BINANCE, wrong].line
        await until(lambda: line.live is not None and line.live.asked == {topic} and not line.live.texts, "asked")
        await asyncio.sleep(0.3)
        place.data.publisher.latest.ticks.clear()
        place.sim.price(BINANCE, "BTCUSDT", "60500")
        await asyncio.sleep(0.5)
        assert place.data.publisher.latest.ticks == {}


def test_while_kafka_is_away_the_newest_of_each_instrument_waits_and_no_more() -> None:
    latest = Latest(instruments_max=2)
    for price in ("1", "2", "3"):
        for symbol in ("A", "B", "C"):
            latest.put(PriceTick(instrument=f"v:{symbol}", mark=price))
    assert {name: tick.mark for name, tick in latest.ticks.items()} == {"v:A": "3", "v:B": "3"}
    assert (latest.superseded, latest.dropped) == (4, 3)
    batch = latest.take()
    latest.put(PriceTick(instrument="v:A", mark="4"))
    latest.put_back(batch)
    assert {name: tick.mark for name, tick in latest.ticks.items()} == {"v:A": "4", "v:B": "3"}, "a lost batch hides no newer tick"
    for _ in range(1_500):
        latest.write(DeadLetter(error="x"))
    assert len(latest.letters) == 1_000
