"""Wallet deltas: every change of a house account's balance, applied once and in order."""

from decimal import Decimal
from urllib.parse import quote

from msgspec.structs import replace

from schemas.engine_pb2 import Transaction, WalletDelta
from schemas.keys import HOUSE
from schemas.money import parse, say
from tables.draft import Draft, transaction
from tables.rows import Account, Balance, User
from tables.sequences import admit, remember

_NOTHING = Balance()


def fold(draft: Draft, delta: WalletDelta) -> None:
    """By number where the source counts, else by id within a bounded memory."""
    if delta.HasField("sequence"):
        admit(draft, delta.source, delta.sequence, opening=delta.opening)
    elif remember(draft, delta.source, delta.id):
        apply(draft, delta)


def apply(draft: Draft, delta: WalletDelta) -> None:
    """Adds the amount; an unknown account, or one whose balances a venue tells, refuses it. Its number stays used."""
    account = house_account(draft.user) if delta.account_id == HOUSE else draft.user.accounts.get(delta.account_id)
    if account is None or account.venue != HOUSE:
        was = "unknown" if account is None else f"of venue {account.venue!r}"
        draft.refuse("delta_refused", delta.account_id, f"delta {delta.id!r}: expected a house account, was {delta.account_id!r}, {was}")
        return
    account = replace(credit(account, delta.asset, parse(delta.amount), draft.fact.time_ms), unfunded=False)
    draft.put(account)
    message = transaction(draft.user.user_id, account, delta.asset, delta.amount)
    _describe(message, delta, draft.fact.time_ms)
    draft.book(message)
    draft.check(account.account_id, "wallet")


def credit(account: Account, asset: str, amount: Decimal, time_ms: int) -> Account:
    """The account with a signed amount added."""
    balance = account.balances.get(asset, _NOTHING)
    balance = Balance(balance.wallet_balance + amount, balance.version, max(balance.updated_ms, time_ms))
    return replace(account, balances={**account.balances, asset: balance})


def house_account(user: User) -> Account:
    """The house account, made at need in the profile's currency."""
    found = user.accounts.get(HOUSE)
    return found or Account(HOUSE, currency=user.profile.currency, execution=user.profile.execution or HOUSE)


def delta_id(delta: WalletDelta) -> str:
    """`source/sequence/id`, the sequence empty where it has none: what tells two deltas of an account apart, and the ledger's key."""
    return f"{quote(delta.source, safe='')}/{delta.sequence if delta.HasField('sequence') else ''}/{delta.id}"


def _describe(message: Transaction, delta: WalletDelta, time_ms: int) -> None:
    message.delta_id = delta_id(delta)
    message.amount = say(parse(delta.amount))
    message.kind = kind_name(delta.kind)
    message.source = delta.source
    if delta.HasField("sequence"):
        message.sequence = delta.sequence
    message.time_ms = delta.time_ms or time_ms
    message.cause = delta.note


def kind_name(kind: int) -> str:
    """`deposit`, ...; a kind added tomorrow keeps its number: `kind_17`."""
    return _KINDS.get(kind, f"kind_{kind}")


_KINDS = {number: name.lower() for name, number in WalletDelta.Kind.items() if number} | {0: "adjustment"}
