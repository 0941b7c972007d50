"""The outbox relay on real Kafka and Postgres: in order per user, nothing lost over a kill -9, one relay a shard, poison alone."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from schemas.engine_pb2 import AccountUpdate, WalletDelta
from schemas.keys import partition_of
from streams.bridges import relay
from streams.bridges.consume import Status
from streams.config import Config
from streams.stack import process

Database = psycopg.Connection[tuple[object, ...]]
PARTITIONS = 3
USERS = [f"live:{number}" for number in range(12)]


@pytest.fixture
async def config(dsn: str, kafka: str, tmp_path: Path) -> AsyncIterator[Config]:
    client = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await client.start()
    names = ["wallet-deltas", "account-updates"]
    with contextlib.suppress(Exception):
        await client.delete_topics(names)
    for name in names:
        for _ in range(50):  # a topic that is being deleted is still there for a moment
            answer = await client.create_topics([NewTopic(name, PARTITIONS, 1)])
            if answer.topic_errors[0][1] == 0:
                break
            await asyncio.sleep(0.1)
    await client.close()
    yield Config(postgres_dsn=dsn, kafka_bootstrap=kafka, partitions=PARTITIONS, data_dir=str(tmp_path))


def fill(database: Database, rounds: range) -> None:
    """A profile first, then deposits, users mixed."""
    for number in rounds:
        for user in USERS:
            if number == 0:
                database.execute("SELECT create_user(%s::jsonb)", [f'{{"user_key": "{user}", "profile": {{}}, "action": "new"}}'])
            else:
                database.execute("SELECT move_money(%s::jsonb)", [
                    f'{{"user_key": "{user}", "amount": "{number}", "kind": "deposit", "action": "deposit"}}'])


def waiting(database: Database) -> int:
    row = database.execute("SELECT count(*) FROM outbox WHERE published_at IS NULL").fetchone()
    assert row and isinstance(row[0], int)
    return row[0]


async def read(kafka: str) -> dict[str, list[tuple[str, int, str]]]:
    """By user, (topic, number, kind) in the order of each topic; the partition is checked."""
    found: dict[str, list[tuple[str, int, str]]] = defaultdict(list)
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, auto_offset_reset="earliest")
    await consumer.start()
    try:
        wanted = [TopicPartition(name, number) for name in ("account-updates", "wallet-deltas") for number in range(PARTITIONS)]
        consumer.assign(wanted)
        ends = await consumer.end_offsets(wanted)
        for one in wanted:
            while await consumer.position(one) < ends[one]:
                for record in (await consumer.getmany(one, timeout_ms=500)).get(one, []):
                    user = record.key.decode()
                    assert record.partition == partition_of(record.key, PARTITIONS)
                    fact = (WalletDelta if one.topic == "wallet-deltas" else AccountUpdate).FromString(record.value)
                    assert (fact.user_id, fact.source) == (user, "admin")
                    found[user].append((one.topic, fact.sequence, str(getattr(fact, "kind", ""))))
    finally:
        await consumer.stop()
    return found


def in_order(numbers: list[int]) -> bool:
    """Without repeats that follow a higher number, each comes after the one before: a repeated run may begin anew, never with a gap."""
    highest = 0
    for number in numbers:
        if number > highest + 1:
            return False
        highest = max(highest, number)
    return True


async def run_until_empty(config: Config, database: Database, relays: int = 1) -> list[Status]:
    stop = asyncio.Event()
    statuses = [Status("relay") for _ in range(relays)]
    tasks = [asyncio.create_task(relay.serve(config, status, stop)) for status in statuses]
    try:
        async with asyncio.timeout(60):
            while waiting(database) or not any(status.records for status in statuses):
                await asyncio.sleep(0.1)
    finally:
        held = [status.partitions for status in statuses]
        stop.set()
        await asyncio.gather(*tasks)
    assert sum(held) <= relay.SHARDS
    return statuses


async def test_every_fact_arrives_once_in_the_order_of_its_user(config: Config, database: Database, kafka: str) -> None:
    fill(database, range(6))
    statuses = await run_until_empty(config, database, relays=2)
    assert sum(status.records for status in statuses) == len(USERS) * 7
    found = await read(kafka)
    for user in USERS:
        assert [(topic, number) for topic, number, _ in found[user]] == [
            ("account-updates", 1), *(("wallet-deltas", number) for number in range(2, 8))]


def start(config: Config) -> "subprocess.Popen[bytes]":
    env = {**os.environ, "MARGINSTREAM_POSTGRES_DSN": config.postgres_dsn, "MARGINSTREAM_KAFKA_BOOTSTRAP": config.kafka_bootstrap,
           "MARGINSTREAM_PARTITIONS": str(PARTITIONS), "MARGINSTREAM_DATA_DIR": config.data_dir}
    words = [sys.executable, "-m", "streams", "bridge", "relay"]
    return subprocess.Popen(words, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.fixture
def running(config: Config) -> Iterator[list["subprocess.Popen[bytes]"]]:
    found: list[subprocess.Popen[bytes]] = [start(config), start(config)]
    yield found
    for one in found:
        one.kill()
        one.wait()


def _fewer(database: Database, than: int) -> bool:
    return waiting(database) < than


async def test_a_killed_relay_loses_nothing_and_another_takes_over(
    config: Config, database: Database, kafka: str, running: list["subprocess.Popen[bytes]"]
) -> None:
    fill(database, range(2))
    for number in range(2, 32, 6):
        fill(database, range(number, number + 6))
        at_work = partial(_fewer, database, waiting(database))
        await asyncio.to_thread(process.wait_until, at_work, 60.0, 0.002)
        victim = running.pop(0)
        victim.send_signal(signal.SIGKILL)
        victim.wait()
        running.append(start(config))
    assert await asyncio.to_thread(process.wait_until, lambda: waiting(database) == 0, 120.0)
    found = await read(kafka)
    for user in USERS:
        numbers = [number for topic, number, _ in found[user] if topic == "wallet-deltas"]
        assert set(numbers) == set(range(2, 34)), user
        assert in_order([1, *numbers]), (user, numbers)


async def test_a_fact_that_cannot_be_said_holds_its_user_only(config: Config, database: Database, kafka: str) -> None:
    fill(database, range(1))
    database.execute("UPDATE outbox SET value = '{\"amount\": []}' WHERE user_key = 'live:3' AND sequence = 2")
    fill(database, range(1, 3))
    stop, status = asyncio.Event(), Status("relay")
    task = asyncio.create_task(relay.serve(config, status, stop))
    async with asyncio.timeout(60):
        while waiting(database) > 3:
            await asyncio.sleep(0.1)
    stop.set()
    await task
    found = await read(kafka)
    assert [number for _, number, _ in found["live:3"]] == [1]
    assert [number for _, number, _ in found["live:4"]] == [1, 2, 3, 4]
