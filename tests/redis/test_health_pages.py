"""Every page of `/api/redis-health` and `/api/market/portfolio` at the admin API: servers away, strangers, keys that were spoiled."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec
import psycopg
import pytest
import redis
from aiohttp.test_utils import TestClient, TestServer
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from schemas.engine_pb2 import UserState
from streams.admin.app import admin
from streams.admin.desk import Desk
from streams.admin.engine import Workers
from streams.admin.redis_health import RedisHealth
from streams.admin.store import Store
from streams.bridges.postgres import Postgres
from streams.bridges.redis_money import Money
from streams.cache import keys
from streams.config import Config
from streams.topics import ACCOUNT_STATES
from streams.web.tokens import Tokens
from tests.admin.conftest import Client, no_vault
from tests.bridges.facts import sent
from tests.redis.states import state, write
from tests.web.asking import serving
from tests.web.views import FakeView

T = TypeVar("T")
TOKEN = {"Authorization": "Bearer secret"}
HEALTH, MARKET = "/api/redis-health", "/api/market/portfolio"
PAGES = [("GET", f"{HEALTH}/status"), ("GET", f"{HEALTH}/cluster-info"), ("GET", f"{HEALTH}/user/live:123/consistency"),
         ("POST", f"{HEALTH}/user/live:123/force-refresh"), ("GET", f"{MARKET}/status"), ("GET", f"{MARKET}/dirty-users/live")]
Answer = tuple[int, dict[str, object]]


@pytest.fixture
def config(kafka: str, single: str, dsn: str) -> Config:
    with psycopg.connect(dsn) as connection:
        connection.execute("TRUNCATE users, balances, positions, exchange_accounts")
    wanted = AdminClient({"bootstrap.servers": kafka})
    try:
        wanted.create_topics([NewTopic(ACCOUNT_STATES, 4, 1)])[ACCOUNT_STATES].result(60)
    except KafkaException as error:
        assert "EXISTS" in str(error)
    return Config(kafka_bootstrap=kafka, redis_url=single, postgres_dsn=dsn)


def asked(config: Config, job: Callable[[Client], Awaitable[T]], workers: tuple[str, ...] = ()) -> T:
    """Does `job` with a client of an admin API that has these pages and a token."""

    async def whole() -> T:
        desk = Desk(Store(config.postgres_dsn), Workers(workers, "secret"), "live", no_vault)
        app = admin(desk, lambda: (True, ""), Tokens("secret"), RedisHealth(config, desk.store).routes())
        async with TestClient(TestServer(app)) as client:
            return await job(client)

    return asyncio.run(whole())


def page(config: Config, path: str, method: str = "GET", headers: dict[str, str] | None = None) -> Answer:
    async def job(client: Client) -> Answer:
        async with client.request(method, path, headers=TOKEN if headers is None else headers) as answer:
            return answer.status, await answer.json()

    return asked(config, job)


def tell(config: Config, user: str, balance: str) -> UserState:
    """A user's newest state on the topic, a minute ago: what is flushed every five seconds must be there."""
    told = state(int(time.time() * 1000), balance, user)
    producer = Producer({"bootstrap.servers": config.kafka_bootstrap, "partitioner": "murmur2_random"})
    producer.produce(ACCOUNT_STATES, told.SerializeToString(), user.encode(), timestamp=int(time.time() * 1000) - 60_000)
    assert producer.flush(30) == 0
    return told


def mirrored(config: Config, user: str = "live:123", balance: str = "100.50") -> None:
    """A user in the ledger, on the topic, in Redis and in Postgres."""
    told = tell(config, user, balance)
    write(config.redis_url, told)

    async def into_postgres() -> None:
        money, store = Money(config.postgres_dsn), Postgres(config.postgres_dsn, "live")
        assert await money.create(user, {}, balance)
        told.sequences["admin"].next = 3
        assert await store.write([sent(told)]) == []
        await money.close()
        await store.close()

    asyncio.run(into_postgres())


@pytest.mark.parametrize(("method", "path"), PAGES)
@pytest.mark.parametrize("authorization", [None, "Bearer wrong", "Basic c2VjcmV0"])
def test_a_wrong_token(config: Config, method: str, path: str, authorization: str | None) -> None:
    status, body = page(config, path, method, {} if authorization is None else {"Authorization": authorization})
    if path == f"{MARKET}/status":  # sums that name no user are open; here no worker answers
        assert status == 503
    else:
        assert (status, body["error"]["code"]) == (401, "unauthorized")  # type: ignore[index]


@pytest.mark.parametrize(("user", "status", "code"), [("live:404", 404, "unknown_user"), ("404", 404, "unknown_user"),
                                                      ("LIVE:1", 400, "bad_user"), ("a%20b", 400, "bad_user"), ("a:b:c", 400, "bad_user"),
                                                      ("123?user_type=LIVE", 400, "bad_user"), ("123?user_type=demo", 404, "unknown_user")])
def test_an_unknown_user(config: Config, user: str, status: int, code: str) -> None:
    name, _, query = user.partition("?")
    for method, what in (("GET", "consistency"), ("POST", "force-refresh")):
        found, body = page(config, f"{HEALTH}/user/{name}/{what}?{query}", method)
        assert (found, body["error"]["code"], body["error"]["field"]) == (status, code, "user")  # type: ignore[index]
    with redis.Redis.from_url(config.redis_url) as client:
        assert client.dbsize() == 0


def test_the_status_says_whether_the_mirror_keeps_up(config: Config) -> None:
    mirrored(config)
    status, body = page(config, f"{HEALTH}/status")
    assert (status, body["status"], body["mirror"], body["user_wallets"]) == (200, "degraded", {"alive": False, "said_ms": None}, 1)
    with redis.Redis.from_url(config.redis_url) as client:
        client.set(keys.MIRROR_ALIVE, 1_705_314_600_000)
    status, body = page(config, f"{HEALTH}/status")
    assert (body["status"], body["mirror"]) == ("ok", {"alive": True, "said_ms": 1_705_314_600_000})
    assert isinstance(body["ping_us"], int)


def test_a_single_server_and_a_cluster_are_told_apart(config: Config, three_servers: str) -> None:
    _, single = page(config, f"{HEALTH}/cluster-info")
    _, cluster = page(msgspec.structs.replace(config, redis_url=three_servers), f"{HEALTH}/cluster-info")
    assert (single["mode"], single["state"], single["slots_covered"]) == ("single", "ok", 16_384)
    assert (cluster["mode"], cluster["state"], cluster["slots_covered"]) == ("cluster", "ok", 16_384)
    nodes = [found["nodes"] for found in (single, cluster)]
    assert [len(one) for one in nodes] == [1, 3]  # type: ignore[arg-type]
    assert all(node["version"] and node["role"] == "master" for one in nodes for node in one)  # type: ignore[attr-defined]


SPOILED = {
    "wallet": ("user:{live:123}:config", "wallet_balance", "666", "redis: live:123 wallet_balance: expected 100.5, was 666"),
    "group": ("user:{live:123}:config", "group", "VIP", "redis: live:123 group: expected standard, was VIP"),
    "no number": ("user:{live:123}:config", "margin", "lots", "redis: live:123 margin: expected 0, was lots"),
    "shared": ("user_wallets", "123", "1", "redis: user_wallets: expected 100.5, was 1")}


@pytest.mark.parametrize(("key", "field", "text", "line"), SPOILED.values(), ids=SPOILED.keys())
def test_a_spoiled_key_is_seen_and_a_refresh_heals_it(config: Config, key: str, field: str, text: str, line: str) -> None:
    mirrored(config)
    status, body = page(config, f"{HEALTH}/user/123/consistency")
    assert (status, body["consistent"], body["differences"], body["behind"], body["ledger_balance"]) == (200, True, [], [], "100.5")
    assert len(set(body["versions"].values())) == 1 and len(body["versions"]) == 3  # type: ignore[attr-defined,arg-type]
    with redis.Redis.from_url(config.redis_url) as client:
        client.hset(key, field, text)
    _, body = page(config, f"{HEALTH}/user/123/consistency?user_type=live")
    assert (body["consistent"], body["differences"]) == (False, [line])
    status, body = page(config, f"{HEALTH}/user/live:123/force-refresh", "POST")
    assert (status, body["refreshed"], body["user"]) == (200, True, "live:123")
    assert page(config, f"{HEALTH}/user/123/consistency")[1]["consistent"] is True


def test_what_only_postgres_has_wrong_is_seen(config: Config) -> None:
    mirrored(config)
    with psycopg.connect(config.postgres_dsn) as connection:
        connection.execute("UPDATE balances SET wallet_balance = 1")
        connection.execute("UPDATE users SET version = 7")
    _, body = page(config, f"{HEALTH}/user/123/consistency")
    assert (body["consistent"], body["behind"]) == (False, ["postgres"])
    assert "postgres: live:123 balance/house/USD: expected 100.5, was 1" in body["differences"]  # type: ignore[operator]


def test_a_user_that_redis_lost_is_there_after_a_refresh(config: Config) -> None:
    mirrored(config)
    with redis.Redis.from_url(config.redis_url, decode_responses=True) as client:
        client.flushdb()
        assert page(config, f"{HEALTH}/user/123/consistency")[1]["behind"] == ["redis"]
        page(config, f"{HEALTH}/user/123/force-refresh", "POST")
        assert client.get("user_balance:live:123") == client.hget("user_wallets", "123") == "100.50"


def test_a_key_of_a_refresh_is_answered_as_before(config: Config) -> None:
    """For one user only, and only what was done: what failed, or had no good key, may be asked again."""
    mirrored(config)
    mirrored(config, "live:124")

    def refreshed(user: str, key: str, away: str = "") -> tuple[int, object, str | None]:
        async def job(client: Client) -> tuple[int, object, str | None]:
            async with client.post(f"{HEALTH}/user/{user}/force-refresh", headers=TOKEN | {"Idempotency-Key": key}) as answer:
                body = await answer.json()
                return answer.status, body.get("version") or body["error"]["code"], answer.headers.get("Idempotency-Replayed")

        return asked(msgspec.structs.replace(config, **{away: "redis://127.0.0.1:1/0"}) if away else config, job)

    key = f"k-{time.time_ns()}"
    assert refreshed("live:123", key, "redis_url") == (503, "away", None)
    first = refreshed("123", key)
    assert first[0] == 200 and first[2] is None
    tell(config, "live:123", "7")  # who asks again is answered as before
    assert refreshed("live:123", f"{key}-2")[1] != first[1]
    assert refreshed("123", key) == (200, first[1], "true")
    assert refreshed("live:124", key) == (409, "idempotency_conflict", None)
    assert refreshed("live:123", "a b") == (400, "bad_idempotency_key", None)
    with redis.Redis.from_url(config.redis_url) as client:
        client.hset("user:{live:123}:config", "group", "VIP")
        assert refreshed("123", key)[2] == "true"
        assert client.hget("user:{live:123}:config", "group") == b"VIP"  # answered, not done again


def test_a_key_needs_postgres_a_refresh_without_one_does_not(config: Config) -> None:
    mirrored(config)
    cut = msgspec.structs.replace(config, postgres_dsn="postgresql://nobody@127.0.0.1:1/none")
    path = f"{HEALTH}/user/live:123/force-refresh"
    assert page(cut, path, "POST")[0] == 200
    status, body = page(cut, path, "POST", TOKEN | {"Idempotency-Key": "k"})
    assert (status, body["error"]["code"]) == (503, "away")  # type: ignore[index]


AWAY = {
    "redis": ("redis_url", "redis://127.0.0.1:1/0", {"status": 200, "cluster-info": 503, "consistency": 200, "force-refresh": 503}),
    "postgres": ("postgres_dsn", "postgresql://nobody@127.0.0.1:1/none",
                 {"status": 200, "cluster-info": 200, "consistency": 200, "force-refresh": 200}),
    "kafka": ("kafka_bootstrap", "127.0.0.1:1", {"status": 200, "cluster-info": 200, "consistency": 503, "force-refresh": 503})}


@pytest.mark.parametrize(("setting", "address", "expected"), AWAY.values(), ids=AWAY.keys())
def test_with_a_server_away(config: Config, setting: str, address: str, expected: dict[str, int]) -> None:
    mirrored(config)
    cut, found = msgspec.structs.replace(config, **{setting: address}), {}
    for method, path in PAGES[:4]:
        name = path.rpartition("/")[2]
        status, body = page(cut, path, method)
        found[name] = status
        if status == 503:
            assert body["error"]["code"] == "away"  # type: ignore[index]
        elif name == "consistency":
            lines = [line for line in body["differences"] if "expected an answer" in line]  # type: ignore[attr-defined]
            assert body["consistent"] is False and lines and all(setting[:5] in line or "ledger" in line for line in lines)
        elif name == "status" and setting == "redis_url":
            assert body["status"] == "away"
    assert found == expected


def test_pages_of_the_portfolio_come_through_and_say_where_nobody_answers(config: Config) -> None:
    for _, path in PAGES[4:]:
        status, body = page(config, path)
        assert (status, body["error"]["code"]) == (503, "unreachable")  # type: ignore[index]

    async def job() -> list[Answer]:
        view = FakeView("worker-0")
        view.waiting = ["live:1", "demo:2"]
        found = []
        async with serving(view, token="secret") as [runner]:
            desk = Desk(Store(config.postgres_dsn), Workers((runner.url,), "secret"), "live", no_vault)
            async with TestClient(TestServer(admin(desk, lambda: (True, ""), Tokens("secret")))) as client:
                for path in ("status", "dirty-users/live", "dirty-users/vip", "dirty-users/live?limit=0", "nothing"):
                    answer = await client.get(f"{MARKET}/{path}", headers=TOKEN)
                    found.append((answer.status, await answer.json()))
        return found

    sums, live, vip, bad, nothing = asyncio.run(job())
    assert sums[0] == 200 and sums[1].keys() >= {
        "symbols_processed", "users_affected_total", "dirty_users_live", "dirty_users_demo", "uptime_seconds", "is_running", "errors"}
    assert (live[1]["users"], vip[1]["users"]) == (["live:1"], [])
    assert (bad[0], nothing[0]) == (400, 404)
