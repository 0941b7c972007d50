"""The generator's facts: the same by seed, valid, and folded to the same state by the engine and by the oracle."""

import asyncio
from collections import Counter
from decimal import Decimal

import pytest
from aiokafka import AIOKafkaProducer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]
from google.protobuf.message import Message

from agents.risk.rules import Rules, rules_with
from schemas import engine_pb2 as engine
from schemas.keys import partition_of
from schemas.user_data_pb2 import UserDataOrderUpdateEvent
from streams import topics
from streams.config import Config
from streams.stack.generator import first_free_user, send
from streams.stack.generator_facts import Facts, facts
from streams.stack.generator_house import Record
from streams.stack.market import INSTRUMENTS, Market, rules
from streams.stack.oracle import Seen, fold
from tables import accounts
from tables.policy import Policy
from tables.read import Unreadable, read
from tables.rows import User

PARTITIONS = 4


class Stored:
    """A record as the transport hands it over."""

    def __init__(self, record: Record, offset: int) -> None:
        self.topic, user, message = record
        self.key, self.value = user.encode(), message.SerializeToString()
        self.partition, self.offset, self.timestamp = partition_of(self.key, PARTITIONS), offset, 1_760_000_000_000 + offset


def _bytes(records: list[Record]) -> list[tuple[str, str, bytes]]:
    return [(topic, key, message.SerializeToString(deterministic=True)) for topic, key, message in records]


def _fold_engine(records: list[Record]) -> tuple[dict[str, User], Counter[str], list[str]]:
    rows: dict[str, User] = {}
    kinds: Counter[str] = Counter()
    refused = []
    for offset, record in enumerate(records):
        fact = read(Stored(record, offset), record[0], PARTITIONS, "live")
        if isinstance(fact, Unreadable):
            refused.append(fact.error)
            continue
        folded = accounts.fold(rows.get(fact.user), fact, Policy())
        assert isinstance(folded.row, User)
        rows[fact.user] = folded.row
        kinds.update(engine.Anomaly.FromString(output.value).kind for output in folded.outputs if output.topic == topics.ANOMALIES)
        kinds["dead"] += sum(output.topic == topics.DEAD_LETTERS for output in folded.outputs)
    return rows, kinds, refused


def _state(rows: dict[str, User]) -> dict[str, dict[str, tuple[object, object]]]:
    return {user: {name: ({asset: balance.wallet_balance for asset, balance in account.balances.items()},
                          {what: (held.quantity, held.entry_price) for what, held in account.positions.items()})
                   for name, account in row.accounts.items()} for user, row in rows.items()}


def test_same_seed_same_facts() -> None:
    assert _bytes(facts(7, 40, 2_000)) == _bytes(facts(7, 40, 2_000))
    assert _bytes(facts(7, 40, 2_000)) != _bytes(facts(8, 40, 2_000))


def test_every_fact_topic_is_written() -> None:
    seen = {topic for topic, _, _ in facts(1, 100, 8_000)}
    assert seen == set(topics.ACCOUNT_SOURCES) - {topics.LIQUIDATION_REPORTS}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_engine_and_oracle_agree(seed: int) -> None:
    records = facts(seed, 100, 8_000)
    rows, kinds, refused = _fold_engine(records)
    assert refused == []
    assert set(kinds) <= {"position_vanished", "order_vanished", "venue_margin_call", "dead"} and kinds["dead"] == 0, kinds
    assert kinds["position_vanished"] > 0
    oracle = fold(
        Seen(topic, 0, offset, 0, key.encode(), message.SerializeToString()) for offset, (topic, key, message) in enumerate(records)
    )
    assert _state(rows) == {user: dict(found) for user, found in oracle.expected().items()}


def test_no_frame_stays_open_and_no_number_is_missing() -> None:
    rows, _, _ = _fold_engine(facts(5, 60, 5_000))
    assert not [account.account_id for row in rows.values() for account in row.accounts.values() if account.frames]
    assert not [user for user, row in rows.items() for sequence in row.sequences.values() if sequence.held]


def test_two_in_a_hundred_are_exact_repeats() -> None:
    counts = Counter(_bytes(facts(3, 100, 10_000)))
    assert 0.01 < sum(count - 1 for count in counts.values()) / counts.total() < 0.03


def test_a_later_run_repeats_no_number_of_the_first() -> None:
    def numbers(source: Facts) -> set[tuple[str, str, int]]:
        found: list[Message] = [message for _, _, message in source.opening(1_760_000_000_000)]
        return {(event.user_id, event.source, event.sequence) for event in found if isinstance(event, engine.WalletDelta)} | {
            (event.meta.user_id, "fill", int(event.meta.exchange_seq)) for event in found
            if isinstance(event, UserDataOrderUpdateEvent) and event.meta.exchange_seq}

    assert numbers(Facts(1, 20)) and not numbers(Facts(1, 20)) & numbers(Facts(1, 20, first=1_021))


async def _run(config: Config, first: int, users: int) -> None:
    """What a run of the generator leaves of its users, and one that is not a generator's."""
    producer = AIOKafkaProducer(bootstrap_servers=config.kafka_bootstrap)
    await producer.start()
    try:
        opening = Facts(1, users, first=first, source="gen-1").opening(1_760_000_000_000)
        by_hand = engine.AccountUpdate(id="1", user_id="live:777777", source="admin")
        profiles = [one for one in opening if one[0] == topics.ACCOUNT_UPDATES]
        await send(producer, [*profiles, (topics.ACCOUNT_UPDATES, "live:777777", by_hand)])
    finally:
        await producer.stop()


def test_a_later_run_brings_users_of_its_own(kafka: str) -> None:
    """Numbers, epochs and snapshots begin anew with each run: told again of the same users they would be late or repeats."""
    admin = AdminClient({"bootstrap.servers": kafka})
    if topics.ACCOUNT_UPDATES not in admin.list_topics(timeout=20).topics:
        admin.create_topics([NewTopic(topics.ACCOUNT_UPDATES, PARTITIONS, 1)])[topics.ACCOUNT_UPDATES].result(20)
    config = Config(kafka_bootstrap=kafka, partitions=PARTITIONS)
    first = asyncio.run(first_free_user(config))
    asyncio.run(_run(config, first, 20))
    assert {asyncio.run(first_free_user(config)) for _ in range(20)} == {first + 20}


def test_rules_are_valid() -> None:
    found = Rules()
    for offset, rule in enumerate(rules()):
        found = rules_with(found, rule, offset)
    assert set(found.instruments) == {instrument.key for instrument in INSTRUMENTS} and len(INSTRUMENTS) == 20
    assert len([name for name in found.instruments if name.startswith("binance_usdm:")]) == 12


def test_prices_are_whole_ticks_and_the_script_sinks() -> None:
    market = Market(1, 0)
    lowest = dict(market.prices)
    for at in range(0, 60_000, 5):
        tick = market.tick(at)
        price = Decimal(tick.last)
        lowest[tick.instrument] = min(lowest[tick.instrument], price)
        assert price > 0 and Decimal(tick.bid) < price < Decimal(tick.ask)
    fallen = {instrument.key: 1 - lowest[instrument.key] / instrument.price for instrument in INSTRUMENTS}
    assert {key for key, part in fallen.items() if part > Decimal("0.03")} == {"binance_usdm:SOLUSDT", "house:XAUUSD"}
    assert all(price % instrument.tick == 0 for instrument in INSTRUMENTS for price in [market.prices[instrument.key]])
