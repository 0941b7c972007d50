"""The two hashes that all users share: `user_wallets`, flushed every five seconds, and `user_metadata`; only who changed is written."""

import asyncio
import logging

from streams.bridges.redis_texts import Cache, metadata_of
from streams.cache import keys, scripts
from streams.cache.store import AWAY, Call, Command, Store, scan
from streams.ops.process import pause
from streams.topics import ACCOUNT_STATES

log = logging.getLogger(__name__)
FLUSH_S = 5.0
REPAIR_S = 600.0
_AT_ONCE = 500  # users a script: others wait for it
Written = tuple[str, str, str]  # version, wallet, metadata


class Shared:
    """At most one entry a user waits. What a killed bridge had not flushed is found by `repair`, at start and every ten minutes."""

    def __init__(self, store: Store, default_type: str) -> None:
        self._store, self._default_type = store, default_type
        self._dirty: dict[str, Written] = {}
        self.flushed = 0

    def mark(self, cache: Cache) -> None:
        """An accepted state: its wallet and metadata are written with the next flush."""
        self._dirty[cache.user] = cache.version, cache.config["wallet_balance"], cache.metadata

    async def flush(self) -> None:
        """Writes what waits; raises one of `AWAY` with all of it waiting still."""
        taken, self._dirty = self._dirty, {}
        users = list(taken.items())
        try:
            for at in range(0, len(users), _AT_ONCE):
                some = users[at : at + _AT_ONCE]
                await self._store.call([self._call(keys.USER_WALLETS, some, 1), self._call(keys.USER_METADATA, some, 2)])
                self.flushed += len(some)
        except BaseException:
            self._dirty = taken | self._dirty
            raise

    def _call(self, key: str, users: list[tuple[str, Written]], which: int) -> Call:
        words = [word for user, one in users for word in (user, keys.bare(user, self._default_type), one[0], one[which])]
        return Call(scripts.SHARED, (key, keys.companion(key)), words)

    async def repair(self) -> None:
        """Marks every user that Redis has: what differs is written by the next flush."""
        async for found in scan(self._store, keys.CONFIG_PATTERN):
            users = [keys.user_of_config(key) for key in found]
            asked: list[Command] = []
            for user in users:
                asked.append(("HGET", keys.versions(user), ACCOUNT_STATES))
                asked.append(("HMGET", keys.config(user), *_READ))
            answers = await self._store.run(asked)
            for user, version, values in zip(users, answers[::2], answers[1::2], strict=True):
                if isinstance(version, bytes) and isinstance(values, list) and all(isinstance(one, bytes) for one in values[:1]):
                    config = {field: value.decode() for field, value in zip(_READ, values, strict=True) if value is not None}
                    self._dirty.setdefault(user, (version.decode(), config["wallet_balance"], metadata_of(config)))
            await asyncio.sleep(0)

    async def run(self, stop: asyncio.Event) -> None:
        """Flushes until `stop`, and once more at the end."""
        loop = asyncio.get_running_loop()
        repaired = -REPAIR_S
        while not stop.is_set():
            try:
                if loop.time() - repaired >= REPAIR_S:
                    await self.repair()
                    repaired = loop.time()
                await self.flush()
            except AWAY as error:
                log.warning("shared hashes wait, redis is away: %s: %s", type(error).__name__, error)
            await pause(stop, FLUSH_S)
        try:
            await self.flush()
        except AWAY:
            log.warning("shared hashes not flushed, redis is away: %d users follow at the next start", len(self._dirty))


_READ = ("wallet_balance", "kyc", "risk_tier", "leverage")
