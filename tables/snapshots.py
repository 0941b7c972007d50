"""Snapshots: which rows were mentioned, and what a snapshot's end removes."""

from msgspec.structs import replace

from schemas.user_data_pb2 import EventMeta
from tables.draft import Draft
from tables.frames import drop_covered, end_await
from tables.quarantine import release_by_snapshot
from tables.rows import Account, Version
from tables.versions import version_of

_AHEAD_MS_MAX = 60_000  # of whoever asked, before the broker


def mention(account: Account, topic: str, snapshot_id: str, item: str) -> Account:
    """The account with a row of a snapshot noted; a snapshot that has ended takes no more."""
    if not snapshot_id or f"{topic}/{snapshot_id}" in account.mark_versions:
        return account
    rows = noted(account.snapshot_rows, topic, snapshot_id, item)
    return account if rows is account.snapshot_rows else replace(account, snapshot_rows=rows)


def noted(rows: dict[str, int], topic: str, snapshot_id: str, item: str) -> dict[str, int]:
    """Rows with one more; a snapshot that never ended is forgotten when the next begins."""
    own = f"{topic}|{snapshot_id}|"
    if own + item in rows:
        return rows
    return {name: count for name, count in rows.items() if name.startswith(own) or not name.startswith(topic + "|")} | {own + item: 1}


def mentioned(rows: dict[str, int], topic: str, snapshot_id: str) -> set[str]:
    """The items of a snapshot that were seen."""
    own = f"{topic}|{snapshot_id}|"
    return {name[len(own):] for name in rows if name.startswith(own)}


def forget(rows: dict[str, int], topic: str, snapshot_id: str) -> dict[str, int]:
    """Without what was noted of a snapshot."""
    return {name: count for name, count in rows.items() if not name.startswith(f"{topic}|{snapshot_id}|")}


def end(draft: Draft, account: Account, meta: EventMeta) -> tuple[Account, set[str] | None]:
    """Closes a topic's part of a snapshot: (the account, the items mentioned), or None for them where rows are missing or it is a repeat.

    Missing rows: an anomaly asks for another snapshot and nothing is removed.
    """
    topic, name = draft.fact.topic, f"{draft.fact.topic}/{meta.snapshot_id}"
    if name in account.mark_versions:
        return account, None
    items = mentioned(account.snapshot_rows, topic, meta.snapshot_id)
    rows = forget(account.snapshot_rows, topic, meta.snapshot_id)
    expected = meta.snapshot_end.rows_of_this_topic
    if len(items) != expected:
        draft.anomaly(
            "snapshot_incomplete", account.account_id, f"{topic} {meta.snapshot_id!r}: expected {expected} rows, was {len(items)}"
        )
        return replace(account, snapshot_rows=rows), None
    version = version_of(meta)._replace(time_ms=as_of_ms(meta, draft.fact.time_ms))
    last = max(account.snapshot_version or version, version)
    marks = _bounded(account.mark_versions, topic, draft.policy.snapshots_max - 1) | {name: version}
    return end_await(drop_covered(replace(account, snapshot_rows=rows, mark_versions=marks, snapshot_version=last))), items


def ended(draft: Draft, account_id: str) -> None:
    """After a complete end is put: the topic's doubt is over and the account is judged again."""
    release_by_snapshot(draft, draft.user.accounts[account_id], draft.fact.topic)
    draft.check(account_id, "snapshot")


def as_of_ms(meta: EventMeta, time_ms: int) -> int:
    """When the snapshot was asked for. Not long after the broker took its end (`time_ms`): a wrong clock would outrank all that follows."""
    return min(meta.snapshot_end.as_of_ms, time_ms + _AHEAD_MS_MAX)


def gone(version: Version | None, updated_ms: int, meta: EventMeta, as_of: int) -> bool:
    """Whether something a snapshot did not mention is older than the moment it was asked for: by time, and not received after it."""
    if version and version[:3] > version_of(meta)[:3]:
        return False
    return ((version.time_ms if version else 0) or updated_ms) < as_of


def bury(removed: dict[str, Version], item: str, version: Version, bound: int) -> dict[str, Version]:
    """Notes at which version something was removed, so that a late fact cannot revive it; the oldest fall out past `bound`."""
    kept = {**removed, item: version}
    if len(kept) > bound:
        del kept[min(kept, key=lambda name: (kept[name], name))]
    return kept


def _bounded(marks: dict[str, Version], topic: str, bound: int) -> dict[str, Version]:
    own = sorted((name for name in marks if name.startswith(topic + "/")), key=lambda name: (marks[name], name))
    return {name: version for name, version in marks.items() if name not in own[: max(0, len(own) - bound)]}
