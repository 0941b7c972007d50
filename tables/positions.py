"""Positions of exchange accounts: absolute facts, replaced by newer ones."""

from decimal import Decimal

from msgspec.structs import replace

from schemas.keys import instrument_key, venue_name
from schemas.money import ZERO, parse
from schemas.user_data_pb2 import MarginMode, UserDataPositionUpdateEvent
from tables import snapshots
from tables.draft import Draft
from tables.frames import close, see_part
from tables.rows import Account, Position, Version, position_key
from tables.venues import venue_account
from tables.versions import newer, version_of

SIDES = {0: "BOTH", 1: "BOTH", 2: "LONG", 3: "SHORT"}
MODES = {number: name.lower() for name, number in MarginMode.items() if number}


def fold(draft: Draft, event: UserDataPositionUpdateEvent) -> None:
    """Takes the fact into its account."""
    meta = event.meta
    before = venue_account(draft, meta)
    if before is None:
        return
    if meta.HasField("snapshot_end"):
        _end_snapshot(draft, before, event)
        return
    version = version_of(meta)
    account = before
    if event.symbol:  # a partial fact of the whole account tells nothing the margin rests on
        position = _position(event)
        item = position_key(position.instrument, position.side, position.position_id)
        account = snapshots.mention(before, draft.fact.topic, meta.snapshot_id, item)
        known = before.positions.get(item)
        if newer(version, known.version if known else before.removed.get(item)):
            account = _replace(draft, account, event, item)
            if _tells(known) != _tells(account.positions.get(item)):
                draft.check(account.account_id, "position")
    account = see_part(draft, account, meta)
    if account is not before:
        close(draft, before, account)


def side_of(side: int, position_idx: int = 0) -> str:
    """BOTH, LONG or SHORT; a side added tomorrow keeps its number."""
    return SIDES.get(side or (position_idx + 1 if position_idx in (1, 2) else 0), f"SIDE_{side}")


def without(draft: Draft, account: Account, item: str, version: Version) -> Account:
    """The account with a position removed and its version remembered."""
    positions = {name: position for name, position in account.positions.items() if name != item}
    removed = snapshots.bury(account.removed, item, version, draft.policy.tombstones_max)
    return replace(account, positions=positions, removed=removed)


def _position(event: UserDataPositionUpdateEvent) -> Position:
    side = side_of(event.position_side, event.position_idx)
    return Position(instrument_key(venue_name(event.meta.exchange), event.symbol), side, position_id=event.position_id)


def _replace(draft: Draft, account: Account, event: UserDataPositionUpdateEvent, item: str) -> Account:
    version, known = version_of(event.meta), account.positions.get(item)
    amount = _number(event.amount, known.quantity if known else None)
    if amount is None:  # a partial fact of a position that is not there
        return account
    if not amount:
        return without(draft, account, item, version)
    base = known or _position(event)
    quantity = amount if base.side == "BOTH" else abs(amount)
    entry = _number(event.entry_price, base.entry_price) or ZERO
    mode = MODES.get(event.margin_mode, f"mode_{event.margin_mode}") if event.margin_mode else base.margin_mode
    position = replace(
        base, quantity=quantity, entry_price=entry, entry_cost=quantity * entry, margin_mode=mode,
        isolated_wallet=_number(event.isolated_wallet, base.isolated_wallet) if mode == "isolated" else None,
        leverage=_number(event.leverage, base.leverage), version=version, updated_ms=draft.fact.time_ms,
        product=event.meta.product_raw or base.product,
    )
    removed = {name: at for name, at in account.removed.items() if name != item} if item in account.removed else account.removed
    return replace(account, positions={**account.positions, item: position}, removed=removed)


def _number(text: str, otherwise: Decimal | None) -> Decimal | None:
    """Absent and empty texts change nothing: neither is zero."""
    return parse(text) if text else otherwise


def _tells(position: Position | None) -> tuple[object, ...] | None:
    """What a verdict rests on: venues repeat positions on every order."""
    if position is None:
        return None
    return position.quantity, position.entry_price, position.margin_mode, position.isolated_wallet, position.leverage


def _end_snapshot(draft: Draft, before: Account, event: UserDataPositionUpdateEvent) -> None:
    meta = event.meta
    account, items = snapshots.end(draft, before, meta)
    scope, as_of = meta.snapshot_end.scope_product, snapshots.as_of_ms(meta, draft.fact.time_ms)
    for item, position in sorted(before.positions.items()) if items is not None else ():  # as after a restart, whatever came first
        in_scope = not scope or not position.product or position.product == scope
        if in_scope and item not in (items or ()) and snapshots.gone(position.version, position.updated_ms, meta, as_of):
            draft.anomaly("position_vanished", account.account_id, f"{item}: not in snapshot {meta.snapshot_id!r}")
            account = without(draft, account, item, version_of(meta)._replace(time_ms=as_of))
    if account is not before:
        close(draft, before, account)
    if items is not None:
        snapshots.ended(draft, account.account_id)
