"""The publisher's promises with a producer that does as it is told: bounded, in order, calls on a lane of their own, losses said."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiokafka.errors import KafkaConnectionError, KafkaTimeoutError

from schemas import names
from schemas.user_data_pb2 import EventMeta, UserDataBalanceUpdateEvent, UserDataMarginCallEvent
from streams.venues import publisher as module
from streams.venues.frames import Event
from streams.venues.publisher import Publisher
from tests.venues.heard import Heard

NAME, OTHER = ("live:1", "bn"), ("live:2", "bn")


class Batch:
    """Has room for one: each record is acknowledged by itself."""

    def __init__(self) -> None:
        self.records: list[tuple[bytes, object]] = []

    def append(self, *, timestamp: None, key: bytes, value: bytes, headers: object) -> object:
        assert isinstance(headers, list)  # as aiokafka insists
        if Producer.broken:
            raise TypeError
        if self.records:
            return None
        self.records.append((key, headers))
        return self

    def close(self) -> None:
        """Full it is anyway."""


class Producer:
    """In the place of aiokafka's; `sent` holds what is on its way until the test acknowledges it."""

    made: list["Producer"] = []
    away = 0  # how many more starts fail
    broken = False  # a bug of ours

    def __init__(self, **settings: object) -> None:
        self.settings, self.sent, self.full = settings, list[tuple[str, bytes, object, asyncio.Future[object]]](), 0
        Producer.made.append(self)

    async def start(self) -> None:
        if Producer.away:
            Producer.away -= 1
            raise KafkaConnectionError

    async def stop(self) -> None:
        for *_, future in self.sent:
            future.cancel()

    async def partitions_for(self, topic: str) -> set[int]:
        return {0, 1}

    def create_batch(self) -> Batch:
        return Batch()

    async def send_batch(self, batch: Batch, topic: str, partition: int) -> asyncio.Future[object]:
        if self.full:
            self.full -= 1
            await asyncio.sleep(0)
            raise KafkaTimeoutError
        [(key, headers)] = batch.records
        self.sent.append((topic, key, headers, asyncio.get_running_loop().create_future()))
        return self.sent[-1][-1]

    def acknowledge(self) -> None:
        for *_, future in self.sent:
            if not future.done():
                future.set_result(None)


@pytest.fixture
async def opened(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Publisher, Heard]]:
    monkeypatch.setattr(module, "AIOKafkaProducer", Producer)
    monkeypatch.setattr(module, "_AGAIN_S", 0.01)
    Producer.made.clear()
    Producer.away = 0
    heard = Heard()
    publisher = Publisher("nowhere:1", 10, heard.told_lost, heard.told_roomy)
    await publisher.open()
    yield publisher, heard
    await publisher.close(0)


def balance() -> Event:
    return Event(names.BALANCE_UPDATES, UserDataBalanceUpdateEvent(meta=EventMeta(user_id="live:1"), asset="USDT"))


def call() -> Event:
    return Event(names.VENUE_MARGIN_CALLS, UserDataMarginCallEvent(meta=EventMeta(user_id="live:1")))


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0.002)


async def test_producers_are_idempotent_and_acknowledged_by_all(opened: tuple[Publisher, Heard]) -> None:
    bulk, calls = Producer.made
    for producer in (bulk, calls):
        assert (producer.settings["acks"], producer.settings["enable_idempotence"]) == ("all", True)
        assert producer.settings["compression_type"] == "gzip"
    assert [lane._linger_ms for lane in opened[0]._lanes] == [5, 0]  # a call waits for nobody


async def test_what_was_taken_is_safe_when_all_of_it_is_acknowledged(opened: tuple[Publisher, Heard]) -> None:
    publisher, _ = opened
    assert publisher.safe_ms(NAME) is None
    assert publisher.take(NAME, [balance(), balance()], 5)
    await settle()
    Producer.made[0].sent[0][-1].set_result(None)
    await settle()
    assert publisher.safe_ms(NAME) is None
    Producer.made[0].acknowledge()
    await settle()
    assert (publisher.safe_ms(NAME), publisher.waiting) == (5, 0)


async def test_a_call_has_its_header_and_a_lane_of_its_own(opened: tuple[Publisher, Heard]) -> None:
    publisher, _ = opened
    Producer.made[0].full = 1_000
    assert publisher.take(NAME, [balance(), call()], 5)
    await settle()
    [(topic, key, headers, _)] = Producer.made[1].sent
    assert (topic, key, headers) == (names.VENUE_MARGIN_CALLS, b"live:1", [("priority", b"CRITICAL")])


async def test_without_room_frames_are_refused_whole_until_half_is_free(opened: tuple[Publisher, Heard]) -> None:
    publisher, heard = opened
    assert publisher.take(NAME, [balance()] * 8, 5)
    assert not publisher.take(NAME, [balance()] * 3, 6)
    assert not publisher.take(OTHER, [balance()], 6)  # nor what came later: order is kept
    await settle()
    for *_, future in Producer.made[0].sent[:2]:
        future.set_result(None)
    await settle()
    assert (publisher.up, heard.roomy) == (False, 0)
    Producer.made[0].sent[2][-1].set_result(None)
    await settle()
    assert (publisher.up, heard.roomy, heard.lost) == (True, 1, [])


async def test_more_than_the_room_goes_alone_instead_of_never(opened: tuple[Publisher, Heard]) -> None:
    publisher, _ = opened
    assert publisher.take(NAME, [balance()] * 30, 5)


async def test_what_the_producer_had_no_room_for_goes_again_once(opened: tuple[Publisher, Heard]) -> None:
    publisher, heard = opened
    Producer.made[0].full = 3
    assert publisher.take(NAME, [balance()], 5)
    await settle()
    assert len(Producer.made[0].sent) == 1
    assert heard.lost == []


async def test_a_bug_on_the_way_is_said_and_leaves_no_queue_that_nobody_empties(opened: tuple[Publisher, Heard]) -> None:
    publisher, heard = opened
    Producer.broken = True
    assert publisher.take(NAME, [balance()], 5)
    await settle()
    Producer.broken = False
    assert heard.lost == [NAME]
    for _ in range(500):
        await settle()
        if publisher.up:
            break
    assert (publisher.up, publisher.waiting, heard.roomy) == (True, 0, 1)
    assert publisher.take(NAME, [balance()], 6)
    await settle()
    Producer.made[-2].acknowledge()
    await settle()
    assert publisher.safe_ms(NAME) == 6


async def test_a_lost_send_is_said_and_new_producers_follow(opened: tuple[Publisher, Heard]) -> None:
    publisher, heard = opened
    assert publisher.take(OTHER, [balance()], 1)
    await settle()
    Producer.made[0].acknowledge()
    await settle()
    assert publisher.take(NAME, [balance()] * 2, 5)
    await settle()
    late = Producer.made[0].sent[2][-1]
    Producer.away = 3
    Producer.made[0].sent[1][-1].set_exception(KafkaTimeoutError())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert heard.lost == [NAME]
    assert not publisher.take(NAME, [balance()], 6)
    if not late.done():
        late.set_result(None)  # an acknowledgement of the producer that failed
    for _ in range(500):
        if heard.roomy:
            break
        await asyncio.sleep(0.01)
    assert (heard.roomy, publisher.waiting, publisher.up) == (1, 0, True)
    assert (publisher.safe_ms(NAME), publisher.safe_ms(OTHER)) == (None, 1)
    assert publisher.take(NAME, [balance()], 7)
    await settle()
    Producer.made[-2].acknowledge()
    await settle()
    assert publisher.safe_ms(NAME) == 7
