"""The price service on records made by hand: what moved, what is refused, and that rules come before prices."""

from typing import Any, NamedTuple

import pytest
from aiokafka import TopicPartition

from schemas import engine_pb2 as pb
from streams.config import Config
from streams.prices import Prices
from streams.topics import CONTROL, PRICE_TICKS, RISK_RULES

TICKS = TopicPartition(PRICE_TICKS, 0)
NAME = "binance:BTCUSDT"


class Record(NamedTuple):
    offset: int
    key: bytes
    value: bytes
    timestamp: int


def tick(offset: int, mark: str, name: str = NAME) -> Record:
    at = 1_000_000 + offset
    return Record(offset, name.encode(), pb.PriceTick(instrument=name, mark=mark, time_ms=at).SerializeToString(), at)


@pytest.fixture
async def prices() -> Prices:
    return Prices(Config())


def moved_by(prices: Prices, *batches: dict[TopicPartition, list[Any]]) -> list[set[str]]:
    seen: list[set[str]] = []
    prices.on_moved = seen.append
    for batch in batches:
        prices._take(batch)
    return seen


async def test_the_newest_of_a_batch_moves_and_the_same_price_again_does_not(prices: Prices) -> None:
    seen = moved_by(prices, {TICKS: [tick(0, "100"), tick(1, "101")]}, {TICKS: [tick(2, "101")]}, {TICKS: [tick(3, "102")]})
    assert seen == [{NAME}, {NAME}]
    assert str(prices.book.marks[NAME].mark) == "102"
    assert prices.ticks == 3  # the overtaken one was not looked at


@pytest.mark.parametrize("record", [Record(0, b"x", b"\xff\xff", 1), tick(0, "-1"), tick(0, "much")])
async def test_a_broken_tick_is_counted_and_moves_nothing(prices: Prices, record: Record) -> None:
    assert moved_by(prices, {TICKS: [record]}) == []
    assert sum(prices.refused.values()) == 1
    assert prices.book.marks == {}


async def test_rules_and_control_are_taken_before_prices_of_the_same_poll(prices: Prices) -> None:
    order: list[str] = []
    prices.on_moved = lambda names: order.append("prices")
    prices.on_control = lambda message: order.append("control")
    control = Record(0, b"global", pb.Control(scope="global").SerializeToString(), 1)
    prices._take({TICKS: [tick(0, "100")], TopicPartition(CONTROL, 0): [control]})
    assert order == ["control", "prices"]


@pytest.mark.parametrize(("topic", "counted"), [(RISK_RULES, "rule"), (CONTROL, "control")])
async def test_an_unreadable_setting_is_refused_and_the_last_good_one_stays(prices: Prices, topic: str, counted: str) -> None:
    before = (prices.rules, prices.control)
    prices._take({TopicPartition(topic, 0): [Record(0, b"x", b"\xff\xff", 1)]})
    assert prices.refused == {counted: 1}
    assert (prices.rules, prices.control) == before
