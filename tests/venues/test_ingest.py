"""The ingestion process on a real broker and database: accounts come and go, processes die, facts stay whole."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import aiohttp
import psycopg
from aiokafka import AIOKafkaConsumer, TopicPartition
from msgspec.structs import replace

from schemas import names
from schemas.keys import partition_of
from streams.config import Config
from streams.topics import BY_NAME
from streams.venues import accounts as store
from streams.venues.accounts import NewAccount
from streams.venues.frames import Event
from streams.venues.ingest import Ingest
from streams.venues.leases import owner
from streams.venues.secret import Secret
from streams.venues.simulator.server import Simulator
from streams.venues.vault import Vault, vault_file
from streams.venues.venue import Credentials
from streams.venues.words import State
from tests.venues.folded import Folded, fold
from tests.venues.harness import WAIT_S, running, until

FACTS = (names.ORDER_UPDATES, names.POSITION_UPDATES, names.BALANCE_UPDATES, names.VENUE_MARGIN_CALLS, names.ACCOUNT_CONFIG)


async def register(config: Config, sim: Simulator, name: str) -> str:
    """An account of the simulator under a user of its own; the user's key."""
    account, user = sim.open_account(name), f"live:{name}"
    async with await psycopg.AsyncConnection.connect(config.postgres_dsn, autocommit=True) as connection:
        await store.add(connection, Vault(vault_file(config)), NewAccount(user, name, "binance_usdm"),
                        Credentials(Secret(account.key), Secret(account.secret)))
    return user


async def told(config: Config, user: str) -> list[tuple[int, Event]]:
    """The user's facts on the five topics, in the order of each topic's partition."""
    consumer = AIOKafkaConsumer(bootstrap_servers=config.kafka_bootstrap, enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    try:
        parts = [TopicPartition(topic, partition_of(user.encode(), config.partitions)) for topic in FACTS]
        consumer.assign(parts)
        ends = await consumer.end_offsets(parts)
        found: list[tuple[int, Event]] = []
        while [part for part in parts if await consumer.position(part) < ends[part]]:
            for part, records in (await consumer.getmany(timeout_ms=500)).items():
                for record in records:
                    if record.key == user.encode():
                        message = BY_NAME[part.topic].message()
                        message.ParseFromString(record.value)
                        assert dict(record.headers).get("priority") == (b"CRITICAL" if part.topic == names.VENUE_MARGIN_CALLS else None)
                        found.append((record.timestamp, Event(part.topic, message)))
        return found
    finally:
        await consumer.stop()


async def agreed(config: Config, sim: Simulator, name: str) -> Folded:
    """Waits until the topics amount to the simulator's truth."""
    end = time.monotonic() + WAIT_S
    while True:
        found, truth = fold(await told(config, f"live:{name}"), f"live:{name}"), sim.truth(name)
        account = found.user.accounts.get(name)
        fills = sorted((symbol, trade) for symbol, _, trade in found.fills)
        if account and fills == sorted((symbol, str(trade)) for symbol, trade in truth.fills) and account.balances \
                and account.balances["USDT"].wallet_balance == truth.balances["USDT"] \
                and {one.quantity for one in account.positions.values()} == {amount for amount, _ in truth.positions.values()}:
            return found
        assert time.monotonic() < end, f"expected {truth}, was {account} with {fills}"
        await asyncio.sleep(0.3)


def live(ingest: Ingest, *names_: str) -> Callable[[], bool]:
    return lambda: set(names_) == {name for _, name in ingest.readers} and all(one.session.ready for one in ingest.readers.values())


async def test_accounts_are_added_changed_and_removed_while_it_runs(config: Config, venue: Simulator) -> None:
    await register(config, venue, "a")
    async with running(Ingest(config)) as ingest:
        await until(live(ingest, "a"), "the first is live")
        venue.trade("a", "BTCUSDT", "BUY", "0.1")
        await register(config, venue, "b")
        await until(live(ingest, "a", "b"), "both are live")
        venue.trade("b", "ETHUSDT", "SELL", "1")
        await agreed(config, venue, "a")
        await agreed(config, venue, "b")
        async with await psycopg.AsyncConnection.connect(config.postgres_dsn, autocommit=True) as connection:
            vault, place = Vault(vault_file(config)), NewAccount("live:a", "a", "binance_usdm")
            await store.add(connection, vault, place, Credentials(Secret("wrong"), Secret("wrong")))
            reader = ingest.readers["live:a", "a"]
            await until(lambda: reader.session.state is State.AUTH_FAILED, "refused")
            account = venue.account("a")
            await store.add(connection, vault, place, Credentials(Secret(account.key), Secret(account.secret)))
            await until(lambda: reader.session.ready, "live again")
            await store.remove(connection, "live:b", "b")
        await until(live(ingest, "a"), "the second is gone")


async def test_the_page_shows_what_is(config: Config, venue: Simulator, tmp_path: Path) -> None:
    await register(config, venue, "p")
    async with running(Ingest(config)) as ingest, aiohttp.ClientSession() as http:
        await until(live(ingest, "p"), "live")
        venue.trade("p", "BTCUSDT", "BUY", "0.1")
        await agreed(config, venue, "p")
        url = (tmp_path / "run" / "ingest-one.url").read_text().strip()
        async with http.get(url + "/health") as answer:
            said = await answer.json()
        assert {"status", "activeConnections", "totalReconnects", "messagesReceived", "orderUpdates", "positionUpdates", "balanceUpdates",
                "marginCalls", "accounts"} <= said.keys()
        assert (said["status"], said["activeConnections"], said["accounts"][0]["state"]) == ("ok", 1, "live")
        assert said["orderUpdates"] > 0
        for page, text in (("/readyz", "ready"), ("/healthz", "ok"), ("/metrics", "marginstream_ingest_facts_total")):
            async with http.get(url + page) as answer:
                body = await answer.text()
                assert answer.status == 200
                assert text in body
                assert venue.account("p").key not in body


async def test_two_processes_share_the_accounts_and_one_takes_over(config: Config, venue: Simulator) -> None:
    shares = {worker: [name for name in map("s{}".format, range(50)) if owner((f"live:{name}", name), ["one", "two"]) == worker][:2]
              for worker in ("one", "two")}
    accounts = [*shares["one"], *shares["two"]]
    for name in accounts:
        await register(config, venue, name)
    async with running(Ingest(config)) as one:
        await until(live(one, *accounts), "all at one")
        async with running(Ingest(replace(config, worker_name="two"))) as two:
            await until(live(one, *shares["one"]), "its share")
            await until(live(two, *shares["two"]), "the other share")
            for name in accounts:
                venue.trade(name, "BTCUSDT", "BUY", "0.1")
        await until(live(one, *accounts), "all at one again")
        for name in accounts:
            venue.trade(name, "BTCUSDT", "SELL", "0.05")
        for name in accounts:
            await agreed(config, venue, name)


async def test_a_killed_process_is_followed_by_one_that_misses_nothing(config: Config, venue: Simulator, tmp_path: Path) -> None:
    await register(config, venue, "k")
    environment = {**os.environ, "MARGINSTREAM_KAFKA_BOOTSTRAP": config.kafka_bootstrap, "MARGINSTREAM_POSTGRES_DSN": config.postgres_dsn,
                   "MARGINSTREAM_DATA_DIR": config.data_dir, "MARGINSTREAM_VENUE_HOSTS": config.venue_hosts,
                   "MARGINSTREAM_WORKER_NAME": "one", "MARGINSTREAM_LOG_LEVEL": "DEBUG"}
    command = (sys.executable, "-m", "streams", "ingest")
    with (tmp_path / "log").open("wb") as log:
        for life in range(2):
            process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=log, stderr=log)
            await until(lambda: venue.venues["binance_usdm"].of("k") != [], "connected")
            for _ in range(3):
                venue.trade("k", "BTCUSDT", "BUY", "0.1")
                await asyncio.sleep(0.1)
            process.send_signal(signal.SIGKILL)
            await process.wait()
            venue.trade("k", "ETHUSDT", "SELL", str(1 + life))  # nobody listens
        process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=log, stderr=log)
        await agreed(config, venue, "k")
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 60) == 0
    said = (tmp_path / "log").read_text()
    account = venue.account("k")
    keys = list(json.loads(vault_file(config).read_text())["keys"].values())
    assert [secret for secret in (account.key, account.secret, *keys) if secret in said] == []
    assert "live: epoch 1" in said
