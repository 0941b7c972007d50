"""`marginstream rebuild` from an empty database and an empty Redis: what the mirrors held before is there again, the ledger included."""

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from unittest import mock

import psycopg
import pytest
import redis
from confluent_kafka import Producer as KafkaProducer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from psycopg.conninfo import make_conninfo
from psycopg.types.json import Jsonb

from schemas.engine_pb2 import NORMAL, WARNING, Liquidation, MarginCall
from streams import topics
from streams.bridges import postgres
from streams.bridges import relay as relaying
from streams.bridges.compare import redis_rows
from streams.bridges.redis import Bridge
from streams.cache.store import Store
from streams.config import PREFIX, Config
from tests.admin.test_money import Database
from tests.admin.world import MoneyWorld, Producer
from tests.bridges.facts import orders_state

PARTITIONS = 2
# What only the first Postgres knows: when it wrote, and its own count of an admin's changes.
OWN = {"users": "updated_at, created_at, revision, last_admin_update, last_group_update", "transactions": "created_at, cause",
       "balances": "updated_at", "positions": "updated_at"}
TABLES = ("users", "balances", "positions", "transactions", "ledger_balances", "order_books", "orders", "fills", "margin_events",
          "liquidations", "exchange_accounts")


def held(dsn: str) -> dict[str, list[str]]:
    """By table, its rows as text without what is a database's own."""
    with psycopg.connect(dsn) as connection:
        return {table: [str(row[0]) for row in connection.execute(
            f"SELECT (to_jsonb(t) - string_to_array(%s, ', '))::text FROM {table} AS t ORDER BY 1".encode(), [OWN.get(table, "")])]
            for table in TABLES}


@pytest.fixture
def empty(postgres_dsn: str) -> Iterator[str]:
    """A database in which nothing was ever made."""
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        connection.execute("CREATE DATABASE made_anew")
        yield make_conninfo(postgres_dsn, dbname="made_anew")
        connection.execute("DROP DATABASE made_anew WITH (FORCE)")


async def lived(dsn: str, database: Database) -> MoneyWorld:
    """Operations of admins, trades and what a risk engine says, through relay, folds and mirror: all on the world's topics."""
    world = MoneyWorld(dsn, random.Random(1))
    world.faults = 0.0
    with mock.patch.object(relaying, "AIOKafkaProducer", lambda **_: Producer(world)), mock.patch.object(relaying, "_WAIT_S", 0.01):
        for number in range(5):
            user = {"user_key": f"live:{number}", "actor": "ann", "claimed_actor": "", "source": "admin"}
            profile = {"group": "VIP", "leverage": "50", "status": "active", "is_active": True, "currency": "USD"}
            database.execute("SELECT create_user(%s)", [Jsonb(user | {"profile": profile, "wallet_balance": "100.25", "action": "made"})])
            for amount, kind in (("7.5", "deposit"), ("-0.000000000000000001", "adjustment")):
                database.execute("SELECT move_money(%s)", [Jsonb(user | {"amount": amount, "kind": kind, "action": kind, "note": "wire"})])
            await world.turn()
            for size, price in ((2, "1.1000"), (-1, "1.2000"), (-3, "1.0500")):
                world.engine.trade(f"live:{number}", size, price)
                await world.turn()
        for book in (orders_state("o1", "o2", user="live:1"), orders_state("o2", version=2, user="live:1")):
            world.topics.append(topics.ORDER_STATES, "live:1", book.SerializeToString())
        said = MarginCall(id="live:1/house/1/t1", user_id="live:1", account_id="house", before=NORMAL, after=WARNING, episode=1,
                          transition=1)
        done = Liquidation(id="live:1/house/1/s0", user_id="live:1", account_id="house", episode=1, refused="no mark")
        world.topics.append(topics.MARGIN_CALLS, "live:1", said.SerializeToString())
        world.topics.append(topics.LIQUIDATIONS, "live:1", done.SerializeToString())
        await world.turn()
        mirror = postgres.Postgres(dsn, "live")
        assert await mirror.write([record for name in postgres.TOPICS for record in world.topics.records[name]]) == []
        await mirror.close()
        await world.close()
    return world


def on_kafka(world: MoneyWorld, kafka: str) -> None:
    admin = AdminClient({"bootstrap.servers": kafka})
    for done in admin.create_topics([NewTopic(name, PARTITIONS, 1) for name in postgres.TOPICS]).values():
        done.result(60)
    producer = KafkaProducer({"bootstrap.servers": kafka, "partitioner": "murmur2_random"})
    for name in postgres.TOPICS:
        for record in world.topics.records[name]:
            producer.produce(name, record.value, key=record.key, timestamp=record.timestamp)
    assert producer.flush(60) == 0


def rebuilt(config: Config, mirror: str) -> str:
    """What the command says."""
    env = {PREFIX + name: value for name, value in {
        "KAFKA_BOOTSTRAP": config.kafka_bootstrap, "POSTGRES_DSN": config.postgres_dsn, "REDIS_URL": config.redis_url,
        "PARTITIONS": str(PARTITIONS)}.items()}
    done = subprocess.run([sys.executable, "-m", "streams", "rebuild", mirror], env={**os.environ, **env}, capture_output=True, text=True,
                          timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


async def test_tables_and_keys_are_as_before(dsn: str, database: Database, kafka: str, redis_url: str, empty: str) -> None:
    world = await lived(dsn, database)
    on_kafka(world, kafka)
    before = held(dsn)
    assert [table for table, rows in before.items() if not rows] == ["exchange_accounts"]  # else nothing is compared
    config = Config(kafka_bootstrap=kafka, postgres_dsn=empty, redis_url=redis_url.rsplit("/", 1)[0] + "/7", partitions=PARTITIONS)

    assert rebuilt(config, "postgres").startswith("postgres: ")
    assert held(empty) == before
    with psycopg.connect(empty) as connection:
        assert connection.execute("SELECT * FROM ledger_differences()").fetchall() == []
        connection.execute("UPDATE users SET version = version + 100, group_name = 'newer' WHERE user_key = 'live:0'")
        connection.execute("DELETE FROM positions WHERE user_key = 'live:1'")
    rebuilt(config, "postgres")  # what is newer stays; what has its version is not looked at: that is what the audit is for
    with psycopg.connect(empty) as connection:
        assert connection.execute("SELECT group_name FROM users WHERE user_key = 'live:0'").fetchall() == [("newer",)]

    store = Store(config.redis_url)
    try:
        states = world.topics.records[topics.ACCOUNT_STATES]
        await store.run([("FLUSHDB",)])
        assert await Bridge(store, config).write(states) == []
        told = redis_rows(config.redis_url)
        await store.run([("FLUSHDB",)])
        assert rebuilt(config, "redis") == f"redis: {len(states)} records written again, the newest of each\n"
        assert redis_rows(config.redis_url) == told and len(told) == 5
        with redis.Redis.from_url(config.redis_url) as client:
            assert client.hlen("user_wallets") == 5
    finally:
        await store.close()
