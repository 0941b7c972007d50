"""What Postgres keeps of executions: who opted in, one claim of many, the bound of an hour; and the console's words for it."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

from streams.config import Config
from streams.venues import accounts
from streams.venues.accounts import NewAccount
from streams.venues.database import Connection
from streams.venues.execute import store
from streams.venues.execute.words import Claim, Limits, Outcome
from streams.venues.secret import Secret
from streams.venues.vault import Vault, vault_file, with_key
from streams.venues.venue import Credentials
from tests.venues.execute.paper import STEP

NONE = Limits()


async def connect(dsn: str) -> Connection:
    return await psycopg.AsyncConnection.connect(dsn, autocommit=True)


async def rows(connection: Connection, query: str) -> list[tuple[str, ...]]:
    return await (await connection.execute(query.encode())).fetchall()


@pytest.fixture
async def account(dsn: str, tmp_path: Path) -> str:
    """An account that did not opt in; the data folder."""
    config = Config(data_dir=str(tmp_path))
    async with await connect(dsn) as connection:
        await connection.execute("TRUNCATE executions, outbox, users CASCADE")
        await accounts.add(connection, Vault(with_key(vault_file(config))), NewAccount("live:1", "a1", "binance_usdm"),
                           Credentials(Secret("k"), Secret("s")))
        await connection.execute("TRUNCATE outbox")
    return str(tmp_path)


@pytest.fixture
async def crowd(dsn: str, account: str) -> AsyncIterator[list[Connection]]:
    """Eight connections."""
    del account
    found = [await connect(dsn) for _ in range(8)]
    yield found
    await asyncio.gather(*(connection.close() for connection in found))


async def test_nobody_is_opted_in_and_a_claim_is_refused(dsn: str, account: str) -> None:
    async with await connect(dsn) as connection:
        found = await store.look(connection, STEP.name)
        assert found is not None
        assert (found.execute, found.execution, found.is_active) == (False, "external", True)
        refused = await store.claim(connection, STEP, Claim(Decimal(1), 0), NONE)
        assert (refused.mine, refused.attempts, refused.text) == (False, 0, "the account did not opt in to execution")
        assert await store.look(connection, ("live:1", "other")) is None
        nobody = await store.claim(connection, STEP._replace(account_id="other"), Claim(Decimal(1), 0), NONE)
        assert nobody.text == "the account did not opt in to execution"


async def test_who_opts_in_is_told_to_the_engine(dsn: str, account: str) -> None:
    async with await connect(dsn) as connection:
        for wanted in (True, False):
            await store.permit(connection, "live:1", "a1", wanted)
            found = await store.look(connection, STEP.name)
            assert found is not None
            assert (found.execute, found.execution) == (wanted, "venue")
        facts = await rows(connection, """
            SELECT a ->> 'auto_reduce', a ->> 'execution' FROM (SELECT value -> 'exchange_account' AS a FROM outbox) AS facts""")
        assert sorted(facts) == [("false", "venue"), ("true", "venue")]
        audit = await rows(connection, "SELECT action FROM audit_log WHERE user_key = 'live:1' ORDER BY id DESC LIMIT 2")
        assert audit == [("execution_withdrawn",), ("execution_permitted",)]
        with pytest.raises(ValueError, match="expected an account of the user"):
            await store.permit(connection, "live:1", "other", True)


async def test_of_many_claims_one_is_ours(crowd: list[Connection]) -> None:
    await store.permit(crowd[0], "live:1", "a1", True)
    for attempts in range(3):
        claims = await asyncio.gather(*(store.claim(one, STEP, Claim(Decimal(10), attempts), NONE) for one in crowd))
        assert sorted(claim.mine for claim in claims) == [False] * 7 + [True]
        assert {claim.attempts for claim in claims} == {attempts + 1}
        assert {claim.text for claim in claims} == {""}
    assert (await store.recall(crowd[0], STEP)).attempts == 3
    await store.note(crowd[0], STEP, Outcome("filled"))
    row = await (await crowd[0].execute("SELECT status, notional, client_order_id FROM executions")).fetchone()
    assert row == ("filled", Decimal(10), STEP.client_order_id)


async def test_an_hour_holds_no_more_than_its_bound_however_many_ask(crowd: list[Connection]) -> None:
    await store.permit(crowd[0], "live:1", "a1", True)
    limits = Limits(hour_notional_max=Decimal(35))
    steps = [STEP._replace(step_id=f"live:1/a1/2/s{number}") for number in range(8)]
    claims = await asyncio.gather(*(store.claim(one, step, Claim(Decimal(10), 0), limits)
                                    for one, step in zip(crowd, steps, strict=True)))
    assert sum(claim.mine for claim in claims) == 3
    assert {claim.text for claim in claims if not claim.mine} == {"notional: expected at most 35 an hour, was 40 with this step"}
    await crowd[0].execute("UPDATE executions SET sent_at = sent_at - INTERVAL '61 minutes'")
    ours = [claim.mine for claim in claims]
    assert (await store.claim(crowd[0], steps[ours.index(False)], Claim(Decimal(10), 0), limits)).mine
    known = await store.recall(crowd[0], steps[ours.index(True)])
    assert known.attempts == 1
    assert known.age_ms > 3_600_000


def test_the_console_opts_in_and_out(dsn: str, account: str) -> None:
    def say(*words: str) -> subprocess.CompletedProcess[str]:
        environment = {"MARGINSTREAM_POSTGRES_DSN": dsn, "MARGINSTREAM_DATA_DIR": account, "PATH": ""}
        return subprocess.run([sys.executable, "-m", "streams", "accounts", *words], env=environment, text=True, capture_output=True,
                              check=False, input='{"api_key": "k", "api_secret": "s"}')

    def permitted() -> list[tuple[str, bool]]:
        with psycopg.connect(dsn) as connection:
            return connection.execute("SELECT account_id, execute FROM exchange_accounts ORDER BY 1").fetchall()

    assert say("execute", "1", "a1").returncode == 0
    assert permitted() == [("a1", True)]
    assert say("execute", "1", "a1", "--off").returncode == 0
    assert say("add", "1", "a2", "binance_usdm", "--execute").returncode == 0
    assert permitted() == [("a1", False), ("a2", True)]
    failed = say("execute", "1", "nobody")
    assert failed.returncode == 1
    assert failed.stderr.count("\n") == 1
    assert "expected an account of the user" in failed.stderr


STATUSES = ("sent", "accepted", "partially_filled", "unknown", "filled", "completed", "canceled", "rejected", "refused")


async def aged(connection: Connection, prefix: str, age: str) -> None:
    """A step of each status, sent so long ago."""
    for status in STATUSES:
        await connection.execute("INSERT INTO executions VALUES (%s, 'live:1', 'a1', 'ms', 1, 1, clock_timestamp() - %s::INTERVAL, %s)",
                                 [f"{prefix}/{status}", age, status])


async def test_what_ended_long_ago_is_forgotten_and_nothing_else(dsn: str, account: str) -> None:
    del account
    async with await connect(dsn) as connection:
        await aged(connection, "old", "91 days")
        await aged(connection, "new", "89 days")
        audit = await rows(connection, "SELECT count(*) FROM audit_log")
        assert [await store.forget(connection, 90, 3) for _ in range(3)] == [3, 2, 0]
        left = await rows(connection, "SELECT step_id FROM executions WHERE step_id LIKE 'old/%' ORDER BY sent_at")
        assert [step for step, in left] == ["old/sent", "old/accepted", "old/partially_filled", "old/unknown"]
        assert await rows(connection, "SELECT step_id FROM executions WHERE step_id LIKE 'new/%' OFFSET 8") != []
        assert await rows(connection, "SELECT count(*) FROM audit_log") == audit


async def test_what_the_bound_of_an_hour_counts_is_kept_however_short_the_time(dsn: str, account: str) -> None:
    del account
    async with await connect(dsn) as connection:
        await aged(connection, "now", "1 hour")
        assert await store.forget(connection, 0.001, 100) == 0
