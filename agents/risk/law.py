"""The law: what an account is worth, what is required of it, per pool and position; one module a model behind one interface."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple, Protocol

import msgspec

from agents.risk.market import Market
from agents.risk.rules import Instrument, Thresholds
from schemas.keys import HOUSE
from schemas.money import ZERO
from tables.rows import Order, Position


class Book(msgspec.Struct, frozen=True):
    """An account as the law sees it. `balances` hold isolated wallets and no PnL; `leverage` is behind each position's own."""

    model: str
    currency: str
    balances: Mapping[str, Decimal]
    positions: Mapping[str, Position]
    orders: tuple[Order, ...] = ()
    leverage: Decimal | None = None
    leverages: Mapping[str, Decimal] = {}
    credit: Decimal = ZERO
    venue: str = HOUSE  # whose instruments convert its currencies
    weights: Mapping[str, Decimal] = {}  # collateral weight per asset; absent: 1


class Leg(NamedTuple):
    """A position valued: `signed` in units of the instrument's contracts, money in the pool's asset; `extra`: swap and commission."""

    key: str
    position: Position
    rule: Instrument
    pool: str
    signed: Decimal
    price: Decimal
    notional: Decimal
    unrealised_pnl: Decimal
    initial_margin: Decimal
    maintenance_margin: Decimal
    bracket_rate: Decimal | None = None
    conversion: Decimal = Decimal(1)
    extra: Decimal = ZERO
    own_margin: Decimal = ZERO  # of the ticket alone, before what a hedge saves
    requirement: Decimal = ZERO  # maintenance and what fees a venue counts beside it
    unit: Decimal = ZERO  # value of one contract at `price`
    asset: str = ""  # its money's
    held: Decimal = ZERO  # value of the position at the price that maintenance is taken at


class Collateral(NamedTuple):
    """One asset of a weighted pool: balance with PnL in the asset, rate to the account's currency, weight of what is above zero.

    `via`: the instrument whose mark the rate is, if it is one.
    """

    balance: Decimal
    rate: Decimal
    weight: Decimal
    via: str = ""

    @property
    def value(self) -> Decimal:
        """In the account's currency; a haircut does not shrink a debt."""
        return self.balance * self.rate * (self.weight if self.balance > 0 else 1)


class Pool(NamedTuple):
    """What stands and falls together: a cross pool of an asset (`position` None) or one isolated position. `wallet` has no PnL in it."""

    name: str
    kind: str
    asset: str
    position: str | None
    wallet: Decimal
    equity: Decimal
    initial_margin: Decimal
    maintenance_margin: Decimal
    requirement: Decimal
    rate: Decimal = Decimal(1)  # to the account's currency
    reached: bool = True  # a threshold counts where the figure equals it
    collateral: Mapping[str, Collateral] = {}  # of a weighted pool

    @property
    def ratio(self) -> Decimal | None:
        """Requirement over equity; None where equity is not above zero."""
        return self.requirement / self.equity if self.equity > 0 else None


class Evaluation(NamedTuple):
    """Figures of an account in its currency over all pools. `refused` names what the model will not evaluate at all."""

    wallet_balance: Decimal
    equity: Decimal
    unrealised_pnl: Decimal
    initial_margin: Decimal
    maintenance_margin: Decimal
    free_margin: Decimal
    pools: tuple[Pool, ...]
    legs: tuple[Leg, ...]
    refused: str = ""

    @property
    def level_pct(self) -> Decimal | None:
        """Margin level: equity over initial margin, in percent; None without margin."""
        return self.equity / self.initial_margin * 100 if self.initial_margin > 0 else None


class Prices(NamedTuple):
    """Where a position's pool meets its requirement, each None where there is no such price, and where its equity is gone."""

    below: Decimal | None
    above: Decimal | None
    bankruptcy: Decimal | None


class Close(NamedTuple):
    """A planned reduction of the position `key`; `quantity` is absolute, in the position's own units."""

    key: str
    quantity: Decimal


class Law(Protocol):
    """A model: values a book, finds liquidation prices, plans what to close."""

    def evaluate(self, book: Book, market: Market, thresholds: Thresholds) -> Evaluation: ...

    def prices(self, leg: Leg, evaluation: Evaluation, thresholds: Thresholds) -> Prices: ...

    def plan(self, evaluation: Evaluation, thresholds: Thresholds) -> tuple[Close, ...]: ...


class NoLaw(ValueError):
    """A model nobody has written the law of."""


MODELS = ("binance_usdm", "binance_usdm_multi_asset", "binance_coinm", "bybit_linear", "bybit_inverse", "okx_swap", "kucoin_futures", "mt5")


def signed_quantity(position: Position) -> Decimal:
    """Above zero for what was bought, whatever the side's own sign."""
    return -abs(position.quantity) if position.side == "SHORT" else abs(position.quantity) if position.side == "LONG" else position.quantity


def signed_cost(position: Position) -> Decimal:
    """Sum of signed quantity x entry price: the exact one where the book keeps it, else by the entry price the venue says."""
    signed = signed_quantity(position)
    return abs(position.entry_cost).copy_sign(signed) if position.entry_cost else signed * position.entry_price
