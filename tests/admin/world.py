"""The whole money path in one process: the real API, SQL, relay and mirror on a real Postgres; the engine's folds over topics in memory.

What can fail does: connections are cut, the relay dies between sending and noting, acknowledgements are lost, the mirror is told again,
the engine stands still.
"""

import asyncio
import logging
import random
import time
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal

import psycopg
from aiohttp import web
from aiokafka.errors import KafkaError

from agents.risk.rules import Rules
from agents.risk.world import Control, World
from schemas import user_data_pb2 as ud
from streams import topics
from streams.bridges import relay as relaying
from streams.bridges.consume import Status
from streams.bridges.postgres import Postgres
from streams.config import Config
from streams.web.app import say_refusals
from streams.web.judge import JudgePage
from tables import accounts
from tables.codec import dump_user
from tables.policy import Policy
from tables.rows import Fact, Orders, User
from tests.bridges.facts import Sent

_SOURCES = (topics.WALLET_DELTAS, topics.ACCOUNT_UPDATES, topics.ORDER_UPDATES)


class Topics:
    """Topics of one partition; what is appended stays."""

    def __init__(self) -> None:
        self.records: dict[str, list[Sent]] = defaultdict(list)

    def append(self, topic: str, user: str, value: bytes) -> None:
        log = self.records[topic]
        log.append(Sent(topic, user.encode(), value, len(log), 0, time.time_ns() // 1_000_000))


class Producer:
    """A producer whose acknowledgements get lost, and that sends nothing while the broker is away."""

    def __init__(self, world: "MoneyWorld") -> None:
        self._world = world

    async def start(self) -> None:
        if self._world.broker_away:
            raise KafkaError

    async def stop(self) -> None:
        return

    async def send(self, topic: str, value: bytes, key: bytes, partition: int) -> "asyncio.Future[None]":
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._world.broker_away:
            raise KafkaError
        self._world.topics.append(topic, key.decode(), value)
        if self._world.dice.random() < self._world.faults * 0.3:
            done.set_exception(KafkaError())  # it is there, and nobody knows
        else:
            done.set_result(None)
        return done


class Engine:
    """The folds of `accounts` over the topics, exactly once, as the engine's ledger does; seen through its own judge page."""

    worker_name, default_user_type = "simulated", "live"

    def __init__(self, log: Topics) -> None:
        self._topics = log
        self._at: dict[str, int] = defaultdict(int)
        self.rows: dict[str, User] = {}
        self.standing_still = False
        self.numbers: dict[str, int] = defaultdict(int)

    def turn(self) -> None:
        """Folds what is there and says what follows from it."""
        if self.standing_still:
            return
        for topic in _SOURCES:
            for record in self._topics.records[topic][self._at[topic]:]:
                self._fold(record)
            self._at[topic] = len(self._topics.records[topic])

    def _fold(self, record: Sent) -> None:
        assert record.key is not None and record.value is not None
        user = record.key.decode()
        message = topics.BY_NAME[record.topic].message.FromString(record.value)  # type: ignore[attr-defined]
        fact = Fact(record.topic, 0, record.offset, record.timestamp, user, message, record.value)
        before = self.rows.get(user)
        found = accounts.fold(before, fact, Policy())
        for output in found.outputs:
            self._topics.append(output.topic, user, output.value)
        assert isinstance(found.row, User)
        self.rows[user] = found.row
        if before is None or found.row is not before:
            self._topics.append(topics.ACCOUNT_STATES, user, dump_user(found.row))

    def trade(self, user: str, size: int, price: str) -> None:
        """A house fill; its PnL and fee are the engine's own money."""
        self.numbers[user] += 1
        number = self.numbers[user]
        event = ud.UserDataOrderUpdateEvent(
            meta=ud.EventMeta(user_id=user, account_id="house", exchange=ud.HOUSE, exchange_seq=str(number)), symbol="EURUSD",
            side=ud.BUY if size > 0 else ud.SELL, position_side=ud.BOTH,
            fill=ud.Fill(trade_id=str(number), qty=str(abs(size)), price=price, fee="0.01", fee_asset="USD"))
        self._topics.append(topics.ORDER_UPDATES, user, event.SerializeToString())

    # ---- as a worker shows itself

    def ready(self) -> tuple[bool, str]:
        return not self.standing_still, "recovering"

    def user(self, user_id: str) -> User | None:
        return self.rows.get(user_id)

    def orders(self, user_id: str) -> Orders | None:
        return None

    def owner(self, user_id: str) -> str | None:
        return None

    def world(self) -> World:
        return World(time.time_ns() // 1_000_000, {}, Rules(), Control())

    def application(self) -> web.Application:
        app = web.Application(middlewares=[say_refusals])
        app.add_routes(JudgePage(self, None).routes())  # type: ignore[arg-type]
        return app


class MoneyWorld:
    """Everything beside the API; `faults` is how often something goes wrong, 0 to 1."""

    def __init__(self, dsn: str, dice: random.Random) -> None:
        self.dsn, self.dice, self.faults, self.broker_away = dsn, dice, 0.5, False
        self.topics = Topics()
        self.engine = Engine(self.topics)
        self._relay = relaying.Relay(Config(postgres_dsn=dsn, partitions=1), Status("relay"))
        self._mirror = Postgres(dsn, "live")
        self._mirrored: dict[str, int] = defaultdict(int)
        self.cuts = 0

    async def turn(self) -> None:
        """Relay, engine and mirror each do a little, or die doing it."""
        try:
            async with asyncio.timeout(20):
                await self._relay.turn()
        except relaying.AWAY:
            pass
        self.engine.turn()
        if self.dice.random() > self.faults * 0.5:
            await self._mirror_some()

    async def _mirror_some(self) -> None:
        batch = [record for topic in (topics.TRANSACTIONS, topics.ACCOUNT_STATES)
                 for record in self.topics.records[topic][self._mirrored[topic]:]]
        if not batch:
            return
        taken = batch[: self.dice.randint(1, len(batch))] if self.dice.random() < self.faults else batch
        try:
            left_out = await self._mirror.write(taken)
        except (psycopg.OperationalError, psycopg.InterfaceError):
            return
        assert left_out == []
        if self.dice.random() < self.faults * 0.3:
            return  # died before its offsets were committed: all of it comes again
        for record in taken:
            self._mirrored[record.topic] = record.offset + 1

    async def cut(self) -> None:
        """Every other connection to the database ends, in the middle of whatever it does."""
        self.cuts += 1
        async with await psycopg.AsyncConnection.connect(self.dsn, autocommit=True) as connection:
            await connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                                     " WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name <> 'watcher'")

    async def stir(self) -> None:
        """Something happens to the servers."""
        roll = self.dice.random()
        if roll < self.faults * 0.25:
            await self.cut()
        elif roll < self.faults * 0.4:
            self.broker_away = not self.broker_away
        elif roll < self.faults * 0.55:
            self.engine.standing_still = not self.engine.standing_still
        elif roll < self.faults * 0.65:
            await self._relay.close()

    async def heal(self) -> None:
        """Everything returns, and what waited arrives."""
        self.faults, self.broker_away, self.engine.standing_still = 0.0, False, False
        for _ in range(4):
            await self.turn()

    async def close(self) -> None:
        await self._relay.close()
        await self._mirror.close()

    def balances(self) -> dict[str, Decimal]:
        """By user, what the engine's table holds in the house account."""
        return {name: row.accounts["house"].balances["USD"].wallet_balance for name, row in self.engine.rows.items()
                if "house" in row.accounts and "USD" in row.accounts["house"].balances}


def quietly() -> Iterator[None]:
    """Warnings of what is cut on purpose are no news."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    yield
    logging.disable(before)
