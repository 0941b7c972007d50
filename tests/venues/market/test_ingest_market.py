"""The ingestion process with `WEBSOCKET_ENABLED`: what its accounts hold is subscribed when they hold it, and becomes ticks."""


import pytest
from msgspec.structs import replace

from streams.config import Config
from streams.venues.ingest import Ingest
from streams.venues.simulator.server import Simulator
from tests.venues.harness import running, until
from tests.venues.test_ingest import live, register


@pytest.fixture
def config(config: Config) -> Config:
    return replace(config, websocket_enabled=True)


async def test_a_position_brings_its_marks(config: Config, venue: Simulator) -> None:
    await register(config, venue, "h")
    async with running(Ingest(config)) as ingest:
        await until(live(ingest, "h"), "live")
        assert ingest.market.wires == {}, "nothing is held"
        venue.trade("h", "ETHUSDT", "BUY", "1")
        await until(lambda: ingest.market.publisher.sent > 0, "a tick is acknowledged")
        topics = {topic for wire in ingest.market.wires.values() for topic in wire.line.wanted}
        assert topics == {"ethusdt@kline_1m", "ethusdt@markPrice@1s", "ethusdt@ticker", "ethusdt@trade"}
    async with running(Ingest(replace(config, websocket_enabled=False))) as ingest:
        await until(live(ingest, "h"), "live")
        await until(lambda: ingest.readers["live:h", "h"].session.memory.exposed, "it holds")
        assert ingest.market.wires == {}, "not enabled"
