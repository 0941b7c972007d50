"""One Redis, single or Cluster, plain or TLS, found out when first used: pipelines of raw commands, a breaker, scripts loaded on demand."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit

import msgspec
from redis import exceptions as errors
from redis.asyncio import Redis, RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.crc import key_slot

from streams.cache import scripts
from streams.cache.scripts import Script

AWAY = (errors.ConnectionError, errors.TimeoutError, errors.BusyLoadingError, errors.ReadOnlyError, errors.ClusterDownError,
        errors.ClusterError, errors.RedisClusterException, errors.MovedError, errors.AskError, errors.SlotNotCoveredError,
        errors.TryAgainError, OSError)
_NOT_NOW = ("OOM", "MISCONF", "READONLY", "LOADING", "CLUSTERDOWN", "MASTERDOWN")  # answers of a server that may take the same write later
_TIMEOUT_S = 5.0
_OPEN_AFTER = 3
SCAN_COUNT = 1_000
_CALLS_MAX = 64  # of one command: a server answers nobody else meanwhile, for about a millisecond

Client = Redis | RedisCluster
Command = tuple[str | bytes | int | float, ...]


class Call(NamedTuple):
    """A call of a script that takes many: keys of one slot, as many in every call of that script (none: any server's)."""

    script: Script
    keys: tuple[str, ...]
    arguments: Sequence[str | int]


class Store:
    """Raises one of `AWAY` while Redis is not there: the same may be sent again. After three failures in a row the breaker is open:

    a PING goes ahead of what is sent, so that a server that struggles is not met with whole batches.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: Client | None = None
        self._connecting = asyncio.Lock()
        self.failures = 0
        self.open_since_ms = 0

    async def client(self) -> Client:
        """The connected client; connects where there is none."""
        async with self._connecting:
            if self._client is None:
                self._client = await connect(self._url)
            return self._client

    async def run(self, commands: Sequence[Command]) -> list[object]:
        """The answers of one pipeline; an answer may be a `ResponseError` of its own command. Raises one of `AWAY`."""
        return await self._guarded(lambda client: self._executed(client, commands))

    async def call(self, calls: Sequence[Call]) -> list[object]:
        """As `run`, an answer a call: those of one script go as few commands, on a Cluster those of one slot."""
        return await self._guarded(lambda client: self._called(client, calls))

    async def _guarded(self, ask: Callable[[Client], Awaitable[list[object]]]) -> list[object]:
        try:
            client = await self.client()
            if self.open_since_ms:
                await client.ping()
            answers = await ask(client)
        except AWAY:
            self.failures += 1
            if self.failures >= _OPEN_AFTER:
                self.open_since_ms = self.open_since_ms or int(time.time() * 1000)
            raise
        self.failures = self.open_since_ms = 0
        return answers

    async def _called(self, client: Client, calls: Sequence[Call]) -> list[object]:
        groups: dict[tuple[str, int], list[int]] = {}
        for at, one in enumerate(calls):
            slot = key_slot(one.keys[0].encode()) if one.keys and not isinstance(client, Redis) else 0
            groups.setdefault((one.script.sha, slot), []).append(at)
        places = [group[at : at + _CALLS_MAX] for group in groups.values() for at in range(0, len(group), _CALLS_MAX)]
        answers = await self._executed(client, [_together([calls[at] for at in some]) for some in places])
        found: list[object] = [None] * len(calls)
        for some, answer in zip(places, answers, strict=True):
            for at, own in zip(some, _apart(answer), strict=True):
                found[at] = own
        return found

    async def _executed(self, client: Client, commands: Sequence[Command]) -> list[object]:
        if not commands:
            return []
        # A server that lost its scripts gets them and the whole batch again: every script is safe to repeat.
        for _ in range(3):
            pipe = client.pipeline(transaction=False) if isinstance(client, Redis) else client.pipeline()
            for command in commands:
                pipe.execute_command(*command)
            answers: list[object] = await pipe.execute(raise_on_error=False)
            if not any(isinstance(answer, errors.NoScriptError) for answer in answers):
                break
            await load(client)
        for answer in answers:
            _raise_unless_own(answer)
        return answers

    async def close(self) -> None:
        """Lets the connections go."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()


def _together(calls: Sequence[Call]) -> Command:
    """Calls of one script as one command; packed arguments cost a client a tenth of single ones."""
    names = [key for one in calls for key in one.keys]
    return "EVALSHA", calls[0].script.sha, len(names), *names, msgspec.msgpack.encode([one.arguments for one in calls])


def _apart(answer: object) -> list[object]:
    """The answer of each call: what one raised is its own."""
    if not isinstance(answer, bytes):
        raise errors.ResponseError(f"script: expected answers, was {answer!r}")
    found = [errors.ResponseError(one["err"]) if isinstance(one, dict) else one for one in msgspec.msgpack.decode(answer)]
    for own in found:
        _raise_unless_own(own)
    return found


def _raise_unless_own(answer: object) -> None:
    # Only a key that someone else filled with another type is the command's own misfortune; the rest concerns the whole server.
    if not isinstance(answer, Exception) or isinstance(answer, AWAY):
        if isinstance(answer, Exception):
            raise answer
        return
    if any(word in str(answer) for word in _NOT_NOW) or isinstance(answer, errors.NoScriptError):
        raise errors.ConnectionError(str(answer))
    if "WRONGTYPE" not in str(answer):
        raise answer


async def load(client: Client) -> None:
    """Loads the scripts on every primary; raises `ResponseError` where the server knows one by another hash."""
    for script in scripts.ALL:
        found = await client.script_load(script.text)
        for sha in found.values() if isinstance(found, dict) else [found]:
            known = sha.decode() if isinstance(sha, bytes) else str(sha)
            if known != script.sha:
                raise errors.ResponseError(f"script: expected hash {script.sha}, was {known}")


async def connect(url: str) -> Client:
    """A client of the server or, where it says so, of its Cluster. Raises one of `AWAY`."""
    single = Redis.from_url(url, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S, retry=Retry(NoBackoff(), 0))
    try:
        if not await _is_cluster(single):
            return single
    except BaseException:
        await single.aclose()
        raise
    await single.aclose()
    parts = urlsplit(url)
    cluster = RedisCluster.from_url(urlunsplit(parts._replace(path="")), socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S)
    try:
        await cluster.initialize()
    except BaseException:
        with contextlib.suppress(*AWAY):
            await cluster.aclose()
        raise
    return cluster


async def _is_cluster(client: Redis) -> bool:
    try:
        return bool((await client.info("cluster")).get("cluster_enabled"))
    except errors.NoPermissionError:  # a user that may not ask is on a server that need not be asked
        await client.ping()
        return False


async def scan(store: Store, pattern: str) -> AsyncIterator[list[str]]:
    """Keys that match, a batch at a time, on every primary; never KEYS. One may come twice."""
    client = await store.client()
    if isinstance(client, Redis):
        cursor: int = 0
        while True:
            cursor, found = await client.scan(cursor, match=pattern, count=SCAN_COUNT)
            yield [_text(key) for key in found]
            if not cursor:
                return
    batch: list[str] = []
    async for key in client.scan_iter(match=pattern, count=SCAN_COUNT):
        batch.append(_text(key))
        if len(batch) >= SCAN_COUNT:
            yield batch
            batch = []
    yield batch


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
