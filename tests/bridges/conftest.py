"""A database and a Redis of the bridges' own, empty for every test."""

from collections.abc import Callable, Iterator

import psycopg
import pytest
import redis

_TABLES = (
    "users, exchange_accounts, balances, positions, order_books, orders, fills, transactions, margin_events, "
    "liquidations, mirror_progress, ledger_balances, outbox, audit_log, money_requests, answers, alerts, audits"
)


@pytest.fixture(scope="session")
def bridges_dsn(database_of: Callable[[str], str]) -> str:
    return database_of("bridges")


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
