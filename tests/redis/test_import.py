"""What a service before left in `user_wallets` and `user_metadata`: taken over once, into an empty ledger only."""

import psycopg

from streams.bridges.redis_import import import_once
from streams.bridges.redis_money import Money
from streams.cache.store import Store
from tests.redis.conftest import Client
from tests.redis.states import run, state, write

WALLETS = {"123": "100.50", "demo:7": "5", "test-user-1": "0", "bad user": "1", "9": "much"}
METADATA = {"123": '{"kyc": true, "risk": "high", "leverage": "50"}', "demo:7": "kyc:false,risk:low,lev:25", "test-user-1": "nonsense",
            "44": "kyc:true"}


def take(url: str, dsn: str) -> int:
    async def job(store: Store) -> int:
        money = Money(dsn)
        try:
            return await import_once(store, money, "live")
        finally:
            await money.close()

    return run(url, job)


def users(dsn: str) -> dict[str, tuple[str, bool, str, str]]:
    with psycopg.connect(dsn) as connection:
        rows = connection.execute("SELECT user_key, trim_scale(wallet_balance)::text, kyc, risk_tier, coalesce(leverage::text, '')"
                                  " FROM users").fetchall()
    return {str(row[0]): (str(row[1]), bool(row[2]), str(row[3]), str(row[4])) for row in rows}


def test_both_forms_are_taken_once(url: str, dsn: str, client: Client) -> None:
    for field, value in WALLETS.items():
        client.hset("user_wallets", field, value)
    for field, value in METADATA.items():
        client.hset("user_metadata", field, value)
    assert take(url, dsn) == 4
    assert users(dsn) == {"live:123": ("100.5", True, "high", "50"), "demo:7": ("5", False, "low", "25"),
                          "live:test-user-1": ("0", False, "", ""), "live:44": ("0", True, "", "")}
    with psycopg.connect(dsn) as connection:
        [kinds] = connection.execute("SELECT array_agg(DISTINCT kind) FROM transactions").fetchall()
        assert kinds == (["opening"],)
        facts = connection.execute("SELECT count(*) FROM outbox WHERE topic = 'wallet-deltas' AND value->>'kind' = 'OPENING'").fetchone()
        assert facts == (4,)
    client.hset("user_wallets", "55", "1")
    assert take(url, dsn) == 0


def test_one_that_was_killed_goes_on(single: str, dsn: str) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute("""INSERT INTO mirror_progress (mirror, topic, "partition", "offset") VALUES ('import', 'user_wallets', 0, 0)""")
        connection.execute("SELECT create_user(%s)", ['{"user_key": "live:123", "profile": {}, "wallet_balance": "100.50", "action": "x"}'])

    async def job(store: Store) -> None:
        await store.run([("HSET", "user_wallets", "123", "100.50", "124", "2")])

    run(single, job)
    assert take(single, dsn) == 1
    assert {user: row[0] for user, row in users(dsn).items()} == {"live:123": "100.5", "live:124": "2"}


def test_a_ledger_that_is_not_empty_takes_nothing(url: str, dsn: str, client: Client) -> None:
    for field, value in WALLETS.items():
        client.hset("user_wallets", field, value)
    with psycopg.connect(dsn) as connection:
        connection.execute("SELECT create_user(%s)", ['{"user_key": "live:1", "profile": {}, "action": "x"}'])
    assert take(url, dsn) == 0


def test_what_we_wrote_ourselves_is_no_opening(url: str, dsn: str) -> None:
    write(url, state())
    assert take(url, dsn) == 0
    assert users(dsn) == {}
