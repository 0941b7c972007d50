"""Exchange accounts in Postgres: registered, changed, removed; their secrets sealed; how far each has been read and how it goes."""

import base64
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from streams.venues.secret import Secret
from streams.venues.vault import Place, Vault, key_id
from streams.venues.venue import Credentials, Key

Connection = psycopg.AsyncConnection[Any]
_SAVE_EVERY_MS = 30_000
_SEALED = {"api_key_encrypted": "api_key", "api_secret_encrypted": "api_secret", "passphrase_encrypted": "passphrase",
           "listen_key_encrypted": "listen_key"}  # column -> purpose


class Account(NamedTuple):
    """A row that can be read: what a session needs. Ciphertexts are opened when something is signed, not before."""

    user_key: str
    account_id: str
    venue: str
    environment: str
    credentials_version: int
    api_key_encrypted: bytes
    api_secret_encrypted: bytes
    passphrase_encrypted: bytes | None
    complete_until: datetime
    exposed: bool  # with open positions, as the mirror knows: such are read first

    @property
    def name(self) -> tuple[str, str]:
        return self.user_key, self.account_id

    def credentials(self, vault: Vault) -> Callable[[], Credentials]:
        """Opens them when called. Raises `Sealed` then."""

        def opened() -> Credentials:
            place = Place(self.user_key, self.account_id, self.venue, "api_key")
            passphrase = self.passphrase_encrypted
            return Credentials(vault.open(self.api_key_encrypted, place),
                               vault.open(self.api_secret_encrypted, place._replace(purpose="api_secret")),
                               vault.open(passphrase, place._replace(purpose="passphrase")) if passphrase else Secret(""))

        return opened


class Unknown(ValueError):
    """There is no such account in use."""


class NewAccount(NamedTuple):
    """What a user registers; an option that is None stays as it is, of a new account the engine's default holds."""

    user_key: str
    account_id: str
    venue: str
    environment: str = "mainnet"
    model: str | None = None
    currency: str | None = None
    execution: str | None = None
    auto_reduce: bool | None = None


def sealed(vault: Vault, place: Place, given: Credentials) -> dict[str, str]:
    """Credentials as the functions of `sql` take them: each sealed for its column, in base64. Raises `Sealed`."""
    texts = {"api_key": given.key, "api_secret": given.secret, "passphrase": given.passphrase}
    return {purpose: base64.b64encode(vault.seal(text, place._replace(purpose=purpose))).decode()
            for purpose, text in texts.items() if text}


async def add(connection: Connection, vault: Vault, new: NewAccount, given: Credentials) -> None:
    """Registers an account, or changes its credentials: it is read within seconds, and the engine is told.

    Raises `ValueError` where it has another venue.
    """
    said: dict[str, object] = {name: value for name, value in new._asdict().items() if value is not None}
    said["sealed"] = sealed(vault, Place(new.user_key, new.account_id, new.venue, ""), given)
    await operate(connection, "register_exchange_account", said | {"actor": "console", "action": "exchange_account_added"})


async def remove(connection: Connection, user_key: str, account_id: str) -> bool:
    """Reads it no more and forgets its secrets; whether there was one. The venue's key stays: others may listen on it."""
    said: dict[str, object] = {"user_key": user_key, "account_id": account_id, "actor": "console", "action": "exchange_account_removed"}
    try:
        await operate(connection, "remove_exchange_account", said)
    except Unknown:
        return False
    return True


async def operate(connection: Connection, function: str, said: dict[str, object]) -> None:
    """A function of `sql`, as the admin API calls it: the fact for the engine and the audit are part of it. Raises `ValueError`."""
    try:
        await connection.execute(f"SELECT {function}(%s)", [Jsonb(said)])
    except psycopg.Error as error:
        if not (error.sqlstate or "").startswith("MS"):
            raise
        refused = Unknown if error.sqlstate == "MS404" else ValueError
        raise refused(f"account {said['account_id']!r} of {said['user_key']}: {error.diag.message_primary}") from None


async def active(connection: Connection) -> list[Account]:
    """All that can be read."""
    async with connection.cursor(row_factory=class_row(Account)) as cursor:
        await cursor.execute("""
            SELECT user_key, account_id, venue, environment, credentials_version, api_key_encrypted, api_secret_encrypted,
                passphrase_encrypted, coalesce(complete_until, created_at) AS complete_until,
                EXISTS (SELECT FROM positions p WHERE (p.user_key, p.account_id, p.status) = (a.user_key, a.account_id, 'open')) AS exposed
            FROM exchange_accounts a
            WHERE is_active AND api_key_encrypted IS NOT NULL AND api_secret_encrypted IS NOT NULL
            ORDER BY user_key, account_id""")
        return await cursor.fetchall()


async def save_key(connection: Connection, vault: Vault, account: Account, key: Key) -> None:
    """The stream's key, sealed, with its end."""
    place = Place(account.user_key, account.account_id, account.venue, "listen_key")
    await connection.execute(
        "UPDATE exchange_accounts SET listen_key_encrypted = %s, listen_key_expires_at = %s WHERE user_key = %s AND account_id = %s",
        [vault.seal(key.token, place), _time(key.expires_ms), *account.name])


class Progress(NamedTuple):
    """How an account goes; `complete_ms` None: nothing new."""

    user_key: str
    account_id: str
    status: str
    detail: str
    complete_ms: int | None

    @property
    def name(self) -> tuple[str, str]:
        return self.user_key, self.account_id

    def differs(self, saved: "Progress | None") -> bool:
        """Whether it is worth a write: another state, or half a minute further."""
        if saved is None or (self.status, self.detail) != (saved.status, saved.detail):
            return True
        return (self.complete_ms or 0) - (saved.complete_ms or 0) >= _SAVE_EVERY_MS


async def save_progress(connection: Connection, found: Iterable[Progress]) -> None:
    """For people, and for whoever reads the account next."""
    rows = [(one.status, one.detail[:500], _time(one.complete_ms), one.user_key, one.account_id) for one in found]
    async with connection.cursor() as cursor:
        await cursor.executemany("""
            UPDATE exchange_accounts SET stream_status = %s, stream_detail = %s, complete_until = coalesce(%s, complete_until),
                stream_updated_at = now()
            WHERE user_key = %s AND account_id = %s""", rows)


async def reseal(connection: Connection, vault: Vault) -> tuple[int, set[str]]:
    """Seals everything under the current key, row by row, readers going on. (Secrets changed, ids of keys still in use)."""
    changed, used = 0, set[str]()
    rows = await (await connection.execute("SELECT user_key, account_id FROM exchange_accounts ORDER BY 1, 2")).fetchall()
    for user_key, account_id in rows:
        async with connection.transaction():
            found = await (await connection.execute(
                f"SELECT venue, {', '.join(_SEALED)} FROM exchange_accounts WHERE user_key = %s AND account_id = %s FOR UPDATE",
                [user_key, account_id])).fetchone()
            for column, sealed in zip(_SEALED, found[1:] if found else (), strict=False):
                if sealed is None:
                    continue
                if not vault.is_current(sealed):
                    place = Place(user_key, account_id, found[0] if found else "", _SEALED[column])
                    sealed = vault.seal(vault.open(sealed, place), place)  # noqa: PLW2901
                    await connection.execute(f"UPDATE exchange_accounts SET {column} = %s WHERE user_key = %s AND account_id = %s",
                                             [sealed, user_key, account_id])
                    changed += 1
                used.add(key_id(sealed))
    return changed, used


def _time(ms: int | None) -> datetime | None:
    return None if ms is None else datetime.fromtimestamp(ms / 1_000, UTC)
