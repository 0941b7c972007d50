"""The rows: what the engine remembers of a user. Frozen; a fold returns a new one. Amounts are Decimal, times ms."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from schemas.money import ZERO

NORMAL, WARNING, MARGIN_CALL, LIQUIDATION, UNKNOWN = 1, 2, 3, 4, 5  # numbers of the Rung enum
RUNG_NAMES = {0: "none", 1: "normal", 2: "warning", 3: "margin_call", 4: "liquidation", 5: "unknown"}


class Nothing(dict[Any, Any]):
    """The empty dict that rows share; nothing can be put into it."""

    def __setitem__(self, *given: object) -> None:
        raise TypeError(f"a row's dict: expected a new one, was {given} put into the empty one of all rows")

    update = setdefault = __ior__ = __setitem__  # type: ignore[assignment]


NOTHING = Nothing()


class Version(NamedTuple):
    """Version of a fact of an exchange account; compares in order of arrival within a lease."""

    lease_epoch: int = 0
    connection_epoch: int = 0
    receive_seq: int = 0
    part_index: int = 0
    time_ms: int = 0
    snapshot: bool = False


class Balance(msgspec.Struct, frozen=True, gc=False):
    wallet_balance: Decimal = ZERO
    version: Version | None = None
    updated_ms: int = 0


class Position(msgspec.Struct, frozen=True, gc=False):
    """`quantity` is signed for side BOTH, absolute for LONG and SHORT. `entry_cost` = sum of quantity x price open (signed as quantity)."""

    instrument: str
    side: str = "BOTH"
    quantity: Decimal = ZERO
    entry_price: Decimal = ZERO
    margin_mode: str = "cross"
    isolated_wallet: Decimal | None = None
    leverage: Decimal | None = None
    position_id: str = ""
    open_rate: Decimal | None = None
    swap: Decimal = ZERO
    commission: Decimal = ZERO
    version: Version | None = None
    updated_ms: int = 0
    entry_cost: Decimal = ZERO
    product: str = ""  # as the venue says it: what a snapshot's scope is compared with


class Figures(msgspec.Struct, frozen=True, gc=False):
    equity: Decimal = ZERO
    initial_margin: Decimal = ZERO
    maintenance_margin: Decimal = ZERO
    free_margin: Decimal = ZERO
    unrealised_pnl: Decimal = ZERO
    margin_ratio: Decimal | None = None
    margin_level_pct: Decimal | None = None


class PlanStep(msgspec.Struct, frozen=True, gc=False):
    """`action` cancel_orders or close; `status` ordered, expired, refused, completed. What was filled is as reported."""

    step_id: str
    action: str
    instrument: str = ""
    side: str = ""
    quantity: Decimal = ZERO
    position_id: str = ""
    status: str = "ordered"
    client_order_id: str = ""
    ordered_ms: int = 0
    filled_quantity: Decimal | None = None
    average_price: Decimal | None = None
    reported_ms: int = 0  # when a report said that its order ended: until the order itself is folded, positions are as they were
    order_ended: bool = False


class Refused(msgspec.Struct, frozen=True, gc=False):
    """Plans in a row that were refused whole, for an account that held the same; it is not ordered again before `until_ms`."""

    plans: int = 0
    held: str = ""
    until_ms: int = 0


class Margin(msgspec.Struct, frozen=True, gc=False):
    """`known_rung` is the rung before unknown: hysteresis and the episode rest on it."""

    rung: int = NORMAL
    reasons: tuple[str, ...] = ()
    episode: int = 0
    transition: int = 0
    step: int = 0
    figures: Figures | None = None
    since_ms: int = 0
    known_rung: int = NORMAL
    plan: tuple[PlanStep, ...] = ()
    cooldown_until_ms: int = 0
    refused: Refused | None = None

    def due_ms(self, now_ms: int) -> int:
        """When time alone may next let a plan be ordered; 0 where no such time is to come."""
        if self.cooldown_until_ms > now_ms:
            return self.cooldown_until_ms
        return self.refused.until_ms if self.refused is not None and self.refused.until_ms > now_ms else 0


class Frame(msgspec.Struct, frozen=True, gc=False):
    """An exchange frame of which not all parts are folded yet: the account is settling."""

    lease_epoch: int
    connection_epoch: int
    receive_seq: int
    part_count: int
    seen: tuple[int, ...]
    since_ms: int


class Quarantine(msgspec.Struct, frozen=True, gc=False):
    """`topic` "" covers every topic."""

    topic: str
    reason: str
    since_ms: int


class Account(msgspec.Struct, frozen=True, gc=False):
    """A margin unit. Positions are keyed by `position_key`; versions of settings by their name."""

    account_id: str
    venue: str = "house"
    model: str = "mt5"
    currency: str = "USD"
    execution: str = "house"
    auto_reduce: bool = False
    balances: dict[str, Balance] = {}
    positions: dict[str, Position] = {}
    leverages: dict[str, Decimal] = {}
    margin_modes: dict[str, str] = {}
    hedge_mode: bool = False
    multi_assets: bool = False
    account_level: str = ""
    margin: Margin = Margin()
    frames: tuple[Frame, ...] = ()
    quarantines: tuple[Quarantine, ...] = ()
    realised_pnl: Decimal = ZERO
    config_versions: dict[str, Version] = {}
    venue_margin_call: bool = False
    snapshot_rows: dict[str, int] = {}
    snapshot_version: Version | None = None
    awaited_snapshot: str = ""
    mark_versions: dict[str, Version] = {}
    recent_fills: tuple[str, ...] = ()
    removed: dict[str, Version] = {}
    recent_frames: tuple[str, ...] = ()  # the newest frames that are whole: a repeated part opens none of them again
    unfunded: bool = False  # a fill came before the first wallet fact, which ends it


class Sequence(msgspec.Struct, frozen=True, gc=False):
    """Next expected number of a source; `held` waits behind a gap: number -> topic, 0x00, the fact's bytes."""

    next: int = 0
    held: dict[int, bytes] = {}
    gap_since_ms: int = 0


class Profile(msgspec.Struct, frozen=True, gc=False):
    group: str = "standard"
    leverage: Decimal | None = None
    status: str = "active"
    is_active: bool = True
    kyc: bool = False
    risk_tier: str = ""
    currency: str = "USD"
    execution: str = ""
    fields: dict[str, str] = {}


class User(msgspec.Struct, frozen=True, gc=False):
    """A row of the table `accounts`."""

    user_id: str
    version: int = 0
    generation: int = 0
    profile: Profile = Profile()
    accounts: dict[str, Account] = {}
    sequences: dict[str, Sequence] = {}
    recent_ids: tuple[str, ...] = ()
    quarantines: tuple[Quarantine, ...] = ()
    updated_ms: int = 0
    removed_accounts: tuple[str, ...] = ()


class Order(msgspec.Struct, frozen=True, gc=False):
    account_id: str
    instrument: str
    order_id: str
    client_order_id: str = ""
    side: str = ""
    position_side: str = "BOTH"
    order_type: str = ""
    quantity: Decimal = ZERO
    filled_quantity: Decimal = ZERO
    price: Decimal = ZERO
    average_price: Decimal = ZERO
    stop_price: Decimal = ZERO
    status: str = "NEW"
    reduce_only: bool = False
    is_algo: bool = False
    version: Version | None = None
    updated_ms: int = 0
    snapshot_id: str = ""
    product: str = ""


class ClosedOrder(NamedTuple):
    order: str
    rank: int
    time_ms: int


class Orders(msgspec.Struct, frozen=True, gc=False):
    """A row of the table `orders`: open orders by `account/venue:symbol/order id`, and a bounded memory of closed ones."""

    user_id: str
    version: int = 0
    generation: int = 0
    orders: dict[str, Order] = {}
    closed: tuple[ClosedOrder, ...] = ()
    updated_ms: int = 0
    snapshot_rows: dict[str, int] = {}
    removed_accounts: tuple[str, ...] = ()
    sequences: dict[str, int] = {}  # of account updates: the last number of each source
    recent_ids: tuple[str, ...] = ()  # likewise, of those without a number


class Fact(NamedTuple):
    """One record of a source topic, its bytes already read. `message` is the topic's protobuf message."""

    topic: str
    partition: int
    offset: int
    time_ms: int  # the broker's timestamp of the record
    user: str
    message: object
    value: bytes


class Output(NamedTuple):
    """One record to send, keyed by the row's key, to the row's partition."""

    topic: str
    value: bytes


class Folded(NamedTuple):
    """`row` is the old object itself where nothing changed; `checks` maps account id to the cause of a check."""

    row: User | Orders
    outputs: tuple[Output, ...] = ()
    checks: dict[str, str] = {}


def position_key(instrument: str, side: str, position_id: str = "") -> str:
    return f"{instrument}/{side}/{position_id}" if position_id else f"{instrument}/{side}"
