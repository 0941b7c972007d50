"""Rows as JSON: amounts as decimal text, times and counts as integers, rungs by name, bookkeeping left out."""

from collections.abc import Callable
from decimal import Decimal
from typing import TypeAlias

import msgspec

from schemas.money import say
from tables.rows import RUNG_NAMES, Account, Figures, Margin, Order, Orders, User

Json: TypeAlias = "None | bool | int | str | list[Json] | dict[str, Json]"
Row: TypeAlias = dict[str, Json]

# Memory that only folds need: rings of ids, half snapshots, versions.
_BOOKKEEPING = {"recent_ids", "recent_fills", "snapshot_rows", "snapshot_version", "snapshot_id", "mark_versions", "config_versions", "removed",
                "version", "generation", "user_id"}


def plain(value: object) -> Json:
    """JSON of a frozen row or a part of one; raises TypeError for what no row holds (floats among them)."""
    match value:
        case None | bool() | int() | str():
            return value
        case Decimal():
            return say(value)
        case bytes():
            return value.hex()
        case Margin():
            return margin(value)
        case msgspec.Struct():
            return {name: plain(getattr(value, name)) for name in value.__struct_fields__ if name not in _BOOKKEEPING}
        case dict():
            return {str(key): plain(item) for key, item in value.items()}
        case tuple() | list():
            return [plain(item) for item in value]
    raise TypeError(f"row: expected text, an integer, a Decimal or a struct, was {type(value).__name__}")


def margin(state: Margin) -> Row:
    """A margin state with its figures beside it; they are null until a check was made."""
    row: Row = {name: plain(getattr(state, name)) for name in state.__struct_fields__ if name != "figures"}
    row |= {"rung": rung(state.rung), "known_rung": rung(state.known_rung)}
    return row | {name: plain(getattr(state.figures, name, None)) for name in Figures.__struct_fields__}


def rung(number: int) -> str:
    """A rung's name; one of tomorrow keeps its number."""
    return RUNG_NAMES.get(number, f"rung_{number}")


def _accounts(user: User, part: Callable[[Account], Json]) -> Row:
    return {"accounts": {name: part(account) for name, account in sorted(user.accounts.items())}}


def _whole(user: User) -> Row:
    row: Row = {name: plain(getattr(user, name)) for name in user.__struct_fields__ if name not in _BOOKKEEPING}
    row["sequences"] = {source: {"next": seen.next, "held": len(seen.held), "gap_since_ms": seen.gap_since_ms}
                        for source, seen in sorted(user.sequences.items())}
    return row


def _profile(user: User) -> Row:
    return {name: plain(getattr(user.profile, name)) for name in user.profile.__struct_fields__}


def _positions(account: Account) -> Json:
    return [plain(position) for _, position in sorted(account.positions.items())]


VIEWS: dict[str, Callable[[User], Row]] = {
    "accounts": _whole,
    "balances": lambda user: _accounts(user, lambda account: plain(account.balances)),
    "positions": lambda user: _accounts(user, _positions),
    "margin": lambda user: _accounts(user, lambda account: margin(account.margin)),
    "profiles": _profile,
}
TABLES = (*VIEWS, "orders")


def open_orders(orders: Orders) -> Row:
    """Open orders by account."""
    found: dict[str, list[Json]] = {}
    order: Order
    for _, order in sorted(orders.orders.items()):
        found.setdefault(order.account_id, []).append(plain(order))
    return {"accounts": {name: list(rows) for name, rows in sorted(found.items())}}
