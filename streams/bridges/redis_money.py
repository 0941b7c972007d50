"""Money of outside into Postgres by its one function, `move_money`: each id once, however often it is said."""

import hashlib

import psycopg
from psycopg.types.json import Jsonb

from streams.bridges.connected import Connected
from streams.bridges.redis_reading import Update

SOURCE = "margin_updates"
AWAY = (psycopg.OperationalError, psycopg.InterfaceError, OSError)
_REFUSED = "MS"  # SQLSTATE of what the functions of `sql/functions` refuse


class MoneyRefused(ValueError):
    """A movement that Postgres will never take, in its words."""


class Money(Connected):
    """One connection, opened when needed and again after a failure. Raises one of `AWAY`: the same may be said again."""

    async def move(self, update: Update) -> bool:
        """Whether it was news: ledger, wallet, outbox and audit in one transaction. Raises `MoneyRefused`."""
        key = f"{SOURCE}/{update.user}/{update.ident}"
        print_ = hashlib.sha256(f"{update.user} {update.amount} {update.kind}".encode()).hexdigest()
        given = {"user_key": update.user, "amount": update.amount, "kind": update.kind, "source": SOURCE, "id": update.ident,
                 "note": update.note, "actor": SOURCE, "action": update.kind}
        connection = await self.connected()
        try:
            async with connection.transaction():
                if await self.ask("SELECT begin_once(%s, %s)", key, print_) is not None:
                    return False
                entry = await self.ask("SELECT move_money(%s)", Jsonb(given))
                await self.ask("SELECT end_once(%s, 201, %s)", key, Jsonb(entry))
        except AWAY:
            await self.close()
            raise
        except psycopg.Error as error:
            raise refused(error) from None
        return True

    async def create(self, user: str, profile: dict[str, object], balance: str) -> bool:
        """A user of before with its opening balance; False where it is there. Raises `MoneyRefused`."""
        given = {"user_key": user, "profile": {"status": "active", "is_active": True, "group": "standard", "currency": "USD"} | profile,
                 "wallet_balance": balance, "actor": "import", "action": "user_created"}
        connection = await self.connected()
        try:
            async with connection.transaction():
                await self.ask("SELECT create_user(%s)", Jsonb(given))
        except AWAY:
            await self.close()
            raise
        except psycopg.Error as error:
            if error.sqlstate == "MS409":
                return False
            raise refused(error) from None
        return True

    async def ask(self, question: str, *given: object) -> object:
        """The first value of the first row, None without one."""
        connection = await self.connected()
        row = await (await connection.execute(question.encode(), given)).fetchone()
        return row[0] if row else None


def refused(error: psycopg.Error) -> Exception:
    """What the functions refuse, or bad data, in words; any other error as it is."""
    if (error.sqlstate or "").startswith(_REFUSED) or isinstance(error, psycopg.DataError):
        return MoneyRefused(str(error).splitlines()[0])
    return error
