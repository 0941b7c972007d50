"""Histories of money on the whole stack: HTTP, gRPC, MARGIN_UPDATES and a producer's own deltas, while processes die and servers go."""

import argparse
import asyncio
import json
import logging
import random
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import psycopg
from aiohttp import ClientError, ClientSession, ClientTimeout
from confluent_kafka import Producer
from redis.asyncio import Redis
from redis.exceptions import RedisError

from schemas import user_data_pb2 as ud
from schemas import user_service_pb2 as pb
from schemas.engine_pb2 import WalletDelta
from streams import topics
from streams.stack.process import StackError
from tests.admin.holdings import differences
from tests.admin.stack import MoneyStack, money_stack
from tests.grpc.calling import Caller

Json = dict[str, object]
TOGETHER = 10  # histories side by side
_ATTEMPT_S, _GIVE_UP_S, _HEAL_S = 3.0, 90.0, 90.0
_GRPC = (("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 500))


class Doors(NamedTuple):
    """Where money comes in; `producer` is of another program."""

    api: str
    session: ClientSession
    grpc: Caller
    redis: Redis
    producer: Producer


class Booked:
    """What was accepted of one user, by who said it. `exact`: every amount is known; else the engine's own money is in it, too."""

    def __init__(self) -> None:
        self.entries: Counter[tuple[str, Decimal]] = Counter()  # (source, amount)
        self.audited, self.exact = 0, True

    def take(self, source: str, amount: Decimal, audited: int = 1) -> None:
        """One movement and the audit rows it must have."""
        self.entries[source, amount] += 1
        self.audited += audited

    def total(self) -> Decimal:
        return sum((amount * count for (_, amount), count in self.entries.items()), Decimal(0))


class History:
    """One seed: three users, asked for with keys until somebody answers, and books of its own."""

    def __init__(self, seed: int, doors: Doors) -> None:
        self.seed, self._doors, self._dice = seed, doors, random.Random(seed)
        mark = f"{seed}x{uuid.uuid4().hex[:6]}"
        self.books = {f"live:{mark}a": Booked(), f"live:{mark}b": Booked(), f"demo:{mark}c": Booked()}
        self._changed = f"demo:{mark}c"  # whose wallet is set and who trades: his amounts are not ours to say
        self._number = self._told = 0
        self.operations: Counter[str] = Counter()

    async def run(self, over: asyncio.Event) -> None:
        """Users first; then one operation after the other until `over`, twelve at the least."""
        for user, booked in self.books.items():
            amount = self._amount()
            await self._http("POST", "users", {"user_id": user, "wallet_balance": str(amount)}, {201})
            booked.take("admin", amount, 2)
        acts: list[Callable[[str, Booked], Awaitable[None]]] = [
            self._move, self._move, self._request, self._edit, self._update, self._set, self._heard, self._delta, self._trade]
        while not over.is_set() or sum(self.operations.values()) < 12:
            act, user = self._dice.choice(acts), self._dice.choice(list(self.books))
            await act(user, self.books[user])
            self.operations[act.__name__.lstrip("_")] += 1

    # ---- by HTTP

    async def _move(self, user: str, booked: Booked) -> None:
        kind, amount = self._dice.choice(("deposits", "withdrawals", "adjustments")), self._amount()
        signed = -amount if kind == "adjustments" and self._dice.random() < 0.5 else amount
        status, _ = await self._http("POST", f"users/{user}/{kind}", {"amount": str(signed)},
                                     {201, 409, 422} if kind == "withdrawals" else {201})
        if status == 201:
            booked.take("admin", -signed if kind == "withdrawals" else signed)

    async def _request(self, user: str, booked: Booked) -> None:
        amount = self._amount()
        _, asked = await self._http("POST", "money-requests", {"user": user, "kind": "deposit", "amount": str(amount)}, {201})
        decision = self._dice.choice(("approve", "reject"))
        await self._http("POST", f"money-requests/{asked['id']}/{decision}", {}, {200})
        booked.audited += 2
        if decision == "approve":
            booked.take("admin", amount)

    async def _edit(self, user: str, booked: Booked) -> None:
        change: Json = {"risk_tier": str(self._dice.random())}
        if user == self._changed:
            change["wallet_balance"], booked.exact = "77.7", False
        await self._http("PATCH", f"users/{user}", change, {200})
        booked.audited += 1

    async def _http(self, method: str, path: str, body: Json, wanted: set[int]) -> tuple[int, Json]:
        self._number += 1
        headers = {"Idempotency-Key": f"{min(self.books)}-{self._number}"}

        async def ask() -> tuple[int, Json] | None:
            try:
                async with self._doors.session.request(method, f"{self._doors.api}/api/admin/{path}", json=body, headers=headers) as answer:
                    found = await answer.json()
            except (ClientError, TimeoutError):
                return None
            assert answer.status in wanted | {503}, (path, answer.status, found)
            return None if answer.status == 503 else (answer.status, found)

        found: tuple[int, Json] = await self._until_answered(path, ask)
        return found

    async def _until_answered(self, what: str, ask: Callable[[], Awaitable[Any]]) -> Any:
        end = time.monotonic() + _GIVE_UP_S
        while time.monotonic() < end:
            if (found := await ask()) is not None:
                return found
            await asyncio.sleep(0.1)
        raise AssertionError(f"seed {self.seed}, {what}: expected an answer within {_GIVE_UP_S:.0f} s, was none")

    # ---- by gRPC

    async def _update(self, user: str, booked: Booked) -> None:
        amount = self._amount() * self._dice.choice((1, -1))
        self._number += 1
        await self._call("UpdateWallet", pb.UpdateWalletRequest(user_id=user, delta=str(amount), id=f"u{self._number}", kind="funding"))
        booked.take("grpc", amount)

    async def _set(self, user: str, booked: Booked) -> None:
        """Compare and set; who changed the balance meanwhile wins."""
        before = Decimal((await self._call("GetWallet", pb.GetWalletRequest(user_id=user))).balance)
        amount = self._amount()
        self._number += 1
        request = pb.SetWalletRequest(user_id=user, balance=str(before + amount), expected_balance=str(before), id=f"s{self._number}")
        if await self._call("SetWallet", request) is not False:
            booked.take("grpc", amount, 2)

    async def _call(self, method: str, request: Any) -> Any:
        """False where the balance was another one."""
        async def ask() -> Any:
            try:
                async with asyncio.timeout(_ATTEMPT_S):
                    return await self._doors.grpc(method, request)
            except TimeoutError:
                return None
            except grpc.aio.AioRpcError as error:
                code = error.code()
                if code == grpc.StatusCode.ABORTED:
                    return False
                assert code in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED}, error
                return None

        return await self._until_answered(method, ask)

    # ---- by Redis, and by a producer of facts

    async def _heard(self, user: str, booked: Booked) -> None:
        """By the channel, which may lose it, and by the stream, which loses nothing: one id, so once."""
        amount = self._amount() * self._dice.choice((1, -1))
        self._number += 1
        said = {"user_id": user, "delta": str(amount), "id": f"m{self._number}", "reason": "realised_pnl"}

        async def ask() -> bool | None:
            try:
                await self._doors.redis.publish("MARGIN_UPDATES", json.dumps(said))
                await self._doors.redis.xadd("MARGIN_UPDATES:stream", dict(said.items()))
            except (RedisError, OSError):
                return None
            return True

        await self._until_answered("MARGIN_UPDATES", ask)
        booked.take("margin_updates", amount)

    async def _delta(self, user: str, booked: Booked) -> None:
        """A numbered delta of another program, now and then said twice."""
        amount, number = self._amount(), sum(count for (source, _), count in booked.entries.items() if source == "venue") + 1
        delta = WalletDelta(id=f"v{number}", user_id=user, account_id="house", asset="USD", amount=str(amount), source="venue",
                            kind=WalletDelta.REALISED_PNL, sequence=number, time_ms=time.time_ns() // 1_000_000)
        for _ in range(self._dice.choice((1, 2))):
            self._doors.producer.produce(topics.WALLET_DELTAS, delta.SerializeToString(), key=user.encode())
        booked.take("venue", amount, 0)

    async def _trade(self, user: str, booked: Booked) -> None:
        """Fills of the house book: their PnL and fees are the engine's to say."""
        if user != self._changed:
            return
        booked.exact = False
        self._told += 1
        event = ud.UserDataOrderUpdateEvent(
            meta=ud.EventMeta(user_id=user, account_id="house", exchange=ud.HOUSE, exchange_seq=str(self._told)), symbol="EURUSD",
            side=self._dice.choice((ud.BUY, ud.SELL)), position_side=ud.BOTH,
            fill=ud.Fill(trade_id=str(self._told), qty="1", price=f"1.{self._dice.randint(1000, 9999)}", fee="0.01", fee_asset="USD"))
        self._doors.producer.produce(topics.ORDER_UPDATES, event.SerializeToString(), key=user.encode())

    def _amount(self) -> Decimal:
        return Decimal(self._dice.randint(1, 10**self._dice.randint(1, 9))).scaleb(-self._dice.randint(0, 6))


class Played(NamedTuple):
    """What differs at the end, what was done, and the books of every user."""

    lines: list[str]
    operations: Counter[str]
    books: dict[str, Booked]


async def play(stack: MoneyStack, seeds: range, seconds: float) -> Played:
    """Histories side by side, while blows fall for `seconds`."""
    async with AsyncExitStack() as opened:
        session = await opened.enter_async_context(ClientSession(timeout=ClientTimeout(total=_ATTEMPT_S)))
        channel = await opened.enter_async_context(grpc.aio.insecure_channel(stack.grpc_address, options=_GRPC))
        redis = await opened.enter_async_context(Redis.from_url(stack.config.redis_url, socket_timeout=_ATTEMPT_S))
        producer = Producer({"bootstrap.servers": stack.config.kafka_bootstrap, "partitioner": "murmur2_random", "acks": "all",
                             "enable.idempotence": True})
        doors = Doors(stack.url("admin"), session, Caller(channel), redis, producer)
        histories, over = [History(seed, doors) for seed in seeds], asyncio.Event()
        running = [asyncio.create_task(history.run(over)) for history in histories]
        try:
            await asyncio.to_thread(stack.befall, seconds, random.Random(seeds.start))
            await asyncio.to_thread(stack.whole)
        finally:
            over.set()
        await asyncio.gather(*running)
    assert await asyncio.to_thread(producer.flush, 60) == 0
    lines = await asyncio.to_thread(_settled, stack, histories)
    books = {user: booked for history in histories for user, booked in history.books.items()}
    return Played(lines, sum((history.operations for history in histories), Counter()), books)


def _settled(stack: MoneyStack, histories: list[History]) -> list[str]:
    """What still differs when everything had time to arrive."""
    end, lines = time.monotonic() + _HEAL_S, ["nothing was compared"]
    while lines and time.monotonic() < end:
        time.sleep(0.5)
        stack.whole()
        try:
            lines = [f"seed {history.seed}: {line}" for history in histories for line in differences(stack, history.books)]
        except (psycopg.OperationalError, RedisError, OSError) as error:
            lines = [f"expected an answer, was {error}"]
    return lines


def main() -> int:
    """`make money SEED= HISTORIES=`: ten at a time on one stack; exit 1 where one differs."""
    options = argparse.ArgumentParser(description=main.__doc__)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--histories", type=int, default=200)
    options.add_argument("--seconds", type=float, default=10.0, help="of blows, for each ten")
    asked = options.parse_args()
    logging.disable(logging.ERROR)  # of what is cut on purpose
    began, failed, done = time.monotonic(), list[str](), Counter[str]()
    with tempfile.TemporaryDirectory(prefix="money", ignore_cleanup_errors=True) as folder, money_stack(Path(folder)) as stack:
        for seed in range(asked.seed, asked.seed + asked.histories, TOGETHER):
            seeds = range(seed, min(seed + TOGETHER, asked.seed + asked.histories))
            try:
                lines, operations, _ = asyncio.run(play(stack, seeds, asked.seconds))
            except (AssertionError, StackError) as error:
                lines, operations = [str(error)], Counter()
            failed, done = failed + lines, done + operations
            print(f"seeds {seeds.start} to {seeds.stop - 1}: {sum(operations.values())} operations, {len(lines)} differences,"
                  f" {time.monotonic() - began:.0f} s", *lines[:20], sep="\n  ", flush=True)
        struck = dict(sorted(stack.struck.items()))
        with psycopg.connect(stack.config.postgres_dsn) as rows:
            audits = rows.execute("SELECT name, ran_at - last_success_at < '0', differences FROM audits ORDER BY 1").fetchall()
            found = rows.execute("SELECT id, body FROM alerts WHERE kind = 'audit_differences'").fetchall()
    print(f"{asked.histories} histories from seed {asked.seed}: {sum(done.values())} operations {dict(done)}, {struck},"
          f" audits {audits}, alerts {found}, {len(failed)} differences in {time.monotonic() - began:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
