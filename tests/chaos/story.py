"""What a chaos run tells afterwards: faults, repeats, and from the changelog how long each partition had no owner at work."""

import asyncio
import statistics
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition

from streams import topics
from streams.config import Config
from streams.engine.rows import CLAIM
from streams.stack.topics import changelog
from tests.chaos.run import Chaos


class Trial(NamedTuple):
    """What is tried, and on which product."""

    seed: int
    faults: int
    brokers: int
    without: str
    facts: int
    product: str


def tell(chaos: Chaos) -> dict[str, object]:
    """Figures of a run whose servers still live. `takeover_s` and `unowned_s` count from the last write of an owner, or the first fact
    after it where that came later, to the first write of the next: nobody waits for an owner who has nothing to do.
    `takeover_s` is of those that somebody waited for.
    """
    writes, facts = asyncio.run(_writes(chaos.on.config)), _facts(chaos)
    gaps = {number: between(found, facts[number]) for number, found in writes.items()}
    verdicts = [record for name in (topics.MARGIN_CALLS, topics.LIQUIDATIONS) for record in chaos.read.get(name, [])]
    return {
        "sent": chaos.sent, "struck": dict(chaos.struck), "hit": chaos.struck.total(), "ended": dict(chaos.on.ended),
        "ids_expected": len(chaos.expectation.said), "verdicts": len(verdicts),
        "verdicts_sent_again": len(verdicts) - len({record.value for record in verdicts}),
        "facts_repeated": chaos.feed.repeated, "skipped_by_fence_at_least": int(sum(chaos.on.skipped.values())),
        "poison": len(chaos.poison), "late_s": round(chaos.late_s, 1),
        **_took([gap for of in gaps.values() for gap in of]),
        "unowned_s": {str(number): round(sum(of), 1) for number, of in sorted(gaps.items())}}


def _took(gaps: Sequence[float]) -> dict[str, object]:
    waited = [gap for gap in gaps if gap]
    median_max = {"median": round(statistics.median(waited), 2), "max": max(waited)} if waited else {}
    return {"takeovers": len(gaps), "takeover_s": median_max}


def _facts(chaos: Chaos) -> dict[int, list[int]]:
    """By partition, when (ms) each fact was appended, in order."""
    found: dict[int, list[int]] = defaultdict(list)
    for record in (record for name in topics.ACCOUNT_SOURCES for record in chaos.read.get(name, [])):
        found[record.partition].append(record.timestamp)
    return defaultdict(list, {number: sorted(times) for number, times in found.items()})


async def _writes(config: Config) -> dict[int, list[tuple[int, bool]]]:
    """By partition of the accounts' changelog: when (ms) each record was written, and whether it is a claim."""
    consumer = AIOKafkaConsumer(bootstrap_servers=config.kafka_bootstrap, enable_auto_commit=False, max_partition_fetch_bytes=8_388_608,
                                auto_offset_reset="earliest")  # a reset under way may come after the seek
    await consumer.start()
    try:
        assigned = [TopicPartition(changelog(config, "accounts"), number) for number in range(config.partitions)]
        consumer.assign(assigned)
        await consumer.seek_to_beginning(*assigned)
        ends = await consumer.end_offsets(assigned)
        rows: dict[int, list[tuple[int, bool]]] = {partition.partition: [] for partition in assigned}
        while any([await consumer.position(partition) < ends[partition] for partition in assigned]):
            for partition, records in (await consumer.getmany(timeout_ms=500, max_records=50_000)).items():
                rows[partition.partition] += [(record.timestamp, record.key == CLAIM) for record in records]
    finally:
        await consumer.stop()
    return rows


def between(writes: Sequence[tuple[int, bool]], facts: Sequence[int]) -> list[float]:
    """Seconds that facts (times in order, ms) waited at each change of owner; several claims in a row are one change."""
    gaps, last, claimed = [], 0, False
    for at, is_claim in writes:
        if is_claim:
            claimed = True
            continue
        if claimed and last:
            came = bisect_right(facts, last)
            gaps.append(max(at - facts[came], 0) / 1000 if came < len(facts) else 0.0)
        last, claimed = at, False
    return gaps
