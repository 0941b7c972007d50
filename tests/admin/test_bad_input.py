"""Whatever is sent that is no request: a typed error naming the field, and nothing written."""

import pytest
from aiohttp.test_utils import TestClient, TestServer

from streams.admin.app import admin
from streams.admin.desk import Desk
from streams.admin.engine import Workers
from streams.admin.store import Store
from streams.web.tokens import Tokens
from tests.admin.conftest import TABLES, Client, no_vault
from tests.admin.test_money import USER, Database, ask, make_user, post

AMOUNTS = {
    "nan": '{"amount": NaN}', "infinity": '{"amount": Infinity}', "nan text": '{"amount": "NaN"}', "inf text": '{"amount": "-inf"}',
    "huge": '{"amount": "1e15"}', "huge exponent": '{"amount": "1e999999999"}', "long": '{"amount": "' + "9" * 400 + '"}',
    "long number": '{"amount": ' + "9" * 5000 + "}", "too fine": '{"amount": "0.0000000000000000001"}', "zero": '{"amount": "0"}',
    "empty": '{"amount": ""}', "text": '{"amount": "ten"}', "true": '{"amount": true}',
    "null": '{"amount": null}', "list": '{"amount": [1]}', "object": '{"amount": {"a": 1}}', "absent": "{}",
    "comma": '{"amount": "1,5"}', "spaces": '{"amount": " 1 "}',
    "underscore": '{"amount": "1_000"}', "other digits": '{"amount": "١٢"}', "hex": '{"amount": "0x10"}'}


def written(database: Database) -> list[list[tuple[object, ...]]]:
    return [ask(database, f"SELECT count(*) FROM {table}") for table in TABLES.split(", ")]


async def refused(api: Client, path: str, raw: str | bytes, method: str = "POST") -> tuple[int, object, object]:
    answer = await api.request(method, path, data=raw)
    error = (await answer.json())["error"]
    assert set(error) == {"code", "message", "field"} and error["message"]
    return answer.status, error["code"], error["field"]


async def test_an_amount_that_is_none(api: Client, database: Database) -> None:
    await make_user(api)
    before, found = written(database), []
    for name, raw in AMOUNTS.items():
        for move in ("deposits", "withdrawals", "adjustments"):
            status, _, field = await refused(api, f"{USER}/{move}", raw)
            found += [(name, move, status, field)] if (status, field) != (400, "amount") else []
        request = raw.replace("{", '{"user": "live:123", "kind": "deposit", ', 1).replace(", }", "}")
        if (await refused(api, "/api/admin/money-requests", request))[0] != 400:
            found.append((name, "request", 0, None))
    assert found == []
    assert written(database) == before


@pytest.mark.parametrize("amount", ["-1", "-0.01", -5])
async def test_only_an_adjustment_is_signed(api: Client, amount: object) -> None:
    await make_user(api)
    for move, status in (("deposits", 400), ("withdrawals", 400), ("adjustments", 201)):
        assert (await post(api, f"{USER}/{move}", {"amount": amount}))[0] == status


BODIES = {
    "no json": (b"{", "bad_json", None), "list": (b"[]", "bad_json", None), "null": (b"null", "bad_json", None),
    "not utf-8": (b"\xff\xfe", "bad_json", None), "deep": (b"[" * 20_000, "bad_json", None),
    "twice": (b'{"amount": "1", "amount": "2"}', "bad_json", None), "unknown field": (b'{"amount": "1", "x": 1}', "unknown_field", "x"),
    "long": (b'{"amount": "1", "note": "' + b"n" * 70_000 + b'"}', "too_long", None),
    "control characters": (b'{"amount": "1", "note": "a\\u0000b"}', "bad_value", "note"),
    "lone surrogate": (b'{"amount": "1", "note": "\\ud800"}', "bad_value", "note"),
    "asset": (b'{"amount": "1", "asset": "usd; DROP TABLE users"}', "bad_value", "asset"),
    "account": (b'{"amount": "1", "account_id": "../x"}', "bad_value", "account_id"),
    "version": (b'{"amount": "1", "version": 1e3}', "bad_value", "version"),
    "version below 0": (b'{"amount": "1", "version": -1}', "bad_value", "version")}


@pytest.mark.parametrize(("raw", "code", "field"), BODIES.values(), ids=BODIES.keys())
async def test_a_body_that_is_none(api: Client, database: Database, raw: bytes, code: str, field: str | None) -> None:
    await make_user(api)
    before = written(database)
    assert await refused(api, f"{USER}/deposits", raw) == (400, code, field)
    assert written(database) == before


FIELDS: dict[str, list[object]] = {
    "leverage": ["0", "0.5", "-3", "1e5", "NaN", True, None, "ten"], "group": ["", "a b", "x" * 65, 5, None],
    "status": ["", "A", 1, "x" * 33],
    "is_active": ["true", 1, 0, None], "kyc": ["yes", 1], "country_id": [True, None, ["x"], "x" * 201], "name": ["a\nb"],
    "wallet_balance": ["-1", "NaN", "1e15", True, "", None], "version": ["1", -1, 1.5, True], "force": ["true", 1], "color": ["red"],
    "user_id": ["9"], "currency": ["EUR"]}


async def test_a_field_that_cannot_be_changed_to_that(api: Client, database: Database) -> None:
    await make_user(api)
    before, found = written(database), []
    for field, value in ((field, value) for field, values in FIELDS.items() for value in values):
        answer = await api.patch(USER, json={field: value, "risk_tier": "high"})
        error = (await answer.json()).get("error", {})
        if (answer.status, error.get("field")) != (422 if field in {"user_id", "currency"} else 400, field):
            found.append((field, value, answer.status, error))
    assert found == []
    assert written(database) == before


NEW: dict[str, dict[str, object]] = {
    "none": {}, "empty": {"user_id": ""}, "spaces": {"user_id": "a b"}, "braces": {"user_id": "{1}"},
    "other type": {"user_id": "demo:1", "user_type": "live"}, "long": {"user_id": "x" * 129},
    "true": {"user_id": True}, "list": {"user_id": [1]},
    "type": {"user_id": "1", "user_type": "LIVE"}, "two colons": {"user_id": "a:b:c"}}


@pytest.mark.parametrize("body", NEW.values(), ids=NEW.keys())
async def test_a_user_that_cannot_be(api: Client, database: Database, body: dict[str, object]) -> None:
    status, answer = await post(api, "/api/admin/users", body)
    assert (status, answer["error"]["field"] in {"user_id", "user_type"}) == (400, True)  # type: ignore[index]
    assert ask(database, "SELECT count(*) FROM users") == [(0,)]


PAGES = (("GET", "", ""), ("PATCH", "", '{"kyc": true}'), ("POST", "/deposits", '{"amount": "1"}'),
         ("POST", "/withdrawals", '{"amount": "1"}'), ("POST", "/adjustments", '{"amount": "1"}'), ("POST", "/suspend", "{}"),
         ("POST", "/resume", "{}"), ("POST", "/exchange-accounts", '{"venue": "okx_v5"}'), ("DELETE", "/exchange-accounts/a", ""))


@pytest.mark.parametrize(("user", "status"), [("live:404", 404), ("404", 404), ("LIVE:1", 400), ("a%20b", 400)])
async def test_an_unknown_user(api: Client, database: Database, user: str, status: int) -> None:
    before = written(database)
    found = {(method, path): await refused(api, f"/api/admin/users/{user}{path}", body, method) for method, path, body in PAGES}
    assert {page: (answered, field) for page, (answered, _, field) in found.items()} == dict.fromkeys(found, (status, "user"))
    assert written(database) == before


@pytest.mark.parametrize(("method", "path", "status"), [
    ("GET", "/api/admin/nothing", 404), ("PUT", USER, 405), ("POST", f"{USER}/burn", 404),
    ("POST", "/api/admin/money-requests/x/approve", 404),
    ("POST", "/api/admin/money-requests/99999999999999999999/approve", 404), ("POST", "/api/admin/money-requests/1/forget", 404)])
async def test_a_path_that_is_none(api: Client, method: str, path: str, status: int) -> None:
    assert (await refused(api, path, "{}", method))[0] == status


@pytest.mark.parametrize(("header", "value"), [("Idempotency-Key", ""), ("Idempotency-Key", "a b"), ("Idempotency-Key", "x" * 201),
                                               ("X-Actor", ""), ("X-Actor", "x" * 101), ("Idempotency-Key", "schlüssel")])
async def test_a_header_that_is_none(api: Client, database: Database, header: str, value: str) -> None:
    await make_user(api)
    before = written(database)
    answer = await api.post(f"{USER}/deposits", json={"amount": "1"}, headers={header: value})
    assert (answer.status, (await answer.json())["error"]["field"]) == (400, header)
    assert written(database) == before


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer wrong", "Basic c2VjcmV0", "secret", "Bearer secret2"])
async def test_without_the_token_nothing_is_said_or_done(dsn: str, database: Database, authorization: str | None) -> None:
    desk = Desk(Store(dsn), Workers([], ""), "live", no_vault)
    headers = {} if authorization is None else {"Authorization": authorization}
    async with TestClient(TestServer(admin(desk, lambda: (True, ""), Tokens("secret")))) as api:
        for method, path in (("POST", "/api/admin/users"), ("GET", USER), ("PATCH", USER), ("POST", f"{USER}/deposits"),
                             ("GET", "/inspect")):
            answer = await api.request(method, path, json={"user_id": "123", "amount": "1"}, headers=headers)
            assert answer.status == 401 and "secret" not in await answer.text()
        for path in ("/health", "/healthz", "/readyz", "/metrics"):
            assert (await api.get(path)).status == 200
        good = await api.post("/api/admin/users", json={"user_id": "123"}, headers={"Authorization": "Bearer secret"})
        assert good.status == 201
    assert ask(database, "SELECT count(*) FROM users") == [(1,)]


async def test_without_postgres_it_says_so(api: Client) -> None:
    desk = Desk(Store("postgresql://nobody@127.0.0.1:1/none"), Workers([], ""), "live", no_vault)
    async with TestClient(TestServer(admin(desk, lambda: (True, ""), Tokens()))) as away:
        status, body = await post(away, f"{USER}/deposits", {"amount": "1"})
    assert (status, body["error"]["code"]) == (503, "away")  # type: ignore[index]
