"""The screen against brute force: whoever's rung the exact law moves is reported on that tick."""

import random
from decimal import Decimal

from msgspec.structs import replace

from agents.risk.columns import Columns
from agents.risk.world import Mark, World
from agents.verdict import check
from tables.rows import UNKNOWN, WARNING, User
from tests.agents.worlds import BTC, EUR, JPY, NOW, btc_rule, fx_user, mark, position, rules, usdm_user, world

D = Decimal


def people(rng: random.Random, count: int) -> dict[str, User]:
    found = {}
    for at in range(count):
        if at % 2:
            mode = rng.choice([{}, {"margin_mode": "isolated", "isolated_wallet": D(rng.randint(500, 9_000))}])
            quantity = str(rng.choice([-1, 1]) * rng.randint(1, 900) / 1000)
            user = usdm_user(str(rng.randint(500, 40_000)), position(BTC, quantity, str(rng.randint(55_000, 65_000)), **mode))
        else:
            rows = [position(name, str(rng.choice([-1, 1]) * rng.randint(1, 200) / 100), price, **rng.choice([{}, {"open_rate": D("1.1")}]))
                    for name, price in ((EUR, "1.1"), (JPY, "150")) if rng.random() < 0.8]
            user = fx_user(str(rng.randint(500, 9_000)), *rows)
        found[f"live:{at}"] = replace(user, user_id=f"live:{at}")
    return found


def judge_all(users: dict[str, User], at: World) -> set[tuple[str, str]]:
    """Checks everybody; the accounts whose rung moved."""
    changed = set()
    for user_id, row in list(users.items()):
        for account_id, account in row.accounts.items():
            checked = check(row, account_id, at, ())
            assert checked is not None
            if checked.rung != account.margin.rung:
                changed.add((user_id, account_id))
            users[user_id] = checked.row
    return changed


def test_the_screen_never_misses() -> None:
    rng = random.Random(7)
    users, columns, law = people(rng, 120), Columns(), rules()
    columns.ruled(law, NOW)
    prices = {EUR: D("1.1"), JPY: D(150), BTC: D(60_000)}
    moved = reported = 0
    for _ in range(60):
        for name in rng.sample(sorted(prices), rng.randint(1, 2)):
            prices[name] *= 1 + D(rng.randint(-60, 60)) / 10_000
        marks: dict[str, Mark] = {name: mark(name, str(price)) if name == BTC else mark(name, str(price), str(price * D("1.0001")))
                                  for name, price in prices.items()}
        at = world(*marks.values(), with_rules=law)
        for user_id, row in users.items():
            columns.put(user_id, row)
        touched = {(user, account): badness for user, account, badness in columns.touched(prices, marks)}
        reported += len(touched)
        changed = judge_all(users, at)
        moved += len(changed)
        assert changed <= touched.keys()
    assert moved > 50
    assert reported < 0.6 * 60 * 120  # it screens, it does not just say everybody


def test_what_is_dropped_is_forgotten_and_its_slots_are_used_again() -> None:
    columns, marks = Columns(), {EUR: mark(EUR, "0.5", "0.5")}
    columns.ruled(rules(), NOW)
    for _ in range(300):
        columns.put("live:1", fx_user("1000", position(EUR, "1", "1.1")))
    assert [found[:2] for found in columns.touched([EUR], marks)] == [("live:1", "house")]
    columns.drop("live:1")
    assert columns.touched([EUR], marks) == []
    assert columns.holders([EUR]) == []
    assert columns.positions.used == 2  # the bid of the ticket, the ask its margin is converted at


def test_what_no_float_stands_for_is_always_reported() -> None:
    columns, calm = Columns(), {EUR: mark(EUR, "1.1", "1.1")}
    user = fx_user("100000", position(EUR, "1", "1.1"))
    columns.put("live:1", user)
    assert columns.touched([EUR], calm)  # no rules yet
    columns.ruled(rules(), NOW)
    assert columns.touched([EUR], calm) == []
    unknown = replace(user.accounts["house"], margin=replace(user.accounts["house"].margin, rung=UNKNOWN))
    columns.put("live:1", replace(user, accounts={"house": unknown}))
    assert columns.touched([EUR], calm)
    assert columns.touched([JPY], calm) == []


def test_a_conversion_instrument_touches_who_converts_through_it() -> None:
    columns = Columns()
    columns.ruled(rules(), NOW)
    columns.put("live:1", fx_user("1000", position(JPY, "-1", "150")))
    assert columns.holders([JPY]) == [("live:1", "house")]
    near = {JPY: mark(JPY, "150.9", "150.9")}
    assert [found[2] > 0.5 for found in columns.touched([JPY], near)] == [True]


def test_more_instruments_than_there_was_room_for() -> None:
    """Every new instrument may lay larger arrays, in the midst of putting an account."""
    names = [f"binance_usdm:COIN{at}USDT" for at in range(40)]
    columns, messages = Columns(), []
    for name in names:
        message = btc_rule()
        message.rule_id = f"instrument:{name}"
        message.instrument.instrument = name
        messages.append(message)
    columns.ruled(rules(*messages), NOW)
    for at, name in enumerate(names):
        user = usdm_user("1000", position(name, "0.1", "60000"))
        columns.put(f"live:{at}", replace(user, user_id=f"live:{at}"))
    marks = {name: mark(name, "60000") for name in names}
    columns.touched(names, marks)
    assert columns.portfolio({"live:0", "live:39"}, marks) == {("live:0", "a1"): (1000.0, 24.0), ("live:39", "a1"): (1000.0, 24.0)}


def test_a_side_that_moves_alone_is_looked_at_where_only_a_conversion_takes_it() -> None:
    """A bought EURUSD ticket is worth its bid, its margin is converted at the ask."""
    columns, user = Columns(), fx_user("2000", position(EUR, "1", "1.1"))
    columns.ruled(rules(), NOW)
    columns.put("live:1", user)
    assert columns.touched([EUR], {EUR: mark(EUR, "1.1", "1.1")}) == []
    wide = {EUR: mark(EUR, "1.1", "1.5")}
    moved = check(user, "house", world(*wide.values()), ())
    assert moved is not None
    assert moved.rung == WARNING
    assert [found[:2] for found in columns.touched([EUR], wide)] == [("live:1", "house")]


def test_who_is_laid_side_by_side_is_as_who_is_laid_alone() -> None:
    rng = random.Random(11)
    users, law = people(rng, 80), rules()
    together, alone = Columns(), Columns()
    for columns in (together, alone):
        columns.ruled(law, NOW)
    price = D("1.1")
    found = 0
    for _ in range(30):
        others = people(rng, 80)
        changed = {user: others[user] for user in rng.sample(sorted(users), rng.choice((1, 3, 40)))}
        together.put_all(changed)
        for user, row in changed.items():
            alone.put(user, row)
        price *= 1 + D(rng.randint(-60, 60)) / 10_000
        marks = {EUR: mark(EUR, str(price), str(price)), JPY: mark(JPY, "150", "150"), BTC: mark(BTC, "60000")}
        assert together.touched([EUR, BTC], marks) == alone.touched([EUR, BTC], marks)
        assert len(together.positions) == len(alone.positions)
        assert together.portfolio(set(users), marks) == alone.portfolio(set(users), marks)
        found += len(together.touched([JPY], marks))
    assert found
