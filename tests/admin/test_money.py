"""The money path over HTTP on a real Postgres: each operation wholly there or not at all, once, and to the last digit."""

import asyncio
from decimal import Decimal

import psycopg
import pytest

from tests.admin.conftest import Client
from tests.admin.workers import StandIn

Database = psycopg.Connection[tuple[object, ...]]
Json = dict[str, object]
USER = "/api/admin/users/live:123"


def ask(database: Database, query: str) -> list[tuple[object, ...]]:
    return database.execute(query.encode()).fetchall()


async def post(api: Client, path: str, body: Json | None = None, **headers: str) -> tuple[int, Json]:
    answer = await api.post(path, json=body or {}, headers={name.replace("_", "-"): value for name, value in headers.items()})
    return answer.status, await answer.json()


async def make_user(api: Client, wallet: str = "100.50") -> Json:
    status, user = await post(api, "/api/admin/users", {"user_id": "123", "wallet_balance": wallet})
    assert status == 201
    return user


def agree(database: Database) -> None:
    """Ledger, its sums and wallets: to the last digit, for every user; outbox numbers without a gap; an audit row an operation."""
    assert ask(database, """
        SELECT u.user_key, u.wallet_balance, sum(t.amount) FROM users u LEFT JOIN transactions t
            ON (t.user_key, t.account_id, t.asset) = (u.user_key, 'house', u.currency)
        GROUP BY u.user_key HAVING u.wallet_balance IS DISTINCT FROM coalesce(sum(t.amount), 0)""") == []
    assert ask(database, """
        SELECT * FROM ledger_balances l
        FULL JOIN (SELECT user_key, account_id, asset, sum(amount) AS total FROM transactions GROUP BY 1, 2, 3) t
            USING (user_key, account_id, asset) WHERE l.balance IS DISTINCT FROM t.total""") == []
    assert ask(database, """
        SELECT user_key, source FROM outbox GROUP BY 1, 2 HAVING count(*) <> max(sequence) OR min(sequence) <> 1""") == []


async def test_an_operation_is_ledger_wallet_outbox_and_audit(api: Client, database: Database) -> None:
    await make_user(api)
    status, entry = await post(api, f"{USER}/deposits", {"amount": "0.25", "note": "wire"}, X_Actor="ann")
    assert status == 201
    assert {name: entry[name] for name in ("amount", "balance_after", "kind", "sequence", "delta_id", "asset", "account_id")} == {
        "amount": "0.25", "balance_after": "100.75", "kind": "deposit", "sequence": 3, "delta_id": "admin/3/3", "asset": "USD",
        "account_id": "house"}
    assert ask(database, "SELECT wallet_balance::text, revision FROM users") == [("100.75", 3)]
    assert ask(database, "SELECT sequence, topic, value ->> 'kind', value ->> 'amount', value ->> 'source' FROM outbox ORDER BY id") == [
        (1, "account-updates", None, None, "admin"), (2, "wallet-deltas", "OPENING", "100.50", "admin"),
        (3, "wallet-deltas", "DEPOSIT", "0.25", "admin")]
    assert ask(database, """SELECT actor, claimed_actor, action, before ->> 'wallet_balance', after ->> 'wallet_balance' FROM audit_log
                            WHERE action = 'deposit'""") == [("api", "ann", "deposit", "100.50", "100.75")]
    agree(database)


@pytest.mark.parametrize(("free_margin", "seen", "amount", "status", "code"), [
    ("1000", 1_000, "100.50", 201, None),
    ("1000", 1_000, "100.51", 422, "insufficient_balance"),
    ("40", 1_000, "40", 201, None),
    ("40", 1_000, "40.000000000000000001", 422, "insufficient_margin"),
    (None, 1_000, "1", 409, "cannot_verify"),
])
async def test_a_withdrawal_needs_balance_and_free_margin(
    api: Client, database: Database, workers: StandIn, free_margin: str | None, seen: int, amount: str, status: int, code: str | None
) -> None:
    await make_user(api)
    workers.free_margin, workers.seen = free_margin, seen
    found, body = await post(api, f"{USER}/withdrawals", {"amount": amount})
    assert (found, body.get("error", {}).get("code")) == (status, code)  # type: ignore[attr-defined]
    assert ask(database, "SELECT count(*) FROM transactions WHERE kind = 'withdrawal'") == [(int(status == 201),)]
    agree(database)


async def test_what_left_after_the_engine_looked_comes_off(api: Client, workers: StandIn) -> None:
    await make_user(api, "100")
    workers.free_margin, workers.seen = "60", 3  # profile and opening are folded, nothing after
    assert (await post(api, f"{USER}/withdrawals", {"amount": "40"}))[0] == 201
    assert (await post(api, f"{USER}/deposits", {"amount": "30"}))[0] == 201  # not seen yet: counts for nothing
    status, body = await post(api, f"{USER}/withdrawals", {"amount": "20.01"})
    assert (status, body["error"]["code"]) == (422, "insufficient_margin")  # type: ignore[index]
    assert (await post(api, f"{USER}/withdrawals", {"amount": "20"}))[0] == 201
    workers.free_margin, workers.seen = "70", 6
    assert (await post(api, f"{USER}/withdrawals", {"amount": "70"}))[0] == 201


@pytest.mark.parametrize("doubt", ["away", "stale"])
async def test_without_the_engine_nothing_is_paid_out(api: Client, workers: StandIn, database: Database, doubt: str) -> None:
    await make_user(api)
    workers.away, workers.reasons = doubt == "away", ["stale_mark:house:EURUSD"] if doubt == "stale" else []
    status, body = await post(api, f"{USER}/withdrawals", {"amount": "1"})
    assert (status, body["error"]["code"]) == (409, "cannot_verify")  # type: ignore[index]
    assert (await post(api, f"{USER}/deposits", {"amount": "1"}))[0] == 201
    agree(database)


async def test_withdrawals_at_once_never_pay_out_more_than_there_is(api: Client, workers: StandIn, database: Database) -> None:
    await make_user(api, "100")
    workers.free_margin, workers.seen = "100", 3
    found = await asyncio.gather(*(post(api, f"{USER}/withdrawals", {"amount": "30"}) for _ in range(12)))
    assert sorted(status for status, _ in found) == [201] * 3 + [422] * 9
    assert ask(database, "SELECT wallet_balance::text FROM users") == [("10",)]
    agree(database)


async def test_a_key_is_answered_once(api: Client, workers: StandIn, database: Database) -> None:
    await make_user(api)
    found = await asyncio.gather(*(post(api, f"{USER}/deposits", {"amount": "5"}, Idempotency_Key="k1") for _ in range(8)))
    assert [status for status, _ in found] == [201] * 8
    assert all(body == found[0][1] for _, body in found)
    assert ask(database, "SELECT count(*) FROM transactions WHERE kind = 'deposit'") == [(1,)]
    for path, amount in ((f"{USER}/deposits", "6"), (f"{USER}/adjustments", "5")):
        status, body = await post(api, path, {"amount": amount}, Idempotency_Key="k1")
        assert (status, body["error"]["code"]) == (409, "idempotency_conflict")  # type: ignore[index]
    wanted: Json = {"user_id": 123, "kind": "deposit", "amount": "1"}
    asked = [await post(api, "/api/admin/money-requests", wanted, Idempotency_Key="k3", X_Actor=who) for who in ("ann", "bob")]
    assert asked[0] == asked[1]
    first = await post(api, f"{USER}/withdrawals", {"amount": "1"}, Idempotency_Key="k2")
    workers.away = True
    assert await post(api, f"{USER}/withdrawals", {"amount": "1"}, Idempotency_Key="k2") == first
    agree(database)


async def test_a_refused_request_leaves_its_key_free(api: Client, workers: StandIn) -> None:
    await make_user(api)
    workers.away = True
    assert (await post(api, f"{USER}/withdrawals", {"amount": "1"}, Idempotency_Key="k"))[0] == 409
    workers.away = False
    assert (await post(api, f"{USER}/withdrawals", {"amount": "1"}, Idempotency_Key="k"))[0] == 201


async def test_a_request_is_decided_once(api: Client, workers: StandIn, database: Database) -> None:
    await make_user(api)
    _, asked = await post(api, "/api/admin/money-requests", {"user": "live:123", "kind": "withdrawal", "amount": "60"})
    assert (asked["status"], asked["requested_by"]) == ("pending", "api")
    path = f"/api/admin/money-requests/{asked['id']}"
    workers.away = True
    assert (await post(api, f"{path}/approve"))[0] == 409
    workers.away = False
    found = await asyncio.gather(*(post(api, f"{path}/approve", X_Actor="ann") for _ in range(5)))
    assert sorted(status for status, _ in found) == [200, 409, 409, 409, 409]
    assert (await post(api, f"{path}/reject"))[0] == 409
    assert ask(database, "SELECT wallet_balance::text FROM users") == [("40.50",)]
    assert ask(database, "SELECT status, decided_by, delta_id FROM money_requests") == [
        ("approved", "api", f"admin/3/request-{asked['id']}")]
    _, other = await post(api, "/api/admin/money-requests", {"user": "123", "kind": "deposit", "amount": "9"})
    assert (await post(api, f"/api/admin/money-requests/{other['id']}/reject", {"reason": "why"}))[1]["reason"] == "why"
    assert (await post(api, "/api/admin/money-requests/999999/approve"))[0] == 404
    agree(database)


async def test_a_wallet_is_the_sum_whatever_is_written_to_it(api: Client, database: Database) -> None:
    await make_user(api)
    database.execute("UPDATE users SET wallet_balance = 1000000")
    assert ask(database, "SELECT wallet_balance::text FROM users") == [("100.50",)]
    for statement in ("UPDATE transactions SET amount = 1", "DELETE FROM transactions", "DELETE FROM audit_log"):
        with pytest.raises(psycopg.errors.RestrictViolation, match="expected rows to be added only"):
            database.execute(statement)
    agree(database)


async def test_what_the_engine_tells_is_booked_once_and_an_admins_row_is_left(api: Client, database: Database) -> None:
    await make_user(api)
    await post(api, f"{USER}/deposits", {"amount": "5"})
    told = """[{"user_key": "live:123", "account_id": "house", "delta_id": "admin/3/3", "asset": "USD", "amount": 5, "kind": "deposit",
                "source": "admin", "source_sequence": 3, "cause": "", "balance_after": 999, "created_ms": 1},
               {"user_key": "live:123", "account_id": "house", "delta_id": "fill/1", "asset": "USD", "amount": -0.1, "kind": "fee",
                "source": "", "cause": "", "created_ms": 1},
               {"user_key": "live:9", "account_id": "house", "delta_id": "fill/1", "asset": "USD", "amount": 7, "kind": "fee",
                "source": "", "cause": "", "created_ms": 1}]"""
    for expected in (2, 0):
        assert ask(database, f"SELECT record_transactions('{told}')") == [(expected,)]
    assert ask(database, "SELECT user_key, wallet_balance::text FROM users ORDER BY 1") == [("live:123", "105.40"), ("live:9", "7")]
    assert ask(database, "SELECT balance_after::text FROM transactions WHERE delta_id = 'admin/3/3'") == [("105.50",)]
    agree(database)


async def test_amounts_keep_every_digit(api: Client, database: Database) -> None:
    await make_user(api, "0")
    amounts = ["0.000000000000000001", "999999999999999.999999999999999999", "-0.1", "-999999999999999.999999999999999999", "3e2"]
    for amount in amounts:
        assert (await post(api, f"{USER}/adjustments", {"amount": amount}))[0] == 201
    [(wallet,)] = ask(database, "SELECT wallet_balance FROM users")
    assert wallet == sum(map(Decimal, amounts))
    agree(database)


async def test_money_of_an_exchange_account_is_the_venues(api: Client, database: Database) -> None:
    await make_user(api)
    await post(api, f"{USER}/exchange-accounts", {"account_id": "b1", "venue": "binance_usdm"})
    status, body = await post(api, f"{USER}/deposits", {"amount": "1", "account_id": "b1"})
    assert (status, body["error"]["field"]) == (422, "account_id")  # type: ignore[index]
    agree(database)
