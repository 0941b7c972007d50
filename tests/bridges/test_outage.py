"""Bridges on a real broker: killed, stopped, and with their stores away, they end with what the states say."""

import asyncio
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import psycopg
import pytest
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from schemas.engine_pb2 import UserState
from streams import topics
from streams.bridges import postgres
from streams.bridges import redis as redis_bridge
from streams.bridges.compare import canonical_cache, canonical_state, differences, postgres_rows, redis_rows
from streams.bridges.consume import Batch, Mirror, Status, consume
from streams.bridges.letters import LeftOut
from streams.bridges.migrate import migrate
from streams.config import Config
from streams.stack import process
from streams.stack.redis import start_redis
from tests.bridges.facts import user_state, with_position

WAIT_S = 40.0
OTHERS = (topics.DEAD_LETTERS, topics.PORTFOLIOS, topics.PRICE_TICKS)


@pytest.fixture
def config(kafka: str, dsn: str, cache_url: str, tmp_path: Path) -> Config:
    admin = AdminClient({"bootstrap.servers": kafka})
    for done in admin.create_topics([NewTopic(topic, 4, 1) for topic in (*postgres.TOPICS, *OTHERS)]).values():
        try:
            done.result(30)
        except KafkaException as error:
            assert "EXISTS" in str(error), error
    return Config(
        kafka_bootstrap=kafka,
        postgres_dsn=dsn,
        redis_url=cache_url,
        app_id=f"t{time.time_ns()}",
        data_dir=str(tmp_path),
        session_timeout_s=3,
    )


def send(config: Config, states: list[UserState], *, poison: bool = False) -> None:
    producer = Producer({"bootstrap.servers": config.kafka_bootstrap, "partitioner": "murmur2_random"})
    if poison:
        producer.produce(topics.ACCOUNT_STATES, b"\xff\xfe\xfd", key=b"live:poison")
    for state in states:
        producer.produce(topics.ACCOUNT_STATES, state.SerializeToString(), key=state.user_id.encode())
    assert producer.flush(30) == 0


def states_of(kind: str, version: int, count: int = 25) -> list[UserState]:
    # A user type of its own: the broker is shared, and other tests write states too.
    return [with_position(user_state(f"{kind}:{number}", version, str(version * 100 + number))) for number in range(count)]


def until(right: Callable[[], list[str]]) -> None:
    deadline = time.monotonic() + WAIT_S
    while (wrong := right()) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert wrong == []


def in_postgres(config: Config, states: list[UserState]) -> list[str]:
    kind = states[0].user_id.partition(":")[0] + ":"
    found = {user: row for user, row in postgres_rows(config.postgres_dsn).items() if user.startswith(kind)}
    return differences({state.user_id: canonical_state(state) for state in states}, found)


def in_redis(config: Config, states: list[UserState]) -> list[str]:
    kind = states[0].user_id.partition(":")[0] + ":"
    found = {user: row for user, row in redis_rows(config.redis_url).items() if user.startswith(kind)}
    return differences({state.user_id: canonical_cache(state) for state in states}, found)


class Processes:
    """Bridge processes of a test; whatever still runs at its end is killed by its own handle."""

    def __init__(self) -> None:
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self, name: str, config: Config) -> subprocess.Popen[bytes]:
        code = (
            f"import msgspec, sys; from streams.config import Config; from streams.bridges.{name} import main;"
            f"main(msgspec.json.decode(sys.argv[1], type=Config))"
        )
        child = subprocess.Popen(
            [sys.executable, "-c", code, msgspec.json.encode(config).decode()],
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        self.running.append(child)
        return child


@pytest.fixture
def processes() -> Iterator[Processes]:
    found = Processes()
    yield found
    for child in found.running:
        if child.poll() is None:
            child.kill()
        child.wait(10)


@pytest.mark.parametrize(("name", "wrong"), [("postgres", in_postgres), ("redis", in_redis)])
def test_a_bridge_killed_and_stopped_loses_and_doubles_nothing(
    config: Config, processes: Processes, name: str, wrong: Callable[[Config, list[UserState]], list[str]]
) -> None:
    kind = f"kill{name}"
    send(config, states_of(kind, 1), poison=True)
    first = processes.start(name, config)
    until(lambda: wrong(config, states_of(kind, 1)))
    first.kill()
    first.wait(10)
    send(config, states_of(kind, 3) + states_of(kind, 2))
    second = processes.start(name, config)
    until(lambda: wrong(config, states_of(kind, 3)))
    second.send_signal(signal.SIGTERM)
    assert second.wait(15) == 0


def page(url: str, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url + path, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_health_pages_say_what_is(config: Config, processes: Processes) -> None:
    send(config, states_of("health", 1), poison=True)
    processes.start("postgres", config)
    until(lambda: in_postgres(config, states_of("health", 1)))
    url = (Path(config.data_dir) / "run" / "bridge-postgres.url").read_text().strip()
    until(lambda: [] if page(url, "/readyz")[0] == 200 else ["not ready"])
    assert page(url, "/healthz")[0] == 200
    assert '"mirror": "postgres"' in page(url, "/health")[1]
    text = page(url, "/metrics")[1]
    assert 'marginstream_mirror_latency_seconds_count{mirror="postgres"}' in text
    assert 'marginstream_mirror_unreadable_total{mirror="postgres",topic="account-states"}' in text


async def test_redis_down_then_up_is_caught_up(config: Config, tmp_path: Path) -> None:
    url, server = await asyncio.to_thread(start_redis, tmp_path / "away")
    await asyncio.to_thread(process.stop, server)
    config = msgspec.structs.replace(config, redis_url=url)
    stop, status = asyncio.Event(), Status("redis")
    running = asyncio.create_task(redis_bridge.serve(config, status, stop))
    try:
        await asyncio.to_thread(send, config, states_of("away", 1))
        await until_true(lambda: status.away_since_ms > 0)
        assert not status.ready
        _, server = await asyncio.to_thread(start_redis, tmp_path / "away")
        await asyncio.to_thread(until, lambda: in_redis(config, states_of("away", 1)))
        await until_true(lambda: status.ready)
        await asyncio.to_thread(process.stop, server)
        await asyncio.to_thread(send, config, states_of("away", 2))
        await until_true(lambda: not status.ready)
        _, server = await asyncio.to_thread(start_redis, tmp_path / "away")
        await asyncio.to_thread(until, lambda: in_redis(config, states_of("away", 2)))
    finally:
        stop.set()
        await asyncio.wait_for(running, 20)
        await asyncio.to_thread(process.stop, server)


async def until_true(right: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not right() and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    assert right()


async def test_a_postgres_that_drops_connections_is_caught_up(config: Config) -> None:
    stop, status = asyncio.Event(), Status("postgres")
    running = asyncio.create_task(postgres.serve(config, status, stop))
    try:
        for version in range(1, 6):
            await asyncio.to_thread(send, config, states_of("drop", version))
            await asyncio.to_thread(drop_connections, config.postgres_dsn)
        await asyncio.to_thread(until, lambda: in_postgres(config, states_of("drop", 5)))
    finally:
        stop.set()
        await asyncio.wait_for(running, 20)


def drop_connections(dsn: str) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()",
            [conninfo_to_dict(dsn)["dbname"]],
        )


async def test_a_postgres_that_is_not_there_yet_is_waited_for(config: Config, bridges_dsn: str) -> None:
    absent = msgspec.structs.replace(config, postgres_dsn=make_conninfo(bridges_dsn, dbname="late"))
    stop, status = asyncio.Event(), Status("postgres")
    running = asyncio.create_task(postgres.serve(absent, status, stop))
    try:
        await asyncio.to_thread(send, config, states_of("late", 1))
        await asyncio.sleep(0.5)
        assert not status.ready and not running.done()
        with psycopg.connect(bridges_dsn, autocommit=True) as connection:
            connection.execute("CREATE DATABASE late")
        await asyncio.to_thread(migrate, absent.postgres_dsn)  # while the bridge may be doing the same
        await asyncio.to_thread(until, lambda: in_postgres(absent, states_of("late", 1)))
    finally:
        stop.set()
        await asyncio.wait_for(running, 20)


async def test_an_error_that_is_no_absence_stops_the_bridge_uncommitted(config: Config) -> None:
    await asyncio.to_thread(send, config, states_of("bug", 1))
    taken: list[bytes] = []

    async def broken(_: Batch) -> list[LeftOut]:
        raise RuntimeError("a bug")

    async def sound(batch: Batch) -> list[LeftOut]:
        taken.extend(record.value or b"" for record in batch)
        return []

    status, stop = Status("bug"), asyncio.Event()
    with pytest.raises(RuntimeError, match="a bug"):
        await consume(config, Mirror("bug", (topics.ACCOUNT_STATES,), broken, postgres.AWAY), status, stop)
    assert (status.last_commit_ms, status.records) == (0, 0)
    running = asyncio.create_task(consume(config, Mirror("bug", (topics.ACCOUNT_STATES,), sound, postgres.AWAY), status, stop))
    await until_true(lambda: {state.SerializeToString() for state in states_of("bug", 1)} <= set(taken))
    stop.set()
    await asyncio.wait_for(running, 20)


async def test_two_bridges_share_the_partitions(config: Config) -> None:
    stop = asyncio.Event()
    both = [Status("postgres"), Status("postgres")]
    running = [asyncio.create_task(postgres.serve(config, status, stop)) for status in both]
    try:
        await until_true(
            lambda: sum(status.partitions for status in both) == 4 * len(postgres.TOPICS) and all(status.partitions for status in both)
        )
        await asyncio.to_thread(send, config, states_of("share", 2))
        await asyncio.to_thread(until, lambda: in_postgres(config, states_of("share", 2)))
    finally:
        stop.set()
        await asyncio.wait_for(asyncio.gather(*running), 20)
