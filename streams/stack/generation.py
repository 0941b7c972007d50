"""Which rows belong to which topics: every generation with the ids its topics had when its rows began, kept on the broker.

Fences are offsets, and offsets mean something in one incarnation of a topic only: a recreated topic needs a new generation.
"""

import asyncio
import json
from collections.abc import Mapping
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from streams import topics
from streams.config import Config
from streams.stack.process import StackError
from streams.stack.topic_ids import Ids, topic_ids
from streams.stack.topics import LEDGERS, changelog, generations, verify


def bound(config: Config) -> tuple[str, ...]:
    """The topics whose offsets the rows of this generation rest on."""
    return (*topics.ACCOUNT_SOURCES, *(changelog(config, ledger) for ledger in LEDGERS))


class Standing(NamedTuple):
    """`known` by generation as recorded; `now` as the broker says, topics that are not there left out."""

    known: dict[int, Ids]
    now: Ids

    def recreated(self, generation: int) -> list[str]:
        """Topics that are there, but are not the ones this generation's rows began with."""
        return [name for name, found in self.known.get(generation, {}).items() if self.now.get(name, found) != found]


def refusal(config: Config, standing: Standing) -> str:
    """Why rows of the set generation must not be folded on with the topics as they are; empty where nothing is in the way."""
    newest, wanted = max(standing.known, default=None), config.generation
    if newest is None:
        return ""
    if wanted < newest:
        return f"generation: expected {newest}, with which the rows were last written, was {wanted}; set MARGINSTREAM_GENERATION={newest}"
    if wanted > newest:
        return f"generation: expected {newest}, with which the rows were written, was {wanted}; 'marginstream migrate' copies them"
    names = standing.recreated(newest)
    if lost := [name for name in names if name not in topics.BY_NAME]:
        return f"changelog {', '.join(lost)}: expected the one the rows of generation {newest} are in, was recreated: they are gone"
    if names:
        return (f"topic {', '.join(names)}: expected the one the rows of generation {newest} began with, was recreated; "
                f"set MARGINSTREAM_GENERATION={newest + 1}, then 'marginstream migrate'")
    return ""


async def stand(config: Config) -> Standing:
    """Reads what was recorded and what is there; raises `StackError` where the broker does not answer."""
    try:
        there = await topic_ids(config.kafka_bootstrap, [generations(config)])
        known = await _recorded(config) if there else {}
        names = {name for ids in known.values() for name in ids} | set(bound(config))
        return Standing(known, await topic_ids(config.kafka_bootstrap, sorted(names)))
    except KafkaError as error:
        raise StackError(f"kafka at {config.kafka_bootstrap}: expected an answer, was {error!r}") from None


async def admit(config: Config) -> None:
    """Lets a worker start: raises `StackError` on topics that are not as its rows need them, records the first generation's ids."""
    standing = await stand(config)
    if said := refusal(config, standing):
        raise StackError(said)
    if differences := await asyncio.to_thread(verify, config):
        raise StackError("; ".join(differences) + "; 'marginstream up --bare' creates missing ones")
    if not standing.known:
        await record(config, {name: standing.now[name] for name in bound(config)})


async def record(config: Config, ids: Mapping[str, str]) -> None:
    """Notes that rows of the set generation rest on these topics."""
    producer = AIOKafkaProducer(bootstrap_servers=config.kafka_bootstrap, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        await producer.send_and_wait(generations(config), json.dumps(dict(ids)).encode(), str(config.generation).encode(), partition=0)
    finally:
        await producer.stop()


async def _recorded(config: Config) -> dict[int, Ids]:
    consumer = AIOKafkaConsumer(bootstrap_servers=config.kafka_bootstrap, auto_offset_reset="earliest", enable_auto_commit=False,
                                fetch_max_wait_ms=100)
    tp = TopicPartition(generations(config), 0)
    found: dict[int, Ids] = {}
    await consumer.start()
    try:
        consumer.assign([tp])
        end = (await consumer.end_offsets([tp]))[tp]
        while await consumer.position(tp) < end:
            for entry in (await consumer.getmany(tp, timeout_ms=500)).get(tp, ()):
                found[int(entry.key)] = json.loads(entry.value)
    finally:
        await consumer.stop()
    return found
