"""A venue, a broker's address and a database for an executor."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from streams.config import Config
from streams.stack.topics import create
from streams.venues.ingest import vault_file
from streams.venues.simulator.server import Simulator
from streams.venues.vault import add_key


@pytest.fixture
async def venue() -> AsyncIterator[Simulator]:
    async with Simulator(("binance_usdm",)) as sim:
        yield sim


@pytest.fixture
def config(kafka: str, dsn: str, tmp_path: Path, venue: Simulator) -> Config:
    urls = venue.urls["binance_usdm"]
    found = Config(kafka_bootstrap=kafka, postgres_dsn=dsn, data_dir=str(tmp_path), app_id=f"x{tmp_path.name.replace('_', '')}",
                   venue_hosts=f"binance_usdm={urls.rest}|{urls.ws}", worker_name="one", log_level="DEBUG",
                   report_ms_max=600_000)  # the machine may be busy: nothing here is about being late
    create(found)
    add_key(vault_file(found))
    return found
