"""Nobody is missed: the screen against the law in Decimal, every holder of what ticked, on the same tick; and its floats beside it."""

import math
from collections import Counter
from decimal import Decimal

import numpy as np

from agents.book import book_of, thresholds_for, weights_of
from agents.risk.board import Held, worth
from agents.risk.columns import ERROR
from agents.risk.laws import law_of
from agents.risk.market import market_of
from agents.risk.world import Control, World
from tables.rows import LIQUIDATION, UNKNOWN, Account, User
from tests.properties.screen import EXCHANGES, NOW, Crowd, run


def test_the_screen_misses_nobody_and_is_never_late() -> None:
    story = run(seed=5, accounts=500, ticks=200)
    assert story.missed == []
    assert story.moved > 100
    assert story.reported < 0.3 * story.checked


def judged_in_floats(crowd: Crowd, name: tuple[str, str]) -> list[tuple[float, float, float]]:
    """(equity, requirement, bound of the error) of each pool of an account."""
    columns = crowd.columns
    [pools] = [place.pools for place in columns._rows[name[0]][1] if place.name == name]
    ids = np.array(pools, np.int64)
    held = Held.gather(columns.positions, columns.board, columns.pools.members(ids))
    equity, required, gross = columns.triggers.totals.now(held, ids, worth(held, columns.board))
    return sorted(zip(equity.tolist(), required.tolist(), (ERROR * gross).tolist(), strict=True))


def always_looked_at(crowd: Crowd, name: tuple[str, str]) -> bool:
    """Whether no line fits the account, such as a hedge that pays for its larger side."""
    return any(place.always for place in crowd.columns._rows[name[0]][1] if place.name == name)


def judged_exactly(crowd: Crowd, user: User, account: Account) -> list[tuple[Decimal, Decimal]]:
    """(equity, requirement) of each pool with positions; of FX the margin, which its thresholds are shares of."""
    group = crowd.rules.group(user.profile.group, NOW)
    book = book_of(user, account, group, None, weights_of(account, crowd.rules, NOW))
    market = market_of(World(NOW, crowd.marks, crowd.rules, Control()))
    found = law_of(book.model).evaluate(book, market, thresholds_for(account, group))
    held = {leg.pool for leg in found.legs}
    return sorted((pool.equity, pool.initial_margin if book.model == "mt5" else pool.requirement)
                  for pool in found.pools if pool.name in held)


def test_floats_agree_with_decimals_within_their_bound() -> None:
    crowd, compared = Crowd(17, 400), Counter[str]()
    for _ in range(5):
        crowd.columns.touched(crowd.tick(), crowd.marks)
        for user in crowd.users.values():
            [account] = user.accounts.values()
            if not account.positions or account.margin.rung in (LIQUIDATION, UNKNOWN):
                continue
            floats, exact = judged_in_floats(crowd, (user.user_id, account.account_id)), judged_exactly(crowd, user, account)
            if not floats and always_looked_at(crowd, (user.user_id, account.account_id)):
                continue
            assert len(floats) == len(exact)
            for (equity, required, bound), (wanted, needed) in zip(floats, exact, strict=True):
                assert abs(equity - float(wanted)) <= bound, (user, equity, wanted)
                assert abs(required - float(needed)) <= bound or math.isinf(required), (user, required, needed)
                compared[f"{account.model} {account.multi_assets}"] += 1
    assert len(compared) == len(EXCHANGES) + 1
    assert min(compared.values()) > 50
