"""A recreated topic on a real broker: refused under the old generation, folded on under the next one, nothing counted twice."""

import asyncio
import io
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from confluent_kafka import ConsumerGroupTopicPartitions
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from schemas import engine_pb2 as pb
from schemas.keys import partition_of
from streams import topics
from streams.app import plans
from streams.config import PREFIX, Config, load
from streams.engine.rows import CLAIM, SENT, Codec
from streams.stack import doctor, generation, process, supervisor
from streams.stack import migrate as moving
from streams.stack import topics as broker_topics
from streams.stack.inject import inject
from streams.stack.kafka import start_kafka
from streams.stack.process import Command, Running, StackError
from streams.topics import ACCOUNT_UPDATES, TRANSACTIONS, WALLET_DELTAS
from tables.rows import User

ROOT = Path(__file__).resolve().parents[2]
USER = "live:7"
PARTITIONS = 2
AT = partition_of(USER.encode(), PARTITIONS)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A broker of its own: topics are deleted on it."""
    try:
        cluster = start_kafka(tmp_path_factory.mktemp("migrate") / "kafka", cache=load().cache)
    except StackError as error:
        pytest.skip(str(error))
    yield cluster.bootstrap
    cluster.stop()


def made(broker: str, app_id: str) -> Config:
    """Settings of an app whose topics are there."""
    config = msgspec.structs.replace(Config(), kafka_bootstrap=broker, app_id=app_id, partitions=PARTITIONS, session_timeout_s=2.0)
    broker_topics.create(config)
    return config


def next_one(config: Config) -> Config:
    return msgspec.structs.replace(config, generation=config.generation + 1)


class Worker:
    """One worker process at a time."""

    def __init__(self, config: Config, folder: Path) -> None:
        self.config, self.folder = config, folder
        [self.port] = process.free_ports(1)
        fields = {field: getattr(config, field) for field in Config.__struct_fields__} | {"web_port": self.port, "data_dir": str(folder)}
        self.env = {**os.environ, **{PREFIX + field.upper(): str(value) for field, value in fields.items()}}
        self.running: Running | None = None

    def __enter__(self) -> "Worker":
        words = [sys.executable, "-m", "streams", "worker"]
        self.running = process.start(Command(f"worker-{self.config.generation}", words, self.env), self.folder)
        assert process.wait_until(lambda: supervisor.ready(self.port), 120, 0.2), process.log_end(self.running, 20)
        return self

    def __exit__(self, *_: object) -> None:
        assert self.running is not None
        process.stop(self.running)

    def refused(self) -> str:
        """The last line of a worker that does not start."""
        done = subprocess.run([sys.executable, "-m", "streams", "worker"], env=self.env, cwd=ROOT, capture_output=True, text=True,
                              timeout=120, check=False)
        assert done.returncode == 1, done.stderr
        return done.stderr.strip().splitlines()[-1]

    def holds(self, amount: int) -> bool:
        return process.wait_until(lambda: self.balance() == amount, 60, 0.2)

    def balance(self) -> Decimal | None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/inspect/balances/{USER}", timeout=5) as answer:
                return Decimal(json.load(answer)["row"]["accounts"]["house"]["USD"]["wallet_balance"])
        except (urllib.error.HTTPError, KeyError):
            return None


def deposit(config: Config, *sequences: int) -> None:
    """Sequenced deposits of 100, and one of 7 that only its id tells apart."""
    facts = [{"id": f"s{number}", "amount": "100", "source": "bank", "sequence": number} for number in sequences]
    facts.append({"id": "lone", "amount": "7"})
    lines = [json.dumps({"key": USER, "value": {"account_id": "house", "asset": "USD", "kind": "DEPOSIT", **fact}}) for fact in facts]
    inject(config, WALLET_DELTAS, io.StringIO("\n".join(lines) + "\n"))


def recreate(config: Config, topic: str) -> None:
    admin = AdminClient({"bootstrap.servers": config.kafka_bootstrap})
    admin.delete_topics([topic])[topic].result(20)
    assert process.wait_until(lambda: topic not in admin.list_topics(timeout=10).topics, 20, 0.2)
    configs = topics.BY_NAME[topic].configs()
    admin.create_topics([NewTopic(topic, PARTITIONS, 1, config=configs)])[topic].result(20)
    assert process.wait_until(lambda: not broker_topics.verify(config), 20, 0.2)


def read_all(config: Config, topic: str) -> list[Any]:
    """Every record of the user's partition."""
    async def read() -> list[Any]:
        tp, found = TopicPartition(topic, AT), []
        async with AIOKafkaConsumer(bootstrap_servers=config.kafka_bootstrap, auto_offset_reset="earliest") as consumer:
            consumer.assign([tp])
            end = (await consumer.end_offsets([tp]))[tp]
            while await consumer.position(tp) < end:
                found += (await consumer.getmany(tp, timeout_ms=500)).get(tp, [])
        return found

    return asyncio.run(read())


def committed(config: Config, group: str = "") -> dict[tuple[str, int], int]:
    admin = AdminClient({"bootstrap.servers": config.kafka_bootstrap})  # it answers as long as it is held
    [found] = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group or broker_topics.group(config))]).values()
    return {(tp.topic, tp.partition): tp.offset for tp in found.result(20).topic_partitions or ()}


def states(config: Config) -> list[tuple[int, int]]:
    found = [pb.UserState.FromString(record.value) for record in read_all(config, topics.ACCOUNT_STATES) if record.key == USER.encode()]
    return [(state.generation, state.version) for state in found]


def generation_of(config: Config) -> doctor.Finding:
    return doctor._generation(config)


def begun(config: Config, folder: Path) -> None:
    """Rows of the first generation: a profile, three sequenced deposits and one without a sequence."""
    profile = {"id": "p", "source": "test", "profile": {"group": "standard"}}
    inject(config, ACCOUNT_UPDATES, io.StringIO(json.dumps({"key": USER, "value": profile}) + "\n"))
    deposit(config, 1, 2, 3)
    with Worker(config, folder) as worker:
        assert worker.holds(307), worker.balance()
        assert generation_of(config) == (True, "generation", "1")


def test_a_recreated_topic_is_refused_then_migrated(broker: str, tmp_path: Path) -> None:
    first = made(broker, "moved")
    second, third = next_one(first), next_one(next_one(first))
    begun(first, tmp_path)
    recreate(first, WALLET_DELTAS)
    deposit(first, 3, 4)  # at the offsets that 1 and 2 had
    says = "topic wallet-deltas: expected the one the rows of generation 1 began with, was recreated; set MARGINSTREAM_GENERATION=2"
    assert says in Worker(first, tmp_path).refused()
    assert says in generation_of(first).text
    assert not generation_of(first).ok
    assert "expected 1, with which the rows were written, was 2; 'marginstream migrate'" in Worker(second, tmp_path).refused()
    with pytest.raises(StackError, match="expected a MARGINSTREAM_GENERATION above 1, which the rows have, was 1"):
        moving.migrate(first)
    assert moving.migrate(second) == "1 rows of generation 1 copied into 2; wallet-deltas begins anew"
    with Worker(second, tmp_path) as worker:
        assert worker.holds(407), worker.balance()
        assert "expected 2, with which the rows were last written, was 1" in Worker(first, tmp_path).refused()
    seen = states(first)
    assert max(seen) == seen[-1]
    assert {number for number, _ in seen} == {0, 2}
    assert moving.migrate(third) == "1 rows of generation 2 copied into 3; no topic begins anew"
    assert committed(third) == committed(second) != {}
    deposit(third, 5)
    with Worker(third, tmp_path) as worker:
        assert worker.holds(507), worker.balance()
    applied = [pb.Transaction.FromString(record.value) for record in read_all(third, TRANSACTIONS)]
    assert {one.delta_id: one.balance_after for one in applied} == {
        "bank/1/s1": "100", "bank/2/s2": "200", "bank/3/s3": "300", "//lone": "307", "bank/4/s4": "407", "bank/5/s5": "507"}


def row(user: User, positions: list[int], *outputs: str) -> pb.LedgerRow:
    found = pb.LedgerRow(epoch=0, positions=positions, state=plan_of().dump(user))
    for value in outputs:
        found.outbox.add(topic=TRANSACTIONS, value=value.encode())
    return found


def plan_of() -> Any:
    return plans(Config())[0]


async def write(config: Config, topic: str, records: list[tuple[bytes, bytes]]) -> None:
    async with AIOKafkaProducer(bootstrap_servers=config.kafka_bootstrap) as producer:
        for key, value in records:
            await producer.send_and_wait(topic, value, key, partition=AT)


async def test_an_outbox_that_may_not_have_left_goes_along(broker: str) -> None:
    first = await asyncio.to_thread(made, broker, "outbox")
    second = next_one(first)
    ids = (await generation.stand(first)).now
    await generation.record(first, {**ids, WALLET_DELTAS: "another"})
    fences = [5] * len(topics.ACCOUNT_SOURCES)
    rows = {name: row(User(name, version=4), fences, f"of {name}").SerializeToString() for name in ("live:a", "live:b")}
    await write(first, broker_topics.changelog(first, "accounts"), [
        (CLAIM, b""), (b"live:a", rows["live:a"]), (SENT, (0).to_bytes(8, "big")), (b"live:b", rows["live:b"])])
    read = {TopicPartition(WALLET_DELTAS, AT): 9, TopicPartition(ACCOUNT_UPDATES, AT): 9}
    for name in ("outbox-postgres", "outbox-g1"):
        await moving._store(first, name, read)
    await asyncio.to_thread(moving.migrate, second)
    assert await asyncio.to_thread(committed, second) == {(ACCOUNT_UPDATES, AT): 9}
    assert await asyncio.to_thread(committed, first, "outbox-postgres") == {(WALLET_DELTAS, AT): 0, (ACCOUNT_UPDATES, AT): 9}
    part = await moving._read(second, plan_of(), AT)
    codec = Codec(len(fences), plan_of().dump, plan_of().load)
    found = {key: codec.decode(data) for key, data in part.rows.items() if isinstance(data, bytes)}
    assert {key: [one.value for one in it.outbox] for key, it in found.items()} == {b"live:a": [], b"live:b": [b"of live:b"]}
    assert part.unsent == {b"live:a", b"live:b"}  # every mirror learns the new generation
    for it in found.values():
        assert (it.state.generation, it.state.version) == (2, 4)
        kept = dict.fromkeys(topics.ACCOUNT_SOURCES, 5)
        assert dict(zip(topics.ACCOUNT_SOURCES, it.positions, strict=True)) == {**kept, WALLET_DELTAS: 0}


async def test_nothing_is_copied_while_a_mirror_runs_or_where_the_rows_are_gone(broker: str) -> None:
    first = await asyncio.to_thread(made, broker, "busy")
    with pytest.raises(StackError, match="was none recorded"):
        await asyncio.to_thread(moving.migrate, next_one(first))
    await generation.admit(first)
    async with AIOKafkaConsumer(WALLET_DELTAS, bootstrap_servers=broker, group_id="busy-postgres"):
        with pytest.raises(StackError, match="expected stopped workers and mirrors, was running: members in group busy-postgres"):
            await asyncio.to_thread(moving.migrate, msgspec.structs.replace(next_one(first), session_timeout_s=0.1))
    ids = (await generation.stand(first)).now
    await generation.record(first, {**ids, broker_topics.changelog(first, "orders"): "another"})
    with pytest.raises(StackError, match="busy-g1-orders-changelog: expected the one the rows were written to, was"):
        await asyncio.to_thread(moving.migrate, next_one(first))
    with pytest.raises(StackError, match=r"busy-g1-orders-changelog: .*was recreated: they are gone"):
        await generation.admit(first)
