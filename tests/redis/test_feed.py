"""House prices in and out, one or the other: hashes and their channel follow the ticks, never back in time, never a broken one."""

import asyncio
import random
import time
from collections.abc import Sequence

import pytest
import redis
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from schemas.engine_pb2 import PriceTick
from streams import topics
from streams.bridges.consume import Status
from streams.bridges.redis_feed import Feed
from streams.bridges.redis_process import serve
from streams.bridges.redis_reading import read_quote
from streams.cache.store import Store
from streams.config import Config
from tests.bridges.facts import Sent
from tests.redis.conftest import Client
from tests.redis.states import run
from tests.redis.test_listening import ticks, until

NOW = 1_705_314_600_000


def tick(instrument: str = "house:EURUSD", bid: str = "1.1", ask: str = "1.2", **said: object) -> PriceTick:
    found = PriceTick(instrument=instrument, bid=bid, ask=ask, time_ms=NOW, source="lp")
    for name, value in said.items():
        setattr(found, name, value)
    return found


def at(offset: int, found: PriceTick, partition: int = 0) -> Sent:
    return Sent(topics.PRICE_TICKS, found.instrument.encode(), found.SerializeToString(), offset, partition, NOW + 7)


def written(url: str, *batches: Sequence[Sent], generation: int = 1) -> None:
    async def job(store: Store) -> None:
        for batch in batches:
            assert await Feed(store, generation).write(batch) == []

    run(url, job)


def names(client: Client, *batches: Sequence[Sent], url: str) -> list[str]:
    """What the channel says of these batches."""
    heard = client.pubsub()  # type: ignore[no-untyped-call]
    heard.subscribe("market_price_updates")
    until(lambda: (heard.get_message(timeout=0.1) or {}).get("type") == "subscribe")
    written(url, *batches)
    found = []
    while (message := heard.get_message(timeout=0.3)) is not None:
        data = message["data"]
        found.append(data.decode() if isinstance(data, bytes) else str(data))
    heard.close()
    return found


def test_the_newest_price_of_each_symbol_is_its_hash_and_named(url: str, client: Client) -> None:
    batch = [at(1, tick()), at(2, tick(bid="1.15", ask="1.20")), at(3, tick("house:XAUUSD", "2000", "2000.5", time_ms=0)),
             at(4, tick("binance_usdm:BTCUSDT", "1")), at(5, tick("house:BACK", source="redis")),
             at(6, PriceTick(instrument="house:LAST", last="1"))]
    assert names(client, batch, url=url) == ["EURUSD", "XAUUSD"]
    assert client.hgetall("market:EURUSD") == {"bid": "1.15", "ask": "1.20", "ts": "2024-01-15T10:30:00.000Z"}
    assert client.hgetall("market:XAUUSD")["ts"] == "2024-01-15T10:30:00.007Z"
    assert not client.exists("market:BTCUSDT") and not client.exists("market:BACK") and not client.exists("market:LAST")
    quote = read_quote("EURUSD", [client.hget("market:EURUSD", field) for field in ("bid", "ask", "ts")], NOW)
    assert (quote.instrument, quote.time_ms) == ("house:EURUSD", NOW)  # what goes out can come in


@pytest.mark.parametrize("broken", [
    tick(bid="nan"), tick(ask="inf"), tick(bid="-1"), tick(bid="0"), tick(bid="2", ask="1"), tick(bid="1e999"), tick(bid=""), tick(""),
    tick("house:"), tick("house:a b"), tick("house:{EURUSD}"), tick("house:a:b"), tick(time_ms=1 << 62)], ids=str)
def test_a_broken_tick_is_no_price_and_hides_none(single: str, broken: PriceTick) -> None:
    async def keys_of(store: Store) -> list[object]:
        return await store.run([("KEYS", "*"), ("HGET", "market:EURUSD", "bid")])

    written(single, [at(1, tick(bid="1.05")), at(2, broken), Sent(topics.PRICE_TICKS, b"x", b"\xff\xfe", 3)])
    found, bid = run(single, keys_of)
    assert isinstance(found, list)
    assert (sorted(found), bid) == ([b"market:EURUSD", b"{market:EURUSD}:v"], b"1.05")


def test_late_repeated_and_zombie_writers_never_take_a_price_back(url: str, client: Client) -> None:
    dice = random.Random(5)
    sent = [at(offset, tick(bid=f"1.{offset:03}", ask="2"), partition=0) for offset in range(200)]
    for _ in range(30):
        start = dice.randrange(200)
        written(url, sent[start:start + dice.randrange(1, 20)])
        seen = str(client.hget("market:EURUSD", "bid"))
        late = sent[:int(seen.partition(".")[2])]
        written(url, dice.sample(late, min(5, len(late))) if late else [sent[0]])
        assert str(client.hget("market:EURUSD", "bid")) == seen
    assert names(client, [sent[0]], url=url) == []  # a late one is not told
    written(url, [at(0, tick(bid="3", ask="4"))], generation=2)  # a topic begun anew
    assert client.hget("market:EURUSD", "bid") == "3"


def test_a_key_of_another_type_hurts_only_its_symbol(single: str) -> None:
    async def job(store: Store) -> list[object]:
        await store.run([("SET", "market:EURUSD", "x")])
        assert await Feed(store, 1).write([at(1, tick()), at(2, tick("house:GBPUSD"))]) == []
        return await store.run([("GET", "market:EURUSD"), ("HGET", "market:GBPUSD", "bid")])

    assert run(single, job) == [b"x", b"1.1"]


def made(kafka: str) -> None:
    wanted = [NewTopic(name, 2, 1) for name in (topics.PRICE_TICKS, topics.ACCOUNT_STATES, topics.PORTFOLIOS)]
    admin = AdminClient({"bootstrap.servers": kafka})
    for done in admin.create_topics(wanted).values():
        try:
            done.result(30)
        except KafkaException as error:
            assert "EXISTS" in str(error)


@pytest.mark.parametrize("feed", ["in", "out", "off"])
def test_in_or_out_never_both(single: str, dsn: str, kafka: str, feed: str) -> None:
    made(kafka)
    config = Config(kafka_bootstrap=kafka, redis_url=single, postgres_dsn=dsn, market_feed=feed, app_id=f"feed{time.time_ns()}",
                    session_timeout_s=3)
    ours, theirs = f"OUT{feed}", f"IN{feed}"
    producer = Producer({"bootstrap.servers": kafka, "partitioner": "murmur2_random"})

    def say(store_client: Client) -> None:
        """Names a hash on the channel and sends ticks, until the bridge must have taken them."""
        if feed == "in":
            until(lambda: dict(store_client.pubsub_numsub("market_price_updates"))["market_price_updates"] > 0)
        end = time.monotonic() + (30 if feed == "out" else 5)
        while time.monotonic() < end:
            store_client.hset(f"market:{theirs}", mapping={"bid": "5", "ask": "6", "ts": str(int(time.time() * 1000))})
            store_client.publish("market_price_updates", theirs)
            name = f"house:{ours}"
            producer.produce(topics.PRICE_TICKS, tick(name, time_ms=int(time.time() * 1000)).SerializeToString(), key=name.encode())
            producer.flush(10)
            time.sleep(0.2)
            if feed == "out" and store_client.exists(f"market:{ours}"):
                break

    async def job(store: Store) -> bool:
        stop, client = asyncio.Event(), redis.Redis.from_url(single, decode_responses=True)
        serving = asyncio.create_task(serve(config, Status("redis"), stop))
        await asyncio.to_thread(say, client)
        stop.set()
        await asyncio.wait_for(serving, 30)
        there = bool(client.exists(f"market:{ours}"))
        client.close()
        return there

    assert run(single, job) == (feed == "out")
    came = {found.instrument for found in ticks(kafka) if found.source == "redis"}
    assert (f"house:{theirs}" in came) == (feed == "in")
