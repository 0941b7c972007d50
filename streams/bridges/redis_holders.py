"""`symbol_holders:{symbol}:{type}`: who has an open house position, kept by the difference between two states."""

from collections.abc import Sequence

from schemas.keys import user_parts
from streams.bridges.redis_texts import Cache
from streams.cache import keys, scripts
from streams.cache.store import Command, Store
from streams.topics import ACCOUNT_STATES

SEPARATOR = "\x1f"  # of symbols in a text


async def hold(store: Store, passed: Sequence[tuple[Cache, tuple[str, ...]]]) -> None:
    """Brings the sets up to accepted states; beside each, the symbols whose sets its user may be in. May be sent again at any point."""
    moved = [(cache, before) for cache, before in passed if cache.symbols != before]
    if not moved:
        return
    await store.run([command for cache, before in moved for command in _commands(cache, before)])
    await store.run([("EVALSHA", scripts.SETTLE.sha, 1, keys.versions(cache.user), ACCOUNT_STATES, cache.version,
                      SEPARATOR.join(cache.symbols)) for cache, _ in moved])


def _commands(cache: Cache, before: tuple[str, ...]) -> list[Command]:
    found: list[Command] = []
    for symbol in sorted({*cache.symbols, *before}):
        key = keys.holders(symbol, user_parts(cache.user)[0])
        held = "1" if symbol in cache.symbols else "0"
        found.append(("EVALSHA", scripts.HOLDER.sha, 2, key, keys.companion(key), cache.user, cache.version, held))
    return found
