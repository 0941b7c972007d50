"""The verdict on an account: its rung, what follows from it, and the row that remembers it. Pure: time and prices are arguments."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from msgspec.structs import replace

from agents import plan, refusals
from agents.announce import Event, check_record, sealed, stamp_of
from agents.book import book_of, figures_of, model_of, thresholds_for, weights_of
from agents.risk import ladder
from agents.risk.law import Evaluation, Law, NoLaw
from agents.risk.laws import law_of
from agents.risk.market import Market, market_of
from agents.risk.rules import Thresholds
from agents.risk.world import Mark, World
from schemas import engine_pb2 as pb
from schemas.keys import HOUSE, transition_id
from tables.accounts import doubts
from tables.codec import figures_message
from tables.house import BASE
from tables.rows import LIQUIDATION, NORMAL, UNKNOWN, Account, Figures, Margin, Orders, Output, User

_ROUNDS_MAX = 1_000  # house steps in one check: more positions than an account holds
_SAID_BYTES_MAX = 200_000  # of one check: row and outputs travel as one record; what is left to close is the next check's
_EVENTS_A_STEP = 4
FALLBACK = "fallback_ratio"


class Checked(NamedTuple):
    """`row` is the row that was given where rung, reasons and plan stay; `report` may be dropped; `slack` is None while unknown."""

    row: User
    outputs: tuple[Output, ...]
    report: Output | None
    rung: int
    slack: Decimal | None


class Judged(NamedTuple):
    """What the law says now; `reasons` make it unknown, `notes` only say more."""

    evaluation: Evaluation | None
    law: Law | None
    thresholds: Thresholds
    rung: int
    reasons: tuple[str, ...]
    notes: tuple[str, ...]


class _Sitting:
    """One check under way."""

    def __init__(self, user: User, account_id: str, world: World, orders: Orders | None) -> None:
        self.user, self.account_id, self.world, self.orders = user, account_id, world, orders
        self.group = world.rules.group(user.profile.group, world.now_ms)
        self.events: list[Event] = []
        self.used: dict[str, Mark] = {}

    @property
    def account(self) -> Account:
        return self.user.accounts[self.account_id]

    def keep(self, margin: Margin) -> None:
        """Puts the margin into the row; the row stays the same object where the margin does."""
        if margin is not self.account.margin:
            accounts = {**self.user.accounts, self.account_id: replace(self.account, margin=margin)}
            self.user = replace(self.user, accounts=accounts)

    def steps_left(self) -> int:
        """How many more steps may be told: each of their events carries the stamp, whose size goes with the marks it used."""
        stamp = stamp_of(self.world, self.used, self.account.margin).ByteSize()
        return (_SAID_BYTES_MAX // stamp - len(self.events)) // _EVENTS_A_STEP

    def judge(self) -> Judged:
        """Evaluates the row as it is now, against the rung it was last known to have."""
        account, market = self.account, market_of(self.world)
        thresholds = thresholds_for(account, self.group)
        try:
            law = law_of(model_of(account))
        except NoLaw as error:
            return Judged(None, None, thresholds, UNKNOWN, (str(error),), ())
        weights = weights_of(account, self.world.rules, self.world.now_ms)
        found = law.evaluate(book_of(self.user, account, self.group, self.orders, weights), market, thresholds)
        self.used |= market.used
        reasons = {*_doubts(self.user, self.account_id), *market.unknown, *([found.refused] if found.refused else []),
                   *_sizes(account, found)}
        if reasons:
            reasons |= self._fallback(found, thresholds)
            return Judged(found, law, thresholds, UNKNOWN, tuple(sorted(reasons)), ())
        rungs = ladder.rungs(found, thresholds, account.margin.known_rung)
        return Judged(found, law, thresholds, max(rungs.values(), default=NORMAL), (), tuple(sorted(_notes(account, market, found))))


    def _fallback(self, found: Evaluation, thresholds: Thresholds) -> set[str]:
        """What is unknown may still be near: the group's `fallback_ratio` says so with the last figures, once until it is known again."""
        margin, bound = self.account.margin, self.group.fallback_ratio
        worst = ladder.worst_pool(found, thresholds) if bound else None
        near = worst is not None and bound is not None and worst.ratio is not None and worst.ratio >= bound
        return {FALLBACK} if near or (bound and margin.rung == UNKNOWN and FALLBACK in margin.reasons) else set()


def check(user: User, account_id: str, world: World, causes: Sequence[str], orders: Orders | None = None) -> Checked | None:
    """Judges an account at `world`; None while it settles (the fold that closes the frame asks again) or is not there.

    Everything said is a pure function of row, orders and world; ids are of user, account, episode and number.
    """
    if account_id not in user.accounts or "settling" in doubts(user, account_id):
        return None
    sitting = _Sitting(user, account_id, world, orders)
    judged = sitting.judge()
    told = plan.ended(user.user_id, account_id, sitting.account.margin, world.now_ms)
    if told.events:  # what the steps did to the positions comes on another topic: no second plan on positions as they were before
        margin = replace(told.margin, cooldown_until_ms=world.now_ms + world.cooldown_ms)
        told = told._replace(margin=refusals.noted(sitting.account, margin, world.now_ms, world.cooldown_ms))
    sitting.events += told.events
    sitting.keep(told.margin)
    scope = _paused(sitting) if judged.rung == LIQUIDATION else None
    _move(sitting, judged, scope)
    if judged.rung == LIQUIDATION and scope is None:
        judged = _liquidate(sitting, judged)
    return _closed(user, sitting, judged, tuple(sorted(causes)))


def _doubts(user: User, account_id: str) -> set[str]:
    """Why facts are in doubt, by name."""
    account, found = user.accounts[account_id], set()
    for word in doubts(user, account_id):
        if word == "gap":
            found |= {f"gap:{source}" for source, sequence in user.sequences.items() if sequence.held}
        elif word == "quarantined":
            found |= {f"quarantined:{entry.topic or 'user'}" for entry in (*user.quarantines, *account.quarantines)}
        else:
            found.add(word)
    return found


def _sizes(account: Account, evaluation: Evaluation) -> set[str]:
    """Positions of the engine's own book that were filled in base units, where the rule counts in contracts of another size."""
    own = account.venue == HOUSE and account.execution == HOUSE
    return {f"contract_size:{leg.position.instrument}" for leg in evaluation.legs
            if own and leg.position.product == BASE and leg.rule.contract_size != 1}


def _notes(account: Account, market: Market, evaluation: Evaluation) -> set[str]:
    found = set(market.notes)
    if evaluation.equity < 0:
        found.add("negative_equity")
    if account.venue_margin_call:
        found.add("venue_margin_call")
    return found


def _paused(sitting: _Sitting) -> str | None:
    held = {position.instrument for position in sitting.account.positions.values() if position.quantity}
    return sitting.world.control.paused(sitting.user.user_id, sitting.account_id, sitting.account.venue, held)


def _move(sitting: _Sitting, judged: Judged, paused: str | None = None) -> None:
    """Moves the margin state to the judged rung and says so where it changed; an episode is one stay outside normal."""
    margin, now = sitting.account.margin, sitting.world.now_ms
    reasons = tuple(sorted([*(judged.reasons or judged.notes), *([f"paused:{paused}"] if paused else [])]))
    if judged.rung == margin.rung:
        if reasons != margin.reasons:
            sitting.keep(replace(margin, reasons=reasons, figures=_figures(judged)))
        return
    episode, transition, step, known = margin.episode, margin.transition, margin.step, margin.known_rung
    if judged.rung != UNKNOWN:
        if known == NORMAL and judged.rung != NORMAL:
            episode, transition, step = episode + 1, 0, 0
        known = judged.rung
    moved = replace(margin, rung=judged.rung, reasons=reasons, episode=episode, transition=transition + 1, step=step, known_rung=known,
                    figures=_figures(judged), since_ms=now)
    moved = moved if judged.rung in (LIQUIDATION, UNKNOWN) else refusals.forgotten(moved)
    sitting.events.append(_margin_call(sitting, margin.rung, moved))
    sitting.keep(moved)


def _margin_call(sitting: _Sitting, before: int, margin: Margin) -> pb.MarginCall:
    user, account_id = sitting.user.user_id, sitting.account_id
    call = pb.MarginCall(id=transition_id(user, account_id, margin.episode, margin.transition), user_id=user, account_id=account_id,
                         reasons=margin.reasons, episode=margin.episode, transition=margin.transition)
    call.before, call.after = before, margin.rung  # type: ignore[assignment]  # the stub wants the enum's own type
    if margin.figures is not None:
        call.figures.CopyFrom(figures_message(margin.figures))
    return call


def _figures(judged: Judged) -> Figures | None:
    return figures_of(judged.evaluation, judged.thresholds) if judged.evaluation is not None else None


def _liquidate(sitting: _Sitting, judged: Judged) -> Judged:
    """Orders the plan; where the house keeps the book applies it position by position, judging again after each."""
    account, now = sitting.account, sitting.world.now_ms
    under_way = bool(account.margin.plan) or now < account.margin.cooldown_until_ms or refusals.waits(account, now)
    execution = plan.execution_of(sitting.user, account)
    if under_way or not execution or any(note.startswith("closed:") for note in judged.notes):
        return judged
    return _house(sitting, judged) if execution == HOUSE else _remote(sitting, judged)


def _remote(sitting: _Sitting, judged: Judged) -> Judged:
    evaluation, law = judged.evaluation, judged.law
    figures = _figures(judged)
    if evaluation is None or law is None or figures is None:
        raise AssertionError("expected figures with a known rung, was none")
    closes, now = law.plan(evaluation, judged.thresholds)[: max(1, sitting.steps_left())], sitting.world.now_ms
    if closes:
        drafts = plan.drafted(evaluation, closes, cancel=True)
        ordered = plan.order_plan(sitting.user.user_id, sitting.account_id, sitting.account.margin, drafts, (now, figures))
        sitting.events += ordered.events
        sitting.keep(replace(ordered.margin, cooldown_until_ms=now + sitting.world.cooldown_ms))
    return judged


def _house(sitting: _Sitting, judged: Judged) -> Judged:
    """One position at a time: what a close did to the level decides whether there is another."""
    user_id, account_id, now = sitting.user.user_id, sitting.account_id, sitting.world.now_ms
    for _ in range(_ROUNDS_MAX):
        evaluation, law, figures = judged.evaluation, judged.law, _figures(judged)
        if judged.rung != LIQUIDATION or evaluation is None or law is None or figures is None:
            break
        closes = law.plan(evaluation, judged.thresholds)[:1]
        if not closes:
            break
        drafts = plan.drafted(evaluation, closes, cancel=False)
        ordered = plan.order_plan(user_id, account_id, sitting.account.margin, drafts, (now, figures))
        sitting.events += ordered.events
        leg = next(leg for leg in evaluation.legs if leg.key == closes[0].key)
        step = ordered.margin.plan[-1]
        sitting.keep(replace(ordered.margin, plan=()))
        sitting.user, events = plan.apply_step(sitting.user, account_id, step, leg, now)
        sitting.events += events
        judged = sitting.judge()
        if sitting.steps_left() < 1:
            break
    _move(sitting, judged)
    return judged


def _closed(before: User, sitting: _Sitting, judged: Judged, causes: tuple[str, ...]) -> Checked:
    """Seals what was said with one stamp; the row's version counts the write."""
    account_before, world = before.accounts[sitting.account_id], sitting.world
    stamp = stamp_of(world, sitting.used, account_before.margin)
    row, margin = sitting.user, sitting.account.margin
    if row is not before and row.version == before.version:
        row = replace(row, version=before.version + 1, updated_ms=max(before.updated_ms, world.now_ms))
    report = check_record((before.user_id, sitting.account_id), margin, causes, _figures(judged), stamp)
    slack = None
    if judged.rung != UNKNOWN and judged.evaluation is not None:
        worst = ladder.worst_pool(judged.evaluation, judged.thresholds)
        slack = ladder.slack(worst, judged.thresholds) if worst else None
    return Checked(row, sealed(sitting.events, stamp), report, margin.rung, slack)
