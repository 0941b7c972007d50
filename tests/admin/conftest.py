"""A database of the admin API's own, empty for every test, and a stand-in for the workers."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from streams.admin.app import admin
from streams.admin.desk import Desk
from streams.admin.engine import Workers
from streams.admin.store import Store
from streams.venues.vault import Sealed, Vault, add_key
from streams.web.tokens import Tokens
from tests.admin.workers import StandIn

TABLES = ("users, exchange_accounts, balances, positions, transactions, ledger_balances, outbox, audit_log, money_requests, answers, "
          "alerts, audits, liquidations")
Client = TestClient[web.Request, web.Application]


@pytest.fixture(scope="session")
def admin_dsn(database_of: Callable[[str], str]) -> str:
    return database_of("administered")


def no_vault() -> Vault:
    raise Sealed("expected a file of keys, was none")


def emptied(dsn: str) -> None:
    """Every table of the admin API without a row."""
    with psycopg.connect(dsn) as connection:
        connection.execute("SET LOCAL session_replication_role = replica")  # no triggers: history may go; quicker than TRUNCATE
        for table in TABLES.split(", "):
            connection.execute(f"DELETE FROM {table}".encode())


@pytest.fixture
def dsn(admin_dsn: str) -> str:
    emptied(admin_dsn)
    return admin_dsn


@pytest.fixture
def database(dsn: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        yield connection


@pytest.fixture
async def workers() -> AsyncIterator[StandIn]:
    stand_in = StandIn()
    async with TestServer(stand_in.app) as server:
        stand_in.url = str(server.make_url("")).rstrip("/")
        yield stand_in


@pytest.fixture
async def api(dsn: str, workers: StandIn, tmp_path: Path) -> AsyncIterator[Client]:
    keys = tmp_path / "keys.json"
    add_key(keys)
    desk = Desk(Store(dsn), Workers([workers.url], ""), "live", lambda: Vault(keys))
    async with TestClient(TestServer(admin(desk, lambda: (True, ""), Tokens()))) as client:
        yield client
