"""What a simulated exchange remembers: instruments, accounts, orders, fills, positions; and what happened, as neutral events."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from schemas.money import ONE, ZERO

BUY, SELL = "BUY", "SELL"
BOTH, LONG, SHORT = "BOTH", "LONG", "SHORT"
NEW, PARTLY, FILLED, CANCELED, EXPIRED, EXPIRED_IN_MATCH = "NEW", "PARTIALLY_FILLED", "FILLED", "CANCELED", "EXPIRED", "EXPIRED_IN_MATCH"
OPEN = frozenset({NEW, PARTLY})
TRADE, CALCULATED, AMENDMENT = "TRADE", "CALCULATED", "AMENDMENT"


class Refused(Exception):
    """A request that the venue does not accept; `reason` is a word that each venue has its own code and text for."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Bracket(NamedTuple):
    """Notional from `floor` to `cap` in the settle asset; maintenance is notional x `rate` less `amount`."""

    floor: Decimal
    cap: Decimal
    rate: Decimal
    amount: Decimal
    leverage_max: int


class Instrument(NamedTuple):
    """A linear perpetual contract; quantity counts in base units or, where `contract_size` is not 1, in contracts."""

    symbol: str
    base: str
    quote: str
    price: Decimal
    tick: Decimal
    step: Decimal
    contract_size: Decimal = ONE
    maker_fee: Decimal = Decimal("0.0002")
    taker_fee: Decimal = Decimal("0.0005")
    notional_min: Decimal = Decimal(5)
    brackets: tuple[Bracket, ...] = ()


@dataclass(slots=True)
class Fill:
    """One execution; `fee` positive is paid, `realised` without the fee, both in `asset`."""

    id: int
    symbol: str
    order_id: int
    client_id: str
    side: str
    position_side: str
    quantity: Decimal
    price: Decimal
    fee: Decimal
    realised: Decimal
    asset: str
    maker: bool
    time_ms: int


class Execution(NamedTuple):
    """What is filled at once."""

    quantity: Decimal
    price: Decimal
    maker: bool = False


@dataclass(slots=True)
class Order:
    """An order in the book or one that ended; `cost` is the sum of quantity x price filled."""

    symbol: str
    side: str
    type: str
    quantity: Decimal
    price: Decimal = ZERO
    tif: str = "GTC"
    position_side: str = BOTH
    reduce_only: bool = False
    close_position: bool = False
    client_id: str = ""
    stop_price: Decimal = ZERO
    working_type: str = "CONTRACT_PRICE"
    price_protect: bool = False
    self_trade: str = "EXPIRE_MAKER"
    good_till_ms: int = 0
    callback_rate: Decimal = ZERO
    activation: Decimal = ZERO
    id: int = 0
    original_type: str = ""
    status: str = NEW
    filled: Decimal = ZERO
    cost: Decimal = ZERO
    algo_id: int = 0
    expiry_reason: int = 0
    created_ms: int = 0
    updated_ms: int = 0
    fees: Decimal = ZERO
    realised: Decimal = ZERO

    @property
    def left(self) -> Decimal:
        """Not filled yet."""
        return self.quantity - self.filled

    @property
    def average(self) -> Decimal:
        """Mean price of what was filled; 0 where nothing was."""
        return self.cost / self.filled if self.filled else ZERO


@dataclass(slots=True)
class Algo:
    """A conditional order that waits outside the book; `order` is what it places when triggered."""

    id: int
    order: Order
    status: str = NEW
    child_id: int = 0
    filled: Decimal = ZERO
    average: Decimal = ZERO
    reason: str = ""
    active: bool = False  # a trailing order's activation
    extreme: Decimal = ZERO  # best price since activation
    created_ms: int = 0
    updated_ms: int = 0
    triggered_ms: int = 0


@dataclass(slots=True)
class Position:
    """`amount` is signed; `realised` accumulates before fees; `spent` is fees less PnL of this stay, for the break-even price."""

    symbol: str
    side: str
    amount: Decimal = ZERO
    entry: Decimal = ZERO
    realised: Decimal = ZERO
    spent: Decimal = ZERO
    isolated: bool = False
    isolated_wallet: Decimal = ZERO
    updated_ms: int = 0


@dataclass(slots=True)
class Balance:
    """Wallet balance of an asset, isolated wallets included, no unrealised PnL in it."""

    asset: str
    wallet: Decimal = ZERO
    updated_ms: int = 0
    version: int = 0


class Income(NamedTuple):
    """A line of the account's statement."""

    id: int
    kind: str
    asset: str
    amount: Decimal
    symbol: str
    trade_id: int
    time_ms: int


@dataclass
class Account:
    """One account of one venue with its credentials; `public_key` is a PEM where it signs by RSA or Ed25519."""

    name: str
    venue: str
    key: str
    secret: str
    passphrase: str
    uid: int
    public_key: str = ""
    hedge: bool = False
    multi_assets: bool = False
    balances: dict[str, Balance] = field(default_factory=dict)
    positions: dict[tuple[str, str], Position] = field(default_factory=dict)
    orders: dict[int, Order] = field(default_factory=dict)  # open ones and those that ended
    algos: dict[int, Algo] = field(default_factory=dict)
    fills: list[Fill] = field(default_factory=list)
    income: list[Income] = field(default_factory=list)
    leverage: dict[str, int] = field(default_factory=dict)
    isolated: set[str] = field(default_factory=set)
    working: dict[int, Order] = field(default_factory=dict)  # of `orders`, those that may be open: not all that ever were are looked at
    waiting: dict[int, Algo] = field(default_factory=dict)  # likewise of `algos`
    called: bool = False  # a margin call was told and the account has not recovered since
    opened_ms: int = 0
    forgotten: int = 0  # fills that the history no longer has
    looked_at: int = 0  # its size when it was last looked through

    def __repr__(self) -> str:
        return f"Account({self.venue}:{self.name})"

    def open_orders(self) -> list[Order]:
        """Those in the book, oldest first."""
        for number in [number for number, order in self.working.items() if order.status not in OPEN]:
            del self.working[number]
        return list(self.working.values())

    def enter(self, order: Order) -> None:
        """One more order in the book."""
        self.orders[order.id] = self.working[order.id] = order

    def open_algos(self) -> list[Algo]:
        """Those that wait for their trigger."""
        for number in [number for number, algo in self.waiting.items() if algo.status != NEW]:
            del self.waiting[number]
        return list(self.waiting.values())


class OrderMoved(NamedTuple):
    """An order came, was filled, amended or ended: `execution` says which; `fill` where it was filled."""

    order: Order
    execution: str
    fill: Fill | None = None


class Traded(NamedTuple):
    """The first word of a fill, before balances and order."""

    order: Order
    fill: Fill


class BalanceMoved(NamedTuple):
    """A balance as it then was; `change` is what is neither PnL nor fee."""

    asset: str
    wallet: Decimal
    cross_wallet: Decimal
    change: Decimal
    version: int


class AccountMoved(NamedTuple):
    """Balances and positions after one transaction."""

    reason: str
    balances: tuple[BalanceMoved, ...]
    positions: tuple[Position, ...] = ()
    symbol: str = ""


class AlgoMoved(NamedTuple):
    """A conditional order changed its status."""

    algo: Algo


class ConfigMoved(NamedTuple):
    """Leverage of a symbol, or the account's multi-assets mode."""

    symbol: str = ""
    leverage: int = 0
    multi_assets: bool | None = None


class MarginCalled(NamedTuple):
    """The venue warns: positions whose maintenance margin comes near the equity."""

    positions: tuple[Position, ...]
    isolated: bool = False


class TriggerRejected(NamedTuple):
    """The order of a triggered condition was not taken."""

    symbol: str
    order_id: int
    reason: str


Event = Traded | OrderMoved | AccountMoved | AlgoMoved | ConfigMoved | MarginCalled | TriggerRejected
