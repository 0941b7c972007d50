"""A snapshot's facts: rows of REST answers, explicit zeros of what has gone, and an end on each topic that was covered whole."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from schemas import names
from schemas import user_data_pb2 as data
from schemas.keys import instrument_key
from streams.venues.frames import Asked, Event, Held, Receipt, Unreadable
from streams.venues.normalise.fields import Fields, read, rows
from streams.venues.normalise.telling import Teller, Telling, Told, topic_of
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
        self._telling.snapshot_id, self._telling.is_whole = asked.snapshot_id, False
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
        message.meta.source = message.meta.source or data.REST_SNAPSHOT
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

    def told(self) -> list[Told]:
        """The rows so far."""
        return list(self._rows.values())

    def symbols(self) -> set[str]:
        """Symbols that the account holds, held or has orders in."""
        told = {message.symbol for message in self._rows.values()
                if isinstance(message, data.UserDataPositionUpdateEvent | data.UserDataOrderUpdateEvent)}
        return told | {held.name for held in self.asked.held if held.topic == names.POSITION_UPDATES}

    def close(self, topic: str, product: str) -> None:
        """Zeros of what was held and is not mentioned, then the topic's end; `product` "" covers all of them."""
        for held in sorted(self.asked.held):
            gone = _gone(held) if held.topic == topic and ("" in (product, held.product) or product == held.product) else None
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


Reader = Callable[[Answers, object], None]


def each(read_row: Callable[[Teller, Fields], None], *, gap: bool = False) -> Reader:
    """A reader of a list whose rows are read one by one; `gap`: of what happened while nobody listened."""

    def read_all(answers: Answers, found: object) -> None:
        for row in rows(found, "list"):
            read_row(answers, row)

    def read_gap(answers: Answers, found: object) -> None:
        with answers.gap():
            read_all(answers, found)

    return read_gap if gap else read_all


class Rest(NamedTuple):
    """How a venue's answers are read: what is refused, a reader a part in order of telling, and which parts cover a topic whole."""

    exchange: data.Exchange
    product: str
    check: Callable[[str, object], object]  # (part, answer): what a reader gets
    readers: Mapping[str, Reader]
    covers: Mapping[str, tuple[set[str], ...]]
    by_product: bool = False  # what follows a colon is a product, of which a part is the whole


def read_answers(rest: Rest, parts: Mapping[str, bytes], receipt: Receipt, asked: Asked) -> tuple[Event, ...]:
    """The facts of a snapshot, or of a gap where it has no id. What follows a colon in a part's name tells it from others of its kind.

    Raises `Unreadable` naming the part.
    """
    answers = Answers(rest.exchange, rest.product, parts, receipt, asked)
    order = list(rest.readers)
    kinds = {part: _kind(part, order) for part in parts}
    answers.found = {part: rest.check(part, found) for part, found in answers.found.items()}
    for part in sorted(parts, key=lambda part: order.index(kinds[part])):
        answers.part(kinds[part])
        rest.readers[kinds[part]](answers, answers.found[part])
    answers.part("SNAPSHOT")
    answered = set(kinds.values())
    for topic, ways in rest.covers.items() if asked.snapshot_id else ():
        way = next((way for way in ways if way <= answered), None)
        if way is not None:
            answers.close(topic, rest.product or (_product(way, kinds) if rest.by_product else ""))
    return answers.events()


def _product(way: set[str], kinds: Mapping[str, str]) -> str:
    """The one product that all parts of the way name after their colon; "" where they are several, or name none."""
    named = {part.split(":")[1] if ":" in part else "" for part, kind in kinds.items() if kind in way}
    return named.pop() if len(named) == 1 else ""


def _kind(part: str, kinds: list[str]) -> str:
    kind = part.partition(":")[0]
    if kind not in kinds:
        raise Unreadable(f"part {part[:80]!r}: expected one of {', '.join(kinds)}, was none of them")
    return kind


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
