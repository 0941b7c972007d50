"""An independent fold of the facts, naive on purpose: what balances and positions must be, without the engine's code."""

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from google.protobuf.message import DecodeError, Message

from schemas import engine_pb2 as engine
from schemas import user_data_pb2 as data
from schemas.keys import HOUSE, venue_name
from streams import topics
from streams.stack.oracle_book import Book, Fill, Step

Version = tuple[int, int, int, int]


class Expected(NamedTuple):
    """An account: wallet balance by asset; (quantity, entry price) by `venue:symbol/side`, flat ones left out."""

    balances: dict[str, Decimal]
    positions: dict[str, tuple[Decimal, Decimal]]


class Seen(NamedTuple):
    """A record as it lies in a topic; `timestamp` in ms."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes
    value: bytes

    @property
    def user(self) -> str:
        return self.key.decode(errors="replace")


class _Told(NamedTuple):
    """What a venue said of a balance or position, and when."""

    version: Version
    time_ms: int
    snapshot: bool
    amount: Decimal
    entry: Decimal
    there: bool  # a flat position and what a snapshot removed are not: no end removes them again


class _Venue:
    """One exchange account: the newest word on everything wins; a snapshot's end forgets what it did not mention."""

    def __init__(self) -> None:
        self.told: dict[tuple[str, str], _Told] = {}  # by (topic, what)
        self.mentioned: dict[tuple[str, str], set[str]] = {}  # by (topic, snapshot)
        self.ended: set[tuple[str, str]] = set()

    def mention(self, topic: str, what: str, meta: data.EventMeta) -> None:
        if meta.snapshot_id:
            self.mentioned.setdefault((topic, meta.snapshot_id), set()).add(what)

    def tell(self, topic: str, what: str, meta: data.EventMeta, numbers: tuple[Decimal, Decimal]) -> None:
        self.mention(topic, what, meta)
        told = _Told(_version(meta), meta.transaction_time_ms or meta.event_time_ms, bool(meta.snapshot_id), *numbers,
                     there=topic != topics.POSITION_UPDATES or numbers[0] != 0)
        before = self.told.get((topic, what))
        if before is None or _newer(told, before):
            self.told[topic, what] = told

    def end(self, topic: str, meta: data.EventMeta) -> None:
        name = topic, meta.snapshot_id
        mentioned = self.mentioned.get(name, set())
        if name in self.ended or len(mentioned) != meta.snapshot_end.rows_of_this_topic:
            return
        self.ended.add(name)
        for (of, what), told in self.told.items():
            if of == topic and told.there and what not in mentioned and told.time_ms < meta.snapshot_end.as_of_ms:
                gone = _Told(_version(meta), meta.snapshot_end.as_of_ms, True, Decimal(0), Decimal(0), there=False)
                self.told[of, what] = gone


def _version(meta: data.EventMeta) -> Version:
    return meta.lease_epoch, meta.connection_epoch, meta.receive_seq, meta.part_index


def _newer(told: _Told, before: _Told) -> bool:
    """Order of arrival; between REST and stream the venue's time goes first."""
    if told.snapshot != before.snapshot and told.time_ms != before.time_ms:
        return told.time_ms > before.time_ms
    return told.version > before.version


class Oracle:
    """Feed it every record of the fact topics and of `liquidations`, each topic in the order of its offsets; then ask."""

    def __init__(self) -> None:
        self._books: dict[str, Book] = {}
        self._venues: dict[tuple[str, str], _Venue] = {}
        self._removed: set[tuple[str, str]] = set()
        self._numbers: dict[tuple[str, str], int] = {}  # the last of a user's source: what is told again removes nobody, and adds nobody
        self.users: set[str] = set()

    def take(self, record: Seen) -> None:
        """Note one record; what cannot be read is left out, as it must not change anything."""
        try:
            self._take(record, topics.BY_NAME[record.topic].message.FromString(record.value))  # type: ignore[attr-defined]
        except (DecodeError, InvalidOperation, ValueError):
            return

    def _take(self, record: Seen, message: Message) -> None:
        if isinstance(message, engine.WalletDelta):
            self._book(record.user).delta(message)
        elif isinstance(message, engine.AccountUpdate):
            self._account(record.user, message)
        elif isinstance(message, data.UserDataOrderUpdateEvent):
            self._order(record, message)
        elif isinstance(message, engine.Liquidation):
            self._step(message)
        elif isinstance(message, data.UserDataBalanceUpdateEvent | data.UserDataPositionUpdateEvent):
            self._tell(record, message)
        if record.topic == topics.ACCOUNT_UPDATES:
            self.users.add(record.user)

    def expected(self) -> dict[str, dict[str, Expected]]:
        """By user and account."""
        found: dict[str, dict[str, Expected]] = {user: {} for user in self.users}
        for user, book in self._books.items():
            found.setdefault(user, {})[HOUSE] = Expected(*book.state())
        for (user, account), venue in self._venues.items():
            if (user, account) in self._removed:
                continue
            balances = {what: told.amount for (topic, what), told in venue.told.items() if topic == topics.BALANCE_UPDATES}
            positions = {what: (told.amount, told.entry) for (topic, what), told in venue.told.items()
                         if topic == topics.POSITION_UPDATES and told.amount}
            found.setdefault(user, {})[account] = Expected(balances, positions)
        return found

    @property
    def removed(self) -> frozenset[tuple[str, str]]:
        """Users and their accounts that were removed and did not come back."""
        return frozenset(self._removed)

    def doubts(self) -> list[str]:
        """Completed steps whose realised PnL is not what the book says, one line each."""
        return [line for book in self._books.values() for line in book.doubts()]

    def _account(self, user: str, update: engine.AccountUpdate) -> None:
        if update.HasField("sequence"):
            self._book(user).numbered(update.source, update.sequence)
            if update.sequence <= self._numbers.get((user, update.source), 0):
                return
            self._numbers[user, update.source] = update.sequence
        if update.exchange_account_removed:
            self._removed.add((user, update.exchange_account_removed))
        self._removed.discard((user, update.exchange_account.account_id))

    def _book(self, user: str) -> Book:
        return self._books.setdefault(user, Book(user))

    def _order(self, record: Seen, event: data.UserDataOrderUpdateEvent) -> None:
        if event.meta.exchange != data.HOUSE or not event.HasField("fill"):
            return
        sign = 1 if event.side == data.BUY else -1
        side = {data.LONG: "LONG", data.SHORT: "SHORT"}.get(event.position_side, "BOTH")
        fill = Fill(record.offset, f"house:{event.symbol}/{side}", Decimal(event.fill.qty) * sign, Decimal(event.fill.price),
                    Decimal(event.fill.fee or "0"), event.fill.fee_asset or "USD")
        self._book(record.user).fill(int(event.meta.exchange_seq), fill)

    def _step(self, message: engine.Liquidation) -> None:
        kind = message.WhichOneof("event")
        if message.account_id != HOUSE or kind not in ("step_ordered", "completed"):
            return
        book = self._book(message.user_id)
        if kind == "step_ordered":
            book.sides[message.id] = message.step_ordered.side
            return
        done = message.completed
        fence = message.stamp.fences.get(topics.ORDER_UPDATES, -1)
        book.steps[message.id] = Step(fence, (message.episode, message.step), done.instrument, abs(Decimal(done.quantity)),
                                      Decimal(done.price), Decimal(done.realised_pnl), Decimal(done.fee or "0"))

    def _tell(self, record: Seen, event: data.UserDataBalanceUpdateEvent | data.UserDataPositionUpdateEvent) -> None:
        meta = event.meta
        venue = self._venues.setdefault((record.user, meta.account_id), _Venue())
        if meta.HasField("snapshot_end"):
            venue.end(record.topic, meta)
        elif isinstance(event, data.UserDataBalanceUpdateEvent):
            if event.asset and event.wallet_balance:
                venue.tell(record.topic, event.asset, meta, (Decimal(event.wallet_balance), Decimal(0)))
            else:  # totals of the whole account, or what an order holds: no balance, and a row of its snapshot
                venue.mention(record.topic, event.asset, meta)
        else:
            side = {data.LONG: "LONG", data.SHORT: "SHORT"}.get(event.position_side, "BOTH")
            what = f"{venue_name(meta.exchange)}:{event.symbol}/{side}"
            venue.tell(record.topic, what, meta, (Decimal(event.amount), Decimal(event.entry_price or "0")))


def fold(records: Iterable[Seen]) -> Oracle:
    """The oracle after all `records`."""
    oracle = Oracle()
    for record in records:
        oracle.take(record)
    return oracle
