"""`marginstream ingest`, `accounts` and `keys`: the process that reads, who is read, and the keys of their secrets."""

import argparse
import asyncio
import json
from typing import TextIO

import psycopg

from schemas.keys import user_key
from streams.config import BadSetting, Config
from streams.venues import accounts as store
from streams.venues.database import Connection
from streams.venues.execute.service import main as execute
from streams.venues.execute.store import permit
from streams.venues.ingest import main
from streams.venues.places import read_hosts, venue_of
from streams.venues.secret import Secret
from streams.venues.vault import Vault, add_key, drop_keys, vault_file, with_key
from streams.venues.venue import Credentials

_CREDENTIALS = {"api_key": True, "api_secret": True, "passphrase": False}  # whether it must be there


def run(options: argparse.Namespace, config: Config, lines: TextIO) -> int:
    """Exit status of one of them. Raises `BadSetting` for what cannot be read or done."""
    if options.command == "ingest":
        main(config)
        return 0
    if options.command == "execute":
        if not vault_file(config).exists():
            raise BadSetting(f"{vault_file(config)}: expected the file of keys that `marginstream accounts add` makes, was none")
        execute(config)
        return 0
    try:
        if options.command == "keys":
            asyncio.run(_rotate(config))
            return 0
        return asyncio.run(_accounts(options, config, lines))
    except psycopg.OperationalError as error:
        raise BadSetting(f"postgres: expected an answer, was {type(error).__name__}") from None
    except ValueError as error:
        raise BadSetting(str(error)) from None


async def _rotate(config: Config) -> None:
    """Processes that run seal under the new key as soon as it lies in the file, and open both."""
    file = vault_file(config)
    before = Vault(file).current if file.exists() else ""
    async with await _connect(config) as connection:
        ident = add_key(file)
        vault = Vault(file)
        changed, used = await store.reseal(connection, vault)
    gone = drop_keys(file, used | {before})  # who read the file a moment ago may still seal under the key before
    print(f"key {ident} in {file}: {changed} secrets sealed anew; keys dropped: {', '.join(gone) or 'none'}")


async def _accounts(options: argparse.Namespace, config: Config, lines: TextIO) -> int:
    async with await _connect(config) as connection:
        if options.action == "list":
            rows = await (await connection.execute("""
                SELECT user_key, account_id, venue, environment, is_active, stream_status, stream_detail, complete_until
                FROM exchange_accounts ORDER BY 1, 2""")).fetchall()
            for row in rows:
                print(" ".join(str(field) for field in row if field not in (None, "")))
            return 0
        user = user_key(options.user, config.default_user_type)
        if options.action == "execute":
            await permit(connection, user, options.account, wanted=not options.off)
            return 0
        if options.action == "remove":
            await _remove(connection, user, options.account)
            return 0
        environment = "demo" if options.demo else "mainnet"
        venue_of(options.venue, environment, read_hosts(config.venue_hosts))
        new = store.NewAccount(user, options.account, options.venue, environment, options.model, options.currency, options.execution,
                               options.auto_reduce)
        await store.add(connection, Vault(with_key(vault_file(config))), new, _given(lines))
        if options.execute:
            await permit(connection, user, options.account, wanted=True)
        return 0


async def _remove(connection: Connection, user: str, account_id: str) -> None:
    if not await store.remove(connection, user, account_id):
        raise BadSetting(f"account {account_id!r} of {user}: expected an active one, was none")


async def _connect(config: Config) -> Connection:
    return await psycopg.AsyncConnection.connect(config.postgres_dsn, autocommit=True, connect_timeout=5)


def _given(lines: TextIO) -> Credentials:
    """Credentials as JSON; its texts are in no error."""
    try:
        said = json.loads(lines.read())
    except ValueError:
        said = None
    fits = isinstance(said, dict) and set(said) <= set(_CREDENTIALS) and all(
        isinstance(said.get(name, ""), str) and (said.get(name) or not must) for name, must in _CREDENTIALS.items())
    if not fits:
        raise BadSetting('credentials: expected {"api_key": text, "api_secret": text, "passphrase"?: text} as JSON, was another text')
    return Credentials(*(Secret(said.get(name, "")) for name in _CREDENTIALS))
