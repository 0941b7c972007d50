"""Deriving a verdict again from its stamp: what `verify` compares with what was sent."""

from __future__ import annotations

from msgspec.structs import replace

from agents.risk.rules import Rules
from agents.risk.world import Control, Mark, World
from agents.verdict import check
from schemas import engine_pb2 as pb
from schemas.money import parse_optional
from tables.codec import load_margin
from tables.rows import Orders, Output, User


def rederive(
    user_before: User, event: pb.MarginCall | pb.Liquidation, rules: Rules, control: Control, orders: Orders | None = None
) -> list[Output]:
    """Every output of the check that sent `event`, in order.

    `user_before` is the row folded up to the stamp's fences; `rules` and `control` are taken up to the stamp's offsets. The margin state is
    the stamp's own: what earlier checks left there need not be known.
    """
    stamp, account = event.stamp, user_before.accounts[event.account_id]
    account = replace(account, margin=load_margin(stamp.margin_before))
    row = replace(user_before, accounts={**user_before.accounts, event.account_id: account})
    checked = check(row, event.account_id, world_of(stamp, rules, control), (), orders)
    return list(checked.outputs) if checked else []


def world_of(stamp: pb.Stamp, rules: Rules, control: Control) -> World:
    """The world a stamp was made in, as far as the verdict saw it."""
    marks = {
        mark.instrument: Mark(
            mark.instrument,
            parse_optional(mark.bid),
            parse_optional(mark.ask),
            parse_optional(mark.last),
            parse_optional(mark.price),
            mark.offset,
            mark.append_time_ms,
            mark.jumping,
        )
        for mark in stamp.marks
    }
    return World(stamp.time_ms, marks, rules, control, dict(stamp.fences), stamp.mark_stale_ms, stamp.cooldown_ms)
