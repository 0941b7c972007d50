"""A cluster for chaos: real servers, two workers and two bridges as processes that can be killed, ended and started again."""

import sys
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from streams.bridges.migrate import migrate
from streams.config import PREFIX, Config, load
from streams.stack import process, supervisor, topics
from streams.stack.kafka import start_kafka
from streams.stack.postgres import remove_data, start_postgres
from streams.stack.process import Command, Running
from streams.stack.redis import start_redis

WORKERS = ("worker-0", "worker-1")
BRIDGES = ("bridge-postgres", "bridge-redis")
Words = Sequence[str | Path]


class Cluster:
    """Processes by name; `worker` are the words that start one after the interpreter."""

    def __init__(self, config: Config, folder: Path, worker: Words) -> None:
        self.config, self._folder = config, folder
        self.ports = dict(zip(WORKERS, process.free_ports(len(WORKERS)), strict=True))
        self._words: dict[str, Words] = {
            **dict.fromkeys(WORKERS, worker), **{name: ("-m", "streams", "bridge", name.partition("-")[2]) for name in BRIDGES}}
        self._running: dict[str, Running] = {}
        self._ending: set[str] = set()  # told to end and perhaps still answering

    @property
    def dead(self) -> list[str]:
        return [name for name in self._words if name not in self._running or not process.alive(self._running[name])]

    def start(self, name: str) -> None:
        """Starts one that is dead; its log goes on."""
        values = {field: getattr(self.config, field) for field in Config.__struct_fields__}
        values |= {"worker_name": name, "web_port": self.ports.get(name, self.config.web_port)}
        env = {PREFIX + field.upper(): str(value) for field, value in values.items()}
        self._ending.discard(name)
        self._running[name] = process.start(Command(name, [sys.executable, *self._words[name]], env), self._folder / "logs")

    def strike(self, name: str, how: str) -> None:
        """`kill` = SIGKILL, gone on return; `end` = SIGTERM, not waited for."""
        if name in self._running:
            self._ending.add(name)
            (process.kill if how == "kill" else _end)(self._running[name])

    def all_ready(self) -> bool:
        """Everything lives, nothing was told to end, and no check waits."""
        return not self.dead and not self._ending and all(supervisor.ready(port) and _waiting(port) == 0 for port in self.ports.values())

    def whole(self, timeout_s: float = 60.0) -> None:
        """Starts what is dead until all is ready; raises where that does not come in time."""
        def healed() -> bool:
            for name in self.dead:
                self.start(name)
            return self.all_ready()

        if not process.wait_until(healed, timeout_s, 0.3):
            ends = " ".join(process.log_end(one) for one in self._running.values())
            raise AssertionError(f"expected all ready within {timeout_s:.0f} s, was not; {ends}")

    def stop(self) -> None:
        for one in self._running.values():
            process.kill(one)


def _end(running: Running) -> None:
    process.send(running, running.stop_signal)


def _waiting(port: int) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=3) as answer:
        lines = answer.read().decode().splitlines()
    [found] = [line for line in lines if line.startswith("marginstream_checks_waiting ")]
    return float(found.split()[1])


@contextmanager
def cluster(folder: Path, worker: Words) -> Iterator[Cluster]:
    """Servers of its own with topics and schema, and processes not yet started; all are gone after."""
    kafka = start_kafka(folder / "kafka", cache=load().cache)
    running: list[Running] = []
    made: Cluster | None = None
    try:
        redis_url, redis = start_redis(folder / "redis")
        running.append(redis)
        dsn, postgres = start_postgres(folder / "postgres")
        running.append(postgres)
        config = msgspec.structs.replace(
            Config(), kafka_bootstrap=kafka.bootstrap, redis_url=redis_url, postgres_dsn=dsn, data_dir=str(folder), session_timeout_s=2.0,
            commit_interval_s=3.0, mark_stale_ms=3_600_000, settle_ms_max=3_600_000)
        topics.create(config)
        migrate(dsn)
        made = Cluster(config, folder, worker)
        yield made
    finally:
        if made:
            made.stop()
        for one in running:
            process.stop(one)
        kafka.stop()
        remove_data(folder / "postgres")
