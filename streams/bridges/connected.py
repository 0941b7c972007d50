"""A connection to Postgres that is opened where it is needed, and again after it broke."""

import psycopg


class Connected:
    """Owns one connection with autocommit; a statement may take 30 s."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._connection: psycopg.AsyncConnection[tuple[object, ...]] | None = None

    async def connected(self) -> psycopg.AsyncConnection[tuple[object, ...]]:
        """The open connection; raises `psycopg.OperationalError` where there is none to be had within 5 s."""
        if self._connection is None or self._connection.closed:
            self._connection = await psycopg.AsyncConnection.connect(self._dsn, autocommit=True, connect_timeout=5,
                                                                     options="-c statement_timeout=30s")
        return self._connection

    async def close(self) -> None:
        """Lets the connection go."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()
