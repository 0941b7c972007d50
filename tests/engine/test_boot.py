"""A worker that cannot do its work does not stay: topics of another shape, a membership that was taken over."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import GroupAuthorizationFailedError, KafkaError
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from streams.config import PREFIX, Config, load
from streams.engine import boot
from streams.stack import process, supervisor, topics
from streams.stack.kafka import Kafka, start_kafka
from streams.stack.process import Command, StackError

ROOT = Path(__file__).resolve().parents[2]
WORKER = [sys.executable, "-m", "streams", "worker"]


def test_a_worker_refuses_topics_with_another_partition_count(kafka: str, tmp_path: Path) -> None:
    app_id = f"boot-{uuid.uuid4().hex[:8]}"
    changelog = f"{app_id}-g1-accounts-changelog"
    admin = AdminClient({"bootstrap.servers": kafka})
    admin.create_topics([NewTopic(changelog, 2, 1)])[changelog].result(20)
    env = {**os.environ, "MARGINSTREAM_KAFKA_BOOTSTRAP": kafka, "MARGINSTREAM_APP_ID": app_id, "MARGINSTREAM_PARTITIONS": "7",
           "MARGINSTREAM_DATA_DIR": str(tmp_path), "TMPDIR": str(tmp_path)}
    done = subprocess.run(WORKER, env=env, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith("marginstream worker: ")
    assert f"topic {changelog}: expected 7 partitions, was 2" in done.stderr.strip().splitlines()[-1]
    groups = admin.list_consumer_groups().result(10).valid
    assert app_id not in " ".join(group.group_id for group in groups)  # it read nothing
    assert not list(tmp_path.iterdir())  # and left nothing


class Coordinator:
    """As aiokafka's, after what happened."""

    def __init__(self, *, pending: Exception | None = None, raised: Exception | None = None, closed: bool = False) -> None:
        loop = asyncio.get_running_loop()
        self._coordination_task, self._closing = loop.create_future(), loop.create_future()
        self._pending_exception = pending
        if raised:
            self._coordination_task.set_exception(raised)
        if closed:
            self._closing.set_result(None)


@pytest.mark.parametrize(("happened", "says"), [
    ({}, None), ({"raised": KafkaError("no"), "closed": True}, None),
    ({"raised": KafkaError("of another URL")}, "consumer group: expected a membership, was KafkaError: of another URL"),
    ({"pending": GroupAuthorizationFailedError("engine")}, "GroupAuthorizationFailedError: engine"),
])
async def test_what_ended_a_membership_is_said(happened: dict[str, Any], says: str | None) -> None:
    found = boot._coordinator_error(SimpleNamespace(_coordinator=Coordinator(**happened)))
    assert (found is None) == (says is None)
    assert says is None or says in str(found)


def test_a_consumer_not_yet_started_is_no_error() -> None:
    assert boot._coordinator_error(None) is None


ENDS = """
import concurrent.futures, sys, time
from types import SimpleNamespace
from mode.threads import WorkerThread
from streams import worker
how = sys.argv[1]
def ended():
    if how == "hangs":
        worker.app.stopped_by = RuntimeError("why it stopped")
        WorkerThread(SimpleNamespace(_start_thread=lambda: time.sleep(300))).start()
    concurrent.futures.ThreadPoolExecutor().submit(print)  # a pool's threads end with the interpreter
    raise SystemExit(0)
worker.app.main = ended
worker.main()
"""


@pytest.mark.parametrize(("how", "code", "says"), [("hangs", 1, "marginstream worker: why it stopped"), ("well", 0, "")])
def test_a_thread_that_does_not_end_keeps_no_worker_alive(how: str, code: int, says: str) -> None:
    """aiokafka's own, where a worker was refused while its broker was away: nobody started the worker again."""
    done = subprocess.run([sys.executable, "-c", ENDS, how], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr.strip().rpartition("\n")[2]) == (code, says)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Kafka]:
    """A broker of its own: other tests make these topics in other shapes."""
    try:
        started = start_kafka(tmp_path / "kafka", cache=load().cache)
    except StackError as error:
        pytest.skip(str(error))
    yield started
    started.stop()


@pytest.fixture
def broker(cluster: Kafka) -> str:
    """Its address."""
    return cluster.bootstrap


def test_a_worker_that_the_group_refuses_ends_with_one_line(broker: str, tmp_path: Path) -> None:
    """The broker's least session timeout is a second: aiokafka keeps that answer to itself while nothing is assigned."""
    topics.create(Config(kafka_bootstrap=broker))
    env = {**os.environ, PREFIX + "KAFKA_BOOTSTRAP": broker, PREFIX + "SESSION_TIMEOUT_S": "0.5", PREFIX + "DATA_DIR": str(tmp_path),
           PREFIX + "LOG_FORMAT": "json", PREFIX + "WEB_PORT": str(process.free_ports(1)[0])}
    done = subprocess.run(WORKER, env=env, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    *logged, last = done.stderr.strip().splitlines()
    assert "InvalidSessionTimeoutError" in last
    assert "worker-0" in {json.loads(line)["process"] for line in logged if line.startswith("{")}


def test_a_worker_whose_name_another_holds_ends_with_one_line(broker: str, tmp_path: Path) -> None:
    """Faust refuses the assignment of a static member that had another URL; such a worker used to stay, alive and never ready."""
    topics.create(Config(kafka_bootstrap=broker))
    ports = process.free_ports(2)
    env = {PREFIX + "KAFKA_BOOTSTRAP": broker, PREFIX + "WORKER_INSTANCE_ID": "same", PREFIX + "DATA_DIR": str(tmp_path)}
    first, second = (Command(f"worker-{at}", WORKER, {**env, PREFIX + "WEB_PORT": str(port)}) for at, port in enumerate(ports))
    holder = process.start(first, tmp_path)
    try:
        assert process.wait_until(lambda: supervisor.ready(ports[0]), 120, 0.2), process.log_end(holder, 20)
        done = subprocess.run(WORKER, env={**os.environ, **(second.env or {})}, cwd=ROOT, capture_output=True, text=True, timeout=120,
                              check=False)
    finally:
        process.kill(holder)
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith("marginstream worker: consumer group: expected a membership, was ")


def test_a_worker_without_a_broker_ends_when_it_is_told_to(cluster: Kafka, tmp_path: Path) -> None:
    """aiokafka asks for its coordinator no more once it closes, and what waits for one waits for ever: so did the worker."""
    topics.create(Config(kafka_bootstrap=cluster.bootstrap))
    [port] = process.free_ports(1)
    env = {PREFIX + "KAFKA_BOOTSTRAP": cluster.bootstrap, PREFIX + "DATA_DIR": str(tmp_path), PREFIX + "WEB_PORT": str(port)}
    worker = process.start(Command("worker-0", WORKER, env), tmp_path)
    try:
        assert process.wait_until(lambda: supervisor.ready(port), 120, 0.2), process.log_end(worker, 20)
        for node in cluster.running.values():
            process.kill(node)
        process.send(worker, signal.SIGTERM)
        assert process.wait_until(lambda: not process.alive(worker), 60, 0.2), process.log_end(worker, 20)
    finally:
        process.kill(worker)


@pytest.mark.parametrize(("settings", "expected"), [
    ({}, "http://127.0.0.1:6066"),
    ({"web_port": 7000}, "http://127.0.0.1:7000"),
    ({"web_host": "0.0.0.0", "web_url": "http://worker-1:6066"}, "http://worker-1:6066"),
])
def test_a_worker_is_found_by_the_address_that_others_reach(settings: dict[str, Any], expected: str) -> None:
    assert str(boot.create_faust(Config(**settings)).conf.canonical_url) == expected
