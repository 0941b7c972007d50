"""Bad input on every endpoint that the router knows: a typed error naming the field, nothing written. A new endpoint needs rows here."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer

from streams.admin.app import admin
from streams.admin.desk import Desk
from streams.admin.engine import Workers
from streams.admin.redis_health import RedisHealth
from streams.admin.rules import RulesPage
from streams.admin.store import Store
from streams.config import Config
from streams.venues.vault import Vault, add_key
from streams.web.tokens import Tokens
from tests.admin.conftest import Client
from tests.admin.endpoints import EACH, ENDPOINTS, OPEN, REFUSED, USER, WRITES, WRONG, Endpoint
from tests.admin.test_bad_input import written
from tests.admin.test_money import Database, ask
from tests.admin.workers import StandIn

BODIES = {"no json": b"{", "list": b"[]", "null": b"null", "text": b'"x"', "number": b"1", "not utf-8": b"\xff\xfe", "deep": b"[" * 20_000,
          "twice": b'{"note": "a", "note": "b"}', "unknown": b'{"nobody_knows_it": 1}', "bare nan": b'{"note": NaN}',
          "long": b'{"note": "' + b"n" * 2_000_000 + b'"}', "nul": b"\x00"}
TOKEN = {"Authorization": "Bearer secret"}
_NAMES = [f"{method} {one.path}" for method, one in WRITES]


@pytest.fixture
async def api(dsn: str, workers: StandIn, tmp_path: Path) -> AsyncIterator[Client]:
    """With a user, a pending request and an exchange account; Kafka and Redis are nowhere."""
    add_key(tmp_path / "keys.json")
    config = Config(postgres_dsn=dsn, redis_url="redis://127.0.0.1:1/0", kafka_bootstrap="127.0.0.1:1")
    desk = Desk(Store(dsn), Workers([workers.url], ""), "live", lambda: Vault(tmp_path / "keys.json"))
    app = admin(desk, lambda: (True, ""), Tokens("secret"), RulesPage(config).routes() + RedisHealth(config, desk.store).routes())
    async with TestClient(TestServer(app), headers=TOKEN) as client:
        assert (await client.post("/api/admin/users", json={"user_id": "123", "wallet_balance": "100.50"})).status == 201
        wanted = {"user": "live:123", "kind": "deposit", "amount": "1"}
        assert (await client.post("/api/admin/money-requests", json=wanted)).status == 201
        assert (await client.post(f"{USER}/exchange-accounts", json={"venue": "okx_v5", "account_id": "x1"})).status == 201
        yield client


def test_every_endpoint_has_rows() -> None:
    desk = Desk(Store(""), Workers([], ""), "live", lambda: Vault(Path("none")))
    app = admin(desk, lambda: (True, ""), Tokens(), RulesPage(Config()).routes() + RedisHealth(Config(), desk.store).routes())
    known = {(route.method, route.resource.canonical) for route in app.router.routes() if route.resource and route.method != "HEAD"}
    assert {page for page in known if page[1] not in OPEN} == set(ENDPOINTS)


def path_of(one: Endpoint, database: Database) -> str:
    [(ident,)] = ask(database, "SELECT max(id) FROM money_requests")
    return one.path.replace("{id}", str(ident))


async def refused(api: Client, method: str, path: str, raw: bytes, **headers: str) -> tuple[int, object, object]:
    """(status, code, field) of a refusal in the one shape."""
    async with api.request(method, path, data=raw or None, headers=headers) as answer:
        body = await answer.json()
        assert set(body) == {"error"}, (method, path, raw[:80], answer.status, body)
        assert set(body["error"]) == {"code", "message", "field"} and body["error"]["message"]
        return answer.status, body["error"]["code"], body["error"]["field"]


@pytest.mark.parametrize(("method", "one"), WRITES, ids=_NAMES)
async def test_a_body_that_is_none(api: Client, database: Database, method: str, one: Endpoint) -> None:
    path, before = path_of(one, database), written(database)
    found = {name: (await refused(api, method, path, raw))[0] for name, raw in BODIES.items()}
    assert set(found.values()) <= {400, 413}, found
    assert written(database) == before


@pytest.mark.parametrize(("method", "one"), WRITES, ids=_NAMES)
async def test_a_field_that_cannot_be_that(api: Client, database: Database, method: str, one: Endpoint) -> None:
    path, before, wrong = path_of(one, database), written(database), []
    for field, kind in one.fields.items():
        for value in WRONG[kind]:
            body = {**(one.good or {}), field: value}
            status, _, named = await refused(api, method, path, json.dumps(body).encode())
            wrong += [(field, value, status, named)] if (status, named) != (REFUSED.get(kind, 400), field) else []
    assert wrong == []
    assert written(database) == before


@pytest.mark.parametrize(("method", "one"), WRITES, ids=_NAMES)
async def test_no_field_is_without_a_kind(api: Client, method: str, one: Endpoint) -> None:
    """What the endpoint says it knows is what its row has."""
    if method == "PUT" and "/rules/" in one.path:
        return  # a message of protobuf: the fields are the .proto's
    async with api.request(method, one.path.replace("{id}", "1"), json={"nobody_knows_it": 1}) as answer:
        message = (await answer.json())["error"]["message"]
    known = set(message.partition("expected one of ")[2].split(", "))
    assert known == set(one.fields) | ({"user_id"} if "money-requests" in one.path and one.status == 201 else set())


@pytest.mark.parametrize("said", ["", "Bearer", "Bearer wrong", "Bearer secret2", "Basic c2VjcmV0", "secret"])
async def test_a_wrong_token(api: Client, database: Database, said: str) -> None:
    before, let_in = written(database), []
    for method, one in EACH:
        raw = json.dumps(one.good).encode() if one.good is not None else b""
        if (await refused(api, method, path_of(one, database), raw, Authorization=said))[:2] != (401, "unauthorized"):
            let_in.append((method, one.path))
    assert let_in == []
    assert written(database) == before


_OF_USERS = [(method, one) for method, one in EACH if "live:123" in one.path and "redis-health" not in one.path
             and not one.path.startswith(("/inspect", "/api/market"))]


@pytest.mark.parametrize(("method", "one"), _OF_USERS, ids=[f"{method} {one.path}" for method, one in _OF_USERS])
async def test_an_unknown_user(api: Client, database: Database, method: str, one: Endpoint) -> None:
    before, raw = written(database), json.dumps(one.good).encode() if one.good is not None else b""
    for user, status in (("live:404", 404), ("404", 404), ("demo:123", 404), ("LIVE:1", 400), ("a%20b", 400), ("a:b:c", 400)):
        found = await refused(api, method, one.path.replace("live:123", user), raw)
        assert (found[0], found[2]) == (status, "user"), user
    assert written(database) == before


_PATHS = [("POST", "/api/admin/money-requests/x/approve", 404), ("POST", "/api/admin/money-requests/-1/reject", 404),
          ("POST", f"/api/admin/money-requests/{'9' * 20}/approve", 404), ("POST", "/api/admin/money-requests/999999/approve", 404),
          ("POST", "/api/admin/money-requests/1/forget", 404), ("POST", f"{USER}/burn", 404), ("PUT", f"{USER}/exchange-accounts/x7", 404),
          ("DELETE", f"{USER}/exchange-accounts/x7", 404), ("DELETE", f"{USER}/exchange-accounts/..%2Fx", 404), ("PUT", USER, 405),
          ("DELETE", USER, 405), ("PUT", "/api/admin/rules/", 404), ("GET", "/api/admin/nothing", 404)]


@pytest.mark.parametrize(("method", "path", "status"), _PATHS)
async def test_a_path_that_is_none(api: Client, database: Database, method: str, path: str, status: int) -> None:
    before = written(database)
    raw = b'{"venue": "okx_v5"}' if method == "PUT" else b"{}" if method == "POST" else b""
    assert (await refused(api, method, path, raw))[0] == status
    assert written(database) == before


_KEYED = [(method, one) for method, one in EACH if one.keyed]


@pytest.mark.parametrize(("method", "one"), _KEYED, ids=[f"{method} {one.path}" for method, one in _KEYED])
async def test_a_key_is_for_one_request(api: Client, database: Database, method: str, one: Endpoint) -> None:
    path, headers = path_of(one, database), {"Idempotency-Key": "k1"}
    raw = json.dumps(one.good).encode() if one.good is not None else b""
    async with api.request(method, path, data=raw or None, headers=headers) as first:
        assert first.status == (one.status or 200), await first.text()
        body = await first.json()
    after = written(database)
    async with api.request(method, path, data=raw or None, headers=headers) as again:
        assert (again.status, await again.json(), again.headers["Idempotency-Replayed"]) == (first.status, body, "true")
    other = json.dumps(one.other).encode() if one.other is not None else b""
    elsewhere = path if one.other is not None else path.replace("x1", "x2")
    assert (await refused(api, method, elsewhere, other, **headers))[:2] == (409, "idempotency_conflict")
    assert written(database) == after


@pytest.mark.parametrize(("method", "one"), _KEYED, ids=[f"{method} {one.path}" for method, one in _KEYED])
async def test_a_header_that_is_none(api: Client, database: Database, method: str, one: Endpoint) -> None:
    before, raw = written(database), json.dumps(one.good).encode() if one.good is not None else b""
    for name, value in (("Idempotency-Key", ""), ("Idempotency-Key", "a b"), ("Idempotency-Key", "x" * 201), ("X-Actor", ""),
                        ("X-Actor", "x" * 101), ("X-Actor", "\u00fc\u0661")):
        assert await refused(api, method, path_of(one, database), raw, **{name: value}) in {
            (400, "bad_idempotency_key", name), (400, "bad_actor", name)}
    assert written(database) == before
