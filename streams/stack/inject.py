"""JSON lines to protobuf records on a topic, partitioned as Kafka's Java clients do."""

import asyncio
import json
from typing import TextIO

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from google.protobuf import json_format

from schemas.keys import BadKey, partition_of, user_key
from streams.config import Config
from streams.stack.process import StackError
from streams.topics import BY_NAME, Topic


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
    count = 0
    try:
        await producer.start()
        partitions = len(await producer.partitions_for(topic.name))
        number = 0
        while line := await asyncio.to_thread(lines.readline):
            number += 1
            if not line.strip():
                continue
            key, value = read_line(line, topic, f"line {number} ({count} sent before it)", config.default_user_type)
            await producer.send(topic.name, value, key=key, partition=partition_of(key, partitions))
            count += 1
    finally:
        await producer.stop()  # flushes
    return count


def read_line(line: str, topic: Topic, where: str, default_type: str) -> tuple[bytes, bytes | None]:
    """(key, bytes of the message) of one line; raises `StackError` naming `where`."""
    try:
        record = json.loads(line)
        if not _is_record(record):
            raise StackError(f'{where}: expected {{"key": text, "value": {{...}}}}, was {line.strip()[:160]}')
        key = record["key"]
        text = user_key(key, default_type) if topic.key == "user" else key
        if record["value"] is None:
            return text.encode(), None
        return text.encode(), json_format.ParseDict(record["value"], topic.message()).SerializeToString()
    except (json.JSONDecodeError, json_format.ParseError, BadKey) as error:
        raise StackError(f"{where}: {' '.join(str(error).split())}") from None


def _is_record(record: object) -> bool:
    return (isinstance(record, dict) and set(record) == {"key", "value"} and isinstance(record["key"], str) and record["key"] != ""
            and isinstance(record["value"], dict | None))
