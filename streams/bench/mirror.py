"""`bench mirror`: what bridges write a second, beside row by row and beside the same commands made ready; people's figures.

Row by row twice: `row_by_row` as services mostly write it (`streams.bench.row_by_row`), and `guarded_row_by_row`, our own guarded scripts
and functions with a batch of one, which in Redis are three pipelines a state and in Postgres one call."""

import asyncio
import gc
import random
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import orjson
import psycopg
from psycopg.types.json import Jsonb
from redis.asyncio import Redis

from agents.portfolio import Portfolio
from agents.risk.world import Mark
from agents.tickets import BID, Holding, Rate, Ticket
from schemas.engine_pb2 import UserState
from streams.bench.row_by_row import PostgresRows, RedisRows
from streams.bridges.consume import Batch
from streams.bridges.migrate import migrate
from streams.bridges.postgres import Postgres
from streams.bridges.redis import Bridge
from streams.bridges.redis_market import Market
from streams.bridges.redis_portfolio import PortfolioBridge
from streams.bridges.redis_texts import Cache, Passed, cache_of
from streams.bridges.rows import Row
from streams.cache import keys
from streams.cache.store import Call, Store
from streams.config import Config
from streams.portfolios import record_of
from streams.stack import process
from streams.stack.postgres import remove_data, start_postgres
from streams.stack.process import StackError
from streams.stack.redis import start_redis
from streams.topics import ACCOUNT_STATES, PORTFOLIOS

_BATCH = 500
_ALONE = 15  # of row by row, a turn: slow
_SYMBOLS = 1_000
Figures = dict[str, object]
Write = Callable[[int, int], Awaitable[None]]
Ready = tuple[list[Call], list[Call], Cache]


class Made(NamedTuple):
    """A record that no broker saw."""

    topic: str
    key: bytes | None
    value: bytes | None
    offset: int = 0
    partition: int = 0
    timestamp: int = 0


def states(count: int, version: int) -> list[Made]:
    """One state of each of `count` users, with two house positions."""
    found, now = [], int(time.time() * 1000)
    for number in range(count):
        state = UserState(user_id=f"live:{number}", version=version, generation=1, updated_ms=now)
        state.profile.group, state.profile.leverage, state.profile.status, state.profile.is_active = "standard", "100", "active", True
        house = state.accounts["house"]
        house.account_id, house.venue, house.model, house.currency = "house", "house", "mt5", "USD"
        house.balances["USD"].wallet_balance = f"{1_000 + version}.{number % 100:02d}"
        for symbol in (f"S{number % _SYMBOLS}", f"S{(number + 7) % _SYMBOLS}"):
            held = house.positions[f"house:{symbol}/LONG"]
            held.instrument, held.side, held.quantity, held.entry_price = f"house:{symbol}", "LONG", "1", "1.1"
        found.append(Made(ACCOUNT_STATES, state.user_id.encode(), state.SerializeToString(), number, 0, now))
    return found


def mirror(users: int, portfolio_users: int) -> Iterator[Figures]:
    """A row of figures for each store, one for people's figures, one for prices by Redis."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="marginstream-bench-", ignore_cleanup_errors=True)))
        url, redis_server = start_redis(folder / "redis")
        stack.callback(process.stop, redis_server)
        yield {"run": "mirror", "store": "redis", **asyncio.run(_redis(url, users))}
        yield {"run": "mirror", "store": "figures for people", **asyncio.run(_portfolio(url, portfolio_users))}
        yield {"run": "mirror", "store": "prices by redis", **asyncio.run(_prices(url))}
        place = folder / "postgres"
        dsn, server = start_postgres(place)
        stack.callback(remove_data, place)
        stack.callback(process.stop, server)
        migrate(dsn)
        yield {"run": "mirror", "store": "postgres", **asyncio.run(_postgres(dsn, users))}


async def _in_turns(users: int, ways: Mapping[str, tuple[int, Write]]) -> dict[str, float]:
    """States a second of each way, from (states at a turn, what writes them from here to there): a busy machine is as busy for all."""
    spent, written = dict.fromkeys(ways, 0.0), dict.fromkeys(ways, 0)
    gc.freeze()  # what is told is held by nobody else but a benchmark
    for at in range(0, users, _BATCH):
        for name, (count, write) in ways.items():
            past = min(at + count, users)
            began = time.perf_counter()
            await write(at, past)
            spent[name] += time.perf_counter() - began
            written[name] += past - at
    gc.unfreeze()
    return {name: written[name] / seconds for name, seconds in spent.items()}


def _sliced(records: Sequence[Made], write: Callable[[Batch], Awaitable[object]], at_once: int = _BATCH) -> Write:
    async def slices(first: int, past: int) -> None:
        for at in range(first, past, at_once):
            await write(records[at : min(at + at_once, past)])

    return slices


async def _redis(url: str, users: int) -> Figures:
    """Every rate counts all that a state leaves in Redis: its keys, both hashes that users share, and what channels say."""
    store = Store(url)
    bridge, client = Bridge(store, Config()), await store.client()
    if not isinstance(client, Redis):
        raise StackError("bench mirror: expected a single server, was a Cluster")

    async def write(batch: Batch) -> None:
        await bridge.write(batch)
        await bridge.shared.flush()

    for version in (1, 2):  # symbols are held and every key is there
        await _sliced(states(users, version), write)(0, users)
    ready = [_ready(bridge, made) for made in states(users, 5)]
    rates = await _in_turns(users, {
        "batched": (_BATCH, _sliced(states(users, 3), write)), "guarded": (_ALONE, _sliced(states(users, 4), write, 1)),
        "ready": (_BATCH, lambda first, past: _write_ready(bridge, ready[first:past])),
        "plain": (_ALONE, _sliced(states(users, 6), RedisRows(client).write, 1))})
    await store.close()
    return _compared(rates)


async def _write_ready(bridge: Bridge, ready: Sequence[Ready]) -> None:
    for calls in ([one[0] for one in ready], [one[1] for one in ready]):
        await bridge.store.call(list(chain.from_iterable(calls)))
    for _, _, cache in ready:
        bridge.shared.mark(cache)
    await bridge.shared.flush()


def _ready(bridge: Bridge, made: Made) -> Ready:
    """The calls that the bridge makes of a state whose balance changed, those of its messages, and what waits for the flush."""
    cache = cache_of(UserState.FromString(made.value or b""))
    passed = Passed(cache, ("last_balance_update", "wallet_balance"), False, cache.symbols, cache.operations)
    return bridge._calls(cache), bridge.told([passed]), cache


async def _postgres(dsn: str, users: int) -> Figures:
    store, told = Postgres(dsn, "live"), states(users, 5)
    batches = [store._collect(told[at : at + _BATCH]).rows for at in range(0, users, _BATCH)]
    kinds = ("users", "accounts", "balances", "positions")
    ready = [[Jsonb(orjson.Fragment(orjson.dumps(rows[kind])), dumps=orjson.dumps) for kind in kinds] for rows in batches]
    for version in (1, 2):  # inserted, then updated once: pages have room from here on
        await _sliced(states(users, version), store.write)(0, users)
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as rows:
        await rows.execute("ANALYZE")  # as autovacuum does within a minute: plans of empty tables would be measured

        async def write_ready(first: int, _: int) -> None:
            await rows.execute("SELECT mirror_account_states(%s, %s, %s, %s)", ready[first // _BATCH])

        rates = await _in_turns(users, {
            "batched": (_BATCH, _sliced(states(users, 3), store.write)), "guarded": (_ALONE, _sliced(states(users, 4), store.write, 1)),
            "ready": (_BATCH, write_ready), "plain": (_ALONE, _sliced(states(users, 6), PostgresRows(rows).write, 1))})
    await store.close()
    with psycopg.connect(dsn, autocommit=True) as connection:
        return {**_compared(rates), "copy_rows_per_s": round(users / _copy(connection, batches))}


def _copy(connection: psycopg.Connection[tuple[object, ...]], batches: Sequence[Mapping[str, Sequence[Row]]]) -> float:
    """Seconds of the fastest there is: a third of the columns into a bare table, no version, nothing closed."""
    connection.execute("CREATE TEMP TABLE bare (user_key TEXT, margin NUMERIC, version BIGINT)")
    began = time.perf_counter()
    with connection.cursor().copy("COPY bare FROM STDIN") as copy:
        for rows in batches:
            for row in rows["users"]:
                copy.write_row((row["user_key"], row["margin"], row["version"]))
    return time.perf_counter() - began


def _compared(rates: Mapping[str, float]) -> Figures:
    batched, guarded, ready, plain = (rates[name] for name in ("batched", "guarded", "ready", "plain"))
    return {"states_per_s": round(batched), "row_by_row_per_s": round(plain), "guarded_row_by_row_per_s": round(guarded),
            "ready_made_per_s": round(ready), "times_row_by_row": round(batched / plain, 1),
            "times_guarded_row_by_row": round(batched / guarded, 1), "share_of_ready_made": round(batched / ready, 2)}


async def _portfolio(url: str, users: int) -> Figures:
    """One pass over everybody, then all of it into Redis."""
    chance, portfolio, now = random.Random(1), Portfolio(), int(time.time() * 1000)
    for number in range(users):
        tickets = tuple(Ticket(f"house:S{chance.randrange(_SYMBOLS)}", BID, 1_000.0, 1_100.0, Rate(), 11.0, Rate()) for _ in range(2))
        portfolio.put(f"live:{number}", Holding(tickets, 1_000.0, None, None, 0.0, 2), now)
    passes = []
    for turn in range(5):
        marks = {f"house:S{n}": Mark(f"house:S{n}", bid=Decimal(f"1.1{turn}"), ask=Decimal(f"1.2{turn}")) for n in range(_SYMBOLS)}
        began = time.perf_counter()
        portfolio.moved(marks)
        portfolio.symbols(marks, now)
        told = portfolio.tell(users, now)
        passes.append((time.perf_counter() - began) * 1000)
    store = Store(url)
    records = [Made(PORTFOLIOS, b"w", record_of(told, list(range(at, min(at + 1_000, users))), now, 1), timestamp=now)
               for at in range(0, users, 1_000)]
    began = time.perf_counter()
    for record in records:
        await PortfolioBridge(store).write([record])
    seconds = time.perf_counter() - began
    await store.close()
    return {"users": users, "told": len(told.users), "pass_ms": round(sorted(passes)[2], 1), "pass_ms_most": round(max(passes), 1),
            "users_written_per_s": round(users / seconds), "all_written_s": round(seconds, 2)}


async def _prices(url: str) -> Figures:
    """A second's thousand symbols, five times; holders of a symbol asked one by one."""
    store, sent = Store(url), list[int]()

    async def send(ticks: list[tuple[str, bytes]]) -> None:
        sent.append(len(ticks))

    market, client, took = Market(store, send, 60_000), await store.client(), list[float]()
    for turn in range(5):
        now = int(time.time() * 1000)
        await store.run([("HSET", keys.market(f"S{n}"), "bid", f"1.1{turn}", "ask", f"1.2{turn}", "ts", now) for n in range(_SYMBOLS)])
        for at in range(0, _SYMBOLS, 20):  # as they come: 20 in 20 ms
            began = time.perf_counter()
            for n in range(at, at + 20):
                market.heard(f"S{n}".encode())
            await market.send_next()
            took.append((time.perf_counter() - began) * 1000)
    asked = []
    for n in range(_SYMBOLS):
        began = time.perf_counter()
        await client.smembers(keys.holders(f"S{n}", "live"))
        asked.append((time.perf_counter() - began) * 1000)
    await store.close()
    return {"symbols_per_s": round(sum(sent) / (sum(took) / 1000)), "sent": sum(sent), "update_ms_p99": _p99(took),
            "holders_ms_p99": _p99(asked)}


def _p99(values: list[float]) -> float:
    return round(sorted(values)[int(len(values) * 0.99) - 1], 2)
