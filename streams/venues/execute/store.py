"""Who opted in to execution, and what was sent: rows of Postgres."""

from typing import NamedTuple

from psycopg.types.json import Jsonb

from streams.venues.accounts import Account, operate
from streams.venues.database import Connection
from streams.venues.execute.words import Claim, Limits, Outcome, Reply, Step


class Opted(NamedTuple):
    """An exchange account as an executor sees it; `execution` is who carries out its liquidations, as the engine knows."""

    account: Account
    execute: bool
    execution: str
    is_active: bool


async def look(connection: Connection, name: tuple[str, str]) -> Opted | None:
    """The account's row, if there is one."""
    cursor = await connection.execute("""
        SELECT user_key, account_id, venue, environment, credentials_version, api_key_encrypted, api_secret_encrypted,
            passphrase_encrypted, created_at, TRUE, execute, execution, is_active
        FROM exchange_accounts WHERE (user_key, account_id) = (%s, %s)""", name)
    row = await cursor.fetchone()
    if row is None:
        return None
    split = len(Account._fields)
    return Opted(Account(*row[:split]), *row[split:])


async def recall(connection: Connection, step: Step) -> Reply:
    """Whether the step was sent before."""
    cursor = await connection.execute("SELECT recall_execution(%s)", [step.step_id])
    return _reply(await cursor.fetchone())


async def claim(connection: Connection, step: Step, wanted: Claim, limits: Limits) -> Reply:
    """Written down before it is sent."""
    said = {"step_id": step.step_id, "user_key": step.user_key, "account_id": step.account_id, "client_order_id": step.client_order_id,
            "notional": str(wanted.notional), "attempts": wanted.attempts, "hour_notional_max": str(limits.hour_notional_max)}
    cursor = await connection.execute("SELECT claim_execution(%s)", [Jsonb(said)])
    return _reply(await cursor.fetchone())


async def note(connection: Connection, step: Step, outcome: Outcome) -> None:
    """What was reported last, for people."""
    await connection.execute("UPDATE executions SET status = %s, detail = %s WHERE step_id = %s",
                             [outcome.status, outcome.error[:500], step.step_id])


async def forget(connection: Connection, days: float, most: int) -> int:
    """Forgets at most so many steps that ended longer ago; how many."""
    cursor = await connection.execute("SELECT forget_executions(make_interval(secs => %s), %s)", [days * 86_400, most])
    [gone] = await cursor.fetchone() or [0]
    return int(gone)


async def permit(connection: Connection, user_key: str, account_id: str, wanted: bool) -> None:
    """Opts an account in, or out; the engine is told. Raises `ValueError` where there is no such account."""
    said: dict[str, object] = {"user_key": user_key, "account_id": account_id, "execute": wanted, "actor": "console",
                               "action": "execution_permitted" if wanted else "execution_withdrawn"}
    await operate(connection, "permit_execution", said)


def _reply(row: tuple[dict[str, int | str | bool]] | None) -> Reply:
    said = row[0] if row else {}
    return Reply(0, text=str(said.get("text", "")), attempts=int(said.get("attempts", 0)), age_ms=int(said.get("age_ms", 0)),
                 mine=bool(said.get("mine", False)), known=bool(said.get("known", False)))
