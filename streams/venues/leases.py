"""Who reads an account: a rendezvous hash over the workers that live, and a lease with an epoch that only grows."""

import hashlib
from collections.abc import Iterable
from typing import Any

import psycopg

LEASE_S = 15
Name = tuple[str, str]  # user, account


def owner(name: Name, workers: Iterable[str]) -> str:
    """The worker with the highest hash: when one leaves only its accounts move. Raises `ValueError` where there is none."""
    return max(workers, key=lambda worker: hashlib.sha256("|".join((worker, *name)).encode()).digest())


class Leases:
    """This worker's part, over a connection in autocommit."""

    def __init__(self, connection: psycopg.AsyncConnection[Any], worker: str, lease_s: float = LEASE_S) -> None:
        self._connection, self.worker, self._lease_s = connection, worker, lease_s

    async def beat(self) -> list[str]:
        """Says that we live; who else does."""
        await self._connection.execute("""
            INSERT INTO ingest_workers (worker, expires_at) VALUES (%s, now() + make_interval(secs => %s))
            ON CONFLICT (worker) DO UPDATE SET expires_at = EXCLUDED.expires_at""", [self.worker, self._lease_s])
        rows = await (await self._connection.execute("SELECT worker FROM ingest_workers WHERE expires_at > now()")).fetchall()
        return sorted({self.worker, *(row[0] for row in rows)})

    async def renew(self, held: dict[Name, int]) -> set[Name]:
        """Of those held (with their epochs), which are still ours."""
        rows = await (await self._connection.execute("""
            UPDATE exchange_leases AS l SET expires_at = now() + make_interval(secs => %s)
            FROM unnest(%s::text[], %s::text[], %s::bigint[]) AS h(user_key, account_id, epoch)
            WHERE (l.user_key, l.account_id, l.epoch) = (h.user_key, h.account_id, h.epoch) AND l.worker = %s
            RETURNING l.user_key, l.account_id""",
            [self._lease_s, *_columns(held), list(held.values()), self.worker])).fetchall()
        return {(row[0], row[1]) for row in rows}

    async def acquire(self, wanted: Iterable[Name]) -> dict[Name, int]:
        """Of those wanted, what is free now or was ours, each with a new epoch: facts of the owner before are older."""
        rows = await (await self._connection.execute("""
            INSERT INTO exchange_leases AS l (user_key, account_id, worker, epoch, expires_at)
            SELECT user_key, account_id, %s, 1, now() + make_interval(secs => %s)
            FROM unnest(%s::text[], %s::text[]) AS w(user_key, account_id)
            ON CONFLICT (user_key, account_id) DO UPDATE SET
                worker = EXCLUDED.worker, epoch = l.epoch + 1, expires_at = EXCLUDED.expires_at
            WHERE l.expires_at <= now() OR l.worker = EXCLUDED.worker
            RETURNING user_key, account_id, epoch""", [self.worker, self._lease_s, *_columns(wanted)])).fetchall()
        return {(row[0], row[1]): row[2] for row in rows}

    async def release(self, names: Iterable[Name]) -> None:
        """Others may have them at once; the epoch stays, so that it only grows."""
        await self._connection.execute("""
            UPDATE exchange_leases AS l SET expires_at = now() FROM unnest(%s::text[], %s::text[]) AS r(user_key, account_id)
            WHERE (l.user_key, l.account_id) = (r.user_key, r.account_id) AND l.worker = %s""", [*_columns(names), self.worker])

    async def leave(self) -> None:
        """We live no more."""
        await self._connection.execute("DELETE FROM ingest_workers WHERE worker = %s", [self.worker])


def _columns(names: Iterable[Name]) -> tuple[list[str], list[str]]:
    pairs = list(names)
    return [user for user, _ in pairs], [account for _, account in pairs]
