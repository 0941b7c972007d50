"""The admin API as a process: its pages, its token, and kill -9 again and again while clients ask until they are answered."""

import asyncio
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from aiohttp import ClientError, ClientSession, ClientTimeout

from streams.stack import process
from tests.admin.test_money import Database, agree, ask

TOKEN = {"Authorization": "Bearer t0ken"}
READY_S = 120.0


def start(dsn: str, port: int, folder: Path) -> "subprocess.Popen[bytes]":
    env = {**os.environ, "MARGINSTREAM_POSTGRES_DSN": dsn, "MARGINSTREAM_ADMIN_PORT": str(port), "MARGINSTREAM_DATA_DIR": str(folder),
           "MARGINSTREAM_API_TOKEN": "t0ken", "MARGINSTREAM_LOG_FORMAT": "json", "MARGINSTREAM_WORKER_URLS": ""}
    with (folder / "admin.log").open("ab") as log:
        return subprocess.Popen([sys.executable, "-m", "streams", "admin"], env=env, stdout=log, stderr=log)


@contextmanager
def running(dsn: str, port: int, folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    found = start(dsn, port, folder)
    try:
        yield found
    finally:
        found.kill()
        found.wait()


async def until_ready(session: ClientSession, base: str) -> None:
    async with asyncio.timeout(READY_S):
        while True:
            try:
                async with session.get(f"{base}/readyz") as answer:
                    if answer.status == 200:
                        return
            except (ClientError, TimeoutError):
                pass
            await asyncio.sleep(0.1)


async def until_answered(session: ClientSession, url: str, body: dict[str, object], key: str) -> int:
    """A client that asks again with the same key while nobody answers."""
    async with asyncio.timeout(READY_S):
        while True:
            try:
                async with session.post(url, json=body, headers={**TOKEN, "Idempotency-Key": key}) as answer:
                    await answer.read()
                    if answer.status != 503:
                        return answer.status
            except (ClientError, TimeoutError):
                pass
            await asyncio.sleep(0.05)


async def test_its_pages_its_token_its_words_and_its_end(dsn: str, tmp_path: Path) -> None:
    [port] = process.free_ports(1)
    base = f"http://127.0.0.1:{port}"
    with running(dsn, port, tmp_path) as api:
        async with ClientSession(timeout=ClientTimeout(total=5)) as session:
            await until_ready(session, base)
            for path in ("/health", "/healthz", "/readyz"):
                async with session.get(base + path) as answer:
                    assert (answer.status, (await answer.json())["name"]) == (200, "admin")
            async with session.get(f"{base}/metrics") as answer:
                assert "marginstream_outbox_waiting 0.0" in await answer.text()
            async with session.post(f"{base}/api/admin/users", json={"user_id": "1"}) as answer:
                assert (answer.status, (await answer.json())["error"]["code"]) == (401, "unauthorized")
            assert await until_answered(session, f"{base}/api/admin/users", {"user_id": "1"}, "a") == 201
        api.terminate()
        assert await asyncio.to_thread(api.wait, 60) == 0
    lines = [json.loads(line) for line in (tmp_path / "admin.log").read_text().splitlines()]
    assert lines and all(line["process"] == "admin" for line in lines)
    assert "t0ken" not in (tmp_path / "admin.log").read_text()


def deposits(database: Database) -> int:
    [(count,)] = ask(database, "SELECT count(*) FROM transactions WHERE kind = 'deposit'")
    assert isinstance(count, int)
    return count


def _due(database: Database, done: asyncio.Event, enough: int) -> bool:
    return done.is_set() or deposits(database) >= enough


@pytest.mark.parametrize("seed", [1])
async def test_kill_after_kill_every_operation_is_there_once(dsn: str, database: Database, tmp_path: Path, seed: int) -> None:
    [port] = process.free_ports(1)
    base, dice = f"http://127.0.0.1:{port}", random.Random(seed)
    done, operations, kills = asyncio.Event(), 40, 0

    async def clients(session: ClientSession) -> None:
        assert await until_answered(session, f"{base}/api/admin/users", {"user_id": "1", "wallet_balance": "1000"}, "new") == 201
        for first in range(0, operations, 10):
            while kills < first // 10:  # each ten meet a kill of their own
                await asyncio.sleep(0.01)
            answers = await asyncio.gather(*(until_answered(session, f"{base}/api/admin/users/1/deposits", {"amount": "0.1"}, f"k{number}")
                                             for number in range(first, first + 10)))
            assert answers == [201] * 10
        done.set()

    async def killer() -> None:
        nonlocal kills
        while not done.is_set():
            with running(dsn, port, tmp_path) as api:
                async with ClientSession(timeout=ClientTimeout(total=2)) as session:
                    await until_ready(session, base)
                enough = deposits(database) + dice.randint(1, 8)  # or soon, where the clients wait for the kill
                await asyncio.to_thread(process.wait_until, partial(_due, database, done, enough), 0.5, 0.002)
                api.kill()  # in the middle of whatever it does
                kills += 1

    async with ClientSession(timeout=ClientTimeout(total=3)) as session:
        await asyncio.gather(clients(session), killer())
    assert kills > 2
    assert ask(database, "SELECT count(*), sum(amount)::text FROM transactions WHERE kind = 'deposit'") == [(operations, "4.0")]
    assert ask(database, "SELECT wallet_balance::text FROM users") == [("1004.0",)]
    assert ask(database, "SELECT count(*) FROM audit_log WHERE action = 'deposit'") == [(operations,)]
    assert ask(database, "SELECT count(*) FROM outbox WHERE value ->> 'kind' = 'DEPOSIT'") == [(operations,)]
    agree(database)
