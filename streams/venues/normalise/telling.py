"""Messages become the events of one frame or snapshot: identities, versions, parts, raw bytes, and the worker's own checks."""

import hashlib
import re
from collections.abc import Mapping
from typing import Protocol

from google.protobuf.message import Message

from schemas import names
from schemas import user_data_pb2 as data
from schemas.engine_pb2 import DeadLetter
from schemas.keys import venue_name
from schemas.money import BadNumber, parse
from streams.venues.frames import Event, Receipt, Unreadable
from streams.venues.normalise.fields import Fields, write
from tables.fields import BadField, check

Told = (data.UserDataOrderUpdateEvent | data.UserDataPositionUpdateEvent | data.UserDataBalanceUpdateEvent | data.UserDataMarginCallEvent
        | data.UserDataAccountConfigEvent)

_TOPICS: Mapping[type[Message], str] = {
    data.UserDataOrderUpdateEvent: names.ORDER_UPDATES, data.UserDataPositionUpdateEvent: names.POSITION_UPDATES,
    data.UserDataBalanceUpdateEvent: names.BALANCE_UPDATES, data.UserDataMarginCallEvent: names.VENUE_MARGIN_CALLS,
    data.UserDataAccountConfigEvent: names.ACCOUNT_CONFIG,
}
_WHOLE_BYTES_MAX = 16_384  # of a frame that goes whole with each of its parts: a larger one would be sent as often as it has rows
_PLAIN_BYTES_MAX = 4_096
_LETTER_BYTES_MAX = 65_536
_KEY = re.compile(r"[A-Za-z0-9_-]{16,}")
_MASK = b"***"
# In bytes that may be no JSON: a listen key, a stream's name that looks like one, and any text as long as one.
_SECRETS = re.compile(rb'("listenKey"\s*:\s*")[^"]+|("stream"\s*:\s*")[A-Za-z0-9_-]{16,}|[A-Za-z0-9]{60,}')
_PRICES, _FILLED = ("price", "avg_price", "stop_price"), ("qty", "price")


class Teller(Protocol):
    """Who takes what a row tells: a frame or a snapshot."""

    def tell(self, message: Told, fields: Fields | None = None) -> None:
        """Adds an event; what nobody read of `fields` goes into its `extra`."""


class Telling:
    """Collects what one frame (or one snapshot, by `snapshot_id`) tells, then numbers it.

    `frame` is what `event_id` rests on: the raw bytes, or a snapshot's id. `raw` goes with each event, secrets masked; empty: each
    event's own row does.
    """

    def __init__(self, exchange: data.Exchange, receipt: Receipt, name: str, frame: bytes, raw: bytes = b"") -> None:
        self.exchange, self.receipt, self.name = exchange, receipt, name
        self.event_ms: int | None = None
        self.source = data.STREAM
        self.snapshot_id = ""
        self.is_whole = True  # a frame or a snapshot; of what a gap held nobody waits for the rest
        self.raw = raw if len(raw) <= _WHOLE_BYTES_MAX else b""
        self._frame = frame
        # A short frame has no long text, and JSON spells a 0 byte so: then a worker would find no fault with the texts.
        self._is_plain = len(frame) <= _PLAIN_BYTES_MAX and b"\\u0000" not in frame
        self._told: list[tuple[Told, Fields | None]] = []

    def tell(self, message: Told, fields: Fields | None = None) -> None:
        """Adds an event; what nobody read of `fields` goes into its `extra`."""
        meta = message.meta
        meta.exchange, meta.source = self.exchange, meta.source or self.source
        meta.exchange_event = meta.exchange_event or self.name
        if self.event_ms is not None and not meta.HasField("event_time_ms"):
            meta.event_time_ms = self.event_ms
        if self.snapshot_id and meta.source != data.REST_GAP_FILL:
            meta.snapshot_id = self.snapshot_id
        self._told.append((message, fields))

    def messages(self) -> list[Told]:
        """What was told so far, in order."""
        return [message for message, _ in self._told]

    def events(self, envelope: Fields | None = None, prefix: str = "") -> tuple[Event, ...]:
        """All of it, numbered; what is left of `envelope` is in each one's `extra`. Raises `Unreadable` where a worker would refuse one."""
        common = {prefix + name: text for name, text in envelope.left().items()} if envelope else {}
        ident = hashlib.sha256(_joined(self, self._frame))
        return tuple(self._event(at, common, ident.copy()) for at in range(len(self._told)))

    def _event(self, at: int, common: dict[str, str], ident: "hashlib._Hash") -> Event:
        message, fields = self._told[at]
        meta, receipt = message.meta, self.receipt
        meta.schema_version, meta.raw_encoding, meta.part_index = 1, "json", at
        meta.part_count = len(self._told) if self.is_whole or meta.snapshot_id else 0
        meta.user_id, meta.account_id, meta.connection_id = receipt.user_key, receipt.account_id, receipt.connection_id
        meta.lease_epoch, meta.connection_epoch, meta.receive_seq = receipt.lease_epoch, receipt.connection_epoch, receipt.receive_seq
        meta.receive_time_ns = receipt.received_ns
        meta.raw_payload = self.raw or (write(fields.found).encode() if fields else b"")
        meta.extra.update({**common, **(fields.left() if fields else {})})
        ident.update(str(at).encode())
        meta.event_id = ident.hexdigest()
        topic = _TOPICS[type(message)]
        try:
            check(topic, message, b"" if self._is_plain else message.SerializeToString())
            _not_negative(message)
        except (BadField, BadNumber) as error:
            raise Unreadable(f"{self.name}: {error}") from None
        return Event(topic, message)


def topic_of(message: Told) -> str:
    """Where a message belongs."""
    return _TOPICS[type(message)]


def masked(frame: bytes, *secrets: str | None) -> bytes:
    """The frame without its secrets: listen keys, and stream names that look like one."""
    for secret in secrets:
        if secret and "@" not in secret:
            frame = frame.replace(secret.encode(), _MASK)
    return frame


def like_key(text: str | None) -> str | None:
    """The text, if it looks like a listen key; stream names of a user are their keys."""
    return text if text and _KEY.fullmatch(text) else None


def dead_letter(exchange: int, frame: bytes, receipt: Receipt, error: str) -> Event:
    """What no topic takes, to `dead-letters`: the bytes with their secrets masked, and why."""
    clean = _SECRETS.sub(lambda found: (found[1] or found[2] or b"") + _MASK, frame)
    letter = DeadLetter(topic=f"private/{venue_name(exchange)}", key=receipt.user_key.encode(), value=clean[:_LETTER_BYTES_MAX],
                        error=f"{receipt.account_id}: {error}"[:1_000], time_ms=receipt.received_ns // 1_000_000)
    return Event(names.DEAD_LETTERS, letter)


def _not_negative(message: Told) -> None:
    """No venue has an order or a fill with a price or a quantity below zero; a worker, who also reads other producers, lets prices be."""
    if not isinstance(message, data.UserDataOrderUpdateEvent):
        return
    for part, columns in ((message, _PRICES), (message.fill, _FILLED)):
        for column in columns:
            said: str = getattr(part, column)
            if said and parse(said) < 0:
                raise BadField(f"{column}: expected 0 or more, was {said[:80]!r}")


def _joined(telling: Telling, frame: bytes) -> bytes:
    return b"\0".join((venue_name(telling.exchange).encode(), telling.receipt.account_id.encode(), frame, b""))
