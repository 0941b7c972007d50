"""Topics, records and workers of the wallet app, and what its topics say afterwards."""

import os
import random
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from confluent_kafka import Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from streams.engine.rows import Codec, Partition

ROOT = Path(__file__).resolve().parents[2]
PARTITIONS = 2
KEYS = 200


class Record:
    """A changelog record as the engine reads it."""

    def __init__(self, message: Message) -> None:
        self.key, self.value, self.offset = message.key(), message.value(), message.offset() or 0


class Wallets:
    """One source, its ledger, and the sums that must come out."""

    def __init__(self, bootstrap: str, folder: Path) -> None:
        self.bootstrap, self.folder = bootstrap, folder
        self.source = f"wallet-{uuid.uuid4().hex[:8]}"
        self.app_id = f"app-{self.source}"
        self.changelog = f"{self.app_id}-g1-wallets-changelog"
        self.sums: dict[bytes, Decimal] = {}
        self.count = 0
        self.workers: list[subprocess.Popen[bytes]] = []
        names = (self.source, f"{self.source}-out", f"{self.source}-states", self.changelog)
        admin = AdminClient({"bootstrap.servers": bootstrap})
        created = admin.create_topics([NewTopic(name, PARTITIONS, 1) for name in names])
        for done in created.values():
            done.result(20)

    def produce(self, count: int) -> None:
        """Random amounts for random keys; what they sum up to is remembered."""
        producer = Producer({"bootstrap.servers": self.bootstrap, "enable.idempotence": True})
        for _ in range(count):
            key, amount = b"live:%d" % random.randrange(KEYS), Decimal(random.randrange(-100_000, 100_000)) / 100
            self.sums[key] = self.sums.get(key, Decimal(0)) + amount
            producer.produce(self.source, str(amount).encode(), key)
        assert producer.flush(20) == 0
        self.count += count

    def start(self, **environment: str) -> subprocess.Popen[bytes]:
        name = f"w{len(self.workers)}"
        env = {**os.environ, "MARGINSTREAM_KAFKA_BOOTSTRAP": self.bootstrap, "MARGINSTREAM_APP_ID": self.app_id,
               "WALLET_SOURCE": self.source,
               "MARGINSTREAM_PARTITIONS": str(PARTITIONS), "MARGINSTREAM_WORKER_NAME": name, "MARGINSTREAM_SESSION_TIMEOUT_S": "2",
               "MARGINSTREAM_BUNDLE_RECORDS_MAX": "50", "MARGINSTREAM_COMMIT_INTERVAL_S": "0.1",
               "MARGINSTREAM_WEB_PORT": str(20_000 + random.randrange(20_000)), **environment}
        with self.log(len(self.workers)).open("wb") as log:
            worker = subprocess.Popen([sys.executable, "-m", "tests.engine.wallet_app"], env=env, stdout=log, stderr=log, cwd=ROOT)
        self.workers.append(worker)
        return worker

    def revive(self) -> None:
        """As a supervisor does: both sides of a fight over a partition may stop."""
        if all(worker.poll() is not None for worker in self.workers):
            self.start()

    def log(self, number: int) -> Path:
        return self.folder / f"{self.source}-w{number}.log"

    def stop(self) -> None:
        for worker in self.workers:
            worker.kill()
            worker.wait()

    # ---- what came out

    def read(self, topic: str) -> list[Message]:
        """Every record of a topic as of now, partition by partition."""
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": "reader", "auto.offset.reset": "earliest",
                             "enable.auto.commit": False, "fetch.wait.max.ms": 20})
        places = [TopicPartition(topic, number, 0) for number in range(PARTITIONS)]
        ends = {place.partition: consumer.get_watermark_offsets(place, timeout=10)[1] for place in places}
        consumer.assign(places)
        found: list[Message] = []
        end = time.monotonic() + 10
        while len(found) < sum(ends.values()) and time.monotonic() < end:
            found += consumer.consume(5_000, 0.1)
        consumer.close()
        assert len(found) >= sum(ends.values()), topic
        return sorted(found, key=lambda message: (message.partition() or 0, message.offset() or 0))

    def outputs(self) -> dict[str, set[str]]:
        """Contents by id; more than one is a contradiction."""
        found: dict[str, set[str]] = {}
        for message in self.read(f"{self.source}-out"):
            at, _, content = (message.value() or b"").decode().rpartition(":")
            found.setdefault(at, set()).add(content)
        return found

    def states(self) -> dict[bytes, Decimal]:
        """By key the total of the highest version, as the mirrors read it."""
        found: dict[bytes, tuple[int, Decimal]] = {}
        for message in self.read(f"{self.source}-states"):
            version, _, total = (message.value() or b"").decode().partition(" ")
            key, wallet = message.key() or b"", (int(version), Decimal(total))
            found[key] = max(found.get(key, wallet), wallet)
        return {key: total for key, (_, total) in found.items()}

    def rows(self) -> dict[bytes, Decimal]:
        """What a new owner would recover from the changelog."""
        codec = Codec(1, lambda total: str(total).encode(), lambda data: Decimal(data.decode().partition(" ")[2]))
        found = {}
        for number in range(PARTITIONS):
            part = Partition(1)
            if records := [Record(message) for message in self.read(self.changelog) if message.partition() == number]:
                part.restore(records)
            found.update({key: codec.decode(row).state for key, row in part.rows.items() if isinstance(row, bytes)})
        return found

    def committed(self) -> dict[int, int]:
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": f"{self.app_id}-g1"})
        places = consumer.committed([TopicPartition(self.source, number) for number in range(PARTITIONS)], timeout=10)
        consumer.close()
        return {place.partition: place.offset for place in places}

    def until(self, holds: Callable[[], bool], what: str, seconds: float = 20.0, revive: bool = False) -> None:
        """Wait; says what did not come, and what the workers logged."""
        end = time.monotonic() + seconds
        while not holds():
            if revive:
                self.revive()
            if time.monotonic() > end:
                logs = "\n".join(self.log(number).read_text()[-2_000:] for number in range(len(self.workers)))
                raise AssertionError(f"expected {what} within {seconds} s, was not\n{logs}")
            time.sleep(0.1)

    def assert_whole(self) -> None:
        """Every record counted once: states, recovered rows and outputs agree with the sums."""
        self.until(lambda: len(self.outputs()) == self.count, f"{self.count} outputs", revive=True)
        self.until(lambda: self.states() == self.sums, "the states to be the sums", 5.0)
        assert self.rows() == self.sums
        assert [at for at, contents in self.outputs().items() if len(contents) != 1] == []
