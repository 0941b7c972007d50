"""Out of order, twice, and by writers that slept: seen at any moment from outside, no value of Redis or Postgres ever goes back."""

import asyncio
import itertools
import random
from collections import defaultdict

import psycopg
import pytest
import redis.asyncio

from schemas.engine_pb2 import Portfolios, Transaction, UserState
from streams import topics
from streams.bridges.compare import canonical_cache, canonical_state, differences, postgres_rows, redis_rows
from streams.bridges.postgres import Postgres
from streams.bridges.redis import Bridge
from streams.bridges.redis_portfolio import PortfolioBridge
from streams.cache import keys, scripts
from streams.cache.scripts import Script
from streams.cache.store import Store
from streams.config import Config
from tests.bridges.facts import Sent
from tests.redis.states import state

USERS = [f"live:{number}" for number in range(3)]
WRITERS = 3
PORTFOLIO_MS = 4_000_000_000_000  # figures are dropped where they are late: these never are
Seen = dict[str, list[int]]


def age_of(generation: int, version: int) -> int:
    """One number that grows with both; every value says it."""
    return generation * 1_000 + version


def history() -> list[UserState]:
    """Fifteen states a user over two generations: balance, margin and positions all say which it is."""
    found = []
    for user in USERS:
        for at in range(1, 16):
            generation, version = (1, at) if at < 9 else (2, at - 8)
            one = state(version, str(age_of(generation, version)), user, symbols=("EURUSD",) if at % 3 else ())
            one.generation = generation
            for position in one.accounts["house"].positions.values():
                position.quantity = str(age_of(generation, version))
            found.append(one)
    return found


def record(topic: str, key: str, value: bytes, offset: int = 0) -> Sent:
    return Sent(topic, key.encode(), value, offset, 0, PORTFOLIO_MS)


def told() -> list[Sent]:
    """Every record once: states, figures of portfolios, balance changes."""
    found = [record(topics.ACCOUNT_STATES, one.user_id, one.SerializeToString()) for one in history()]
    for at in range(10):
        figures = Portfolios(calculated_ms=PORTFOLIO_MS + at, epoch=1, users=USERS, equity=[at] * 3, margin=[1] * 3, unrealised_pnl=[0] * 3,
                             digits=[0] * 3, fallback=[0] * 3)
        found.append(record(topics.PORTFOLIOS, "w", figures.SerializeToString()))
    for user in USERS:
        for number in range(1, 11):
            moved = Transaction(delta_id=f"s/{number}/d", user_id=user, account_id="house", asset="USD", amount="1",
                                balance_after=str(number), kind="funding", source="s", sequence=number, time_ms=PORTFOLIO_MS)
            found.append(record(topics.TRANSACTIONS, user, moved.SerializeToString(), number))
    return found


class Writers:
    """Bridges beside each other on one Redis and one Postgres, and who watches."""

    def __init__(self, url: str, dsn: str, seed: int) -> None:
        self._url, self._dsn, self._dice = url, dsn, random.Random(seed)
        self.seen: Seen = defaultdict(list)

    async def run(self) -> None:
        over = asyncio.Event()
        watching = asyncio.create_task(self._watch(over))
        await asyncio.gather(*(self._write() for _ in range(WRITERS)))
        over.set()
        await watching

    async def _write(self) -> None:
        """All records in an order of its own, some twice; a batch in hand may be slept on while others go ahead."""
        store, rows = Store(self._url), Postgres(self._dsn, "live")
        bridge, portfolios = Bridge(store, Config()), PortfolioBridge(store)
        records = told()
        records += self._dice.sample(records, 30)
        self._dice.shuffle(records)
        while records:
            batch = [records.pop() for _ in range(min(len(records), self._dice.randint(1, 12)))]
            if self._dice.random() < 0.3:
                await asyncio.sleep(self._dice.random() * 0.05)
            states = [one for one in batch if one.topic == topics.ACCOUNT_STATES]
            assert await bridge.write(states) == []
            assert await portfolios.write([one for one in batch if one.topic == topics.PORTFOLIOS]) == []
            assert await rows.write([one for one in batch if one.topic != topics.PORTFOLIOS]) == []
            if self._dice.random() < 0.3:
                await bridge.shared.flush()
        await bridge.shared.flush()
        await store.close()
        await rows.close()

    async def _watch(self, over: asyncio.Event) -> None:
        """Notes every value as it is, again and again, and once at the end."""
        client = redis.asyncio.Redis.from_url(self._url, decode_responses=True)
        async with await psycopg.AsyncConnection.connect(self._dsn, autocommit=True) as rows:
            is_last = False
            while not is_last:
                is_last = over.is_set()
                for user in USERS:
                    await self._look(client, user)
                cursor = await rows.execute("SELECT user_key, generation * 1000 + version, (SELECT wallet_balance FROM balances AS b WHERE"
                                            " b.user_key = u.user_key), wallet_balance FROM users AS u")
                for user, version, balance, wallet in await cursor.fetchall():
                    for name, number in (("version", version), ("balance", balance), ("wallet", wallet)):
                        self.seen[f"postgres {name} {user}"].append(int(str(number or 0)))
                await asyncio.sleep(0.001)
        await client.aclose()

    async def _look(self, client: redis.asyncio.Redis, user: str) -> None:
        pipe = client.pipeline(transaction=False)
        pipe.hget(keys.config(user), "wallet_balance")
        pipe.get(keys.balance(user))
        pipe.hget(keys.USER_WALLETS, user.removeprefix("live:"))
        pipe.hget(keys.portfolio(user), "equity")
        for name, text in zip(("config", "user_balance", "user_wallets", "equity"), await pipe.execute(), strict=True):
            if text is not None:
                self.seen[f"redis {name} {user}"].append(int(text))

    def went_back(self) -> list[str]:
        return [f"{name}: {before} then {after}" for name, values in self.seen.items()
                for before, after in itertools.pairwise(values) if after < before]


@pytest.fixture
def emptied(dsn: str) -> str:
    with psycopg.connect(dsn) as connection:
        connection.execute("TRUNCATE users, balances, positions, exchange_accounts, transactions, ledger_balances, mirror_progress")
    return dsn


@pytest.mark.parametrize("seed", range(4))
def test_no_value_ever_goes_back(single: str, emptied: str, seed: int) -> None:
    writers = Writers(single, emptied, seed)
    asyncio.run(writers.run())
    assert writers.went_back() == []
    assert len(writers.seen) == 7 * len(USERS) and min(len(values) for values in writers.seen.values()) > 3
    newest = {one.user_id: one for one in history()}
    assert differences({user: canonical_cache(one) for user, one in newest.items()}, redis_rows(single)) == []
    assert differences({user: canonical_state(one) for user, one in newest.items()}, postgres_rows(emptied)) == []
    for user in USERS:
        assert (writers.seen[f"redis equity {user}"][-1], writers.seen[f"postgres wallet {user}"][-1]) == (9, 10)


def test_without_its_guard_a_balance_goes_back(single: str, emptied: str, monkeypatch: pytest.MonkeyPatch) -> None:
    careless = scripts._many(" redis.call('SET', KEYS[1], ARGV[3], 'EX', ARGV[4]) return 1 ")
    monkeypatch.setattr(scripts, "BALANCE", careless)
    monkeypatch.setattr(scripts, "ALL", (*scripts.ALL, Script(*careless)))
    writers = Writers(single, emptied, 0)
    asyncio.run(writers.run())
    assert {line.split()[1] for line in writers.went_back()} == {"user_balance"}
