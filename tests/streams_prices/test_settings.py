"""Rules and control: every kind is taken, every number that is none is refused by name, and what held before goes on holding."""

from collections.abc import Iterator
from typing import Any

import pytest
from aiokafka import TopicPartition

from agents.risk.rules import Rules
from schemas import engine_pb2 as pb
from streams.config import Config
from streams.prices import Prices
from streams.topics import CONTROL, RISK_RULES
from tests.agents.worlds import BTC, EUR, NOW, btc_rule, fx_rule
from tests.streams_prices.test_batches import Record

THRESHOLD = {"mode": "percent", "warning": "150", "margin_call": "100", "liquidation": "50", "release": "110"}
KINDS: dict[str, pb.RiskRule] = {
    "instrument": btc_rule(),
    "group": pb.RiskRule(rule_id="group:vip", group=pb.RiskRule.Group(
        group="vip", thresholds=pb.Threshold(**THRESHOLD), leverage="50", fallback_ratio="0.9")),
    "collateral_weight": pb.RiskRule(rule_id="weight:USDT/BTC", collateral_weight=pb.RiskRule.CollateralWeight(
        currency="USDT", asset="BTC", weight="0.95")),
}
NUMBERS = {"contract_size", "price_tick", "quantity_step", "min_quantity", "margin_rate", "taker_fee", "jump_ratio", "hedged_factor",
           "floor", "cap", "rate", "amount", "max_leverage", "weight", "leverage", "fallback_ratio", "warning", "margin_call",
           "liquidation", "release", "auto_reduce"}


def take(service: Prices, topic: str, *values: bytes | None) -> None:
    service._take({TopicPartition(topic, 0): [Record(at, b"key", value) for at, value in enumerate(values, 1)]})


def held(rules: Rules) -> list[str]:
    return [*sorted(rules.instruments), *sorted(rules.groups), *sorted(rules.weights)]


def test_every_kind_of_rule_is_here() -> None:
    assert {*KINDS, "withdrawn"} == {field.name for field in pb.RiskRule.DESCRIPTOR.oneofs_by_name["rule"].fields}


def spoilt(message: Any, value: str) -> Iterator[tuple[str, Any]]:
    """The message with each of its numbers at a bad value."""
    for field, inner in message.ListFields():
        if field.message_type is None or field.message_type.GetOptions().map_entry:
            continue
        rows = list(inner) if field.is_repeated else [inner]
        for at, row in enumerate(rows):
            for name in NUMBERS & set(row.DESCRIPTOR.fields_by_name):
                copy = type(message)()
                copy.CopyFrom(message)
                into = getattr(copy, field.name)
                setattr(into[at] if field.is_repeated else into, name, value)
                yield f"{field.name}.{name}", copy
            for what, deeper in spoilt(row, value):
                copy = type(message)()
                copy.CopyFrom(message)
                into = getattr(copy, field.name)
                (into[at] if field.is_repeated else into).CopyFrom(deeper)
                yield f"{field.name}.{what}", copy


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", ["NaN", "-1", "inf", "much", "1e99"])
async def test_a_rule_with_a_bad_number_is_refused_and_the_good_one_holds(kind: str, value: str) -> None:
    good = KINDS[kind]
    count = 0
    for what, bad in spoilt(good, value):
        service = Prices(Config())
        take(service, RISK_RULES, good.SerializeToString(), bad.SerializeToString(), fx_rule(EUR).SerializeToString())
        assert service.refused == {"rule": 1}, what
        assert EUR in service.rules.instruments, what
        alone = Prices(Config())
        take(alone, RISK_RULES, good.SerializeToString(), None, fx_rule(EUR).SerializeToString())
        assert held(service.rules) == held(alone.rules), what
        count += 1
    assert count >= {"instrument": 12, "group": 7, "collateral_weight": 1}[kind]


@pytest.mark.parametrize("kind", KINDS)
async def test_the_later_of_two_holds_and_the_same_again_changes_nothing(kind: str) -> None:
    service = Prices(Config())
    take(service, RISK_RULES, KINDS[kind].SerializeToString())
    once = service.rules
    take(service, RISK_RULES, KINDS[kind].SerializeToString())
    assert (service.rules.instruments, service.rules.groups, service.rules.weights) == (once.instruments, once.groups, once.weights)
    assert service.rules.offset == once.offset


async def test_a_withdrawn_rule_holds_until_then_and_a_later_one_again() -> None:
    rule = fx_rule(EUR)
    ended = pb.RiskRule(rule_id=rule.rule_id, effective_from_ms=NOW + 10, withdrawn=True)
    service = Prices(Config())
    take(service, RISK_RULES, rule.SerializeToString(), ended.SerializeToString())
    assert [service.rules.instrument(EUR, at) is None for at in (NOW, NOW + 9, NOW + 10)] == [False, False, True]
    rule.effective_from_ms = NOW + 20
    take(service, RISK_RULES, rule.SerializeToString())
    assert service.rules.instrument(EUR, NOW + 20) is not None


@pytest.mark.parametrize("value", [b"\xff\xff", pb.PriceTick(instrument=BTC, last="1").SerializeToString(), b""])
async def test_bytes_that_are_no_rule(value: bytes) -> None:
    service = Prices(Config())
    take(service, RISK_RULES, value, fx_rule(EUR).SerializeToString())
    assert service.rules.instrument(EUR, NOW) is not None
    assert service.refused == {"rule": 1}


@pytest.mark.parametrize("action", [number for number in pb.Control.Action.values() if number])
async def test_every_action_of_control(action: int) -> None:
    service = Prices(Config())
    told: list[str] = []
    service.on_control = lambda message: told.append(message.scope)
    said = pb.Control(scope="global", reason="drill", action=action)  # type: ignore[arg-type]
    take(service, CONTROL, pb.Control(scope="user:live:1", action=pb.Control.PAUSE).SerializeToString(), said.SerializeToString())
    assert service.control.pauses == {"user:live:1": ""} | ({"global": "drill"} if action == pb.Control.PAUSE else {})
    assert told == ["user:live:1", "global"]
