"""`bench engine`: the engine alone and the full product on one workload, drained and paced, on a broker of its own or a given one."""

import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import msgspec
from confluent_kafka import Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from schemas.engine_pb2 import Transaction
from schemas.keys import partition_of
from streams.bench.measure import cpu_s, quantile, rss_mib
from streams.bench.workload import Told, as_json, as_message, deltas, differences
from streams.config import PREFIX, Config
from streams.engine.boot import CHANGELOG_CONFIGS
from streams.stack import process, topics
from streams.stack.kafka import start_kafka
from streams.stack.process import Command, StackError
from streams.topics import TRANSACTIONS, WALLET_DELTAS

SYSTEMS = ("engine", "product")
_TICK_S = 0.005  # a request per delta would spend a core of the broker: the peers' generator hands over as often
_WARM_S = 5.0

Figures = dict[str, str | int | float]


class Load(NamedTuple):
    """`deltas` to drain; or `rate` a second for `seconds`, measured after a warm-up."""

    deltas: int
    rate: int
    seconds: float


class Run:
    """One worker on topics of its own; `system` is one of `SYSTEMS`."""

    def __init__(self, system: str, bootstrap: str, folder: Path) -> None:
        self.system, self.folder = system, folder
        [port] = process.free_ports(1)
        self.config = Config(kafka_bootstrap=bootstrap, app_id=f"bench-{uuid.uuid4().hex[:8]}", web_port=port, mark_stale_ms=3_600_000)
        own = system == "engine"
        self.source, self.out = (f"{self.config.app_id}-in", f"{self.config.app_id}-out") if own else (WALLET_DELTAS, TRANSACTIONS)
        self.places = [TopicPartition(self.out, number, 0) for number in range(self.config.partitions)]
        self._create()

    def _create(self) -> None:
        if self.system == "product":
            topics.create(self.config)
            return
        admin = AdminClient({"bootstrap.servers": self.config.kafka_bootstrap})
        changelog = f"{self.config.app_id}-g1-wallets-changelog"
        wanted = [NewTopic(self.source, self.config.partitions, 1), NewTopic(self.out, self.config.partitions, 1),
                  NewTopic(changelog, self.config.partitions, 1, config=dict(CHANGELOG_CONFIGS))]
        for done in admin.create_topics(wanted).values():
            done.result(20)

    def record(self, delta: object, sent_us: int) -> bytes:
        """The source's record of a delta."""
        return (as_json if self.system == "engine" else as_message)(delta, sent_us)  # type: ignore[arg-type]

    def read(self, message: Message) -> Told:
        """What an output says."""
        value = message.value() or b""
        if self.system == "engine":
            said = msgspec.json.decode(value)
            return Told(said["seq"], said["user_id"], said["asset"], Decimal(said["balance"]), said["ts"])
        moved = Transaction.FromString(value)
        _, _, seq, sent_us = moved.delta_id.split("/")  # source, number, and the id that the workload gave it
        return Told(int(seq), moved.user_id, moved.asset, Decimal(moved.balance_after), int(sent_us))

    @contextmanager
    def worker(self) -> Iterator[int]:
        """Its process id; told to end afterwards."""
        values = {PREFIX + field.upper(): str(getattr(self.config, field)) for field in Config.__struct_fields__}
        words = ("streams", "worker") if self.system == "product" else ("streams.bench.wallets", self.source, self.out)
        running = process.start(Command(self.config.app_id, [sys.executable, "-m", *words], values), self.folder / "logs")
        try:
            yield running.pid
        except StackError as error:
            raise StackError(f"{error}; {process.log_end(running, 20)}") from None  # the folder is about to go
        finally:
            process.stop(running)

    def consumer(self) -> Consumer:
        return Consumer({"bootstrap.servers": self.config.kafka_bootstrap, "group.id": "bench", "enable.auto.commit": False,
                         "auto.offset.reset": "earliest", "fetch.wait.max.ms": 10})

    def producer(self, **settings: int) -> Producer:
        return Producer({"bootstrap.servers": self.config.kafka_bootstrap, "acks": "all", "queue.buffering.max.messages": 1_000_000,
                         **settings})


def _until(run: Run, consumer: Consumer, count: int, timeout_s: float) -> Iterator[list[Message]]:
    """Outputs as they come, until there are `count`; raises `StackError` where they stop coming."""
    consumer.assign(run.places)
    seen, last = 0, time.monotonic()
    while seen < count:
        first = consumer.poll(0.05)  # `consume` would wait for its full time or count: up to 50 ms late
        found = [message for message in (first, *consumer.consume(10_000, 0)) if message and not message.error()]
        seen += len(found)
        last = time.monotonic() if found else last
        if time.monotonic() - last > timeout_s:
            raise StackError(f"bench {run.system}: expected {count} outputs, was {seen}")
        if found:
            yield found


def drain(run: Run, count: int) -> Figures:
    """Everything lies on the source before the worker starts; time from the first output to the last."""
    producer = run.producer(**{"linger.ms": 20})
    for delta in deltas(count):
        key = delta.user.encode()
        producer.produce(run.source, run.record(delta, time.time_ns() // 1000), key, partition_of(key, run.config.partitions))
    producer.flush()
    messages: list[Message] = []
    with run.worker() as pid:
        consumer = run.consumer()
        began = used = 0.0
        for found in _until(run, consumer, count, 60):
            if not messages:
                began, used, first = time.monotonic(), cpu_s(pid), len(found)
            messages += found
        took, cpu, rss = time.monotonic() - began, cpu_s(pid) - used, rss_mib(pid)
        consumer.close()
    counted = count - first
    told = [run.read(message) for message in sorted(messages, key=lambda one: (one.partition() or 0, one.offset() or 0))]
    return {"run": "drain", "system": run.system, "count": count, "events_per_s": round(counted / took),
            "cpu_s_per_million": round(cpu / counted * 1e6, 1), "rss_mib": rss, **differences(count, told)}


def pace(run: Run, rate: int, seconds: float) -> Figures:
    """Deltas at a steady rate; latency from the time a delta was meant to be sent to its output at a consumer."""
    count = int(rate * (seconds + _WARM_S))
    late: list[float] = []
    marks: list[tuple[float, float]] = []
    with run.worker() as pid:
        consumer = run.consumer()
        ready(run)
        sender = threading.Thread(target=_send, args=(run, rate, count), daemon=True)
        sender.start()
        for found in _until(run, consumer, count, 60):
            now_us = time.time_ns() // 1000
            told = [run.read(message) for message in found]
            late += [(now_us - one.sent_us) / 1000 for one in told if one.seq >= rate * _WARM_S]
            if late:
                marks = [*marks[:1], (time.monotonic(), cpu_s(pid))]
        rss = rss_mib(pid)
        consumer.close()
    late.sort()
    cores = (marks[-1][1] - marks[0][1]) / (marks[-1][0] - marks[0][0])
    return {"run": "pace", "system": run.system, "rate": rate, "count": len(late), "cores": round(cores, 3), "rss_mib": rss,
            **{f"{name}_ms": round(quantile(late, share), 1) for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1.0))}}


def ready(run: Run) -> None:
    """Returns when the worker takes records: a record of another sort of work would disturb what is measured."""
    group = f"{run.config.app_id}-g1"
    admin = AdminClient({"bootstrap.servers": run.config.kafka_bootstrap})

    def stable() -> bool:
        found = admin.describe_consumer_groups([group])[group]
        try:
            return bool(found.result(5).state.name == "STABLE")
        except Exception:  # the group is not there yet
            return False

    if not process.wait_until(stable, 60, 0.2):
        raise StackError(f"bench {run.system}: expected a worker in group {group} within 60 s, was none")
    time.sleep(3)


def _send(run: Run, rate: int, count: int) -> None:
    producer = run.producer(**{"linger.ms": 0})
    producer.list_topics(run.source, timeout=10)
    began, wall_us = time.perf_counter(), time.time_ns() // 1000
    per_tick = max(1, round(rate * _TICK_S))
    for delta in deltas(count):
        due_s = delta.seq // per_tick * per_tick / rate
        while (wait := began + due_s - time.perf_counter()) > 0:
            producer.poll(0)
            time.sleep(wait)
        key = delta.user.encode()
        producer.produce(run.source, run.record(delta, wall_us + int(due_s * 1e6)), key, partition_of(key, run.config.partitions))
    producer.flush()


def bench(bootstrap: str, systems: Sequence[str], load: Load, rounds: int) -> Iterator[Figures]:
    """Figures of every run, interleaved; `bootstrap` "" starts a broker for each."""
    for _ in range(rounds):
        for system in systems:
            for kind in ("drain", "pace"):
                if not (load.deltas if kind == "drain" else load.rate):
                    continue
                with tempfile.TemporaryDirectory(prefix="marginstream-bench-") as name, _broker(bootstrap, Path(name)) as address:
                    run = Run(system, address, Path(name))
                    yield drain(run, load.deltas) if kind == "drain" else pace(run, load.rate, load.seconds)


@contextmanager
def _broker(bootstrap: str, folder: Path) -> Iterator[str]:
    if bootstrap:
        yield bootstrap
        return
    kafka = start_kafka(folder / "kafka")
    try:
        yield kafka.bootstrap
    finally:
        kafka.stop()
