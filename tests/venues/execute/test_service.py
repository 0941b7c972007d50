"""The executor on a real broker, database and venue: steps of the engine in, positions reduced once, reports that the engine folds."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from google.protobuf.message import Message
from msgspec.structs import replace

from schemas import engine_pb2 as pb
from schemas import names
from schemas.keys import client_order_id, partition_of
from schemas.user_data_pb2 import BINANCE_USDM, DERIVED, STREAM, UserDataMarginCallEvent
from streams.config import Config
from streams.stack.topics import create
from streams.topics import BY_NAME
from streams.venues import accounts as store
from streams.venues.accounts import NewAccount
from streams.venues.execute.service import Executor
from streams.venues.execute.store import permit
from streams.venues.ingest import vault_file
from streams.venues.secret import Secret
from streams.venues.simulator.books import Order
from streams.venues.simulator.server import Simulator
from streams.venues.vault import Vault, add_key
from streams.venues.venue import Credentials
from tables import accounts
from tables.policy import Policy
from tables.rows import LIQUIDATION, Fact, User
from tests.agents import worlds
from tests.agents.test_verdict import judged

WAIT_S = 120.0
SYMBOL = "BTCUSDT"


@pytest.fixture
async def venue() -> AsyncIterator[Simulator]:
    async with Simulator(("binance_usdm",)) as sim:
        yield sim


@pytest.fixture
def config(kafka: str, dsn: str, tmp_path: Path, venue: Simulator) -> Config:
    urls = venue.urls["binance_usdm"]
    found = Config(kafka_bootstrap=kafka, postgres_dsn=dsn, data_dir=str(tmp_path), app_id=f"x{tmp_path.name.replace('_', '')}",
                   venue_hosts=f"binance_usdm={urls.rest}|{urls.ws}", worker_name="one", log_level="DEBUG")
    create(found)
    add_key(vault_file(found))
    return found


class Book:
    """One user's account: at the venue, in Postgres and as the engine's row."""

    def __init__(self, config: Config, sim: Simulator, name: str) -> None:
        self.config, self.sim, self.name, self.user = config, sim, name, f"live:{name}"
        self.account = sim.open_account(name, deposits={"USDT": "10000"})
        row = worlds.usdm_user("200", worlds.position(worlds.BTC, "1", "60000"), auto_reduce=True)
        account = replace(row.accounts["a1"], account_id=name)
        self.row = replace(row, user_id=self.user, accounts={name: account})

    async def register(self, *, opted: bool = True) -> None:
        async with await psycopg.AsyncConnection.connect(self.config.postgres_dsn, autocommit=True) as connection:
            new = NewAccount(self.user, self.name, "binance_usdm", execution="venue")
            await store.add(connection, Vault(vault_file(self.config)), new, Credentials(Secret(self.account.key), Secret(self.account.secret)))
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
    consumer = AIOKafkaConsumer(bootstrap_servers=config.kafka_bootstrap, enable_auto_commit=False)
    await consumer.start()
    try:
        place = TopicPartition(topic, 0 if topic == names.CONTROL else partition_of(key.encode(), config.partitions))
        consumer.assign([place])
        end = (await consumer.end_offsets([place]))[place]
        await consumer.seek_to_beginning(place)
        found: list[Message] = []
        while await consumer.position(place) < end:
            for records in (await consumer.getmany(timeout_ms=500)).values():
                found += [BY_NAME[topic].message.FromString(one.value) for one in records if one.key == key.encode()]  # type: ignore[attr-defined]
        return found
    finally:
        await consumer.stop()


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


async def until(done: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + WAIT_S
    while not done():
        assert time.monotonic() < end, what
        await asyncio.sleep(0.02)


@asynccontextmanager
async def running(config: Config) -> AsyncIterator[Executor]:
    executor, stop = Executor(config), asyncio.Event()
    task = asyncio.create_task(executor.run(stop))
    try:
        yield executor
    finally:
        stop.set()
        await task


@asynccontextmanager
async def process(config: Config, log: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    environment = {**os.environ, **{f"MARGINSTREAM_{name.upper()}": str(getattr(config, name)) for name in (
        "kafka_bootstrap", "postgres_dsn", "data_dir", "venue_hosts", "app_id", "worker_name", "log_level")}}
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


async def test_an_account_over_its_rung_is_reduced_and_the_engine_goes_on(config: Config, venue: Simulator) -> None:
    book = Book(config, venue, "e1")
    await book.register()
    book.hold()
    plan = book.order()
    cancel, close = step_ids(plan)
    async with running(config):
        await say(config, names.LIQUIDATIONS, book.user, *plan)
        found = await ended(config, book.user, cancel, close)
    assert [(one.step_id, one.status) for one in found] == [(cancel, "completed"), (close, "accepted"), (close, "filled")]
    [order] = book.sent()
    assert order.client_id == client_order_id(close) == found[-1].client_order_id
    assert book.held == 1 - Decimal(found[-1].filled_quantity) == Decimal("0.625")
    assert (book.account.open_orders(), book.account.open_algos()) == ([], [])
    book.fold(found)
    assert set(book.statuses().values()) == {"completed"}
    async with running(config):  # a step again, as after a crash before its offset was committed
        await say(config, names.LIQUIDATIONS, book.user, *plan)
        await until_count(config, book.user, 5)
    assert len(book.sent()) == 1


async def until_count(config: Config, user: str, count: int) -> None:
    """Waits for that many reports."""
    end = time.monotonic() + WAIT_S
    while len(await reports(config, user)) < count:
        assert time.monotonic() < end, f"expected {count} reports"
        await asyncio.sleep(0.2)


async def test_kill_9_around_the_order_doubles_nothing(config: Config, venue: Simulator, tmp_path: Path) -> None:
    """Once before the order reaches the venue, once after it did and its answer is still on the way."""
    for name, fault in (("k1", {"kind": "slow", "ms": 2_000}), ("k2", {"kind": "http", "after_effect": True, "status": 503})):
        book = Book(config, venue, name)
        await book.register()
        book.hold()
        plan = book.order()
        venue.fault(method="POST", path="/fapi/v1/order", **fault)  # type: ignore[arg-type]
        venue.fault("slow", method="GET", path="/fapi/v1/order", skip=1, ms=3_000)  # it looks once before, and would after
        log, url = tmp_path / "log", tmp_path / "run" / "execute-one.url"
        async with process(config, log) as first:
            await say(config, names.LIQUIDATIONS, book.user, *plan)
            await until(lambda: sum(venue.faults.taken.values()) > 0, "the order was sent")
            first.send_signal(signal.SIGKILL)
        assert "filled" not in {one.status for one in await reports(config, book.user)}
        venue.faults.taken.clear()
        url.unlink()
        async with process(config, log) as second:
            await until(url.exists, "started again")
            found = await ended(config, book.user, *step_ids(plan))
            second.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(second.wait(), 60) == 0
        assert {one.status for one in found} >= {"completed", "filled"}
        assert (len(book.sent()), book.held) == (1, Decimal("0.625"))
        said = log.read_text()
        assert [secret for secret in (book.account.key, book.account.secret) if secret in said] == []


async def test_who_did_not_opt_in_is_refused_and_untouched(config: Config, venue: Simulator) -> None:
    book = Book(config, venue, "n1")
    await book.register(opted=False)
    book.hold()
    plan = book.order()
    async with running(config):
        await say(config, names.LIQUIDATIONS, book.user, *plan)
        found = await ended(config, book.user, *step_ids(plan))
    assert {(one.status, one.error) for one in found} == {("refused", "the account did not opt in to execution")}
    assert (book.sent(), str(book.held), len(book.account.open_orders())) == ([], "1", 2)
    book.fold(found)
    assert set(book.statuses().values()) == {"refused"}


async def test_caps_and_a_dry_run_refuse_with_the_reason(config: Config, venue: Simulator) -> None:
    book = Book(config, venue, "c1")
    await book.register()
    book.hold()
    first = book.order()
    async with running(replace(config, execute_dry_run=True, app_id=f"{config.app_id}d")):
        await say(config, names.LIQUIDATIONS, book.user, *first)
        found = await ended(config, book.user, *step_ids(first))
    assert [one.error[:28] for one in found] == ["dry run: would cancel open o", "dry run: would close 0.375 B"]
    assert (book.sent(), len(book.account.open_orders())) == ([], 2)
    other = Book(config, venue, "c2")
    await other.register()
    other.hold()
    plan = other.order()
    again = pb.Liquidation.FromString(plan[-1].SerializeToString())
    again.id = f"{again.id}9"
    async with running(replace(config, execute_hour_notional_max=30_000, app_id=f"{config.app_id}h")):
        await say(config, names.LIQUIDATIONS, other.user, *plan, again)
        found = await ended(config, other.user, *step_ids(plan), again.id)
    assert [one.status for one in found if one.step_id == plan[-1].id] == ["accepted", "filled"]
    [refused] = [one for one in found if one.step_id == again.id]
    assert refused.status == "refused"
    assert refused.error == "notional: expected at most 30000 an hour, was 45000 with this step"
    assert (len(other.sent()), other.held) == (1, Decimal("0.625"))


def margin_call(book: Book, source: int = STREAM) -> UserDataMarginCallEvent:
    event = UserDataMarginCallEvent()
    event.meta.user_id, event.meta.account_id, event.meta.exchange = book.user, book.name, BINANCE_USDM
    event.meta.source = source  # type: ignore[assignment]  # the stub wants the enum's own type
    return event


async def test_a_margin_call_of_the_venue_pauses_the_account_once(config: Config, venue: Simulator) -> None:
    book, other = Book(config, venue, "m1"), Book(config, venue, "m2")
    scope = f"account:{book.user}/{book.name}"
    await book.register()
    await other.register(opted=False)
    book.hold()
    async with running(config) as executor:
        await say(config, names.VENUE_MARGIN_CALLS, book.user, margin_call(book, DERIVED))
        await say(config, names.VENUE_MARGIN_CALLS, other.user, margin_call(other))
        await say(config, names.VENUE_MARGIN_CALLS, book.user, margin_call(book), margin_call(book))
        await until(lambda: scope in executor.controls.state.pauses, "paused")
        await until(lambda: not executor.offsets.count, "all taken")
    async with running(config) as executor:
        await until(lambda: executor.ready, "ready")
        await say(config, names.VENUE_MARGIN_CALLS, book.user, margin_call(book))
        plan = book.order()
        await say(config, names.LIQUIDATIONS, book.user, *plan)
        found = await ended(config, book.user, *step_ids(plan))
    assert {(one.status, one.error) for one in found} == {("refused", f"paused: {scope}")}
    assert (book.sent(), len(book.account.open_orders())) == ([], 2)
    [fact] = await told(config, names.CONTROL, scope)
    assert isinstance(fact, pb.Control)
    assert (fact.action, fact.actor) == (pb.Control.PAUSE, "execute")
    assert await told(config, names.CONTROL, f"account:{other.user}/{other.name}") == []
