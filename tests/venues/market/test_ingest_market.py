"""The ingestion process with `WEBSOCKET_ENABLED`: what its accounts hold is subscribed when they hold it, and becomes ticks."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from streams.config import Config
from streams.stack.topics import create
from streams.venues.ingest import vault_file
from streams.venues.simulator.server import Simulator
from streams.venues.vault import add_key
from tests.venues.test_ingest import live, register, running, until


@pytest.fixture
async def venue() -> AsyncIterator[Simulator]:
    async with Simulator(("binance_usdm",)) as sim:
        yield sim


@pytest.fixture
def config(kafka: str, dsn: str, tmp_path: Path, venue: Simulator) -> Config:
    urls = venue.urls["binance_usdm"]
    found = Config(kafka_bootstrap=kafka, postgres_dsn=dsn, data_dir=str(tmp_path), venue_hosts=f"binance_usdm={urls.rest}|{urls.ws}",
                   worker_name="one", websocket_enabled=True)
    create(found)
    add_key(vault_file(found))
    return found


async def test_a_position_brings_its_marks(config: Config, venue: Simulator) -> None:
    await register(config, venue, "h")
    async with running(config) as ingest:
        await until(live(ingest, "h"), "live")
        assert ingest.market.wires == {}, "nothing is held"
        venue.trade("h", "ETHUSDT", "BUY", "1")
        await until(lambda: ingest.market.publisher.sent > 0, "a tick is acknowledged")
        topics = {topic for wire in ingest.market.wires.values() for topic in wire.line.wanted}
        assert topics == {"ethusdt@kline_1m", "ethusdt@markPrice@1s", "ethusdt@ticker", "ethusdt@trade"}
    async with running(replace(config, websocket_enabled=False)) as ingest:
        await until(live(ingest, "h"), "live")
        await until(lambda: ingest.readers["live:h", "h"].session.memory.exposed, "it holds")
        assert ingest.market.wires == {}, "not enabled"
