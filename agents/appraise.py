"""An account as the law judges it this moment, also under another group or leverage: figures to answer by, no verdict. Pure."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from msgspec.structs import replace

from agents.book import book_of, figures_of, thresholds_for, weights_of
from agents.risk import ladder
from agents.risk.law import NoLaw
from agents.risk.laws import law_of
from agents.risk.market import market_of
from agents.risk.world import World
from tables.accounts import doubts
from tables.rows import NORMAL, UNKNOWN, Account, Figures, Orders, User


class Appraisal(NamedTuple):
    """`reasons` say why the rung is unknown; the figures are then no ground to stand on."""

    rung: int
    reasons: tuple[str, ...]
    figures: Figures


def appraise(user: User, account: Account, orders: Orders | None, world: World) -> Appraisal:
    """The account with its open orders at the marks and rules of `world`; doubts about its facts are reasons, too."""
    group = world.rules.group(user.profile.group, world.now_ms)
    market, thresholds = market_of(world), thresholds_for(account, group)
    try:
        law = law_of(account.model)
    except NoLaw as error:
        return Appraisal(UNKNOWN, (str(error),), Figures())
    found = law.evaluate(book_of(user, account, group, orders, weights_of(account, world.rules, world.now_ms)), market, thresholds)
    reasons = {*market.unknown, *doubts(user, account.account_id), *([found.refused] if found.refused else [])}
    rungs = ladder.rungs(found, thresholds, account.margin.known_rung)
    rung = UNKNOWN if reasons else max(rungs.values(), default=NORMAL)
    return Appraisal(rung, tuple(sorted(reasons)), figures_of(found, thresholds))


def otherwise(user: User, group: str | None, leverage: Decimal | None) -> User:
    """The user in another group, or with another leverage; None leaves it."""
    profile = user.profile
    return replace(user, profile=replace(profile, group=group or profile.group, leverage=leverage or profile.leverage))
