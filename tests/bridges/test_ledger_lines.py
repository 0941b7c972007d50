"""What the consistency check says of money in Postgres: every way it may not add up is found, and what is under way is not."""

import asyncio

import psycopg
import pytest

from schemas.engine_pb2 import Transaction
from streams import topics
from streams.bridges.compare import ledger_lines
from streams.bridges.postgres import Postgres
from tests.bridges.facts import Sent, sent, user_state


def told(dsn: str, *records: Sent) -> None:
    async def run() -> None:
        store = Postgres(dsn, "live")
        await store.write(records)
        await store.close()

    asyncio.run(run())


def booked(amount: str, ident: str = "f1") -> Sent:
    delta = Transaction(delta_id=ident, user_id="live:123", account_id="house", asset="USD", amount=amount, time_ms=1)
    return sent(delta, topics.TRANSACTIONS)


def broken(dsn: str, statement: str) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute(statement.encode())


def test_what_adds_up_is_not_mentioned(dsn: str) -> None:
    told(dsn, sent(user_state(balance="100.10")), booked("100"), booked("0.1", "f2"))
    assert ledger_lines(dsn, 0) == []


@pytest.mark.parametrize(("statement", "line"), [
    ("UPDATE users SET wallet_balance = 5", "wallet of live:123: expected 100, was 5"),
    ("UPDATE ledger_balances SET balance = 5", "sum of live:123/house USD: expected 100, was 5"),
    ("DELETE FROM transactions", "wallet of live:123: expected 0, was 100"),
    ("UPDATE balances SET wallet_balance = 99", "ledger of live:123/house USD: expected 99, was 100"),
    ("DELETE FROM balances", "ledger of live:123/house USD: expected 0, was 100"),
])
def test_what_does_not_is(dsn: str, statement: str, line: str) -> None:
    told(dsn, sent(user_state(balance="100")), booked("100"))
    broken(dsn, statement)
    assert line in ledger_lines(dsn, 0)
    assert line in ledger_lines(dsn, 0, "live:123")
    assert ledger_lines(dsn, 0, "live:12") == []


def test_a_user_at_whom_something_moves_is_not_judged(dsn: str) -> None:
    told(dsn, sent(user_state(balance="100")))
    assert ledger_lines(dsn, 60) == ["ledger of live:123/house USD: expected 100, was 0"]
    with psycopg.connect(dsn) as connection:
        connection.execute("SELECT move_money('{\"user_key\": \"live:123\", \"amount\": \"1\", \"kind\": \"deposit\", \"action\": \"a\"}')")
    assert ledger_lines(dsn, 60) == []
