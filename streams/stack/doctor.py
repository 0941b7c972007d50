"""What an operator asks first: does each part answer, and is it as the engine needs it."""

import asyncio
import sys
import time
import urllib.parse
from collections.abc import Callable, Coroutine, Iterator
from typing import NamedTuple

import psycopg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError, KafkaError

from schemas.keys import partition_of
from streams import topics
from streams.config import Config
from streams.stack import supervisor
from streams.stack import topics as broker_topics
from streams.stack.generation import refusal, stand
from streams.stack.process import StackError, accepts

SAMPLE = 20  # newest records of a partition whose partitioning is looked at
SAMPLE_S = 10.0
LAG_MAX = 100_000


class Finding(NamedTuple):
    ok: bool
    name: str
    text: str


def examine(config: Config) -> list[Finding]:
    """One finding a check, in the order in which to mend what fails."""
    checks: tuple[Callable[[Config], Finding], ...] = (_python, _kafka, _generation, _topics, _redis, _postgres)
    found = [check(config) for check in checks]
    if all(one.ok for one in found if one.name == "topics"):
        found += [_judge("partitioning", _partitioning, config), _judge("lag", _lag, config)]
    return found + list(_processes(config))


def _python(_: Config) -> Finding:
    version = sys.version_info
    return Finding(version >= (3, 11), "python", f"{version.major}.{version.minor}.{version.micro}")


def _kafka(config: Config) -> Finding:
    for server in config.kafka_bootstrap.split(","):
        parts = urllib.parse.urlsplit(f"//{server}")
        if not accepts(parts.port or 9092, parts.hostname or "127.0.0.1"):
            return Finding(False, "kafka", f"{server}: expected an open port, was closed")
    return Finding(True, "kafka", config.kafka_bootstrap)


def _generation(config: Config) -> Finding:
    """The rows are of the set generation and of the topics that are there: fences are offsets, and mean nothing in a recreated one."""
    try:
        standing = asyncio.run(stand(config))
    except StackError as error:
        return Finding(False, "generation", str(error))
    first = "" if standing.known else ", nothing written yet"
    return Finding(not (said := refusal(config, standing)), "generation", said or f"{config.generation}{first}")


def _topics(config: Config) -> Finding:
    try:
        differences = broker_topics.verify(config)
    except StackError as error:
        return Finding(False, "topics", str(error))
    return Finding(not differences, "topics", "; ".join(differences) or f"{len(broker_topics.wanted(config))} as expected")


def _redis(config: Config) -> Finding:
    import redis

    try:
        version = redis.Redis.from_url(config.redis_url, socket_timeout=3).info("server")["redis_version"]
    except (redis.RedisError, ValueError) as error:
        return Finding(False, "redis", f"expected an answer, was {error}")
    return Finding(True, "redis", f"version {version}")


def _postgres(config: Config) -> Finding:
    try:
        with psycopg.connect(config.postgres_dsn, connect_timeout=3) as connection:
            row = connection.execute("SELECT current_setting('server_version'), count(*) FROM schema_migrations").fetchone()
    except psycopg.Error as error:
        return Finding(False, "postgres", f"expected the schema, was {str(error).strip().splitlines()[0]}")
    return Finding(row is not None, "postgres", f"version {row[0]}, {row[1]} migrations" if row else "no answer")


def _judge(name: str, check: Callable[[Config], Coroutine[None, None, tuple[bool, str]]], config: Config) -> Finding:
    try:
        bad, text = asyncio.run(check(config))
    except GroupCoordinatorNotAvailableError:
        return Finding(True, name, "no group has read yet")
    except KafkaError as error:
        return Finding(False, name, repr(error))
    return Finding(not bad, name, text)


async def _partitioning(config: Config) -> tuple[bool, str]:
    """The newest records of the fact topics lie where murmur2 puts their keys."""
    consumer = AIOKafkaConsumer(bootstrap_servers=config.kafka_bootstrap, enable_auto_commit=False)
    try:
        await consumer.start()
        records = await _newest(consumer, _fact_partitions(config))
    finally:
        await consumer.stop()
    wrong = {topic for topic, partition, key in records if key is None or partition_of(key, config.partitions) != partition}
    if wrong:
        return True, f"expected murmur2 of the key, was another on {', '.join(sorted(wrong))}"
    return False, f"{len(records)} newest records of the fact topics lie where murmur2 puts them"


async def _newest(consumer: AIOKafkaConsumer, tps: list[TopicPartition]) -> list[tuple[str, int, bytes | None]]:
    """(topic, partition, key) of up to `SAMPLE` records a partition."""
    consumer.assign(tps)
    ends, begins = await consumer.end_offsets(tps), await consumer.beginning_offsets(tps)
    for tp in tps:
        consumer.seek(tp, max(begins[tp], ends[tp] - SAMPLE))
    found: list[tuple[str, int, bytes | None]] = []
    deadline = time.monotonic() + SAMPLE_S
    while time.monotonic() < deadline and not all([await consumer.position(tp) >= ends[tp] for tp in tps]):
        batches = await consumer.getmany(timeout_ms=500)
        found += [(tp.topic, tp.partition, record.key) for tp, batch in batches.items() for record in batch]
    return found


def _fact_partitions(config: Config) -> list[TopicPartition]:
    return [TopicPartition(topic, number) for topic in topics.ACCOUNT_SOURCES for number in range(config.partitions)]


async def _lag(config: Config) -> tuple[bool, str]:
    group = broker_topics.group(config)
    admin = AIOKafkaAdminClient(bootstrap_servers=config.kafka_bootstrap)
    consumer = AIOKafkaConsumer(bootstrap_servers=config.kafka_bootstrap, enable_auto_commit=False)
    tps = _fact_partitions(config)
    try:
        await admin.start()
        await consumer.start()
        committed = await admin.list_consumer_group_offsets(group, partitions=tps)
        ends, begins = await consumer.end_offsets(tps), await consumer.beginning_offsets(tps)
    finally:
        await admin.close()
        await consumer.stop()
    lag = sum(ends[tp] - max(committed[tp].offset, begins[tp]) for tp in tps)
    return lag > LAG_MAX, f"{lag} records of group {group} (bound {LAG_MAX})"


def _processes(config: Config) -> Iterator[Finding]:
    for name, living, text in supervisor.status(config):
        yield Finding(living, name, text)
    for url in filter(None, supervisor.load_state(config).addresses.get("MARGINSTREAM_WORKER_URLS", "").split(",")):
        yield Finding(supervisor.ready(int(url.rpartition(":")[2])), url, "/readyz")
