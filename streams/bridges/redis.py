"""The Redis mirror: every key that follows a user's state, each guarded by version, and the channels that tell of it."""

import asyncio
import time
from collections.abc import Sequence

import orjson
from redis.exceptions import ResponseError

from schemas import keys as identities
from schemas.engine_pb2 import UserState
from schemas.money import BadNumber
from streams import topics
from streams.bridges import health, metrics
from streams.bridges.consume import Batch, Status
from streams.bridges.letters import LeftOut, Record
from streams.bridges.redis_follow import SEPARATOR, follow
from streams.bridges.redis_shared import Shared
from streams.bridges.redis_texts import Cache, Passed, cache_of, messages
from streams.bridges.states import UNREADABLE, Unreadable, newest, read_state
from streams.cache import keys, scripts
from streams.cache.store import AWAY, Call, Store
from streams.config import Config

NAME = "redis"
_BALANCE_S = 3_600
_SOURCE = topics.ACCOUNT_STATES
_MISFIT = (BadNumber, OverflowError, identities.BadKey)
_LATELY_S = 2.0
_AT_ONCE = 250  # users


class Bridge:
    """Writes batches: one pipeline of guarded scripts, one for holders where they changed, one of messages for what guards accepted.

    A `quiet` one (a rebuild) tells nobody and asks for no margin checks.
    """

    def __init__(self, store: Store, config: Config, *, quiet: bool = False) -> None:
        self.store, self._config, self._quiet = store, config, quiet
        self.shared = Shared(store, config.default_user_type)
        self._written_s, self._hop_s = 0.0, 0.0

    @property
    def behind_s(self) -> float:
        """How old states are when they are written; 0 where none came lately."""
        return self._hop_s if time.monotonic() - self._written_s < _LATELY_S else 0.0

    async def write(self, batch: Batch) -> list[LeftOut]:
        """The newest state of every user in `batch`, but what it answers; raises one of `AWAY`: the batch may simply be written again."""
        left_out: list[LeftOut] = []
        written = list(newest(_readable(batch, left_out)).values())
        # Redis is at one part while the next is made; a user is in one of them.
        parts = (self._write(written[at : at + _AT_ONCE]) for at in range(0, len(written), _AT_ONCE))
        for found in await asyncio.gather(*parts, return_exceptions=True):
            if isinstance(found, BaseException):
                raise found
            left_out += found
        self._written_s, self._hop_s = time.monotonic(), _observe(written)
        return left_out

    async def _write(self, written: list[tuple[Record, UserState]]) -> list[LeftOut]:
        left_out: list[LeftOut] = []
        caches = _cached(written, left_out)
        if not caches:
            return left_out
        answers = await self.store.call([call for cache in caches for call in self._calls(cache)])
        each = len(answers) // len(caches)  # calls a user; the first is that of its state
        refused = {at // each: answer for at, answer in enumerate(answers) if isinstance(answer, ResponseError)}
        left_out += [LeftOut(written[at][0], answer) for at, answer in refused.items()]
        passed = [_passed(cache, answer) for cache, answer in zip(caches, answers[::each], strict=True) if isinstance(answer, list)]
        await follow(self.store, passed)
        await self._tell(passed)
        metrics.REFUSED.labels(NAME).inc(len(caches) - len(passed))
        return left_out

    def _calls(self, cache: Cache) -> list[Call]:
        user, wallet, stamp = cache.user, cache.config["wallet_balance"], (_SOURCE, cache.version)
        calculated = [text for pair in cache.calculated.items() for text in pair]
        balance, queue = keys.balance(user), keys.margin_check_queue(user)
        found = [
            Call(scripts.USER, (keys.versions(user), keys.config(user), keys.portfolio(user)), (
                *stamp, cache.time, SEPARATOR.join(cache.symbols), cache.operations, cache.calculated.get("calculated_at", ""),
                len(cache.config), *cache.config, *cache.config.values(), *calculated)),
            Call(scripts.BALANCE, (balance, keys.companion(balance)), (*stamp, wallet, _BALANCE_S))]
        if self._quiet:
            return found
        ident = identities.user_parts(user)[1]
        return [*found, Call(scripts.QUEUE, (queue, keys.companion(queue)), (*stamp, wallet, ident, self._config.queue_margin_check_max))]

    async def _tell(self, passed: Sequence[Passed]) -> None:
        for one in passed:
            self.shared.mark(one.cache)
        metrics.WRITTEN.labels(NAME).inc(len(passed))
        await self.store.call(self.told(passed))

    def told(self, passed: Sequence[Passed]) -> list[Call]:
        """The calls that say on the channels what changed."""
        said = [one for accepted in passed for one in messages(accepted)] if not self._quiet else []
        return [Call(scripts.TELL, (), (channel, orjson.dumps(message).decode())) for channel, message in said]


def _observe(written: Sequence[tuple[Record, UserState]]) -> float:
    """The longest way, s."""
    now, longest = time.time(), 0.0
    for record, state in written:
        hop = max(0.0, now - record.timestamp / 1000)
        longest = max(longest, hop)
        metrics.LATENCY.labels(NAME).observe(max(0.0, now - state.updated_ms / 1000))
        metrics.HOP.labels(NAME).observe(hop)
    return longest


def _passed(cache: Cache, answer: list[object]) -> Passed:
    fields, group_changed, symbols, operations = answer
    changed = tuple(map(str, fields)) if isinstance(fields, list) else ()
    held = tuple(sorted({word for word in str(symbols).split(SEPARATOR) if word}))
    return Passed(cache, changed, bool(group_changed), held, str(operations))


def _cached(written: list[tuple[Record, UserState]], left_out: list[LeftOut]) -> list[Cache]:
    """The cache of each; who has none is taken out of `written`."""
    caches = []
    for record, state in tuple(written):
        try:
            caches.append(cache_of(state))
        except _MISFIT as error:
            written.remove((record, state))
            left_out.append(LeftOut(record, error))
    return caches


def _readable(batch: Batch, left_out: list[LeftOut]) -> list[tuple[Record, UserState]]:
    found = []
    for record in batch:
        try:
            found.append((record, read_state(record, UserState)))
        except (*UNREADABLE, Unreadable) as error:
            left_out.append(LeftOut(record, error))
    return found


async def serve(config: Config, status: Status, stop: asyncio.Event) -> None:
    """Mirrors into Redis until `stop`; one that is away is waited for by the loop, not by the client."""
    from streams.bridges.redis_process import serve as run

    await run(config, status, stop)


def main(config: Config) -> None:
    """The Redis bridge as a process: until SIGTERM."""
    status = Status(NAME)
    health.run(config, status, lambda stop: serve(config, status, stop))


__all__ = ["AWAY", "NAME", "Bridge", "main", "serve"]
