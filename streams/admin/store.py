"""Postgres behind the admin API: one transaction a call, answered once a key, refusals with their names."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple, cast

import orjson
import psycopg
from psycopg.pq import TransactionStatus
from psycopg.types.json import Jsonb, set_json_loads

from streams.admin import metrics
from streams.web.inspection import Refused

Json = dict[str, object]
AWAY = (psycopg.OperationalError, psycopg.InterfaceError, OSError)
_AGAIN = (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)
_CONNECTIONS_MAX, _TRIES = 8, 5
_WAIT_S = 10.0
set_json_loads(orjson.loads)
Connection = psycopg.AsyncConnection[tuple[object, ...]]


class Once(NamedTuple):
    """An idempotency key and what it was used for."""

    key: str
    fingerprint: str


class Answered(NamedTuple):
    """`again`: as an earlier request with the same key was."""

    status: int
    body: object
    again: bool = False


class Store:
    """A few connections, opened when needed, let go after any failure."""

    def __init__(self, dsn: str, statement_s: int = 10) -> None:
        self._dsn, self._statement_s = dsn, statement_s
        self._idle: list[Connection] = []
        self._free = asyncio.Semaphore(_CONNECTIONS_MAX)

    async def call(self, function: str, given: Json, once: Once | None = None, status: int = 200) -> Answered:
        """A function of `sql/functions` in a transaction of its own; raises `Refused`, also where Postgres is away (503)."""
        try:
            found = await self._tried(function, given, (once, status))
        except Refused as refused:
            metrics.OPERATIONS.labels(function, refused.status).inc()
            raise
        metrics.OPERATIONS.labels(function, found.status).inc()
        return found

    async def _tried(self, function: str, given: Json, answering: tuple[Once | None, int]) -> Answered:
        for _ in range(_TRIES):
            try:
                async with self._lent() as connection, connection.transaction():
                    return await _call(connection, function, given, answering)
            except _AGAIN:
                continue
        raise Refused(503, "busy", "expected the user's row, was held by others; ask again")

    async def answered(self, once: Once | None) -> Answered | None:
        """What the key was answered, None where it is new. Raises `Refused` where it was another request's."""
        if once is None:
            return None
        async with self._lent() as connection:
            found = await _one(connection, "SELECT fingerprint, status, body FROM answers WHERE key = %s", [once.key])
        if found is None:
            return None
        if found[0] != once.fingerprint:
            raise Refused(409, "idempotency_conflict", "Idempotency-Key: expected the request it was first used for, was another",
                          "Idempotency-Key")
        return Answered(cast(int, found[1]), found[2], again=True)

    async def keep(self, once: Once, status: int, body: object) -> Answered:
        """What was done elsewhere than in Postgres, kept as the key's answer; the other's where a request beside this one was first."""
        async with self._lent() as connection, connection.transaction():
            if before := await _before(connection, once):
                return before
            await connection.execute("SELECT end_once(%s, %s, %s)", [once.key, status, Jsonb(body, dumps=orjson.dumps)])
            return Answered(status, body)

    async def rows(self, query: str, given: list[object]) -> list[object]:
        """The first column of every row; raises `Refused`."""
        async with self._lent() as connection:
            cursor = await connection.execute(query.encode(), given)
            return [row[0] for row in await cursor.fetchall()]

    async def close(self) -> None:
        while self._idle:
            await self._idle.pop().close()

    @asynccontextmanager
    async def _lent(self) -> AsyncIterator[Connection]:
        try:
            async with asyncio.timeout(_WAIT_S):
                await self._free.acquire()
        except TimeoutError:
            raise Refused(503, "busy", f"postgres: expected a free connection within {_WAIT_S:.0f} s, was none; ask again") from None
        connection: Connection | None = None
        try:
            connection = self._idle.pop() if self._idle else await self._opened()
            yield connection
            self._idle.append(connection)
            connection = None
        except _AGAIN:
            raise
        except psycopg.Error as error:
            if connection is not None and connection.info.transaction_status == TransactionStatus.IDLE:
                self._idle.append(connection)  # only the statement failed
                connection = None
            raise _refused(error) from error
        except OSError as error:
            raise Refused(503, "away", f"postgres: expected an answer, was {type(error).__name__}") from error
        finally:
            self._free.release()
            if connection is not None:
                await connection.close()

    async def _opened(self) -> Connection:
        return await psycopg.AsyncConnection.connect(self._dsn, autocommit=True, connect_timeout=5,
                                                     options=f"-c statement_timeout={self._statement_s}s -c lock_timeout=5s")


async def _call(connection: Connection, function: str, given: Json, answering: tuple[Once | None, int]) -> Answered:
    once, status = answering
    if once and (before := await _before(connection, once)):
        return before
    row = await _one(connection, f"SELECT {function}(%s)", [Jsonb(given, dumps=orjson.dumps)])
    body = row[0] if row else None
    if once:
        await connection.execute("SELECT end_once(%s, %s, %s)", [once.key, status, Jsonb(body, dumps=orjson.dumps)])
    return Answered(status, body)


async def _before(connection: Connection, once: Once) -> Answered | None:
    """What the key was answered; None where it is this transaction's from here on."""
    [found] = await _one(connection, "SELECT begin_once(%s, %s)", list(once)) or [None]
    if found is None:
        return None
    before = cast(Json, found)
    return Answered(cast(int, before["status"]), before["body"], again=True)


async def _one(connection: Connection, query: str, given: list[object]) -> tuple[object, ...] | None:
    return await (await connection.execute(query.encode(), given)).fetchone()


def _refused(error: psycopg.Error) -> Exception:
    """What a failed statement means: our own refusals by name, a value no column takes, a store that is away; the rest is a bug."""
    state = error.sqlstate or ""
    if state.startswith("MS"):
        said = error.diag
        return Refused(int(state[2:]), said.message_hint or "refused", said.message_primary or "", said.column_name or None)
    if isinstance(error, psycopg.errors.LockNotAvailable | psycopg.errors.QueryCanceled):
        return Refused(503, "busy", "postgres: expected the row in time, was held by others; ask again")
    if isinstance(error, psycopg.DataError | psycopg.IntegrityError):
        return Refused(400, "bad_value", f"expected a value that can be kept, was refused: {error.diag.message_primary}")
    if isinstance(error, AWAY):
        return Refused(503, "away", f"postgres: expected an answer, was {type(error).__name__}")
    return error
