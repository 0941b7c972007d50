"""What a chaos run tells afterwards: faults, repeats, and from the changelog how long each partition had no owner at work."""

import asyncio
import statistics
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
    """Figures of a run whose servers still live. `takeover_s` and `unowned_s` count from the last write of an owner to the first of the
    next, so that rest before and after counts too: upper bounds.
    """
    gaps = asyncio.run(_gaps(chaos.on.config))
    flat = [gap for of in gaps.values() for gap in of]
    verdicts = [record for name in (topics.MARGIN_CALLS, topics.LIQUIDATIONS) for record in chaos.read.get(name, [])]
    return {
        "sent": chaos.sent, "struck": dict(chaos.struck), "hit": chaos.struck.total(), "ended": dict(chaos.on.ended),
        "ids_expected": len(chaos.expectation.said), "verdicts": len(verdicts),
        "verdicts_sent_again": len(verdicts) - len({record.value for record in verdicts}),
        "facts_repeated": chaos.feed.repeated, "skipped_by_fence_at_least": int(sum(chaos.on.skipped.values())),
        "poison": len(chaos.poison), "late_s": round(chaos.late_s, 1),
        "takeovers": len(flat), "takeover_s": {"median": round(statistics.median(flat), 2), "max": max(flat)} if flat else {},
        "unowned_s": {str(number): round(sum(of), 1) for number, of in sorted(gaps.items())}}


async def _gaps(config: Config) -> dict[int, list[float]]:
    """By partition of the accounts' changelog, the seconds around each change of owner."""
    consumer = AIOKafkaConsumer(bootstrap_servers=config.kafka_bootstrap, enable_auto_commit=False, max_partition_fetch_bytes=8_388_608)
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
    return {number: _between(found) for number, found in rows.items()}


def _between(rows: list[tuple[int, bool]]) -> list[float]:
    """Several claims in a row are one change of owner."""
    gaps, last, claimed = [], 0, False
    for at, is_claim in rows:
        if is_claim:
            claimed = True
            continue
        if claimed and last:
            gaps.append(max(at - last, 0) / 1000)
        last, claimed = at, False
    return gaps
