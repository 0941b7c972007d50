"""The background audit on real servers: whatever is spoiled is found, told, written again; and nothing is where all is well."""

import asyncio
import time
from collections.abc import Callable, Sequence
from unittest import mock

import msgspec
import psycopg
import pytest
import redis
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from schemas.engine_pb2 import Anomaly, UserState
from streams.admin.process import Watch
from streams.admin.store import Store as AdminStore
from streams.bridges import audit as mirrors
from streams.bridges.audit import Audited, Over, audit
from streams.bridges.compare import canonical_cache, canonical_state, differences, postgres_rows, redis_rows
from streams.bridges.postgres import Postgres
from streams.bridges.rebuild import Newest, repair_postgres, repair_redis
from streams.cache.store import AWAY, Store
from streams.config import Config
from streams.topics import ACCOUNT_STATES, ANOMALIES
from tests.bridges.facts import sent
from tests.redis.states import state, write
from tests.redis.test_listening import all_of

USERS = 12
Spoil = Callable[["redis.Redis", "psycopg.Connection[tuple[object, ...]]"], object]


@pytest.fixture
def config(kafka: str, single: str, dsn: str) -> Config:
    with psycopg.connect(dsn) as connection:
        connection.execute("TRUNCATE users, balances, positions, exchange_accounts, alerts, audits")
    admin = AdminClient({"bootstrap.servers": kafka})
    for done in admin.create_topics([NewTopic(name, 4, 1) for name in (ACCOUNT_STATES, ANOMALIES)]).values():
        try:
            done.result(60)
        except KafkaException as error:
            assert "EXISTS" in str(error)
    return Config(kafka_bootstrap=kafka, redis_url=single, postgres_dsn=dsn)


def mirrored(config: Config, version: int) -> dict[str, UserState]:
    """Users told on the topic and written by both mirrors."""
    told = [state(version, str(version + number), f"live:{number}", symbols=("EURUSD",)) for number in range(USERS)]
    producer = Producer({"bootstrap.servers": config.kafka_bootstrap, "partitioner": "murmur2_random"})
    for one in told:
        producer.produce(ACCOUNT_STATES, one.SerializeToString(), one.user_id.encode())
    assert producer.flush(30) == 0
    write(config.redis_url, *told)

    async def into_postgres() -> None:
        store = Postgres(config.postgres_dsn, "live")
        assert await store.write([sent(one) for one in told]) == []
        await store.close()

    asyncio.run(into_postgres())
    return {one.user_id: one for one in told}


def audited(config: Config) -> dict[str, Audited]:
    return asyncio.run(audit(config, still_s=0.0))


def right(config: Config, told: dict[str, UserState]) -> list[str]:
    ours = differences({user: canonical_cache(one) for user, one in told.items()}, redis_rows(config.redis_url))
    return ours + differences({user: canonical_state(one) for user, one in told.items()}, postgres_rows(config.postgres_dsn))


def anomalies(config: Config) -> list[Anomaly]:
    return [Anomaly.FromString(value) for value in all_of(config.kafka_bootstrap, ANOMALIES, 4)]


def version() -> int:
    return int(time.time() * 1000)  # tests share the topic: later ones tell newer versions


def test_where_all_is_well_hashes_are_equal_and_nothing_is_touched(config: Config) -> None:
    mirrored(config, version())
    found = audited(config)
    assert {name: (one.users, one.lines) for name, one in found.items()} == {"redis": (USERS, []), "postgres": (USERS, [])}
    assert all(told == held for one in found.values() for told, held in one.hashes.values())
    assert len({hashes for one in found.values() for hashes in one.hashes.values()}) > 2  # they say something


SPOILED: dict[str, tuple[str, str, Spoil]] = {
    "a field": ("redis", "live:3", lambda client, _: client.hset("user:{live:3}:config", "wallet_balance", "666")),
    "no number": ("redis", "live:3", lambda client, _: client.hset("user:{live:3}:config", "margin", "lots")),
    "a key that is gone": ("redis", "live:4", lambda client, _: client.delete("user:{live:4}:config", "user:{live:4}:v")),
    "a key of another type": ("redis", "live:5", lambda client, _: client.set("user:{live:5}:config", "x")),
    "a balance": ("redis", "live:6", lambda client, _: client.set("user_balance:live:6", "1")),
    "a shared wallet": ("redis", "live:7", lambda client, _: client.hset("user_wallets", "7", "1")),
    "a shared wallet that is gone": ("redis", "live:7", lambda client, _: client.hdel("user_wallets", "7")),
    "a position": ("postgres", "live:3", lambda _, rows: rows.execute("UPDATE positions SET quantity = 9 WHERE user_key = 'live:3'")),
    "a row that is gone": ("postgres", "live:4", lambda _, rows: rows.execute("DELETE FROM balances WHERE user_key = 'live:4'")),
    "a profile": ("postgres", "live:5", lambda _, rows: rows.execute("UPDATE users SET group_name = 'x' WHERE user_key = 'live:5'")),
    "a version behind": ("postgres", "live:6", lambda _, rows: rows.execute("UPDATE users SET version = 1 WHERE user_key = 'live:6'"))}


@pytest.mark.parametrize(("name", "user", "spoil"), SPOILED.values(), ids=SPOILED.keys())
def test_what_is_spoiled_is_found_told_and_healed(config: Config, name: str, user: str, spoil: Spoil) -> None:
    told = mirrored(config, version())
    began_ms = int(time.time() * 1000)
    with redis.Redis.from_url(config.redis_url, decode_responses=True) as client, \
            psycopg.connect(config.postgres_dsn, autocommit=True) as rows:
        spoil(client, rows)
        found = audited(config)
        lines = {mirror: one.lines for mirror, one in found.items() if one.lines}
        assert list(lines) == [name] and all(user in line for line in lines[name])
        assert right(config, told) == []
        assert {client.get("user_balance:live:6"), client.get("user_balance:live:7")} <= {
            canonical_cache(told["live:6"])["wallet_balance"], canonical_cache(told["live:7"])["wallet_balance"]}
        assert client.hget("user_wallets", "7") == canonical_cache(told["live:7"])["wallet_balance"]
    assert {mirror: one.lines for mirror, one in audited(config).items()} == {"redis": [], "postgres": []}
    said = [(one.user_id, one.kind) for one in anomalies(config) if one.time_ms >= began_ms]
    assert set(said) == {(user, "mirror_mismatch")}


def test_older_states_of_a_user_are_not_compared_and_many_differences_are_told_once(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The topic holds two states of everybody; who wrote over all of them is one cause, and every one of them is healed."""
    mirrored(config, version())
    told = mirrored(config, version())
    assert {name: (one.users, one.differences) for name, one in audited(config).items()} == {"redis": (USERS, 0), "postgres": (USERS, 0)}
    monkeypatch.setattr(mirrors, "TOLD_MAX", 3)
    monkeypatch.setattr(mirrors, "_AT_ONCE", 2)
    began_ms = int(time.time() * 1000)
    with redis.Redis.from_url(config.redis_url) as client:
        client.flushdb()
    found = audited(config)["redis"]
    assert (found.differences >= USERS, len(found.lines), right(config, told)) == (True, 3, [])
    assert len([one for one in anomalies(config) if one.time_ms >= began_ms]) == 3


def test_a_newest_state_that_nobody_can_read_is_left(config: Config) -> None:
    mirrored(config, version())
    producer = Producer({"bootstrap.servers": config.kafka_bootstrap, "partitioner": "murmur2_random"})
    producer.produce(ACCOUNT_STATES, b"\xff", b"live:3")
    assert producer.flush(30) == 0
    assert {one.users for one in audited(config).values()} == {USERS - 1}


def test_who_is_newer_than_told_or_moved_just_now_is_left(config: Config) -> None:
    told = mirrored(config, version())
    newer = state(version() + 9, "7", "live:1")
    write(config.redis_url, newer)
    with psycopg.connect(config.postgres_dsn, autocommit=True) as rows:  # an admin's change that the engine has not folded yet
        rows.execute("""UPDATE users SET group_name = 'VIP', sequences = '{"admin": 5}' WHERE user_key = 'live:2'""")
        found = audited(config)
        assert [line for one in found.values() for line in one.lines] == []
        assert rows.execute("SELECT group_name FROM users WHERE user_key = 'live:2'").fetchall() == [("VIP",)]
    assert redis_rows(config.redis_url, ["live:1"]) == {"live:1": canonical_cache(newer)}
    with redis.Redis.from_url(config.redis_url) as client:
        client.hset("user:{live:3}:config", "group", "x")
    assert [one.users for one in asyncio.run(audit(config, still_s=60.0)).values()] == [0, 0]
    assert told


def test_a_repair_never_takes_back_what_is_newer(config: Config) -> None:
    told = mirrored(config, version())
    newer = state(version() + 9, "7", "live:1", symbols=("USDJPY",))
    write(config.redis_url, newer)

    async def repaired() -> None:
        rows, store = Postgres(config.postgres_dsn, "live"), Store(config.redis_url)
        assert await rows.write([sent(newer)]) == []
        old: Newest = {user: sent(one) for user, one in told.items()}
        await repair_redis(config, store, old)
        await repair_postgres(config, old)
        await rows.close()
        await store.close()

    asyncio.run(repaired())
    assert right(config, told | {"live:1": newer}) == []
    with redis.Redis.from_url(config.redis_url, decode_responses=True) as client:
        assert (client.get("user_balance:live:1"), client.hget("user_wallets", "1")) == ("7", "7")


def test_an_audit_is_kept_with_its_last_success(config: Config) -> None:
    told = mirrored(config, version())

    def kept() -> list[tuple[object, ...]]:
        async def once() -> None:
            store = AdminStore(config.postgres_dsn)
            await Watch(store).audit_mirrors(config, asyncio.Event())
            await store.close()

        asyncio.run(once())
        with psycopg.connect(config.postgres_dsn) as rows:
            return rows.execute("SELECT name, last_success_at = ran_at, last_success_at, jsonb_array_length(differences) FROM audits"
                                " ORDER BY 1").fetchall()

    first = kept()
    assert [(name, is_good, count) for name, is_good, _, count in first] == [("postgres", True, 0), ("redis", True, 0)]
    with psycopg.connect(config.postgres_dsn) as rows:  # a minute ago, so that it is found
        rows.execute("UPDATE users SET rung = rung, group_name = 'x' WHERE user_key = 'live:3'")
    with mock.patch.object(mirrors, "STILL_S", 0.0), mock.patch.object(mirrors.audit, "__defaults__", (0.0, lambda: False)):
        [(_, is_good, success, count), redis_row] = kept()
    assert (is_good, success, count) == (False, first[0][2], 1)
    assert redis_row[1] is True
    with psycopg.connect(config.postgres_dsn) as rows:
        assert rows.execute("SELECT id LIKE 'audit/postgres/%', kind FROM alerts").fetchall() == [(True, "audit_differences")]
    assert right(config, told) == []


def test_one_audit_at_a_time_and_none_at_the_end(config: Config) -> None:
    mirrored(config, version())

    async def both() -> Sequence[dict[str, Audited]]:
        first, second = await asyncio.gather(*(asyncio.to_thread(lambda: audited(config)) for _ in range(2)))
        return [one for one in (first, second) if one]

    assert 1 <= len(asyncio.run(both())) <= 2
    with psycopg.connect(config.postgres_dsn, autocommit=True) as lock:
        lock.execute("SELECT pg_advisory_lock(%s)", [0x61756474])
        assert audited(config) == {}
    with pytest.raises(Over):
        asyncio.run(audit(config, over=lambda: True))


def test_a_store_that_is_away_is_said_and_nothing_kept(config: Config) -> None:
    mirrored(config, version())
    with pytest.raises((*AWAY, redis.RedisError)):
        asyncio.run(audit(msgspec.structs.replace(config, redis_url="redis://127.0.0.1:1/0"), still_s=0.0))
