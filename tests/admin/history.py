"""Random histories of admin operations and engine events under kills and outages, and what must be true at their end."""

import argparse
import asyncio
import logging
import random
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from unittest import mock

import psycopg
from aiohttp import ClientError
from aiohttp.test_utils import TestClient, TestServer

from streams.admin.app import admin
from streams.admin.desk import Desk
from streams.admin.engine import Workers
from streams.admin.store import Store
from streams.bridges import relay as relaying
from streams.web.tokens import Tokens
from tests.admin.conftest import Client, no_vault
from tests.admin.world import MoneyWorld, Producer

Json = dict[str, object]
USERS = ("live:1", "live:2", "demo:3")
STEPS = 30
_ATTEMPTS_MAX = 60


class History:
    """One seeded history: a client that asks again with the same key until it is answered, and keeps its own books."""

    def __init__(self, seed: int, world: MoneyWorld, api: Client) -> None:
        self.dice, self.world, self.api = random.Random(seed), world, api
        self.accepted: dict[str, Decimal] = {}
        self.operations: dict[str, int] = {}
        self._requests: list[tuple[int, str, Decimal]] = []
        self._key = 0

    async def run(self) -> None:
        """Users, then thirty steps, then everything returns."""
        for user in USERS:
            wallet = self._amount()
            status, _ = await self._ask("POST", "/api/admin/users", {"user_id": user, "wallet_balance": str(wallet)})
            assert status == 201
            self._book(user, wallet, 2)
        for _ in range(STEPS):
            await asyncio.gather(self._act(), self.world.stir(), self.world.turn())
        await self.world.heal()

    async def _act(self) -> None:
        user = self.dice.choice(USERS)
        acts: list[Callable[[str], Awaitable[None]]] = [
            self._move, self._move, self._move, self._together, self._edit, self._trade, self._request]
        await self.dice.choice(acts)(user)

    async def _move(self, user: str) -> None:
        kind, amount = self.dice.choice(("deposits", "withdrawals", "adjustments")), self._amount()
        sent = -amount if kind == "adjustments" and self.dice.random() < 0.5 else amount
        status, _ = await self._ask("POST", f"/api/admin/users/{user}/{kind}", {"amount": str(sent)})
        assert status == 201 or (kind == "withdrawals" and status in {409, 422}), status
        if status == 201:
            self._book(user, -sent if kind == "withdrawals" else sent)

    async def _together(self, user: str) -> None:
        await asyncio.gather(self._move(user), self._move(user), self._move(self.dice.choice(USERS)))

    async def _edit(self, user: str) -> None:
        change: Json = {"risk_tier": str(self.dice.random()), "wallet_balance": "77.7"}
        status, shown = await self._ask("PATCH", f"/api/admin/users/{user}", change)
        assert status == 200, shown
        # The difference was taken under the lock: what it was is in the ledger, once.
        self.operations[user] += 1
        self.accepted.pop(user, None)

    async def _trade(self, user: str) -> None:
        size = self.dice.choice((-2, -1, 1, 2))
        self.world.engine.trade(user, size, f"1.{self.dice.randint(1000, 9999)}")
        self.accepted.pop(user, None)  # its PnL is the engine's to say

    async def _request(self, user: str) -> None:
        if self._requests and self.dice.random() < 0.6:
            ident, of, amount = self._requests.pop()
            decision = self.dice.choice(("approve", "reject"))
            status, _ = await self._ask("POST", f"/api/admin/money-requests/{ident}/{decision}", {})
            assert status == 200, status
            if decision == "approve":
                self._book(of, amount)
            return
        amount = self._amount()
        wanted: Json = {"user": user, "kind": "deposit", "amount": str(amount)}
        status, asked = await self._ask("POST", "/api/admin/money-requests", wanted)
        assert status == 201, asked
        self._requests.append((int(str(asked["id"])), user, amount))

    async def _ask(self, method: str, path: str, body: Json) -> tuple[int, Json]:
        """Until somebody answers: a connection that was cut says nothing about what became of the request."""
        self._key += 1
        key = f"k{self._key}"
        for _ in range(_ATTEMPTS_MAX):
            try:
                answer = await self.api.request(method, path, json=body, headers={"Idempotency-Key": key})
                found = await answer.json()
            except ClientError:
                continue
            if answer.status == 503:
                await asyncio.sleep(0.01)
            elif self.dice.random() > self.world.faults * 0.2:  # else the API died with its answer on the way
                return answer.status, found
        raise AssertionError(f"{method} {path}: expected an answer within {_ATTEMPTS_MAX} attempts, was {found}")

    def _amount(self) -> Decimal:
        return Decimal(self.dice.randint(1, 10**self.dice.randint(1, 9))).scaleb(-self.dice.randint(0, 6))

    def _book(self, user: str, amount: Decimal, operations: int = 1) -> None:
        self.operations[user] = self.operations.get(user, 0) + operations
        if user in self.accepted or operations == 2:
            self.accepted[user] = self.accepted.get(user, Decimal(0)) + amount

    def differences(self, database: psycopg.Connection[tuple[object, ...]]) -> list[str]:
        """Ledger sum = wallet = engine's table = its mirror; nothing doubled, nothing lost; an audit row an operation."""
        lines = [f"{name}: expected nothing, was {found}" for name, query in _EMPTY.items()
                 if (found := database.execute(query.encode()).fetchall())]
        wallets = {str(user): wallet for user, wallet in database.execute("SELECT user_key, wallet_balance FROM users")}
        if wallets != (table := self.world.balances()):
            lines.append(f"wallets: expected the engine's {table}, was {wallets}")
        lines += [f"wallet of {user}: expected {total} as accepted, was {wallets[user]}" for user, total in self.accepted.items()
                  if total != wallets[user]]
        audited = {str(user): count for user, count in database.execute(_AUDITED.encode())}
        if audited != self.operations:
            lines.append(f"audit: expected {self.operations} operations, was {audited}")
        return lines


_AUDITED = """SELECT user_key, count(*) FROM audit_log
    WHERE action NOT LIKE 'money_request%' AND NOT (action = 'adjustment' AND detail ->> 'note' = 'wallet_balance set') GROUP BY 1"""
_EMPTY = {
    "ledger": """SELECT u.user_key, u.wallet_balance, sum(t.amount) FROM users u LEFT JOIN transactions t
        ON (t.user_key, t.account_id, t.asset) = (u.user_key, 'house', u.currency)
        GROUP BY u.user_key HAVING u.wallet_balance IS DISTINCT FROM coalesce(sum(t.amount), 0)""",
    "mirror": """SELECT user_key, u.wallet_balance, b.wallet_balance FROM users u JOIN balances b USING (user_key)
        WHERE b.account_id = 'house' AND b.asset = u.currency AND b.wallet_balance <> u.wallet_balance""",
    "outbox": "SELECT id, user_key, sequence FROM outbox WHERE published_at IS NULL",
    "numbers": "SELECT user_key, source FROM outbox GROUP BY 1, 2 HAVING count(*) <> max(sequence) OR min(sequence) <> 1",
    "keys without an answer": "SELECT key FROM answers WHERE status IS NULL",
    "money without audit": """SELECT t.delta_id FROM transactions t WHERE t.source = 'admin' AND NOT EXISTS (
        SELECT FROM audit_log a WHERE a.user_key = t.user_key AND a.detail ->> 'delta_id' = t.delta_id)""",
}


async def play(seed: int, dsn: str) -> list[str]:
    """What differs at the end of a history, on an empty database."""
    world = MoneyWorld(dsn, random.Random(seed + 1))
    with mock.patch.object(relaying, "AIOKafkaProducer", lambda **_: Producer(world)), mock.patch.object(relaying, "_WAIT_S", 0.01), \
            mock.patch.object(relaying, "_CLAIM_S", 0.0):
        async with TestServer(world.engine.application()) as workers:
            desk = Desk(Store(dsn), Workers([str(workers.make_url("")).rstrip("/")], ""), "live", no_vault)
            async with TestClient(TestServer(admin(desk, lambda: (True, ""), Tokens()))) as api:
                history = History(seed, world, api)
                try:
                    await history.run()
                finally:
                    await world.close()
        with psycopg.connect(dsn) as database:
            return [f"seed {seed}: {line}" for line in history.differences(database)]


def main() -> int:
    """`make money SEED= HISTORIES=`: many of them on a Postgres of its own; exit 1 where one differs."""
    from streams.bridges.migrate import migrate
    from streams.stack import process
    from streams.stack.postgres import remove_data, start_postgres
    from tests.admin.conftest import emptied

    options = argparse.ArgumentParser(description=main.__doc__)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--histories", type=int, default=200)
    asked = options.parse_args()
    logging.disable(logging.ERROR)  # of what is cut on purpose
    with tempfile.TemporaryDirectory(prefix="money") as folder:
        dsn, running = start_postgres(Path(folder) / "postgres")
        try:
            migrate(dsn)
            began, lines = time.monotonic(), []
            for seed in range(asked.seed, asked.seed + asked.histories):
                emptied(dsn)
                lines += (found := asyncio.run(play(seed, dsn)))
                print(*found, sep="\n", end="\n" if found else "")
            print(f"{asked.histories} histories from seed {asked.seed} in {time.monotonic() - began:.0f} s: {len(lines)} differences")
        finally:
            process.stop(running)
            remove_data(Path(folder) / "postgres")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
