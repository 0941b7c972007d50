"""A bridge ends soon behind its stop, also where what it waits for is not there: a topic, or a store that never answers."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import psycopg
import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from streams import topics
from streams.bridges import postgres, redis_process, relay
from streams.bridges.consume import GRACE_S, Batch, Mirror, Status, consume
from streams.bridges.letters import LeftOut
from streams.config import Config
from tests.bridges.test_outage import send, states_of

END_S = GRACE_S + 7.0
Serve = Callable[[Config, Status, asyncio.Event], Awaitable[None]]


def seconds_to_stop(serve: Serve, config: Config, waits: Callable[[], bool]) -> float:
    """From the stop, said two seconds behind `waits`, to the end."""

    async def whole() -> float:
        stop = asyncio.Event()
        serving = asyncio.ensure_future(serve(config, Status("test"), stop))
        for _ in range(300):
            if await asyncio.to_thread(waits):
                break
            await asyncio.sleep(0.1)
        await asyncio.sleep(2)
        assert not serving.done()
        stop.set()
        began = time.monotonic()
        await asyncio.wait_for(serving, 60)
        return time.monotonic() - began

    return asyncio.run(whole())


@pytest.fixture
def config(kafka: str, dsn: str, cache_url: str) -> Config:
    """A broker without topics."""
    return Config(kafka_bootstrap=kafka, postgres_dsn=dsn, redis_url=cache_url, app_id=f"s{time.time_ns()}", session_timeout_s=3)


@pytest.mark.parametrize("serve", [postgres.serve, redis_process.serve], ids=["postgres", "redis"])
def test_without_its_topics(config: Config, serve: Serve) -> None:
    assert seconds_to_stop(serve, config, lambda: True) < END_S


def test_a_relay_whose_topic_is_missing(config: Config) -> None:
    with psycopg.connect(config.postgres_dsn, autocommit=True) as connection:
        connection.execute("""SELECT create_user('{"user_key": "live:1", "profile": {}, "wallet_balance": "5", "action": "x"}')""")
        assert seconds_to_stop(relay.serve, config, lambda: True) < END_S
        assert connection.execute("SELECT count(*) FROM outbox WHERE published_at IS NULL").fetchall() == [(2,)]


def test_a_store_that_never_answers(config: Config) -> None:
    admin = AdminClient({"bootstrap.servers": config.kafka_bootstrap})
    admin.create_topics([NewTopic(topics.ACCOUNT_STATES, 4, 1)])[topics.ACCOUNT_STATES].result(30)
    taken: list[int] = []

    async def never(batch: Batch) -> list[LeftOut]:
        taken.append(len(batch))
        await asyncio.sleep(3_600)
        return []

    async def serve(given: Config, status: Status, stop: asyncio.Event) -> None:
        await consume(given, Mirror("never", (topics.ACCOUNT_STATES,), never, ()), status, stop)

    send(config, states_of("stop", 1))
    assert seconds_to_stop(serve, config, lambda: bool(taken)) < END_S
    again = list(taken)
    assert seconds_to_stop(serve, config, lambda: len(taken) > len(again)) < END_S  # nothing of it was committed
