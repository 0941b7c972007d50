"""What every holder of money says at the end of histories on the whole stack, against their books: to the last digit."""

import json
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

import psycopg
import redis

from streams.cache import keys
from tests.admin.stack import MoneyStack

if TYPE_CHECKING:
    from tests.admin.campaign import Booked

Rows = psycopg.Connection[tuple[object, ...]]
_LEDGER = "SELECT source, amount, kind FROM transactions WHERE user_key = %s AND account_id = 'house' AND asset = 'USD'"
_SET = "SELECT amount FROM transactions WHERE user_key = %s AND cause = 'wallet_balance set'"
_AUDITED = """SELECT count(*) FROM audit_log WHERE user_key = %s
    AND NOT (action = 'adjustment' AND detail ->> 'note' = 'wallet_balance set') AND NOT (action = 'adjustment' AND actor = 'engine')"""
OURS = {"admin", "grpc", "margin_updates", "venue"}  # sources whose every movement is booked
EMPTY = {
    "outbox": "SELECT id, user_key, sequence FROM outbox WHERE published_at IS NULL",
    "numbers": "SELECT user_key, source FROM outbox GROUP BY 1, 2 HAVING count(*) <> max(sequence) OR min(sequence) <> 1",
    "keys without an answer": "SELECT key FROM answers WHERE status IS NULL",
    "money without audit": """SELECT t.delta_id FROM transactions t WHERE t.source IN ('admin', 'grpc', 'margin_updates') AND NOT EXISTS (
        SELECT FROM audit_log a WHERE a.user_key = t.user_key AND a.detail ->> 'delta_id' = t.delta_id)""",
    "ledger": "SELECT * FROM ledger_differences()",
}


def differences(stack: MoneyStack, books: Mapping[str, "Booked"]) -> list[str]:
    """One line where ledger, wallet, engine, Redis, audit or books differ; raises what a server that is away raises."""
    with psycopg.connect(stack.config.postgres_dsn, connect_timeout=5) as database:
        lines = [f"{name}: expected nothing, was {found[:5]}" for name, query in EMPTY.items()
                 if (found := database.execute(query.encode()).fetchall())]
        client = redis.Redis.from_url(stack.config.redis_url, decode_responses=True, socket_timeout=5)
        for user, booked in books.items():
            lines += _of_user(stack, database, client, (user, booked))
        client.close()
    return lines


def _of_user(stack: MoneyStack, database: Rows, client: redis.Redis, of: tuple[str, "Booked"]) -> list[str]:
    user, booked = of
    ledger = [(str(source), Decimal(str(amount))) for source, amount, _ in database.execute(_LEDGER, [user])]
    total = sum((amount for _, amount in ledger), Decimal(0))
    [wallet] = database.execute("SELECT wallet_balance FROM users WHERE user_key = %s", [user]).fetchone() or [None]
    said = {"users.wallet_balance": str(wallet), "engine": _engine(stack, user), **_redis(client, user)}
    lines = [f"{user} {holder}: expected {total}, was {text}" for holder, text in said.items() if text is None or Decimal(text) != total]
    if booked.exact and booked.total() != total:
        lines.append(f"{user}: expected {booked.total()} as accepted, was {total}")
    by_patch = Counter(("admin", Decimal(str(amount))) for [amount] in database.execute(_SET, [user]))
    lines += _counted(user, booked, Counter(entry for entry in ledger if entry[0] in OURS) - by_patch)
    [audited] = database.execute(_AUDITED, [user]).fetchone() or [None]
    return lines if audited == booked.audited else [*lines, f"{user} audit: expected {booked.audited} rows, was {audited}"]


def _counted(user: str, booked: "Booked", found: Counter[tuple[str, Decimal]]) -> list[str]:
    """Nothing that was accepted is lost, nothing is there twice."""
    lost, doubled = booked.entries - found, found - booked.entries
    return [*(f"{user} lost: {entry} x {count}" for entry, count in lost.items()),
            *(f"{user} doubled or nobody's: {entry} x {count}" for entry, count in doubled.items())]


def _engine(stack: MoneyStack, user: str) -> str | None:
    try:
        with urllib.request.urlopen(f"{stack.url('worker')}/inspect/balances/{user}", timeout=5) as answer:
            found = json.load(answer)
    except urllib.error.HTTPError:
        return None
    return str(found["row"]["accounts"]["house"]["USD"]["wallet_balance"])


def _redis(client: redis.Redis, user: str) -> dict[str, str | None]:
    found = {"redis config": client.hget(keys.config(user), "wallet_balance"), "redis user_balance": client.get(keys.balance(user)),
             "redis user_wallets": client.hget(keys.USER_WALLETS, keys.bare(user, "live"))}
    return {name: None if text is None else str(text) for name, text in found.items()}
