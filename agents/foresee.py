"""What other rules would do to accounts as they are: the rung of each before and after, at the last known marks. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import NamedTuple

from agents.book import book_of, thresholds_for, weights_of
from agents.risk import ladder
from agents.risk.law import NoLaw
from agents.risk.laws import law_of
from agents.risk.market import market_of
from agents.risk.reach import changed, may_rest_on
from agents.risk.rules import Rules, rules_with
from agents.risk.world import Control, Mark, Marks, World
from schemas import engine_pb2 as pb
from tables.rows import LIQUIDATION, NORMAL, UNKNOWN, Account, User


class Judged(NamedTuple):
    """A rung and the worst pool's requirement over equity; `reasons` why it is unknown."""

    rung: int
    ratio: Decimal | None = None
    reasons: tuple[str, ...] = ()


class Foreseen(NamedTuple):
    """An account that a change touches."""

    user: str
    account: str
    before: Judged
    after: Judged

    @property
    def liquidates(self) -> bool:
        """Whether the change takes it to liquidation."""
        return self.after.rung == LIQUIDATION != self.before.rung

    @property
    def unjudged(self) -> bool:
        """Whether what it would do cannot be said while the engine could act with the next tick, or takes away what it judges by."""
        new = {reason for reason in self.after.reasons if reason.startswith("missing_rule")} - set(self.before.reasons)
        blind = any(reason.startswith(("missing_mark", "missing_rate")) for reason in self.after.reasons)
        return self.after.rung == UNKNOWN and (blind or bool(new))


def amended(rules: Rules, messages: Iterable[pb.RiskRule], now_ms: int) -> Rules:
    """`rules` with these, as if those of later held now already. Raises `BadRule`."""
    for message in messages:
        early = pb.RiskRule()
        early.CopyFrom(message)
        early.effective_from_ms = min(message.effective_from_ms, now_ms)
        rules = rules_with(rules, early, rules.offset)
    return rules


def foresee(users: Iterable[User], marks: Marks, rules: tuple[Rules, Rules], now_ms: int) -> list[Foreseen]:
    """Every account that may rest on what differs between (before, after), with its rung under both, by user and account.

    Marks count as fresh, and doubts about facts are left aside: both pass, the rule stays.
    """
    before, after = rules
    ids = changed(before, now_ms, after, now_ms)
    worlds = [World(now_ms, fresh(marks, now_ms), found, Control()) for found in rules]
    found = []
    for user in users:
        for name, account in sorted(user.accounts.items()):
            if any(may_rest_on(user, account, ids, held, now_ms) for held in rules):
                old, new = (_judge(user, account, world) for world in worlds)
                found.append(Foreseen(user.user_id, name, old, new))
    return sorted(found, key=lambda one: (one.user, one.account))


def fresh(marks: Marks, now_ms: int) -> dict[str, Mark]:
    """The last known marks as if they had just come and no jump waited."""
    return {name: mark._replace(append_ms=now_ms, jumping=False) for name, mark in marks.items()}


def moved(found: Sequence[Foreseen]) -> list[Foreseen]:
    """Those whose rung or reasons differ."""
    return [one for one in found if (one.before.rung, one.before.reasons) != (one.after.rung, one.after.reasons)]


def _judge(user: User, account: Account, world: World) -> Judged:
    group = world.rules.group(user.profile.group, world.now_ms)
    market, thresholds = market_of(world), thresholds_for(account, group)
    try:
        law = law_of(account.model)
    except NoLaw as error:
        return Judged(UNKNOWN, reasons=(str(error),))
    evaluation = law.evaluate(book_of(user, account, group, None, weights_of(account, world.rules, world.now_ms)), market, thresholds)
    worst = ladder.worst_pool(evaluation, thresholds)
    ratio = worst.ratio if worst else None
    reasons = tuple(sorted({*market.unknown, *([evaluation.refused] if evaluation.refused else [])}))
    if reasons:
        return Judged(UNKNOWN, ratio, reasons)
    rungs = ladder.rungs(evaluation, thresholds, account.margin.known_rung)
    return Judged(max(rungs.values(), default=NORMAL), ratio)
