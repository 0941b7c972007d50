"""JSON lines to protobuf records on a topic, partitioned as Kafka's Java clients do."""

import asyncio
from typing import TextIO, cast

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError
from google.protobuf import json_format
from google.protobuf.message import Message

from schemas.engine_pb2 import Control
from schemas.keys import partition_of, user_key
from schemas.user_data_pb2 import EventMeta
from streams.config import Config
from streams.stack import strict_json
from streams.stack.process import StackError
from streams.topics import BY_NAME, Topic

_UNDER_WAY_MAX = 1_000


def inject(config: Config, name: str, lines: TextIO) -> int:
    """Sends every line `{"key", "value"}`, acknowledged by all replicas; the count. `value` null is a tombstone. Raises `StackError`."""
    topic = BY_NAME.get(name)
    if topic is None:
        raise StackError(f"topic: expected one of {', '.join(sorted(BY_NAME))}, was {name!r}")
    try:
        return asyncio.run(_send(config, topic, lines))
    except KafkaError as error:
        raise StackError(f"kafka at {config.kafka_bootstrap}: expected an answer, was {error!r}") from None


async def _send(config: Config, topic: Topic, lines: TextIO) -> int:
    producer = AIOKafkaProducer(bootstrap_servers=config.kafka_bootstrap, acks="all", enable_idempotence=True)
    count = number = 0
    under_way: list[asyncio.Future[object]] = []
    try:
        await producer.start()
        partitions = len(await producer.partitions_for(topic.name))
        while line := await asyncio.to_thread(lines.readline):
            number += 1
            if not line.strip():
                continue
            where = f"line {number} ({count} sent before it)"
            key, value = read_line(line, topic, where, config.default_user_type)
            try:
                under_way.append(await producer.send(topic.name, value, key=key, partition=partition_of(key, partitions)))
            except MessageSizeTooLargeError:
                raise StackError(f"{where}: expected a message the broker takes, was {len(value or b'')} bytes") from None
            count += 1
            if len(under_way) >= _UNDER_WAY_MAX:
                await _acknowledged(under_way)
        await _acknowledged(under_way)
    finally:
        await producer.stop()  # flushes
    return count


async def _acknowledged(under_way: list[asyncio.Future[object]]) -> None:
    """Returns when all are; raises the first one's error."""
    await asyncio.gather(*under_way)
    under_way.clear()


def read_line(line: str, topic: Topic, where: str, default_type: str) -> tuple[bytes, bytes | None]:
    """(key, bytes of the message) of one line; where a message of a user does not name its user, the key does. Raises `StackError`."""
    try:
        record = strict_json.parse(line)
        if not _is_record(record):
            raise StackError(f'{where}: expected {{"key": text, "value": {{...}}}}, was {line.strip()[:160]}')
        assert isinstance(record, dict)
        text = user_key(record["key"], default_type) if topic.key == "user" else record["key"]
        key = text.encode()
        if record["value"] is None:
            return key, None
        message = json_format.ParseDict(record["value"], topic.message())
        if isinstance(message, Control):
            _check_key(message, text)
        if topic.key == "user":
            _name_user(message, text)
        return key, message.SerializeToString()
    except (ValueError, RecursionError, json_format.ParseError) as error:  # JSON, keys and encodings raise ValueErrors
        raise StackError(f"{where}: {' '.join(str(error).split())}") from None


def _check_key(control: Control, key: str) -> None:
    """Compaction keeps the last record of a key: under the scope's own key a check would take the place of a pause."""
    expected = f"check:{control.scope}" if control.action == Control.CHECK else control.scope
    if key != expected:
        raise ValueError(f"key: expected {expected!r} for this action and scope, was {key!r}")


def _name_user(message: Message, user: str) -> None:
    identity = cast("EventMeta", getattr(message, "meta", message))  # or anything else with a user
    if identity.user_id == "":
        identity.user_id = user


def _is_record(record: object) -> bool:
    return (isinstance(record, dict) and set(record) == {"key", "value"} and isinstance(record["key"], str) and record["key"] != ""
            and isinstance(record["value"], dict | None))
