"""A cluster for chaos: real servers, workers and bridges as processes that can be killed, ended, paused and started again."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from streams.bridges.migrate import migrate
from streams.config import PREFIX, Config
from streams.stack import process, supervisor, topics
from streams.stack.postgres import remove_data
from tests.chaos.servers import Servers

EXTRA = "worker-extra"
Words = Sequence[str | Path]
REFUSED = ("Fenced", "FencedInstanceId", "UnknownMemberId", "IllegalGeneration")  # how a replaced owner ends


def owned_at(port: int) -> set[int]:
    """The partitions of which the worker at a web port shows how far it is."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=3) as answer:
        return {int(number) for number in re.findall(r'^marginstream_lag{partition="(\d+)"', answer.read().decode(), re.MULTILINE)}


class Shape(NamedTuple):
    """What a run is made of; `worker` are the words that start one after the interpreter."""

    worker: Words = ("-m", "streams", "worker")
    workers: int = 2
    bridges: int = 1  # of each kind
    brokers: int = 1
    static: bool = False

    @property
    def worker_names(self) -> list[str]:
        return [f"worker-{at}" for at in range(self.workers)]

    @property
    def bridge_names(self) -> list[str]:
        return [f"bridge-{kind}-{at}" for kind in ("postgres", "redis") for at in range(self.bridges)]


class Cluster:
    """Processes by name. `ended` counts how they ended, `faults` are the ends nobody asked for."""

    def __init__(self, config: Config, folder: Path, shape: Shape, servers: Servers) -> None:
        self.config, self.shape, self.servers = config, shape, servers
        self._folder = folder
        workers = [*shape.worker_names, EXTRA]
        self.ports = dict(zip(workers, process.free_ports(len(workers)), strict=True))
        self.wanted = [*shape.worker_names, *shape.bridge_names]
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._asked: dict[str, str] = {}  # how a process was struck
        self._resume_s: dict[str, float] = {}  # paused ones
        self._log_from: dict[str, int] = {}
        self.ended: Counter[str] = Counter()
        self.faults: list[str] = []
        self.skipped: dict[int, float] = {}  # by pid, as last told

    @property
    def pause_s(self) -> float:
        return 2 * self.config.session_timeout_s

    @property
    def dead(self) -> list[str]:
        """Those that should live and do not; notes how they ended, resumes who slept long enough."""
        for name in [name for name, at in self._resume_s.items() if time.monotonic() > at]:
            self.resume(name)
        for name, one in list(self._running.items()):
            if one.poll() is not None:
                self._note(name, int(one.returncode))
        return [name for name in self.wanted if name not in self._running]

    def start(self, name: str) -> None:
        """Starts one that is dead; its log goes on."""
        values = {field: getattr(self.config, field) for field in Config.__struct_fields__}
        values |= {"worker_name": name, "web_port": self.ports.get(name, self.config.web_port)}
        if self.shape.static and name in self.ports:
            values["worker_instance_id"] = f"{name}-{self.ports[name]}"
        env = {**os.environ, **{PREFIX + field.upper(): str(value) for field, value in values.items()}}
        words = self.shape.worker if name in self.ports else ("-m", "streams", "bridge", name.split("-")[1])
        log = self._folder / "logs" / f"{name}.log"
        log.parent.mkdir(exist_ok=True)
        with log.open("ab") as out:
            self._log_from[name] = out.tell()
            self._running[name] = subprocess.Popen([sys.executable, *map(str, words)], stdout=out, stderr=out, stdin=subprocess.DEVNULL,
                                                   start_new_session=True, env=env)
        self._asked.pop(name, None)

    def strike(self, name: str, how: str) -> bool:
        """Whether there was somebody to strike. `kill` = SIGKILL, gone on return; `end` = SIGTERM and `pause` = SIGSTOP, not waited for;
        `join` and `leave` of one more worker."""
        if how == "join":
            self.wanted = [*dict.fromkeys([*self.wanted, name])]
            if name in self.dead:
                self.start(name)
            return True
        if how == "leave":
            self.wanted = [one for one in self.wanted if one != name]
            self.resume(name)
            how = "end"
        one = self._running.get(name)
        if one is None or one.poll() is not None or name in self._resume_s:
            return False  # who sleeps sleeps on, past its session
        self._asked[name] = how
        one.send_signal({"kill": signal.SIGKILL, "end": signal.SIGTERM, "pause": signal.SIGSTOP}[how])
        if how == "pause":
            self._resume_s[name] = time.monotonic() + self.pause_s
        return True

    def resume(self, name: str) -> None:
        """SIGCONT to one that was paused."""
        if self._resume_s.pop(name, None) is not None and (one := self._running.get(name)) and one.poll() is None:
            one.send_signal(signal.SIGCONT)
            self.ended["paused, went on"] += 1

    def all_ready(self) -> bool:
        """Everything lives, nothing was told to end or sleeps, and no check waits."""
        if self.dead or self._resume_s or any(how in ("kill", "end") for name, how in self._asked.items() if name in self._running):
            return False
        return all(supervisor.ready(port) and self._waiting(name) == 0 for name, port in self.ports.items() if name in self._running)

    def told(self) -> str:
        """Who is ready, and what waits there."""
        return ", ".join(f"{name} {'ready' if supervisor.ready(port) else 'not ready'}"
                         for name, port in self.ports.items() if name in self._running)

    def whole(self, timeout_s: float = 180.0) -> None:
        """Starts what is dead until all is ready; raises where that does not come in time."""
        def healed() -> bool:
            for name in self.dead:
                self.start(name)
            return self.all_ready()

        if not process.wait_until(healed, timeout_s, 0.3):
            ends = " ".join(f"{name}: {self._said(name)[-300:]}" for name in self._running)
            raise AssertionError(f"expected all ready within {timeout_s:.0f} s, was not; {ends}")

    def stop(self) -> None:
        for one in self._running.values():
            one.kill()
            one.wait()

    def _note(self, name: str, code: int) -> None:
        """An end is right where it was asked for, or where a worker that slept or lost a broker was refused and said so."""
        del self._running[name]
        asked, said = self._asked.pop(name, ""), self._said(name)
        refused = next((word for word in REFUSED if word in said), "")
        young = asked == "end" and "Starting..." not in said  # the signal came before anybody was there to take it
        over = asked == "end" and "marginstream worker: " in said  # it had ended by itself before the signal came
        if (asked, code) in (("kill", -signal.SIGKILL), ("end", 0)) or ((young or over) and code == -signal.SIGTERM):
            self.ended[f"{asked}: {code}"] += 1
        elif code == 1 and asked and "was not delivered" in said:  # in the middle of an end or of waking up: it stops before it commits
            self.ended[f"{asked}, stopped at a hole: 1"] += 1
        elif code == 1 and refused and name in self.ports:
            self.ended[f"refused as {refused}: 1"] += 1
        elif code == 1 and self.servers.broken and name in self.ports:
            self.ended["broker away: 1"] += 1
        else:
            self.faults.append(f"{name}: expected an end as asked for ({asked or 'none'}), was exit code {code}; {said[-600:]}")

    def _said(self, name: str) -> str:
        """The log of its present run."""
        text = (self._folder / "logs" / f"{name}.log").read_bytes()
        return text[self._log_from[name]:].decode(errors="replace")

    def _waiting(self, name: str) -> float:
        found = _metrics(self.ports[name])
        self.skipped[self._running[name].pid] = found.get("marginstream_skipped_total", 0.0)
        return found["marginstream_checks_waiting"]


def _metrics(port: int) -> Mapping[str, float]:
    """Those without labels."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=3) as answer:
        lines = [line.split() for line in answer.read().decode().splitlines() if "{" not in line and not line.startswith("#")]
    return {name: float(value) for name, value in lines}


@contextmanager
def cluster(folder: Path, shape: Shape) -> Iterator[Cluster]:
    """Servers of its own with topics and schema, and processes not yet started; all are gone after."""
    servers = Servers(folder, shape.brokers)
    made: Cluster | None = None
    try:
        servers.start()
        config = msgspec.structs.replace(
            Config(), kafka_bootstrap=servers.kafka.bootstrap, redis_url=servers.redis_url, postgres_dsn=servers.postgres_dsn,
            data_dir=str(folder), session_timeout_s=2.0, commit_interval_s=3.0, mark_stale_ms=36_000_000, settle_ms_max=36_000_000,
            report_ms_max=36_000_000, replication=shape.brokers, fetch_wait_ms=100)  # a dozen idle consumers keep a machine busy
        topics.create(config)
        migrate(config.postgres_dsn)
        made = Cluster(config, folder, shape, servers)
        yield made
    finally:
        if made:
            made.stop()
        servers.stop()
        remove_data(folder / "postgres")
