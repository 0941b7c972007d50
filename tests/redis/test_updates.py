"""MARGIN_UPDATES: each id moves money once, by channel or stream, through the one money function; one listener at a time."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import psycopg
import pytest

from streams.bridges.redis_channels import _hear
from streams.bridges.redis_lease import Lease
from streams.bridges.redis_money import Money, MoneyRefused
from streams.bridges.redis_reading import Update, read_update
from streams.bridges.redis_updates import Taken, Updates, prepare, read_stream
from streams.cache import keys
from streams.cache.store import Store
from tests.redis.conftest import Client
from tests.redis.states import run


def ledger(dsn: str) -> list[tuple[str, str, str]]:
    with psycopg.connect(dsn) as connection:
        rows = connection.execute("SELECT user_key, trim_scale(amount)::text, kind FROM transactions WHERE kind <> 'opening'"
                                  " ORDER BY created_at").fetchall()
    return [(str(user), str(amount), str(kind)) for user, amount, kind in rows]


def wallet(dsn: str, user: str = "live:123") -> str:
    with psycopg.connect(dsn) as connection:
        row = connection.execute("SELECT trim_scale(wallet_balance)::text FROM users WHERE user_key = %s", [user]).fetchone()
    return str(row[0]) if row else "none"


def with_money(url: str, dsn: str, job: Callable[[Store, Money], Awaitable[None]]) -> None:
    async def whole(store: Store) -> None:
        money = Money(dsn)
        try:
            await money.create("live:123", {}, "100")
            await job(store, money)
        finally:
            await money.close()

    run(url, whole)


def update(ident: str = "d1", amount: str = "5", user: str = "live:123") -> Update:
    return Update(user, amount, ident, "realised_pnl", "x")


def test_an_id_moves_money_once(single: str, dsn: str) -> None:
    async def job(_: Store, money: Money) -> None:
        assert await money.move(update())
        assert not await money.move(update())
        with pytest.raises(MoneyRefused, match="Idempotency"):
            await money.move(update(amount="6"))
        with pytest.raises(MoneyRefused, match="known user"):
            await money.move(update("d2", user="live:nobody"))
        assert await money.move(update("d3", "-1.5"))

    with_money(single, dsn, job)
    assert ledger(dsn) == [("live:123", "5", "realised_pnl"), ("live:123", "-1.5", "realised_pnl")]
    assert wallet(dsn) == "103.5"
    with psycopg.connect(dsn) as connection:
        sent = connection.execute("SELECT sequence, value->>'amount', value->>'kind' FROM outbox"
                                  " WHERE source = 'margin_updates' ORDER BY id")
        assert sent.fetchall() == [(1, "5", "REALISED_PNL"), (2, "-1.5", "REALISED_PNL")]


def test_messages_without_an_id_each_count_once_though_postgres_was_away() -> None:
    moved: list[Update] = []
    failures = [OSError("away"), OSError("away")]

    async def move(one: Update) -> bool:
        if failures:
            raise failures.pop()
        moved.append(one)
        return True

    async def job() -> None:
        updates = Updates(Taken(move, "live"))
        for data in (b'{"user_id": 123, "delta": "5"}', b"garbage", b'{"user_id": 123, "delta": "5"}'):
            updates.heard(data)
        for _ in range(2):
            with pytest.raises(OSError, match="away"):
                await updates.apply_next()
        for _ in range(2):
            await updates.apply_next()

    asyncio.run(job())
    assert [one.amount for one in moved] == ["5", "5"]
    assert len({one.ident for one in moved}) == 2


def test_the_stream_loses_nothing_and_doubles_nothing(url: str, dsn: str, client: Client) -> None:
    stream = keys.MARGIN_UPDATES_STREAM
    client.xadd(stream, {"user_id": "123", "delta": "5"})
    client.xadd(stream, {"message": '{"user_id": "live:123", "delta": "7", "id": "d9", "reason": "funding"}'})
    client.xadd(stream, {"garbage": "x"})

    async def job(store: Store, money: Money) -> None:
        await prepare(store)
        await prepare(store)
        killed = await store.client()
        assert await killed.xreadgroup("marginstream", "bridge", {stream: ">"}, count=2)  # taken by one that died
        assert await read_stream(store, Taken(money.move, "live")) == 3
        assert await read_stream(store, Taken(money.move, "live")) == 0

    with_money(url, dsn, job)
    client.xadd(stream, {"user_id": "123", "delta": "7", "id": "d9", "reason": "funding"})  # said again by its id
    with_money(url, dsn, job_of(1))
    assert ledger(dsn) == [("live:123", "5", "realised_pnl"), ("live:123", "7", "funding")]
    assert wallet(dsn) == "112"


def job_of(count: int) -> Callable[[Store, Money], Awaitable[None]]:
    async def job(store: Store, money: Money) -> None:
        assert await read_stream(store, Taken(money.move, "live")) == count

    return job


def test_an_entry_stays_until_postgres_took_it(single: str, dsn: str) -> None:
    async def away(_: Update) -> bool:
        raise OSError("away")

    async def job(store: Store, money: Money) -> None:
        client = await store.client()
        await prepare(store)
        await client.xadd(keys.MARGIN_UPDATES_STREAM, {"user_id": "123", "delta": "5"})
        for _ in range(2):
            with pytest.raises(OSError, match="away"):
                await read_stream(store, Taken(away, "live"))
        assert await read_stream(store, Taken(money.move, "live")) == 1

    with_money(single, dsn, job)
    assert wallet(dsn) == "105"


def test_one_holds_the_lease_and_the_next_gets_it_when_it_is_given_back(url: str) -> None:
    async def job(store: Store) -> None:
        first, second = Lease(store, keys.MARGIN_UPDATES_LEASE), Lease(store, keys.MARGIN_UPDATES_LEASE)
        assert await first.take()
        assert not await second.take()
        assert await first.take()
        await second.release()  # not its own
        assert not await second.take()
        await first.release()
        assert not first.held
        assert await second.take()

    run(url, job)


def test_who_was_stopped_past_its_lease_hears_nothing_more(single: str, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[object] = []

    async def job(store: Store) -> None:
        lease = Lease(store, keys.MARGIN_UPDATES_LEASE)
        assert await lease.take()
        listening = asyncio.create_task(_hear(store, lease, {keys.MARGIN_UPDATES: heard.append}, None))
        client = await store.client()
        while not await client.publish(keys.MARGIN_UPDATES, "one"):
            await asyncio.sleep(0.01)
        while not heard:
            await asyncio.sleep(0.01)
        later = time.monotonic() + 60
        monkeypatch.setattr(time, "monotonic", lambda: later)  # as after SIGSTOP: messages lie in the socket, the lease is over
        await client.publish(keys.MARGIN_UPDATES, "two")
        await asyncio.wait_for(listening, 10)
        monkeypatch.undo()

    run(single, job)
    assert heard == [b"one"]


def test_reading_and_moving_agree_on_kinds(single: str, dsn: str) -> None:
    async def job(_: Store, money: Money) -> None:
        for number, reason in enumerate(("realised_pnl", "funding", "fee", "whatever")):
            text = f'{{"user_id": 123, "delta": "1", "id": "k{number}", "reason": "{reason}"}}'
            assert await money.move(read_update(text, "live"))

    with_money(single, dsn, job)
    assert [kind for _, _, kind in ledger(dsn)] == ["realised_pnl", "funding", "fee", "realised_pnl"]
