"""What follows an accepted state: sets of symbol holders, and caches cleared after operations of an admin; then it is settled."""

import asyncio
import logging
from collections.abc import Sequence

from schemas.keys import user_parts
from streams.bridges.redis_texts import Passed
from streams.cache import keys, scripts
from streams.cache.store import AWAY, Command, Store, scan
from streams.ops.process import pause
from streams.topics import ACCOUNT_STATES

log = logging.getLogger(__name__)
SEPARATOR = "\x1f"  # of symbols in a text
SWEEP_S = 1.0


async def follow(store: Store, passed: Sequence[Passed]) -> None:
    """Does what these states leave to do; may be done again at any point."""
    due = [one for one in passed if one.by_admin or one.cache.symbols != one.symbols]
    if due:
        await store.run([command for one in due for command in (*_held(one), *_cleared(one))])
        await store.run([("EVALSHA", scripts.SETTLE.sha, 1, keys.versions(one.cache.user), ACCOUNT_STATES, one.cache.version,
                          SEPARATOR.join(one.cache.symbols), one.cache.operations) for one in due])


def _held(passed: Passed) -> list[Command]:
    cache, found = passed.cache, list[Command]()
    for symbol in sorted({*cache.symbols, *passed.symbols}) if cache.symbols != passed.symbols else ():
        key = keys.holders(symbol, user_parts(cache.user)[0])
        held = "1" if symbol in cache.symbols else "0"
        found.append(("EVALSHA", scripts.HOLDER.sha, 2, key, keys.companion(key), cache.user, cache.version, held))
    return found


def _cleared(passed: Passed) -> list[Command]:
    names, summaries = keys.cleared(passed.cache.user, triggers(passed))
    found: list[Command] = [("UNLINK", name) for name in names]
    return [*found, ("SADD", keys.SUMMARIES_WAITING, passed.cache.user)] if summaries else found


def triggers(passed: Passed) -> set[str]:
    """What an admin's operations changed; all of it where that was lost with whoever wrote the state. Never for trading."""
    if not passed.by_admin:
        return set()
    if not passed.changed:
        return set(keys.CLEARED)
    found = {*passed.changed, "user"}
    return found | {"deposit"} if "wallet_balance" in found else found


async def sweep(store: Store) -> int:
    """Clears `financial_summary:{user}:*` of all who wait, in one pass over every node; how many keys went."""
    [taken] = await store.run([("EVALSHA", scripts.TAKE.sha, 2, keys.SUMMARIES_WAITING, keys.SUMMARIES_NOW)])
    users = {name.decode() for name in taken if isinstance(name, bytes)} if isinstance(taken, list) else set()
    if not users:
        return 0
    count = 0
    async for found in scan(store, keys.SUMMARY_PATTERN):
        ours = [key for key in found if keys.user_of_summary(key) in users]
        await store.run([("UNLINK", key) for key in ours])
        count += len(ours)
    await store.run([("DEL", keys.SUMMARIES_NOW)])
    return count


async def sweeping(store: Store, stop: asyncio.Event) -> None:
    """At most one pass a second, until `stop`."""
    while not stop.is_set():
        try:
            await sweep(store)
        except AWAY as error:
            log.warning("summaries wait, redis is away: %s: %s", type(error).__name__, error)
        await pause(stop, SWEEP_S)
