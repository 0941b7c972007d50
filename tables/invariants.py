"""What is always true of a row; a row that breaks it stops the worker."""

from collections.abc import Iterator

from tables.rows import Account, Orders, Position, Sequence, User, position_key


class Broken(AssertionError):
    """A row that no sequence of facts can make."""


def check(row: User | Orders) -> None:
    """Raises `Broken` with the user, the version and everything that is wrong."""
    wrong = list(_orders(row) if isinstance(row, Orders) else _user(row))
    if wrong:
        raise Broken(f"{row.user_id} at version {row.version}: {'; '.join(wrong)}")


def _user(user: User) -> Iterator[str]:
    for source, sequence in user.sequences.items():
        yield from _sequence(source, sequence)
    for account_id, account in user.accounts.items():
        if account.account_id != account_id:
            yield f"expected account {account_id!r}, was {account.account_id!r}"
        if account_id in user.removed_accounts:
            yield f"expected account {account_id!r} gone, was there"
        yield from (f"account {account_id!r}: {text}" for text in _account(account))


def _sequence(source: str, sequence: Sequence) -> Iterator[str]:
    if sequence.held and min(sequence.held) <= sequence.next:
        yield f"source {source!r}: expected held numbers above {sequence.next}, was {min(sequence.held)}"
    if bool(sequence.held) != bool(sequence.gap_since_ms):
        yield f"source {source!r}: expected a gap's time exactly while something is held, was {sequence.gap_since_ms}"


def _account(account: Account) -> Iterator[str]:
    for item, position in account.positions.items():
        yield from (f"{item}: {text}" for text in _position(item, position))
        if item in account.removed:
            yield f"{item}: expected no tombstone of what is there, was one"
    for asset, balance in account.balances.items():
        if not balance.wallet_balance.is_finite():
            yield f"{asset}: expected a finite balance, was {balance.wallet_balance}"
    for frame in account.frames:
        if len(frame.seen) >= frame.part_count:
            yield f"expected an incomplete frame, was {frame}"


def _position(item: str, position: Position) -> Iterator[str]:
    if item != position_key(position.instrument, position.side, position.position_id):
        yield f"expected the position's own key, was {item!r}"
    if not position.quantity.is_finite() or not position.quantity:
        yield f"expected a quantity, was {position.quantity}"
    if position.side in ("LONG", "SHORT") and position.quantity < 0:
        yield f"expected an absolute quantity, was {position.quantity}"


def _orders(orders: Orders) -> Iterator[str]:
    closed = {entry.order for entry in orders.closed}
    for item, order in orders.orders.items():
        if order.account_id in orders.removed_accounts:
            yield f"order {item!r}: expected it gone with its account, was there"
        if item in closed:
            yield f"order {item!r}: expected it closed, was open"
        if not item.startswith(order.account_id + "/"):
            yield f"order {item!r}: expected its account {order.account_id!r} in its key"
