"""The background audit of the mirrors: every user against `account-states`, by state hash; what differs is told and written again.

A partition of the topic is read twice: for where each user's newest state lies, then for those, some hundred users at a time. Held
meanwhile are a key and an offset a user of one partition, however many states of it are there and however many differ."""

import hashlib
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import psycopg
from aiokafka import AIOKafkaProducer

from schemas.engine_pb2 import Anomaly, UserState
from schemas.keys import partition_of
from streams.bridges import compare
from streams.bridges.compare import Canonical
from streams.bridges.consume import Batch
from streams.bridges.letters import LeftOut, Record
from streams.bridges.rebuild import Newest, read_through, repair_postgres, repair_redis
from streams.bridges.redis_texts import ADMIN
from streams.bridges.states import UNREADABLE, Unreadable, key_of, read_state
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

    record: Record
    version: str
    redis: bytes
    postgres: bytes
    wallet: str
    operations: int


class Audited(NamedTuple):
    """Of one mirror: users compared, how many differences and lines of the first; of each partition the hash as told and as found."""

    users: int
    differences: int
    lines: list[str]
    hashes: dict[int, tuple[str, str]]


class Over(Exception):
    """The process ends: the audit goes on in the next one."""


class Mirrors:
    """One connection to each, for an audit; reading blocks."""

    def __init__(self, config: Config, redis: compare.Client, postgres: psycopg.Connection[tuple[object, ...]]) -> None:
        self.config, self._redis, self._postgres = config, redis, postgres

    def read(self, name: str, standings: Mapping[str, Standing]) -> "Found":
        """What the mirror of this name holds of these users."""
        return self._from_redis(standings) if name == "redis" else self._from_postgres(standings)

    def _from_redis(self, standings: Mapping[str, Standing]) -> "Found":
        forms = compare.read_redis(self._redis, list(standings))
        beside = compare.read_wallets(self._redis, list(standings), self.config.default_user_type)
        lines = [(user, f"redis {user} {key}: expected {standings[user].wallet}, was {text}") for user, keys in beside.items()
                 for key, text in keys.items() if text != standings[user].wallet
                 and forms.get(user, {}).get("version", "") == standings[user].version]
        return {user: (form.get("version", ""), digest(form)) for user, form in forms.items()}, lines

    def _from_postgres(self, standings: Mapping[str, Standing]) -> "Found":
        forms = compare.read_postgres(self._postgres, list(standings))
        said = {str(user): int(str(last)) for user, last in self._postgres.execute(_AHEAD, [list(standings)])}
        # Where Postgres knows more of an admin than the state, a fact is on its way.
        found = {user: forms.get(user, {}) for user in standings if said.get(user, 0) <= standings[user].operations}
        return {user: (form.get("version", ""), digest(form)) for user, form in found.items()}, []


Found = tuple[dict[str, tuple[str, bytes]], list[tuple[str, str]]]  # (version, digest) by user, and lines of what lies beside


class Tally:
    """Of one mirror, while an audit goes on."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._users = self._differences = 0
        self._lines: list[str] = []
        self._sums: dict[int, tuple[int, int]] = {}

    def compare(self, mirrors: Mirrors, partition: int, standings: Mapping[str, Standing]) -> list[tuple[str, str]]:
        """(user, line) of each difference, counted."""
        found, lines = mirrors.read(self.name, standings)
        told: list[bytes] = []
        held: list[bytes] = []
        for user, (version, digested) in found.items():
            ours = getattr(standings[user], self.name)
            if compare.place(version) > compare.place(standings[user].version):
                continue  # it moved since
            told.append(ours)
            held.append(digested)
            if digested != ours:
                was = version or "nothing"
                lines.append((user, f"{self.name} {user}: expected {standings[user].version} as told, was {was} or other fields"))
        before = self._sums.get(partition, (0, 0))
        self._sums[partition] = before[0] + _sum(told), before[1] + _sum(held)
        self._users += len(told)
        return lines

    def take(self, lines: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        """Counts differences; those that are to be told."""
        some = list(lines[: max(0, TOLD_MAX - len(self._lines))])
        self._lines += [line for _, line in some]
        self._differences += len(lines)
        return some

    def audited(self) -> Audited:
        """All of it."""
        hashes = {partition: (_hash(told), _hash(held)) for partition, (told, held) in self._sums.items()}
        return Audited(self._users, self._differences, self._lines, hashes)


async def audit(config: Config, still_s: float = STILL_S, over: Callable[[], bool] = lambda: False) -> dict[str, Audited]:
    """By mirror, what was found; what differs is repaired and told on `anomalies`. Empty where another audit runs.

    Blocks: a loop of its own. Raises `Over` soon where `over` says so, and what a store or broker that is away raises."""
    async with await psycopg.AsyncConnection.connect(config.postgres_dsn, autocommit=True, connect_timeout=5) as lock:
        row = await (await lock.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK])).fetchone()
        if not (row and row[0]):
            return {}
        tallies = [Tally(name) for name in ("redis", "postgres")]
        with _mirrors(config) as mirrors:
            for partition in range(config.partitions):
                newest = await _newest(config, partition, int((time.time() - still_s) * 1000), over)
                await _compare(mirrors, partition, newest, tallies, over)
        await lock.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])  # the server ends a closed session in its own time
        return {tally.name: tally.audited() for tally in tallies}


@contextmanager
def _mirrors(config: Config) -> Iterator[Mirrors]:
    with psycopg.connect(config.postgres_dsn, autocommit=True, connect_timeout=5) as postgres:
        redis = compare.connected(config.redis_url)
        try:
            yield Mirrors(config, redis, postgres)
        finally:
            redis.close()


async def _newest(config: Config, partition: int, until_ms: int, over: Callable[[], bool]) -> dict[bytes, int]:
    """By key, the offset of its newest state, where that was told until then."""
    found: dict[bytes, int] = {}

    async def take(batch: Batch) -> Sequence[LeftOut]:
        if over():
            raise Over
        for record in batch:
            if record.key and record.timestamp <= until_ms:
                found[record.key] = record.offset
            elif record.key:
                found.pop(record.key, None)
        return ()

    await read_through(config, (ACCOUNT_STATES,), take, partition)
    return found


async def _compare(
    mirrors: Mirrors, partition: int, newest: Mapping[bytes, int], tallies: Sequence[Tally], over: Callable[[], bool]
) -> None:
    """Compares, and mends, these users' states with all mirrors."""
    async def take(batch: Batch) -> Sequence[LeftOut]:
        found = _standings(record for record in batch if record.key and newest.get(record.key) == record.offset)
        users = list(found)
        for at in range(0, len(users), _AT_ONCE):
            if over():
                raise Over
            some = {user: found[user] for user in users[at : at + _AT_ONCE]}
            for tally in tallies:
                if lines := tally.compare(mirrors, partition, some):
                    await _mend(mirrors.config, tally, some, lines)
        return ()

    await read_through(mirrors.config, (ACCOUNT_STATES,), take, partition)


def _standings(records: Iterable[Record]) -> dict[str, Standing]:
    found: dict[str, Standing] = {}
    for record in records:
        try:
            found[key_of(record)] = _standing(record)
        except (*UNREADABLE, Unreadable, OverflowError):
            continue  # the mirrors sent it to dead letters
    return found


def _standing(record: Record) -> Standing:
    state = read_state(record, UserState)
    cache = compare.canonical_cache(state)
    operations = state.sequences[ADMIN].next - 1 if ADMIN in state.sequences else 0
    return Standing(record, cache["version"], digest(cache), digest(compare.canonical_state(state)), cache["wallet_balance"], operations)


def digest(form: Canonical) -> bytes:
    """64 bits of a canonical form."""
    return hashlib.blake2b("\n".join(f"{path}={form[path]}" for path in sorted(form)).encode(), digest_size=8).digest()


def _sum(digests: Sequence[bytes]) -> int:
    return sum(int.from_bytes(one) for one in digests)


def _hash(total: int) -> str:
    """The state hash of users in any order, from the sum of their digests."""
    return f"{total % (1 << 64):016x}"


async def _mend(config: Config, tally: Tally, standings: Mapping[str, Standing], lines: Sequence[tuple[str, str]]) -> None:
    """Writes again what differs, unless something newer is there, and tells."""
    newest: Newest = {user: standings[user].record for user, _ in lines}
    await (_mend_redis(config, newest) if tally.name == "redis" else repair_postgres(config, newest))
    if not (told := tally.take(lines)):
        return
    producer = AIOKafkaProducer(bootstrap_servers=config.kafka_bootstrap, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        for user, line in told:
            log.error("audit: %s", line)
            key = user.encode()
            await producer.send(ANOMALIES, anomaly(tally.name, user, line), key, partition_of(key, config.partitions))
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
