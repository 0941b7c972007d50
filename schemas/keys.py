"""Identities: users, instruments, scopes, ids that are pure functions of their cause, and the partition of a key."""

import base64
import hashlib
import re

HOUSE = "house"
_USER = re.compile(r"([a-z][a-z0-9_]{0,31}):([^\s\0:{}]{1,128})")
_BARE = re.compile(r"[^\s\0:{}]{1,128}")
_VENUES = {1: "binance_usdm", 2: "bybit_v5", 3: "okx_v5", 4: "kucoin_futures", 5: "binance_coinm", 6: HOUSE}


class BadKey(ValueError):
    """A text that is no identity."""


def user_key(text: str, default_type: str = "live") -> str:
    """`{user_type}:{user_id}`; an untyped id gets the default type. Raises `BadKey`."""
    if _USER.fullmatch(text):
        return text
    if _BARE.fullmatch(text):
        return f"{default_type}:{text}"
    raise BadKey(f"user: expected 'type:id', was {text[:160]!r}")


def user_parts(user: str) -> tuple[str, str]:
    """(type, id) of a user key."""
    kind, _, ident = user.partition(":")
    return kind, ident


def venue_name(exchange: int) -> str:
    """The venue's name of an `Exchange` number; one added tomorrow keeps its number: `exchange_17`."""
    return _VENUES.get(exchange, f"exchange_{exchange}")


def instrument_key(venue: str, symbol: str) -> str:
    """`venue:symbol`: the same symbol on two venues is two marks and two rule sets."""
    return f"{venue}:{symbol}"


def instrument_parts(instrument: str) -> tuple[str, str]:
    """(venue, symbol) of an instrument."""
    venue, _, symbol = instrument.partition(":")
    if not venue or not symbol:
        raise BadKey(f"instrument: expected 'venue:symbol', was {instrument[:160]!r}")
    return venue, symbol


def transition_id(user: str, account: str, episode: int, transition: int) -> str:
    """Id of a rung transition (a margin call)."""
    return f"{user}/{account}/{episode}/t{transition}"


def step_id(user: str, account: str, episode: int, step: int) -> str:
    """Id of a liquidation step; step 0 is the order of the whole plan."""
    return f"{user}/{account}/{episode}/s{step}"


def client_order_id(step: str) -> str:
    """`ms` and 26 base32 characters of the step id's hash: the same order however often it is sent."""
    return "ms" + base64.b32encode(hashlib.sha256(step.encode()).digest()).decode()[:26].lower()


def murmur2(data: bytes) -> int:
    """The 32-bit hash of Kafka's default partitioner (public domain, Austin Appleby)."""
    mask, m = 0xFFFFFFFF, 0x5BD1E995
    h = (0x9747B28C ^ len(data)) & mask
    whole = len(data) & ~3
    for at in range(0, whole, 4):
        k = int.from_bytes(data[at : at + 4], "little") * m & mask
        h = (h * m & mask) ^ ((k ^ k >> 24) * m & mask)
    if rest := data[whole:]:
        h = (h ^ int.from_bytes(rest, "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return h ^ h >> 15


def partition_of(key: bytes, partitions: int) -> int:
    """The partition Kafka's Java clients (murmur2) give a key."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions
