"""Reading states from their topic: checked bytes, and only the newest of each user."""

from collections.abc import Iterable
from decimal import Decimal
from typing import TypeVar

from google.protobuf.message import DecodeError

from schemas import keys
from schemas.engine_pb2 import AccountState, OrdersState, UserState
from schemas.money import ZERO, BadNumber, parse
from streams.bridges.letters import Record

State = TypeVar("State", UserState, OrdersState)
UNREADABLE = (DecodeError, UnicodeDecodeError, BadNumber, keys.BadKey)  # what a record's own bytes may be guilty of


class Unreadable(ValueError):
    """Bytes that are no state of the user they lie under."""


def key_of(record: Record) -> str:
    """The user a record lies under; raises `Unreadable` without one."""
    if not record.key:
        raise Unreadable("key: expected a user, was nothing")
    return record.key.decode()


def read_state(record: Record, kind: type[State]) -> State:
    """The state in `record`; raises one of `UNREADABLE` or `Unreadable`."""
    state = kind.FromString(record.value or b"")
    if not state.user_id or state.user_id != key_of(record):
        raise Unreadable(f"user_id: expected the key {key_of(record)!r}, was {state.user_id[:160]!r}")
    return state


def newest(records: Iterable[tuple[Record, State]]) -> dict[str, tuple[Record, State]]:
    """By user, the record of the highest (generation, version)."""
    found: dict[str, tuple[Record, State]] = {}
    for record, state in records:
        before = found.get(state.user_id)
        if before is None or (before[1].generation, before[1].version) < (state.generation, state.version):
            found[state.user_id] = (record, state)
    return found


def house(state: UserState) -> AccountState:
    """The user's house account; an empty one where there is none."""
    return state.accounts[keys.HOUSE] if keys.HOUSE in state.accounts else AccountState(account_id=keys.HOUSE)


def currency_of(state: UserState, account: AccountState) -> str:
    """Currency of the house account, else the profile's, else USD."""
    return account.currency or state.profile.currency or "USD"


def wallet_balance(account: AccountState, currency: str) -> Decimal:
    """Its balance in that currency; 0 where there is none."""
    balance = account.balances.get(currency)
    return parse(balance.wallet_balance or "0", "wallet_balance") if balance is not None else ZERO


def used_margin(account: AccountState) -> Decimal:
    """Initial margin as last judged."""
    return parse(account.margin.figures.initial_margin or "0", "initial_margin")


def net_profit(account: AccountState) -> Decimal:
    """Realised PnL since it opened."""
    return parse(account.realised_pnl or "0", "realised_pnl")
