"""Account updates: profile, exchange accounts, and an operator's ends of gaps and quarantines."""

from msgspec.structs import replace

from schemas.engine_pb2 import AccountUpdate
from schemas.keys import HOUSE
from schemas.money import parse_optional
from tables.draft import Draft
from tables.quarantine import release
from tables.rows import Account, Margin, Profile
from tables.sequences import admit, remember, skip

MODELS = {"binance_usdm": "binance_usdm", "bybit_v5": "bybit_linear", "okx_v5": "okx_swap", "kucoin_futures": "kucoin_futures",
          "binance_coinm": "binance_coinm", HOUSE: "mt5"}
_TEXTS = ("group", "status", "risk_tier", "currency", "execution")
_FLAGS = ("is_active", "kyc")


def fold(draft: Draft, update: AccountUpdate) -> None:
    """By number where the source counts, else by id. A skip works at once: its own number may stand behind the very gap it ends."""
    if update.WhichOneof("change") == "skip_gap":
        _skip(draft, update)
    if update.HasField("sequence"):
        admit(draft, update.source, update.sequence)
    elif remember(draft, update.source, update.id):
        apply(draft, update)


def apply(draft: Draft, update: AccountUpdate) -> None:
    """Applies one admitted update; a kind added tomorrow changes nothing."""
    change = _CHANGES.get(update.WhichOneof("change") or "")
    if change:
        change(draft, update)


def _change_profile(draft: Draft, update: AccountUpdate) -> None:
    said = update.profile
    values: dict[str, object] = {name: getattr(said, name) for name in (*_TEXTS, *_FLAGS) if said.HasField(name)}
    if said.HasField("leverage"):
        values["leverage"] = parse_optional(said.leverage)
    if said.fields:
        values["fields"] = {**draft.user.profile.fields, **said.fields}
    profile: Profile = replace(draft.user.profile, **values)
    draft.user = replace(draft.user, profile=profile)
    # The house account follows its profile, so that it does not matter whether it was born before or after this fact.
    if house := draft.user.accounts.get(HOUSE):
        draft.put(replace(house, currency=profile.currency, execution=profile.execution or HOUSE))
    for account_id in draft.user.accounts:
        draft.check(account_id, "profile")


def _add_account(draft: Draft, update: AccountUpdate) -> None:
    said = update.exchange_account
    known = draft.user.accounts.get(said.account_id)
    venue = said.venue or (known.venue if known else "")
    account = replace(
        known or Account(said.account_id), venue=venue, model=said.model or MODELS.get(venue, venue),
        currency=said.currency or ("USD" if venue == HOUSE else "USDT"), auto_reduce=said.auto_reduce,
        execution=said.execution or (HOUSE if venue == HOUSE else "external"),
    )
    removed = tuple(entry for entry in draft.user.removed_accounts if entry != said.account_id)
    if removed != draft.user.removed_accounts:  # it was here before: numbers of episodes it may have used must not come again
        account = replace(account, margin=Margin(episode=draft.version))
    draft.user = replace(draft.user, removed_accounts=removed)
    draft.put(account)
    draft.check(said.account_id, "account_added")


def _remove_account(draft: Draft, update: AccountUpdate) -> None:
    name = update.exchange_account_removed
    accounts = {account_id: account for account_id, account in draft.user.accounts.items() if account_id != name}
    removed = (*(entry for entry in draft.user.removed_accounts if entry != name), name)
    draft.user = replace(draft.user, accounts=accounts, removed_accounts=removed)


def _skip(draft: Draft, update: AccountUpdate) -> None:
    skip(draft, update.skip_gap.source, update.skip_gap.up_to_sequence, update.skip_gap.actor)


def _end_quarantine(draft: Draft, update: AccountUpdate) -> None:
    said = update.end_quarantine
    if release(draft, said.account_id, said.topic):
        draft.anomaly("quarantine_ended", said.account_id, f"{said.actor!r} ended the quarantine of {said.topic or 'every topic'!r}")


_CHANGES = {"profile": _change_profile, "exchange_account": _add_account, "exchange_account_removed": _remove_account, "skip_gap": _skip,
            "end_quarantine": _end_quarantine}
