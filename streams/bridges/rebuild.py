"""A mirror made anew from its topics: read from their beginnings to where they end now, beside whatever runs; guards keep what is newer."""

import logging
from collections.abc import Awaitable, Callable, Sequence, Set

from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.engine_pb2 import UserState
from schemas.keys import partition_of
from streams import topics
from streams.bridges.consume import Batch
from streams.bridges.letters import LeftOut, Record
from streams.bridges.migrate import migrate
from streams.bridges.postgres import TOPICS, Postgres
from streams.bridges.redis import Bridge
from streams.cache import keys, scripts
from streams.cache.store import Command, Store
from streams.config import Config

log = logging.getLogger(__name__)
_AT_ONCE = 2_000
Newest = dict[str, Record]  # by user
Handle = Callable[[Batch], Awaitable[Sequence[LeftOut]]]


async def read_through(config: Config, names: Sequence[str], handle: Handle, partition: int | None = None) -> int:
    """Hands every record of the topics (of one partition) to `handle`; how many. What it leaves out is logged."""
    consumer = AIOKafkaConsumer(bootstrap_servers=config.kafka_bootstrap, group_id=None, enable_auto_commit=False,
                                auto_offset_reset="earliest", max_partition_fetch_bytes=4_194_304)
    try:
        await consumer.start()
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


async def newest_states(config: Config, users: Set[str], partition: int) -> Newest:
    """The last records of users of a partition in `account-states`."""
    names, found = {user.encode(): user for user in users}, Newest()

    async def look(batch: Batch) -> Sequence[LeftOut]:
        found.update({names[record.key]: record for record in batch if record.key in names})
        return ()

    await read_through(config, (topics.ACCOUNT_STATES,), look, partition)
    return found


async def newest_state(config: Config, user: str) -> Record | None:
    """The last record of a user in `account-states`."""
    return (await newest_states(config, {user}, partition_of(user.encode(), config.partitions))).get(user)


async def repair_redis(config: Config, store: Store, newest: Newest) -> None:
    """Forgets what Redis has of these users and writes it again as told, unless something newer is there. Raises one of `AWAY`."""
    bridge = Bridge(store, config, quiet=True)
    records = list(newest.items())
    for at in range(0, len(records), _AT_ONCE):
        some = dict(records[at : at + _AT_ONCE])
        await store.run([command for user, record in some.items() for command in _forget(user, UserState.FromString(record.value or b""))])
        await bridge.write(list(some.values()))
    await bridge.shared.flush()


def _forget(user: str, state: UserState) -> list[Command]:
    version, balance = f"{state.generation} {state.version}", keys.balance(user)
    forget = ("EVALSHA", scripts.FORGET.sha)
    return [(*forget, 3, keys.versions(user), keys.config(user), keys.portfolio(user), topics.ACCOUNT_STATES, version, topics.PORTFOLIOS),
            (*forget, 2, keys.companion(balance), balance, topics.ACCOUNT_STATES, version),
            *((*forget, 1, keys.companion(name), user, version) for name in (keys.USER_WALLETS, keys.USER_METADATA))]


async def repair_postgres(config: Config, newest: Newest) -> None:
    """Writes the states of these users again as told, unless something newer is there; the ledger stays. Raises what psycopg raises."""
    store = Postgres(config.postgres_dsn, config.default_user_type)
    try:
        told = [UserState.FromString(record.value or b"") for record in newest.values()]
        connection = await store.connected()
        await connection.execute("SELECT forget_states(%s, %s, %s)", [[state.user_id for state in told],
                                 [state.generation for state in told], [state.version for state in told]])
        await store.write(list(newest.values()))
    finally:
        await store.close()


async def refresh(config: Config, store: Store, user: str) -> str | None:
    """Forgets what Redis has of a user and writes it again from the topic; the version written, None for an unknown user."""
    record = await newest_state(config, user)
    if record is None:
        return None
    await repair_redis(config, store, {user: record})
    state = UserState.FromString(record.value or b"")
    return f"{state.generation} {state.version}"
