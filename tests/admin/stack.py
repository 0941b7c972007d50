"""The whole money path as real processes on real servers: killed with SIGKILL, started again, servers taken away and brought back."""

import os
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from streams.bridges.migrate import migrate
from streams.config import PREFIX, Config
from streams.stack import process, supervisor, topics
from streams.stack.process import Command, Running, StackError
from tests.chaos.servers import Servers

PARTS = {"worker": ("worker",), "relay": ("bridge", "relay"), "postgres": ("bridge", "postgres"), "redis": ("bridge", "redis"),
         "admin": ("admin",), "grpc": ("grpc",)}
SERVERS = ("redis-server", "postgres-server", "kafka-1")
READY_S = 120.0
AWAY_S = 2.0  # at most, a server


class MoneyStack:
    """Processes by the names of `PARTS`. `struck` counts what befell whom."""

    def __init__(self, folder: Path, servers: Servers) -> None:
        self._folder, self.servers = folder, servers
        self._ports = dict(zip(("worker", "admin", "grpc"), process.free_ports(3), strict=True))
        self.config = Config(
            kafka_bootstrap=servers.kafka.bootstrap, redis_url=servers.redis_url, postgres_dsn=servers.postgres_dsn, partitions=2,
            data_dir=str(folder / "data"), session_timeout_s=3, web_port=self._ports["worker"], admin_port=self._ports["admin"],
            grpc_port=self._ports["grpc"], worker_instance_id="money", worker_urls=self.url("worker"), app_id="money",
            audit_s=3.0)
        self._running: dict[str, Running] = {}
        self.struck: Counter[str] = Counter()

    def url(self, name: str) -> str:
        """Of a process that speaks HTTP."""
        return f"http://127.0.0.1:{self._ports[name]}"

    @property
    def grpc_address(self) -> str:
        return f"127.0.0.1:{self._ports['grpc']}"

    def start(self, name: str) -> None:
        """One process, its log goes on."""
        env = {PREFIX + field.upper(): str(value) for field, value in msgspec.structs.asdict(self.config).items()}
        words = [sys.executable, "-m", "streams", *PARTS[name]]
        self._running[name] = process.start(Command(name, words, {**os.environ, **env, "PYTHONUNBUFFERED": "1"}), self._folder / "logs")

    def befall(self, seconds: float, dice: random.Random) -> None:
        """One blow after the other for so long: processes by SIGKILL, servers taken away; each in its turn, and back soon."""
        until, names = time.monotonic() + seconds, list[str]()
        while time.monotonic() < until:
            time.sleep(dice.uniform(0.1, 0.7))
            names = names or dice.sample([*PARTS, *SERVERS], len(PARTS) + len(SERVERS))
            if (name := names.pop()) in SERVERS:
                self.struck[f"{name} away"] += 1
                self.servers.take_away(name.removesuffix("-server"), "pause", dice.uniform(0.3, AWAY_S))
            else:
                self.struck[f"{name} killed"] += 1
                process.kill(self._running[name])
                time.sleep(dice.uniform(0.0, 0.5))
                self.start(name)

    def whole(self) -> None:
        """Returns when everything runs and is ready; raises `StackError`. Who ended by himself is started again, and counted."""
        def healed() -> bool:
            for name in [name for name, one in self._running.items() if not process.alive(one)]:
                self.struck[f"{name} ended by itself"] += 1
                self.start(name)
            is_ready = all(supervisor.ready(self._ports[name]) for name in ("worker", "admin"))
            return is_ready and process.accepts(self._ports["grpc"])

        if not process.wait_until(healed, READY_S, 0.5):
            raise StackError("; ".join(process.log_end(one) for one in self._running.values()))

    def stop(self) -> None:
        for one in self._running.values():
            process.kill(one)


@contextmanager
def money_stack(folder: Path) -> Iterator[MoneyStack]:
    """Servers, topics, schema and processes, ready; stopped at the end. Raises `StackError`."""
    servers = Servers(folder, 1)
    try:
        servers.start()
        stack = MoneyStack(folder, servers)
        topics.create(stack.config)
        migrate(stack.config.postgres_dsn)
        try:
            for name in PARTS:
                stack.start(name)
            stack.whole()
            yield stack
        finally:
            stack.stop()
    finally:
        servers.stop()
