"""Rows as bytes and back: equal rows give equal bytes. What is the same in many rows is one object in all of them."""

import hashlib
from collections.abc import Mapping
from sys import intern
from typing import Any

from schemas import engine_pb2 as pb
from tables.rows import (
    NOTHING,
    Account,
    Balance,
    ClosedOrder,
    Frame,
    Order,
    Orders,
    Position,
    Profile,
    Quarantine,
    Sequence,
    User,
    Version,
)
from tables.wire import dump_margin, figures_message, load_margin, margin, number, put_margin, put_version, text, version

__all__ = ["dump_margin", "dump_orders", "dump_user", "figures_message", "load_margin", "load_orders", "load_user", "state_hash"]


def state_hash(data: bytes) -> str:
    """32 hex digits that say whether two states are the same."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def dump_user(user: User) -> bytes:
    """A row of `accounts` as `UserState` bytes."""
    message = pb.UserState(user_id=user.user_id, version=user.version, generation=user.generation, updated_ms=user.updated_ms,
                           recent_ids=user.recent_ids, removed_accounts=user.removed_accounts)
    _put_profile(message.profile, user.profile)
    for name, account in user.accounts.items():
        _put_account(message.accounts[name], account)
    for source, sequence in user.sequences.items():
        into = message.sequences[source]
        into.next, into.gap_since_ms = sequence.next, sequence.gap_since_ms
        if sequence.held:
            into.held.update(sequence.held)
    for entry in user.quarantines:
        message.quarantines.add(topic=entry.topic, reason=entry.reason, since_ms=entry.since_ms)
    return message.SerializeToString(deterministic=True)


def load_user(data: bytes) -> User:
    """The row of `UserState` bytes; raises protobuf's `DecodeError`."""
    said = pb.UserState.FromString(data)
    return User(
        said.user_id, said.version, said.generation, _profile(said.profile),
        {intern(name): _account(one) for name, one in said.accounts.items()},
        {intern(name): Sequence(one.next, _some(one.held), one.gap_since_ms) for name, one in said.sequences.items()},
        tuple(said.recent_ids), _quarantines(said), said.updated_ms, tuple(said.removed_accounts),
    )


def dump_orders(orders: Orders) -> bytes:
    """A row of `orders` as `OrdersState` bytes."""
    message = pb.OrdersState(user_id=orders.user_id, version=orders.version, generation=orders.generation, updated_ms=orders.updated_ms,
                             removed_accounts=orders.removed_accounts, sequences=orders.sequences, recent_ids=orders.recent_ids)
    for name, order in orders.orders.items():
        _put_order(message.orders[name], order)
    for entry in orders.closed:
        message.closed.add(order=entry.order, rank=entry.rank, time_ms=entry.time_ms)
    if orders.snapshot_rows:
        message.snapshot_rows.update(orders.snapshot_rows)
    return message.SerializeToString(deterministic=True)


def load_orders(data: bytes) -> Orders:
    """The row of `OrdersState` bytes; raises protobuf's `DecodeError`."""
    said = pb.OrdersState.FromString(data)
    return Orders(said.user_id, said.version, said.generation, {name: _order(one) for name, one in said.orders.items()},
                  tuple(ClosedOrder(one.order, one.rank, one.time_ms) for one in said.closed), said.updated_ms, _some(said.snapshot_rows),
                  tuple(said.removed_accounts), _some(said.sequences), tuple(said.recent_ids))


def _put_profile(into: pb.ProfileState, profile: Profile) -> None:
    into.SetInParent()
    into.group, into.status, into.risk_tier, into.currency = profile.group, profile.status, profile.risk_tier, profile.currency
    into.is_active, into.kyc, into.execution = profile.is_active, profile.kyc, profile.execution
    if profile.leverage is not None:
        into.leverage = text(profile.leverage)
    if profile.fields:
        into.fields.update(profile.fields)


def _profile(said: pb.ProfileState) -> Profile:
    return Profile(intern(said.group), number(said.leverage) if said.HasField("leverage") else None, intern(said.status), said.is_active,
                   said.kyc, intern(said.risk_tier), intern(said.currency), intern(said.execution),
                   {intern(name): value for name, value in said.fields.items()} or NOTHING)


def _put_account(into: pb.AccountState, account: Account) -> None:
    into.account_id, into.venue, into.model, into.currency = account.account_id, account.venue, account.model, account.currency
    into.execution, into.auto_reduce, into.account_level = account.execution, account.auto_reduce, account.account_level
    into.hedge_mode, into.multi_assets, into.venue_margin_call = account.hedge_mode, account.multi_assets, account.venue_margin_call
    into.unfunded = account.unfunded
    into.realised_pnl, into.awaited_snapshot = text(account.realised_pnl), account.awaited_snapshot
    for asset, balance in account.balances.items():
        one = into.balances[asset]
        one.wallet_balance, one.updated_ms = text(balance.wallet_balance), balance.updated_ms
        if balance.version is not None:
            put_version(one.version, balance.version)
    for name, position in account.positions.items():
        _put_position(into.positions[name], position)
    put_margin(into.margin, account.margin)
    _put_ingestion(into, account)


def _put_ingestion(into: pb.AccountState, account: Account) -> None:
    """What is remembered of how the facts came in."""
    into.leverages.update({name: text(leverage) for name, leverage in account.leverages.items()})
    into.margin_modes.update(account.margin_modes)
    into.snapshot_rows.update(account.snapshot_rows)
    into.recent_fills.extend(account.recent_fills)
    into.recent_frames.extend(account.recent_frames)
    for frame in account.frames:
        into.frames.add(lease_epoch=frame.lease_epoch, connection_epoch=frame.connection_epoch, receive_seq=frame.receive_seq,
                        part_count=frame.part_count, seen=frame.seen, since_ms=frame.since_ms)
    for entry in account.quarantines:
        into.quarantines.add(topic=entry.topic, reason=entry.reason, since_ms=entry.since_ms)
    for versions, known in ((into.config_versions, account.config_versions), (into.mark_versions, account.mark_versions),
                            (into.removed, account.removed)):
        for name, at in known.items():
            put_version(versions[name], at)
    if account.snapshot_version is not None:
        put_version(into.snapshot_version, account.snapshot_version)


def _balance(said: pb.BalanceState) -> Balance:
    return Balance(number(said.wallet_balance), _version(said), said.updated_ms)


def _account(said: pb.AccountState) -> Account:
    return Account(
        intern(said.account_id), intern(said.venue), intern(said.model), intern(said.currency), intern(said.execution), said.auto_reduce,
        {intern(name): _balance(one) for name, one in said.balances.items()} or NOTHING,
        {intern(name): _position(one) for name, one in said.positions.items()} or NOTHING,
        {intern(name): number(leverage) for name, leverage in said.leverages.items()} if said.leverages else NOTHING,
        _some(said.margin_modes), said.hedge_mode, said.multi_assets, intern(said.account_level), margin(said.margin),
        tuple([Frame(one.lease_epoch, one.connection_epoch, one.receive_seq, one.part_count, tuple(one.seen), one.since_ms)
               for one in said.frames]) if said.frames else (),
        _quarantines(said), number(said.realised_pnl),
        _versions(said.config_versions), said.venue_margin_call, _some(said.snapshot_rows),
        version(said.snapshot_version) if said.HasField("snapshot_version") else None, said.awaited_snapshot,
        _versions(said.mark_versions), tuple(said.recent_fills),
        _versions(said.removed), tuple(said.recent_frames), said.unfunded,
    )


def _quarantines(said: pb.UserState | pb.AccountState) -> tuple[Quarantine, ...]:
    return tuple([Quarantine(one.topic, one.reason, one.since_ms) for one in said.quarantines]) if said.quarantines else ()


def _versions(said: Mapping[str, pb.FactVersion]) -> dict[str, Version]:
    return {intern(name): version(one) for name, one in said.items()} if said else NOTHING


def _some(said: Mapping[Any, Any]) -> dict[Any, Any]:
    return dict(said) if said else NOTHING


def _put_position(into: pb.PositionState, position: Position) -> None:
    into.instrument, into.side, into.margin_mode = position.instrument, position.side, position.margin_mode
    into.position_id, into.product, into.updated_ms = position.position_id, position.product, position.updated_ms
    into.quantity, into.entry_price, into.entry_cost = text(position.quantity), text(position.entry_price), text(position.entry_cost)
    into.swap, into.commission = text(position.swap), text(position.commission)
    if position.isolated_wallet is not None:
        into.isolated_wallet = text(position.isolated_wallet)
    if position.leverage is not None:
        into.leverage = text(position.leverage)
    if position.open_rate is not None:
        into.open_rate = text(position.open_rate)
    if position.version is not None:
        put_version(into.version, position.version)


def _position(said: pb.PositionState) -> Position:
    return Position(
        intern(said.instrument), intern(said.side), number(said.quantity), number(said.entry_price), intern(said.margin_mode),
        number(said.isolated_wallet) if said.HasField("isolated_wallet") else None,
        number(said.leverage) if said.HasField("leverage") else None, said.position_id,
        number(said.open_rate) if said.HasField("open_rate") else None, number(said.swap), number(said.commission), _version(said),
        said.updated_ms, number(said.entry_cost), intern(said.product),
    )


def _put_order(into: pb.OrderState, order: Order) -> None:
    into.account_id, into.instrument, into.order_id, into.client_order_id = (
        order.account_id,
        order.instrument,
        order.order_id,
        order.client_order_id,
    )
    into.side, into.position_side, into.order_type, into.status = order.side, order.position_side, order.order_type, order.status
    into.quantity, into.filled_quantity, into.price = text(order.quantity), text(order.filled_quantity), text(order.price)
    into.average_price, into.stop_price = text(order.average_price), text(order.stop_price)
    into.reduce_only, into.is_algo, into.updated_ms = order.reduce_only, order.is_algo, order.updated_ms
    into.snapshot_id, into.product = order.snapshot_id, order.product
    if order.version is not None:
        put_version(into.version, order.version)


def _order(said: pb.OrderState) -> Order:
    return Order(
        intern(said.account_id), intern(said.instrument), said.order_id, said.client_order_id, intern(said.side),
        intern(said.position_side), intern(said.order_type),
        number(said.quantity), number(said.filled_quantity), number(said.price), number(said.average_price), number(said.stop_price),
        intern(said.status), said.reduce_only, said.is_algo, _version(said), said.updated_ms, said.snapshot_id, intern(said.product),
    )


def _version(said: pb.BalanceState | pb.PositionState | pb.OrderState) -> Version | None:
    return version(said.version) if said.HasField("version") else None
