"""`marginstream migrate`: the rows of the last generation, copied into the one that is set, after a topic was recreated.

Fences and commits of recreated topics begin anew; those of topics that stayed go on. Sequences, ids and versions are in the rows and go
along, so that nothing counts twice. An outbox that may not have been delivered goes along, too, and is sent at the first start.
"""

import asyncio
import re
import time
from array import array
from typing import Any, NamedTuple

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from streams.app import plans
from streams.config import Config
from streams.engine.boot import MIB
from streams.engine.ledger import Plan
from streams.engine.rows import CLAIM, STRAY, Codec, Partition
from streams.stack import topics as broker_topics
from streams.stack.generation import Standing, bound, record, stand
from streams.stack.process import StackError
from streams.stack.topics import LEDGERS, changelog, group

EMPTY_S = 5.0  # beyond the session timeout: so long a static member that ended stays in its group


class Move(NamedTuple):
    """From one generation's settings to another's; `recreated` are the topics whose offsets begin anew."""

    old: Config
    new: Config
    recreated: frozenset[str]


def migrate(config: Config) -> str:
    """Copies the rows of the newest recorded generation into `config.generation`; a line that says what was done.

    Raises `StackError` where a group still has members, the generation is not a newer one, or the old rows are gone. Run again after a
    failure: until the new generation is recorded no worker starts on it.
    """
    try:
        return asyncio.run(_migrate(config))
    except KafkaError as error:
        raise StackError(f"kafka at {config.kafka_bootstrap}: expected an answer, was {error!r}") from None


async def _migrate(config: Config) -> str:
    move = _judge(config, await stand(config))
    groups = await _groups(config)
    await asyncio.to_thread(broker_topics.create, config)
    rows = sum([await _copy(move, plan, number) for plan in plans(config) for number in range(config.partitions)])
    for name in groups:
        await _commit(move, name)
    # Once this is written workers start on the new generation, and no longer on the old one.
    now = (await stand(config)).now
    await record(config, {name: now[name] for name in bound(config)})
    anew = ", ".join(sorted(move.recreated)) or "no topic"
    return f"{rows} rows of generation {move.old.generation} copied into {config.generation}; {anew} begins anew"


def _judge(config: Config, standing: Standing) -> Move:
    newest = max(standing.known, default=None)
    if newest is None:
        raise StackError("migrate: expected rows of an earlier generation, was none recorded: start a worker")
    if config.generation <= newest:
        raise StackError(f"migrate: expected a MARGINSTREAM_GENERATION above {newest}, which the rows have, was {config.generation}")
    old, ids = msgspec.structs.replace(config, generation=newest), standing.known[newest]
    for name in (changelog(old, ledger) for ledger in LEDGERS):
        if standing.now.get(name) != ids[name]:
            raise StackError(f"changelog {name}: expected the one the rows were written to, was {standing.now.get(name, 'none')}")
    return Move(old, config, frozenset(name for name in ids if standing.now.get(name) != ids[name]))


# ---- rows


async def _copy(move: Move, plan: Plan, number: int) -> int:
    """Rows of one changelog partition, behind a claim; how many users have one."""
    part = await _read(move.old, plan, number)
    codec = Codec(len(plan.sources), plan.dump, plan.load)
    producer = AIOKafkaProducer(bootstrap_servers=move.new.kafka_bootstrap, acks="all", enable_idempotence=True, max_request_size=2 * MIB)
    target = changelog(move.new, plan.name)
    await producer.start()
    try:
        epoch = (await producer.send_and_wait(target, b"", CLAIM, partition=number)).offset
        sent = []
        for key, data in part.rows.items():
            assert isinstance(data, bytes)
            row = codec.decode(data)
            row.positions = array("q", (0 if name in move.recreated else at for name, at in zip(plan.sources, row.positions, strict=True)))
            if key not in part.unsent:
                row.outbox = []  # delivered
            if row.state is not None:  # a mirror takes the state of the highest (generation, version)
                row.state = msgspec.structs.replace(row.state, generation=move.new.generation)
            sent.append(await producer.send(target, codec.encode(row, epoch)[0], key, partition=number))
        await asyncio.gather(*sent)
    finally:
        await producer.stop()
    return len(part.rows.keys() - {STRAY})


async def _read(config: Config, plan: Plan, number: int) -> Partition:
    """The rows as a recovery would find them."""
    part, tp = Partition(len(plan.sources)), TopicPartition(changelog(config, plan.name), number)
    consumer = AIOKafkaConsumer(bootstrap_servers=config.kafka_bootstrap, auto_offset_reset="earliest", enable_auto_commit=False,
                                fetch_max_wait_ms=100)
    await consumer.start()
    try:
        consumer.assign([tp])
        end = (await consumer.end_offsets([tp]))[tp]
        while await consumer.position(tp) < end:
            if records := (await consumer.getmany(tp, timeout_ms=500)).get(tp):
                part.restore(records)
    finally:
        await consumer.stop()
    return part


# ---- groups


async def _groups(config: Config) -> list[str]:
    """Groups of the app: the engine's and the mirrors'. Raises `StackError` where one has members."""
    admin = AIOKafkaAdminClient(bootstrap_servers=config.kafka_bootstrap, request_timeout_ms=20_000)
    deadline = time.monotonic() + config.session_timeout_s + EMPTY_S
    await admin.start()
    try:
        own = re.compile(rf"{re.escape(config.app_id)}-\w+")
        names = sorted({name for name, *_ in await admin.list_consumer_groups() if own.fullmatch(name)})
        while busy := [name for name in names if await _members(admin, name)]:
            if time.monotonic() > deadline:
                raise StackError(f"migrate: expected stopped workers and mirrors, was running: members in group {', '.join(busy)}")
            await asyncio.sleep(0.5)
    finally:
        await admin.close()
    return names


async def _members(admin: AIOKafkaAdminClient, name: str) -> int:
    [answer] = await admin.describe_consumer_groups([name])
    [(_, _, _, _, _, members, *_)] = answer.groups
    return len(members)


async def _commit(move: Move, name: str) -> None:
    """Offsets of recreated topics begin anew in every group; those of the engine's group that stay hold in the new one."""
    admin = AIOKafkaAdminClient(bootstrap_servers=move.new.kafka_bootstrap, request_timeout_ms=20_000)
    await admin.start()
    try:
        found: dict[TopicPartition, Any] = await admin.list_consumer_group_offsets(name)
    finally:
        await admin.close()
    known = {tp: at.offset for tp, at in found.items() if at.offset >= 0}
    if name == group(move.old):
        await _store(move.new, group(move.new), {tp: offset for tp, offset in known.items() if tp.topic not in move.recreated})
    elif not re.search(r"-g\d+$", name):
        await _store(move.new, name, {tp: 0 for tp in known if tp.topic in move.recreated})


async def _store(config: Config, name: str, offsets: dict[TopicPartition, int]) -> None:
    if not offsets:
        return
    consumer = AIOKafkaConsumer(bootstrap_servers=config.kafka_bootstrap, group_id=name, enable_auto_commit=False)
    await consumer.start()
    try:
        consumer.assign(list(offsets))
        await consumer.commit(offsets)
    finally:
        await consumer.stop()
