"""What a check rests on beside the row: marks, rules, control, time. Values only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import NamedTuple

import msgspec

from agents.risk.rules import BadRule, Group, Instrument, Rules, Thresholds, rules_with, rules_without
from schemas import engine_pb2 as pb


class Mark(NamedTuple):
    """The last good prices of an instrument, with offset and append time of their tick. `jumping`: a further one waits for confirmation."""

    instrument: str
    bid: Decimal | None = None
    ask: Decimal | None = None
    last: Decimal | None = None
    mark: Decimal | None = None
    offset: int = -1
    append_ms: int = 0
    jumping: bool = False


Marks = Mapping[str, Mark]


class Control(msgspec.Struct, frozen=True):
    """The paused scopes and why. `offset` is the last record taken, -1 = none."""

    pauses: dict[str, str] = {}
    offset: int = -1

    def paused(self, user: str, account_id: str, venue: str, instruments: Iterable[str]) -> str | None:
        """The widest scope that pauses liquidations of this account, or None."""
        if not self.pauses:
            return None
        scopes = (
            "global",
            f"venue:{venue}",
            f"user:{user}",
            f"account:{user}/{account_id}",
            *(f"instrument:{name}" for name in sorted(instruments)),
        )
        return next((scope for scope in scopes if scope in self.pauses), None)


class World(NamedTuple):
    """The arguments of a check. `fences`: last applied offset per source topic; times in ms; both settings as in the config."""

    now_ms: int
    marks: Marks
    rules: Rules
    control: Control
    fences: Mapping[str, int] = {}
    mark_stale_ms: int = 10_000
    cooldown_ms: int = 1_000


def control_with(control: Control, message: pb.Control, offset: int) -> Control:
    """`control` with one record of the topic; CHECK and unknown actions change nothing but the offset."""
    pauses = dict(control.pauses)
    if message.action == pb.Control.PAUSE:
        pauses[message.scope] = message.reason
    elif message.action == pb.Control.RESUME:
        pauses.pop(message.scope, None)
    return Control(pauses, offset)


def control_without(control: Control, scope: str, offset: int) -> Control:
    """`control` after a record without a value: compaction forgets the scope, so does who read it before."""
    return Control({held: reason for held, reason in control.pauses.items() if held != scope}, offset)


__all__ = ["BadRule", "Control", "Group", "Instrument", "Mark", "Marks", "Rules", "Thresholds", "World", "control_with", "control_without",
           "rules_with", "rules_without"]
