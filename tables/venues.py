"""The account an exchange fact is about."""

from schemas.keys import HOUSE, venue_name
from schemas.user_data_pb2 import EventMeta
from tables.draft import Draft
from tables.profile import MODELS
from tables.quarantine import refuse
from tables.rows import Account
from tables.wallet import house_account

HOUSE_EXCHANGE = 6


def account_of(draft: Draft, meta: EventMeta) -> Account | None:
    """The account, made at need from the fact's venue. None where it is another venue's, or was removed: late facts do not revive it."""
    found, venue = draft.user.accounts.get(meta.account_id), venue_name(meta.exchange)
    if found is not None and found.venue != venue:
        refuse(draft, meta.account_id, "venue_refused", f"meta.exchange: expected venue {found.venue!r} of its account, was {venue!r}")
        return None
    if found is not None:
        return found
    if meta.account_id in draft.user.removed_accounts:
        return None
    if meta.account_id == HOUSE:
        return house_account(draft.user)
    if venue == HOUSE:
        return Account(meta.account_id, currency=draft.user.profile.currency)
    return Account(meta.account_id, venue, MODELS.get(venue, venue), "USDT", "external")


def venue_account(draft: Draft, meta: EventMeta) -> Account | None:
    """As `account_of`, for absolute facts: a book the engine keeps itself refuses them."""
    account = account_of(draft, meta)
    if account is not None and account.venue == HOUSE and account.execution == HOUSE:
        draft.refuse("absolute_fact_refused", meta.account_id,
                     f"expected fills and deltas for account {meta.account_id!r} of execution 'house', was an absolute fact")
        return None
    return account
