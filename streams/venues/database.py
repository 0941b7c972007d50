"""One connection to Postgres, made again where it broke; one piece of work at a time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import psycopg

Found = TypeVar("Found")
Connection = psycopg.AsyncConnection[Any]


class Database:
    """`run` a piece of work; raises `psycopg.OperationalError` while there is no server."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._connection: Connection | None = None
        self._alone = asyncio.Lock()

    async def run(self, work: Callable[[Connection], Awaitable[Found]]) -> Found:
        """The work's answer, in autocommit."""
        async with self._alone:
            if self._connection is None or self._connection.closed:
                self._connection = await psycopg.AsyncConnection.connect(self._dsn, autocommit=True, connect_timeout=5)
            try:
                return await work(self._connection)
            except psycopg.OperationalError:
                await self._connection.close()
                raise

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()
