"""The parts of a row as messages: versions, figures, margin state."""

from decimal import Decimal

from schemas import engine_pb2 as pb
from schemas.money import ZERO, parse_optional, say
from tables.rows import Figures, Margin, PlanStep, Refused, Version


def text(number: Decimal) -> str:
    """Decimal text; the zero that most fields hold costs nothing."""
    return "0" if number is ZERO else say(number)


def number(said: str) -> Decimal:
    """The decimal of a row's own text; absent is zero."""
    return Decimal(said) if said and said != "0" else ZERO


def _maybe(number: Decimal | None) -> str:
    return "" if number is None else text(number)


def put_version(message: pb.FactVersion, version: Version) -> None:
    """Fills a message; zeros are written as presence alone."""
    message.SetInParent()
    message.lease_epoch, message.connection_epoch, message.receive_seq = version.lease_epoch, version.connection_epoch, version.receive_seq
    message.part_index, message.time_ms, message.snapshot = version.part_index, version.time_ms, version.snapshot


def version(message: pb.FactVersion) -> Version:
    """The version a message says."""
    return Version(
        message.lease_epoch, message.connection_epoch, message.receive_seq, message.part_index, message.time_ms, message.snapshot
    )


def figures_message(figures: Figures) -> pb.Figures:
    """Figures as a message; ratio and level are absent where undefined."""
    message = pb.Figures(equity=text(figures.equity), initial_margin=text(figures.initial_margin),
                         maintenance_margin=text(figures.maintenance_margin), free_margin=text(figures.free_margin),
                         unrealised_pnl=text(figures.unrealised_pnl))
    if figures.margin_ratio is not None:
        message.margin_ratio = text(figures.margin_ratio)
    if figures.margin_level_pct is not None:
        message.margin_level_pct = text(figures.margin_level_pct)
    return message


def figures(message: pb.Figures) -> Figures:
    """The figures a message says."""
    return Figures(number(message.equity), number(message.initial_margin), number(message.maintenance_margin), number(message.free_margin),
                   number(message.unrealised_pnl), number(message.margin_ratio) if message.HasField("margin_ratio") else None,
                   number(message.margin_level_pct) if message.HasField("margin_level_pct") else None)


def put_margin(message: pb.MarginState, margin: Margin) -> None:
    """Fills a message."""
    message.rung, message.known_rung = margin.rung, margin.known_rung  # type: ignore[assignment]
    message.episode, message.transition, message.step = margin.episode, margin.transition, margin.step
    message.since_ms, message.cooldown_until_ms = margin.since_ms, margin.cooldown_until_ms
    message.reasons.extend(margin.reasons)
    if (refused := margin.refused) is not None:
        message.refused.plans, message.refused.held, message.refused.until_ms = refused.plans, refused.held, refused.until_ms
    if margin.figures is not None:
        message.figures.CopyFrom(figures_message(margin.figures))
    for step in margin.plan:
        message.plan.add(step_id=step.step_id, action=step.action, instrument=step.instrument, side=step.side, quantity=text(step.quantity),
                         position_id=step.position_id, status=step.status, client_order_id=step.client_order_id, ordered_ms=step.ordered_ms,
                         filled_quantity=_maybe(step.filled_quantity), average_price=_maybe(step.average_price),
                         reported_ms=step.reported_ms, order_ended=step.order_ended)


def margin(message: pb.MarginState) -> Margin:
    """The margin state a message says."""
    plan = tuple([PlanStep(step.step_id, step.action, step.instrument, step.side, number(step.quantity), step.position_id, step.status,
                           step.client_order_id, step.ordered_ms, parse_optional(step.filled_quantity), parse_optional(step.average_price),
                           step.reported_ms, step.order_ended) for step in message.plan]) if message.plan else ()
    return Margin(message.rung, tuple(message.reasons) if message.reasons else (), message.episode, message.transition, message.step,
                  figures(message.figures) if message.HasField("figures") else None, message.since_ms, message.known_rung, plan,
                  message.cooldown_until_ms,
                  Refused(message.refused.plans, message.refused.held, message.refused.until_ms) if message.HasField("refused") else None)


def dump_margin(margin: Margin) -> bytes:
    """A margin state as it stands in a stamp; equal states give equal bytes."""
    message = pb.MarginState()
    put_margin(message, margin)
    return message.SerializeToString(deterministic=True)


def load_margin(data: bytes) -> Margin:
    """The margin state before a check; raises protobuf's `DecodeError`."""
    return margin(pb.MarginState.FromString(data))
