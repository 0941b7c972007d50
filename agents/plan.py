"""Liquidation plans: ordered for venues and order systems, applied at once where the house keeps the book."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from msgspec.structs import replace

from agents.announce import Event, step_message
from agents.risk.law import Close, Evaluation, Leg
from schemas import engine_pb2 as pb
from schemas import keys
from schemas.money import ONE, ZERO, say
from tables.codec import figures_message
from tables.fills import rounded
from tables.house import Deal, apply_house_step
from tables.rows import Account, Figures, Margin, PlanStep, User


class Ordered(NamedTuple):
    """A plan as ordered: the margin that remembers it, and what is said."""

    margin: Margin
    events: list[Event]


def execution_of(user: User, account: Account) -> str:
    """house, external, venue, or "" where nobody executes for us: a venue account that did not opt in is liquidated by its venue."""
    if account.venue == keys.HOUSE:
        return account.execution or user.profile.execution or keys.HOUSE
    if account.execution == "external":
        return "external"
    return "venue" if account.auto_reduce else ""


def side_of(position_side: str, signed: Decimal) -> str:
    """The order side that closes a position."""
    return "SELL" if signed > 0 else "BUY"


def order_plan(user: str, account_id: str, margin: Margin, drafts: list[PlanStep], head: tuple[int, Figures]) -> Ordered:
    """Numbers the steps of a plan and orders it: the plan itself takes one number, each step the next ones. `head` is (now_ms, figures)."""
    now_ms, figures = head
    number = margin.step
    steps = []
    for at, draft in enumerate(drafts):
        ident = keys.step_id(user, account_id, margin.episode, number + 1 + at)
        steps.append(replace(draft, step_id=ident, client_order_id=keys.client_order_id(ident), ordered_ms=now_ms))
    whole = event(user, account_id, margin, (keys.step_id(user, account_id, margin.episode, number), number), now_ms)
    whole.ordered.figures.CopyFrom(figures_message(figures))
    whole.ordered.steps.extend(step_message(step) for step in steps)
    events: list[Event] = [whole]
    for at, step in enumerate(steps):
        said = event(user, account_id, margin, (step.step_id, number + 1 + at), now_ms)
        said.step_ordered.CopyFrom(step_message(step))
        events.append(said)
    return Ordered(replace(margin, plan=(*margin.plan, *steps), step=number + 1 + len(steps)), events)


def event(user: str, account_id: str, margin: Margin, ident: tuple[str, int], now_ms: int) -> pb.Liquidation:
    """An empty liquidation event of (id, step number)."""
    return pb.Liquidation(id=ident[0], user_id=user, account_id=account_id, episode=margin.episode, step=ident[1], time_ms=now_ms)


def drafted(evaluation: Evaluation, closes: tuple[Close, ...], *, cancel: bool) -> list[PlanStep]:
    """The steps of a plan without ids: orders are cancelled first. `side` is the position's side, as the step's position is found by it."""
    legs = {leg.key: leg for leg in evaluation.legs}
    steps = [PlanStep("", "cancel_orders")] if cancel else []
    for close in closes:
        position = legs[close.key].position
        steps.append(PlanStep("", "close", position.instrument, position.side, close.quantity, position.position_id))
    return steps


def apply_step(user: User, account_id: str, step: PlanStep, leg: Leg, now_ms: int) -> tuple[User, list[Event]]:
    """Applies a house step in the row: the position closes at the closing price, PnL, fee, swap and commission move the balance."""
    whole = step.quantity >= abs(leg.signed)
    fee = step.quantity * leg.rule.contract_size * leg.price * leg.conversion * leg.rule.taker_fee
    deal = Deal(leg.price, fee - (leg.extra if whole else ZERO), leg.rule.contract_size, leg.conversion or ONE, now_ms)
    after, pnl, outputs = apply_house_step(user, account_id, step, deal)
    margin = user.accounts[account_id].margin
    said = event(user.user_id, account_id, margin, (f"{step.step_id}/completed", int(step.step_id.rpartition("/s")[2])), now_ms)
    said.completed.CopyFrom(
        pb.Liquidation.Completed(
            instrument=step.instrument, quantity=say(step.quantity), price=say(leg.price), realised_pnl=say(pnl), fee=say(rounded(deal.fee))
        )
    )
    return after, [said, *outputs]


def ended(user: str, account_id: str, margin: Margin, now_ms: int) -> Ordered:
    """Says of every step that has ended since how it ended, and lets go of it."""
    events: list[Event] = []
    for step in margin.plan:
        if step.status == "ordered":
            continue
        said = event(user, account_id, margin, (f"{step.step_id}/{step.status}", int(step.step_id.rpartition("/s")[2])), now_ms)
        if step.status == "completed":
            said.completed.CopyFrom(_completed(step))
        else:
            said.refused = _refused(step)
        events.append(said)
    return (
        Ordered(replace(margin, plan=tuple(step for step in margin.plan if step.status == "ordered")), events)
        if events
        else Ordered(margin, [])
    )


def _completed(step: PlanStep) -> pb.Liquidation.Completed:
    """As reported; all that was ordered where nobody said how much."""
    quantity = step.quantity if step.filled_quantity is None else step.filled_quantity
    price = "" if step.average_price is None else say(step.average_price)
    return pb.Liquidation.Completed(instrument=step.instrument, quantity=say(quantity), price=price)


def _refused(step: PlanStep) -> str:
    found = f"{step.action} {step.instrument}".strip()
    found += f": {say(step.filled_quantity)} filled" if step.filled_quantity else ""
    return found + (": expired, nobody reported it" if step.status == "expired" else "")
