"""The outbox relay: facts of admin operations from Postgres to their topics, in order per user, one relay a shard, at least once."""

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import NamedTuple, cast

import psycopg
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from google.protobuf import json_format

from schemas.keys import partition_of
from streams import topics
from streams.bridges import health, metrics
from streams.bridges.consume import Status, ending, persist
from streams.config import Config

log = logging.getLogger(__name__)
NAME = "relay"
SHARDS = 8  # every relay must cut alike: two that do not might send a user's facts side by side
AWAY = (psycopg.OperationalError, psycopg.InterfaceError, OSError, KafkaError)
_LOCK = 0x72656C61  # "rela": the class of the advisory locks, a shard the object
_BATCH_MAX = 500
_WAIT_S = 0.5
_CLAIM_S = 2.0

_WAITING = (f"SELECT id, user_key, topic, value FROM outbox WHERE published_at IS NULL"
            f" AND (hashtext(user_key) & 2147483647) %% {SHARDS} = ANY (%s) AND user_key <> ALL (%s) ORDER BY id LIMIT {_BATCH_MAX}")
_PUBLISHED = "UPDATE outbox SET published_at = clock_timestamp() WHERE id = ANY (%s)"
_CLAIM = "SELECT shard FROM unnest(%s::INTEGER[]) AS shard WHERE pg_try_advisory_lock(%s, shard)"


class Fact(NamedTuple):
    """A row of the outbox: `value` is the message as JSON."""

    ident: int
    user: str
    topic: str
    value: dict[str, object]


class Relay:
    """Holds what shards it gets; the locks end with its connection, so a dead relay's shards are free at once."""

    def __init__(self, config: Config, status: Status) -> None:
        self._config, self._status = config, status
        self._connection: psycopg.AsyncConnection[tuple[object, ...]] | None = None
        self._producer: AIOKafkaProducer | None = None
        self._shards: set[int] = set()
        self._claimed_s = 0.0
        self._stuck: set[str] = set()  # users of whom a fact cannot be said: nothing may overtake it

    async def turn(self) -> None:
        """Sends what waits, then waits a moment for more; raises one of `AWAY`, after which everything begins anew."""
        try:
            connection = await self._ready()
            while await self._send(connection):
                continue
            async for _ in connection.notifies(timeout=_WAIT_S, stop_after=1):
                break
            self._status.away_since_ms = 0
        except AWAY:
            self._status.away_since_ms = self._status.away_since_ms or int(time.time() * 1000)
            metrics.AWAY.labels(NAME).inc()
            await self.close()
            raise

    async def close(self) -> None:
        """Lets connection, locks and producer go; what was not acknowledged is sent again."""
        connection, producer = self._connection, self._producer
        self._connection, self._producer, self._status.partitions = None, None, 0
        self._shards.clear()
        if producer is not None:
            await producer.stop()
        if connection is not None:
            await connection.close()

    async def _ready(self) -> psycopg.AsyncConnection[tuple[object, ...]]:
        if self._connection is None:
            self._connection = await psycopg.AsyncConnection.connect(
                self._config.postgres_dsn, autocommit=True, connect_timeout=5,
                # A relay whose line is cut must lose its locks soon, not when the kernel gives up.
                options="-c statement_timeout=30s -c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3")
            await self._connection.execute("LISTEN outbox")
            self._claimed_s = 0.0
        if self._producer is None:
            producer = AIOKafkaProducer(bootstrap_servers=self._config.kafka_bootstrap, acks="all", enable_idempotence=True)
            try:
                await producer.start()
            except BaseException:
                await producer.stop()
                raise
            self._producer = producer
        await self._claim(self._connection)
        return self._connection

    async def _claim(self, connection: psycopg.AsyncConnection[tuple[object, ...]]) -> None:
        """Tries for shards that others held, now and then."""
        if time.monotonic() - self._claimed_s < _CLAIM_S:
            return
        self._claimed_s = time.monotonic()
        free = [shard for shard in range(SHARDS) if shard not in self._shards]
        cursor = await connection.execute(_CLAIM.encode(), [free, _LOCK])
        self._shards |= {cast(int, row[0]) for row in await cursor.fetchall()}
        self._status.partitions = len(self._shards)

    async def _send(self, connection: psycopg.AsyncConnection[tuple[object, ...]]) -> int:
        cursor = await connection.execute(_WAITING.encode(), [sorted(self._shards), sorted(self._stuck)])
        found = [Fact(*row) for row in await cursor.fetchall()]  # type: ignore[arg-type]
        facts = [(fact, said) for fact in found if (said := self._said(fact)) is not None]
        if facts:
            assert self._producer is not None
            await _publish(self._producer, facts, self._config.partitions)
            await connection.execute(_PUBLISHED.encode(), [[fact.ident for fact, _ in facts]])
            metrics.WRITTEN.labels(NAME).inc(len(facts))
            metrics.CAUGHT_UP.labels(NAME).set_to_current_time()
            self._status.records += len(facts)
            self._status.last_commit_ms = int(time.time() * 1000)
        return len(facts)

    def _said(self, fact: Fact) -> bytes | None:
        if fact.user in self._stuck:
            return None
        try:
            return message(fact)
        except (json_format.ParseError, KeyError, ValueError) as error:
            log.error("outbox %d: %s of %s cannot be said, the user's facts wait: %s", fact.ident, fact.topic, fact.user, error)
            metrics.UNREADABLE.labels(NAME, fact.topic).inc()
            self._stuck.add(fact.user)
            return None


async def _publish(producer: AIOKafkaProducer, facts: Sequence[tuple[Fact, bytes]], partitions: int) -> None:
    """All acknowledged, or an error: the whole batch then comes again, and the engine skips what it has by number."""
    sent = []
    for fact, said in facts:
        key = fact.user.encode()
        sent.append(await producer.send(fact.topic, said, key=key, partition=partition_of(key, partitions)))
    await asyncio.gather(*sent)


def message(fact: Fact) -> bytes:
    """The fact as its topic has it; raises `ParseError` or `KeyError` where the outbox holds something else."""
    found: bytes = json_format.ParseDict(fact.value, topics.BY_NAME[fact.topic].message()).SerializeToString()
    return found


async def serve(config: Config, status: Status, stop: asyncio.Event) -> None:
    """Relays until `stop`."""
    relay = Relay(config, status)
    try:
        async with ending(stop):
            while not stop.is_set():
                await persist(relay.turn, AWAY, stop)
    finally:
        await relay.close()


def main(config: Config) -> None:
    """The relay as a process: until SIGTERM."""
    status = Status(NAME)
    health.run(config, status, lambda stop: serve(config, status, stop))
