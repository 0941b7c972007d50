"""What venues and order systems say about us: reports on liquidation steps, terminal orders of steps, margin calls."""

from decimal import Decimal
from typing import NamedTuple

from msgspec.structs import replace

from schemas.engine_pb2 import LiquidationReport
from schemas.keys import HOUSE
from schemas.money import parse_optional
from schemas.user_data_pb2 import EventMeta, UserDataMarginCallEvent, UserDataOrderUpdateEvent
from tables import snapshots
from tables.draft import Draft
from tables.frames import await_snapshot, close, see_part
from tables.policy import Policy
from tables.rows import Account, PlanStep
from tables.settings import set_at
from tables.venues import account_of
from tables.versions import version_of

_FILLED = 3
_TERMINAL = {_FILLED: "completed", 4: "refused", 5: "refused", 6: "refused", 7: "refused", 10: "completed"}  # by OrderStatus
_WORDS = {"completed": "completed", "filled": "completed", "refused": "refused", "rejected": "refused", "failed": "refused",
          "canceled": "refused", "cancelled": "refused", "expired": "refused"}
_RANKS = {"ordered": 0, "expired": 1, "refused": 2, "completed": 3}
_NOTHING = Decimal(-1)


class _Told(NamedTuple):
    """How far a step has come, by a report or by its order. `reported_ms`: the order it tells about is awaited since; 0 = none is."""

    status: str
    filled: Decimal | None = None
    price: Decimal | None = None
    reported_ms: int = 0
    order_ended: bool = False


def fold_report(draft: Draft, report: LiquidationReport) -> None:
    """Moves the step on; the account then waits for the snapshot that the report names, else for the order that it tells about."""
    before = draft.user.accounts.get(report.account_id)
    step = next((one for one in before.margin.plan if one.step_id == report.step_id), None) if before else None
    if before is None or step is None:
        return
    filled = parse_optional(report.filled_quantity)
    status = _WORDS.get(report.status.lower(), "")
    awaits = (status == "completed" or filled) and not report.snapshot_id and _is_order(before, step, report)
    told = _Told(status, filled, parse_optional(report.average_price), draft.fact.time_ms if awaits else 0)
    account = _move(before, "step_id", report.step_id, told)
    if account is not before:
        draft.check(account.account_id, "step_reported")
    account = await_snapshot(account, report.snapshot_id, draft.fact.time_ms)
    if account is not before:
        close(draft, before, account)


def fold_order(draft: Draft, event: UserDataOrderUpdateEvent) -> None:
    """A venue's order changes this row only where it ends a step, is a part of a frame, or where a snapshot clears its topic's doubt."""
    meta = event.meta
    before = draft.user.accounts.get(meta.account_id)
    if before is None:
        return
    if any(entry.topic == draft.fact.topic for entry in before.quarantines + draft.user.quarantines) and meta.snapshot_id:
        _clear(draft, before, event)
        return
    if meta.HasField("snapshot_end"):  # tells of no order: its other fields are not looked at
        return
    told = _Told(_TERMINAL.get(event.status, ""), parse_optional(event.cum_filled_qty), parse_optional(event.avg_price), order_ended=True)
    moved = _move(before, "client_order_id", event.client_order_id, told)
    if moved is not before:
        draft.check(moved.account_id, "step_ended")
    account = see_part(draft, moved, meta)  # a frame of fills and funding has parts on two topics
    if account is not before:
        close(draft, before, account)


def report_deadline_ms(account: Account, policy: Policy) -> int | None:
    """When a step that nothing was heard of is given up; None where none is under way."""
    ordered = [step.ordered_ms for step in account.margin.plan if step.status == "ordered"]
    return min(ordered) + policy.report_ms_max if ordered else None


def expire_steps(draft: Draft, account: Account) -> None:
    """Ends the steps that nothing was heard of in time: else their account would never be reduced again."""
    since_ms = draft.fact.time_ms - draft.policy.report_ms_max
    late = [step for step in account.margin.plan if step.status == "ordered" and step.ordered_ms <= since_ms]
    plan = tuple(replace(step, status="expired") if step in late else step for step in account.margin.plan)
    draft.put(replace(account, margin=replace(account.margin, plan=plan)))
    for step in late:
        detail = f"{step.step_id} {step.action} {step.instrument}".strip()
        draft.anomaly("step_expired", account.account_id, f"{detail}: expected a report within {draft.policy.report_ms_max} ms, was none")
    draft.check(account.account_id, "step_expired")


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


def _is_order(account: Account, step: PlanStep, report: LiquidationReport) -> bool:
    """Whether the venue will tell of the step's order: an order system of somebody else's may send orders under ids of its own."""
    named = report.client_order_id or ("" if account.execution == "external" else step.client_order_id)
    return account.venue != HOUSE and step.action == "close" and named == step.client_order_id


def _move(account: Account, field: str, value: str, told: _Told) -> Account:
    """The account itself where nothing is told of a step of its plan."""
    if not value or not told.status:
        return account
    plan = tuple(_moved(step, told) if getattr(step, field) == value else step for step in account.margin.plan)
    return replace(account, margin=replace(account.margin, plan=plan)) if plan != account.margin.plan else account


def _moved(step: PlanStep, told: _Told) -> PlanStep:
    """Steps only move on: by rank of status, and by what was filled, so that an order update and a report may come in any order."""
    status = told.status if _RANKS[told.status] > _RANKS.get(step.status, 0) else step.status
    filled, price = max((step.filled_quantity, step.average_price), (told.filled, told.price), key=_by_size)
    return replace(step, status=status, filled_quantity=filled, average_price=price, reported_ms=step.reported_ms or told.reported_ms,
                   order_ended=step.order_ended or told.order_ended)


def _by_size(filled: tuple[Decimal | None, Decimal | None]) -> tuple[Decimal, Decimal]:
    quantity, price = filled
    return (_NOTHING if quantity is None else quantity), (_NOTHING if price is None else price)


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
