"""Holes in a source's offsets: read again once; nothing there is passed, a record there is a lost one."""

import itertools

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from streams.engine.transport import Bundle


class Lost(RuntimeError):
    """Records of a source partition were not delivered."""


def find_holes(bundle: Bundle, position: int | None) -> list[tuple[int, int]]:
    """Half-open ranges of offsets missing before or within a bundle; `position` is the next expected offset (None: any)."""
    records, holes = bundle.records, []
    if position is not None and records[0].offset > position:
        holes.append((position, records[0].offset))
    if records[-1].offset - records[0].offset + 1 != len(records):
        pairs = itertools.pairwise(records)
        holes += [(a.offset + 1, b.offset) for a, b in pairs if b.offset != a.offset + 1]
    return holes


async def read_again(bootstrap: str, bundle: Bundle, holes: list[tuple[int, int]]) -> None:
    """Raises `Lost` where the log has a record in a hole, or no longer reaches back to it: retention overtook us.

    Control and compacted records leave holes with nothing in them.
    """
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=None, enable_auto_commit=False, fetch_max_wait_ms=100,
                                auto_offset_reset="none")
    tp = TopicPartition(bundle.topic, bundle.partition)
    await consumer.start()
    try:
        consumer.assign([tp])
        for start, end in holes:
            consumer.seek(tp, start)
            while await consumer.position(tp) < end:
                for record in (await consumer.getmany(tp, timeout_ms=500)).get(tp, []):
                    if start <= record.offset < end:
                        raise Lost(
                            f"{bundle.topic}[{bundle.partition}]: expected offset {start}, was {end}: "
                            f"record {record.offset} was not delivered"
                        )
    except OffsetOutOfRangeError as error:
        start, end = holes[0]
        raise Lost(f"{bundle.topic}[{bundle.partition}]: expected offset {start}, was {end}: the log begins after it") from error
    finally:
        await consumer.stop()
