"""People's figures: as the law says them in Decimal, of whom prices moved only, nearest rung first, flagged where no price is known."""

import random
from decimal import Decimal

import numpy as np
import pytest
from msgspec.structs import replace

from agents.book import book_of, thresholds_for
from agents.portfolio import Portfolio, Told
from agents.risk.laws import law_of
from agents.risk.market import market_of
from agents.risk.rules import Rules, rules_with
from agents.risk.world import World
from agents.tickets import BY_FIGURES, BY_RATIO, holding_of
from schemas import engine_pb2 as pb
from tables.rows import Figures, User
from tests.agents.worlds import EUR, JPY, NOW, fx_rule, fx_user, mark, position, rules, world

D = Decimal
GBP, EURJPY = "house:GBPUSD", "house:EURJPY"


def many_rules() -> Rules:
    return rules(fx_rule(), fx_rule(JPY), fx_rule(GBP), fx_rule(EURJPY), fx_rule("house:GOLDUSD", base="XAU", quote="USD", calc_mode="CFD",
                                                                                   contract_size="100", margin_rate="0.05"))


MARKS = [mark(EUR, "1.0790", "1.0792"), mark(JPY, "149.90", "150.10"), mark(GBP, "1.2500", "1.2504"), mark(EURJPY, "161.80", "161.95"),
         mark("house:GOLDUSD", "2020", "2021")]


def shown(told: Told) -> dict[str, tuple[Decimal, Decimal, Decimal, int]]:
    """user -> (equity, margin, PnL, fallback)."""
    rows = zip(told.users, told.equity, told.margin, told.pnl, told.digits, told.fallback, strict=True)
    return {user: (*(D(int(number)).scaleb(-int(digits)) for number in numbers), int(fallback))  # type: ignore[misc]
            for user, *numbers, digits, fallback in rows}


def laid(users: list[User], given: World) -> Portfolio:
    found = Portfolio()
    for user in users:
        found.put(user.user_id, holding_of(user, given.rules, NOW), NOW)
    found.reprice(given.marks)
    return found


def random_user(number: int, chance: random.Random, *, hedged: bool = False) -> User:
    held = []
    for name in chance.sample([EUR, JPY, GBP, EURJPY, "house:GOLDUSD"], chance.randrange(0, 5)):
        entry = {EUR: 1.08, JPY: 150.0, GBP: 1.25, EURJPY: 161.0, "house:GOLDUSD": 2000.0}[name] * chance.uniform(0.9, 1.1)
        more = {"open_rate": D("1.07")} if chance.random() < 0.3 and name == EUR else {}
        held.append(position(name, str(round(chance.uniform(-3, 3), 2) or 1), f"{entry:.4f}", swap=D("-1.25"), **more))
        if hedged:
            held.append(replace(position(name, "-1", f"{entry:.4f}"), position_id="other"))
    return replace(fx_user(str(chance.randrange(0, 50_000)), *held), user_id=f"live:{number}")


@pytest.mark.parametrize("seed", range(5))
def test_figures_are_those_of_the_law(seed: int) -> None:
    chance, given = random.Random(seed), world(*MARKS, with_rules=many_rules())
    users = [random_user(number, chance) for number in range(60)]
    told = shown(laid(users, given).tell(1_000, NOW))
    assert len(told) == len(users)
    for user in users:
        account, group = user.accounts["house"], given.rules.group("standard", NOW)
        found = law_of("mt5").evaluate(book_of(user, account, group, None), market_of(given), thresholds_for(account, group))
        equity, margin, pnl, fallback = told[user.user_id]
        assert fallback == 0
        for said, exact in ((equity, found.equity), (margin, found.initial_margin), (equity - found.wallet_balance, found.equity
                                                                                    - found.wallet_balance)):
            assert abs(said - exact) <= D("0.0051"), user.user_id
        still = sum((held.swap for held in account.positions.values()), account.balances["USD"].wallet_balance)
        assert abs(pnl - (found.equity - still)) < D("0.01")


def test_a_hedge_keeps_its_margin_as_last_judged() -> None:
    user = random_user(1, random.Random(3), hedged=True)
    account = replace(user.accounts["house"], margin=replace(user.accounts["house"].margin, figures=Figures(initial_margin=D("77.70"))))
    user = replace(user, accounts={"house": account})
    [(_, margin, _, fallback)] = shown(laid([user], world(*MARKS, with_rules=many_rules())).tell(9, NOW)).values()
    assert (margin, fallback) == (D("77.70"), 0)


def two() -> tuple[Portfolio, World]:
    given = world(*MARKS, with_rules=many_rules())
    users = [replace(fx_user("1000", position(EUR, "1", "1.08")), user_id="live:1"),
             replace(fx_user("1000", position(EUR, "1", "1.08"), position(JPY, "1", "150")), user_id="demo:2"),
             replace(fx_user("1000", position(GBP, "0.1", "1.25")), user_id="live:3")]
    return laid(users, given), given


def test_only_whom_prices_moved_is_told_and_once_however_many_symbols_moved() -> None:
    portfolio, given = two()
    assert len(portfolio.tell(10, NOW).users) == 3
    assert portfolio.tell(10, NOW).users == []
    marks = {**given.marks, EUR: mark(EUR, "1.0800", "1.0802"), JPY: mark(JPY, "151", "151.2")}
    portfolio.moved([EUR])
    portfolio.moved([EUR, JPY])
    assert portfolio.symbols(marks, NOW) == (2, 2)
    assert sorted(portfolio.dirty()) == ["demo:2", "live:1"]
    assert sorted(portfolio.tell(10, NOW).users) == ["demo:2", "live:1"]
    assert portfolio.dirty() == []


def test_a_price_that_changes_no_figure_tells_nobody() -> None:
    portfolio, given = two()
    portfolio.tell(10, NOW)
    portfolio.moved([EUR])
    assert portfolio.symbols(given.marks, NOW) == (1, 2)
    told = portfolio.tell(10, NOW)
    assert (told.users, told.looked, portfolio.dirty()) == ([], 2, [])


def test_a_price_in_a_conversion_moves_who_holds_neither_side() -> None:
    portfolio, given = two()
    given = given._replace(rules=many_rules())
    portfolio.put("live:9", holding_of(replace(fx_user("1000", position(EURJPY, "1", "160")), user_id="live:9"), given.rules, NOW), NOW)
    portfolio.reprice(given.marks)
    portfolio.tell(10, NOW)
    portfolio.moved([JPY])
    portfolio.symbols({**given.marks, JPY: mark(JPY, "140", "140.2")}, NOW)
    assert sorted(portfolio.tell(10, NOW).users) == ["demo:2", "live:9"]


def test_a_short_budget_goes_to_who_is_nearest_and_to_who_waits_longest() -> None:
    given = world(*MARKS, with_rules=many_rules())
    users = [replace(fx_user(str(1_500 + 100 * number), position(EUR, "1", "1.08")), user_id=f"live:{number}") for number in range(40)]
    portfolio = Portfolio()
    for number, user in enumerate(users):
        portfolio.put(user.user_id, holding_of(user, given.rules, NOW), NOW - number)  # the far ones wait longest
    portfolio.reprice(given.marks)
    assert portfolio.tell(8, NOW).users == [f"live:{number}" for number in (0, 1, 2, 3, 4, 5, 39, 38)]
    told = [user for _ in range(10) for user in portfolio.tell(8, NOW).users]
    assert sorted({*told, "live:0", "live:1", "live:2", "live:3", "live:4", "live:5", "live:39", "live:38"}) == sorted(
        user.user_id for user in users)
    assert portfolio.dirty() == []


def test_without_a_price_the_last_figures_or_the_ratio_of_the_group_stand_in_and_say_so() -> None:
    group = pb.RiskRule.Group(group="standard", fallback_ratio="0.25")
    ruled = rules_with(many_rules(), pb.RiskRule(rule_id="group:standard", group=group), 9)
    judged = fx_user("1000", position(EUR, "1", "1.08"))
    account = judged.accounts["house"]
    figures = Figures(equity=D("990"), initial_margin=D("50"), unrealised_pnl=D("-10"))
    known = replace(judged, user_id="live:5", accounts={"house": replace(account, margin=replace(account.margin, figures=figures))})
    portfolio = laid([judged, known], world(with_rules=ruled))
    assert shown(portfolio.tell(9, NOW)) == {"live:1": (D("1000"), D("250"), D(0), BY_RATIO),
                                               "live:5": (D("990"), D("50"), D("-10"), BY_FIGURES)}
    portfolio.moved([EUR])
    portfolio.symbols({EUR: MARKS[0]}, NOW)
    assert {row[3] for row in shown(portfolio.tell(9, NOW)).values()} == {0}


def test_who_is_dropped_is_forgotten_and_its_place_used_again() -> None:
    portfolio, given = two()
    portfolio.drop("live:1")
    portfolio.drop("nobody")
    portfolio.put("live:7", holding_of(replace(fx_user("5"), user_id="live:7"), given.rules, NOW), NOW)
    portfolio.put("demo:2", None, NOW)
    told = shown(portfolio.tell(10, NOW))
    assert told.keys() == {"live:3", "live:7"}
    assert told["live:7"][:3] == (D(5), D(0), D(0))
    assert sorted(portfolio.users()) == ["live:3", "live:7"]


def test_many_rows_put_again_and_again_end_in_the_same_figures() -> None:
    chance, given = random.Random(9), world(*MARKS, with_rules=many_rules())
    portfolio, users = Portfolio(), dict[str, User]()
    for _ in range(2_000):
        user = random_user(chance.randrange(50), chance)
        if chance.random() < 0.2:
            portfolio.drop(user.user_id)
            users.pop(user.user_id, None)
            continue
        portfolio.put(user.user_id, holding_of(user, given.rules, NOW), NOW)
        users[user.user_id] = user
    portfolio.reprice(given.marks)
    fresh = laid(list(users.values()), given)
    assert shown(portfolio.tell(99, NOW)) == shown(fresh.tell(99, NOW))
    assert isinstance(fresh.tell(9, NOW).equity, np.ndarray)
