"""The schema of Postgres: migrations applied once each, in order, and functions replaced by what the checkout says."""

import hashlib
from pathlib import Path

import psycopg

SQL = Path(__file__).resolve().parents[2] / "sql"
_LOCK = 0x6D617267  # "marg": one migration at a time, whoever starts first
_HISTORY = """CREATE TABLE IF NOT EXISTS schema_migrations (
    name TEXT PRIMARY KEY, checksum TEXT NOT NULL, applied_at TIMESTAMPTZ NOT NULL DEFAULT now())"""


class Drifted(RuntimeError):
    """A migration that was applied is not the one in the checkout."""


def migrate(dsn: str, folder: Path = SQL) -> None:
    """Brings the database to the schema of `folder`, all or nothing; raises `Drifted` where an applied migration changed or is gone."""
    with psycopg.connect(dsn, connect_timeout=5) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        connection.execute("SET LOCAL client_min_messages = warning")
        connection.execute(_HISTORY)
        applied: dict[str, str] = dict(connection.execute("SELECT name, checksum FROM schema_migrations").fetchall())
        scripts = sorted((folder / "migrations").glob("*.sql"))
        if gone := applied.keys() - {script.name for script in scripts}:
            raise Drifted(f"migrations: expected every applied one in {folder.name}/migrations, was without {', '.join(sorted(gone))}")
        for script in scripts:
            _apply(connection, script, applied.get(script.name))
        for function in sorted((folder / "functions").glob("*.sql")):
            connection.execute(function.read_bytes())


def _apply(connection: psycopg.Connection[tuple[object, ...]], script: Path, before: str | None) -> None:
    text = script.read_bytes()
    checksum = hashlib.sha256(text).hexdigest()
    if before is None:
        connection.execute(text)
        connection.execute("INSERT INTO schema_migrations (name, checksum) VALUES (%s, %s)", [script.name, checksum])
    elif before != checksum:
        raise Drifted(f"migration {script.name}: expected checksum {before[:12]} as applied, was {checksum[:12]}: "
                      "write a new migration instead")
