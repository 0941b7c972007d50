"""What a check says to the world: its messages, all with the one stamp that lets anybody derive them again."""

from __future__ import annotations

from collections.abc import Mapping

from agents.risk.world import Mark, World
from schemas import engine_pb2 as pb
from schemas import names
from schemas.money import say
from tables.codec import dump_margin, figures_message, state_hash
from tables.rows import Figures, Margin, Output, PlanStep

Event = pb.MarginCall | pb.Liquidation | Output


def stamp_of(world: World, used: Mapping[str, Mark], before: Margin) -> pb.Stamp:
    """The inputs of a verdict beside the row: fences, the marks it used, rules and control, time, settings, margin before."""
    found = pb.Stamp(
        fences=dict(world.fences),
        rules_offset=world.rules.offset,
        control_offset=world.control.offset,
        time_ms=world.now_ms,
        margin_before=dump_margin(before),
        mark_stale_ms=world.mark_stale_ms,
        cooldown_ms=world.cooldown_ms,
    )
    for _, mark in sorted(used.items()):
        prices = {
            field: "" if price is None else say(price)
            for field, price in (("price", mark.mark), ("bid", mark.bid), ("ask", mark.ask), ("last", mark.last))
        }
        found.marks.add(instrument=mark.instrument, offset=mark.offset, append_time_ms=mark.append_ms, jumping=mark.jumping, **prices)
    return found


def sealed(events: list[Event], stamp: pb.Stamp) -> tuple[Output, ...]:
    """The events in their order, stamped and as bytes; records that are outputs already (transactions) stay as they are."""
    found = []
    for event in events:
        if isinstance(event, Output):
            found.append(event)
            continue
        event.stamp.CopyFrom(stamp)
        topic = names.MARGIN_CALLS if isinstance(event, pb.MarginCall) else names.LIQUIDATIONS
        found.append(Output(topic, event.SerializeToString(deterministic=True)))
    return tuple(found)


def check_record(ident: tuple[str, str], margin: Margin, causes: tuple[str, ...], figures: Figures | None, stamp: pb.Stamp) -> Output:
    """The droppable record of a check made."""
    user, account = ident
    seen = state_hash(stamp.SerializeToString(deterministic=True))[:12]  # several checks may be made in one millisecond
    found = pb.MarginCheck(id=f"{user}/{account}/c{stamp.time_ms}.{seen}", user_id=user, account_id=account, causes=causes)
    found.rung = margin.rung  # type: ignore[assignment]  # the stub wants the enum's own type
    if figures is not None:
        found.figures.CopyFrom(figures_message(figures))
    found.stamp.CopyFrom(stamp)
    return Output(names.MARGIN_CHECKS, found.SerializeToString(deterministic=True))


def step_message(step: PlanStep) -> pb.Liquidation.Step:
    return pb.Liquidation.Step(
        action=step.action,
        instrument=step.instrument,
        side=step.side,
        quantity=say(step.quantity) if step.quantity else "",
        position_id=step.position_id,
    )


__all__ = ["Event", "check_record", "sealed", "stamp_of", "step_message"]
