"""What a venue's bytes become: facts for Kafka, and what only the session must know."""

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from google.protobuf.message import Message

from schemas import names
from schemas.money import BadNumber, parse
from schemas.user_data_pb2 import UserDataBalanceUpdateEvent, UserDataPositionUpdateEvent


class Unreadable(ValueError):
    """Bytes that are no frame of their venue, with the field and what was expected: a dead letter (`dead_letter`), never a fact."""


class Receipt(NamedTuple):
    """Whose frame it is and when it came: a fact's version is (lease_epoch, connection_epoch, receive_seq, part).

    `user_key` is `type:id`; per connection epoch `receive_seq` 1 is what a gap held, 2 the snapshot, and frames count from 3
    (`links.Link`); `received_ns` is our wall clock.
    """

    user_key: str
    account_id: str
    lease_epoch: int = 1
    connection_epoch: int = 1
    receive_seq: int = 1
    received_ns: int = 0
    connection_id: str = ""


class Event(NamedTuple):
    """A message and its topic; the record's key is the receipt's `user_key`."""

    topic: str
    message: Message


class Kind(StrEnum):
    """What a session must know of a frame."""

    PONG = "pong"
    PING = "ping"  # the venue asks in a frame of its own: the session answers
    WELCOME = "welcome"  # KuCoin: subscriptions may be sent
    SUBSCRIBED = "subscribed"  # `name` is the topic or channel, or the request's id
    LOGGED_IN = "logged_in"
    LOGIN_FAILED = "login_failed"
    REFUSED = "refused"  # anything else the venue refused, with its `code`
    KEY_EXPIRED = "key_expired"  # listenKeyExpired: no more facts come on this socket
    CLOSING = "closing"  # the venue is about to close the socket: rotate now (64008, serverShutdown)
    UNKNOWN = "unknown"  # an event nobody knows, by `name`: it is among the events as a dead letter, to be counted
    INFO = "info"  # nothing to do, `name` says what (channel-conn-count, the number in `text`)


class Signal(NamedTuple):
    """What happened to the session; texts are the venue's own, secrets left out."""

    kind: Kind
    name: str = ""
    code: str = ""
    text: str = ""


class Normalised(NamedTuple):
    """A frame read: its facts in the order the venue told them, and a signal where it is (also) about the session."""

    events: tuple[Event, ...] = ()
    signal: Signal | None = None


class Held(NamedTuple):
    """What an account is known to hold: a position by symbol, side and the venue's id, or (topic of balances) an asset by `name`."""

    topic: str
    name: str
    side: int = 0
    position_id: str = ""
    product: str = ""


class Asked(NamedTuple):
    """A snapshot's question: when it left (ms), its id, and what was held by then, of which the snapshot says zero where it is gone."""

    as_of_ms: int
    snapshot_id: str
    held: frozenset[Held] = frozenset()


def holding(held: frozenset[Held], events: Iterable[Event]) -> frozenset[Held]:
    """What is held after these events; to be kept by the session and handed to its next snapshot. Partial facts change nothing."""
    known = set(held)
    for event in events:
        found = _held(event)
        if found is None:
            continue
        one, amount = found
        (known.add if amount else known.discard)(one)
    return frozenset(known)


def _held(event: Event) -> tuple[Held, bool] | None:
    """(the thing, whether anything of it is there), or None where the event does not say."""
    message, found = event.message, None
    try:
        if isinstance(message, UserDataPositionUpdateEvent) and message.symbol and message.amount:
            product = message.meta.product_raw
            found = Held(names.POSITION_UPDATES, message.symbol, message.position_side, message.position_id, product), message.amount
        elif isinstance(message, UserDataBalanceUpdateEvent) and message.asset and message.wallet_balance:
            found = Held(names.BALANCE_UPDATES, message.asset), message.wallet_balance
        return found and (found[0], bool(parse(found[1])))
    except BadNumber:
        return None
