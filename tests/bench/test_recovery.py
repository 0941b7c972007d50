"""The takeover that `bench recovery` measures, small, on a real broker: every row comes back, and the book is filled."""

from pathlib import Path

import pytest

from schemas.keys import partition_of
from streams.bench import recovery
from streams.bench.holdings import POSITIONS, users
from streams.config import Config
from streams.stack.process import StackError
from tables import codec

USERS = 300


def test_the_rows_are_the_same_on_every_machine_and_survive_their_bytes() -> None:
    rows = list(users(50, 7))
    assert rows == list(users(50, 7))
    assert rows != list(users(50, 8))
    assert all(codec.load_user(codec.dump_user(row)) == row for row in rows)
    assert {len(account.positions) for row in rows for account in row.accounts.values()} == {POSITIONS}


def test_a_takeover_brings_every_row_back() -> None:
    found = recovery.recover(USERS, 7)
    assert found["users"] == USERS
    assert found["rows"] == USERS + 3 * 4  # claim before, SENT behind them and the worker's own claim in each of four partitions
    assert all(isinstance(found[name], int) and found[name] for name in ("rows_per_s", "users_per_s", "bytes_per_user"))


def test_partitions_share_the_rows() -> None:
    assert {partition_of(row.user_id.encode(), 4) for row in users(50, 7)} == {0, 1, 2, 3}


def test_a_worker_that_cannot_start_is_told_with_its_last_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "LIMIT_S", 60.0)
    config = Config(kafka_bootstrap="127.0.0.1:1", app_id="none", web_port=1)
    with pytest.raises(StackError, match="expected a worker with its book filled"):
        recovery.take_over(config, tmp_path)
