"""Rows of the ledgers out of their changelogs, as they stood at a moment, and back from a recording: a start for a replay or verify."""

from collections.abc import Iterator
from itertools import starmap, zip_longest
from pathlib import Path
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.engine_pb2 import LedgerRow
from streams import topics
from streams.config import Config
from streams.engine.rows import SENT, STRAY, Partition
from streams.replay.recording import BadRecording, File, FileWriter, Manifest, Recorded, Recording
from streams.stack.topics import LEDGERS, changelog

_SOURCES = {"accounts": topics.ACCOUNT_SOURCES, "orders": topics.ORDER_SOURCES}


class Exported(NamedTuple):
    """By partition of a fact topic, the first offset that is in no row; the files of the rows."""

    first: dict[TopicPartition, int]
    files: tuple[File, ...]


async def export_rows(consumer: AIOKafkaConsumer, config: Config, at_ms: int | None, folder: Path) -> Exported:
    """Writes the rows of both ledgers as they were at `at_ms`. Only whole groups count: a fact below one row's fence is then in all."""
    first: dict[TopicPartition, int] = {}
    files = []
    for ledger in LEDGERS:
        for number in range(config.partitions):
            part = Partition(len(_SOURCES[ledger]))
            place = TopicPartition(changelog(config, ledger), number)
            await _restore(consumer, place, part, at_ms)
            writer = FileWriter(folder, f"rows-{ledger}", number)
            told = [0] * len(_SOURCES[ledger])
            for at, (key, value) in enumerate(sorted(part.rows.items())):
                assert isinstance(value, bytes)
                told = _furthest(told, value)
                writer.write(Recorded(writer.topic, number, at, at_ms or 0, key, value))
            files.append(writer.close(0, len(part.rows)))
            for topic, position in zip(_SOURCES[ledger], told, strict=True):
                place = TopicPartition(topic, number)
                first[place] = min(position, first.get(place, position))
    return Exported(first, tuple(files))


async def _restore(consumer: AIOKafkaConsumer, place: TopicPartition, part: Partition, at_ms: int | None) -> None:
    """Takes the changelog up to the last group that was whole by then."""
    consumer.assign([place])
    end: int = (await consumer.end_offsets([place]))[place]
    await consumer.seek_to_beginning(place)
    group: list[Any] = []
    while await consumer.position(place) < end:
        for record in (await consumer.getmany(place, timeout_ms=500, max_records=5_000)).get(place, ()):
            if record.offset >= end or (at_ms is not None and record.timestamp >= at_ms):
                return
            if record.key == SENT and group:
                part.restore(group)
                group = []
            group.append(record)


def rows_of(recording: Recording, ledger: str) -> Iterator[tuple[bytes, bytes]]:
    """(key, bytes of the row) of one ledger, in the order of partitions and keys; the rows of partitions themselves are left out."""
    _judge(recording.manifest)
    for file in sorted(recording.manifest.rows, key=lambda file: file.partition):
        if file.topic == f"rows-{ledger}":
            for record in recording.read(file):
                if record.key and not record.key.startswith(STRAY):
                    yield record.key, record.value or b""


def _judge(manifest: Manifest) -> None:
    if not manifest.rows:
        raise BadRecording("rows: expected a recording made with --rows, was one without")
    for name, found in (("accounts", manifest.account_sources), ("orders", manifest.order_sources)):
        if found != _SOURCES[name]:
            raise BadRecording(f"rows of {name}: expected fences of {', '.join(_SOURCES[name])}, was {', '.join(found)}")


def check_begin(recording: Recording, rows: Recording | None) -> None:
    """Raises `BadRecording` where facts are missing between the rows (None: nothing) and those of the recording."""
    expected = _first_unfolded(rows) if rows else {}
    for file in recording.files(topics.ACCOUNT_SOURCES):
        at = expected.get((file.topic, file.partition), 0)
        if file.first > at:
            raise BadRecording(f"{file.topic}[{file.partition}]: expected facts from offset {at}, was from {file.first}: "
                               "record from the log's beginning, or with --rows")


def _first_unfolded(rows: Recording) -> dict[tuple[str, int], int]:
    """By topic and partition, the first offset that is in no row of one of the ledgers."""
    _judge(rows.manifest)
    found: dict[tuple[str, int], int] = {}
    for file in rows.manifest.rows:
        sources = _SOURCES[file.topic.removeprefix("rows-")]
        told = [0] * len(sources)
        for record in rows.read(file):
            told = _furthest(told, record.value or b"")
        for topic, position in zip(sources, told, strict=True):
            name = topic, file.partition
            found[name] = min(position, found.get(name, position))
    return found


def _furthest(told: list[int], row: bytes) -> list[int]:
    """The larger position of each source; a row may be older than the last ones."""
    return list(starmap(max, zip_longest(told, LedgerRow.FromString(row).positions, fillvalue=0)))
