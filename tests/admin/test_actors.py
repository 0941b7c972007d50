"""Who did it is whose token it was; what a caller says of itself stands beside it and changes nothing."""

import pytest
from aiohttp.test_utils import TestClient, TestServer

from streams.admin.app import admin
from streams.admin.desk import Desk
from streams.admin.engine import Workers
from streams.admin.store import Store
from streams.web.tokens import NOBODY, Tokens
from tests.admin.conftest import Client, no_vault
from tests.admin.test_money import Database, ask

TOKENS = Tokens("single", "ann:anns,bob:bobs,ann:anns-next")


@pytest.mark.parametrize(("said", "owner"), [
    (b"Bearer single", NOBODY), (b"Bearer anns", "ann"), (b"bearer  anns-next ", "ann"), (b"Bearer bobs", "bob"), (b"Bearer ann", None),
    (b"Bearer ann:anns", None), (b"Basic anns", None), (b"Bearer", None), (b"Bearer ", None), (b"", None), (b"anns", None),
    (b"Bearer anns,bobs", None), (b"Bearer \xff", None)])
def test_a_token_has_an_owner(said: bytes, owner: str | None) -> None:
    assert TOKENS.owner(said) == owner


def test_without_tokens_everybody_is_nobody_in_particular() -> None:
    assert Tokens().owner(b"") == Tokens().owner(b"Bearer x") == NOBODY
    assert not Tokens() and Tokens("x") and Tokens(named="ann:x")
    assert Tokens(named="ann:x").owner(b"") is None


async def _as(api: Client, who: str, path: str, **body: object) -> dict[str, object]:
    headers = {"Authorization": f"Bearer {who}", "X-Actor": "the queen"}
    async with api.post(f"/api/admin/{path}", json=body, headers=headers) as answer:
        assert answer.status in {200, 201}, await answer.text()
        found: dict[str, object] = await answer.json()
        return found


async def test_the_audit_log_says_whose_token_it_was(dsn: str, database: Database) -> None:
    desk = Desk(Store(dsn), Workers([], ""), "live", no_vault)
    async with TestClient(TestServer(admin(desk, lambda: (True, ""), TOKENS))) as api:
        await _as(api, "single", "users", user_id="1", wallet_balance="5")
        await _as(api, "anns", "users/1/deposits", amount="1")
        asked = await _as(api, "anns", "money-requests", user="1", kind="deposit", amount="2")
        done = await _as(api, "bobs", f"money-requests/{asked['id']}/approve")
        await _as(api, "anns-next", "users/1/suspend")
        await _as(api, "bobs", "users/1/exchange-accounts", venue="okx_v5", account_id="x1")
        refused = await api.post("/api/admin/users/1/deposits", json={"amount": "1"}, headers={"X-Actor": "ann"})
        assert refused.status == 401
    assert (asked["requested_by"], done["decided_by"]) == ("ann", "bob")
    assert ask(database, "SELECT actor, action FROM audit_log ORDER BY id") == [
        ("api", "opening"), ("api", "user_created"), ("ann", "deposit"), ("ann", "money_requested"), ("bob", "deposit"),
        ("bob", "money_request_approved"), ("ann", "user_suspend"), ("bob", "exchange_account_added")]
    assert ask(database, "SELECT DISTINCT claimed_actor FROM audit_log") == [("the queen",)]
    assert ask(database, "SELECT count(*) FROM audit_log WHERE detail::text LIKE '%queen%'") == [(0,)]
