"""A database and a Redis of the bridges' own, empty for every test."""

from collections.abc import Iterator

import psycopg
import pytest
import redis
from psycopg.conninfo import make_conninfo

from streams.bridges.migrate import migrate

_TABLES = (
    "users, exchange_accounts, balances, positions, order_books, orders, fills, transactions, margin_events, "
    "liquidations, mirror_progress, ledger_balances, outbox, audit_log, money_requests, answers, alerts, audits"
)


@pytest.fixture(scope="session")
def bridges_dsn(postgres_dsn: str) -> str:
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        connection.execute("CREATE DATABASE bridges")
    dsn = make_conninfo(postgres_dsn, dbname="bridges")
    migrate(dsn)
    return dsn


@pytest.fixture
def dsn(bridges_dsn: str) -> str:
    with psycopg.connect(bridges_dsn) as connection:
        connection.execute(f"TRUNCATE {_TABLES}".encode())
    return bridges_dsn


@pytest.fixture
def cache_url(redis_url: str) -> Iterator[str]:
    url = redis_url.rsplit("/", 1)[0] + "/5"
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    yield url
