"""A Redis of these tests' own, as one server and as a Cluster of three, empty for every test."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
import redis

from streams.bridges.compare import connected
from streams.stack import process
from streams.stack.process import Command, free_ports, start, wait_port
from streams.stack.redis import binary, redis_cli, start_redis

Client = redis.Redis | redis.RedisCluster


def _empty(url: str) -> None:
    client = connected(url)
    for node in client.get_primaries() if isinstance(client, redis.RedisCluster) else ():  # type: ignore[no-untyped-call]
        client.flushall(target_nodes=node)
    if isinstance(client, redis.Redis):
        client.flushdb()
    client.close()


@pytest.fixture(scope="session")
def single_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    url, running = start_redis(tmp_path_factory.mktemp("keys") / "redis")
    yield url
    process.stop(running)


@pytest.fixture(scope="session")
def three_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Three primaries that share the slots; the address of one."""
    folder = tmp_path_factory.mktemp("cluster")
    ports = [port for port in free_ports(12) if port < 55_000][:3]  # the bus listens 10,000 higher
    if len(ports) < 3:
        pytest.skip("a Redis Cluster needs ports below 55,000: none were free")
    with ExitStack() as stack:
        for port in ports:
            home = folder / str(port)
            home.mkdir()
            words: list[str | Path] = [binary("redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--dir", home,
                                       "--cluster-enabled", "yes", "--cluster-node-timeout", "5000", "--save", ""]
            running = start(Command(f"redis-{port}", words), folder / "logs")
            stack.callback(process.stop, running)
            wait_port(port, running, 20)
        made = subprocess.run([redis_cli(), "--cluster", "create", *(f"127.0.0.1:{port}" for port in ports), "--cluster-yes"],
                              capture_output=True, text=True, timeout=60, check=False)
        assert made.returncode == 0, made.stdout + made.stderr

        def whole() -> bool:
            return all(redis.Redis(port=port).cluster("info").get("cluster_state") == "ok" for port in ports)

        assert process.wait_until(whole, 30, 0.2)
        yield f"redis://127.0.0.1:{ports[0]}/0"


@pytest.fixture(params=["single", "cluster"])
def url(request: pytest.FixtureRequest) -> str:
    """An empty Redis of either kind."""
    found: str = request.getfixturevalue("single_server" if request.param == "single" else "three_servers")
    _empty(found)
    return found


@pytest.fixture
def single(single_server: str) -> str:
    """An empty single server."""
    _empty(single_server)
    return single_server


@pytest.fixture
def client(url: str) -> Iterator[Client]:
    """Asks what the tests look at, in text."""
    found = connected(url)
    yield found
    found.close()


@pytest.fixture(scope="session")
def channels_dsn(database_of: Callable[[str], str]) -> str:
    return database_of("channels")


@pytest.fixture
def dsn(channels_dsn: str) -> str:
    """A database without a user."""
    with psycopg.connect(channels_dsn) as connection:
        connection.execute("TRUNCATE users, transactions, ledger_balances, outbox, audit_log, answers, mirror_progress")
    return channels_dsn
