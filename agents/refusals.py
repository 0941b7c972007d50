"""Plans that came to nothing: what is refused whole is ordered again later and later, unless what the account holds is another.

A pause, a bound, a dry run or a missing opt-in refuses at once, and would again a second later. Where a step did something, or the account
was over its rung no longer, nothing of this holds: the next plan is ordered as soon as it is due.
"""

from __future__ import annotations

from msgspec.structs import replace

from schemas.money import say_short
from tables.codec import state_hash
from tables.rows import Account, Margin, PlanStep, Refused

_DOUBLINGS_MAX = 6  # of the cool-down: about a minute where it is a second


def noted(account: Account, margin: Margin, now_ms: int, cooldown_ms: int) -> Margin:
    """The margin once it has let go of the steps that ended, which `account` still has; waits double from the cool-down on."""
    ended = [step for step in account.margin.plan if step.status != "ordered"]
    if any(_did_something(step) for step in ended):
        return forgotten(margin)
    if margin.plan or not any(step.status == "refused" for step in ended):
        return margin  # more is to come, or nobody answered at all: that took its time already
    held, before = _held(account), margin.refused
    plans = before.plans + 1 if before is not None and before.held == held else 1
    wait_ms = cooldown_ms * 2 ** min(plans - 1, _DOUBLINGS_MAX)
    return replace(margin, refused=Refused(plans, held, now_ms + wait_ms))


def forgotten(margin: Margin) -> Margin:
    """The margin itself where there is nothing to forget."""
    return margin if margin.refused is None else replace(margin, refused=None)


def waits(account: Account, now_ms: int) -> bool:
    """Whether the same would only be refused again: not yet."""
    refused = account.margin.refused
    return refused is not None and now_ms < refused.until_ms and refused.held == _held(account)


def _did_something(step: PlanStep) -> bool:
    return bool(step.filled_quantity) or (step.action == "close" and step.status == "completed")


def _held(account: Account) -> str:
    """What a plan rests on beside prices: who carries it out, and what there is to close."""
    open_ones = sorted(f"{key}={say_short(position.quantity)}" for key, position in account.positions.items() if position.quantity)
    return state_hash("\n".join([account.execution, str(account.auto_reduce), *open_ones]).encode())[:16]
