"""Accounts in Postgres: registered, changed, removed, resealed; and who reads them."""

import asyncio
import io
import json
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest

from streams.__main__ import main
from streams.venues import accounts as store
from streams.venues.accounts import NewAccount, Progress
from streams.venues.database import Connection
from streams.venues.leases import Leases, owner
from streams.venues.secret import Secret
from streams.venues.vault import Place, Sealed, Vault, add_key
from streams.venues.venue import Credentials, Key

GIVEN = Credentials(Secret("the-api-key"), Secret("the-api-secret"), Secret("the-passphrase"))
NEW = NewAccount("live:1", "bn", "binance_usdm")


@pytest.fixture
async def connection(dsn: str) -> AsyncIterator[Connection]:
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as found:
        yield found


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    add_key(tmp_path / "vault.json")
    return Vault(tmp_path / "vault.json")


async def test_what_was_registered_is_read_and_opens(connection: Connection, vault: Vault) -> None:
    await store.add(connection, vault, NEW, GIVEN)
    [account] = await store.active(connection)
    assert account.name == ("live:1", "bn")
    assert account.credentials(vault)() == GIVEN
    dump = await (await connection.execute("SELECT to_jsonb(a)::text FROM exchange_accounts a")).fetchone()
    assert dump is not None
    assert [secret for secret in GIVEN if secret.reveal() in dump[0] or secret.reveal().encode().hex() in dump[0]] == []


async def test_other_credentials_are_a_new_version_and_an_old_row_does_not_open_elsewhere(connection: Connection, vault: Vault) -> None:
    await store.add(connection, vault, NEW, GIVEN)
    await store.add(connection, vault, NEW, GIVEN._replace(secret=Secret("another")))
    await store.add(connection, vault, NEW._replace(user_key="live:2"), GIVEN)
    first, second = await store.active(connection)
    assert (first.credentials_version, second.credentials_version) == (2, 1)
    assert first.credentials(vault)().secret == Secret("another")
    with pytest.raises(Sealed):
        first._replace(api_secret_encrypted=second.api_secret_encrypted).credentials(vault)()


async def test_an_account_stays_at_its_venue(connection: Connection, vault: Vault) -> None:
    await store.add(connection, vault, NEW, GIVEN)
    with pytest.raises(ValueError, match="expected its venue"):
        await store.add(connection, vault, NEW._replace(venue="okx_v5"), GIVEN)


async def test_what_was_removed_is_not_read_and_has_no_secrets(connection: Connection, vault: Vault) -> None:
    await store.add(connection, vault, NEW, GIVEN)
    assert await store.remove(connection, "live:1", "bn")
    assert not await store.remove(connection, "live:1", "bn")
    assert await store.active(connection) == []
    row = await (await connection.execute(
        "SELECT api_key_encrypted, api_secret_encrypted, passphrase_encrypted FROM exchange_accounts")).fetchone()
    assert row == (None, None, None)


async def _facts(connection: Connection) -> list[tuple[str, int, dict[str, object]]]:
    """What the relay would tell the engine: topic, number and the change."""
    rows = await (await connection.execute("SELECT topic, sequence, value FROM outbox ORDER BY id")).fetchall()
    return [(row[0], row[1], {name: said for name, said in row[2].items() if name.startswith("exchange_account")}) for row in rows]


async def test_the_engine_hears_what_the_console_does_as_of_the_api(connection: Connection, vault: Vault) -> None:
    await store.add(connection, vault, NEW._replace(model="binance_usdm", auto_reduce=True), GIVEN)
    await store.add(connection, vault, NEW, GIVEN._replace(key=Secret("another")))  # credentials alone are not the engine's
    await store.add(connection, vault, NEW._replace(execution="venue"), GIVEN)
    await store.remove(connection, "live:1", "bn")
    told = {"account_id": "bn", "venue": "binance_usdm", "model": "binance_usdm", "currency": "", "execution": "external",
            "auto_reduce": True}
    assert await _facts(connection) == [
        ("account-updates", 1, {"exchange_account": told}),
        ("account-updates", 2, {"exchange_account": told | {"execution": "venue"}}),
        ("account-updates", 3, {"exchange_account_removed": "bn"})]
    audit = await (await connection.execute(
        "SELECT actor, action FROM audit_log WHERE user_key = 'live:1' ORDER BY id DESC LIMIT 4")).fetchall()
    assert audit[::-1] == [("console", "exchange_account_added"), *[("console", "exchange_account_changed")] * 2,
                           ("console", "exchange_account_removed")]


async def test_an_account_the_engine_knew_by_a_fact_gets_credentials(connection: Connection, vault: Vault) -> None:
    await connection.execute("INSERT INTO exchange_accounts (user_key, account_id, venue, execution, mirrored) "
                             "VALUES ('live:1', 'bn', 'binance_usdm', 'venue', TRUE)")
    await store.add(connection, vault, NEW, GIVEN)
    [account] = await store.active(connection)
    assert account.credentials(vault)() == GIVEN
    assert await _facts(connection) == []


async def test_an_account_that_only_a_mirror_knows_is_not_read(connection: Connection) -> None:
    await connection.execute("INSERT INTO exchange_accounts (user_key, account_id, venue) VALUES ('live:1', 'bn', 'binance_usdm')")
    assert await store.active(connection) == []


async def test_progress_goes_on_and_a_new_account_begins_with_its_registration(connection: Connection, vault: Vault) -> None:
    await store.add(connection, vault, NEW, GIVEN)
    [before] = await store.active(connection)
    await store.save_progress(connection, [Progress("live:1", "bn", "live", "", 1_790_000_000_123)])
    await store.save_progress(connection, [Progress("live:1", "bn", "idle", "closed: cut", None)])
    [after] = await store.active(connection)
    assert before.complete_until.year >= 2026
    assert round(after.complete_until.timestamp() * 1_000) == 1_790_000_000_123


async def test_changes_are_told_and_a_mirrors_are_not(connection: Connection, vault: Vault, dsn: str) -> None:
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as listener:
        await listener.execute("LISTEN exchange_accounts")
        await store.add(connection, vault, NEW, GIVEN)
        await connection.execute("UPDATE exchange_accounts SET rung = 'warning', stream_status = 'live'")
        await store.add(connection, vault, NEW, GIVEN)
        await store.remove(connection, "live:1", "bn")
        told = [found async for found in listener.notifies(timeout=1.0)]
    assert len(told) == 3


async def test_rotation_seals_everything_anew_while_readers_go_on(connection: Connection, vault: Vault, tmp_path: Path) -> None:
    await store.add(connection, vault, NEW, GIVEN)
    [account] = await store.active(connection)
    await store.save_key(connection, vault, account, Key((), Secret("the-listen-key"), 1_790_000_000_000))
    before, new = vault.current, add_key(tmp_path / "vault.json")
    changed, used = await store.reseal(connection, Vault(tmp_path / "vault.json"))
    assert (changed, used) == (4, {new})
    [after] = await store.active(connection)
    assert account.credentials(vault)() == after.credentials(vault)() == GIVEN
    row = await (await connection.execute("SELECT listen_key_encrypted FROM exchange_accounts")).fetchone()
    assert row is not None
    assert vault.open(row[0], Place("live:1", "bn", "binance_usdm", "listen_key")) == Secret("the-listen-key")
    assert before != new


def test_the_commands_register_rotate_and_remove(dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                 capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("MARGINSTREAM_POSTGRES_DSN", dsn)
    monkeypatch.setenv("MARGINSTREAM_DATA_DIR", str(tmp_path))
    given = {"api_key": "the-api-key", "api_secret": "the-api-secret"}
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(given)))
    assert main(["accounts", "add", "1", "bn", "binance_usdm"]) == 0
    assert main(["accounts", "list"]) == 0
    assert "live:1 bn binance_usdm mainnet True new" in capsys.readouterr().out
    assert main(["keys", "rotate"]) == 0
    assert "2 secrets sealed anew; keys dropped: none" in capsys.readouterr().out
    assert main(["keys", "rotate"]) == 0
    assert "keys dropped: k1-" in capsys.readouterr().out
    assert main(["accounts", "remove", "1", "bn"]) == 0
    assert main(["accounts", "remove", "1", "bn"]) == 1


@pytest.mark.parametrize("text", ["", "[]", '{"api_key": "leaky-key"}', '{"api_key": "leaky-key", "api_secret": 5}',
                                  '{"api_key": "leaky-key", "api_secret": "s", "more": "x"}', '{"api_key": "", "api_secret": "leaky-key"}'])
def test_credentials_that_are_none_are_refused_without_their_text(dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                                  capsys: pytest.CaptureFixture[str], text: str) -> None:
    monkeypatch.setenv("MARGINSTREAM_POSTGRES_DSN", dsn)
    monkeypatch.setenv("MARGINSTREAM_DATA_DIR", str(tmp_path))
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    assert main(["accounts", "add", "1", "bn", "binance_usdm"]) == 1
    said = capsys.readouterr().err
    assert 'expected {"api_key"' in said
    assert "leaky" not in said


def test_when_a_worker_leaves_only_its_accounts_move() -> None:
    names = [("live:1", f"a{number}") for number in range(2_000)]
    before = {name: owner(name, ["one", "two", "three"]) for name in names}
    after = {name: owner(name, ["one", "three"]) for name in names}
    assert [name for name in names if before[name] != "two" and before[name] != after[name]] == []
    assert min(Counter(before.values()).values()) > 550


async def test_a_lease_has_one_owner_and_an_epoch_that_only_grows(connection: Connection) -> None:
    name = ("live:1", "bn")
    one, two = Leases(connection, "one", 0.5), Leases(connection, "two", 0.5)
    assert await one.acquire([name]) == {name: 1}
    assert await two.acquire([name]) == {}
    assert await one.renew({name: 1}) == {name}
    await asyncio.sleep(0.7)
    assert await two.acquire([name]) == {name: 2}
    assert await one.renew({name: 1}) == set()
    assert await one.acquire([name]) == {}
    await two.release([name])
    assert await one.acquire([name]) == {name: 3}
    assert await one.acquire([name]) == {name: 4}  # itself again after a crash: facts of the life before are older


async def test_who_lives_is_known_by_the_beat(connection: Connection) -> None:
    one, two = Leases(connection, "one", 0.5), Leases(connection, "two", 5)
    assert await one.beat() == ["one"]
    assert await two.beat() == ["one", "two"]
    await asyncio.sleep(0.7)
    assert await two.beat() == ["two"]
    await two.leave()
    assert await one.beat() == ["one"]
