"""Users over HTTP on a real Postgres: created, shown, changed under their version, suspended, with exchange accounts."""

import asyncio
from pathlib import Path

import pytest

from streams.venues.vault import Place, Sealed, Vault
from tests.admin.conftest import TABLES, Client
from tests.admin.test_money import USER, Database, Json, agree, ask, make_user, post
from tests.admin.workers import StandIn


async def patch(api: Client, body: Json, **headers: str) -> tuple[int, Json]:
    answer = await api.patch(USER, json=body, headers={name.replace("_", "-"): value for name, value in headers.items()})
    return answer.status, await answer.json()


async def get(api: Client, path: str = USER) -> tuple[int, Json]:
    answer = await api.get(path)
    return answer.status, await answer.json()


def code(body: Json) -> object:
    return body["error"]["code"]  # type: ignore[index]


async def test_a_user_is_created_once_with_all_its_fields(api: Client, database: Database) -> None:
    fields = {"group": "VIP", "leverage": "50", "status": "active", "is_active": True, "kyc": True, "risk_tier": "high",
              "account_number": "A-1", "country_id": 44, "mam_id": "m", "mam_status": "on", "pam_id": 7, "pam_status": "off",
              "copy_trading_wallet": "12.5", "copytrader_id": "c", "copytrading_status": "active", "currency": "EUR"}
    status, user = await post(api, "/api/admin/users", {"user_id": 123, "user_type": "live", "wallet_balance": "10.10", **fields})
    assert status == 201
    shown = {name: str(value) if isinstance(value, int) and not isinstance(value, bool) else value for name, value in fields.items()}
    assert {name: user[name] for name in shown} == shown
    assert (user["user"], user["wallet_balance"], user["margin"]) == ("live:123", "10.10", "0")
    assert code((await post(api, "/api/admin/users", {"user_id": "live:123"}))[1]) == "user_exists"
    assert (await get(api))[1] == user
    [(profile,)] = ask(database, "SELECT value -> 'profile' FROM outbox WHERE sequence = 1")
    assert profile["fields"]["country_id"] == "44" and profile["currency"] == "EUR"  # type: ignore[index]
    assert ask(database, "SELECT asset FROM transactions") == [("EUR",)]
    agree(database)


CHANGES: dict[str, object] = {
    "group": "VIP", "leverage": "30", "status": "blocked", "is_active": False, "kyc": True, "risk_tier": "high", "account_number": "A-2",
    "country_id": "49", "mam_id": "m1", "mam_status": "on", "pam_id": "p1", "pam_status": "on", "copy_trading_wallet": "5",
    "copytrader_id": "c1", "copytrading_status": "on", "wallet_balance": "77.75"}


@pytest.mark.parametrize("field", CHANGES)
async def test_every_field_can_be_changed(api: Client, database: Database, field: str) -> None:
    await make_user(api)
    status, user = await patch(api, {field: CHANGES[field]})
    assert (status, user[field], user["changed"]) == (200, CHANGES[field], [field])
    differs = f"before ->> '{field}' IS DISTINCT FROM after ->> '{field}'"
    assert ask(database, f"SELECT {differs} FROM audit_log WHERE action = 'user_updated'") == [(True,)]
    agree(database)


async def test_a_changed_wallet_is_an_adjustment_of_the_difference(api: Client, database: Database) -> None:
    await make_user(api)
    assert (await patch(api, {"wallet_balance": "90.25", "note": "fix"}))[0] == 200
    assert ask(database, "SELECT amount::text, kind, balance_after::text, cause FROM transactions WHERE source_sequence = 3") == [
        ("-10.25", "adjustment", "90.25", "fix")]
    assert (await patch(api, {"wallet_balance": "90.25"}))[1]["changed"] == []
    assert ask(database, "SELECT count(*) FROM outbox") == [(3,)]
    agree(database)


@pytest.mark.parametrize("field", ["margin", "net_profit", "equity", "free_margin", "margin_level", "rung", "last_admin_update"])
async def test_what_is_calculated_is_refused(api: Client, database: Database, field: str) -> None:
    await make_user(api)
    status, body = await patch(api, {field: "1", "group": "VIP"})
    assert (status, code(body), body["error"]["field"]) == (422, "derived_field", field)  # type: ignore[index]
    assert ask(database, "SELECT group_name FROM users") == [("standard",)]


async def test_an_old_version_is_refused(api: Client) -> None:
    version = (await make_user(api))["version"]
    assert (await patch(api, {"kyc": True, "version": version}))[0] == 200
    status, body = await patch(api, {"kyc": False, "version": version})
    assert (status, code(body)) == (409, "version_conflict")
    assert (await get(api))[1]["kyc"] is True


async def test_of_editors_at_once_one_wins(api: Client, database: Database) -> None:
    version = (await make_user(api))["version"]
    found = await asyncio.gather(*(patch(api, {"risk_tier": str(number), "version": version}) for number in range(6)))
    assert sorted(status for status, _ in found) == [200] + [409] * 5
    agree(database)


@pytest.mark.parametrize("change", [{"group": "tight"}, {"leverage": "2"}])
async def test_what_would_liquidate_is_shown_and_needs_force(api: Client, workers: StandIn, database: Database, change: Json) -> None:
    await make_user(api)
    workers.after = "liquidation"
    status, shown = await patch(api, {**change, "dry_run": True})
    assert (status, shown["preview"]["house"]["after"]["rung"]) == (200, "liquidation")  # type: ignore[index]
    status, body = await patch(api, change)
    assert (status, code(body)) == (422, "would_liquidate")
    assert ask(database, "SELECT group_name, leverage FROM users") == [("standard", None)]
    assert (await patch(api, {**change, "force": True}))[0] == 200
    workers.away = True
    assert code((await patch(api, {"group": "other"}))[1]) == "cannot_verify"
    workers.away, workers.free_margin = False, None  # the engine knows no facts of the user: nothing to liquidate
    assert (await patch(api, {"group": "other"}))[0] == 200
    agree(database)


async def test_suspended_and_resumed(api: Client, database: Database) -> None:
    await make_user(api)
    for action, status, is_active in (("suspend", "suspended", False), ("resume", "active", True)):
        user = (await post(api, f"{USER}/{action}"))[1]
        assert (user["status"], user["is_active"]) == (status, is_active)
    assert ask(database, "SELECT action FROM audit_log ORDER BY id DESC LIMIT 2") == [("user_resume",), ("user_suspend",)]


async def test_accounts_come_and_go(api: Client, database: Database) -> None:
    await make_user(api)
    path = f"{USER}/exchange-accounts"
    status, account = await post(api, path, {"account_id": "b1", "venue": "binance_usdm", "auto_reduce": True})
    assert (status, account["is_active"], account["execution"]) == (201, True, "external")
    assert code((await post(api, path, {"account_id": "b1", "venue": "okx_v5"}))[1]) == "account_exists"
    assert [one["account_id"] for one in (await get(api, path))[1]["exchange_accounts"]] == ["b1"]  # type: ignore[attr-defined]
    assert (await (await api.delete(f"{path}/b1")).json())["is_active"] is False
    assert (await api.delete(f"{path}/b1")).status == 404
    assert (await post(api, path, {"account_id": "b1", "venue": "okx_v5"}))[0] == 201
    assert ask(database, "SELECT value -> 'exchange_account' ->> 'venue', value ->> 'exchange_account_removed' FROM outbox "
                         "WHERE sequence > 2 ORDER BY id") == [("binance_usdm", None), (None, "b1"), ("okx_v5", None)]
    agree(database)


async def test_credentials_are_sealed_and_never_shown(api: Client, database: Database, tmp_path: Path) -> None:
    await make_user(api)
    path, secret = f"{USER}/exchange-accounts", "s3cr3t-of-the-venue"
    body: Json = {"account_id": "o1", "venue": "okx_v5", "environment": "demo", "api_key": "the-key", "api_secret": secret,
                  "passphrase": "pp"}
    first = await post(api, path, body, Idempotency_Key="k")
    assert (first[0], first[1]["has_credentials"], first[1]["environment"]) == (201, True, "demo")
    assert await post(api, path, body, Idempotency_Key="k") == first
    [(sealed, bound)] = ask(database, "SELECT api_secret_encrypted, passphrase_encrypted FROM exchange_accounts")
    assert isinstance(sealed, bytes) and isinstance(bound, bytes)
    vault, place = Vault(tmp_path / "keys.json"), Place("live:123", "o1", "okx_v5", "api_secret")
    assert vault.open(sealed, place).reveal() == secret
    with pytest.raises(Sealed):
        vault.open(sealed, place._replace(account="o2"))
    everything = [ask(database, f"SELECT t::text FROM {table} t") for table in TABLES.split(", ")]
    assert secret not in str(everything) and "the-key" not in str((await get(api, path))[1])
    status, refused = await post(api, path, {"venue": "okx_v5", "api_secret": secret})
    assert (status, refused["error"]["field"], secret in str(refused)) == (400, "api_key", False)  # type: ignore[index]
    await api.delete(f"{path}/o1")
    gone = ask(database, "SELECT api_key_encrypted, api_secret_encrypted, passphrase_encrypted FROM exchange_accounts")
    assert gone == [(None, None, None)]


async def test_credentials_and_options_of_an_account_in_use_change(api: Client, database: Database, tmp_path: Path) -> None:
    await make_user(api)
    path = f"{USER}/exchange-accounts"
    await post(api, path, {"account_id": "b1", "venue": "binance_usdm", "api_key": "k", "api_secret": "s"})

    async def put(body: Json) -> tuple[int, Json]:
        answer = await api.put(f"{path}/b1", json=body)
        return answer.status, await answer.json()

    status, account = await put({"venue": "binance_usdm", "api_key": "new-key", "api_secret": "new-secret"})
    assert (status, account["has_credentials"], account["execution"]) == (200, True, "external")
    [(sealed, version)] = ask(database, "SELECT api_secret_encrypted, credentials_version FROM exchange_accounts")
    assert isinstance(sealed, bytes)
    assert Vault(tmp_path / "keys.json").open(sealed, Place("live:123", "b1", "binance_usdm", "api_secret")).reveal() == "new-secret"
    assert (await put({"venue": "binance_usdm", "execution": "venue"}))[1]["execution"] == "venue"
    assert ask(database, "SELECT credentials_version, api_secret_encrypted FROM exchange_accounts") == [(version, sealed)]
    assert code((await put({"venue": "okx_v5"}))[1]) == "other_venue"
    assert code((await put({"venue": "binance_usdm", "api_key": "k"}))[1]) == "missing_field"
    assert ask(database, "SELECT value -> 'exchange_account' ->> 'execution' FROM outbox WHERE sequence > 2 ORDER BY id") == [
        ("external",), ("venue",)]
    await api.delete(f"{path}/b1")
    assert (await put({"venue": "binance_usdm", "execution": "external"}))[0] == 404
    agree(database)


async def test_a_state_that_missed_an_admins_change_does_not_undo_it(api: Client, database: Database) -> None:
    await make_user(api)
    await patch(api, {"group": "VIP"})

    def mirror(version: int, seen: int, group: str) -> None:
        state = f"""[{{"user_key": "live:123", "user_type": "live", "user_id": "123", "currency": "USD", "margin": 5, "net_profit": 1,
            "group_name": "{group}", "leverage": null, "status": "active", "is_active": true, "kyc": false, "risk_tier": "",
            "rung": "normal", "fields": {{}}, "sequences": {{"admin": {seen}}}, "generation": 1, "version": {version}, "updated_ms": 1}}]"""
        database.execute(f"SELECT mirror_account_states('{state}', '[]', '[]', '[]')".encode())

    mirror(1, 2, "standard")
    assert ask(database, "SELECT group_name, margin::text, version FROM users") == [("VIP", "5", 1)]
    mirror(2, 3, "VIP")
    mirror(3, 9, "gold")  # an engine that has seen more than this database: its numbers are not given out again
    assert ask(database, "SELECT group_name, sequences FROM users") == [("gold", {"admin": 9})]
    assert (await post(api, f"{USER}/deposits", {"amount": "1"}))[1]["sequence"] == 10
    assert ask(database, "SELECT wallet_balance::text FROM users") == [("101.50",)]


async def test_pages_of_the_workers_are_passed_on(api: Client) -> None:
    assert (await get(api, "/inspect/balances/live:1?limit=5"))[1] == {"table": "balances", "user": "live:1", "q": "limit=5"}


async def test_who_did_what_is_shown(api: Client) -> None:
    await make_user(api)
    await post(api, f"{USER}/deposits", {"amount": "1"}, X_Actor="ann")
    audit = (await get(api, f"{USER}/audit"))[1]["audit"]
    assert isinstance(audit, list)
    newest = audit[0]
    assert (newest["actor"], newest["claimed_actor"], newest["action"]) == ("api", "ann", "deposit")
    assert (newest["before"]["wallet_balance"], newest["after"]["wallet_balance"]) == ("100.50", "101.50")
