"""Recordings made without a broker: the generator's users and market, their records appended at times of a simulated log."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from google.protobuf.message import Message

from schemas.keys import partition_of
from streams import topics
from streams.config import Config
from streams.engine.rows import Codec, OutputLike
from streams.replay.book import Book
from streams.replay.history import History, Start
from streams.replay.recorder import INPUTS
from streams.replay.recording import File, FileWriter, Manifest, Recorded, Recording, settings_of, write_manifest
from streams.stack.generator_facts import Facts
from streams.stack.market import INSTRUMENTS, rules

BEGIN_MS = 1_760_000_000_000
PARTITIONS = 2
STEP_MS = 50
VERDICTS = (topics.MARGIN_CALLS, topics.LIQUIDATIONS)


class Log:
    """Topics in memory: records by topic and partition."""

    def __init__(self) -> None:
        self.places: dict[tuple[str, int], list[Recorded]] = defaultdict(list)

    def append(self, topic: str, key: str, value: bytes | None, at_ms: int) -> Recorded:
        number = partition_of(key.encode(), PARTITIONS) if topics.BY_NAME[topic].partitions is None else 0
        place = self.places[topic, number]
        place.append(Recorded(topic, number, len(place), at_ms, key.encode(), value))
        return place[-1]

    def send(self, topic: str, key: str, message: Message, at_ms: int) -> Recorded:
        return self.append(topic, key, message.SerializeToString(), at_ms)


class Cut(NamedTuple):
    """Where a recording begins and ends: append times in ms."""

    from_ms: int | None = None
    to_ms: int | None = None


WHOLE, ZERO = Cut(), Start()


def generated(seed: int = 1, users: int = 20, seconds: float = 20.0) -> Log:
    """Rules, prices, opening facts; then ticks of all instruments and some facts at every step."""
    log, source = Log(), Facts(seed, users, start_ms=BEGIN_MS)
    for rule in rules():
        log.send(topics.RISK_RULES, f"{rule.rule_id}@{rule.effective_from_ms}", rule, BEGIN_MS)
    tell_prices(log, source, BEGIN_MS)
    for topic, key, message in source.opening(BEGIN_MS):
        log.send(topic, key, message, BEGIN_MS + 10)
    for at_ms in range(BEGIN_MS + STEP_MS, BEGIN_MS + int(seconds * 1000), STEP_MS):
        tell_prices(log, source, at_ms)
        for topic, key, message in source.next_batch(at_ms):
            log.send(topic, key, message, at_ms + 3)
    return log


def tell_prices(log: Log, source: Facts, at_ms: int) -> None:
    for _ in INSTRUMENTS:
        tick = source.market.tick(at_ms)
        log.send(topics.PRICE_TICKS, tick.instrument, tick, at_ms)


def write(log: Log, folder: Path, cut: Cut = WHOLE, rows: Mapping[str, Book] | None = None,
          names: Iterable[str] = (*INPUTS, *VERDICTS)) -> Recording:
    """A recording of the log, empty partitions included; with rows where they are given."""
    folder.mkdir(parents=True)
    config = Config(partitions=PARTITIONS)
    files = [_file(log, folder, name, number, cut) for name in names
             for number in range(topics.BY_NAME[name].partitions or PARTITIONS)]
    manifest = Manifest(app_id="test", generation=1, version="0", settings=settings_of(config), files=tuple(files), from_ms=cut.from_ms,
                        to_ms=cut.to_ms, rows=tuple(_rows(folder, rows or {})))
    write_manifest(folder, manifest)
    return Recording(folder)


def _file(log: Log, folder: Path, name: str, number: int, cut: Cut) -> File:
    whole = log.places[name, number]
    begin_ms = 0 if name in (topics.RISK_RULES, topics.CONTROL, topics.PRICE_TICKS) else cut.from_ms or 0
    kept = [record for record in whole if begin_ms <= record.timestamp < (cut.to_ms or 1 << 60)]
    writer = FileWriter(folder, name, number)
    for record in kept:
        writer.write(record)
    first = next((record.offset for record in whole if record.timestamp >= begin_ms), len(whole))
    return writer.close(first, kept[-1].offset + 1 if kept else first)


def _rows(folder: Path, books: Mapping[str, Book]) -> Iterable[File]:
    for name, book in books.items():
        codec = Codec(len(book.sources), book.plan.dump, book.plan.load)
        for number in range(PARTITIONS):
            writer = FileWriter(folder, f"rows-{name}", number)
            here = [(key, row) for key, row in sorted(book.rows.items()) if partition_of(key, PARTITIONS) == number]
            for at, (key, row) in enumerate(here):
                writer.write(Recorded(writer.topic, number, at, 0, key, codec.encode(row, 0)[0]))
            yield writer.close(0, len(here))


def replayed(recording: Recording, start: Start = ZERO) -> History:
    history = History(recording)
    history.run(start)
    return history


def with_verdicts(log: Log, folder: Path) -> Recording:
    """The recording with the verdicts that a replay of it gives, as if an engine had sent them."""
    history = History(write(log, folder / "facts"))
    take = history.told.take

    def tell(key: bytes, output: OutputLike) -> None:
        take(key, output)
        if output.topic in VERDICTS:
            log.append(output.topic, key.decode(), output.value, history.prices.at_ms)

    history.accounts._tell = history.orders._tell = tell
    history.run(ZERO)
    return write(log, folder / "all")


def change(log: Log, topic: str, found: Callable[[Recorded], bytes | None]) -> Recorded:
    """Changes the first record for which `found` gives other bytes; the record as it is now."""
    for (name, _), place in sorted(log.places.items()):
        for at, record in enumerate(place) if name == topic else ():
            if (value := found(record)) is not None:
                place[at] = record._replace(value=value)
                return place[at]
    raise AssertionError(f"expected a record of {topic} to change")
