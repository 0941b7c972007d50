"""`bench mirrors`: latency from the time a delta was meant to be sent to its Postgres rows and Redis key, asked of the servers themselves.

Postgres keeps the commit time of every row's last transaction (`track_commit_timestamp`) and is asked when all is over; Redis tells of
every write of a key (`notify-keyspace-events`). A row or key of a user counts once: for the user's last delta, which it must hold."""

import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec
import psycopg
import redis

from streams.bench.latency import WARM_S, collect, sending, wake
from streams.bench.measure import cores, quantiles
from streams.bench.systems import Run, started
from streams.bench.workload import Told
from streams.bridges.migrate import migrate
from streams.cache import keys
from streams.config import load
from streams.stack import process
from streams.stack.kafka import start_kafka
from streams.stack.postgres import remove_data, start_postgres
from streams.stack.process import Command, StackError
from streams.stack.redis import start_redis

_HISTORY = "SELECT delta_id, (extract(epoch FROM pg_xact_commit_timestamp(xmin)) * 1000000)::bigint FROM transactions"
_STATE = "SELECT user_key, (extract(epoch FROM pg_xact_commit_timestamp(xmin)) * 1000000)::bigint FROM users"


def mirrors(rate: int, seconds: float) -> dict[str, object]:
    """A paced run of the product with both mirrors."""
    count = int(rate * (seconds + WARM_S))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="marginstream-bench-", ignore_cleanup_errors=True)))
        kafka = start_kafka(folder / "kafka")
        stack.callback(kafka.stop)
        dsn = stack.enter_context(migrated_postgres(folder))
        url, server = start_redis(folder / "redis")
        stack.callback(process.stop, server)
        run = Run("product", kafka.bootstrap, folder, msgspec.structs.replace(load(), postgres_dsn=dsn, redis_url=url,
                                                                                   data_dir=str(folder)))
        consumer = run.consumer()
        stack.callback(consumer.close)
        worker = stack.enter_context(run.worker())
        own = [server.pid, *(stack.enter_context(started(Command(mirror, [*run.words()[:-1], "bridge", mirror], run.environment()),
                                                         folder / "logs")).pid for mirror in ("postgres", "redis"))]
        written = stack.enter_context(_keys_written(url))
        wake(run, consumer)
        with sending(run, rate, count) as sender:
            came, samples = collect(run, consumer, count, (rate, worker, kafka.running[1].pid, sender.pid, *own))
        _wait(dsn, count + 1)
        told = {one.seq: one for _, one in came if one.seq > rate * WARM_S}
        return {"run": "mirrors", "system": "product", "rate": rate, "seconds": seconds, **cores(samples[0], samples[-1]), "to": {
            "output topic": quantiles([(at_us - one.sent_us) / 1000 for at_us, one in came if one.seq in told]),
            **_rows(dsn, told), "Redis key `user_balance`": quantiles(_since(_last(told), written))}}


def _rows(dsn: str, told: Mapping[int, Told]) -> dict[str, dict[str, float]]:
    with psycopg.connect(dsn) as connection:
        history = {int(str(delta).split("/")[2]): int(at_us) for delta, at_us in connection.execute(_HISTORY).fetchall()}
        state = {str(user): int(at_us) for user, at_us in connection.execute(_STATE).fetchall()}
    return {"Postgres row of `transactions`": quantiles([(history[seq] - one.sent_us) / 1000 for seq, one in told.items()]),
            "Postgres row of `users`": quantiles(_since(_last(told), state))}


def _last(told: Mapping[int, Told]) -> dict[str, int]:
    """When the last delta of each user was meant to be sent."""
    return {one.user: one.sent_us for _, one in sorted(told.items())}


def _since(sent_us: Mapping[str, int], at_us: Mapping[str, int]) -> list[float]:
    return [(at_us[user] - sent) / 1000 for user, sent in sent_us.items()]


def _wait(dsn: str, count: int) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        def all_there() -> bool:
            found = connection.execute("SELECT count(*) FROM transactions").fetchone()
            return found is not None and int(str(found[0])) >= count

        if not process.wait_until(all_there, 60, 0.5):
            raise StackError(f"bench mirrors: expected {count} rows in Postgres within 60 s, was fewer")
    time.sleep(1)  # users' rows come with other records


@contextmanager
def migrated_postgres(folder: Path) -> Iterator[str]:
    place = folder / "postgres"
    dsn, server = start_postgres(place)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET track_commit_timestamp = on")
    process.stop(server)
    dsn, server = start_postgres(place)
    try:
        migrate(dsn)
        yield dsn
    finally:
        process.stop(server)
        remove_data(place)


@contextmanager
def _keys_written(url: str) -> Iterator[dict[str, int]]:
    """User to the microsecond at which its balance was last written, as Redis tells it."""
    client = redis.Redis.from_url(url)
    client.config_set("notify-keyspace-events", "E$")
    listener = client.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
    listener.subscribe("__keyevent@0__:set")
    found: dict[str, int] = {}
    prefix, ended = keys.balance(""), threading.Event()

    def listen() -> None:
        while not ended.is_set():
            if message := listener.get_message(timeout=0.2):
                found[message["data"].decode().removeprefix(prefix)] = time.time_ns() // 1000

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join(5)
        client.close()
