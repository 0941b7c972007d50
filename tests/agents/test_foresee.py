"""What other rules would do: whose rung moves, who would be liquidated, and who is not touched at all."""

from decimal import Decimal

from msgspec.structs import replace

from agents.foresee import Foreseen, amended, foresee, moved
from agents.risk.rules import Rules
from agents.risk.world import Mark
from schemas import engine_pb2 as pb
from tables.rows import LIQUIDATION, MARGIN_CALL, NORMAL, UNKNOWN, Balance, User
from tests.agents.worlds import BTC, EUR, JPY, NOW, btc_rule, fx_rule, fx_user, mark, position, rules, usdm_user

BOOK = {EUR: mark(EUR, "1.1", "1.1002", append_ms=NOW - 3_600_000), BTC: mark(BTC, "60000")}  # an hour old: a rule outlives that


def tiers(rate: str) -> pb.RiskRule:
    found = btc_rule()
    del found.instrument.brackets[:]
    found.instrument.brackets.add(floor="0", rate=rate, amount="0")
    return found


def look(user: User, *changes: pb.RiskRule, book: dict[str, Mark] | None = None, held: Rules | None = None) -> list[Foreseen]:
    before = held or rules()
    return foresee([user], BOOK if book is None else book, (before, amended(before, changes, NOW)), NOW)


BULL = usdm_user("1000", position(BTC, "0.1", "60000"))  # notional 6,000


def test_a_steeper_table_liquidates_and_says_so() -> None:
    found = look(BULL, tiers("0.2"))
    assert [(one.before.rung, one.after.rung, one.liquidates) for one in found] == [(NORMAL, LIQUIDATION, True)]
    assert (found[0].before.ratio, found[0].after.ratio) == (Decimal("0.024"), Decimal("1.2"))


def test_a_rule_of_later_is_shown_as_if_it_held() -> None:
    later = tiers("0.15")
    later.effective_from_ms = NOW + 86_400_000
    assert [one.after.rung for one in look(BULL, later)] == [MARGIN_CALL]


def test_a_rule_that_another_has_replaced_since_changes_nothing() -> None:
    today = tiers("0.01")
    today.effective_from_ms = NOW - 1
    past = tiers("0.2")
    past.effective_from_ms = NOW - 2
    assert look(BULL, past, held=rules(btc_rule(), today)) == []


def test_who_does_not_rest_on_the_change_is_not_judged() -> None:
    assert look(BULL, fx_rule(EUR, stale_after_ms=5)) == []
    assert look(BULL, pb.RiskRule(rule_id="group:vip", group=pb.RiskRule.Group(group="vip", leverage="5"))) == []
    assert look(BULL, btc_rule()) == []


def test_a_group_is_its_users() -> None:
    strict = pb.RiskRule(rule_id="group:standard", group=pb.RiskRule.Group(group="standard"))
    strict.group.thresholds.CopyFrom(pb.Threshold(mode="percent", warning="900", margin_call="800", liquidation="700", release="810"))
    trader = fx_user("5000", position(EUR, "1", "1.1"))  # at 454 % of margin
    assert [one.liquidates for one in look(trader, strict)] == [True]
    assert look(replace(trader, profile=replace(trader.profile, group="vip")), strict) == []


def test_a_pair_converted_through_touches_who_converts() -> None:
    yen = fx_user("5000", position(JPY, "1", "150"))
    assert len(look(yen, fx_rule(JPY, contract_size="200000"), book={JPY: mark(JPY, "150", "150.1")})) == 1


def test_without_a_mark_nothing_can_be_said() -> None:
    found = look(BULL, tiers("0.2"), book={})
    assert [(one.after.rung, one.liquidates, one.unjudged) for one in found] == [(UNKNOWN, False, True)]


def test_who_is_liquidated_already_is_no_news() -> None:
    poor = usdm_user("10", position(BTC, "0.1", "60000"))
    found = look(poor, tiers("0.2"))
    assert [(one.before.rung, one.after.rung, one.liquidates) for one in found] == [(LIQUIDATION, LIQUIDATION, False)]
    assert moved(found) == []


def test_assets_that_count_as_collateral_touch_who_has_them() -> None:
    account = BULL.accounts["a1"]
    rich = replace(BULL, accounts={"a1": replace(account, balances={**account.balances, "BTC": Balance(Decimal(1))})})
    weight = pb.RiskRule(rule_id="weight:USDT/BTC")
    weight.collateral_weight.CopyFrom(pb.RiskRule.CollateralWeight(currency="USDT", asset="BTC", weight="0.9"))
    assert len(look(rich, weight)) == 1
    assert look(BULL, weight) == []
