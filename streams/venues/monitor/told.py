"""What a session has told of its account, or a snapshot says of it: amounts, wallets, triggers that wait; kept to be compared."""

from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from schemas.keys import instrument_key, venue_name
from schemas.money import ZERO, BadNumber, parse, parse_optional
from schemas.user_data_pb2 import (
    EventMeta,
    OrderStatus,
    Source,
    UserDataAccountConfigEvent,
    UserDataBalanceUpdateEvent,
    UserDataOrderUpdateEvent,
    UserDataPositionUpdateEvent,
)
from streams.venues.frames import Event
from streams.venues.memory import order_of
from tables.orders import rank_of
from tables.positions import side_of
from tables.rows import position_key

_ENDED, _POSITIONS_MAX = 4, 4_096


class Position(NamedTuple):
    """Amounts are signed, in the venue's unit; `opened_ms` as far as known, `told_ms` by our clock."""

    instrument: str
    amount: Decimal
    opened_ms: int
    told_ms: int
    product: str = ""


class Wallet(NamedTuple):
    amount: Decimal
    told_ms: int


class Stop(NamedTuple):
    """A conditional order that waits for its trigger."""

    instrument: str
    trigger: Decimal


class Told:
    """What has ended is forgotten; of flat positions the time they were told is kept, of as many as are not too many."""

    def __init__(self) -> None:
        self.positions: dict[str, Position] = {}
        self.wallets: dict[str, Wallet] = {}
        self.stops: dict[str, Stop] = {}
        self.leverages: dict[str, Decimal] = {}  # by instrument
        self._listed: set[str] = set()  # orders of a snapshot that is being told

    def note(self, events: Iterable[Event], now_ms: int) -> None:
        """Facts in the order in which they were told. A number that is none changes nothing: the worker refuses it."""
        for event in events:
            message = event.message
            try:
                if isinstance(message, UserDataPositionUpdateEvent):
                    self._position(message, now_ms)
                elif isinstance(message, UserDataBalanceUpdateEvent):
                    self._wallet(message, now_ms)
                elif isinstance(message, UserDataOrderUpdateEvent):
                    self._order(message)
                elif isinstance(message, UserDataAccountConfigEvent) and message.HasField("leverage"):
                    self._leverage(message.meta, message.leverage.symbol, message.leverage.leverage)
            except BadNumber:
                continue

    def _position(self, message: UserDataPositionUpdateEvent, now_ms: int) -> None:
        if not message.symbol:
            return
        self._leverage(message.meta, message.symbol, message.leverage)
        if not message.amount:
            return
        instrument = instrument_key(venue_name(message.meta.exchange), message.symbol)
        key = position_key(instrument, side_of(message.position_side, message.position_idx), message.position_id)
        amount, known = parse(message.amount), self.positions.get(key)
        stays = known is not None and known.amount * amount > ZERO
        opened_ms = message.open_time_ms or message.meta.transaction_time_ms or message.meta.event_time_ms or now_ms
        self.positions[key] = Position(instrument, amount, known.opened_ms if known and stays else opened_ms, now_ms,
                                       message.meta.product_raw)
        if len(self.positions) > _POSITIONS_MAX:
            self.positions = {key: one for key, one in self.positions.items() if one.amount}

    def _leverage(self, meta: EventMeta, symbol: str, said: str) -> None:
        leverage = parse_optional(said, "leverage")
        if leverage:
            self.leverages[instrument_key(venue_name(meta.exchange), symbol)] = leverage

    def _wallet(self, message: UserDataBalanceUpdateEvent, now_ms: int) -> None:
        if message.asset and message.wallet_balance:
            self.wallets[message.asset] = Wallet(parse(message.wallet_balance), now_ms)

    def _order(self, message: UserDataOrderUpdateEvent) -> None:
        if message.meta.HasField("snapshot_end"):
            self.stops = {ident: stop for ident, stop in self.stops.items() if ident in self._listed}
            self._listed.clear()
            return
        symbol, ident, _ = order_of(message)
        waits = message.is_algo or message.status == OrderStatus.UNTRIGGERED
        trigger = parse_optional(message.stop_price, "stop_price")
        if message.meta.source == Source.REST_SNAPSHOT:
            self._listed.add(ident)
        if not waits or rank_of(message.status) >= _ENDED or message.status == OrderStatus.TRIGGERED:
            self.stops.pop(ident, None)
        elif ident and trigger:
            self.stops[ident] = Stop(instrument_key(venue_name(message.meta.exchange), symbol), trigger)
