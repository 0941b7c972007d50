"""Who watches a wallet is woken by `balance_updates`, and looks now and then in case a message was lost."""

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator

import orjson

from schemas.keys import BadKey, user_key
from streams.cache import keys
from streams.cache.store import AWAY, Store
from streams.web.inspection import Refused

log = logging.getLogger(__name__)
WATCHERS_MAX = 1_000
LOOK_S = 2.0
_AGAIN_S = 1.0


class Watchers:
    """One subscription for all."""

    def __init__(self, cache: Store) -> None:
        self._cache = cache
        self._events: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._count = 0
        self.closed = False  # beside the cancellation: a client that is connecting may take that for a time-out

    @contextlib.contextmanager
    def watching(self, user: str) -> Iterator[Callable[[], Awaitable[None]]]:
        """What to await for the next change; raises `Refused` 429 beyond a thousand watchers."""
        if self._count >= WATCHERS_MAX:
            raise Refused(429, "too_many", f"watchers: expected at most {WATCHERS_MAX}, was more")
        event = asyncio.Event()
        self._count += 1
        self._events[user].add(event)

        async def changed() -> None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(event.wait(), LOOK_S)
            event.clear()

        try:
            yield changed
        finally:
            self._count -= 1
            self._events[user].discard(event)
            if not self._events[user]:
                del self._events[user]

    async def listen(self) -> None:
        """Wakes watchers until cancelled; while Redis is away they look by themselves."""
        while not self.closed:
            try:
                await self._hear()
            except AWAY as error:
                log.warning("balance updates wait, redis is away: %s: %s", type(error).__name__, error)
            if not self.closed:
                await asyncio.sleep(_AGAIN_S)

    async def close(self, listening: "asyncio.Task[None]") -> None:
        """Ends `listen`."""
        self.closed = True
        listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listening

    async def _hear(self) -> None:
        heard = (await self._cache.client()).pubsub(ignore_subscribe_messages=True)
        try:
            await heard.subscribe(keys.BALANCE_UPDATES)
            while not self.closed:
                message = await heard.get_message(timeout=1.0)
                if message and message["type"] == "message":
                    self._wake(message["data"])
        finally:
            await heard.aclose()  # type: ignore[no-untyped-call]

    def _wake(self, data: object) -> None:
        try:
            found = orjson.loads(data) if isinstance(data, bytes) else {}
            user = user_key(f"{found['user_type']}:{found['user_id']}", "")
        except (orjson.JSONDecodeError, KeyError, TypeError, BadKey):
            return  # another service's message of another shape
        for event in self._events.get(user, ()):
            event.set()
