"""Facts to Kafka through an outage of the broker: none lost without a word, calls before all others, the buffer bounded."""

import asyncio
from collections.abc import Iterator
from random import Random

import pytest
from aiokafka import AIOKafkaConsumer

from schemas import names
from schemas.user_data_pb2 import EventMeta, UserDataBalanceUpdateEvent, UserDataMarginCallEvent
from streams.config import Config, load
from streams.stack.kafka import Kafka, start_kafka
from streams.stack.kafka_jars import fetch
from streams.stack.process import StackError
from streams.stack.topics import create
from streams.venues.frames import Event
from streams.venues.publisher import Publisher
from tests.venues.harness import WAIT_S, until
from tests.venues.heard import Heard

NAME = ("live:1", "bn")


def balance(number: int) -> Event:
    return Event(names.BALANCE_UPDATES, UserDataBalanceUpdateEvent(meta=EventMeta(user_id="live:1", receive_seq=number), asset="USDT"))


def call(number: int) -> Event:
    return Event(names.VENUE_MARGIN_CALLS, UserDataMarginCallEvent(meta=EventMeta(user_id="live:1", receive_seq=number)))


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """One that is stopped and started again."""
    try:
        cluster = start_kafka(tmp_path_factory.mktemp("kafka"), cache=load().cache)
    except StackError as error:
        pytest.skip(str(error))
    create(Config(kafka_bootstrap=cluster.bootstrap))
    yield cluster
    cluster.stop()


async def read(bootstrap: str, topic: str, count: int) -> list[object]:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        return [await asyncio.wait_for(consumer.getone(), WAIT_S) for _ in range(count)]
    finally:
        await consumer.stop()


async def test_facts_wait_for_the_broker_and_arrive_once_in_order(broker: Kafka) -> None:
    heard = Heard()
    publisher = Publisher(broker.bootstrap, 100, heard.told_lost, heard.told_roomy)
    await publisher.open()
    try:
        assert publisher.take(NAME, [balance(1)], 1)
        await until(lambda: publisher.safe_ms(NAME) == 1, "acknowledged")
        await asyncio.to_thread(broker.stop_node, 1)
        taken = [number for number in range(2, 202) if publisher.take(NAME, [balance(number)], number)]
        assert taken == list(range(2, 102))  # as many as there is room for, and none after the first that found none
        assert not publisher.up
        assert publisher.safe_ms(NAME) == 1
        await asyncio.sleep(2)
        broker.start_node(1, fetch(load().cache))
        await asyncio.to_thread(broker.wait, 1)
        await until(lambda: publisher.up and not publisher.waiting, "up again")
        assert heard.roomy >= 1
        arrived = {1, *taken} if not heard.lost else {1}
        records = await read(broker.bootstrap, names.BALANCE_UPDATES, len(arrived))
        seqs = [UserDataBalanceUpdateEvent.FromString(record.value).meta.receive_seq for record in records]  # type: ignore[attr-defined]
        assert seqs == sorted(arrived)
        assert publisher.take(NAME, [balance(500)], 500)
        await until(lambda: publisher.safe_ms(NAME) == 500, "acknowledged")
    finally:
        await publisher.close()


async def test_a_call_is_marked_and_overtakes_what_waits(broker: Kafka) -> None:
    heard = Heard()
    publisher = Publisher(broker.bootstrap, 10_000, heard.told_lost, heard.told_roomy)
    await publisher.open()
    try:
        for number in range(2_000):
            assert publisher.take(NAME, [balance(number)], number + 1)
        assert publisher.take(NAME, [call(1)], 3_000)
        [record] = await read(broker.bootstrap, names.VENUE_MARGIN_CALLS, 1)
        assert record.headers == (("priority", b"CRITICAL"),)  # type: ignore[attr-defined]
        assert record.key == b"live:1"  # type: ignore[attr-defined]
        await until(lambda: not publisher.waiting, "acknowledged")
        assert (heard.lost, heard.roomy, publisher.safe_ms(NAME)) == ([], 0, 3_000)
    finally:
        await publisher.close()


async def test_a_send_that_fails_is_said_and_followed_by_new_producers(broker: Kafka) -> None:
    heard = Heard()
    publisher = Publisher(broker.bootstrap, 100, heard.told_lost, heard.told_roomy)
    await publisher.open()
    try:
        assert publisher.take(NAME, [balance(1)], 1)
        await until(lambda: publisher.safe_ms(NAME) == 1, "acknowledged")
        large = balance(2)
        large.message.meta.raw_payload = Random(1).randbytes(2**23)  # type: ignore[attr-defined]  # no broker takes so much
        assert publisher.take(NAME, [large], 2)
        await until(lambda: heard.roomy == 1, "opened again")
        assert heard.lost == [NAME]
        assert publisher.safe_ms(NAME) == 1
        assert publisher.take(NAME, [balance(3)], 3)
        await until(lambda: publisher.safe_ms(NAME) == 3, "acknowledged")
    finally:
        await publisher.close()
