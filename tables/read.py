"""Reading: a record's bytes become a fact, or a dead letter that says why not."""

from functools import lru_cache
from typing import NamedTuple, Protocol

from google.protobuf.message import DecodeError, Message

from schemas import names
from schemas.engine_pb2 import DeadLetter
from schemas.keys import BadKey, partition_of, user_key
from schemas.money import BadNumber
from tables.fields import BadField, check
from tables.messages import parse
from tables.rows import Fact, Output

_partition_of = lru_cache(maxsize=2**14)(partition_of)  # hashing is a loop over the key's bytes
_VALUE_BYTES_MAX = 262_144
_KEPT_BYTES_MAX = 65_536  # of an unreadable record: more would not fit an outbox


class Record(Protocol):
    """One record as the transport hands it over; `timestamp` is the broker's, in ms."""

    @property
    def offset(self) -> int: ...
    @property
    def partition(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def timestamp(self) -> int: ...


class Unreadable(NamedTuple):
    """`user` None: no row of this partition can take the doubt. `account_id` "": the whole user is in doubt."""

    user: str | None
    account_id: str
    error: str
    dead_letter: Output


def read(record: Record, topic: str, partitions: int, default_user_type: str) -> Fact | Unreadable:
    """Reads one record of a user-keyed topic. Enum values nobody knows yet are kept; everything else must be as the schema says."""
    user = _user_of(record, partitions)
    if isinstance(user, BadKey):
        return refuse(record, topic, None, "", str(user))
    value = record.value or b""
    if not 0 < len(value) <= _VALUE_BYTES_MAX:
        return refuse(record, topic, user, "", f"value: expected 1 to {_VALUE_BYTES_MAX} bytes, was {len(value)}")
    try:
        message = parse(topic, value)
    except DecodeError as error:
        return refuse(record, topic, user, "", f"value: expected a message of {topic}, was {len(value)} bytes that are none ({error})")
    account_id = ""
    try:
        identity: Message = getattr(message, "meta", message)
        _check_user(user, getattr(identity, "user_id", ""), default_user_type)
        account_id = getattr(identity, "account_id", "")
        check(topic, message, value)
    except (BadField, BadNumber) as error:
        return refuse(record, topic, user, account_id[:128], str(error))
    return Fact(topic, record.partition, record.offset, record.timestamp, user, message, value)


def _user_of(record: Record, partitions: int) -> str | BadKey:
    """The row's key is the record's key as it is: an untyped one would make a second row of the same user."""
    key = record.key
    if not key:
        return BadKey("key: expected a user 'type:id', was none")
    try:
        user = key.decode("ascii")
        if user_key(user, "") != user:
            return BadKey(f"key: expected a user 'type:id', was {user[:160]!r}")
    except (UnicodeDecodeError, BadKey):
        return BadKey(f"key: expected a user 'type:id', was {key[:160]!r}")
    expected = _partition_of(key, partitions)
    if expected != record.partition:
        return BadKey(f"partition of key {user!r}: expected {expected}, was {record.partition}")
    return user


def _check_user(user: str, said: str, default_user_type: str) -> None:
    if said == user:
        return
    try:
        found = user_key(said, default_user_type)
    except BadKey as error:
        raise BadField(f"user_id: {error}") from None
    if found != user:
        raise BadField(f"user_id: expected {user!r} as the key says, was {said[:160]!r}")


def refuse(record: Record, topic: str, user: str | None, account_id: str, error: str) -> Unreadable:
    """What cannot be taken, with the dead letter that says why."""
    said = f"{topic}[{record.partition}]@{record.offset}: {error}"
    letter = DeadLetter(topic=topic, partition=record.partition, offset=record.offset, key=(record.key or b"")[:1024],
                        value=(record.value or b"")[:_KEPT_BYTES_MAX], error=said, time_ms=record.timestamp)
    return Unreadable(user, account_id, said, Output(names.DEAD_LETTERS, letter.SerializeToString()))


