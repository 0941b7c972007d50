"""Lag and quiet: how far the engine and its mirrors are behind the topics, and when nothing moves any more."""

import asyncio
import time

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from streams import topics
from streams.config import Config
from streams.stack.oracle_topics import end_offsets

_OUTPUTS = (topics.ACCOUNT_STATES, topics.ORDER_STATES, topics.MARGIN_CALLS, topics.LIQUIDATIONS, topics.TRANSACTIONS)
_QUIET_S = 1.5


def groups(config: Config) -> tuple[str, ...]:
    """The consumer groups of the engine and of the mirrors."""
    return f"{config.app_id}-g{config.generation}", f"{config.app_id}-postgres", f"{config.app_id}-redis"


async def lag(config: Config) -> dict[str, int]:
    """By group, the records behind its committed offsets; a source topic the engine never committed counts whole."""
    ends = await end_offsets(config, [topic.name for topic in topics.ALL])
    admin = AIOKafkaAdminClient(bootstrap_servers=config.kafka_bootstrap)
    await admin.start()
    try:
        found = {}
        for at, group in enumerate(groups(config)):
            committed = {partition: known.offset for partition, known in (await admin.list_consumer_group_offsets(group)).items()}
            sources = [partition for partition in ends if partition.topic in topics.ACCOUNT_SOURCES] if at == 0 else []
            found[group] = sum(max(ends.get(partition, 0) - max(committed.get(partition, 0), 0), 0) for partition in {*sources, *committed})
        return found
    finally:
        await admin.close()


async def quiet(config: Config, seconds_max: float) -> str:
    """Waits until no group lags and no output grows; "" then, else what still moves after `seconds_max`."""
    deadline = time.monotonic() + seconds_max
    before: dict[TopicPartition, int] = {}
    while True:
        behind = {group: count for group, count in (await lag(config)).items() if count}
        ends = await end_offsets(config, _OUTPUTS)
        if not behind and ends == before:
            return ""
        if time.monotonic() > deadline:
            grown = sorted({partition.topic for partition, end in ends.items() if before.get(partition) != end})
            return f"expected quiet within {seconds_max:.0f} s, was lag {behind or 'none'}, growing {', '.join(grown) or 'nothing'}"
        before = ends
        await asyncio.sleep(_QUIET_S)
