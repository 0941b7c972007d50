"""An Apache Kafka of the stack, one node or three: JVM processes on the fetched jars, else one container."""

import base64
import hashlib
import shutil
import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path

import msgspec

from streams.stack import kafka_jars, process
from streams.stack.process import Command, Running, StackError

JVM = ["-Xms256m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"]
LOG4J = """status=warn
appender.o.type=Console
appender.o.name=O
appender.o.layout.type=PatternLayout
appender.o.layout.pattern=[%d] %p %m (%c)%n
rootLogger.level=warn
rootLogger.appenderRef.o.ref=O
"""
IMAGE = f"apache/kafka:{kafka_jars.VERSION}"


class Nodes(msgspec.Struct, frozen=True):
    """Of a cluster, kept between starts: its id and the ports of its nodes."""

    cluster_id: str
    ports: tuple[int, ...]
    controller_ports: tuple[int, ...]


class Kafka:
    """A cluster in `directory`; node numbers count from 1. `running` holds each node's process."""

    def __init__(self, directory: Path, nodes: Nodes, running: dict[int, Running]) -> None:
        self.directory = directory
        self.nodes = nodes
        self.running = running

    @property
    def bootstrap(self) -> str:
        return ",".join(f"127.0.0.1:{port}" for port in self.nodes.ports)

    def start_node(self, number: int, jars: Path) -> None:
        """Starts one node; returns at once. `wait` says when it listens."""
        home = self.directory / f"node-{number}"
        words: list[str | Path] = ["java", *JVM, f"-Dlog4j2.configurationFile={home}/log4j2.properties", f"-Dkafka.logs.dir={home}",
                                   "-cp", f"{jars}/*", "kafka.Kafka", home / "server.properties"]
        self.running[number] = process.start(Command(f"kafka-{number}", words), self.directory.parent / "logs")

    def wait(self, number: int) -> None:
        """Returns when the node accepts connections; raises `StackError`."""
        process.wait_port(self.nodes.ports[number - 1], self.running[number], 90)

    def stop_node(self, number: int) -> None:
        process.stop(self.running[number], 30)

    def kill_node(self, number: int) -> None:
        process.kill(self.running[number])

    def stop(self) -> None:
        """Asks all nodes at once: a quorum that loses its members one by one waits for them."""
        for running in self.running.values():
            process.send(running, running.stop_signal)
        for running in self.running.values():
            process.stop(running, 10)


def start_kafka(directory: Path, nodes: int = 1, cache: str = "", say: Callable[[str], None] = print) -> Kafka:
    """A cluster on 127.0.0.1 with its data in `directory`; `nodes` 1 or 3. Raises `StackError` naming what to install."""
    directory.mkdir(parents=True, exist_ok=True)
    if shutil.which("java") and (kafka_jars.fetched(cache) or shutil.which("mvn")):
        return _start_jvms(directory, nodes, kafka_jars.fetch(cache, say))
    if nodes == 1 and has_container_engine():
        return _start_container(directory, say)
    raise StackError("kafka: expected Java 17 and Maven, or a running container engine, was neither; install one of them, "
                     "or set MARGINSTREAM_KAFKA_BOOTSTRAP")


def has_container_engine() -> bool:
    """Whether `docker` is there and its engine answers."""
    if not shutil.which("docker"):
        return False
    try:
        return subprocess.run(["docker", "info"], capture_output=True, check=False, timeout=10).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def _start_jvms(directory: Path, count: int, jars: Path) -> Kafka:
    nodes = _nodes(directory, count)
    kafka = Kafka(directory, nodes, {})
    for number in range(1, count + 1):
        home = directory / f"node-{number}"
        home.mkdir(exist_ok=True)
        (home / "log4j2.properties").write_text(LOG4J)
        (home / "server.properties").write_text(_properties(number, nodes, home))
        if not (home / "data" / "meta.properties").exists():
            _format(home, nodes.cluster_id, jars)
    try:
        for number in range(1, count + 1):
            kafka.start_node(number, jars)
        for number in range(1, count + 1):
            kafka.wait(number)
    except StackError:
        kafka.stop()
        raise
    return kafka


def _nodes(directory: Path, count: int) -> Nodes:
    """Those of the last start where every port is free, else the same cluster on new ports."""
    stored = directory / "nodes.json"
    last = msgspec.json.decode(stored.read_bytes(), type=Nodes) if stored.exists() else None
    if last and len(last.ports) != count:
        raise StackError(f"kafka: expected {len(last.ports)} nodes as {directory} was formatted, was {count}")
    if last and all(process.bindable(port) for port in (*last.ports, *last.controller_ports)):
        return last
    ports = process.free_ports(2 * count)
    cluster_id = last.cluster_id if last else "M" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[1:22]
    nodes = Nodes(cluster_id, tuple(ports[:count]), tuple(ports[count:]))
    stored.write_bytes(msgspec.json.encode(nodes))
    return nodes


def _format(home: Path, cluster_id: str, jars: Path) -> None:
    words = ["java", *JVM, f"-Dlog4j2.configurationFile={home}/log4j2.properties", "-cp", f"{jars}/*", "kafka.tools.StorageTool", "format",
             "-t", cluster_id, "-c", str(home / "server.properties"), "-g"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise StackError(f"kafka: expected its storage formatted, was: {(done.stdout + done.stderr).strip()[-400:]}")


def _properties(number: int, nodes: Nodes, home: Path) -> str:
    count = len(nodes.ports)
    replication, in_sync = min(3, count), max(1, min(3, count) - 1)
    port, controller = nodes.ports[number - 1], nodes.controller_ports[number - 1]
    settings = {
        "process.roles": "broker,controller",
        "node.id": number,
        "controller.quorum.voters": ",".join(f"{at}@127.0.0.1:{one}" for at, one in enumerate(nodes.controller_ports, 1)),
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "log.dirs": home / "data",
        "default.replication.factor": replication,
        "min.insync.replicas": in_sync,
        "offsets.topic.replication.factor": replication,
        "offsets.topic.num.partitions": 8,
        "transaction.state.log.replication.factor": replication,
        "transaction.state.log.min.isr": in_sync,
        "transaction.state.log.num.partitions": 8,
        "share.coordinator.state.topic.replication.factor": replication,
        "share.coordinator.state.topic.min.isr": in_sync,
        "group.initial.rebalance.delay.ms": 0,  # a worker that joins need not wait for others
        "group.min.session.timeout.ms": 1000,
        "broker.session.timeout.ms": 6000,
        "broker.heartbeat.interval.ms": 1000,
        "auto.create.topics.enable": "false",  # a misspelt topic is an error, not a topic
        "log.cleaner.backoff.ms": 1000,
        "num.network.threads": 2,
        "num.io.threads": 2,
    }
    return "".join(f"{name}={value}\n" for name, value in settings.items())


def _start_container(directory: Path, say: Callable[[str], None]) -> Kafka:
    """One node in a container, its data in a named volume of the engine."""
    port = process.keep_port(directory / "port")
    name = f"marginstream-{hashlib.sha256(str(directory.resolve()).encode()).hexdigest()[:12]}"
    settings = {
        "KAFKA_NODE_ID": "1", "KAFKA_PROCESS_ROLES": "broker,controller", "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:29093",
        "KAFKA_LISTENERS": "PLAINTEXT://0.0.0.0:9092,CONTROLLER://localhost:29093",
        "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://127.0.0.1:{port}", "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT", "KAFKA_LOG_DIRS": "/var/lib/kafka/data",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1", "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1", "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
        "KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS": "1000"}
    say(f"starting {IMAGE} in a container (the engine fetches the image once)")
    flags = [word for key, value in settings.items() for word in ("-e", f"{key}={value}")]
    words = ["docker", "run", "--rm", "--name", name, "-p", f"127.0.0.1:{port}:9092", "-v", f"{name}:/var/lib/kafka/data", *flags, IMAGE]
    kafka = Kafka(directory, Nodes("", (port,), ()), {1: process.start(Command("kafka-1", words), directory.parent / "logs")})
    process.wait_port(port, kafka.running[1], 300)
    return kafka
