"""Redis made anew from the topic of states: an emptied store, one that lies, and one user; whatever is newer stays."""

import asyncio
import time

import pytest
import redis
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from schemas.engine_pb2 import UserState
from streams.bridges.compare import canonical_cache, differences, redis_rows
from streams.bridges.rebuild import newest_state, rebuild_redis, refresh
from streams.cache.store import Store
from streams.config import Config
from streams.topics import ACCOUNT_STATES
from tests.redis.states import hearing, state, write

USERS = 30


@pytest.fixture
def config(kafka: str, single: str) -> Config:
    admin = AdminClient({"bootstrap.servers": kafka})
    for done in admin.create_topics([NewTopic(ACCOUNT_STATES, 4, 1)]).values():
        try:
            done.result(60)
        except KafkaException as error:
            assert "EXISTS" in str(error)
    return Config(kafka_bootstrap=kafka, redis_url=single)


def told(config: Config) -> list[UserState]:
    """States on the topic: two versions of each user; the newest of each."""
    producer = Producer({"bootstrap.servers": config.kafka_bootstrap, "partitioner": "murmur2_random"})
    base = int(time.time())  # tests share the topic: later ones tell newer versions
    for version in (base, base + 1):
        for number in range(USERS):
            one = state(version, str(version), f"live:{number}", symbols=("EURUSD",))
            producer.produce(ACCOUNT_STATES, one.SerializeToString(), one.user_id.encode())
    producer.flush(30)
    return [state(base + 1, str(base + 1), f"live:{number}", symbols=("EURUSD",)) for number in range(USERS)]


def test_from_an_empty_store_without_a_word(config: Config, single: str) -> None:
    newest = told(config)
    newer = state(int(time.time()) + 99, "7", "live:0", symbols=("EURUSD",))
    write(single, newer)  # by the bridge, meanwhile
    with redis.Redis.from_url(single, decode_responses=True) as client, hearing(client) as heard:
        assert asyncio.run(rebuild_redis(config)) >= 2 * USERS
        assert heard() == []
        assert client.llen("QUEUE:MARGIN:CHECK:live:1") == 0
        assert client.scard("symbol_holders:EURUSD:live") == USERS
        assert client.hlen("user_wallets") == USERS
    expected = {one.user_id: canonical_cache(one) for one in [newer, *newest[1:]]}
    assert differences(expected, redis_rows(single)) == []


def test_a_user_is_written_again_though_its_version_says_that_all_is_there(config: Config, single: str) -> None:
    newest = told(config)[3]
    write(single, newest)
    with redis.Redis.from_url(single, decode_responses=True) as client:
        client.hset("user:{live:3}:config", "wallet_balance", "666")
        client.delete("user_balance:live:3")

        async def again(user: str) -> str | None:
            store = Store(single)
            try:
                return await refresh(config, store, user)
            finally:
                await store.close()

        assert asyncio.run(again("live:3")) == f"1 {newest.version}"
        assert differences({"live:3": canonical_cache(newest)}, redis_rows(single)) == []
        assert client.get("user_balance:live:3") == str(newest.version)
        assert client.hget("user_wallets", "3") == str(newest.version)
        assert asyncio.run(again("live:nobody")) is None
    found = asyncio.run(newest_state(config, "live:3"))
    assert found is not None
    assert UserState.FromString(found.value or b"").version == newest.version
