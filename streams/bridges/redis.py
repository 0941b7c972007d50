"""The Redis mirror: the cache, balance, portfolio and check queue of every user, each guarded by version, and their channels."""

import asyncio
import logging
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import orjson
import redis.asyncio
from redis.asyncio.client import Pipeline
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import BusyLoadingError, ConnectionError, NoScriptError, ReadOnlyError, ResponseError, TimeoutError  # noqa: A004

from schemas import keys as identities
from schemas.engine_pb2 import UserState
from schemas.money import BadNumber, say
from streams import topics
from streams.bridges import health, keys, metrics, scripts
from streams.bridges.consume import Batch, Mirror, Status, consume
from streams.bridges.letters import LeftOut, Record
from streams.bridges.states import UNREADABLE, Unreadable, house, net_profit, newest, read_state, used_margin, wallet_balance
from streams.config import Config

log = logging.getLogger(__name__)
NAME = "redis"
AWAY = (ConnectionError, TimeoutError, BusyLoadingError, ReadOnlyError, OSError)
_BALANCE_S = 3_600
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NOT_NOW = ("OOM", "MISCONF", "READONLY", "LOADING", "CLUSTERDOWN", "MASTERDOWN")  # answers of a server that may take the same write later
_SOURCE = topics.ACCOUNT_STATES


class Cache(NamedTuple):
    """What Redis holds of one user: all text."""

    user: str
    version: str  # "generation version"
    time: str
    config: dict[str, str]
    calculated: dict[str, str]


class Bridge:
    """Writes batches: one pipeline of guarded scripts, then one of messages for what the guards accepted."""

    def __init__(self, client: "redis.asyncio.Redis", queue_max: int) -> None:
        self._client = client
        self._queue_max = queue_max

    async def write(self, batch: Batch) -> list[LeftOut]:
        """The newest state of every user in `batch`, but what it answers; raises one of `AWAY`: the batch may simply be written again."""
        left_out: list[LeftOut] = []
        caches: list[Cache] = []
        written: list[tuple[Record, UserState]] = []
        for record, state in newest(_readable(batch, left_out)).values():
            try:
                caches.append(cache_of(state))
                written.append((record, state))
            except (BadNumber, OverflowError) as error:
                left_out.append(LeftOut(record, error))
        if not caches:
            return left_out
        answers = await self._guarded(caches)
        each = len(scripts.ALL)
        refused = {at // each: answer for at, answer in enumerate(answers) if isinstance(answer, ResponseError)}
        left_out += [LeftOut(written[at][0], answer) for at, answer in refused.items()]
        await self._tell(caches, answers[::each])
        now = time.time()
        for record, state in written:
            metrics.LATENCY.labels(NAME).observe(max(0.0, now - state.updated_ms / 1000))
            metrics.HOP.labels(NAME).observe(max(0.0, now - record.timestamp / 1000))
        return left_out

    async def _guarded(self, caches: Sequence[Cache]) -> list[object]:
        # The answers of all scripts; a server that lost its scripts gets them and the whole batch again.
        while True:
            pipe = self._client.pipeline(transaction=False)
            for cache in caches:
                self._queue_scripts(pipe, cache)
            answers: list[object] = await pipe.execute(raise_on_error=False)
            if not any(isinstance(answer, NoScriptError) for answer in answers):
                break
            await self.load()
        for answer in answers:
            _raise_unless_own(answer)
        return answers

    def _queue_scripts(self, pipe: "Pipeline", cache: Cache) -> None:
        user, wallet, stamp = cache.user, cache.config["wallet_balance"], (_SOURCE, cache.version)
        config = [text for pair in cache.config.items() for text in pair]
        calculated = [text for pair in cache.calculated.items() for text in pair]
        pipe.evalsha(scripts.USER.sha, 3, keys.versions(user), keys.config(user), keys.portfolio(user), *stamp, cache.time,
                     str(len(config)), *config, *calculated)
        balance, queue = keys.balance(user), keys.margin_check_queue(user)
        pipe.evalsha(scripts.BALANCE.sha, 2, balance, keys.companion(balance), *stamp, wallet, str(_BALANCE_S))
        pipe.evalsha(scripts.QUEUE.sha, 2, queue, keys.companion(queue), *stamp, wallet, identities.user_parts(user)[1],
                     str(self._queue_max))

    async def load(self) -> None:
        """Loads the scripts; raises `ResponseError` where the server knows one by another hash."""
        for script in scripts.ALL:
            sha = await self._client.script_load(script.text)
            known = sha.decode() if isinstance(sha, bytes) else str(sha)
            if known != script.sha:
                raise ResponseError(f"script: expected hash {script.sha}, was {known}")

    async def _tell(self, caches: Sequence[Cache], answers: Sequence[object]) -> None:
        pipe = self._client.pipeline(transaction=False)
        accepted = 0
        for cache, answer in zip(caches, answers, strict=True):
            if not isinstance(answer, list):
                continue
            accepted += 1
            changed = {field.decode() if isinstance(field, bytes) else str(field) for field in answer[0]}
            for channel, message in messages(cache, changed, group_changed=bool(answer[1])):
                pipe.publish(channel, orjson.dumps(message))
        metrics.WRITTEN.labels(NAME).inc(accepted)
        metrics.REFUSED.labels(NAME).inc(len(caches) - accepted)
        await pipe.execute()


def _raise_unless_own(answer: object) -> None:
    # Only a key that someone else filled with another type is the record's own misfortune; the rest concerns the whole server.
    if isinstance(answer, AWAY):
        raise answer
    if isinstance(answer, Exception) and any(word in str(answer) for word in _NOT_NOW):
        raise ConnectionError(str(answer))
    if isinstance(answer, Exception) and "WRONGTYPE" not in str(answer):
        raise answer


def _readable(batch: Batch, left_out: list[LeftOut]) -> list[tuple[Record, UserState]]:
    found = []
    for record in batch:
        try:
            found.append((record, read_state(record, UserState)))
        except (*UNREADABLE, Unreadable) as error:
            left_out.append(LeftOut(record, error))
    return found


def cache_of(state: UserState) -> Cache:
    """What Redis holds of `state`; raises `BadNumber`."""
    profile, account = state.profile, house(state)
    balance = account.balances.get(account.currency)
    config = {
        **profile.fields, "wallet_balance": say(wallet_balance(state)), "margin": say(used_margin(state)),
        "net_profit": say(net_profit(state)),
        "last_balance_update": moment((balance.updated_ms if balance else 0) or state.updated_ms), "group": profile.group or "standard",
        "leverage": profile.leverage, "status": profile.status or "active", "is_active": "true" if profile.is_active else "false"}
    calculated: dict[str, str] = {}
    if account.margin.HasField("figures"):
        figures = account.margin.figures
        calculated = {"equity": figures.equity, "margin": figures.initial_margin, "free_margin": figures.free_margin,
                      "margin_level": figures.margin_level_pct, "unrealised_pnl": figures.unrealised_pnl,
                      "calculated_at": moment(account.margin.since_ms or state.updated_ms)}
    return Cache(state.user_id, f"{state.generation} {state.version}", moment(state.updated_ms), config, calculated)


def messages(cache: Cache, changed: set[str], *, group_changed: bool) -> list[tuple[str, dict[str, object]]]:
    """(channel, message) of an accepted write that changed these fields of the config."""
    if not changed:
        return []
    kind, ident = identities.user_parts(cache.user)

    def message(event: str) -> dict[str, object]:
        return {"user_id": int(ident) if ident.isascii() and ident.isdigit() else ident, "user_type": kind,
                "updated_fields": {field: cache.config[field] for field in sorted(changed)}, "group_changed": group_changed,
                "event_type": event, "timestamp": cache.time, "source": "margin_engine"}

    found = [(keys.USER_UPDATES, message("user_update"))]
    if "wallet_balance" in changed:
        found.append((keys.BALANCE_UPDATES, message("balance_update")))
    if group_changed:
        found.append((keys.GROUP_UPDATES, message("group_change")))
    return found


def moment(ms: int) -> str:
    """ISO 8601 UTC with milliseconds."""
    return (_EPOCH + timedelta(milliseconds=ms)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def serve(config: Config, status: Status, stop: asyncio.Event) -> None:
    """Mirrors into Redis until `stop`; one that is away is waited for by the loop, not by the client."""
    client = redis.asyncio.Redis.from_url(config.redis_url, socket_timeout=5, socket_connect_timeout=5, retry=Retry(NoBackoff(), 0))
    try:
        await consume(config, Mirror(NAME, (_SOURCE,), Bridge(client, config.queue_margin_check_max).write, AWAY), status, stop)
    finally:
        await client.aclose()


def main(config: Config) -> None:
    """The Redis bridge as a process: until SIGTERM."""
    status = Status(NAME)
    health.run(config, status, lambda stop: serve(config, status, stop))
