"""What a mirror leaves out is told on dead-letters, with where it lies and why; told again, it is the same."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import msgspec
import pytest
from aiokafka.errors import KafkaConnectionError
from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, Producer, TopicPartition

from schemas.engine_pb2 import DeadLetter, UserState
from streams import topics
from streams.bridges import postgres
from streams.bridges import redis as redis_bridge
from streams.bridges.consume import Batch, Mirror, Status, consume
from streams.bridges.letters import LeftOut, Letters, letter_of
from streams.config import Config
from tests.bridges.facts import Sent
from tests.bridges.test_outage import WAIT_S, config, in_postgres, in_redis, send, states_of

__all__ = ["config"]
Serve = Callable[[Config, Status, asyncio.Event], Awaitable[None]]
GARBAGE = b"\xff\xfe\xfd"


def poison(config: Config, key: bytes, partition: int) -> tuple[str, int, int]:
    """Puts garbage into a partition; (topic, partition, offset)."""
    found: list[Message] = []
    producer = Producer({"bootstrap.servers": config.kafka_bootstrap})
    producer.produce(topics.ACCOUNT_STATES, GARBAGE, key, partition, on_delivery=lambda _, message: found.append(message))
    assert producer.flush(30) == 0
    return topics.ACCOUNT_STATES, partition, found[0].offset() or 0


def letters(config: Config, key: bytes, count: int) -> list[Message]:
    """The dead letters under a key, at least `count`, from the beginning."""
    consumer = Consumer({"bootstrap.servers": config.kafka_bootstrap, "group.id": f"letters-{time.time_ns()}"})
    consumer.assign([TopicPartition(topics.DEAD_LETTERS, number, OFFSET_BEGINNING) for number in range(4)])
    found: list[Message] = []
    deadline = time.monotonic() + WAIT_S
    while len(found) < count and time.monotonic() < deadline:
        found += [message for message in consumer.consume(500, 0.2) if not message.error() and message.key() == key]
    consumer.close()
    return found


async def served(serve: Serve, config: Config, right: Callable[[], bool]) -> None:
    """Runs a bridge until `right`."""
    stop, status = asyncio.Event(), Status("test")
    running = asyncio.ensure_future(serve(config, status, stop))
    deadline = time.monotonic() + WAIT_S
    while not (done := await asyncio.to_thread(right)) and time.monotonic() < deadline and not running.done():
        await asyncio.sleep(0.1)
    stop.set()
    await asyncio.wait_for(running, 20)
    assert done


@pytest.mark.parametrize(
    ("name", "serve", "wrong"), [("postgres", postgres.serve, in_postgres), ("redis", redis_bridge.serve, in_redis)]
)
async def test_poison_is_a_dead_letter_and_a_replay_sends_the_same_one(
    config: Config, name: str, serve: Serve, wrong: Callable[[Config, list[UserState]], list[str]]
) -> None:
    kind, key = f"dead{name}", f"live:{config.app_id}".encode()
    where = await asyncio.to_thread(poison, config, key, 3)
    await asyncio.to_thread(send, config, states_of(kind, 1))

    def right(run: int) -> bool:
        return not wrong(config, states_of(kind, 1)) and len(letters(config, key, run)) >= run

    for run in (1, 2):  # the second group begins at the log's beginning, as a rewound one does
        again = msgspec.structs.replace(config, app_id=f"{config.app_id}-{run}")
        await served(serve, again, partial(right, run))
    found = await asyncio.to_thread(letters, config, key, 2)
    letter = DeadLetter.FromString(found[0].value() or b"")
    assert (letter.topic, letter.partition, letter.offset) == where
    assert (letter.key, letter.value, found[0].partition()) == (key, GARBAGE, 3)
    assert letter.error.startswith(f"{name}: account-states[3]@{where[2]}: DecodeError")
    assert {message.value() for message in found} == {found[0].value()}


def test_a_letter_stays_small_and_needs_no_key() -> None:
    record = Sent("account-states", None, b"x" * 1_000_000, offset=7)
    found = DeadLetter.FromString(letter_of("redis", LeftOut(record, ValueError("y" * 10_000))))
    assert (found.key, len(found.value), len(found.error), found.offset, found.time_ms) == (b"", 65_536, 500, 7, record.timestamp)


async def test_offsets_wait_for_the_letters(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    key, kept = f"live:{config.app_id}".encode(), Letters.send
    where = await asyncio.to_thread(poison, config, key, 2)
    tries: list[int] = []

    async def leaves_out(batch: Batch) -> list[LeftOut]:
        return [LeftOut(record, ValueError("no")) for record in batch if record.key == key]

    async def away(letters: Letters, left_out: Sequence[LeftOut]) -> None:
        if left_out:
            tries.append(status.last_commit_ms)
            if len(tries) < 3:
                raise KafkaConnectionError("away")
        await kept(letters, left_out)

    monkeypatch.setattr(Letters, "send", away)
    stop, status = asyncio.Event(), Status("mine")
    running = asyncio.create_task(consume(config, Mirror("mine", (topics.ACCOUNT_STATES,), leaves_out, ()), status, stop))
    found = await asyncio.to_thread(letters, config, key, 1)
    stop.set()
    await asyncio.wait_for(running, 20)
    assert [DeadLetter.FromString(message.value() or b"").offset for message in found] == [where[2]]
    assert len(tries) == 3
    assert len(set(tries)) == 1  # nothing was committed in between
