"""Whole topics, read from the beginning to their present end without a group."""

from collections.abc import Iterable

from aiokafka import AIOKafkaConsumer, TopicPartition

from streams import topics
from streams.config import Config
from streams.stack.oracle import Seen

_TAKEN_BACK = (topics.RISK_RULES, topics.CONTROL)  # what a null ends there is part of what holds


def partitions(config: Config, names: Iterable[str]) -> list[TopicPartition]:
    """Every partition of the topics; a changelog has as many as the users' topics."""
    counts = {name: topics.BY_NAME[name].partitions if name in topics.BY_NAME else None for name in names}
    return [TopicPartition(name, number) for name, count in counts.items() for number in range(count or config.partitions)]


async def read_topics(config: Config, names: Iterable[str]) -> dict[str, list[Seen]]:
    """By topic, every record up to the end offsets at the call, in the order of offsets within each partition; nulls left out,

    but of rules and control: those are records without bytes.
    """
    wanted = list(names)
    # "earliest", not a seek: a reset to the end that is under way when a seek comes would win over it.
    consumer = AIOKafkaConsumer(bootstrap_servers=config.kafka_bootstrap, enable_auto_commit=False, max_partition_fetch_bytes=4_194_304,
                                fetch_max_wait_ms=20, auto_offset_reset="earliest")
    await consumer.start()
    found: dict[str, list[Seen]] = {name: [] for name in wanted}
    try:
        assigned = partitions(config, wanted)
        consumer.assign(assigned)
        ends: dict[TopicPartition, int] = await consumer.end_offsets(assigned)
        while waiting := [partition for partition in assigned if await consumer.position(partition) < ends[partition]]:
            for partition, records in (await consumer.getmany(*waiting, timeout_ms=500, max_records=20_000)).items():
                found[partition.topic] += [
                    Seen(partition.topic, partition.partition, record.offset, record.timestamp, record.key or b"", record.value or b"")
                    for record in records
                    if (record.value is not None or partition.topic in _TAKEN_BACK) and record.offset < ends[partition]
                ]
    finally:
        await consumer.stop()
    return found


async def end_offsets(config: Config, names: Iterable[str]) -> dict[TopicPartition, int]:
    """The end offset of every partition of the topics."""
    consumer = AIOKafkaConsumer(bootstrap_servers=config.kafka_bootstrap, enable_auto_commit=False)
    await consumer.start()
    try:
        ends: dict[TopicPartition, int] = await consumer.end_offsets(partitions(config, names))
        return ends
    finally:
        await consumer.stop()
