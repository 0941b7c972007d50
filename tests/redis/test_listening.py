"""The whole listener on a real broker: channels become ledger rows and ticks; old, odd and repeated prices become none."""

import asyncio
import time
from collections.abc import Callable

import pytest
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from schemas.engine_pb2 import PriceTick
from streams.bridges.redis_channels import listen
from streams.bridges.redis_market import Market
from streams.bridges.redis_money import Money
from streams.cache.store import Store
from streams.config import Config
from streams.topics import PRICE_TICKS
from tests.redis.conftest import Client
from tests.redis.states import run
from tests.redis.test_updates import ledger, wallet

WAIT_S = 40.0


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_S
    while not true():
        assert time.monotonic() < end, "expected it within the time, was not"
        time.sleep(0.05)


def all_of(kafka: str, topic: str, partitions: int) -> list[bytes]:
    """Every value of a topic, to where it ends now."""
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": "none", "enable.auto.commit": False})
    found: list[bytes] = []
    for number in range(partitions):
        first, end = consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=20)
        consumer.assign([TopicPartition(topic, number, first)])
        at, until_s = first, time.monotonic() + WAIT_S
        while at < end and time.monotonic() < until_s:
            if (message := consumer.poll(0.5)) is not None and message.error() is None:
                found.append(message.value() or b"")
                at = (message.offset() or 0) + 1
    consumer.close()
    return found


def ticks(kafka: str) -> list[PriceTick]:
    return [PriceTick.FromString(value) for value in all_of(kafka, PRICE_TICKS, 2)]


def test_both_channels_and_the_stream(url: str, client: Client, dsn: str, kafka: str) -> None:
    admin = AdminClient({"bootstrap.servers": kafka})
    for done in admin.create_topics([NewTopic(PRICE_TICKS, 2, 1)]).values():
        try:
            done.result(30)
        except KafkaException as error:
            assert "EXISTS" in str(error)
    config = Config(kafka_bootstrap=kafka, redis_url=url, postgres_dsn=dsn)
    now = int(time.time() * 1000)
    symbol = f"S{time.time_ns() % 10**9}"
    client.hset("market:OLD", mapping={"bid": "1", "ask": "1", "ts": str(now - 60_000)})

    async def job(store: Store) -> None:
        money = Money(dsn)
        await money.create("live:123", {}, "100")
        await money.close()
        stop, other = asyncio.Event(), Store(url)
        listening = [asyncio.create_task(listen(config, one, stop)) for one in (store, other)]
        await asyncio.to_thread(spoken, client, symbol)
        await asyncio.to_thread(until, lambda: wallet(dsn) == "117")
        stop.set()
        await asyncio.wait_for(asyncio.gather(*listening), 20)
        await other.close()

    run(url, job)
    assert sorted(amount for _, amount, _ in ledger(dsn)) == ["10", "7"]
    sent = [(tick.bid, tick.ask, tick.source) for tick in ticks(kafka) if tick.instrument == f"house:{symbol}"]
    assert sent == [("1.0790", "1.0792", "redis"), ("1.0791", "1.0793", "redis")]
    assert not [tick for tick in ticks(kafka) if tick.instrument == "house:OLD"]


def spoken(client: Client, symbol: str) -> None:
    """Says everything once somebody listens."""
    until(lambda: int(str(client.publish("MARGIN_UPDATES", "garbage"))) > 0)
    now = int(time.time() * 1000)
    client.publish("MARGIN_UPDATES", '{"user_id": 123, "delta": "10", "id": "d1"}')
    client.publish("MARGIN_UPDATES", '{"user_id": 123, "delta": "10", "id": "d1"}')
    client.xadd("MARGIN_UPDATES:stream", {"user_id": "123", "delta": "7"})
    for bid, ask, ts in (("1.0790", "1.0792", now), ("1.0790", "1.0792", now), ("nan", "1", now), ("1.0791", "1.0793", now + 1),
                         ("1.0700", "1.0701", now - 5_000)):
        client.hset(f"market:{symbol}", mapping={"bid": bid, "ask": ask, "ts": str(ts)})
        client.publish("market_price_updates", symbol)
        time.sleep(0.5)


async def collected(store: Store, now_ms: int, said: list[dict[str, str]]) -> list[PriceTick]:
    found: list[PriceTick] = []

    async def send(given: list[tuple[str, bytes]]) -> None:
        found.extend(PriceTick.FromString(value) for _, value in given)

    market, client = Market(store, send, 10_000), await store.client()
    for fields in said:
        await client.hset("market:EURUSD", mapping=fields)  # type: ignore[arg-type]  # text to text
        for _ in range(3):
            market.heard(b"EURUSD")  # named thrice, read once
        await market.send_next()
    return found


def test_an_unchanged_price_is_sent_again_only_to_renew_its_age(single: str, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1_705_314_600.0]
    monkeypatch.setattr(time, "time", lambda: clock[0])

    def quote(later_ms: int) -> dict[str, str]:
        return {"bid": "1.1", "ask": "1.2", "ts": str(1_705_314_600_000 + later_ms)}

    async def job(store: Store) -> list[int]:
        found = await collected(store, 0, [quote(0), quote(10), quote(20)])
        clock[0] += 1.5
        found += await collected(store, 0, [quote(30), quote(30)])
        return [tick.time_ms - 1_705_314_600_000 for tick in found]

    assert run(single, job) == [0, 30]
