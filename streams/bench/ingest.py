"""`bench ingest`: private streams through real sockets to acknowledged facts on a real broker, and what idle accounts hold in memory.

Frames are made before the clock runs and sent by the simulated venue from a process of its own. An event is a frame. A rate is kept where
every fact of every frame is in Kafka once, soon after the last frame left, and p99 is below a second.
"""

import asyncio
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from confluent_kafka import Consumer, TopicPartition

from schemas import names
from streams.bench.measure import cpu_s, rss_kib
from streams.bench.systems import started
from streams.bench.workload import SEED
from streams.bridges.migrate import migrate
from streams.config import PREFIX, Config
from streams.stack import process
from streams.stack.kafka import start_kafka
from streams.stack.postgres import remove_data, start_postgres
from streams.stack.process import Command, Running, StackError
from streams.stack.topics import create
from streams.venues import accounts as store
from streams.venues.accounts import NewAccount
from streams.venues.secret import Secret
from streams.venues.vault import Vault, vault_file, with_key
from streams.venues.venue import Credentials

FACTS = (names.ORDER_UPDATES, names.POSITION_UPDATES, names.BALANCE_UPDATES, names.VENUE_MARGIN_CALLS, names.ACCOUNT_CONFIG)
_WAIT_S, _LAG_S, _P99_MS, _IDLE_S = 300.0, 2.0, 1_000.0, 15.0
Figures = dict[str, object]


class Venue:
    """The simulated venue's process."""

    def __init__(self, accounts: int, frames: int) -> None:
        words = [sys.executable, "-m", "streams.bench.ingest_venue", str(accounts), str(frames), str(SEED)]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.said = self._read()

    def _read(self) -> Any:
        assert self.process.stdout is not None
        if not (line := self.process.stdout.readline()):
            raise StackError("bench ingest: expected a venue, was a dead process")
        return json.loads(line)

    def send(self, rate: float, seconds: float) -> Any:
        """Sends frames at the rate; what was sent."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{rate} {seconds}\n")
        self.process.stdin.flush()
        return self._read()

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(30)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


class Bench(NamedTuple):
    """What runs."""

    config: Config
    venue: Venue
    ingest: Running
    broker: int
    figures: Path

    def until_live(self, accounts: int) -> None:
        with psycopg.connect(self.config.postgres_dsn, autocommit=True) as connection:
            query = "SELECT count(*) FROM exchange_accounts WHERE stream_status = 'live'"
            if not process.wait_until(lambda: (connection.execute(query).fetchone() or (0,))[0] == accounts, _WAIT_S, 0.5):
                raise StackError(f"bench ingest: expected {accounts} accounts live; {process.log_end(self.ingest, 20)}")

    def facts(self) -> int:
        """In Kafka so far."""
        consumer = Consumer({"bootstrap.servers": self.config.kafka_bootstrap, "group.id": "bench"})
        try:
            parts = [TopicPartition(topic, at) for topic in FACTS for at in range(self.config.partitions)]
            return sum(consumer.get_watermark_offsets(part, 10)[1] for part in parts)
        finally:
            consumer.close()

    def quantiles(self) -> Mapping[str, float]:
        """Of socket to acknowledgement, since the last time."""
        before = len(_lines(self.figures))
        process.send(self.ingest, signal.SIGUSR1)
        process.wait_until(lambda: len(_lines(self.figures)) > before, 10)
        found: Mapping[str, float] = json.loads(_lines(self.figures)[-1])
        return found


def _lines(file: Path) -> Sequence[str]:
    return file.read_text().splitlines() if file.exists() else []


@contextmanager
def running(accounts: int, frames: int, profile: str = "") -> Iterator[Bench]:
    """A broker, a database, the venue and an ingestion process without accounts."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="marginstream-bench-", ignore_cleanup_errors=True)))
        kafka = start_kafka(folder / "kafka")
        stack.callback(kafka.stop)
        dsn, server = start_postgres(folder / "postgres")
        stack.callback(remove_data, folder / "postgres")
        stack.callback(process.stop, server)
        migrate(dsn)
        venue = Venue(accounts, frames)
        stack.callback(venue.close)
        hosts = f"binance_usdm={venue.said['rest']}|{venue.said['ws']}"
        config = Config(kafka_bootstrap=kafka.bootstrap, postgres_dsn=dsn, data_dir=str(folder), venue_hosts=hosts, worker_name="bench")
        create(config)
        with_key(vault_file(config))
        said = {PREFIX + name.upper(): str(getattr(config, name)) for name in Config.__struct_fields__}
        words = [sys.executable, "-m", "streams.bench.ingest_process", str(folder / "figures"), *filter(None, [profile])]
        ingest = stack.enter_context(started(Command("ingest", words, said), folder / "logs"))
        if not process.wait_until((folder / "run" / "ingest-bench.url").exists, 60):
            raise StackError(f"bench ingest: expected a process that serves, was none; {process.log_end(ingest, 20)}")
        yield Bench(config, venue, ingest, kafka.running[1].pid, folder / "figures")


async def _register(config: Config, accounts: Sequence[Mapping[str, str]]) -> None:
    vault = Vault(vault_file(config))
    async with await psycopg.AsyncConnection.connect(config.postgres_dsn) as connection:
        for at, one in enumerate(accounts):
            await store.add(connection, vault, NewAccount(f"live:{at}", one["name"], one["venue"]),
                            Credentials(Secret(one["key"]), Secret(one["secret"])))


def load(accounts: int, rates: Sequence[int], seconds: float, profile: str = "") -> Iterator[Figures]:
    """A line a rate, the lowest first."""
    with running(accounts, int(sum(rates) * seconds), profile) as bench:
        asyncio.run(_register(bench.config, bench.venue.said["accounts"]))
        bench.until_live(accounts)
        time.sleep(3)
        bench.quantiles()
        for rate in sorted(rates):
            yield _at(bench, rate, seconds)


def _at(bench: Bench, rate: int, seconds: float) -> Figures:
    pids = {"ingest": bench.ingest.pid, "broker": bench.broker, "venue": bench.venue.process.pid}
    before, spent, began = bench.facts(), {name: cpu_s(pid) for name, pid in pids.items()}, time.monotonic()
    said = bench.venue.send(rate, seconds)
    ended = time.monotonic()
    process.wait_until(lambda: bench.facts() >= before + said["facts"], 60, 0.1)
    behind_s = time.monotonic() - ended
    took = time.monotonic() - began
    cores = {f"{name}_cores": round((cpu_s(pid) - spent[name]) / took, 3) for name, pid in pids.items()}
    lost, found = before + said["facts"] - bench.facts(), bench.quantiles()
    kept = lost == 0 and behind_s < _LAG_S and found.get("p99_ms", 1e9) < _P99_MS and said["took_s"] < seconds * 1.05
    return {"run": "load", "accounts": said["connections"], "rate": rate, "seconds": seconds, "frames": said["sent"],
            "facts": said["facts"], "events_per_s": round(said["sent"] / said["took_s"]), "lost": lost, "behind_s": round(behind_s, 2),
            "kept": kept, **found, **cores, "cpu_us_per_event": round(cores["ingest_cores"] * took / said["sent"] * 1e6, 1),
            "rss_mib": round(rss_kib(bench.ingest.pid) / 1024, 1)}


def idle(accounts: int) -> Figures:
    """What one process holds with so many accounts that are live and told nothing."""
    with running(accounts, 0) as bench:
        time.sleep(3)
        before = rss_kib(bench.ingest.pid)
        asyncio.run(_register(bench.config, bench.venue.said["accounts"]))
        began = time.monotonic()
        bench.until_live(accounts)
        live_s = time.monotonic() - began
        time.sleep(_IDLE_S)
        spent, at = cpu_s(bench.ingest.pid), time.monotonic()
        time.sleep(_IDLE_S)
        cores = (cpu_s(bench.ingest.pid) - spent) / (time.monotonic() - at)
        after = rss_kib(bench.ingest.pid)
        return {"run": "idle", "accounts": accounts, "rss_mib_without": round(before / 1024, 1), "rss_mib": round(after / 1024, 1),
                "kib_per_account": round((after - before) / accounts, 1), "live_after_s": round(live_s, 1), "cores": round(cores, 3)}
