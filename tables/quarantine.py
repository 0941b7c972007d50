"""Quarantine: what could not be read leaves a doubt on its account and topic until a snapshot or an operator ends it."""

from msgspec.structs import replace

from tables.draft import Draft
from tables.rows import Account, Quarantine


def impose(draft: Draft, account_id: str, topic: str, reason: str) -> None:
    """Puts the account, or the whole user where `account_id` is unknown or empty, in doubt; facts still fold."""
    entry = Quarantine(topic, reason, draft.fact.time_ms)
    account = draft.user.accounts.get(account_id)
    held = account.quarantines if account else draft.user.quarantines
    if any(known.topic == topic for known in held):
        return
    quarantines = tuple(sorted((*held, entry), key=lambda one: one.topic))  # not by arrival: topics commute
    if account:
        draft.put(replace(account, quarantines=quarantines))
    else:
        draft.user = replace(draft.user, quarantines=quarantines)
    draft.anomaly("quarantine", account_id, f"{topic or 'every topic'}: {reason}")
    for name in [account_id] if account else list(draft.user.accounts):
        draft.check(name, "quarantine")


def refuse(draft: Draft, account_id: str, kind: str, error: str) -> None:
    """The fact cannot be applied, so what its topic tells of the account is no longer known: dead letter, anomaly, quarantine."""
    draft.refuse(kind, account_id, error)
    impose(draft, account_id, draft.fact.topic, error)


def release(draft: Draft, account_id: str, topic: str) -> bool:
    """Ends the quarantine of a topic ("" = of every topic); the whole user's where `account_id` is empty. False: there was none."""
    if not account_id:
        kept = _kept(draft.user.quarantines, topic)
        if kept == draft.user.quarantines:
            return False
        draft.user = replace(draft.user, quarantines=kept)
        for name in draft.user.accounts:
            draft.check(name, "quarantine_ended")
        return True
    account = draft.user.accounts.get(account_id)
    if account is None or _kept(account.quarantines, topic) == account.quarantines:
        return False
    draft.put(replace(account, quarantines=_kept(account.quarantines, topic)))
    draft.check(account_id, "quarantine_ended")
    return True


def release_by_snapshot(draft: Draft, account: Account, topic: str) -> None:
    """A complete snapshot of a topic ends its doubt; the user's too where no other exchange account could be meant."""
    release(draft, account.account_id, topic)
    exchange = [other for other in draft.user.accounts.values() if other.venue != "house"]
    if len(exchange) == 1 and any(entry.topic == topic for entry in draft.user.quarantines):
        release(draft, "", topic)


def _kept(held: tuple[Quarantine, ...], topic: str) -> tuple[Quarantine, ...]:
    return tuple(entry for entry in held if topic and entry.topic != topic)
