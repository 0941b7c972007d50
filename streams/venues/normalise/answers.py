"""A snapshot's facts: rows of REST answers, explicit zeros of what has gone, and an end on each topic that was covered whole."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from schemas import names
from schemas import user_data_pb2 as data
from schemas.keys import instrument_key
from streams.venues.frames import Asked, Event, Held, Receipt, Unreadable
from streams.venues.normalise.fields import Fields, read
from streams.venues.normalise.telling import Telling, Told, topic_of
from tables.orders import order_key
from tables.positions import side_of
from tables.rows import position_key

_MESSAGES: Mapping[str, type[Told]] = {
    names.BALANCE_UPDATES: data.UserDataBalanceUpdateEvent, names.POSITION_UPDATES: data.UserDataPositionUpdateEvent,
    names.ORDER_UPDATES: data.UserDataOrderUpdateEvent, names.ACCOUNT_CONFIG: data.UserDataAccountConfigEvent,
    names.VENUE_MARGIN_CALLS: data.UserDataMarginCallEvent,
}


class Answers:
    """The answers of one snapshot by part (`found`), and what they tell."""

    def __init__(self, exchange: data.Exchange, product: str, parts: Mapping[str, bytes], receipt: Receipt, asked: Asked) -> None:
        self.found = {part: read(body) for part, body in parts.items()}
        self.asked, self.product = asked, product
        frame = b"\0".join((asked.snapshot_id.encode(), *(item for part in sorted(parts) for item in (part.encode(), parts[part]))))
        self._telling = Telling(exchange, receipt, "", frame)
        self._telling.snapshot_id = asked.snapshot_id
        self._rows: dict[tuple[str, str], Told] = {}
        self._source = data.REST_SNAPSHOT

    def part(self, name: str) -> None:
        """Begins a part: what is told from now on is of it."""
        self._telling.name = name

    def timed(self, message: Told, time_ms: int | None, key: str) -> None:
        """The venue's own time, if it has one, and a business key of both."""
        if time_ms:
            message.meta.transaction_time_ms = time_ms
        message.meta.business_key = f"{key}:{time_ms or 0}"

    def tell(self, message: Told, fields: Fields | None = None) -> None:
        """Adds a row; one that another page repeats is told once."""
        message.meta.product_raw = message.meta.product_raw or self.product
        if self._source != data.REST_SNAPSHOT:
            self.tell_gap(message, fields)
            return
        key = (topic_of(message), _item(message))
        if key in self._rows:
            return
        self._rows[key] = message
        message.meta.source = data.REST_SNAPSHOT
        self._telling.tell(message, fields)

    def tell_gap(self, message: Told, fields: Fields | None = None) -> None:
        """Adds what happened in a gap: no row of the snapshot."""
        message.meta.product_raw = message.meta.product_raw or self.product
        message.meta.source = data.REST_GAP_FILL
        self._telling.tell(message, fields)

    @contextmanager
    def gap(self) -> Iterator[None]:
        """What is told within is of a gap."""
        self._source = data.REST_GAP_FILL
        yield
        self._source = data.REST_SNAPSHOT

    def symbols(self) -> set[str]:
        """Symbols that the account holds, held or has orders in."""
        told = {message.symbol for message in self._rows.values()
                if isinstance(message, data.UserDataPositionUpdateEvent | data.UserDataOrderUpdateEvent)}
        return told | {held.name for held in self.asked.held if held.topic == names.POSITION_UPDATES}

    def close(self, topic: str, product: str) -> None:
        """Zeros of what was held and is not mentioned, then the topic's end; `product` "" covers all of them."""
        for held in sorted(self.asked.held):
            gone = _gone(held) if held.topic == topic and product in ("", held.product) else None
            if gone is not None and (topic, _item(gone)) not in self._rows:
                gone.meta.product_raw = held.product
                self.tell(gone)
        count = sum(name == topic for name, _ in self._rows)
        end = _MESSAGES[topic]()
        end.meta.snapshot_end.CopyFrom(
            data.SnapshotEnd(rows_of_this_topic=count, scope_product=product, as_of_ms=self.asked.as_of_ms))
        end.meta.source, end.meta.product_raw = data.REST_SNAPSHOT, product
        self._telling.tell(end)

    def events(self) -> tuple[Event, ...]:
        """All of it, numbered."""
        return self._telling.events()


class Rest(NamedTuple):
    """How a venue's answers are read: what is refused, a reader a part in order of telling, and which parts cover a topic whole."""

    exchange: data.Exchange
    product: str
    check: Callable[[str, object], object]  # (part, answer): what a reader gets
    readers: Mapping[str, Callable[[Answers, object], None]]
    covers: Mapping[str, tuple[set[str], ...]]


def read_answers(rest: Rest, parts: Mapping[str, bytes], receipt: Receipt, asked: Asked) -> tuple[Event, ...]:
    """The facts of a snapshot, or of a gap where it has no id. Raises `Unreadable` naming the part."""
    answers = Answers(rest.exchange, rest.product, parts, receipt, asked)
    for part in parts:
        if part not in rest.readers:
            raise Unreadable(f"part {part[:80]!r}: expected one of {', '.join(rest.readers)}, was none of them")
    answers.found = {part: rest.check(part, found) for part, found in answers.found.items()}
    for part, reader in rest.readers.items():
        if part in answers.found:
            answers.part(part)
            reader(answers, answers.found[part])
    if asked.snapshot_id:
        answers.part("SNAPSHOT")
        for topic, ways in rest.covers.items():
            if any(way <= set(parts) for way in ways):
                answers.close(topic, rest.product)
    return answers.events()


def _gone(held: Held) -> Told | None:
    if held.topic == names.POSITION_UPDATES:
        side = data.PositionSide.Name(held.side)
        return data.UserDataPositionUpdateEvent(symbol=held.name, position_side=side, position_id=held.position_id or None, amount="0")
    if held.topic == names.BALANCE_UPDATES:
        return data.UserDataBalanceUpdateEvent(asset=held.name, wallet_balance="0")
    return None


def _item(message: Told) -> str:
    """What a worker counts a row by; two with one name are one row."""
    if isinstance(message, data.UserDataOrderUpdateEvent):
        return order_key(message)
    if isinstance(message, data.UserDataPositionUpdateEvent):
        side = side_of(message.position_side, message.position_idx)
        return position_key(instrument_key("venue", message.symbol), side, message.position_id)
    if isinstance(message, data.UserDataBalanceUpdateEvent):
        return message.asset
    if isinstance(message, data.UserDataAccountConfigEvent):
        kind = message.WhichOneof("change") or ""
        symbol = {"leverage": message.leverage.symbol, "margin_mode": message.margin_mode.symbol}.get(kind, "")
        return f"{kind}/{symbol}"
    return message.meta.business_key
