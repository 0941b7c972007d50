"""House books as an outside order system writes them: numbered fills, and wallet deltas numbered per source."""

import random
from collections.abc import Mapping
from decimal import Decimal

from google.protobuf.message import Message

from schemas import engine_pb2 as engine
from schemas import money
from schemas import user_data_pb2 as data
from schemas.keys import HOUSE
from streams import topics
from streams.stack.market import GROUP, INSTRUMENTS, Instrument

Record = tuple[str, str, Message]  # topic, key, message

# The books pay in dollars: a fill carries no rate, so only what is quoted in the account's currency is traded.
_TRADED = tuple(instrument for instrument in INSTRUMENTS if instrument.venue == HOUSE and instrument.quote == "USD")
_SINKING = next(instrument for instrument in _TRADED if instrument.sinks)
_KINDS = engine.WalletDelta.Kind


class HouseBook:
    """The book of one user. `reckless` ones hold so much of the sinking instrument that its fall ends in a liquidation."""

    def __init__(self, user: str, source: str, *, reckless: bool, seed: int) -> None:
        self.user = user
        self.source = source
        self.reckless = reckless
        self._random = random.Random(f"house {seed} {user}")
        self._fills = 0
        self._sequences: dict[str, int] = {}
        self._held: dict[str, Decimal] = {}
        self._instruments = (_SINKING,) if reckless else tuple(self._random.sample(_TRADED, 2))
        self._capital = Decimal(self._random.randint(1, 10) * (1_000 if reckless else 10_000))

    def open(self, now_ms: int, prices: Mapping[str, Decimal]) -> list[Record]:
        """Profile, opening balance and the first fill."""
        profile = engine.AccountUpdate.Profile(group=GROUP, status="active", is_active=True, kyc=True, risk_tier="retail", currency="USD",
                                               fields={"account_number": self.user.partition(":")[2]})
        update = engine.AccountUpdate(id=f"{self.source}/{self.user}/profile", user_id=self.user, source=self.source, time_ms=now_ms,
                                      profile=profile)
        deposit = self._delta(now_ms, self._capital, _KINDS.OPENING, self.source)
        return [(topics.ACCOUNT_UPDATES, self.user, update), deposit, self.fill(now_ms, prices)]

    def fill(self, now_ms: int, prices: Mapping[str, Decimal]) -> Record:
        """One execution: towards flat where much is held, else either way; a reckless user only ever buys."""
        instrument = self._random.choice(self._instruments)
        quantity = self._quantity(instrument, prices[instrument.key])
        held = self._held.get(instrument.key, money.ZERO)
        if not self.reckless and (held > 2 * quantity or (held >= -2 * quantity and self._random.random() < 0.5)):
            quantity = -quantity
        self._held[instrument.key] = held + quantity
        return topics.ORDER_UPDATES, self.user, self._execution(now_ms, instrument, quantity, prices[instrument.key])

    def delta(self, now_ms: int) -> Record:
        """A deposit, withdrawal, adjustment, funding or fee; the last two come from a source of their own."""
        small = Decimal(self._random.randint(1, 500)) / 100
        if self.reckless and self._random.random() < 0.2:
            return self._delta(now_ms, self._capital, _KINDS.DEPOSIT, self.source)
        kind = self._random.choice((_KINDS.DEPOSIT, _KINDS.WITHDRAWAL, _KINDS.ADJUSTMENT, _KINDS.FUNDING, _KINDS.FEE))
        funded = kind in (_KINDS.FUNDING, _KINDS.FEE)
        sign = -1 if kind in (_KINDS.WITHDRAWAL, _KINDS.FEE) else self._random.choice((1, -1)) if kind == _KINDS.FUNDING else 1
        return self._delta(now_ms, small * sign, kind, f"{self.source}-funding" if funded else self.source)

    def tier(self, now_ms: int) -> Record:
        """A change of the profile that decides nothing."""
        number = self._next("profile")
        profile = engine.AccountUpdate.Profile(risk_tier=self._random.choice(("retail", "professional", "vip")))
        update = engine.AccountUpdate(id=f"{self.source}/{self.user}/profile/{number}", user_id=self.user, source=self.source,
                                      time_ms=now_ms, profile=profile)
        return topics.ACCOUNT_UPDATES, self.user, update

    def _next(self, name: str) -> int:
        self._sequences[name] = number = self._sequences.get(name, 0) + 1
        return number

    def _delta(self, now_ms: int, amount: Decimal, kind: engine.WalletDelta.Kind, source: str) -> Record:
        number = self._next(source)
        return topics.WALLET_DELTAS, self.user, engine.WalletDelta(
            id=f"{source}/{self.user}/{number}", user_id=self.user, account_id=HOUSE, asset="USD", amount=money.say(amount), kind=kind,
            source=source, sequence=number, time_ms=now_ms, opening=kind == _KINDS.OPENING)

    def _quantity(self, instrument: Instrument, price: Decimal) -> Decimal:
        """Whole steps, at least one: about 30 times the capital for a reckless user, a third of it for others."""
        share = Decimal(self._random.randint(22, 45)) if self.reckless else Decimal(self._random.randint(10, 50)) / 100
        return max(int(self._capital * share / price / instrument.step), 1) * instrument.step

    def _execution(self, now_ms: int, instrument: Instrument, quantity: Decimal, price: Decimal) -> data.UserDataOrderUpdateEvent:
        self._fills = number = self._fills + 1
        order = f"{self.user}-{number}"
        size, paid = money.say(abs(quantity)), money.say(price)
        meta = data.EventMeta(
            schema_version=1,
            event_id=f"{self.source}/{order}",
            business_key=f"fill:{instrument.symbol}:{order}",
            user_id=self.user,
            account_id=HOUSE,
            exchange=data.HOUSE,
            source=data.STREAM,
            exchange_event="FILL",
            event_time_ms=now_ms,
            transaction_time_ms=now_ms,
            receive_time_ns=now_ms * 1_000_000,
            connection_epoch=1,
            lease_epoch=1,
            receive_seq=number,
            exchange_seq=str(number),
            part_count=1,
        )
        fee = money.say((abs(quantity) * price / 100_000).quantize(Decimal("0.01")))
        return data.UserDataOrderUpdateEvent(
            meta=meta, symbol=instrument.symbol, order_id=order, client_order_id=f"c-{order}",
            side=data.BUY if quantity > 0 else data.SELL, position_side=data.BOTH, order_type_raw="MARKET", qty_unit=data.BASE,
            orig_qty=size, cum_filled_qty=size, avg_price=paid, leaves_qty="0", execution_type=data.EXEC_TRADE, execution_type_raw="TRADE",
            status=data.FILLED, status_raw="FILLED", origin=data.USER,
            fill=data.Fill(trade_id=order, qty=size, price=paid, fee=fee, fee_asset="USD", trade_time_ms=now_ms))
