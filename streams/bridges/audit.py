"""The background audit of the mirrors: every user against `account-states`, by state hash; what differs is told and written again."""

import hashlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import psycopg
from aiokafka import AIOKafkaProducer

from schemas.engine_pb2 import Anomaly, UserState
from schemas.keys import partition_of
from streams.bridges import compare
from streams.bridges.compare import Canonical
from streams.bridges.consume import Batch
from streams.bridges.letters import LeftOut
from streams.bridges.rebuild import Newest, newest_states, read_through, repair_postgres, repair_redis
from streams.bridges.redis_texts import ADMIN
from streams.bridges.states import UNREADABLE, Unreadable, read_state
from streams.cache.store import Store
from streams.config import Config
from streams.topics import ACCOUNT_STATES, ANOMALIES

log = logging.getLogger(__name__)
STILL_S = 30.0  # only users at whom nothing moved for so long are compared: all others are on their way
TOLD_MAX = 100  # differences an audit tells; more are one cause
_AT_ONCE = 500
_AHEAD = "SELECT user_key, coalesce((sequences ->> 'admin')::BIGINT, 0) FROM users WHERE user_key = ANY (%s)"
_LOCK = 0x61756474  # "audt": one audit at a time, whoever begins first


class Standing(NamedTuple):
    """A user's newest state: hashes of how each mirror should hold it; `operations`: the last admin fact it has seen."""

    version: str
    redis: bytes
    postgres: bytes
    wallet: str
    operations: int


class Audited(NamedTuple):
    """Of one mirror: users compared, one line a difference, and of each partition the hash as told and as found."""

    users: int
    lines: list[str]
    hashes: dict[int, tuple[str, str]]


class Over(Exception):
    """The process ends: the audit goes on in the next one."""


async def audit(config: Config, still_s: float = STILL_S, over: Callable[[], bool] = lambda: False) -> dict[str, Audited]:
    """By mirror, what was found; what differs is repaired and told on `anomalies`. Empty where another audit runs.

    Blocks: a loop of its own. Raises `Over` soon where `over` says so, and what a store or broker that is away raises."""
    async with await psycopg.AsyncConnection.connect(config.postgres_dsn, autocommit=True, connect_timeout=5) as lock:
        row = await (await lock.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK])).fetchone()
        if not (row and row[0]):
            return {}
        found = {name: Audited(0, [], {}) for name in ("redis", "postgres")}
        for partition in range(config.partitions):
            standings = await _standings(config, partition, int((time.time() - still_s) * 1000), over)
            for name, one in found.items():
                if over():
                    raise Over
                count, lines, hashes = _compared(config, name, standings)
                found[name] = Audited(one.users + count, one.lines + [line for _, line in lines], one.hashes | {partition: hashes})
                if lines:
                    await _mend(config, name, partition, lines)
        await lock.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])  # the server ends a closed session in its own time
        return found


async def _standings(config: Config, partition: int, until_ms: int, over: Callable[[], bool]) -> dict[str, Standing]:
    """By user, its newest state, where that was told until then."""
    found: dict[str, tuple[Standing, bool]] = {}

    async def take(batch: Batch) -> Sequence[LeftOut]:
        if over():
            raise Over
        for record in batch:
            try:
                state = read_state(record, UserState)
                found[state.user_id] = _standing(state), record.timestamp <= until_ms
            except (*UNREADABLE, Unreadable, OverflowError):
                continue  # the mirrors sent it to dead letters
        return ()

    await read_through(config, (ACCOUNT_STATES,), take, partition)
    return {user: standing for user, (standing, is_still) in found.items() if is_still}


def _standing(state: UserState) -> Standing:
    cache = compare.canonical_cache(state)
    operations = state.sequences[ADMIN].next - 1 if ADMIN in state.sequences else 0
    return Standing(cache["version"], digest(cache), digest(compare.canonical_state(state)), cache["wallet_balance"], operations)


def digest(form: Canonical) -> bytes:
    """64 bits of a canonical form."""
    return hashlib.blake2b("\n".join(f"{path}={form[path]}" for path in sorted(form)).encode(), digest_size=8).digest()


def state_hash(digests: Iterator[bytes]) -> str:
    """Of users in any order: the sum of their digests."""
    return f"{sum(int.from_bytes(one) for one in digests) % (1 << 64):016x}"


def _compared(config: Config, name: str, standings: Mapping[str, Standing]) -> tuple[int, list[tuple[str, str]], tuple[str, str]]:
    """(users compared, (user, line) of each difference, hashes as told and as found)."""
    users, lines = sorted(standings), list[tuple[str, str]]()
    told: list[bytes] = []
    held: list[bytes] = []
    read = _from_redis if name == "redis" else _from_postgres
    for at in range(0, len(users), _AT_ONCE):
        some = {user: standings[user] for user in users[at : at + _AT_ONCE]}
        found, more = read(config, some)
        lines += more
        for user, (version, digested) in found.items():
            ours = getattr(some[user], name)
            if compare.place(version) > compare.place(some[user].version):
                continue  # it moved since
            told.append(ours)
            held.append(digested)
            if digested != ours:
                lines.append((user, f"{name} {user}: expected {some[user].version} as told, was {version or 'nothing'} or other fields"))
    return len(told), lines, (state_hash(iter(told)), state_hash(iter(held)))


Found = tuple[dict[str, tuple[str, bytes]], list[tuple[str, str]]]  # (version, digest) by user, and lines of what lies beside


def _from_redis(config: Config, standings: Mapping[str, Standing]) -> Found:
    forms = compare.redis_rows(config.redis_url, list(standings))
    beside = compare.redis_wallets(config.redis_url, list(standings), config.default_user_type)
    lines = [(user, f"redis {user} {key}: expected {standings[user].wallet}, was {text}") for user, keys in beside.items()
             for key, text in keys.items() if text != standings[user].wallet
             and forms.get(user, {}).get("version", "") == standings[user].version]
    return {user: (form.get("version", ""), digest(form)) for user, form in forms.items()}, lines


def _from_postgres(config: Config, standings: Mapping[str, Standing]) -> Found:
    forms = compare.postgres_rows(config.postgres_dsn, list(standings))
    with psycopg.connect(config.postgres_dsn, connect_timeout=5) as connection:
        said = {str(user): int(str(last)) for user, last in connection.execute(_AHEAD, [list(standings)])}
    # Where Postgres knows more of an admin than the state, a fact is on its way.
    found = {user: forms.get(user, {}) for user in standings if said.get(user, 0) <= standings[user].operations}
    return {user: (form.get("version", ""), digest(form)) for user, form in found.items()}, []


async def _mend(config: Config, name: str, partition: int, lines: Sequence[tuple[str, str]]) -> None:
    """Writes again what differs, and tells."""
    newest = await newest_states(config, {user for user, _ in lines}, partition)
    await (_mend_redis(config, newest) if name == "redis" else repair_postgres(config, newest))
    producer = AIOKafkaProducer(bootstrap_servers=config.kafka_bootstrap, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        for user, line in lines[:TOLD_MAX]:
            log.error("audit: %s", line)
            key = user.encode()
            await producer.send(ANOMALIES, anomaly(name, user, line), key, partition_of(key, config.partitions))
        await producer.flush()
    finally:
        await producer.stop()


async def _mend_redis(config: Config, newest: Newest) -> None:
    store = Store(config.redis_url)
    try:
        await repair_redis(config, store, newest)
    finally:
        await store.close()


def anomaly(name: str, user: str, line: str) -> bytes:
    """A mirror that was wrong of a user; its id is that of its cause."""
    ident = hashlib.blake2b(line.encode(), digest_size=8).hexdigest()
    return Anomaly(id=f"mirror/{name}/{user}/{ident}", user_id=user, kind="mirror_mismatch", detail=line[:500],
                   time_ms=time.time_ns() // 1_000_000, topic=ACCOUNT_STATES).SerializeToString()
