"""The accounts of the ledger of orders: one that is removed takes its open orders along, and late facts do not bring them back."""

from msgspec.structs import replace

from schemas.engine_pb2 import AccountUpdate
from schemas.names import ORDER_UPDATES
from tables.policy import Policy
from tables.rows import Orders

_TOLD = ("exchange_account", "exchange_account_removed", "skip_gap")


def takes(update: AccountUpdate) -> bool:
    """Whether open orders have anything to do with it."""
    return update.WhichOneof("change") in _TOLD


def fold(row: Orders, update: AccountUpdate, policy: Policy) -> Orders:
    """By number where the source counts, else by id: what is told again changes nothing, nor does a number that was overtaken.

    Gaps are not known here, for a source's numbers are spread over topics: what waits behind one in `accounts` is done here at once.
    """
    if not takes(update):
        return row
    skipped = update.skip_gap
    if update.WhichOneof("change") == "skip_gap":
        return _counted(row, skipped.source, skipped.up_to_sequence) if row.version else row
    admitted = _counted(row, update.source, update.sequence) if update.HasField("sequence") else _remembered(row, update, policy)
    if admitted is row:
        return row
    if name := update.exchange_account_removed:
        return _without(admitted, name)
    kept = tuple(entry for entry in row.removed_accounts if entry != update.exchange_account.account_id)
    return replace(admitted, removed_accounts=kept)


def _counted(row: Orders, source: str, number: int) -> Orders:
    """The row itself where the number was seen, or a later one."""
    return row if number <= row.sequences.get(source, 0) else replace(row, sequences={**row.sequences, source: number})


def _remembered(row: Orders, update: AccountUpdate, policy: Policy) -> Orders:
    """The row itself where the id was seen lately."""
    entry = f"{update.source}/{update.id}"
    return row if entry in row.recent_ids else replace(row, recent_ids=(*row.recent_ids, entry)[-policy.recent_ids_max:])


def _without(row: Orders, name: str) -> Orders:
    """Those that ended stay ended; of the others nobody knows how they ended, so that the account may come back with them."""
    half = f"{name}/{ORDER_UPDATES}|"
    return replace(
        row, orders={key: order for key, order in row.orders.items() if order.account_id != name},
        snapshot_rows={key: count for key, count in row.snapshot_rows.items() if not key.startswith(half)},
        removed_accounts=(*(entry for entry in row.removed_accounts if entry != name), name))
