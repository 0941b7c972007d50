"""The README's script moves a balance that inspection, Redis and Postgres then show."""

import asyncio
import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
import redis

from streams.config import Config
from streams.stack.oracle_topics import end_offsets
from streams.stack.process import wait_until
from streams.topics import ACCOUNT_SOURCES, PRICE_TICKS

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Of a whole stack in which nothing moves."""
    folder = tmp_path_factory.mktemp("outside")
    env = {key: value for key, value in os.environ.items() if not key.startswith("MARGINSTREAM_") or key.endswith("_CACHE")}
    env["MARGINSTREAM_DATA_DIR"] = str(folder)
    command = [sys.executable, "-m", "streams"]
    done = subprocess.run([*command, "up", "--no-generator"], capture_output=True, text=True, env=env, check=False)
    if "expected Java" in done.stderr:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    yield dict(line.split("=", 1) for line in (folder / "env").read_text().splitlines())
    subprocess.run([*command, "down", "--forget"], env=env, capture_output=True, check=True)


def test_the_ingestion_waits_and_nothing_has_moved(addresses: dict[str, str]) -> None:
    """Venues are real ones here: none is simulated, and nobody's account is read."""
    with urllib.request.urlopen(f"{addresses['MARGINSTREAM_INGEST_URL']}/health", timeout=15) as answer:
        said = json.load(answer)
    assert (said["status"], said["accounts"], addresses["MARGINSTREAM_VENUE_HOSTS"], addresses["MARGINSTREAM_SIMULATOR_URL"]) == (
        "ok", [], "", "")
    ends = asyncio.run(end_offsets(Config(kafka_bootstrap=addresses["MARGINSTREAM_KAFKA_BOOTSTRAP"]), (*ACCOUNT_SOURCES, PRICE_TICKS)))
    assert {partition.topic: end for partition, end in ends.items() if end} == {}


def test_the_readmes_script_moves_a_balance_that_all_views_show(addresses: dict[str, str], tmp_path: Path) -> None:
    [text] = re.findall(r"```python\n(# deposit\.py\n.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    script = tmp_path / "deposit.py"
    script.write_text(text)
    subprocess.run([sys.executable, script], env={**os.environ, **addresses, "PYTHONPATH": str(ROOT)}, check=True)
    views = (_inspected, _in_redis, _in_postgres)
    assert wait_until(lambda: all(view(addresses) == Decimal(250) for view in views), 30, 0.2), [view(addresses) for view in views]


def test_an_admins_deposit_and_withdrawal_reach_all_views(addresses: dict[str, str]) -> None:
    """After the script: the same user, through Postgres first; paid out is what the engine's own free margin allows."""
    for move, amount in (("deposits", "50.00"), ("withdrawals", "299.99")):
        assert wait_until(lambda move=move, amount=amount: _moved(addresses, move, amount) == 201, 60, 0.5), move  # type: ignore[misc]
    assert _moved(addresses, "withdrawals", "0.02") in {409, 422}
    views = (_inspected, _in_redis, _in_postgres, _in_wallet)
    assert wait_until(lambda: all(view(addresses) == Decimal("0.01") for view in views), 60, 0.2), [view(addresses) for view in views]


def _moved(addresses: dict[str, str], move: str, amount: str) -> int:
    """The status; asked again under the same key it moves nothing twice."""
    request = urllib.request.Request(
        f"{addresses['MARGINSTREAM_API_URL']}/api/admin/users/live:123/{move}", json.dumps({"amount": amount}).encode(),
        {"Content-Type": "application/json", "Idempotency-Key": f"{move}/{amount}"})
    try:
        with urllib.request.urlopen(request, timeout=15) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def _in_wallet(addresses: dict[str, str]) -> Decimal | None:
    with psycopg.connect(addresses["MARGINSTREAM_POSTGRES_DSN"]) as connection:
        row = connection.execute("SELECT wallet_balance FROM users WHERE user_key = 'live:123'").fetchone()
    return Decimal(row[0]) if row else None


def _inspected(addresses: dict[str, str]) -> Decimal | None:
    try:
        with urllib.request.urlopen(f"{addresses['MARGINSTREAM_API_URL']}/inspect/balances/live:123", timeout=5) as answer:
            return Decimal(json.load(answer)["row"]["accounts"]["house"]["USD"]["wallet_balance"])
    except (urllib.error.HTTPError, KeyError):
        return None


def _in_redis(addresses: dict[str, str]) -> Decimal | None:
    with redis.Redis.from_url(addresses["MARGINSTREAM_REDIS_URL"]) as client:
        found = client.get("user_balance:live:123")
    return Decimal(found.decode()) if isinstance(found, bytes) else None


def _in_postgres(addresses: dict[str, str]) -> Decimal | None:
    with psycopg.connect(addresses["MARGINSTREAM_POSTGRES_DSN"]) as connection:
        row = connection.execute("SELECT wallet_balance FROM balances WHERE user_key = 'live:123' AND asset = 'USD'").fetchone()
    return Decimal(row[0]) if row else None
