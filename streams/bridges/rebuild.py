"""A mirror made anew from its topics: read from their beginnings to where they end now, beside whatever runs; guards keep what is newer."""

import logging
from collections.abc import Awaitable, Callable, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.engine_pb2 import UserState
from schemas.keys import partition_of
from streams import topics
from streams.bridges.consume import Batch
from streams.bridges.letters import LeftOut, Record
from streams.bridges.migrate import migrate
from streams.bridges.postgres import TOPICS, Postgres
from streams.bridges.redis import Bridge
from streams.cache import keys
from streams.cache.store import Command, Store
from streams.config import Config

log = logging.getLogger(__name__)
_AT_ONCE = 2_000
Handle = Callable[[Batch], Awaitable[Sequence[LeftOut]]]


async def read_through(config: Config, names: Sequence[str], handle: Handle, partition: int | None = None) -> int:
    """Hands every record of the topics (of one partition) to `handle`; how many. What it leaves out is logged."""
    consumer = AIOKafkaConsumer(bootstrap_servers=config.kafka_bootstrap, group_id=None, enable_auto_commit=False,
                                auto_offset_reset="earliest", max_partition_fetch_bytes=4_194_304)
    await consumer.start()
    try:
        numbers = range(config.partitions) if partition is None else (partition,)
        parts = [TopicPartition(name, number) for name in names for number in numbers]
        consumer.assign(parts)
        await consumer.seek_to_beginning(*parts)
        ends = await consumer.end_offsets(parts)
        count = 0
        while any([await consumer.position(part) < end for part, end in ends.items()]):
            taken = await consumer.getmany(timeout_ms=500, max_records=_AT_ONCE)
            batch: list[Record] = [record for records in taken.values() for record in records]
            for left in await handle(batch) if batch else ():
                log.error("left out %s[%d]@%d: %s", left.record.topic, left.record.partition, left.record.offset, left.error)
            count += len(batch)
        return count
    finally:
        await consumer.stop()


async def rebuild_redis(config: Config) -> int:
    """Every key that follows a state; nobody is told, no margin check is asked for."""
    store = Store(config.redis_url)
    try:
        bridge = Bridge(store, config, quiet=True)
        count = await read_through(config, (topics.ACCOUNT_STATES,), bridge.write)
        await bridge.shared.flush()
        return count
    finally:
        await store.close()


async def rebuild_postgres(config: Config) -> int:
    """Everything that topics still hold; what only Postgres knows (admin operations) is in its backups."""
    migrate(config.postgres_dsn)
    store = Postgres(config.postgres_dsn, config.default_user_type)
    try:
        return await read_through(config, TOPICS, store.write)
    finally:
        await store.close()


async def newest_state(config: Config, user: str) -> Record | None:
    """The last record of a user in `account-states`."""
    found: list[Record] = []

    async def look(batch: Batch) -> Sequence[LeftOut]:
        found[:] = ([*found, *(record for record in batch if record.key == user.encode())])[-1:]
        return ()

    await read_through(config, (topics.ACCOUNT_STATES,), look, partition_of(user.encode(), config.partitions))
    return found[0] if found else None


async def refresh(config: Config, store: Store, user: str) -> str | None:
    """Forgets what Redis has of a user and writes it again from the topic; the version written, None for an unknown user."""
    record = await newest_state(config, user)
    if record is None:
        return None
    shared: list[Command] = [("HDEL", keys.companion(name), user) for name in (keys.USER_WALLETS, keys.USER_METADATA)]
    await store.run([("DEL", keys.config(user)), ("DEL", keys.portfolio(user)), ("HDEL", keys.versions(user), topics.ACCOUNT_STATES,
                                                                                topics.PORTFOLIOS),
                     ("DEL", keys.companion(keys.balance(user))), *shared])
    bridge = Bridge(store, config, quiet=True)
    await bridge.write([record])
    await bridge.shared.flush()
    state = UserState.FromString(record.value or b"")
    return f"{state.generation} {state.version}"
