"""From a broker to files: a window of the topics, and the rows of the ledgers as they stood at its beginning."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from streams import topics
from streams.config import Config
from streams.prices import HISTORY_MS, now_ms
from streams.replay.progress import bar
from streams.replay.recording import File, FileWriter, Manifest, Recorded, settings_of, write_manifest
from streams.replay.rows import Exported, export_rows
from streams.stack import topics as broker_topics
from streams.stack.oracle_topics import partitions
from streams.stack.process import StackError

SETTINGS = (topics.RISK_RULES, topics.CONTROL)
INPUTS = (*topics.ACCOUNT_SOURCES, topics.PRICE_TICKS, *SETTINGS)
OUTPUTS = (topics.MARGIN_CALLS, topics.LIQUIDATIONS, topics.TRANSACTIONS, topics.ANOMALIES, topics.DEAD_LETTERS)
_BATCH = 5_000
_LAG_MS_MAX = 3_600_000  # the changelog keeps every version of a row for so long


class Window(NamedTuple):
    """Append times in ms, from (None: the log's beginning) to (None: its present end); with the rows at its beginning or not."""

    from_ms: int | None = None
    to_ms: int | None = None
    rows: bool = False


class _Place(NamedTuple):
    first: int
    end: int


def record(config: Config, window: Window, names: Sequence[str], folder: Path) -> Manifest:
    """Writes the window of these topics into a new folder. Raises `StackError`."""
    window = _judged(window, names, folder)
    if wrong := broker_topics.verify(config):
        raise StackError(wrong[0])
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return asyncio.run(_record(config, window, names, folder))
    except KafkaError as error:
        raise StackError(f"kafka at {config.kafka_bootstrap}: expected an answer, was {error!r}") from None


def _judged(window: Window, names: Sequence[str], folder: Path) -> Window:
    """The window, its beginning filled in where rows are wanted. Raises `StackError`."""
    if unknown := sorted(set(names) - topics.BY_NAME.keys()):
        raise StackError(f"--topics: expected some of {', '.join(sorted(topics.BY_NAME))}, was {unknown[0]!r}")
    if window.from_ms is not None and window.to_ms is not None and window.from_ms >= window.to_ms:
        raise StackError(f"--to: expected a time after --from {window.from_ms}, was {window.to_ms}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise StackError(f"{folder}: expected a new or empty folder, was one with files")
    if window.rows and window.from_ms is None:
        window = window._replace(from_ms=now_ms())
    if window.rows and now_ms() - (window.from_ms or 0) > _LAG_MS_MAX:
        raise StackError("--rows: expected --from within the last hour (older versions of rows are compacted away), was earlier")
    return window


async def _record(config: Config, window: Window, names: Sequence[str], folder: Path) -> Manifest:
    # "earliest", not a seek: a reset to the end that is under way when a seek comes would win over it.
    consumer = AIOKafkaConsumer(bootstrap_servers=config.kafka_bootstrap, enable_auto_commit=False, max_partition_fetch_bytes=4_194_304,
                                fetch_max_wait_ms=20, auto_offset_reset="earliest")
    await consumer.start()
    try:
        exported = await export_rows(consumer, config, window.from_ms, folder) if window.rows else Exported({}, ())
        places = await _places(consumer, config, window, names)
        for place, first in exported.first.items():
            if place in places:
                end = places[place].end
                places[place] = _Place(min(max(first, (await consumer.beginning_offsets([place]))[place]), end), end)
        files = await _copy(consumer, places, folder)
    finally:
        await consumer.stop()
    manifest = Manifest(app_id=config.app_id, generation=config.generation, version=version("marginstream"), from_ms=window.from_ms,
                        to_ms=window.to_ms, settings=settings_of(config), files=tuple(files), rows=exported.files)
    write_manifest(folder, manifest)
    return manifest


async def _places(consumer: AIOKafkaConsumer, config: Config, window: Window, names: Sequence[str]) -> dict[TopicPartition, _Place]:
    """The offsets of the window. Ends of outputs are asked for first: what a verdict rests on is then below the ends of the facts."""
    ordered = [*(name for name in names if name not in INPUTS), *(name for name in names if name in INPUTS)]
    found: dict[TopicPartition, _Place] = {}
    for name in ordered:
        places = partitions(config, [name])
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        firsts = await consumer.beginning_offsets(places)
        from_ms = None if name in SETTINGS or window.from_ms is None else window.from_ms
        if from_ms is not None:  # marks are as old as those that a worker reads at its start
            firsts = await _at(consumer, ends, max(0, from_ms - (HISTORY_MS if name == topics.PRICE_TICKS else 0)))
        if window.to_ms is not None:
            ends = await _at(consumer, ends, window.to_ms)
        found |= {place: _Place(min(firsts[place], ends[place]), ends[place]) for place in places}
    return found


async def _at(consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int], at_ms: int) -> dict[TopicPartition, int]:
    """By partition, the first offset of that time or later."""
    found = await consumer.offsets_for_times(dict.fromkeys(ends, at_ms))
    return {place: min(found[place].offset, end) if found.get(place) else end for place, end in ends.items()}


async def _copy(consumer: AIOKafkaConsumer, places: Mapping[TopicPartition, _Place], folder: Path) -> list[File]:
    """Every record of the places into a file each; a few thousand are held at a time."""
    writers = {place: FileWriter(folder, place.topic, place.partition) for place in places}
    wanted = {place: found for place, found in places.items() if found.first < found.end}
    consumer.assign(list(wanted))
    for place, (first, _) in wanted.items():
        consumer.seek(place, first)
    with bar("record", sum(end - first for first, end in wanted.values())) as say:
        while waiting := await _unread(consumer, wanted):
            for place, records in (await consumer.getmany(*waiting, timeout_ms=500, max_records=_BATCH)).items():
                _keep(writers[place], places[place], records)
                say(len(records))
    return [writer.close(*places[place]) for place, writer in sorted(writers.items())]


async def _unread(consumer: AIOKafkaConsumer, wanted: Mapping[TopicPartition, _Place]) -> list[TopicPartition]:
    return [place for place, (_, end) in wanted.items() if await consumer.position(place) < end]


def _keep(writer: FileWriter, place: _Place, records: Iterable[Any]) -> None:
    for one in records:
        if place.first <= one.offset < place.end:
            writer.write(Recorded(one.topic, one.partition, one.offset, one.timestamp, one.key, one.value))
