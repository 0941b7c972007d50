"""What a campaign of ingestion runs on: a broker, a database, the simulated venues and two ingest processes, each to be taken away."""

import asyncio
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

from streams.bridges.migrate import migrate
from streams.config import PREFIX, Config, load
from streams.stack import kafka_jars, process
from streams.stack.kafka import Kafka, start_kafka
from streams.stack.postgres import remove_data, start_postgres
from streams.stack.process import Command, Running
from streams.stack.topics import create
from streams.venues import accounts as store
from streams.venues.accounts import NewAccount
from streams.venues.secret import Secret
from streams.venues.vault import Vault, vault_file, with_key
from streams.venues.venue import Credentials

WORKERS = ("one", "two")
PING_MS = 2_000  # KuCoin's pingInterval: a dead line must show within a campaign's time
_WAIT_S = 120.0


class Size(NamedTuple):
    """Of a campaign: accounts of each venue, seconds of trading with faults, steps a second."""

    seed: int
    accounts: int
    seconds: float
    events: float = 12.0


class Field:
    """Started by `fielded`. `names` are the accounts by venue; the account numbered n of each venue belongs to user `live:n`."""

    def __init__(self, folder: Path, kafka: Kafka, dsn: str, size: Size) -> None:
        self.folder, self.kafka, self.dsn, self.size = folder, kafka, dsn, size
        self.truth_file = folder / "truth.jsonl"
        self._workers: dict[str, Running] = {}
        words = [sys.executable, "-m", "streams", "simulate", "--accounts", str(size.accounts), "--events", str(size.events),
                 "--seed", str(size.seed), "--truth", str(self.truth_file)]
        with (folder / "simulator.log").open("wb") as errors:
            self._simulator = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=errors)
        assert self._simulator.stdout is not None
        said = json.loads(self._simulator.stdout.readline())
        self._control = said["control"]
        self.do("switches", expiry_repeats=2, ping_ms=PING_MS)
        hosts = ",".join(f"{name}={urls['rest']}|{urls['ws']}" for name, urls in said["urls"].items())
        self.config = Config(kafka_bootstrap=kafka.bootstrap, postgres_dsn=dsn, data_dir=str(folder), venue_hosts=hosts)
        self.names: dict[str, list[str]] = {}
        self.given: list[dict[str, Any]] = said["accounts"]
        for one in self.given:
            self.names.setdefault(one["venue"], []).append(one["name"])

    def user_of(self, account: str) -> str:
        """One user has an account at every venue."""
        return f"live:{int(account.rpartition('-')[2])}"

    async def register(self) -> None:
        """Every account, as a user would."""
        vault = Vault(with_key(vault_file(self.config)))
        async with await psycopg.AsyncConnection.connect(self.dsn, autocommit=True) as connection:
            for one in self.given:
                await store.add(connection, vault, NewAccount(self.user_of(one["name"]), one["name"], one["venue"]),
                                Credentials(Secret(one["key"]), Secret(one["secret"]), Secret(one["passphrase"])))

    # -- the simulator ----------------------------------------------------------------------------------------------------------------

    def do(self, action: str, **said: object) -> object:
        """Something at the venues."""
        request = urllib.request.Request(f"{self._control}/{action}", json.dumps(said).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def see(self, path: str) -> Any:
        """`truth/{account}` or `time`."""
        with urllib.request.urlopen(f"{self._control}/{path}", timeout=30) as answer:
            return json.load(answer)

    def rest(self) -> None:
        """Nobody trades any more."""
        self.do("traders", per_second=0)

    # -- processes --------------------------------------------------------------------------------------------------------------------

    def start_worker(self, name: str) -> None:
        said = {"KAFKA_BOOTSTRAP": self.config.kafka_bootstrap, "POSTGRES_DSN": self.dsn, "DATA_DIR": self.config.data_dir,
                "VENUE_HOSTS": self.config.venue_hosts, "WORKER_NAME": name, "LOG_LEVEL": "INFO"}
        words = (sys.executable, "-m", "tests.venues.ingest_quick")
        self._workers[name] = process.start(Command(f"ingest-{name}", words, {PREFIX + key: value for key, value in said.items()}),
                                            self.folder / "logs")

    def kill_worker(self, name: str) -> None:
        process.kill(self._workers[name])

    def worker_lives(self, name: str) -> bool:
        return process.alive(self._workers[name])

    def owners(self) -> Mapping[str, tuple[str, int]]:
        """account -> who holds its lease, and its epoch."""
        with psycopg.connect(self.dsn) as connection:
            rows = connection.execute("SELECT account_id, worker, epoch FROM exchange_leases WHERE expires_at > now()").fetchall()
        return {account: (worker, epoch) for account, worker, epoch in rows}

    def states(self) -> Mapping[str, str]:
        """account -> state of its stream, as Postgres has it (some seconds old)."""
        with psycopg.connect(self.dsn) as connection:
            return dict(connection.execute("SELECT account_id, stream_status FROM exchange_accounts").fetchall())

    def all_live(self) -> bool:
        return self.states() == {one["name"]: "live" for one in self.given}

    def start_broker(self) -> None:
        self.kafka.start_node(1, kafka_jars.fetch(load().cache))
        self.kafka.wait(1)

    def stop(self) -> None:
        """Ends what it started."""
        for running in self._workers.values():
            process.stop(running)
        self._simulator.terminate()
        self._simulator.wait(30)
        if self._simulator.stdout is not None:
            self._simulator.stdout.close()


def until(done: Any, what: str, within_s: float = _WAIT_S) -> None:
    """Waits, generously."""
    end = time.monotonic() + within_s
    while not done():
        if time.monotonic() > end:
            raise TimeoutError(f"expected {what} within {within_s:.0f} s")
        time.sleep(0.3)


@contextmanager
def fielded(folder: Path, size: Size) -> Iterator[Field]:
    """All of it, with every account live. Raises `StackError` where there is no broker to be had."""
    folder.mkdir(parents=True, exist_ok=True)
    kafka = start_kafka(folder / "kafka", cache=load().cache)
    postgres = None
    field = None
    try:
        dsn, postgres = start_postgres(folder / "postgres")
        migrate(dsn)
        field = Field(folder, kafka, dsn, size)
        create(field.config)
        asyncio.run(field.register())
        for name in WORKERS:
            field.start_worker(name)
        until(field.all_live, "every account live")
        yield field
    finally:
        if field is not None:
            field.stop()
        if postgres is not None:
            process.stop(postgres)
        kafka.stop()
        remove_data(folder / "postgres")
