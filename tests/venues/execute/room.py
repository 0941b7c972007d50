"""An account at the simulated venue, in Postgres and as a row of the engine, with an executor in this process or one of its own."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import psycopg
from aiokafka import AIOKafkaProducer
from google.protobuf.message import Message
from msgspec.structs import replace

from schemas import engine_pb2 as pb
from schemas import names
from schemas.keys import partition_of
from schemas.user_data_pb2 import BINANCE_USDM, STREAM, UserDataMarginCallEvent
from streams.config import Config
from streams.stack.oracle_topics import read_topics
from streams.topics import BY_NAME
from streams.venues import accounts as store
from streams.venues.accounts import NewAccount
from streams.venues.execute.store import permit
from streams.venues.secret import Secret
from streams.venues.simulator.books import Order
from streams.venues.simulator.server import Simulator
from streams.venues.vault import Vault, vault_file
from streams.venues.venue import Credentials
from tables import accounts
from tables.policy import Policy
from tables.rows import LIQUIDATION, Fact, User
from tests.agents import worlds
from tests.agents.test_verdict import judged
from tests.venues.harness import WAIT_S

SYMBOL = "BTCUSDT"


class Book:
    """One user's account: at the venue, in Postgres and as the engine's row."""

    def __init__(self, config: Config, sim: Simulator, name: str) -> None:
        self.config, self.sim, self.name, self.user = config, sim, name, f"live:{name}"
        self.account = sim.open_account(name, deposits={"USDT": "10000"})
        row = worlds.usdm_user("200", worlds.position(worlds.BTC, "1", "60000"), auto_reduce=True)
        account = replace(row.accounts["a1"], account_id=name)
        self.row = replace(row, user_id=self.user, accounts={name: account})

    async def register(self, user: str = "", *, opted: bool = True) -> None:
        self.user = user or self.user
        async with await psycopg.AsyncConnection.connect(self.config.postgres_dsn, autocommit=True) as connection:
            new = NewAccount(self.user, self.name, "binance_usdm", execution="venue")
            keys = Credentials(Secret(self.account.key), Secret(self.account.secret))
            await store.add(connection, Vault(vault_file(self.config)), new, keys)
            if opted:
                await permit(connection, self.user, self.name, wanted=True)

    def hold(self) -> None:
        """A position of 1, two orders and a stop."""
        self.sim.trade(self.name, SYMBOL, "BUY", "1")
        for price in ("50000", "40000"):
            self.sim.place(self.name, Order(SYMBOL, "BUY", "LIMIT", Decimal("0.01"), Decimal(price)))
        stop = Order(SYMBOL, "SELL", "STOP_MARKET", Decimal("0.1"), stop_price=Decimal(30_000))
        self.sim.exchange_of(self.name).watch_for(self.account, stop)

    def order(self) -> list[pb.Liquidation]:
        """The engine's own plan: the account is over its rung."""
        now_ms = int(time.time() * 1_000)
        found = judged(self.row, worlds.world(worlds.mark(worlds.BTC, "60000", append_ms=now_ms), now_ms=now_ms), self.name)
        assert found.rung == LIQUIDATION
        self.row = found.row
        return [pb.Liquidation.FromString(one.value) for one in found.outputs if one.topic == names.LIQUIDATIONS]

    def fold(self, reports: list[pb.LiquidationReport]) -> None:
        for at, report in enumerate(reports):
            fact = Fact(names.LIQUIDATION_REPORTS, 0, at, int(time.time() * 1_000), self.user, report, report.SerializeToString())
            row = accounts.fold(self.row, fact, Policy()).row
            assert isinstance(row, User)
            self.row = row

    def statuses(self) -> dict[str, str]:
        return {step.step_id: step.status for step in self.row.accounts[self.name].margin.plan}

    @property
    def held(self) -> Decimal:
        return self.account.positions[SYMBOL, "BOTH"].amount

    def sent(self) -> list[Order]:
        return [order for order in self.account.orders.values() if order.client_id.startswith("ms")]


async def say(config: Config, topic: str, key: str, *messages: Message) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=config.kafka_bootstrap, acks="all")
    await producer.start()
    try:
        partition = 0 if topic == names.CONTROL else partition_of(key.encode(), config.partitions)
        for message in messages:
            await producer.send_and_wait(topic, message.SerializeToString(), key=key.encode(), partition=partition)
    finally:
        await producer.stop()


async def told(config: Config, topic: str, key: str) -> list[Message]:
    """Everything of a key on a topic."""
    read = await read_topics(config, [topic])
    return [BY_NAME[topic].message.FromString(one.value) for one in read[topic] if one.key == key.encode()]  # type: ignore[attr-defined]


async def reports(config: Config, user: str) -> list[pb.LiquidationReport]:
    return [one for one in await told(config, names.LIQUIDATION_REPORTS, user) if isinstance(one, pb.LiquidationReport)]


async def ended(config: Config, user: str, *steps: str) -> list[pb.LiquidationReport]:
    """Waits until these steps have a report that ends them."""
    end = time.monotonic() + WAIT_S
    while True:
        found = await reports(config, user)
        over = {one.step_id for one in found if one.status in ("filled", "completed", "canceled", "rejected", "refused")}
        if over >= set(steps):
            return found
        assert time.monotonic() < end, f"expected {steps}, was {[(one.step_id, one.status) for one in found]}"
        await asyncio.sleep(0.2)


@asynccontextmanager
async def process(config: Config, log: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    environment = {**os.environ, **{f"MARGINSTREAM_{name.upper()}": str(getattr(config, name)) for name in (
        "kafka_bootstrap", "postgres_dsn", "data_dir", "venue_hosts", "app_id", "worker_name", "log_level", "report_ms_max")}}
    with log.open("ab") as file:
        found = await asyncio.create_subprocess_exec(sys.executable, "-m", "streams", "execute", env=environment, stdout=file, stderr=file)
        try:
            yield found
        finally:
            if found.returncode is None:
                found.kill()
            await found.wait()


def step_ids(events: list[pb.Liquidation]) -> list[str]:
    return [one.id for one in events if one.WhichOneof("event") == "step_ordered"]


async def until_count(config: Config, user: str, count: int) -> None:
    """Waits for that many reports."""
    end = time.monotonic() + WAIT_S
    while len(await reports(config, user)) < count:
        assert time.monotonic() < end, f"expected {count} reports"
        await asyncio.sleep(0.2)


def margin_call(book: Book, source: int = STREAM) -> UserDataMarginCallEvent:
    event = UserDataMarginCallEvent()
    event.meta.user_id, event.meta.account_id, event.meta.exchange = book.user, book.name, BINANCE_USDM
    event.meta.source = source  # type: ignore[assignment]  # the stub wants the enum's own type
    return event
