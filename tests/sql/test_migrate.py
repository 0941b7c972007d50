"""The schema is applied once, and a migration that was applied may not change."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from streams.bridges.migrate import SQL, Drifted, migrate
from streams.stack.postgres import psql

TABLES = {
    "users", "exchange_accounts", "orders", "fills", "positions", "balances", "transactions", "money_requests", "margin_events",
    "liquidations", "groups", "instruments", "brackets", "outbox", "audit_log", "mirror_progress"}


@pytest.fixture(scope="module")
def dsn(database_of: Callable[[str], str]) -> str:
    dsn = database_of("migrations")
    migrate(dsn)  # once more changes nothing
    return dsn


def test_every_table_of_the_fixed_surface_is_there(dsn: str) -> None:
    with psycopg.connect(dsn) as connection:
        found = {row[0] for row in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}
    assert found >= TABLES


@pytest.mark.parametrize("query", sorted((SQL / "queries").glob("*.sql")), ids=lambda path: path.stem)
def test_queries_people_ask_run_in_psql(dsn: str, query: Path) -> None:
    """As the head of a file says; a user's queries name him, all others find him among all."""
    with psycopg.connect(dsn) as connection:
        connection.execute("""INSERT INTO users (user_key, user_type, user_id) VALUES ('live:1', 'live', '1') ON CONFLICT DO NOTHING""")
    words = [str(psql()), dsn, "--no-psqlrc", "--csv", "-v", "ON_ERROR_STOP=1", "-v", "user=live:1", "-f", str(query)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    columns = done.stdout.splitlines()[0].split(",")
    assert len(columns) > 1 and all(column.replace("_", "").replace("?", "").isalnum() for column in columns)
    with psycopg.connect(dsn) as connection:
        asked = connection.execute(query.read_text().replace(":'user'", "'live:1'").encode())
        assert [column.name for column in asked.description or ()] == columns


@pytest.mark.parametrize("text", ["SELECT * FROM orders ORDER BY updated_at DESC LIMIT 5", "SELECT * FROM positions WHERE status = 'open'"])
def test_promised_queries_work_as_typed(dsn: str, text: str) -> None:
    with psycopg.connect(dsn) as connection:
        assert connection.execute(text.encode()).fetchall() == []


@pytest.mark.parametrize("function", sorted((SQL / "functions").glob("*.sql")), ids=lambda path: path.stem)
def test_a_function_file_holds_the_function_of_its_name(function: Path) -> None:
    text = function.read_text()
    assert text.startswith(f"CREATE OR REPLACE FUNCTION {function.stem}(")
    assert text.count("CREATE OR REPLACE") == 1
    assert "/*" in text or "-- " in text


def test_the_index_of_listen_keys_is_partial(dsn: str) -> None:
    with psycopg.connect(dsn) as connection:
        found = connection.execute(
            "SELECT indexdef FROM pg_indexes WHERE indexname = 'idx_exchange_accounts_listen_key_expires'").fetchone()
    assert found and "WHERE (is_active AND (listen_key_encrypted IS NOT NULL))" in str(found[0])


def test_a_changed_migration_is_refused(dsn: str, tmp_path: Path) -> None:
    shutil.copytree(SQL, tmp_path / "sql")
    (tmp_path / "sql/migrations/0001_mirrors.sql").write_text("SELECT 1")
    with pytest.raises(Drifted, match=r"0001_mirrors\.sql: expected checksum"):
        migrate(dsn, tmp_path / "sql")


def test_a_missing_migration_is_refused(dsn: str, tmp_path: Path) -> None:
    (tmp_path / "migrations").mkdir()
    with pytest.raises(Drifted, match=r"0001_mirrors\.sql"):
        migrate(dsn, tmp_path)


def test_a_failing_migration_leaves_nothing(dsn: str, tmp_path: Path) -> None:
    shutil.copytree(SQL, tmp_path / "sql")
    (tmp_path / "sql/migrations/0099_broken.sql").write_text("CREATE TABLE half (a int); SELECT no_such_function();")
    with pytest.raises(psycopg.errors.UndefinedFunction):
        migrate(dsn, tmp_path / "sql")
    with psycopg.connect(dsn) as connection:
        assert connection.execute("SELECT to_regclass('half')").fetchone() == (None,)
