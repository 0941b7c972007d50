"""Balances of exchange accounts: absolute facts, replaced by newer ones."""

from msgspec.structs import replace

from schemas.money import parse
from schemas.user_data_pb2 import UserDataBalanceUpdateEvent
from tables import snapshots
from tables.draft import Draft
from tables.frames import close, see_part
from tables.rows import Account, Balance
from tables.venues import venue_account
from tables.versions import newer, version_of


def fold(draft: Draft, event: UserDataBalanceUpdateEvent) -> None:
    """Takes the fact into its account. A fact without an asset or a wallet balance (totals, holds) changes no balance."""
    meta = event.meta
    before = venue_account(draft, meta)
    if before is None:
        return
    if meta.HasField("snapshot_end"):
        _end_snapshot(draft, before, event)
        return
    account = snapshots.mention(before, draft.fact.topic, meta.snapshot_id, event.asset)
    account = see_part(draft, _take(draft, account, event), meta)
    if account is not before:
        close(draft, before, account)


def _take(draft: Draft, account: Account, event: UserDataBalanceUpdateEvent) -> Account:
    version, item = version_of(event.meta), _item(event.asset)
    if not event.asset or not event.wallet_balance:
        return account
    known = account.balances.get(event.asset)
    if not newer(version, known.version if known else account.removed.get(item)):
        return account
    balance = Balance(parse(event.wallet_balance), version, draft.fact.time_ms)
    if known is None or known.wallet_balance != balance.wallet_balance:
        draft.check(account.account_id, "balance")
    removed = {name: at for name, at in account.removed.items() if name != item} if item in account.removed else account.removed
    return replace(account, balances={**account.balances, event.asset: balance}, removed=removed)


def _end_snapshot(draft: Draft, before: Account, event: UserDataBalanceUpdateEvent) -> None:
    meta = event.meta
    account, items = snapshots.end(draft, before, meta)
    version = version_of(meta)._replace(time_ms=snapshots.as_of_ms(meta, draft.fact.time_ms))
    for asset, balance in sorted(before.balances.items()) if items is not None else ():  # as after a restart
        if asset not in (items or ()) and snapshots.gone(balance.version, balance.updated_ms, meta, version.time_ms):
            draft.anomaly("balance_vanished", account.account_id, f"{asset}: not in snapshot {meta.snapshot_id!r}")
            balances = {name: other for name, other in account.balances.items() if name != asset}
            removed = snapshots.bury(account.removed, _item(asset), version, draft.policy.tombstones_max)
            account = replace(account, balances=balances, removed=removed)
    if account is not before:
        close(draft, before, account)
    if items is not None:
        snapshots.ended(draft, account.account_id)


def _item(asset: str) -> str:
    return f"asset/{asset}"
