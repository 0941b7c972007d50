"""The money of a simulated exchange: fills into positions and balances, transfers, funding, settings; each change is told and logged."""

import hashlib
import itertools
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal

from schemas.money import ZERO
from streams.venues.simulator.books import (
    BOTH,
    BUY,
    LONG,
    SHORT,
    Account,
    AccountMoved,
    Balance,
    BalanceMoved,
    ConfigMoved,
    Event,
    Execution,
    Fill,
    Income,
    Order,
    Position,
    Refused,
)
from streams.venues.simulator.catalogue import instruments
from streams.venues.simulator.clock import Clock
from streams.venues.simulator.history import forget
from streams.venues.simulator.margin import Market, initial, leverage, pool
from streams.venues.simulator.truth import Truth

Listener = Callable[[Account, int, Sequence[Event]], None]
CENT, POINT = Decimal("1e-8"), Decimal("1e-10")  # what money and entry prices are rounded to: frames, REST and truth say the same digits


class Ledger:
    """Accounts of one venue; every public method is one transaction, told to `listeners` as a list of events of one time."""

    def __init__(self, venue: str, clock: Clock, truth: Truth, seed: int = 1) -> None:
        self.venue, self.clock, self.truth = venue, clock, truth
        self.instruments = instruments(venue)
        self.marks = {symbol: one.price for symbol, one in self.instruments.items()}
        self.market = Market(self.instruments, self.marks)
        self.accounts: dict[str, Account] = {}
        self.listeners: list[Listener] = []
        self._at: int | None = None
        self.random = random.Random(f"{venue}/{seed}")
        first = int(hashlib.sha256(venue.encode()).hexdigest()[:6], 16)
        self.order_ids = itertools.count(9_007_199_254_740_993 + first)  # beyond 2^53: who reads ids as floats is found out
        self.trade_ids = itertools.count(258_300_000 + first)
        self.income_ids = itertools.count(1)

    def open_account(self, name: str, deposits: dict[str, str | Decimal] | None = None) -> Account:
        """A new account with credentials that depend on venue and name only; nothing is told."""
        if name in self.accounts:
            raise ValueError(f"expected a new account name, was {name!r}")
        words = [hashlib.sha256(f"{self.venue}/{name}/{word}".encode()).hexdigest() for word in ("key", "secret", "passphrase", "uid")]
        account = Account(name, self.venue, words[0], words[1], words[2][:12], int(words[3][:8], 16), opened_ms=self.clock.now_ms())
        self.accounts[name] = account
        for asset, amount in (deposits or {"USDT": "10000"}).items():
            self._credit(account, asset, Decimal(amount), ("TRANSFER", "", 0))
        self.tell(account, [AccountMoved("DEPOSIT", tuple(self.told(account, asset) for asset in account.balances))])
        return account

    def now(self) -> int:
        """The time of this transaction: what its first step said, until it is told."""
        if self._at is None:
            self._at = self.clock.now_ms()
        return self._at

    def by_key(self, key: str) -> Account | None:
        """Whose API key it is."""
        return next((one for one in self.accounts.values() if one.key == key), None)

    def tell(self, account: Account, events: Sequence[Event]) -> None:
        """Log and publish what happened to one account at this moment."""
        now, self._at = self.now(), None
        self.truth.log(account, now, events)
        for listener in self.listeners:
            listener(account, now, events)
        forget(account)

    def position(self, account: Account, symbol: str, side: str = BOTH) -> Position:
        """The position, flat if there was none."""
        key = (symbol, side)
        if key not in account.positions:
            account.positions[key] = Position(symbol, side, isolated=symbol in account.isolated)
        return account.positions[key]

    def apply(self, account: Account, order: Order, execution: Execution) -> tuple[Fill, AccountMoved]:
        """One execution: order, position, balance and statement; raises nothing, refusals come before."""
        quantity, price, maker = execution
        instrument = self.instruments[order.symbol]
        position = self.position(account, order.symbol, order.position_side)
        now = self.now()
        realised = self._move(account, position, quantity if order.side == BUY else -quantity, price)
        fee = (quantity * price * instrument.contract_size * (instrument.maker_fee if maker else instrument.taker_fee)).quantize(CENT)
        position.spent = position.spent + fee if position.amount else ZERO
        position.updated_ms = now
        order.filled += quantity
        order.cost += quantity * price
        order.fees += fee
        order.realised += realised
        order.updated_ms = now
        fill = Fill(next(self.trade_ids), order.symbol, order.id, order.client_id, order.side, order.position_side, quantity, price,
                    fee, realised, instrument.quote, maker, now)
        account.fills.append(fill)
        if realised:
            self._credit(account, instrument.quote, realised, ("REALIZED_PNL", order.symbol, fill.id))
        self._credit(account, instrument.quote, -fee, ("COMMISSION", order.symbol, fill.id))
        return fill, AccountMoved("ORDER", (self.told(account, instrument.quote),), (replace(position),))

    def _move(self, account: Account, position: Position, change: Decimal, price: Decimal) -> Decimal:
        """Entry, amount and isolated wallet after a change; the realised PnL."""
        size = self.instruments[position.symbol].contract_size
        before, realised = position.amount, ZERO
        closed = min(abs(before), abs(change)) if before * change < 0 else ZERO
        if closed:
            realised = (closed * (price - position.entry) * size * (1 if before > 0 else -1)).quantize(CENT)
            position.realised += realised
            position.spent -= realised
            position.isolated_wallet -= (position.isolated_wallet * closed / abs(before)).quantize(CENT)
        position.amount = before + change
        opened = abs(change) - closed
        if not position.amount:
            position.entry = position.spent = position.isolated_wallet = ZERO
        elif opened:
            kept = abs(before) - closed
            position.entry = ((position.entry * kept + price * opened) / (kept + opened)).quantize(POINT)
            if position.isolated:
                position.isolated_wallet += (opened * price * size / leverage(account, position.symbol)).quantize(CENT)
        return realised

    def _credit(self, account: Account, asset: str, amount: Decimal, why: tuple[str, str, int]) -> Balance:
        """`why` is the statement's kind, symbol and trade id."""
        balance = account.balances.setdefault(asset, Balance(asset))
        balance.wallet += amount
        balance.updated_ms = self.now()
        balance.version += 1
        if amount:
            account.income.append(Income(next(self.income_ids), why[0], asset, amount, why[1], why[2], balance.updated_ms))
        return balance

    def told(self, account: Account, asset: str, change: Decimal = ZERO) -> BalanceMoved:
        """A balance as it is now."""
        balance = account.balances.setdefault(asset, Balance(asset))
        isolated = sum((one.isolated_wallet for one in account.positions.values()
                        if one.isolated and self.instruments[one.symbol].quote == asset), ZERO)
        return BalanceMoved(asset, balance.wallet, balance.wallet - isolated, change, balance.version)

    def transfer(self, account: Account, asset: str, amount: Decimal, reason: str = "") -> None:
        """Money in (positive) or out; `reason` is the venue's word, DEPOSIT or WITHDRAW by default."""
        self._credit(account, asset, amount, ("TRANSFER", "", 0))
        self.tell(account, [AccountMoved(reason or ("DEPOSIT" if amount >= 0 else "WITHDRAW"), (self.told(account, asset, amount),))])

    def fund(self, symbol: str, rate: Decimal) -> None:
        """Funding at the mark: longs pay a positive rate. A cross position tells its balance only, an isolated one itself, too."""
        for account in list(self.accounts.values()):
            for side in (BOTH, LONG, SHORT):
                position = account.positions.get((symbol, side))
                if position is None or not position.amount:
                    continue
                instrument = self.instruments[symbol]
                paid = (position.amount * self.marks[symbol] * instrument.contract_size * rate).quantize(CENT)
                self._credit(account, instrument.quote, -paid, ("FUNDING_FEE", symbol, 0))
                position.spent += paid
                if position.isolated:
                    position.isolated_wallet -= paid
                    position.updated_ms = self.now()
                told = (replace(position),) if position.isolated else ()
                self.tell(account, [AccountMoved("FUNDING_FEE", (self.told(account, instrument.quote, -paid),), told, symbol)])

    def set_leverage(self, account: Account, symbol: str, value: int) -> None:
        """Told as configuration; refused above the instrument's maximum."""
        if not 1 <= value <= self.instruments[symbol].brackets[0].leverage_max:
            raise Refused("leverage")
        account.leverage[symbol] = value
        self.tell(account, [ConfigMoved(symbol, value)])

    def set_isolated(self, account: Account, symbol: str, isolated: bool) -> None:
        """Margin type of a symbol; an open position takes its initial margin along. Told as MARGIN_TYPE_CHANGE."""
        if (symbol in account.isolated) == isolated:
            raise Refused("no_change")
        if any(order.symbol == symbol for order in account.open_orders()):
            raise Refused("open_orders")
        account.isolated ^= {symbol}
        moved = [one for one in account.positions.values() if one.symbol == symbol]
        for position in moved:
            position.isolated = isolated
            position.isolated_wallet = initial(account, position, self.market).quantize(CENT) if isolated else ZERO
            position.updated_ms = self.now()
        told = tuple(replace(one) for one in moved) or (replace(self.position(account, symbol)),)
        self.tell(account, [AccountMoved("MARGIN_TYPE_CHANGE", (self.told(account, self.instruments[symbol].quote),), told)])

    def add_margin(self, account: Account, symbol: str, side: str, amount: Decimal) -> None:
        """Margin into (or out of) an isolated position."""
        position = self.position(account, symbol, side)
        asset = self.instruments[symbol].quote
        if not position.isolated or not position.amount:
            raise Refused("not_isolated")
        if amount > pool(account, asset, self.market).available or position.isolated_wallet + amount <= 0:
            raise Refused("margin")
        position.isolated_wallet += amount
        position.updated_ms = self.now()
        self.tell(account, [AccountMoved("MARGIN_TRANSFER", (self.told(account, asset),), (replace(position),))])

    def set_multi_assets(self, account: Account, on: bool) -> None:
        """Told as configuration."""
        if account.multi_assets == on:
            raise Refused("no_change")
        account.multi_assets = on
        self.tell(account, [ConfigMoved(multi_assets=on)])

    def set_hedge(self, account: Account, on: bool) -> None:
        """Position mode; told to nobody, as on the real venue."""
        if account.hedge == on:
            raise Refused("no_change")
        if any(one.amount for one in account.positions.values()) or account.open_orders():
            raise Refused("open_positions")
        account.hedge = on
        account.positions.clear()
        self.truth.note(account, self.clock.now_ms(), "Hedge", {"on": on})


