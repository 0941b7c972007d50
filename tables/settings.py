"""Settings of exchange accounts: leverage, margin mode, hedge and multi-asset mode, level; each with its own version."""

from msgspec.structs import replace

from schemas.keys import instrument_key, venue_name
from schemas.money import parse
from schemas.user_data_pb2 import MarginMode, UserDataAccountConfigEvent
from tables import snapshots
from tables.draft import Draft
from tables.frames import close, see_part
from tables.rows import Account, Version
from tables.venues import account_of
from tables.versions import newer, version_of

_MODES = {number: name.lower() for name, number in MarginMode.items() if number}


def fold(draft: Draft, event: UserDataAccountConfigEvent) -> None:
    """Takes the setting into its account; one added tomorrow changes nothing."""
    meta = event.meta
    before = account_of(draft, meta)
    if before is None:
        return
    if meta.HasField("snapshot_end"):
        account, items = snapshots.end(draft, before, meta)
        if account is not before:
            close(draft, before, account)
        if items is not None:
            snapshots.ended(draft, account.account_id)
        return
    name, changed = _changed(before, event)
    found = set_at(before, name, version_of(meta)) if name else None
    account = replace(changed, config_versions=found.config_versions) if found else before
    account = snapshots.mention(account, draft.fact.topic, meta.snapshot_id, name)
    account = see_part(draft, account, meta)
    if account is not before:
        close(draft, before, account)
    if found and changed != before:
        draft.check(account.account_id, "settings")


def set_at(account: Account, name: str, version: Version) -> Account | None:
    """The account with the setting's version, or None where a newer one is known."""
    if not newer(version, account.config_versions.get(name)):
        return None
    return replace(account, config_versions={**account.config_versions, name: version})


def _changed(account: Account, event: UserDataAccountConfigEvent) -> tuple[str, Account]:
    kind = event.WhichOneof("change") or ""
    venue = venue_name(event.meta.exchange)
    if kind == "leverage" and event.leverage.leverage:
        instrument = instrument_key(venue, event.leverage.symbol)
        return f"leverage/{instrument}", replace(account, leverages={**account.leverages, instrument: parse(event.leverage.leverage)})
    if kind == "margin_mode":
        instrument = instrument_key(venue, event.margin_mode.symbol)
        mode = _MODES.get(event.margin_mode.mode, event.margin_mode.mode_raw.lower() or f"mode_{event.margin_mode.mode}")
        return f"margin_mode/{instrument}", replace(account, margin_modes={**account.margin_modes, instrument: mode})
    if kind == "hedge_mode":
        return kind, replace(account, hedge_mode=event.hedge_mode)
    if kind == "multi_assets_mode":
        return kind, replace(account, multi_assets=event.multi_assets_mode)
    if kind == "account_level_raw":
        return kind, replace(account, account_level=event.account_level_raw)
    return "", account
