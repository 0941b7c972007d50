"""A lease in Redis: one bridge at a time listens, by its own clock never longer than Redis says."""

import asyncio
import time
import uuid
from contextlib import suppress

from streams.cache import scripts
from streams.cache.store import AWAY, Store
from streams.ops.process import pause

TTL_S = 5.0
RENEW_S = 1.0


class Lease:
    """`held` is judged by a clock that runs while the process is stopped: who wakes up late holds nothing."""

    def __init__(self, store: Store, key: str) -> None:
        self._store, self._key = store, key
        self.holder = uuid.uuid4().hex
        self._until = 0.0

    @property
    def held(self) -> bool:
        return time.monotonic() < self._until

    async def take(self) -> bool:
        """Takes or renews it; False while another has it. Raises one of `AWAY`."""
        asked = time.monotonic()
        [answer] = await self._store.run([("EVALSHA", scripts.LEASE.sha, 1, self._key, self.holder, int(TTL_S * 1000))])
        self._until = asked + TTL_S if answer == 1 else 0.0
        return self.held

    async def keep(self, stop: asyncio.Event) -> None:
        """Renews it until `stop` or until it is lost."""
        while not stop.is_set() and self.held:
            await pause(stop, RENEW_S)
            if not stop.is_set():
                with suppress(*AWAY):  # it may come back before the time is over
                    await self.take()

    async def release(self) -> None:
        """Gives it back, so that the next need not wait."""
        self._until = 0.0
        await self._store.run([("EVALSHA", scripts.RELEASE.sha, 1, self._key, self.holder)])
