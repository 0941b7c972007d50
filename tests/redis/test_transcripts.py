"""Every `redis-cli` line of the README, run against a Redis that a real bridge mirrors, prints what the README says."""

import asyncio
import subprocess
import threading
import time
from collections.abc import Callable

import psycopg
import pytest
import redis
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from schemas.engine_pb2 import Portfolios, PriceTick, UserState
from streams import topics
from streams.bridges.consume import Status
from streams.bridges.redis_money import Money
from streams.bridges.redis_process import serve
from streams.config import Config
from streams.stack.redis import redis_cli
from tests.redis.states import state
from tests.redis.test_listening import until
from tests.redis.test_updates import wallet
from tests.redis.transcript import README, Said, as_promised, blocks

BLOCKS = blocks(README.read_text(), "redis-cli")
FAMILIES = ("user:{live:123}:config", "user_balance:", "user:{live:123}:v", "user:{live:123}:portfolio", "user_wallets", "user_metadata",
            "symbol_holders:", "QUEUE:MARGIN:CHECK:", "market:EURUSD", "MARGIN_UPDATES ", "MARGIN_UPDATES:stream", "balance_updates",
            "user_stats:", "financial_summary:")


def test_every_family_of_keys_has_a_line() -> None:
    text = "\n".join(" ".join(one.words) for block in BLOCKS for one in block)
    assert [family for family in FAMILIES if family not in text] == []


@pytest.mark.parametrize(("expected", "was", "is_right"), [
    (["a"], ["a"], True), (["a"], ["b"], False), (["a"], [], False), (["<time>"], ["2024-01-15T10:30:00.000Z"], True),
    (["<time>"], ["soon"], False), (['{"t":"<time>"}'], ['{"t":"2024-01-15T10:30:00.000Z"}'], True), (["<id>"], ["1705314600000-0"], True),
    (["a.c"], ["abc"], False)])
def test_a_transcript_can_be_wrong(expected: list[str], was: list[str], *, is_right: bool) -> None:
    assert as_promised(expected, was) == is_right


def story() -> tuple[UserState, UserState]:
    """The user of the README, and behind a deposit of an admin."""
    first = state(1, "250.00", symbols=("EURUSD",))
    first.profile.fields["account_number"] = "A-7"
    house = first.accounts["house"]
    house.margin.since_ms = first.updated_ms
    figures = house.margin.figures
    figures.equity, figures.initial_margin, figures.free_margin = "4730.00", "4480", "250.00"
    figures.margin_level_pct, figures.unrealised_pnl = "105.58", "4480.00"
    second = UserState.FromString(first.SerializeToString())
    second.version, second.updated_ms = 2, first.updated_ms + 5
    second.accounts["house"].balances["USD"].wallet_balance = "350.00"
    second.sequences["admin"].next = 2
    return first, second


class Told:
    """A broker with the topics a Redis bridge reads, and what is put there."""

    def __init__(self, kafka: str) -> None:
        admin = AdminClient({"bootstrap.servers": kafka})
        for done in admin.create_topics([NewTopic(name, 2, 1) for name in (topics.ACCOUNT_STATES, topics.PORTFOLIOS,
                                                                           topics.PRICE_TICKS)]).values():
            try:
                done.result(30)
            except KafkaException as error:
                assert "EXISTS" in str(error)
        self._producer = Producer({"bootstrap.servers": kafka, "partitioner": "murmur2_random"})

    def put(self, topic: str, key: str, message: UserState | PriceTick | Portfolios) -> None:
        self._producer.produce(topic, message.SerializeToString(), key=key.encode())
        assert self._producer.flush(20) == 0


def run(url: str, said: Said, change: Callable[[], None]) -> list[str]:
    """What a line prints; a subscription listens until it heard what it should, of the change."""
    words = [str(redis_cli()), "-u", url, *said.words[1:]]
    if said.words[1] != "SUBSCRIBE":
        return subprocess.run(words, capture_output=True, text=True, timeout=20, check=True).stdout.splitlines()
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as listening:
        assert listening.stdout is not None
        late = threading.Timer(30, listening.kill)
        late.start()
        found = [listening.stdout.readline().rstrip("\n") for _ in range(3)]
        change()
        found += [listening.stdout.readline().rstrip("\n") for _ in said.lines[3:]]
        late.cancel()
        listening.terminate()
    return found


def test_every_line_prints_what_the_readme_says(single: str, dsn: str, kafka: str) -> None:
    config = Config(kafka_bootstrap=kafka, redis_url=single, postgres_dsn=dsn, market_feed="out", app_id=f"r{time.time_ns()}",
                    session_timeout_s=3)
    told, (first, second) = Told(kafka), story()
    wrong: list[str] = []

    def follow() -> None:
        client = redis.Redis.from_url(single, decode_responses=True)
        for name in ("user_stats:live:123", "user_summary:live:123", "user_margin_calc:live:123", "financial_summary:live:123:month"):
            client.set(name, "kept")
        told.put(topics.ACCOUNT_STATES, "live:123", first)
        told.put(topics.PRICE_TICKS, "house:EURUSD", PriceTick(instrument="house:EURUSD", bid="1.0790", ask="1.0792", source="lp"))
        until(lambda: bool(client.hexists("user_wallets", "123") and client.exists("market:EURUSD")
                           and dict(client.pubsub_numsub("MARGIN_UPDATES")).get("MARGIN_UPDATES")))
        for said in (one for block in BLOCKS for one in block):
            if said.words[1] == "EXISTS":
                until(lambda key=said.words[2]: not client.exists(key))  # type: ignore[misc]
            if not as_promised(said.lines, found := run(single, said, lambda: told.put(topics.ACCOUNT_STATES, "live:123", second))):
                wrong.append(f"{' '.join(said.words)}: expected {said.lines}, was {found}")
        until(lambda: wallet(dsn) == "97.5")  # by channel and stream, once
        client.close()

    async def whole() -> None:
        money = Money(dsn)
        await money.create("live:123", {}, "100")
        await money.close()
        stop = asyncio.Event()
        serving = asyncio.create_task(serve(config, Status("redis"), stop))
        try:
            await asyncio.to_thread(follow)
        finally:
            stop.set()
            await asyncio.wait_for(serving, 30)

    asyncio.run(whole())
    assert wrong == []
    with psycopg.connect(dsn) as connection:
        assert connection.execute("SELECT count(*) FROM transactions WHERE source = 'margin_updates'").fetchall() == [(1,)]
