"""What is measured: the engine alone, the full product, each peer, and the bare way through the broker, on topics of their own."""

import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import msgspec
from confluent_kafka import Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from schemas.engine_pb2 import Transaction
from schemas.keys import partition_of
from streams.bench import peers
from streams.bench.workload import Delta, Told, as_json, as_message
from streams.config import PREFIX, Config, load
from streams.engine.boot import CHANGELOG_CONFIGS
from streams.stack import process, topics
from streams.stack.process import Command, Running, StackError
from streams.topics import TRANSACTIONS, WALLET_DELTAS

OURS = ("engine", "product")
BARE = "bare"  # what is produced is consumed: no worker
SYSTEMS = (*OURS, *peers.PEERS)


class Run:
    """One system on topics of its own; `settings` are the product's, where it is that."""

    def __init__(self, system: str, bootstrap: str, folder: Path, settings: Config | None = None) -> None:
        self.system, self.folder = system, folder
        [port] = process.free_ports(1)
        name = f"bench-{uuid.uuid4().hex[:8]}"
        self.config = msgspec.structs.replace(settings or load(), kafka_bootstrap=bootstrap, app_id=name, web_port=port,
                                              mark_stale_ms=3_600_000)
        own = (f"{name}-in", f"{name}-in" if system == BARE else f"{name}-out")
        self.source, self.out = (WALLET_DELTAS, TRANSACTIONS) if system == "product" else own
        self.places = [TopicPartition(self.out, number, 0) for number in range(self.config.partitions)]
        self._create()

    def _create(self) -> None:
        admin = AdminClient({"bootstrap.servers": self.config.kafka_bootstrap})
        if self.system == "product":
            topics.create(self.config)
        else:
            changelogs = ([f"{self.config.app_id}-g1-wallets-changelog"] if self.system == "engine" else
                          [f"{self.config.app_id}-changelog"] if self.system != BARE and peers.PEERS[self.system].changelog else [])
            wanted = [NewTopic(topic, self.config.partitions, 1) for topic in {self.source, self.out}]
            wanted += [NewTopic(topic, self.config.partitions, 1, config=dict(CHANGELOG_CONFIGS)) for topic in changelogs]
            for done in admin.create_topics(wanted).values():
                done.result(20)
        stamped = ConfigEntry("message.timestamp.type", "LogAppendTime", incremental_operation=AlterConfigOpType.SET)
        for done in admin.incremental_alter_configs([ConfigResource(ResourceType.TOPIC, self.out, incremental_configs=[stamped])]).values():
            done.result(20)

    def record(self, delta: Delta, sent_us: int) -> bytes:
        """The source's record of a delta."""
        return (as_message if self.system == "product" else as_json)(delta, sent_us)

    def send(self, producer: Producer, delta: Delta, sent_us: int) -> None:
        """To the partition that Java clients would choose."""
        key = delta.user.encode()
        producer.produce(self.source, self.record(delta, sent_us), key, partition_of(key, self.config.partitions))

    def read(self, value: bytes) -> Told:
        """What an output says."""
        if self.system != "product":
            said = msgspec.json.decode(value)
            return Told(said["seq"], said["user_id"], said["asset"], Decimal(said.get("balance", 0)), said["ts"])
        moved = Transaction.FromString(value)
        _, _, seq, sent_us = moved.delta_id.split("/")  # source, number, and the id that the workload gave it
        return Told(int(seq), moved.user_id, moved.asset, Decimal(moved.balance_after), int(sent_us))

    def environment(self) -> dict[str, str]:
        """Of the process: settings for ours, what the peers' sources ask for."""
        if self.system in OURS:
            return {PREFIX + field.upper(): str(getattr(self.config, field)) for field in Config.__struct_fields__}
        return {"KAFKA_BOOTSTRAP": self.config.kafka_bootstrap, "IN_TOPIC": self.source, "OUT_TOPIC": self.out,
                "APP_ID": self.config.app_id, "STATE_DIR": str(self.folder / "state"), **peers.PEERS[self.system].env}

    def words(self) -> list[str]:
        """The command line."""
        if self.system in peers.PEERS:
            return peers.words(self.system, self.config.cache)
        module = ["streams", "worker"] if self.system == "product" else ["streams.bench.wallets", self.source, self.out]
        return [sys.executable, "-m", *module]

    @contextmanager
    def worker(self) -> Iterator[int]:
        """Its process id, 0 where there is none; told to end afterwards."""
        if self.system == BARE:
            yield 0
            return
        with started(Command(self.config.app_id, self.words(), self.environment()), self.folder / "logs") as running:
            yield running.pid

    def consumer(self) -> Consumer:
        """Reads what is committed, soon after it is."""
        return Consumer({"bootstrap.servers": self.config.kafka_bootstrap, "group.id": "bench", "enable.auto.commit": False,
                         "auto.offset.reset": "earliest", "fetch.wait.max.ms": 10, "fetch.error.backoff.ms": 5,
                         "isolation.level": "read_committed"})

    def producer(self, **settings: int) -> Producer:
        """Acknowledged by all."""
        return Producer({"bootstrap.servers": self.config.kafka_bootstrap, "acks": "all", "queue.buffering.max.messages": 1_000_000,
                         **settings})


@contextmanager
def started(command: Command, logs: Path) -> Iterator[Running]:
    """A process for the time of a block; where the block fails for its sake, the log's end is told, as the folder is about to go."""
    running = process.start(command, logs)
    try:
        yield running
    except StackError as error:
        raise StackError(f"{error}; {process.log_end(running, 20)}") from None
    finally:
        process.stop(running)


def outputs(run: Run, consumer: Consumer, count: int, timeout_s: float = 60) -> Iterator[tuple[int, Message]]:
    """(microseconds at which it came, output), until there are `count`; raises `StackError` where they stop coming."""
    seen, last = 0, time.monotonic()
    while seen < count:
        message = consumer.poll(0.2)
        if message is None:
            if time.monotonic() - last > timeout_s:
                raise StackError(f"bench {run.system}: expected {count} outputs, was {seen}")
        elif not message.error():
            seen, last = seen + 1, time.monotonic()
            yield time.time_ns() // 1000, message
