"""The monitor in the ingestion process, on a real broker and database: a fact lost on the stream is found by REST, told and repaired."""

import random
import time
from decimal import Decimal

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from msgspec.structs import replace

from schemas import names
from schemas.engine_pb2 import Anomaly
from schemas.keys import partition_of
from streams.config import Config
from streams.venues.ingest import Ingest
from streams.venues.monitor.poller import Poller
from streams.venues.monitor.schedule import Policy
from streams.venues.simulator.books import SELL, Order
from streams.venues.simulator.server import Simulator
from tests.venues.harness import WAIT_S, running, until
from tests.venues.test_ingest import agreed, live, register

QUICK = Policy(every_ms=(1_000, 2_000), settle_ms=300, again_ms=1_500, repaired_ms=5_000, around_ms=1_000)


@pytest.fixture
def config(config: Config) -> Config:
    return replace(config, monitor_funding_minutes=481.0, monitor_funding_pct=0.01)


def hurry(ingest: Ingest) -> None:
    """Minutes become seconds."""
    ingest.monitor.policy = QUICK
    ingest.monitor.poller = Poller(random.Random(1), QUICK)


async def anomalies(config: Config, user: str, kinds: set[str]) -> list[Anomaly]:
    """The user's records, once each of these kinds is among them."""
    consumer = AIOKafkaConsumer(bootstrap_servers=config.kafka_bootstrap, enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    try:
        part = TopicPartition(names.ANOMALIES, partition_of(user.encode(), config.partitions))
        consumer.assign([part])
        await consumer.seek_to_beginning(part)
        found: list[Anomaly] = []
        end = time.monotonic() + WAIT_S
        while not kinds <= {one.kind for one in found}:
            assert time.monotonic() < end, f"expected {kinds}, was {found}"
            for records in (await consumer.getmany(timeout_ms=500)).values():
                found += [Anomaly.FromString(record.value) for record in records if record.key == user.encode()]
        return found
    finally:
        await consumer.stop()


async def test_a_fact_lost_on_the_stream_is_found_told_and_repaired(config: Config, venue: Simulator) -> None:
    user = await register(config, venue, "m")
    async with running(Ingest(config)) as ingest:
        hurry(ingest)
        await until(live(ingest, "m"), "live")
        venue.trade("m", "BTCUSDT", "BUY", "0.1")
        await agreed(config, venue, "m")
        venue.fault("drop", account="m", event="ACCOUNT_UPDATE", times=1)
        venue.trade("m", "BTCUSDT", "BUY", "0.2")
        assert venue.faults.taken == {"drop": 1}
        found = await anomalies(config, user, {"discrepancy"})
        folded = await agreed(config, venue, "m")
        assert {one.quantity for one in folded.user.accounts["m"].positions.values()} == {Decimal("0.3")}
        amount = next(one for one in found if one.field == "amount")
        assert (amount.account_id, amount.instrument, Decimal(amount.expected), Decimal(amount.was)) == (
            "m", "binance_usdm:BTCUSDT", Decimal("0.3"), Decimal("0.1"))
        reader = ingest.readers[user, "m"]
        await until(lambda: reader.session.ready and reader.session.links == 2, "read again beside the live socket, once")
        exchange, account = venue.exchange_of("m"), venue.account("m")
        exchange.watch_for(account, Order("BTCUSDT", SELL, "STOP_MARKET", Decimal("0.3"), stop_price=Decimal(59_700), reduce_only=True))
        ahead = await anomalies(config, user, {"stop_approaching", "funding_ahead"})
    told = {one.kind: one for one in ahead}
    assert (told["stop_approaching"].expected, told["stop_approaching"].was) == ("1", "0.5")
    assert told["funding_ahead"].instrument == "binance_usdm:BTCUSDT"
    assert len({one.id for one in ahead if one.kind == "stop_approaching"}) == 1
