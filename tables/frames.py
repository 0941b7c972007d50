"""Settling: an exchange frame may be several facts, and nothing is judged on half of them."""

from msgspec.structs import replace

from schemas import names
from schemas.user_data_pb2 import EventMeta
from tables.draft import Draft, awaits_order, settling
from tables.policy import Policy
from tables.quarantine import impose
from tables.rows import Account, Frame, Version

STATE_TOPICS = (names.BALANCE_UPDATES, names.POSITION_UPDATES)  # what a snapshot of a whole account covers
_AWAITED = "awaited_snapshot"
_RECENT_MAX = 32
FrameName = tuple[int, int, int]  # lease_epoch, connection_epoch, receive_seq: they compare in the order of receipt
_NEVER: FrameName = (0, 0, 0)


def see_part(draft: Draft, account: Account, meta: EventMeta) -> Account:
    """Notes a part of a frame: the first opens it, the last closes it; a part of a frame that was whole before opens nothing.

    Facts of a snapshot are not counted: the snapshot's end tells their number.
    """
    if meta.part_count <= 1 or meta.snapshot_id:
        return account
    name = (meta.lease_epoch, meta.connection_epoch, meta.receive_seq)
    found = next((frame for frame in account.frames if _name(frame) == name), None)
    now_ms = draft.fact.time_ms
    if _was_whole(account, name) if found is None else meta.part_index in found.seen and now_ms >= found.since_ms:
        return account
    seen = tuple(sorted({*(found.seen if found else ()), meta.part_index}))
    others = tuple(frame for frame in account.frames if _name(frame) != name)
    if len(seen) >= meta.part_count or (found is None and name < covered_until(account)):
        return replace(account, frames=others, recent_frames=_recent(account, [name]))
    since = min(found.since_ms, now_ms) if found else now_ms
    return replace(account, frames=tuple(sorted((*others, Frame(*name, meta.part_count, seen, since)), key=_name)))


def close(draft: Draft, before: Account | None, account: Account) -> None:
    """Puts the account; where it has just settled, its check is due."""
    draft.put(account)
    if before is not None and settling(before) and not settling(account):
        draft.check(account.account_id, "settled")


def drop_covered(account: Account) -> Account:
    """Without the open frames that the last complete snapshots already contain: the rest of one may have died with its connection."""
    floor = covered_until(account)
    dropped = [name for name in map(_name, account.frames) if name < floor]
    if not dropped:
        return account
    frames = tuple(frame for frame in account.frames if _name(frame) >= floor)
    return replace(account, frames=frames, recent_frames=_recent(account, dropped))


def covered_until(account: Account) -> FrameName:
    """Up to which frame balances and positions both came by a complete snapshot: what was received before its request left is in it.

    In the order of receipt, because clocks disagree: the venue's, the broker's and that of whoever asked.
    """
    return min(max((version[:3] for name, version in account.mark_versions.items() if name.startswith(topic + "/")), default=_NEVER)
               for topic in STATE_TOPICS)


def deadline_ms(account: Account, policy: Policy) -> int | None:
    """When a settling account is past its bound; None where nothing is awaited."""
    since = [frame.since_ms for frame in account.frames]
    if account.awaited_snapshot:
        since.append(account.config_versions.get(_AWAITED, Version()).time_ms)
    since += [step.reported_ms for step in account.margin.plan if awaits_order(step)]
    return min(since) + policy.settle_ms_max if since else None


def await_snapshot(account: Account, snapshot_id: str, now_ms: int) -> Account:
    """Settling until that snapshot is complete, if it is not already."""
    if snapshot_id in ("", account.awaited_snapshot) or all(f"{topic}/{snapshot_id}" in account.mark_versions for topic in STATE_TOPICS):
        return account
    return replace(account, awaited_snapshot=snapshot_id, config_versions={**account.config_versions, _AWAITED: Version(time_ms=now_ms)})


def end_await(account: Account) -> Account:
    """No longer waiting, if the awaited snapshot is complete on every topic."""
    name = account.awaited_snapshot
    return _without_await(account) if name and all(f"{topic}/{name}" in account.mark_versions for topic in STATE_TOPICS) else account


def give_up(draft: Draft, account: Account) -> None:
    """Past the bound: what was awaited is dropped and the account is in doubt on both state topics until a snapshot."""
    waited = [f"frame {'.'.join(map(str, _name(frame)))} with parts {list(frame.seen)} of {frame.part_count}" for frame in account.frames]
    if account.awaited_snapshot:
        waited.append(f"snapshot {account.awaited_snapshot!r}")
    waited += [f"order {step.client_order_id!r}" for step in account.margin.plan if awaits_order(step)]
    detail = f"expected the rest within {draft.policy.settle_ms_max} ms, was missing: {', '.join(waited)[:500]}"
    recent = _recent(account, [_name(frame) for frame in account.frames])
    plan = tuple(replace(step, order_ended=True) if awaits_order(step) else step for step in account.margin.plan)
    margin = replace(account.margin, plan=plan) if plan != account.margin.plan else account.margin
    draft.put(replace(_without_await(account), frames=(), recent_frames=recent, margin=margin))
    draft.anomaly("settling_expired", account.account_id, detail)
    for topic in STATE_TOPICS:
        impose(draft, account.account_id, topic, "half a frame")
    draft.check(account.account_id, "settling_expired")


def _without_await(account: Account) -> Account:
    versions = {name: version for name, version in account.config_versions.items() if name != _AWAITED}
    return replace(account, awaited_snapshot="", config_versions=versions)


def _was_whole(account: Account, name: FrameName) -> bool:
    """Whether the frame is among those remembered, or older than a full memory reaches."""
    recent = account.recent_frames
    return _said(name) in recent or (len(recent) >= _RECENT_MAX and name < _read(recent[0]))


def _recent(account: Account, added: list[FrameName]) -> tuple[str, ...]:
    """The newest frames, oldest first: by name, not by arrival, so that topics commute."""
    known = {*account.recent_frames, *map(_said, added)}
    return tuple(sorted(known, key=_read)[-_RECENT_MAX:])


def _said(name: FrameName) -> str:
    return "{}.{}.{}".format(*name)


def _read(said: str) -> FrameName:
    lease, connection, receive = said.split(".")
    return int(lease), int(connection), int(receive)


def _name(frame: Frame) -> FrameName:
    return frame.lease_epoch, frame.connection_epoch, frame.receive_seq
