"""Servers for tests: private ones on free ports in a temporary folder, started when first asked for, stopped by pid."""

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import settings
from psycopg.conninfo import make_conninfo

from streams.bridges.migrate import migrate
from streams.config import load
from streams.stack import process
from streams.stack.kafka import start_kafka
from streams.stack.postgres import remove_data, start_postgres
from streams.stack.process import StackError
from streams.stack.redis import start_redis

# `make test` must say the same of the same tree; `make properties SEED=` looks further.
settings.register_profile("same", derandomize=True)
settings.register_profile("further", derandomize=False, print_blob=True)
settings.load_profile("same")


@pytest.fixture(scope="session")
def stack_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stack")


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Bootstrap servers of a real broker without topics; one a module, as topics have names and partitions of their own."""
    try:
        cluster = start_kafka(tmp_path_factory.mktemp("kafka"), cache=load().cache)
    except StackError as error:
        pytest.skip(str(error))
    yield cluster.bootstrap
    cluster.stop()


@pytest.fixture(scope="session")
def redis_url(stack_folder: Path) -> Iterator[str]:
    url, running = start_redis(stack_folder / "redis")
    yield url
    process.stop(running)


@pytest.fixture(scope="session")
def postgres_dsn(stack_folder: Path) -> Iterator[str]:
    """An empty database `marginstream`."""
    dsn, running = start_postgres(stack_folder / "postgres")
    yield dsn
    process.stop(running)
    remove_data(stack_folder / "postgres")


@pytest.fixture(scope="session")
def database_of(postgres_dsn: str) -> Callable[[str], str]:
    """Makes the database of a name with the schema; rooms of tests that say the same name share it."""
    made: dict[str, str] = {}

    def of(name: str) -> str:
        if name not in made:
            with psycopg.connect(postgres_dsn, autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE {name}".encode())
            made[name] = make_conninfo(postgres_dsn, dbname=name)
            migrate(made[name])
        return made[name]

    return of
