"""The stack on real servers: up, addresses, topics, a death seen, down, and up again with what was stored."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psycopg
import pytest
import redis
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, ConfigResource  # type: ignore[attr-defined]

from schemas.keys import partition_of
from streams.config import Config
from streams.stack import process, supervisor, topics
from streams.stack.process import StackError


class Stack:
    """Commands in a data folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {key: value for key, value in os.environ.items() if not key.startswith("MARGINSTREAM_") or key.endswith("_CACHE")}
        self.env["MARGINSTREAM_DATA_DIR"] = str(folder)

    def run(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "streams", *words]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, env=self.env, check=False)

    def addresses(self) -> dict[str, str]:
        return dict(line.split("=", 1) for line in (self.folder / "env").read_text().splitlines())

    def config(self) -> Config:
        return supervisor.located(Config(data_dir=str(self.folder)))


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    found = Stack(tmp_path_factory.mktemp("up"))
    done = found.run("up", "--bare")
    if "expected Java" in done.stderr:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    yield found
    found.run("down", "--forget")


def test_what_is_written_down_answers(stack: Stack) -> None:
    found = stack.addresses()
    assert redis.Redis.from_url(found["MARGINSTREAM_REDIS_URL"]).ping()
    with psycopg.connect(found["MARGINSTREAM_POSTGRES_DSN"]) as connection:
        assert connection.execute("SELECT count(*) FROM orders").fetchone() == (0,)
    assert all(value.startswith(("127.0.0.1:", "redis://127.0.0.1:", "postgresql://marginstream@127.0.0.1:"))
               for key, value in found.items() if key.endswith(("BOOTSTRAP", "URL", "DSN")))


def test_every_topic_has_its_partitions_and_settings(stack: Stack) -> None:
    admin = AdminClient({"bootstrap.servers": stack.addresses()["MARGINSTREAM_KAFKA_BOOTSTRAP"]})
    there = admin.list_topics(timeout=10).topics
    for topic in topics.wanted(stack.config()):
        assert len(there[topic.name].partitions) == topic.partitions
    for name in ("price-ticks", "account-states", "marginstream-g1-accounts-changelog"):
        resource = ConfigResource(ConfigResource.Type.TOPIC, name)
        configs = admin.describe_configs([resource])[resource].result()
        [wanted] = [topic for topic in topics.wanted(stack.config()) if topic.name == name]
        assert {key: configs[key].value for key in wanted.configs} == wanted.configs


def test_a_second_up_is_refused_while_the_first_runs(stack: Stack) -> None:
    done = stack.run("up", "--bare")
    assert (done.returncode, "was running: kafka-1, redis, postgres" in done.stderr) == (1, True)


def test_an_injected_record_lies_where_other_clients_put_it(stack: Stack) -> None:
    bootstrap = stack.addresses()["MARGINSTREAM_KAFKA_BOOTSTRAP"]
    where: list[int | None] = []
    producer = Producer({"bootstrap.servers": bootstrap, "partitioner": "murmur2_random"})
    keys = [f"live:{number}" for number in range(40)]
    for key in keys:
        producer.produce("margin-checks", b"", key, on_delivery=lambda error, record: where.append(record.partition()))
        producer.flush()
    assert where == [partition_of(key.encode(), 4) for key in keys]
    lines = "".join(json.dumps({"key": key, "value": {"id": key, "amount": "1"}}) + "\n" for key in keys)
    done = stack.run("inject", "wallet-deltas", stdin=lines)
    assert (done.returncode, done.stderr.strip()) == (0, "40 records on wallet-deltas")
    doctor = stack.run("doctor")
    assert "ok   partitioning: 40 newest records" in doctor.stdout
    assert doctor.returncode == 0, doctor.stdout


def test_a_producer_that_partitions_otherwise_is_found(stack: Stack) -> None:
    bootstrap = stack.addresses()["MARGINSTREAM_KAFKA_BOOTSTRAP"]
    producer = Producer({"bootstrap.servers": bootstrap})
    wrong = (partition_of(b"live:7", 4) + 1) % 4
    producer.produce("account-updates", b"", b"live:7", partition=wrong)
    producer.flush()
    done = stack.run("doctor")
    assert (done.returncode, "FAIL partitioning: expected murmur2 of the key, was another on account-updates" in done.stdout) == (1, True)


def test_a_wrong_count_is_a_clear_refusal(stack: Stack) -> None:
    config = stack.config()
    with pytest.raises(StackError, match="topic wallet-deltas: expected 8 partitions, was 4"):
        topics.create(msgspec.structs.replace(config, partitions=8, app_id="other"))


def test_a_death_is_shown_and_a_second_start_remembers(stack: Stack) -> None:
    [server] = [one for one in supervisor.load_state(stack.config()).running if one.name == "redis"]
    redis.Redis.from_url(stack.addresses()["MARGINSTREAM_REDIS_URL"]).set("kept", "1")
    redis.Redis.from_url(stack.addresses()["MARGINSTREAM_REDIS_URL"]).save()
    process.kill(server)
    done = stack.run("status")
    assert (done.returncode, "redis            DOWN" in done.stdout) == (1, True)
    before = stack.addresses()
    assert stack.run("down").stdout.strip() == "stopped postgres, kafka-1"
    stack.env |= before  # who sourced `env` still means these servers
    began = time.monotonic()
    again = stack.run("up", "--bare")
    assert (again.returncode, "from the environment" in again.stdout) == (0, False), again.stderr
    print(f"second start: {time.monotonic() - began:.1f} s")  # a busy machine is no failure
    assert stack.addresses() == before
    assert redis.Redis.from_url(before["MARGINSTREAM_REDIS_URL"]).get("kept") == b"1"
    assert topics.verify(stack.config()) == []
