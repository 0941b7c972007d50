"""The Postgres mirror: state by version, history by natural id, one transaction a batch."""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress

import orjson
import psycopg
from psycopg.types.json import Jsonb

from schemas import keys
from schemas.engine_pb2 import Liquidation, MarginCall, OrdersState, Transaction, UserState
from schemas.user_data_pb2 import UserDataOrderUpdateEvent
from streams import topics
from streams.bridges import health, metrics, rows
from streams.bridges.connected import Connected
from streams.bridges.consume import Batch, Mirror, Status, consume, persist
from streams.bridges.letters import LeftOut, Record
from streams.bridges.migrate import migrate
from streams.bridges.states import UNREADABLE, Unreadable, key_of, newest, read_state
from streams.config import Config

log = logging.getLogger(__name__)
NAME = "postgres"
_GIVEN_WAY_MAX = 20
AWAY = (psycopg.OperationalError, psycopg.InterfaceError, OSError)
TOPICS = (topics.ACCOUNT_STATES, topics.ORDER_STATES, topics.ORDER_UPDATES, topics.TRANSACTIONS, topics.MARGIN_CALLS, topics.LIQUIDATIONS)

# Function of `sql/functions` and the kinds of rows it takes, in the order of its arguments.
_CALLS = (
    ("mirror_account_states", ("users", "accounts", "balances", "positions")),
    ("mirror_order_states", ("books", "orders")),
    ("record_orders", ("ended_orders",)),
    ("record_fills", ("fills",)),
    ("record_transactions", ("transactions",)),
    ("record_margin_events", ("margin_events",)),
    ("record_liquidations", ("liquidations",)),
    ("record_progress", ("progress",)),
)
_HISTORY: dict[str, Callable[[bytes, str, int], rows.Kinds]] = {
    topics.ORDER_UPDATES: lambda value, user, ms: rows.order_update_rows(UserDataOrderUpdateEvent.FromString(value), user, ms),
    topics.TRANSACTIONS: lambda value, user, ms: rows.transaction_rows(Transaction.FromString(value), user, ms),
    topics.MARGIN_CALLS: lambda value, user, ms: rows.margin_event_rows(MarginCall.FromString(value), user, ms),
    topics.LIQUIDATIONS: lambda value, user, ms: rows.liquidation_rows(Liquidation.FromString(value), user, ms),
}


class Postgres(Connected):
    """Writes batches over one connection, opened when first needed and again after every failure."""

    def __init__(self, dsn: str, default_user_type: str) -> None:
        super().__init__(dsn)
        self._default_user_type = default_user_type

    async def write(self, batch: Batch) -> list[LeftOut]:
        """Everything in `batch` and its progress in one transaction, but what it answers; raises one of `AWAY` with nothing written.

        A record Postgres refuses (a text it cannot hold, a number out of range) is found by halving and left out alone. Writers of the
        same users (a rebuild beside a bridge) may lock each other out: who had to give way writes again."""
        try:
            for _ in range(_GIVEN_WAY_MAX):
                with suppress(psycopg.errors.DeadlockDetected):
                    return await self._write(batch)
            return await self._write(batch)
        except psycopg.DataError as error:
            if len(batch) == 1:
                return [LeftOut(batch[0], error)]
            half = len(batch) // 2
            return [*await self.write(batch[:half]), *await self.write(batch[half:])]

    async def _write(self, batch: Batch) -> list[LeftOut]:
        collected = self._collect(batch)
        connection = await self.connected()
        try:
            async with connection.transaction():
                for function, kinds in _CALLS:
                    if collected.rows[kinds[0]]:
                        await self._call(connection, function, [collected.rows[kind] for kind in kinds])
        except AWAY:
            await self.close()
            raise
        now = time.time()
        for record, state in collected.states:
            metrics.LATENCY.labels(NAME).observe(max(0.0, now - state.updated_ms / 1000))
            metrics.HOP.labels(NAME).observe(max(0.0, now - record.timestamp / 1000))
        return collected.left_out

    async def _call(self, connection: psycopg.AsyncConnection[tuple[object, ...]], function: str, given: list[list[rows.Row]]) -> None:
        places = ", ".join(["%s"] * len(given))
        cursor = await connection.execute(f"SELECT {function}({places})".encode(), [Jsonb(part, dumps=orjson.dumps) for part in given])
        found = await cursor.fetchone()
        if function.startswith("mirror_") and found and isinstance(found[0], int):
            metrics.WRITTEN.labels(NAME).inc(found[0])
            metrics.REFUSED.labels(NAME).inc(len(given[0]) - found[0])

    def _collect(self, batch: Batch) -> "_Collected":
        found = _Collected()
        users: list[tuple[Record, UserState]] = []
        books: list[tuple[Record, OrdersState]] = []
        for record in batch:
            try:
                if record.topic == topics.ACCOUNT_STATES:
                    users.append((record, read_state(record, UserState)))
                elif record.topic == topics.ORDER_STATES:
                    books.append((record, read_state(record, OrdersState)))
                else:
                    user = keys.user_key(key_of(record), self._default_user_type)
                    found.take(record, _HISTORY[record.topic](record.value or b"", user, record.timestamp))
            except (*UNREADABLE, Unreadable) as error:
                found.left_out.append(LeftOut(record, error))
        found.states = [(record, state) for record, state in newest(users).values() if found.take(record, rows.user_rows(state))]
        for record, book in newest(books).values():
            found.take(record, rows.book_rows(book))
        found.rows["progress"] = [{"mirror": NAME, "topic": topic, "partition": partition, "offset": offset}
                                  for (topic, partition), offset in _ends(batch).items()]
        return found


class _Collected:
    """A batch as rows by kind: what of it is states, and what is left out."""

    def __init__(self) -> None:
        self.rows: dict[str, list[rows.Row]] = defaultdict(list)
        self.states: list[tuple[Record, UserState]] = []
        self.left_out: list[LeftOut] = []

    def take(self, record: Record, given: rows.Kinds) -> bool:
        """All rows of a record or none: half a state would close what the other half holds."""
        try:
            whole = list(given)
        except (*UNREADABLE, Unreadable) as error:
            self.left_out.append(LeftOut(record, error))
            return False
        for kind, row in whole:
            self.rows[kind].append(row)
        return True


def _ends(batch: Batch) -> dict[tuple[str, int], int]:
    return {(record.topic, record.partition): record.offset for record in batch}


async def serve(config: Config, status: Status, stop: asyncio.Event) -> None:
    """Mirrors into Postgres until `stop`; the schema is brought up first."""
    store = Postgres(config.postgres_dsn, config.default_user_type)

    async def prepare() -> None:
        await asyncio.to_thread(migrate, config.postgres_dsn)

    try:
        if await persist(prepare, AWAY, stop):
            await consume(config, Mirror(NAME, TOPICS, store.write, AWAY), status, stop)
    finally:
        await store.close()


def main(config: Config) -> None:
    """The Postgres bridge as a process: until SIGTERM."""
    status = Status(NAME)
    health.run(config, status, lambda stop: serve(config, status, stop))
