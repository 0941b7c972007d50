"""A database of the venues' own, empty for every test."""

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from streams.bridges.migrate import migrate


@pytest.fixture(scope="session")
def venues_dsn(postgres_dsn: str) -> str:
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        connection.execute("CREATE DATABASE venues")
    dsn = make_conninfo(postgres_dsn, dbname="venues")
    migrate(dsn)
    return dsn


@pytest.fixture
def dsn(venues_dsn: str) -> str:
    with psycopg.connect(venues_dsn) as connection:
        connection.execute("TRUNCATE exchange_accounts, exchange_leases, ingest_workers, users, outbox")
    return venues_dsn
