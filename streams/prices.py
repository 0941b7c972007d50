"""The price service: a group-less consumer of ticks, rules and control that never stops in a rebalance."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from google.protobuf.message import DecodeError
from mode import Service

from agents.risk.ticks import MarkBook, Refused
from agents.risk.world import BadRule, Control, Mark, Rules, World, control_with, control_without, rules_with, rules_without
from schemas import engine_pb2 as pb
from streams.config import Config
from streams.topics import CONTROL, PRICE_TICKS, RISK_RULES

log = logging.getLogger(__name__)
HISTORY_MS = 600_000  # how far back ticks are read at boot; older marks are stale anyway
Moved = Callable[[set[str]], None]


def now_ms() -> int:
    """The worker's clock."""
    return time.time_ns() // 1_000_000


class Prices(Service):
    """Marks, rules and control as of now; says which instruments moved and when rules or control changed."""

    def __init__(self, config: Config, **kwargs: Any) -> None:
        self.config = config
        self.book = MarkBook()
        self.rules, self.control = Rules(), Control()
        self.on_moved: Moved = lambda instruments: None
        self.on_rules: Moved = lambda rule_ids: None
        self.on_control: Callable[[pb.Control], None] = lambda message: None
        self.ticks = 0
        self.refused: Counter[str] = Counter()
        self.skipped: Counter[str] = Counter()  # unchanged, or told anew in the same batch
        self.caught_up = asyncio.Event()
        super().__init__(**kwargs)

    def now_ms(self) -> int:
        """The clock of checks and timers: a replay has another one."""
        return now_ms()

    def world(self, fences: dict[str, int]) -> World:
        """The arguments of a check, at the newest marks."""
        return World(self.now_ms(), self.book.marks, self.rules, self.control, fences, self.config.mark_stale_ms, self.config.cooldown_ms)

    @Service.task
    async def _follow(self) -> None:
        consumer = AIOKafkaConsumer(bootstrap_servers=self.config.kafka_bootstrap, group_id=None, enable_auto_commit=False,
                                    fetch_max_wait_ms=self.config.fetch_wait_ms, auto_offset_reset="earliest",
                                    max_partition_fetch_bytes=4_194_304)
        await consumer.start()
        try:
            ends = await self._assign(consumer)
            while not self.should_stop:
                batches = await consumer.getmany(timeout_ms=200, max_records=5_000)
                self._take(batches)
                if not self.caught_up.is_set() and all([await consumer.position(tp) >= end for tp, end in ends.items()]):
                    self.caught_up.set()
        except Exception as error:
            await self.crash(error)
            raise
        finally:
            await consumer.stop()

    async def _assign(self, consumer: AIOKafkaConsumer) -> dict[TopicPartition, int]:
        ticks = [TopicPartition(PRICE_TICKS, n) for n in range(self.config.partitions)]
        firsts = [TopicPartition(RISK_RULES, 0), TopicPartition(CONTROL, 0)]
        consumer.assign(ticks + firsts)
        await consumer.seek_to_beginning(*firsts)
        since = await consumer.offsets_for_times(dict.fromkeys(ticks, now_ms() - HISTORY_MS))
        ends: dict[TopicPartition, int] = await consumer.end_offsets(ticks + firsts)
        for tp in ticks:
            found = since.get(tp)
            consumer.seek(tp, found.offset if found else ends[tp])
        return ends

    def _take(self, batches: dict[TopicPartition, list[Any]]) -> None:
        moved: set[str] = set()
        for tp, records in sorted(batches.items(), key=lambda item: item[0].topic == PRICE_TICKS):  # rules before prices
            if tp.topic == PRICE_TICKS:
                moved |= self._take_ticks(records)
            else:
                self._take_settings(tp.topic, records)
        if moved:
            self.on_moved(moved)

    def _take_ticks(self, records: Sequence[Any]) -> set[str]:
        """Takes the newest tick of each instrument that tells something: one that is broken or silent about the mark hides no older one."""
        moved: set[str] = set()
        told: set[object] = set()  # keys and instruments
        for record in reversed(records):
            if record.key and record.key in told:
                self.skipped["superseded"] += 1
                continue
            self.ticks += 1
            try:
                tick = pb.PriceTick.FromString(record.value or b"")
            except DecodeError:
                self.refused["unreadable"] += 1
                continue
            if tick.instrument in told:
                continue
            before = self.book.marks.get(tick.instrument)
            result = self.book.accept(tick, record.offset, record.timestamp, self.rules)
            if isinstance(result, Refused):
                self.refused[result.reason] += 1
                log.debug("tick refused: %s offset=%d", result.reason, record.offset)
            elif result.mark is not before:
                told |= {record.key, tick.instrument}
                if _differs(before, result.mark):
                    moved.add(tick.instrument)
                else:
                    self.skipped["unchanged"] += 1
            else:
                self.skipped["silent"] += 1  # of the mark that venues judge by
        return moved

    def _take_settings(self, topic: str, records: Iterable[Any]) -> None:
        ruled: set[str] = set()  # told once: whoever lays rules out has one layout a batch
        for record in records:
            try:
                if record.value is None:
                    ruled |= self._take_back(topic, (record.key or b"").decode(), record.offset)
                elif topic == RISK_RULES:
                    rule = pb.RiskRule.FromString(record.value)
                    self.rules = rules_with(self.rules, rule, record.offset)
                    ruled.add(rule.rule_id)
                else:
                    message = pb.Control.FromString(record.value)
                    self.control = control_with(self.control, message, record.offset)
                    self.on_control(message)
            except (DecodeError, BadRule, ValueError) as error:
                self.refused["rule" if topic == RISK_RULES else "control"] += 1
                log.error("refused %s offset=%d: %s", topic, record.offset, error)
        if ruled:
            self.on_rules(ruled)

    def _take_back(self, topic: str, key: str, offset: int) -> set[str]:
        """A tombstone: what a compacted log no longer holds must not hold here either; the rule that it took back."""
        if topic == RISK_RULES:
            self.rules = rules_without(self.rules, key, offset)
            return {key.rpartition("@")[0]}
        self.control = control_without(self.control, key, offset)
        self.on_control(pb.Control(scope=key))
        return set()


def _differs(before: Mark | None, after: Mark) -> bool:
    """Whether a tick changed what a verdict could rest on; an unchanged one only renews the age."""
    if before is None:
        return True
    return (before.bid, before.ask, before.last, before.mark, before.jumping) != (
        after.bid,
        after.ask,
        after.last,
        after.mark,
        after.jumping,
    )
