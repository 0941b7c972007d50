"""`bench soak`: the whole product under a steady load of fixed users; what its processes hold must not grow."""

import asyncio
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec
from aiokafka import AIOKafkaProducer

from streams import topics
from streams.bench.watched import Held
from streams.config import PREFIX, Config
from streams.prices import now_ms
from streams.stack import process, supervisor
from streams.stack.generator import send
from streams.stack.generator_facts import Facts
from streams.stack.generator_house import Record
from streams.stack.market import INSTRUMENTS, rules
from streams.stack.process import Command, Running, StackError

PARTS = {"worker": ("worker",), "bridge-postgres": ("bridge", "postgres"), "bridge-redis": ("bridge", "redis")}
MEASURED = ("rss_kib", "blocks", "objects", "descriptors", "threads", "tasks")
_HOT = 50  # books and exchange accounts whose facts are remembered by id: what is bounded fills within the warm-up
_STEP_S = 0.05
_FUNDED_S = 5.0
_CHUNK = 1_000
Figures = dict[str, object]
_OPENING_PER_S = 2_000
# What a process may hold more at the end than after the warm-up and still count as level: a share of it, and so many.
_LEVEL = {"rss_kib": (0.02, 4_096), "blocks": (0.01, 5_000), "objects": (0.01, 2_000), "descriptors": (0.0, 2), "threads": (0.0, 1),
          "tasks": (0.0, 5)}


class Soak(NamedTuple):
    """Facts and ticks a second over `users`; figures count after `warm_s` of `seconds`, a look every `interval_s`."""

    users: int = 10_000
    events_per_s: int = 1_000
    ticks_per_s: int = 200
    seconds: float = 2_400.0
    warm_s: float = 600.0
    interval_s: float = 10.0
    seed: int = 1


class Level(msgspec.Struct):
    """Of one measure of one process: medians of the first and last tenth, slope of the least squares, and whether it grew."""

    first: float
    last: float
    per_hour: float
    grew: bool


class Feed:
    """Facts of users whose rows stay as large as they are: versions and sequences replace; what is kept by id is kept for few."""

    def __init__(self, load: Soak, start_ms: int) -> None:
        self.load = load
        self.facts = Facts(load.seed, load.users, source=f"soak-{start_ms}", start_ms=start_ms)
        self._random = random.Random(f"soak {load.seed}")

    def next_batch(self, now_ms: int) -> list[Record]:
        """1 to some 20 facts."""
        draw, prices = self._random.random(), self.facts.market.prices
        if draw < 0.55:
            return [self._random.choice(self.facts.books).delta(now_ms)]
        if draw < 0.80:
            return self._random.choice(self.facts.exchanges).fund(now_ms)
        if draw < 0.90:
            book = self._random.choice(self.facts.books[:_HOT])
            return [book.fill(now_ms, prices) if draw < 0.86 else book.tier(now_ms)]
        account = self._random.choice(self.facts.exchanges[:_HOT])
        if draw < 0.95:
            return account.trade(now_ms, prices)
        if draw < 0.98:
            return account.order(now_ms, prices)
        return account.configure(now_ms) if draw < 0.99 else account.reconnect(now_ms)

    def ticks(self, count: int, now_ms: int) -> list[Record]:
        """The next moves of the market."""
        found = [self.facts.market.tick(now_ms) for _ in range(count)]
        return [(topics.PRICE_TICKS, tick.instrument, tick) for tick in found]


async def publish(bootstrap: str, feed: Feed, stop: threading.Event) -> int:
    """Opening facts, then the load until `stop`; how many facts."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, linger_ms=2, max_batch_size=131_072)
    await producer.start()
    try:
        await send(producer, [(topics.RISK_RULES, f"{rule.rule_id}@{rule.effective_from_ms}", rule) for rule in rules()])
        await send(producer, feed.ticks(len(INSTRUMENTS), now_ms()))
        opening = feed.facts.opening(now_ms())
        fills = [record for record in opening if record[0] == topics.ORDER_UPDATES]
        await _send_all(producer, [record for record in opening if record[0] != topics.ORDER_UPDATES])
        await asyncio.sleep(_FUNDED_S)
        await _send_all(producer, fills)
        return len(opening) + await _flow(producer, feed, stop)
    finally:
        await producer.stop()


async def _send_all(producer: AIOKafkaProducer, records: Sequence[Record]) -> None:
    for at in range(0, len(records), _CHUNK):
        await send(producer, records[at:at + _CHUNK])
        await asyncio.sleep(_CHUNK / _OPENING_PER_S)


async def _flow(producer: AIOKafkaProducer, feed: Feed, stop: threading.Event) -> int:
    began, events, ticks = time.monotonic(), 0, 0
    while not stop.is_set():
        spent = time.monotonic() - began
        due = min(int(spent * feed.load.ticks_per_s) - ticks, _CHUNK)
        records = feed.ticks(due, now_ms())
        ticks += due
        while events < spent * feed.load.events_per_s and len(records) < _CHUNK:
            found = feed.next_batch(now_ms() - 20)
            events += len(found)
            records += found
        await send(producer, records)
        await asyncio.sleep(_STEP_S)
    return events


def soak(load: Soak) -> Figures:
    """Figures of one soak on a stack of its own; raises `StackError` where a process ends."""
    with tempfile.TemporaryDirectory(prefix="marginstream-soak-") as name, _stack(Path(name)) as config, \
            _processes(config, Path(name), load) as running:
        stop, told = threading.Event(), list[int]()
        feed = Feed(load, now_ms())
        sender = threading.Thread(target=lambda: told.append(asyncio.run(publish(config.kafka_bootstrap, feed, stop))), daemon=True)
        sender.start()
        try:
            _watch(running, sender, load.seconds)
        finally:
            stop.set()
            sender.join(60)
        looks = {part: read(Path(name) / f"{part}.jsonl") for part in PARTS}
        return {"run": "soak", **load._asdict(), "facts": sum(told), "processes": {part: figures(found, load.warm_s)
                                                                                    for part, found in looks.items()}}


def _watch(running: Sequence[Running], sender: threading.Thread, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if died := [one for one in running if not process.alive(one)]:
            raise StackError(f"soak: expected {died[0].name} to live, was dead; {process.log_end(died[0], 20)}")
        if not sender.is_alive():
            raise StackError("soak: expected facts until the end, was an end of the feed; its traceback is above")
        time.sleep(1)


@contextmanager
def _stack(folder: Path) -> Iterator[Config]:
    [port] = process.free_ports(1)
    wanted = Config(data_dir=str(folder / "stack"), app_id="soak", web_port=port, watchdog_s=120.0)
    try:
        yield supervisor.up(wanted, bare=True, say=lambda _: None)
    finally:
        supervisor.down(wanted, say=lambda _: None, forget=True)


@contextmanager
def _processes(config: Config, folder: Path, load: Soak) -> Iterator[list[Running]]:
    values = {PREFIX + field.upper(): str(getattr(config, field)) for field in Config.__struct_fields__}
    running = []
    try:
        for part, words in PARTS.items():
            watched: list[str | Path] = [sys.executable, "-m", "streams.bench.watched", folder / f"{part}.jsonl", str(load.interval_s)]
            running.append(process.start(Command(part, [*watched, *words], values), folder / "logs"))
        if not process.wait_until(lambda: supervisor.ready(config.web_port), supervisor.READY_S, 0.2):
            raise StackError(f"soak: expected a ready worker, was none; {process.log_end(running[0], 20)}")
        yield running
    finally:
        for one in running:
            process.stop(one)


def read(file: Path) -> list[Held]:
    """The looks of a process."""
    return [msgspec.json.decode(line, type=Held) for line in file.read_bytes().splitlines()]


def figures(looks: Sequence[Held], warm_s: float) -> dict[str, object]:
    """Levels after the warm-up, counted from the first look, with the types whose number changed most."""
    later = [one for one in looks if one.at_s >= looks[0].at_s + warm_s]
    if len(later) < 3:
        raise StackError(f"soak: expected 3 looks after the warm-up, was {len(later)}")
    kinds = {name: later[-1].kinds[name] - count for name, count in later[0].kinds.items() if name in later[-1].kinds}
    changed = dict(sorted(kinds.items(), key=lambda item: -abs(item[1]))[:5])
    cores = (later[-1].cpu_s - later[0].cpu_s) / (later[-1].at_s - later[0].at_s)
    return {"looks": len(later), "cores": round(cores, 3), "kinds_changed": changed, "rss_mib": round(later[-1].rss_kib / 1024, 1),
            **{name: msgspec.structs.asdict(level(name, later)) for name in MEASURED}}


def level(name: str, looks: Sequence[Held]) -> Level:
    """Whether a measure is level over these looks."""
    times, values = [one.at_s / 3600 for one in looks], [float(getattr(one, name)) for one in looks]
    tenth = max(1, len(looks) // 10)
    first, last = statistics.median(values[:tenth]), statistics.median(values[-tenth:])
    share, count = _LEVEL[name]
    slope = statistics.linear_regression(times, values).slope
    return Level(first, last, round(slope, 1), last - first > first * share + count)
