"""The executor process: steps of liquidations in, orders at venues, reports out; offsets are committed behind what was reported."""

import asyncio
import logging
import time
from collections.abc import Collection
from contextlib import suppress
from decimal import Decimal
from functools import partial
from typing import Protocol

import psycopg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from google.protobuf.message import DecodeError

from schemas import names
from schemas.engine_pb2 import Liquidation, LiquidationReport
from schemas.keys import partition_of
from schemas.user_data_pb2 import UserDataMarginCallEvent
from streams.config import Config
from streams.ops import process
from streams.ops.pages import open_pages
from streams.venues.clock import Clock
from streams.venues.database import Database
from streams.venues.execute import metrics, store
from streams.venues.execute.control import Controls
from streams.venues.execute.intake import Lane, Lanes, Offsets, Work, started
from streams.venues.execute.runner import Runner, persist
from streams.venues.execute.words import Limits, Step, read_step
from streams.venues.places import read_hosts
from streams.venues.reader import Venues
from streams.venues.vault import Vault, vault_file

log = logging.getLogger(__name__)
_UNDER_WAY_MAX, _COMMIT_S, _AGAIN_S, _END_S = 1_000, 0.5, 1.0, 5.0
_FORGET_S, _FORGOTTEN_MAX = 3_600.0, 1_000


class Record(Protocol):
    """As aiokafka gives it."""

    offset: int
    timestamp: int
    value: bytes | None


def limits_of(config: Config) -> Limits:
    """A step is sent in the first half of the time that the engine waits for it."""
    return Limits(config.execute_dry_run, Decimal(config.execute_step_notional_max), Decimal(config.execute_hour_notional_max),
                  config.report_ms_max // 2, config.report_ms_max)


class Executor(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Reads `liquidations` and the venues' margin calls; every other process of its kind shares the partitions."""

    def __init__(self, config: Config) -> None:
        self.config, self.worker, self.limits = config, config.worker_name, limits_of(config)
        self.vault, self.clock = Vault(vault_file(config)), Clock()
        self.database = Database(config.postgres_dsn)
        self.venues = Venues(read_hosts(config.venue_hosts))
        self.controls = Controls(config.kafka_bootstrap)
        self.offsets, self.lanes = Offsets(), Lanes(self._fail)
        self._consumer: AIOKafkaConsumer | None = None
        self._producer: AIOKafkaProducer | None = None
        self._failure: BaseException | None = None
        self._committed_s = 0.0

    @property
    def ready(self) -> bool:
        """Partitions are owned, and what is paused is known."""
        return self.controls.read and self._consumer is not None and bool(self._consumer.assignment())

    def health(self) -> dict[str, object]:
        """For the page."""
        return {"status": "ok" if self.ready else "degraded", "worker": self.worker, "underWay": self.offsets.count,
                "dryRun": self.limits.dry_run, "paused": sorted(self.controls.state.pauses)}

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`; raises what no work may raise."""
        following = asyncio.create_task(self.controls.follow())
        beside = (following, asyncio.create_task(stop.wait()), asyncio.create_task(self._forget()))
        page = None
        try:
            page = await open_pages(self.config, f"execute-{self.worker}", self)
            working = asyncio.create_task(self._consume(stop, following))
            await asyncio.wait((working, beside[1]), return_when=asyncio.FIRST_COMPLETED)
            if self._consumer is None:  # stopped while there was no broker
                working.cancel()
            await asyncio.wait((working,))
            if not working.cancelled():
                working.result()
        finally:
            if page is not None:
                await page.stop()
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
            if self._producer is not None:
                await self._producer.stop()
            await self.venues.close()
            await self.database.close()

    async def _forget(self) -> None:
        """Every hour: steps that ended long ago, a few at a time, so that no claim waits for long."""
        days = self.config.execute_keep_days
        while days:
            try:
                while await self.database.run(lambda connection: store.forget(connection, days, _FORGOTTEN_MAX)) == _FORGOTTEN_MAX:
                    await asyncio.sleep(_AGAIN_S)
            except (psycopg.Error, OSError) as error:
                log.warning("postgres: executions not looked through: %s", type(error).__name__)
            await asyncio.sleep(_FORGET_S)

    async def _consume(self, stop: asyncio.Event, following: asyncio.Task[None]) -> None:
        """What is paused is read before the first step."""
        self._producer = await started(lambda: AIOKafkaProducer(
            bootstrap_servers=self.config.kafka_bootstrap, acks="all", enable_idempotence=True))
        while not (self.controls.read or stop.is_set() or following.done()):
            await asyncio.sleep(0.05)
        consumer = await started(self._subscribed)
        self._consumer = consumer
        try:
            while not stop.is_set() and self._failure is None and not following.done():
                await self._turn(consumer)
        finally:
            with suppress(TimeoutError):
                async with asyncio.timeout(_END_S):
                    while self.offsets.count and self._failure is None:
                        await asyncio.sleep(0.02)
            await self.lanes.drop()
            await self._commit(consumer)
            await consumer.stop()
        if following.done() and not stop.is_set():
            following.result()
        if self._failure is not None:
            raise self._failure

    def _subscribed(self) -> AIOKafkaConsumer:
        seconds = self.config.session_timeout_s
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.config.kafka_bootstrap, group_id=f"{self.config.app_id}-execute", enable_auto_commit=False,
            auto_offset_reset="earliest", fetch_max_wait_ms=self.config.fetch_wait_ms, session_timeout_ms=int(seconds * 1_000),
            heartbeat_interval_ms=int(seconds * 1_000 / 3), metadata_max_age_ms=5_000, max_poll_interval_ms=86_400_000,
            rebalance_timeout_ms=10_000)
        consumer.subscribe([names.LIQUIDATIONS, names.VENUE_MARGIN_CALLS], listener=self)
        return consumer

    async def _turn(self, consumer: AIOKafkaConsumer) -> None:
        room = _UNDER_WAY_MAX - self.offsets.count
        if room > 0:
            for place, records in (await consumer.getmany(timeout_ms=100, max_records=room)).items():
                for record in records:
                    self._take(place, record)
        else:
            await asyncio.sleep(0.05)
        metrics.READY.set(self.ready)
        metrics.UNDER_WAY.set(self.offsets.count)
        metrics.OLDEST.set(self.offsets.oldest_s)
        if time.monotonic() - self._committed_s >= _COMMIT_S:
            await self._commit(consumer)

    async def _commit(self, consumer: AIOKafkaConsumer) -> None:
        self._committed_s = time.monotonic()
        owned = consumer.assignment()
        due = {place: offset for place, offset in self.offsets.committable().items() if place in owned}
        if due:
            with suppress(CommitFailedError, IllegalStateError, KafkaError):  # the records come again, and are found done
                await consumer.commit(due)

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Their work ends wherever it is; who takes them on finds what was sent."""
        await self.lanes.drop(revoked)
        if self._consumer is not None:
            await self._commit(self._consumer)
        self.offsets.forget(revoked)

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        log.info("partitions: %s", ", ".join(sorted(f"{place.topic}/{place.partition}" for place in assigned)))

    # -- records ----------------------------------------------------------------------------------------------------------------------

    def _take(self, place: TopicPartition, record: Record) -> None:
        self.offsets.take(place, record.offset)
        try:
            found = self._work(place, record)
        except (DecodeError, ValueError) as error:
            log.error("%s/%d offset %d: %s", place.topic, place.partition, record.offset, error)
            found = None
        if found is None:
            self.offsets.done(place, record.offset)
            return
        lane, work = found

        async def done() -> None:
            await work()
            self.offsets.done(place, record.offset)

        self.lanes.put(lane, done)

    def _work(self, place: TopicPartition, record: Record) -> tuple[Lane, Work] | None:
        """What a record asks for; None where it is nothing of ours. Raises `DecodeError` or `ValueError`."""
        if place.topic == names.VENUE_MARGIN_CALLS:
            call = UserDataMarginCallEvent.FromString(record.value or b"")
            name = call.meta.user_id, call.meta.account_id
            if "\0" in "".join(name):
                raise ValueError(f"account: expected a name without 0 bytes (no row could hold it), was {name}")
            return Lane(place, *name), partial(self._called, call, record.timestamp)
        step = read_step(Liquidation.FromString(record.value or b""))
        return None if step is None else (Lane(place, *step.name), Runner(self, step).run)

    async def _called(self, call: UserDataMarginCallEvent, appended_ms: int) -> None:
        """The venue's own margin call: of an account that we reduce, the venue may do so now."""
        name = (call.meta.user_id, call.meta.account_id)
        opted = await persist(self.database, lambda connection: store.look(connection, name))
        if opted is None or not opted.execute:
            return
        fact = self.controls.pause(call, self.clock.now_ms() - appended_ms, self.clock.now_ms())
        if fact is not None:
            await self._say(names.CONTROL, fact.scope.encode(), fact.SerializeToString(), 0)
            self.controls.said(fact)
            metrics.PAUSES.inc()
            log.critical("%s paused: %s", fact.scope, fact.reason)

    # -- what its runners need --------------------------------------------------------------------------------------------------------

    def paused(self, step: Step, venue: str) -> str | None:
        """The scope that pauses the step, if one does."""
        return self.controls.state.paused(*step.name, venue, [f"{venue}:{step.symbol}"] if step.symbol else [])

    async def report(self, report: LiquidationReport) -> None:
        """Acknowledged when it returns."""
        key = report.user_id.encode()
        await self._say(names.LIQUIDATION_REPORTS, key, report.SerializeToString(), partition_of(key, self.config.partitions))

    async def _say(self, topic: str, key: bytes, value: bytes, partition: int) -> None:
        while True:
            assert self._producer is not None
            try:
                await self._producer.send_and_wait(topic, value, key=key, partition=partition)
            except KafkaError as error:
                log.error("kafka: expected an acknowledgement, was %s", type(error).__name__)
                await asyncio.sleep(_AGAIN_S)
            else:
                return

    def _fail(self, error: BaseException) -> None:
        self._failure = self._failure or error


def main(config: Config) -> None:
    """Runs until SIGTERM or SIGINT."""
    process.run(config, "execute", lambda stop: Executor(config).run(stop))
