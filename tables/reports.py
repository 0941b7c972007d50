"""What venues and order systems say about us: reports on liquidation steps, terminal orders of steps, margin calls."""

from msgspec.structs import replace

from schemas.engine_pb2 import LiquidationReport
from schemas.user_data_pb2 import EventMeta, UserDataMarginCallEvent, UserDataOrderUpdateEvent
from tables import snapshots
from tables.draft import Draft
from tables.frames import await_snapshot, close, see_part
from tables.rows import Account
from tables.settings import set_at
from tables.venues import account_of
from tables.versions import version_of

_FILLED = 3
_TERMINAL = {_FILLED: "completed", 4: "refused", 5: "refused", 6: "refused", 7: "refused", 10: "completed"}  # by OrderStatus
_WORDS = {"completed": "completed", "filled": "completed", "refused": "refused", "rejected": "refused", "failed": "refused",
          "canceled": "refused", "cancelled": "refused", "expired": "refused"}
_RANKS = {"ordered": 0, "refused": 1, "completed": 2}


def fold_report(draft: Draft, report: LiquidationReport) -> None:
    """Moves the step on; a report that names a snapshot makes the account wait for it."""
    before = draft.user.accounts.get(report.account_id)
    if before is None:
        return
    account, moved = _move(before, "step_id", report.step_id, _WORDS.get(report.status.lower(), ""))
    if moved:
        draft.check(account.account_id, "step_reported")
    if any(step.step_id == report.step_id for step in account.margin.plan):  # its terminal order may have come before
        account = await_snapshot(account, report.snapshot_id, draft.fact.time_ms)
    if account is not before:
        close(draft, before, account)


def fold_order(draft: Draft, event: UserDataOrderUpdateEvent) -> None:
    """A venue's order changes this row only where it ends a step, or where the topic is in doubt and a snapshot clears it."""
    meta = event.meta
    before = draft.user.accounts.get(meta.account_id)
    if before is None:
        return
    if any(entry.topic == draft.fact.topic for entry in before.quarantines + draft.user.quarantines) and meta.snapshot_id:
        _clear(draft, before, event)
        return
    account, moved = _move(before, "client_order_id", event.client_order_id, _TERMINAL.get(event.status, ""))
    if moved:
        draft.check(account.account_id, "step_ended")
        draft.put(account)


def fold_margin_call(draft: Draft, event: UserDataMarginCallEvent) -> None:
    """A margin call of the venue: kept, forwarded, and a reason to check. A complete snapshot of the topic takes it back."""
    meta = event.meta
    before = account_of(draft, meta)
    if before is None:
        return
    if meta.HasField("snapshot_end"):
        _end(draft, before, meta)
        return
    found = set_at(before, "margin_call", version_of(meta))
    account = replace(found, venue_margin_call=True) if found else before
    account = snapshots.mention(account, draft.fact.topic, meta.snapshot_id, f"{meta.receive_seq}.{meta.part_index}")
    account = see_part(draft, account, meta)
    if account is not before:
        close(draft, before, account)
    if found:
        detail = (
            f"level {event.level_raw or 'MARGIN_CALL'!r}, {len(event.positions)} positions, ratio {event.account_margin_ratio or 'unsaid'}"
        )
        draft.anomaly("venue_margin_call", account.account_id, detail)
        draft.check(account.account_id, "venue_margin_call")


def _move(account: Account, field: str, value: str, status: str) -> tuple[Account, bool]:
    """Steps only move on, and by rank of status, so that an order update and a report may come in any order."""
    if not value or not status:
        return account, False
    moved = False
    plan = list(account.margin.plan)
    for at, step in enumerate(plan):
        if getattr(step, field) == value and _RANKS.get(step.status, 0) < _RANKS[status]:
            plan[at], moved = replace(step, status=status), True
    return (replace(account, margin=replace(account.margin, plan=tuple(plan))) if moved else account), moved


def _clear(draft: Draft, before: Account, event: UserDataOrderUpdateEvent) -> None:
    meta = event.meta
    if meta.HasField("snapshot_end"):
        _end(draft, before, meta)
        return
    item = f"{event.symbol}/{event.order_id or event.algo_id}"
    account = snapshots.mention(before, draft.fact.topic, meta.snapshot_id, item)
    if account is not before:
        draft.put(account)


def _end(draft: Draft, before: Account, meta: EventMeta) -> None:
    account, items = snapshots.end(draft, before, meta)
    if items is not None:
        account = replace(account, venue_margin_call=bool(items)) if draft.fact.topic.endswith("margin-calls") else account
    if account is not before:
        close(draft, before, account)
    if items is not None:
        snapshots.ended(draft, account.account_id)
