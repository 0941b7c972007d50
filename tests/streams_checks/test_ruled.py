"""Whom a change of rules touches: those are checked, and only those."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from agents.risk.rules import rules_with
from schemas import engine_pb2 as pb
from tables.rows import Balance
from tests.agents.worlds import EUR, JPY, NOW, btc_rule, fx_rule, fx_user, mark, position, usdm_user
from tests.streams_checks.desk import Desk, trader


@pytest.fixture
async def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    found = Desk(monkeypatch)
    found.prices.book.marks[EUR] = mark(EUR, "1.1000", "1.1002")
    return found


def group(name: str, leverage: str) -> pb.RiskRule:
    return pb.RiskRule(rule_id=f"group:{name}", group=pb.RiskRule.Group(group=name, leverage=leverage))


def weight(asset: str) -> pb.RiskRule:
    return pb.RiskRule(rule_id=f"weight:USDT/{asset}",
                       collateral_weight=pb.RiskRule.CollateralWeight(currency="USDT", asset=asset, weight="0.9"))


TOUCHED: dict[str, tuple[pb.RiskRule, list[str]]] = {
    "their group": (group("vip", "50"), ["live:2/house"]),
    "the instrument held": (fx_rule(EUR, stale_after_ms=9_000), ["live:1/house", "live:2/house"]),
    "the pair converted through": (fx_rule(JPY, stale_after_ms=9_000), ["live:3/house"]),
    "an asset that counts as collateral": (weight("BTC"), ["live:4/a1"]),
    "an asset that nobody has": (weight("SOL"), []),
    "a group that nobody is in": (group("other", "50"), []),
    "the same said again": (fx_rule(EUR), []),
    "an instrument that nobody holds": (btc_rule(), []),
    "what holds later": (pb.RiskRule(rule_id="group:vip", effective_from_ms=NOW + 1_000, group=group("vip", "50").group), []),
}


@pytest.mark.parametrize("what", TOUCHED)
async def test_a_change_of_rules_checks_those_it_touches_and_only_them(desk: Desk, what: str) -> None:
    rule, expected = TOUCHED[what]
    vip = replace(trader(2), profile=replace(trader(2).profile, group="vip"))
    yen = replace(fx_user("5000", position(JPY, "1", "150")), user_id="live:3")
    coins = usdm_user("100")
    bitcoin = {**coins.accounts["a1"].balances, "BTC": Balance(Decimal(1))}
    coins = replace(coins, user_id="live:4", accounts={"a1": replace(coins.accounts["a1"], balances=bitcoin)})
    desk.keep(trader(1), vip, yen, coins)
    desk.prices.on_moved(set())
    desk.check()
    desk.prices.rules = rules_with(desk.prices.rules, rule, 9)
    desk.prices.on_rules({rule.rule_id})
    assert desk.waiting() == expected


async def test_rules_that_are_not_read_to_the_end_check_nobody(desk: Desk) -> None:
    desk.keep(trader(1))
    desk.prices.on_moved(set())
    desk.prices.caught_up.clear()
    desk.prices.rules = rules_with(desk.prices.rules, group("standard", "50"), 9)
    desk.prices.on_rules({"group:standard"})
    desk.prices.on_moved(set())
    assert desk.waiting() == []
