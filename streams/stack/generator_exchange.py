"""Exchange accounts as a venue's private stream tells them: order updates, frames in parts, settings, margin calls, snapshots."""

import random
from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from schemas import engine_pb2 as engine
from schemas import money
from schemas import user_data_pb2 as data
from schemas.keys import user_parts
from streams import topics
from streams.stack.generator_house import Record
from streams.stack.market import BINANCE, BY_KEY, INSTRUMENTS, Instrument

_TRADED = tuple(instrument for instrument in INSTRUMENTS if instrument.venue == BINANCE)
_SINKING = next(instrument for instrument in _TRADED if instrument.sinks)
_OPEN_MAX = 5
_SATOSHI = Decimal("0.00000001")
_CENT = Decimal("0.01")

Event = data.UserDataOrderUpdateEvent | data.UserDataPositionUpdateEvent | data.UserDataBalanceUpdateEvent
Sent = tuple[str, str, Event]
_TOPIC_OF = {data.UserDataOrderUpdateEvent: topics.ORDER_UPDATES, data.UserDataPositionUpdateEvent: topics.POSITION_UPDATES,
             data.UserDataBalanceUpdateEvent: topics.BALANCE_UPDATES}


class _Held(NamedTuple):
    quantity: Decimal
    entry: Decimal
    updated_ms: int


class _Order(NamedTuple):
    order_id: str
    instrument: Instrument
    quantity: Decimal
    price: Decimal
    updated_ms: int


_FLAT = _Held(money.ZERO, money.ZERO, 0)


class ExchangeAccount:
    """One Binance USD-M account of a user; its own truth, of which the stream tells changes and a snapshot tells all."""

    def __init__(self, user: str, *, reckless: bool, seed: int) -> None:
        self.user = user
        self.account_id = f"bn-{user_parts(user)[1]}"
        self._random = random.Random(f"exchange {seed} {user}")
        self._reckless = reckless
        self._wallet = Decimal(self._random.randint(2, 20) * 1_000)
        self._positions: dict[str, _Held] = {}
        self._orders: dict[str, _Order] = {}
        self._capital = self._wallet
        self._epoch = 1
        self._seq = self._numbers = self._now_ms = 0
        self._instruments = (_SINKING,) if reckless else tuple(self._random.sample(_TRADED, 3))

    def open(self, now_ms: int, prices: Mapping[str, Decimal]) -> list[Record]:
        """The account itself, its first snapshot, its first trade."""
        account = engine.AccountUpdate.ExchangeAccount(account_id=self.account_id, venue=BINANCE, model=BINANCE, currency="USDT",
                                                       execution="external")
        update = engine.AccountUpdate(id=f"{self.user}/{self.account_id}/added", user_id=self.user, source="generator", time_ms=now_ms,
                                      exchange_account=account)
        return [(topics.ACCOUNT_UPDATES, self.user, update), *self.snapshot(now_ms), *self.trade(now_ms, prices)]

    def _later(self, now_ms: int) -> int:
        """The account's time never stands still between two events: a snapshot removes only what is older than it."""
        self._now_ms = max(now_ms, self._now_ms + 1)
        return self._now_ms

    def trade(self, now_ms: int, prices: Mapping[str, Decimal]) -> list[Record]:
        """NEW, FILLED, then the ACCOUNT_UPDATE frame in two parts: the balance and the position."""
        now_ms = self._later(now_ms)
        instrument = self._random.choice(self._instruments)
        price = prices[instrument.key]
        order = self._new_order(instrument, self._quantity(instrument, price), price, now_ms)
        fee = (abs(order.quantity) * price / 2_000).quantize(_SATOSHI)
        realised = self._move(instrument, order.quantity, price, now_ms)
        self._wallet += realised - fee
        fill = data.Fill(trade_id=f"t{order.order_id}", qty=money.say(abs(order.quantity)), price=money.say(price), fee=money.say(fee),
                         fee_asset="USDT", realized_pnl=money.say(realised), trade_time_ms=now_ms)
        return [self._order_update(order, data.NEW, now_ms), self._order_update(order, data.FILLED, now_ms, fill),
                self._balance(now_ms, 0, 2), self._position(instrument.key, now_ms, 1, 2)]

    def fund(self, now_ms: int) -> list[Record]:
        """The ACCOUNT_UPDATE frame of a funding fee in two parts: the balance, and the position as it was."""
        now_ms = self._later(now_ms)
        self._wallet += self._random.choice((_CENT, -_CENT))
        held = next(iter(self._positions), self._instruments[0].key)
        return [self._balance(now_ms, 0, 2), self._position(held, now_ms, 1, 2)]

    def order(self, now_ms: int, prices: Mapping[str, Decimal]) -> list[Record]:
        """A resting order comes, or the oldest one is cancelled where enough rest."""
        now_ms = self._later(now_ms)
        if len(self._orders) >= _OPEN_MAX:
            return [self._order_update(self._orders.pop(next(iter(self._orders))), data.CANCELED, now_ms)]
        instrument = self._random.choice(self._instruments)
        ticks = int(prices[instrument.key] * Decimal("0.9") / instrument.tick)
        order = self._new_order(instrument, instrument.step, instrument.tick * ticks, now_ms)
        self._orders[order.order_id] = order
        return [self._order_update(order, data.NEW, now_ms)]

    def configure(self, now_ms: int) -> list[Record]:
        """ACCOUNT_CONFIG_UPDATE: the leverage of a symbol."""
        now_ms = self._later(now_ms)
        change = data.LeverageChange(symbol=self._random.choice(self._instruments).symbol, leverage=str(self._random.randint(5, 50)))
        event = data.UserDataAccountConfigEvent(meta=self._meta("ACCOUNT_CONFIG_UPDATE", now_ms), leverage=change)
        return [(topics.ACCOUNT_CONFIG, self.user, event)]

    def margin_call(self, now_ms: int) -> list[Record]:
        """The venue's own warning about what is held."""
        now_ms = self._later(now_ms)
        called = [data.MarginCallPosition(symbol=key.partition(":")[2], position_side=data.BOTH, amount=money.say(held.quantity),
                                          margin_mode=data.CROSS) for key, held in self._positions.items()]
        event = data.UserDataMarginCallEvent(meta=self._meta("MARGIN_CALL", now_ms), cross_wallet_balance=money.say(self._wallet),
                                             positions=called, level_raw="MARGIN_CALL")
        return [(topics.VENUE_MARGIN_CALLS, self.user, event)]

    def reconnect(self, now_ms: int) -> list[Record]:
        """A new connection: what was closed while away is only missing from the snapshot that follows."""
        now_ms = self._later(now_ms)
        self._epoch, self._seq = self._epoch + 1, 0
        gone = [key for key, held in self._positions.items() if held.updated_ms < now_ms]
        if gone and not self._reckless:
            del self._positions[gone[0]]
            self._wallet -= 1
        self._orders = {name: order for at, (name, order) in enumerate(self._orders.items()) if at or order.updated_ms >= now_ms}
        return self.snapshot(now_ms)

    def snapshot(self, now_ms: int) -> list[Record]:
        """Every balance, position and open order, and an end on each of the three topics."""
        now_ms = self._later(now_ms)
        ident = f"{self.account_id}/{self._epoch}/{self._seq}"
        balance = self._balance(now_ms)
        positions = [self._position(key, now_ms) for key in self._positions]
        orders = [self._order_update(order, data.NEW, now_ms) for order in self._orders.values()]
        rows = [balance, *positions, *orders]
        for _, _, event in rows:
            event.meta.source, event.meta.snapshot_id = data.REST_SNAPSHOT, ident
        return [*rows, self._end(data.UserDataBalanceUpdateEvent(), ident, 1, now_ms),
                self._end(data.UserDataPositionUpdateEvent(), ident, len(positions), now_ms),
                self._end(data.UserDataOrderUpdateEvent(), ident, len(orders), now_ms)]

    def _end(self, event: Event, ident: str, rows: int, now_ms: int) -> Sent:
        meta = self._meta("SNAPSHOT", now_ms)
        meta.source, meta.snapshot_id = data.REST_SNAPSHOT, ident
        meta.snapshot_end.CopyFrom(data.SnapshotEnd(rows_of_this_topic=rows, scope_product="USDM", as_of_ms=now_ms))
        event.meta.CopyFrom(meta)
        return _TOPIC_OF[type(event)], self.user, event

    def _meta(self, name: str, now_ms: int, part: int = 0, parts: int = 1) -> data.EventMeta:
        """Identity and version; the first part of a frame takes the next receive number."""
        self._seq += part == 0
        ident = f"{self.account_id}/{self._epoch}/{self._seq}/{part}"
        return data.EventMeta(
            schema_version=1, event_id=ident, business_key=ident, user_id=self.user, account_id=self.account_id, exchange=data.BINANCE_USDM,
            source=data.STREAM, exchange_event=name, event_time_ms=now_ms, transaction_time_ms=now_ms, receive_time_ns=now_ms * 1_000_000,
            connection_id=f"{self.account_id}/{self._epoch}", connection_epoch=self._epoch, lease_epoch=1, receive_seq=self._seq,
            part_index=part, part_count=parts, product_raw="USDM")

    def _balance(self, now_ms: int, part: int = 0, parts: int = 1) -> Sent:
        wallet = money.say(self._wallet)
        return topics.BALANCE_UPDATES, self.user, data.UserDataBalanceUpdateEvent(
            meta=self._meta("ACCOUNT_UPDATE", now_ms, part, parts), reason_raw="ORDER", asset="USDT", wallet_balance=wallet,
            cross_wallet_balance=wallet)

    def _position(self, key: str, now_ms: int, part: int = 0, parts: int = 1) -> Sent:
        held = self._positions.get(key, _FLAT)
        return (
            topics.POSITION_UPDATES,
            self.user,
            data.UserDataPositionUpdateEvent(
                meta=self._meta("ACCOUNT_UPDATE", now_ms, part, parts),
                reason_raw="ORDER",
                symbol=BY_KEY[key].symbol,
                position_side=data.BOTH,
                qty_unit=data.BASE,
                amount=money.say(held.quantity),
                entry_price=money.say(held.entry),
                margin_mode=data.CROSS,
                margin_asset="USDT",
            ),
        )

    def _order_update(self, order: _Order, status: data.OrderStatus, now_ms: int, fill: data.Fill | None = None) -> Sent:
        kind = {data.NEW: data.EXEC_NEW, data.FILLED: data.EXEC_TRADE}.get(status, data.EXEC_CANCELED)
        size = money.say(abs(order.quantity))
        event = data.UserDataOrderUpdateEvent(
            meta=self._meta("ORDER_TRADE_UPDATE", now_ms), symbol=order.instrument.symbol, order_id=order.order_id,
            client_order_id=f"c{order.order_id}", side=data.BUY if order.quantity > 0 else data.SELL, position_side=data.BOTH,
            order_type_raw="LIMIT", qty_unit=data.BASE, orig_qty=size, price=money.say(order.price), execution_type=kind,
            execution_type_raw=data.ExecutionType.Name(kind), status=status, status_raw=data.OrderStatus.Name(status), origin=data.USER,
            cum_filled_qty=size if fill else "0")
        if fill:
            event.fill.CopyFrom(fill)
            event.avg_price = money.say(order.price)
        return topics.ORDER_UPDATES, self.user, event

    def _new_order(self, instrument: Instrument, quantity: Decimal, price: Decimal, now_ms: int) -> _Order:
        self._numbers += 1
        return _Order(str(self._numbers), instrument, quantity, price, now_ms)

    def _quantity(self, instrument: Instrument, price: Decimal) -> Decimal:
        """Signed, whole steps; a reckless account fills up to about 20 times its wallet, others turn around small sizes."""
        held = self._positions.get(instrument.key, _FLAT).quantity
        share = Decimal(self._random.randint(16, 23)) if self._reckless else Decimal(self._random.randint(5, 40)) / 100
        size = max(int(self._capital * share / price / instrument.step), 1) * instrument.step
        if self._reckless:
            return size - held if size != held else -instrument.step
        return -size if held > size or (held >= -size and self._random.random() < 0.5) else size

    def _move(self, instrument: Instrument, quantity: Decimal, price: Decimal, now_ms: int) -> Decimal:
        """Fold a trade into the venue's own position; returns the realised PnL."""
        held = self._positions.pop(instrument.key, _FLAT)
        after = held.quantity + quantity
        grows = held.quantity * quantity >= 0
        closed = money.ZERO if grows else min(abs(quantity), abs(held.quantity)).copy_sign(held.quantity)
        entry = price
        if grows and after:
            entry = ((held.entry * held.quantity + price * quantity) / after).quantize(_SATOSHI)
        elif after * held.quantity > 0:
            entry = held.entry
        if after:
            self._positions[instrument.key] = _Held(after, entry, now_ms)
        return (closed * (price - held.entry)).quantize(_SATOSHI)
