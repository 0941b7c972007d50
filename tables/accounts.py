"""The ledger of accounts: every fact of a user, folded into one row."""

from collections.abc import Callable

from schemas import names
from schemas.user_data_pb2 import UserDataOrderUpdateEvent
from tables import balances, house, positions, profile, reports, settings, wallet
from tables.draft import Draft, settling
from tables.frames import deadline_ms, give_up
from tables.house import apply_house_step
from tables.policy import Policy
from tables.quarantine import impose
from tables.rows import Fact, Folded, User
from tables.venues import HOUSE_EXCHANGE

__all__ = ["apply_house_step", "doubts", "expire", "fold", "new", "quarantine", "settling", "settling_deadline"]


def new(user_id: str) -> User:
    """The row of a user nothing is known of."""
    return User(user_id)


def fold(row: User | None, fact: Fact, policy: Policy) -> Folded:
    """Folds one fact; the row is the old object itself where nothing changed (a new one at version 0 where there was none).

    Facts of different topics commute. Exceptions, all an operator's: a change of `execution`, the removal and return of an account, a skip.
    """
    before = row if row is not None else new(fact.user)
    draft = Draft(before, fact, policy, _apply)
    _FOLDS[fact.topic](draft, fact.message)
    return draft.folded(before)


def quarantine(row: User | None, topic: str, account_id: str, reason: str, now_ms: int) -> Folded:
    """Leaves a doubt on the account and topic of an unreadable fact; on the whole user where the account is not known."""
    if row is None:
        raise ValueError("quarantine: expected a row (use `new` for a first fact), was None")
    draft = _touch(row, topic, now_ms, Policy())
    impose(draft, account_id, topic, reason)
    return draft.folded(row)


def expire(row: User, now_ms: int, policy: Policy) -> Folded | None:
    """Gives up what settling accounts still await, and steps nobody reported, past their bounds; None where nothing is due."""
    draft = _touch(row, "", now_ms, policy)
    for name, account in sorted(row.accounts.items()):  # as after a restart
        if _is_due(deadline_ms(account, policy), now_ms):
            give_up(draft, account)
        if _is_due(reports.report_deadline_ms(account, policy), now_ms):
            reports.expire_steps(draft, draft.user.accounts[name])
    return draft.folded(row) if draft.user is not row else None


def settling_deadline(row: User, policy: Policy) -> int | None:
    """The earliest time (ms) at which `expire` has something to do; None where nothing settles and no report is awaited."""
    waiting = [account for account in row.accounts.values() if account.frames or account.awaited_snapshot or account.margin.plan]
    bounds = (bound(account, policy) for account in waiting for bound in (deadline_ms, reports.report_deadline_ms))
    return min((at for at in bounds if at is not None), default=None)


def doubts(row: User, account_id: str) -> tuple[str, ...]:
    """Why no verdict can rest on the account now, sorted: gap, quarantined, settling, unfunded.

    Unfunded: positions are known and no balance is. Topics have no order among each other, and the one that tells balances may lag.
    """
    account = row.accounts[account_id]
    found = set()
    if account.venue == "house" and any(sequence.held for sequence in row.sequences.values()):
        found.add("gap")
    if row.quarantines or account.quarantines:
        found.add("quarantined")
    if settling(account):
        found.add("settling")
    if account.unfunded or (account.positions and not account.balances):
        found.add("unfunded")
    return tuple(sorted(found))


def _is_due(at_ms: int | None, now_ms: int) -> bool:
    return at_ms is not None and at_ms <= now_ms


def _touch(row: User, topic: str, now_ms: int, policy: Policy) -> Draft:
    # No record causes a touch: its time stands where the offset would, so that ids stay unique.
    return Draft(row, Fact(topic, -1, now_ms, now_ms, row.user_id, None, b""), policy, _apply)


def _fold_order(draft: Draft, event: UserDataOrderUpdateEvent) -> None:
    (house.fold_fill if event.meta.exchange == HOUSE_EXCHANGE else reports.fold_order)(draft, event)


def _apply(draft: Draft) -> None:
    _APPLIED[draft.fact.topic](draft, draft.fact.message)


_FOLDS: dict[str, Callable[..., None]] = {
    names.ORDER_UPDATES: _fold_order, names.POSITION_UPDATES: positions.fold, names.BALANCE_UPDATES: balances.fold,
    names.VENUE_MARGIN_CALLS: reports.fold_margin_call, names.ACCOUNT_CONFIG: settings.fold, names.WALLET_DELTAS: wallet.fold,
    names.ACCOUNT_UPDATES: profile.fold, names.LIQUIDATION_REPORTS: reports.fold_report,
}
_APPLIED: dict[str, Callable[..., None]] = {
    names.ORDER_UPDATES: house.apply_fill, names.WALLET_DELTAS: wallet.apply, names.ACCOUNT_UPDATES: profile.apply,
}
