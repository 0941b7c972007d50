"""`user_wallets` and `user_metadata` of the service before, taken over once: into an empty ledger, as opening deltas."""

import logging
from collections.abc import AsyncIterator

from schemas.keys import BadKey, user_key
from schemas.money import BadNumber, parse, say
from streams.bridges.redis_money import Money, MoneyRefused
from streams.bridges.redis_reading import BadMessage, read_metadata
from streams.cache import keys
from streams.cache.store import Store

log = logging.getLogger(__name__)
_BEGUN, _DONE = 0, 1
_STATE = """SELECT "offset" FROM mirror_progress WHERE (mirror, topic, "partition") = ('import', 'user_wallets', 0)"""
_KEEP = """INSERT INTO mirror_progress (mirror, topic, "partition", "offset") VALUES ('import', 'user_wallets', 0, %s)
           ON CONFLICT (mirror, topic, "partition") DO UPDATE SET "offset" = excluded."offset", updated_at = now() RETURNING 1"""
_EMPTY = "SELECT NOT EXISTS (SELECT FROM transactions) AND NOT EXISTS (SELECT FROM users)"


async def import_once(store: Store, money: Money, default_type: str) -> int:
    """Users taken over; 0 where it was done, the ledger is not empty, or we wrote the hash ourselves.

    Who is there is left, so that one that was killed goes on where it was. What cannot be read is said and left out.
    """
    state = await money.ask(_STATE)
    [ours, wallets, metadata] = await store.run([("EXISTS", keys.companion(keys.USER_WALLETS)), ("HLEN", keys.USER_WALLETS),
                                                 ("HLEN", keys.USER_METADATA)])
    if state == _DONE or (state is None and (ours or not (wallets or metadata) or not await money.ask(_EMPTY))):
        return 0
    await money.ask(_KEEP, _BEGUN)
    count = 0
    async for field, value in _fields(store, keys.USER_WALLETS):
        [told] = await store.run([("HGET", keys.USER_METADATA, field)])
        count += await _take(money, (field, value, told), default_type)
    async for field, told in _fields(store, keys.USER_METADATA):
        count += await _take(money, (field, b"0", told), default_type)  # who has a wallet, too, is there already
    await money.ask(_KEEP, _DONE)
    log.info("imported %d users of user_wallets and user_metadata", count)
    return count


async def _take(money: Money, found: tuple[bytes, bytes, object], default_type: str) -> bool:
    field, value, told = found
    try:
        user = user_key(field.decode(), default_type)
        balance = say(parse(value.decode(), "wallet_balance"))
    except (BadKey, BadNumber, UnicodeDecodeError) as error:
        log.error("import leaves out %r: %s", field[:80], error)
        return False
    profile: dict[str, object] = {}
    try:
        profile = read_metadata(told) if told is not None else {}
    except BadMessage as error:
        log.error("import of %s leaves out its metadata: %s", user, error)
    try:
        return await money.create(user, profile, balance)
    except MoneyRefused as error:
        log.error("import leaves out %s: %s", user, error)
        return False


async def _fields(store: Store, key: str) -> AsyncIterator[tuple[bytes, bytes]]:
    cursor = 0
    while True:
        [answer] = await store.run([("HSCAN", key, cursor, "COUNT", 1_000)])
        if not isinstance(answer, list | tuple):
            return
        cursor, found = int(str(answer[0])), answer[1]
        for pair in found.items() if isinstance(found, dict) else ():
            yield pair
        if not cursor:
            return
