"""What the price service takes of a batch: jumps, broken neighbours, unkeyed ticks, ages; and what it is ready with after a start."""

import asyncio
import time
from decimal import Decimal
from typing import NamedTuple

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from agents.risk.rules import Rules
from schemas import engine_pb2 as pb
from streams.config import Config
from streams.prices import HISTORY_MS, Prices
from streams.topics import CONTROL, PRICE_TICKS, RISK_RULES
from tests.agents.worlds import BTC, EUR, JPY, NOW, fx_rule, rules

TICKS = TopicPartition(PRICE_TICKS, 0)


class Record(NamedTuple):
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int = NOW


def tick(offset: int, name: str = BTC, *, at: int = NOW, keyed: bool = True, **prices: str) -> Record:
    message = pb.PriceTick(instrument=name, **prices)  # type: ignore[arg-type]
    return Record(offset, name.encode() if keyed else None, message.SerializeToString(), at)


def prices(with_rules: Rules | None = None) -> Prices:
    found = Prices(Config(partitions=1))
    found.rules = with_rules or rules()
    return found


def take(service: Prices, *records: Record) -> set[str]:
    moved: set[str] = set()
    service.on_moved = moved.update
    service._take({TICKS: list(records)})
    return moved


# ---- the newest of a batch, and its neighbours


async def test_a_book_ticker_behind_it_does_not_swallow_a_mark_price() -> None:
    """Venues send both under one key: on a busy stream the last of every batch is a book ticker."""
    service = prices()
    assert take(service, tick(0, mark="60000")) == {BTC}
    assert take(service, tick(1, mark="61000"), tick(2, bid="60990", ask="60991"), tick(3, last="60990")) == {BTC}
    assert (service.book.marks[BTC].mark, service.book.marks[BTC].offset) == (Decimal(61_000), 1)


BROKEN = {
    "garbage": (Record(9, EUR.encode(), b"\xff\xff"), "unreadable"),
    "tombstone": (Record(9, EUR.encode(), None), "instrument"),
    "no number": (tick(9, EUR, bid="NaN", ask="1.1"), "malformed"),
    "infinite": (tick(9, EUR, last="inf"), "malformed"),
    "huge": (tick(9, EUR, last="1e31"), "malformed"),
    "negative": (tick(9, EUR, bid="-1.1", ask="1.1"), "not_positive"),
    "zero": (tick(9, EUR, mark="0.000"), "not_positive"),
    "crossed": (tick(9, EUR, bid="1.2", ask="1.1"), "crossed"),
    "nothing said": (tick(9, EUR), "empty"),
    "no venue": (Record(9, EUR.encode(), pb.PriceTick(instrument="EURUSD", last="1").SerializeToString()), "instrument"),
}


@pytest.mark.parametrize(("record", "reason"), BROKEN.values(), ids=list(BROKEN))
async def test_a_broken_tick_does_not_swallow_the_good_one_before_it(record: Record, reason: str) -> None:
    service = prices()
    assert take(service, tick(7, EUR, bid="1.1", ask="1.1002"), tick(8, JPY, last="150"), record) == {EUR, JPY}
    assert service.book.marks[EUR].offset == 7
    assert service.refused == {reason: 1}


async def test_ticks_without_a_key_are_of_the_instrument_they_name() -> None:
    service = prices()
    assert take(service, *(tick(at, name, keyed=False, last="1") for at, name in enumerate((EUR, JPY, BTC)))) == {EUR, JPY, BTC}


async def test_an_unchanged_tick_renews_the_age_and_moves_nobody() -> None:
    service = prices()
    take(service, tick(0, EUR, last="1.1"))
    assert take(service, tick(1, EUR, last="1.10", at=NOW + 5_000)) == set()
    assert (service.book.marks[EUR].append_ms, service.book.marks[EUR].offset) == (NOW + 5_000, 1)


async def test_time_going_backwards_is_an_older_mark_not_a_lost_one() -> None:
    """The log's order says which is newest, the broker's clock how old it is; the tick's own time says nothing."""
    service = prices()
    take(service, tick(0, EUR, last="1.1"))
    assert take(service, tick(1, EUR, last="1.2", at=NOW - 60_000)) == {EUR}
    held = service.book.marks[EUR]
    assert (held.last, held.append_ms) == (Decimal("1.2"), NOW - 60_000)
    assert service.book.stale(held, NOW, service.rules, 10_000) == "stale"


# ---- jumps


JUMPY = rules(fx_rule(EUR, jump_ratio="0.1", jump_ticks=2, jump_ms=1_000))


def walk(*steps: tuple[int, str], with_rules: Rules = JUMPY) -> list[str]:
    """What holds after each (ms, price); * = a jump waits."""
    service, seen = prices(with_rules), []
    for at, (ms, price) in enumerate(steps):
        take(service, tick(at, EUR, mark=price, at=NOW + ms))
        held = service.book.marks[EUR]
        seen.append(f"{held.mark}{'*' if held.jumping else ''}")
    return seen


@pytest.mark.parametrize(("steps", "expected"), [
    ([(0, "1"), (1, "1.1")], ["1", "1.1"]),  # at the bound is no jump
    ([(0, "1"), (1, "1.11"), (2, "1")], ["1", "1*", "1"]),  # a spike: back, and nothing happened
    ([(0, "1"), (1, "2"), (2, "2"), (3, "2")], ["1", "1*", "1*", "2"]),  # confirmed twice
    ([(0, "1"), (1, "2"), (2, "1"), (3, "2"), (4, "2")], ["1", "1*", "1", "1*", "1*"]),  # confirmations do not add up over a return
    ([(0, "1"), (1, "2"), (2, "3"), (3, "3"), (4, "3")], ["1", "1*", "1*", "1*", "3"]),  # further still begins the count again
    ([(0, "1"), (1, "2"), (999, "4"), (1_001, "9")], ["1", "1*", "1*", "9"]),  # a crash that never confirms itself: the clock does
    ([(0, "1"), (1, "0.5"), (2, "0.49"), (3, "0.51")], ["1", "1*", "1*", "0.51"]),  # near enough confirms
])
async def test_jumps(steps: list[tuple[int, str]], expected: list[str]) -> None:
    assert walk(*steps) == expected


async def test_only_the_last_good_price_is_measured_against() -> None:
    by_time = rules(fx_rule(EUR, jump_ratio="0.1", jump_ms=1_000))
    assert walk((0, "1"), (1, "2"), (500, "2"), (1_000, "2"), (1_001, "2"), with_rules=by_time) == ["1", "1*", "1*", "1*", "2"]
    by_count = rules(fx_rule(EUR, jump_ratio="0.1", jump_ticks=1))
    assert walk((0, "1"), (90_000, "2"), (90_001, "2"), with_rules=by_count) == ["1", "1*", "2"]


async def test_a_jump_tells_its_holders_and_so_does_its_end() -> None:
    service = prices(JUMPY)
    take(service, tick(0, EUR, mark="1"))
    assert take(service, tick(1, EUR, mark="2")) == {EUR}
    assert take(service, tick(2, EUR, mark="2")) == set()  # still waiting
    assert take(service, tick(3, EUR, mark="2")) == {EUR}


async def test_a_rule_taken_away_lets_its_jump_go() -> None:
    service = prices(JUMPY)
    take(service, tick(0, EUR, mark="1"), tick(1, EUR, mark="1"))
    take(service, tick(2, EUR, mark="2"))
    assert [mark.mark for mark in service.book.settle(NOW, rules(fx_rule(JPY)))] == [Decimal(2)]


# ---- settings among good ones


async def test_a_bad_rule_leaves_its_neighbours_and_its_own_last_good_form() -> None:
    service = prices(Rules())
    told: list[set[str]] = []
    service.on_rules = told.append
    bad = fx_rule(EUR, contract_size="NaN")
    records = [Record(at, b"r", rule.SerializeToString()) for at, rule in enumerate((fx_rule(EUR), bad, fx_rule(JPY)))]
    service._take({TopicPartition(RISK_RULES, 0): [records[0], Record(8, b"r", b"\xff"), *records[1:]]})
    assert service.refused == {"rule": 2}
    assert [service.rules.instrument(name, NOW) is not None for name in (EUR, JPY)] == [True, True]
    assert told == [{f"instrument:{EUR}", f"instrument:{JPY}"}]


async def test_an_action_of_tomorrow_neither_pauses_nor_resumes() -> None:
    service = prices()
    for offset, action in enumerate((pb.Control.PAUSE, 77)):
        said = pb.Control(scope="global", action=action)  # type: ignore[arg-type]
        service._take({TopicPartition(CONTROL, 0): [Record(offset, b"global", said.SerializeToString())]})
    assert (service.control.pauses, service.control.offset) == ({"global": ""}, 1)


# ---- a start on a real broker


def create(kafka: str) -> None:
    admin = AdminClient({"bootstrap.servers": kafka})
    names = (PRICE_TICKS, RISK_RULES, CONTROL)
    for done in admin.create_topics([NewTopic(name, 1, 1) for name in names]).values():
        done.result(20)


def transact(kafka: str) -> None:
    """A transaction at the end of every log: its marker is an offset without a record."""
    producer = Producer({"bootstrap.servers": kafka, "transactional.id": "t1"})
    producer.init_transactions(20)
    producer.begin_transaction()
    producer.produce(PRICE_TICKS, tick(0, JPY, last="150").value, JPY)
    producer.produce(RISK_RULES, fx_rule(JPY).SerializeToString(), "r2")
    producer.produce(CONTROL, pb.Control(scope="user:live:2", action=pb.Control.PAUSE).SerializeToString(), "user:live:2")
    producer.commit_transaction(20)


@pytest.mark.slow
async def test_a_start_reads_rules_and_control_from_their_beginning_and_ticks_of_the_last_minutes(kafka: str) -> None:
    create(kafka)
    now = time.time_ns() // 1_000_000
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    old = {"timestamp_ms": now - HISTORY_MS - 60_000}
    await producer.send_and_wait(RISK_RULES, fx_rule(EUR).SerializeToString(), b"r1", **old)
    await producer.send_and_wait(CONTROL, pb.Control(scope="global", action=pb.Control.PAUSE).SerializeToString(), b"global", **old)
    await producer.send_and_wait(PRICE_TICKS, tick(0, BTC, mark="1").value, BTC.encode(), **old)
    await producer.send_and_wait(PRICE_TICKS, tick(1, EUR, last="1.1").value, EUR.encode(), timestamp_ms=now - 60_000)
    await producer.stop()
    await asyncio.to_thread(transact, kafka)
    service = Prices(Config(kafka_bootstrap=kafka, partitions=1))
    following = asyncio.ensure_future(Prices._follow.fun(service))
    try:
        await asyncio.wait_for(service.caught_up.wait(), 60)
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
    assert sorted(service.book.marks) == [EUR, JPY]
    assert service.book.stale(service.book.marks[EUR], now, service.rules, 10_000) == "stale"  # an old tick read at boot is old
    assert sorted(service.rules.instruments) == [EUR, JPY]
    assert sorted(service.control.pauses) == ["global", "user:live:2"]


