"""Liquidations are told to the webhook: signed, once each where it answers, again where it does not."""

import hashlib
import hmac
from collections.abc import AsyncIterator

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from streams.admin.alerts import Alerts, Hook
from streams.admin.store import Store
from streams.venues.secret import Secret
from tests.admin.test_money import Database, ask

ORDERED = """[{"id": "live:1/house/1/s0", "event": "ordered", "user_key": "live:1", "account_id": "house", "episode": 1, "step": 0,
               "detail": {"steps": []}, "created_ms": 1700000000000},
              {"id": "live:1/house/1/s1", "event": "completed", "user_key": "live:1", "account_id": "house", "episode": 1, "step": 1,
               "symbol": "EURUSD", "quantity": 1.50, "realised_pnl": -5, "detail": {}, "created_ms": 1700000000001}]"""


@pytest.fixture
async def store(dsn: str) -> AsyncIterator[Store]:
    found = Store(dsn)
    yield found
    await found.close()


class Receiver:
    """Answers as it is told and keeps what it got."""

    def __init__(self) -> None:
        self.status, self.got = 200, list[tuple[dict[str, object], str, bytes]]()
        self.app = web.Application()
        self.app.add_routes([web.post("/hook", self.take)])

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.got.append((orjson.loads(body), request.headers["X-Marginstream-Signature"], body))
        return web.Response(status=self.status)


@pytest.fixture
async def receiver() -> AsyncIterator[tuple[Receiver, str]]:
    found = Receiver()
    async with TestServer(found.app) as server:
        yield found, str(server.make_url("/hook"))


async def test_a_liquidation_is_told_once_and_signed(store: Store, database: Database, receiver: tuple[Receiver, str]) -> None:
    hook, url = receiver
    alerts = Alerts(store, Hook(url, Secret("whsec")))
    for expected in (2, 0):  # read again: nothing is new
        assert ask(database, f"SELECT record_liquidations('{ORDERED}')") == [(expected,)]
    assert [await alerts.turn(), await alerts.turn()] == [2, 0]
    await alerts.close()
    assert sorted(str(body["id"]) for body, _, _ in hook.got) == ["live:1/house/1/s0/ordered", "live:1/house/1/s1/completed"]
    [completed] = [body for body, _, _ in hook.got if body["kind"] == "liquidation_completed"]
    assert (completed["user"], completed["symbol"], completed["quantity"], completed["realised_pnl"]) == ("live:1", "EURUSD", "1.50", "-5")
    for _, signed, body in hook.got:
        time_part, _, mac = signed.partition(",v1=")
        assert hmac.new(b"whsec", time_part.removeprefix("t=").encode() + b"." + body, hashlib.sha256).hexdigest() == mac
    assert ask(database, "SELECT actor, action FROM audit_log") == [("engine", "liquidation_ordered")]
    assert ask(database, "SELECT count(*) FROM alerts WHERE delivered_at IS NULL") == [(0,)]


@pytest.mark.parametrize("status", [500, 404, 302, 0])
async def test_what_is_not_taken_comes_again_later(store: Store, database: Database, receiver: tuple[Receiver, str], status: int) -> None:
    hook, url = receiver
    hook.status = status or 200
    alerts = Alerts(store, Hook(url if status else "http://127.0.0.1:1/hook", Secret("s")))
    database.execute(f"SELECT record_liquidations('{ORDERED}')".encode())
    assert await alerts.turn() == 2
    assert await alerts.turn() == 0  # not yet
    assert ask(database, "SELECT DISTINCT attempts, last_error <> '', due_at > now() FROM alerts") == [(1, True, True)]
    database.execute("UPDATE alerts SET due_at = now()")
    hook.status = 200
    again = Alerts(store, Hook(url, Secret("s")))
    assert await again.turn() == 2
    assert ask(database, "SELECT count(*) FROM alerts WHERE delivered_at IS NULL") == [(0,)]
    await alerts.close()
    await again.close()


async def test_two_senders_do_not_tell_the_same(store: Store, database: Database, receiver: tuple[Receiver, str]) -> None:
    _, url = receiver
    database.execute(f"SELECT record_liquidations('{ORDERED}')".encode())
    assert len(ask(database, "SELECT id FROM due_alerts(20, '1 minute')")) == 2  # one took them and died
    alerts = Alerts(store, Hook(url, Secret("s")))
    assert await alerts.turn() == 0
    await alerts.close()


def test_an_audit_says_what_differs_and_when_all_was_well(database: Database) -> None:
    assert ask(database, "SELECT run_audit('0')") == [([],)]
    database.execute("INSERT INTO ledger_balances VALUES ('live:1', 'house', 'USD', 5, 1)")
    assert ask(database, "SELECT run_audit('0')") == [(["sum of live:1/house USD: expected 0, was 5"],)]
    assert ask(database, "SELECT last_success_at < ran_at, jsonb_array_length(differences) FROM audits") == [(True, 1)]
    assert ask(database, "SELECT kind, body ->> 'audit' FROM alerts") == [("audit_differences", "ledger")]
