"""The accounts, marks and rules of the running engine, as its topics have them now."""

import asyncio
import itertools
import time
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from google.protobuf.message import DecodeError

from agents.risk.rules import BadRule, Rules, rules_with, rules_without
from agents.risk.ticks import MarkBook
from agents.risk.world import Mark
from schemas import engine_pb2 as pb
from streams.config import Config
from streams.stack.process import StackError
from streams.topics import ACCOUNT_STATES, PRICE_TICKS, RISK_RULES
from tables.codec import load_user
from tables.rows import User

_HISTORY_MS = 600_000  # ticks older than this are no marks to judge by


class Live(NamedTuple):
    """`now_ms` is when it was read."""

    users: list[User]
    marks: dict[str, Mark]
    rules: Rules
    now_ms: int


def read_live(config: Config) -> Live:
    """Reads the topics to their present end; raises `StackError` where Kafka does not answer."""
    try:
        return asyncio.run(_read(config))
    except KafkaError as error:
        raise StackError(f"kafka at {config.kafka_bootstrap}: expected an answer, was {error!r}") from None


async def _read(config: Config) -> Live:
    now = time.time_ns() // 1_000_000
    reader = _Reader()
    consumer = AIOKafkaConsumer(bootstrap_servers=config.kafka_bootstrap, enable_auto_commit=False, max_partition_fetch_bytes=4_194_304,
                                fetch_max_wait_ms=20, auto_offset_reset="earliest")
    await consumer.start()
    try:
        wanted = _partitions(config)
        consumer.assign(wanted)
        ends: dict[TopicPartition, int] = await consumer.end_offsets(wanted)
        ticks = [partition for partition in wanted if partition.topic == PRICE_TICKS]
        since = await consumer.offsets_for_times(dict.fromkeys(ticks, now - _HISTORY_MS))
        for partition in ticks:
            begin = since.get(partition)
            consumer.seek(partition, begin.offset if begin else ends[partition])
        while waiting := [partition for partition in wanted if await consumer.position(partition) < ends[partition]]:
            found = await consumer.getmany(*waiting, timeout_ms=500, max_records=20_000)
            for record in itertools.chain.from_iterable(found.values()):
                reader.take(record)
    finally:
        await consumer.stop()
    return Live(list(reader.users.values()), reader.book.marks, reader.rules, now)


def _partitions(config: Config) -> list[TopicPartition]:
    users = [TopicPartition(name, number) for name in (ACCOUNT_STATES, PRICE_TICKS) for number in range(config.partitions)]
    return [TopicPartition(RISK_RULES, 0), *users]


class _Reader:
    """What the records add up to; an unreadable one is passed, as the engine passes it."""

    def __init__(self) -> None:
        self.users: dict[str, User] = {}
        self.book, self.rules = MarkBook(), Rules()

    def take(self, record: ConsumerRecord) -> None:
        topic, key, value, offset = record.topic, (record.key or b"").decode(errors="replace"), record.value, record.offset
        try:
            if topic == RISK_RULES:
                self.rules = rules_without(self.rules, key, offset) if value is None else rules_with(
                    self.rules, pb.RiskRule.FromString(value), offset)
            elif topic == PRICE_TICKS and value is not None:
                self.book.accept(pb.PriceTick.FromString(value), offset, record.timestamp, Rules())  # without rules no jump waits
            elif value is not None:
                self._take_user(load_user(value))
        except (DecodeError, BadRule, ValueError):
            return

    def _take_user(self, user: User) -> None:
        before = self.users.get(user.user_id)
        if before is None or (before.generation, before.version) <= (user.generation, user.version):
            self.users[user.user_id] = user
