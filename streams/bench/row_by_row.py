"""The baselines of `bench mirror`: a service that takes states one by one, as it is mostly written, with an awaited command for each key.

Both write what the bridges write of a state, by the same reading of it. Redis: what was there, then a command a key and a channel; nothing
guards it, so a late or repeated state moves values back. Postgres: one transaction of a statement a row, guarded by version as ours is."""

from collections.abc import Mapping, Sequence

import orjson
import psycopg
from psycopg.types.json import Jsonb
from redis.asyncio import Redis

from schemas.engine_pb2 import UserState
from schemas.keys import user_parts
from streams.bridges.consume import Batch
from streams.bridges.redis_texts import Cache, Passed, cache_of, messages
from streams.bridges.rows import user_rows
from streams.cache import keys

_CHECKS_MAX = 1_000
_BALANCE_S = 3_600


class RedisRows:
    """An awaited command a key, with no version: eight to ten a state."""

    def __init__(self, client: Redis, default_type: str = "live") -> None:
        self._client, self._default_type = client, default_type

    async def write(self, batch: Batch) -> None:
        """Each state by itself."""
        for record in batch:
            await self._write(UserState.FromString(record.value or b""))

    async def _write(self, state: UserState) -> None:
        client, cache = self._client, cache_of(state)
        user = cache.user
        before = await client.hgetall(keys.config(user))
        changed = {field: text for field, text in cache.config.items() if before.get(field.encode()) != text.encode()}
        if changed:
            await client.hset(keys.config(user), items=_flat(changed))
        if cache.calculated:
            await client.hset(keys.portfolio(user), items=_flat(cache.calculated))
        await self._wallet(cache, is_changed="wallet_balance" in changed)
        for channel, message in messages(Passed(cache, tuple(changed), False, cache.symbols, cache.operations)):
            await client.publish(channel, orjson.dumps(message))

    async def _wallet(self, cache: Cache, *, is_changed: bool) -> None:
        client, user, wallet = self._client, cache.user, cache.config["wallet_balance"]
        bare = keys.bare(user, self._default_type)
        await client.set(keys.balance(user), wallet, ex=_BALANCE_S)
        if is_changed:
            await client.lpush(keys.margin_check_queue(user), user_parts(user)[1])
            await client.ltrim(keys.margin_check_queue(user), 0, _CHECKS_MAX - 1)
        await client.hset(keys.USER_WALLETS, bare, wallet)
        await client.hset(keys.USER_METADATA, bare, cache.metadata)


def _flat(fields: Mapping[str, str]) -> list[str | bytes]:
    return [text for pair in fields.items() for text in pair]


def _upsert(table: str, columns: Sequence[str], unique: Sequence[str], where: str = "") -> str:
    values = ", ".join("instant(%(updated_ms)s)" if name == "updated_at" else f"%({name})s" for name in columns)
    changed = ", ".join(f"{name} = EXCLUDED.{name}" for name in columns if name not in unique)
    return (f"INSERT INTO {table} AS t ({', '.join(columns)}) VALUES ({values}) ON CONFLICT ({', '.join(unique)}) DO UPDATE SET {changed}"
            f"{where}")


_POSITION = ("user_key", "account_id", "venue", "symbol", "side", "position_id")
_UPSERTS = {
    "users": _upsert("users", ("user_key", "user_type", "user_id", "currency", "margin", "net_profit", "group_name", "leverage", "status",
                               "is_active", "kyc", "risk_tier", "rung", "fields", "sequences", "generation", "version", "updated_at"),
                     ("user_key",), " WHERE (t.generation, t.version) < (EXCLUDED.generation, EXCLUDED.version)"),
    "balances": _upsert("balances", ("user_key", "account_id", "asset", "wallet_balance", "status", "updated_at"),
                        ("user_key", "account_id", "asset")),
    "positions": _upsert("positions", (*_POSITION, "quantity", "entry_price", "margin_mode", "isolated_wallet", "leverage", "open_rate",
                                       "swap", "commission", "status", "updated_at"), _POSITION)}
_CLOSE = {
    "balances": """UPDATE balances SET status = 'closed', wallet_balance = 0
        WHERE user_key = %s AND status = 'open' AND account_id || '/' || asset <> ALL (%s)""",
    "positions": """UPDATE positions SET status = 'closed', quantity = 0 WHERE user_key = %s AND status = 'open'
        AND account_id || '/' || venue || ':' || symbol || '/' || side || '/' || position_id <> ALL (%s)"""}
_PROGRESS = """INSERT INTO mirror_progress (mirror, topic, "partition", "offset", updated_at) VALUES ('row by row', %s, %s, %s, now())
    ON CONFLICT (mirror, topic, "partition") DO UPDATE SET "offset" = EXCLUDED."offset", updated_at = EXCLUDED.updated_at"""


class PostgresRows:
    """A transaction a state, a statement a row."""

    def __init__(self, connection: psycopg.AsyncConnection[tuple[object, ...]]) -> None:
        self._connection = connection

    async def write(self, batch: Batch) -> None:
        """Each state by itself."""
        for record in batch:
            state = UserState.FromString(record.value or b"")
            async with self._connection.transaction():
                if await self._rows(state):
                    await self._connection.execute(_PROGRESS, [record.topic, record.partition, record.offset])

    async def _rows(self, state: UserState) -> bool:
        """Whether it was newer."""
        there: dict[str, list[str]] = {"balances": [], "positions": []}
        for kind, row in user_rows(state):
            if kind not in _UPSERTS:
                continue
            cursor = await self._connection.execute(_UPSERTS[kind].encode(), _given(row))
            if kind == "users" and not cursor.rowcount:
                return False
            if kind in there:
                there[kind].append(_path(kind, row))
        for kind, paths in there.items():
            await self._connection.execute(_CLOSE[kind].encode(), [state.user_id, paths])
        return True


def _given(row: Mapping[str, object]) -> dict[str, object]:
    return {"status": "open", **{name: Jsonb(value) if isinstance(value, dict) else value for name, value in row.items()}}


def _path(kind: str, row: Mapping[str, object]) -> str:
    account = row["account_id"]
    return f"{account}/{row['asset']}" if kind == "balances" else \
        f"{account}/{row['venue']}:{row['symbol']}/{row['side']}/{row['position_id']}"
