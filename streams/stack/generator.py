"""The generator: a seeded market and its house users, written to the fact topics at a steady rate until it is told to stop.

Exchange accounts are the simulated venues': it lets them trade and tells their marks; their facts come through the ingestion.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaProducer

from schemas.engine_pb2 import RiskRule
from streams import topics
from streams.config import Config
from streams.ops import process
from streams.prices import now_ms
from streams.rules.apply import begin
from streams.stack import generator_venues
from streams.stack.generator_facts import FIRST_USER, Facts, HouseFacts
from streams.stack.generator_house import Record
from streams.stack.generator_venues import SimulatedVenues
from streams.stack.market import HOUSE_INSTRUMENTS, rules
from streams.stack.oracle_topics import read_topics

log = logging.getLogger(__name__)
_STEP_S = 0.05
_SOURCE = "gen-"
_CHUNK = 2_000
_FUNDED_S = 1.5  # topics are not ordered among each other: a fill that is folded before its deposit would be judged without money
_AWAY_MS = 20  # what happens at a venue is heard a little later: its times are never ahead of the broker's


def main(config: Config) -> None:
    """Publish until SIGTERM or SIGINT; a record that cannot be delivered ends it with the broker's error."""
    process.run(config, "generator", lambda stop: generate(config, stop))


async def generate(config: Config, stop: asyncio.Event) -> None:
    """Rules, prices, opening facts, then events and ticks at the configured rates, until `stop`.

    Every run brings users and a source of its own, after those of earlier runs on the same topics: sequences begin at 1
    and nothing must be remembered between runs.
    """
    start_ms = now_ms()
    first = await first_free_user(config)
    facts = HouseFacts(config.seed, config.generator_users, first=first, source=f"{_SOURCE}{start_ms}", start_ms=start_ms)
    producer = AIOKafkaProducer(bootstrap_servers=config.kafka_bootstrap, acks="all", enable_idempotence=True, linger_ms=2,
                                max_batch_size=131_072)
    await producer.start()
    try:
        await asyncio.to_thread(begin, config, all_rules(), "generator")
        await send(producer, _ticks(facts, len(HOUSE_INSTRUMENTS)))
        opening = facts.opening(now_ms() - _AWAY_MS)
        await send(producer, [record for record in opening if record[0] != topics.ORDER_UPDATES])
        await process.pause(stop, _FUNDED_S)
        await send(producer, [record for record in opening if record[0] == topics.ORDER_UPDATES])
        log.info("users live:%d to live:%d, seed %d", first, first + config.generator_users - 1, config.seed)
        async with _venues(config) as venues:
            await _flow(producer, (facts, venues), config, stop)
    finally:
        await producer.stop()


def all_rules() -> list[RiskRule]:
    """Of the market, and of what the simulated venues list; where both have one, the venue's own."""
    return list({rule.rule_id: rule for rule in (*rules(), *generator_venues.rules())}.values())


@asynccontextmanager
async def _venues(config: Config) -> AsyncIterator[SimulatedVenues | None]:
    """The simulated venues, trading until the end; None where there are none."""
    if not config.simulator_url:
        yield None
        return
    venues = SimulatedVenues(config.simulator_url)
    try:
        await venues.pace(config.simulator_events_per_s)
        yield venues
    finally:
        await venues.close()


async def _flow(producer: AIOKafkaProducer, sources: tuple[Facts, SimulatedVenues | None], config: Config, stop: asyncio.Event) -> None:
    facts, venues = sources
    began = time.monotonic()
    events = ticks = 0
    while not stop.is_set():
        spent = time.monotonic() - began
        due = int(spent * config.generator_ticks_per_s) - ticks
        records = _ticks(facts, min(due, _CHUNK))
        ticks += due
        while events < spent * config.generator_events_per_s and len(records) < _CHUNK:
            found = facts.next_batch(now_ms() - _AWAY_MS)
            events += len(found)
            records += found
        if venues:
            records += await venues.ticks(spent, now_ms())
        await send(producer, records)
        await process.pause(stop, _STEP_S)


async def send(producer: AIOKafkaProducer, records: Iterable[Record]) -> None:
    """Publish by key and wait until all are acknowledged; raises the first delivery error."""
    waiting = [await producer.send(topic, message.SerializeToString(), key=key.encode()) for topic, key, message in records]
    await asyncio.gather(*waiting)


async def first_free_user(config: Config) -> int:
    """The first user number no earlier run used: one past the highest among the account updates of generators."""
    read = await read_topics(config, [topics.ACCOUNT_UPDATES])
    return max([FIRST_USER - 1, *(_number(record.key, record.value) for record in read[topics.ACCOUNT_UPDATES])]) + 1


def _number(key: bytes, value: bytes) -> int:
    """The user's number where a generator wrote the record, else 0."""
    kind, _, text = key.decode(errors="replace").partition(":")
    ours = kind == "live" and text.isascii() and text.isdigit() and len(text) < 10 and _SOURCE.encode() in value
    return int(text) if ours else 0


def _ticks(facts: Facts, count: int) -> list[Record]:
    ticks = [facts.market.tick(now_ms()) for _ in range(count)]
    return [(topics.PRICE_TICKS, tick.instrument, tick) for tick in ticks]
