"""A database of the venues' own, empty for every test; a simulated venue, and the settings of a process that reads it."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psycopg
import pytest

from streams.config import Config
from streams.stack.topics import create
from streams.venues.simulator.server import Simulator
from streams.venues.vault import vault_file, with_key


@pytest.fixture
def dsn(database_of: Callable[[str], str]) -> str:
    found = database_of("venues")
    with psycopg.connect(found) as connection:
        connection.execute("TRUNCATE exchange_accounts, exchange_leases, ingest_workers, users, outbox")
    return found


@pytest.fixture
async def venue() -> AsyncIterator[Simulator]:
    async with Simulator(("binance_usdm",)) as sim:
        yield sim


@pytest.fixture
def config(kafka: str, dsn: str, tmp_path: Path, venue: Simulator) -> Config:
    """Topics and a key for secrets are there; rooms replace what else they need."""
    urls = venue.urls["binance_usdm"]
    found = Config(kafka_bootstrap=kafka, postgres_dsn=dsn, data_dir=str(tmp_path), venue_hosts=f"binance_usdm={urls.rest}|{urls.ws}",
                   worker_name="one")
    create(found)
    with_key(vault_file(found))
    return found
