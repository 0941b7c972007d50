"""A real broker's topics into files: windows by append time, rows as they stood, and what compaction or nulls leave."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from schemas import engine_pb2 as pb
from schemas.keys import partition_of
from streams import topics
from streams.config import Config
from streams.engine.rows import CLAIM, SENT
from streams.replay.derive import Verifier
from streams.replay.history import Start
from streams.replay.recorder import INPUTS, OUTPUTS, Window, record
from streams.replay.recording import Recording
from streams.replay.rows import check_begin, rows_of
from streams.replay.summary import state_hash, summary
from streams.stack import topics as broker_topics
from streams.stack.market import rules
from tests.replay.stories import PARTITIONS, generated, replayed

USER, OTHER = "live:1001", "live:1002"


@pytest.fixture(scope="module")
def config(kafka: str) -> Config:
    """Settings of a broker that holds a short story, and then one delta more."""
    found = Config(kafka_bootstrap=kafka, app_id="recorder", partitions=PARTITIONS)
    broker_topics.create(found)
    return found


async def _send(config: Config, records: Sequence[tuple[str, int | None, bytes, bytes | None]]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=config.kafka_bootstrap, acks="all", enable_idempotence=True, linger_ms=5)
    await producer.start()
    try:
        sent = [await producer.send(topic, value, key=key, partition=number) for topic, number, key, value in records]
        await asyncio.gather(*sent)
    finally:
        await producer.stop()


def _delta(user: str, number: int) -> tuple[str, int, bytes, bytes]:
    delta = pb.WalletDelta(id=f"d{number}", user_id=user, account_id="house", asset="USD", amount="10", source="test", sequence=number)
    return topics.WALLET_DELTAS, partition_of(user.encode(), PARTITIONS), user.encode(), delta.SerializeToString()


def _row(user: str, positions: list[int], balance: str) -> tuple[bytes, bytes]:
    state = pb.UserState(user_id=user, version=1)
    state.accounts["house"].account_id = "house"
    state.accounts["house"].balances["USD"].wallet_balance = balance
    return user.encode(), pb.LedgerRow(epoch=0, positions=positions, state=state.SerializeToString()).SerializeToString()


def test_what_a_broker_holds_is_recorded_and_replays(config: Config, tmp_path: Path) -> None:
    log = generated(users=4, seconds=2)
    lying = [(one.topic, one.partition, one.key or b"", one.value) for place in log.places.values() for one in place]
    rule = rules()[1]
    lying += [(topics.RISK_RULES, 0, f"{rule.rule_id}@7".encode(), None)]  # a tombstone
    asyncio.run(_send(config, lying))
    record(config, Window(), (*INPUTS, *OUTPUTS), tmp_path / "whole")
    whole = Recording(tmp_path / "whole")
    counts = {file.topic: 0 for file in whole.manifest.files}
    for file in whole.manifest.files:
        counts[file.topic] += file.records
    assert counts[topics.PRICE_TICKS] == sum(len(place) for (topic, _), place in log.places.items() if topic == topics.PRICE_TICKS)
    [settings] = whole.files([topics.RISK_RULES])
    assert list(whole.read(settings))[-1].value is None
    history = replayed(whole)
    assert summary(history)["users"] == 4
    assert list(Verifier(whole, None).differences()) == []

    record(config, Window(), INPUTS, tmp_path / "again")
    assert state_hash(replayed(Recording(tmp_path / "again"))) == state_hash(history)


def test_a_window_holds_what_was_appended_in_it(config: Config, tmp_path: Path) -> None:
    asyncio.run(_send(config, [_delta("live:77", 1)]))
    time.sleep(0.05)
    from_ms = time.time_ns() // 1_000_000
    asyncio.run(_send(config, [_delta("live:77", 2), _delta("live:77", 3)]))
    time.sleep(0.05)
    to_ms = time.time_ns() // 1_000_000
    asyncio.run(_send(config, [_delta("live:77", 4)]))
    record(config, Window(from_ms, to_ms), (topics.WALLET_DELTAS, topics.RISK_RULES), tmp_path / "window")
    window = Recording(tmp_path / "window")
    found = [pb.WalletDelta.FromString(one.value or b"").sequence for file in window.files([topics.WALLET_DELTAS])
             for one in window.read(file)]
    assert found == [2, 3]
    assert window.files([topics.RISK_RULES])[0].first == 0
    assert (window.manifest.from_ms, window.manifest.to_ms) == (from_ms, to_ms)


def test_rows_are_those_of_whole_groups_and_a_start_for_the_rest(kafka: str, tmp_path: Path) -> None:
    """The last group may be half written: its rows are left out, and the facts it held are recorded."""
    config = Config(kafka_bootstrap=kafka, app_id="rows", partitions=PARTITIONS)
    broker_topics.create(config)
    users = _neighbours()
    end = asyncio.run(_end(config))
    asyncio.run(_send(config, [_delta(users[0], 1), _delta(users[1], 1), _delta(users[2], 1), _delta(users[0], 2)]))
    deltas = topics.ACCOUNT_SOURCES.index(topics.WALLET_DELTAS)
    positions = [[0] * deltas + [end + n] for n in (1, 2, 3)]
    epoch = (0).to_bytes(8, "big")
    name = broker_topics.changelog(config, "accounts")
    lying = [(CLAIM, b""), (SENT, epoch), _row(users[0], positions[0], "10"), _row(users[1], positions[1], "10"), (SENT, epoch),
             _row(users[2], positions[2], "10")]
    asyncio.run(_send(config, [(name, 0, key, value) for key, value in lying]))
    time.sleep(0.05)
    record(config, Window(rows=True), (*INPUTS, *OUTPUTS), tmp_path / "rows")
    found = Recording(tmp_path / "rows")
    assert [key.decode() for key, _ in rows_of(found, "accounts")] == users[:2]
    check_begin(found, found)
    [file] = [file for file in found.files([topics.WALLET_DELTAS]) if file.partition == 0]
    assert (file.first, file.end) == (end + 2, end + 4)
    rest = replayed(found, Start(found.manifest.from_ms or 0, 1, rows_of(found, "accounts"), rows_of(found, "orders")))
    balances = [rest.accounts.state_of(user.encode(), 0).accounts["house"].balances["USD"].wallet_balance for user in users]
    assert [str(balance) for balance in balances[1:]] == ["10", "10"]


def _neighbours() -> list[str]:
    """Three users of partition 0."""
    return [user for user in (f"live:{n}" for n in range(500, 600)) if partition_of(user.encode(), PARTITIONS) == 0][:3]


async def _end(config: Config) -> int:
    from streams.stack.oracle_topics import end_offsets

    found = await end_offsets(config, [topics.WALLET_DELTAS])
    return next(end for place, end in found.items() if place.partition == 0)
