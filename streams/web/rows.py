"""Rows as JSON: amounts as decimal text, times and counts as integers, rungs by name, bookkeeping left out."""

from collections.abc import Callable, Collection
from decimal import Decimal
from typing import TypeAlias

import msgspec

from schemas.money import say
from tables.rows import RUNG_NAMES, Account, Figures, Margin, Orders, User

Json: TypeAlias = "bool | int | str | list[Json] | dict[str, Json] | None"
Row: TypeAlias = dict[str, Json]

# Memory that only folds need: rings of ids, half snapshots, versions.
_BOOKKEEPING = {"recent_ids", "recent_fills", "snapshot_rows", "snapshot_version", "snapshot_id", "mark_versions", "config_versions",
                "removed", "version", "generation", "user_id"}


def plain(value: object) -> Json:
    """JSON of a frozen row or a part of one; raises TypeError for what no row shows (floats among them)."""
    if isinstance(value, Decimal):
        return say(value)
    if isinstance(value, msgspec.Struct):
        return margin(value) if isinstance(value, Margin) else _fields(value, _BOOKKEEPING)
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if value is None or isinstance(value, bool | int | str):
        return value
    raise TypeError(f"row: expected text, an integer, a Decimal or a struct, was {type(value).__name__}")


def _fields(struct: msgspec.Struct, left_out: Collection[str] = ()) -> Row:
    return {name: plain(getattr(struct, name)) for name in struct.__struct_fields__ if name not in left_out}


def margin(state: Margin) -> Row:
    """A margin state with its figures beside it; they are null until a check was made."""
    row = _fields(state, {"figures"}) | {"rung": rung(state.rung), "known_rung": rung(state.known_rung)}
    return row | {name: plain(getattr(state.figures, name, None)) for name in Figures.__struct_fields__}


def rung(number: int) -> str:
    """A rung's name; one of tomorrow keeps its number."""
    return RUNG_NAMES.get(number, f"rung_{number}")


def _accounts(user: User, part: Callable[[Account], Json]) -> Row:
    return {"accounts": {name: part(account) for name, account in sorted(user.accounts.items())}}


def _whole(user: User) -> Row:
    row = _fields(user, _BOOKKEEPING | {"sequences"})
    row["sequences"] = {source: {"next": seen.next, "held": len(seen.held), "gap_since_ms": seen.gap_since_ms}
                        for source, seen in sorted(user.sequences.items())}
    return row


def _positions(account: Account) -> Json:
    return [plain(position) for _, position in sorted(account.positions.items())]


VIEWS: dict[str, Callable[[User], Row]] = {
    "accounts": _whole,
    "balances": lambda user: _accounts(user, lambda account: plain(account.balances)),
    "positions": lambda user: _accounts(user, _positions),
    "margin": lambda user: _accounts(user, lambda account: margin(account.margin)),
    "profiles": lambda user: _fields(user.profile),
}
TABLES = (*VIEWS, "orders")


def open_orders(orders: Orders) -> Row:
    """Open orders by account."""
    found: dict[str, list[Json]] = {}
    for _, order in sorted(orders.orders.items()):
        found.setdefault(order.account_id, []).append(plain(order))
    return {"accounts": {name: list(rows) for name, rows in sorted(found.items())}}
