"""The venues of the local stack: `marginstream simulate` with accounts of the run's own, the ingestion that reads them, and the executor.

Where somebody set the venues' addresses, or nothing is to move, ingestion and executor run alone, as with real venues.
"""

import asyncio
import json
import secrets
import urllib.error
import urllib.request
from typing import Any, NamedTuple

import psycopg

from streams.config import PREFIX, Config
from streams.stack import process, supervisor
from streams.stack.process import StackError
from streams.stack.supervisor import Part, State
from streams.venues import accounts
from streams.venues.accounts import NewAccount
from streams.venues.secret import Secret
from streams.venues.simulator.catalogue import VENUES
from streams.venues.vault import Vault, vault_file
from streams.venues.venue import Credentials

SIMULATOR, INGEST, EXECUTE = "simulate", "ingest", "execute"
HOSTS, CONTROL, HEALTH = PREFIX + "VENUE_HOSTS", PREFIX + "SIMULATOR_URL", PREFIX + "INGEST_URL"
_USERS = "demo:sim-"


class Simulated(NamedTuple):
    """An account at a simulated venue and whose it is; the simulator knows it by `name`, as the engine does."""

    user: str
    name: str
    venue: str


def start_venues(config: Config, state: State, simulated: bool) -> str:
    """Starts what there is to start, returns when every account of the run is live; the ingestion's URL. Raises `StackError`.

    The executor acts for accounts that opted in and no others: where nobody did, it reads and does nothing.
    """
    names: set[str] = set()
    state.addresses[CONTROL] = ""
    if "venue_hosts" in state.own:
        state.addresses[HOSTS] = ""  # whoever sourced an earlier stack's addresses means none of them
    if simulated:
        _start_simulator(config, state)
        made = _made(config, state)
        asyncio.run(_register(config, state, made))
        names = {one.name for one, _ in made}
    [port] = process.free_ports(1)
    for part in (Part(INGEST, supervisor.streams_words(INGEST), {"WORKER_NAME": f"{INGEST}-0", "HEALTH_PORT": str(port)}),
                 Part(EXECUTE, supervisor.streams_words(EXECUTE), {"WORKER_NAME": f"{EXECUTE}-0", "HEALTH_PORT": "0"})):
        state.parts.append(part)
        supervisor.launch(config, state, part)
    url = f"http://127.0.0.1:{port}"
    _wait_live(state, port, names)
    return url


def _start_simulator(config: Config, state: State) -> None:
    """It is not started again where it ends: its ledger would be gone."""
    control, *ports = process.free_ports(len(VENUES) + 1)
    words = [word for venue, port in zip(VENUES, ports, strict=True) for word in ("--port", f"{venue}={port}")]
    words = supervisor.streams_words("simulate", "--port", f"control={control}", *words, "--seed", str(config.seed), "--events", "0")
    url = f"http://127.0.0.1:{control}"
    supervisor.launch(config, state, Part(SIMULATOR, words))
    [running] = [one for one in state.running if one.name == SIMULATOR]
    process.wait_port(control, running, supervisor.READY_S)
    hosts = ",".join(f"{venue}=http://127.0.0.1:{port}|ws://127.0.0.1:{port}" for venue, port in zip(VENUES, ports, strict=True))
    state.addresses |= {CONTROL: url, HOSTS: hosts}


def _made(config: Config, state: State) -> list[tuple[Simulated, Credentials]]:
    """New accounts, one of each user at each venue, under names no earlier run had: their trades have numbers that come again."""
    run, url = secrets.token_hex(3), state.addresses[CONTROL]
    found = []
    for at in range(config.simulator_users):
        for venue in VENUES:
            one = Simulated(f"{_USERS}{run}-{at}", f"{venue}-{run}-{at}", venue)
            said = ask(url, "accounts", {"name": one.name, "venue": venue})
            found.append((one, Credentials(*(Secret(said[word]) for word in ("key", "secret", "passphrase")))))
    ask(url, "traders", {"per_second": 0, "accounts": [one.name for one, _ in found]})
    return found


async def _register(config: Config, state: State, made: list[tuple[Simulated, Credentials]]) -> None:
    """As `marginstream accounts` does it; those of earlier runs end, for their venue has."""
    vault = Vault(vault_file(config))
    async with await psycopg.AsyncConnection.connect(config.postgres_dsn, autocommit=True) as connection:
        rows = await (await connection.execute("SELECT user_key, account_id FROM exchange_accounts WHERE is_active AND user_key LIKE %s",
                                               [_USERS + "%"])).fetchall()
        for user, name in rows:
            await accounts.remove(connection, user, name)
        for one, credentials in made:
            await accounts.add(connection, vault, NewAccount(one.user, one.name, one.venue), credentials)


def _wait_live(state: State, port: int, names: set[str]) -> None:
    """Returns when it is ready and each of these accounts is live; other people's may be as they are."""
    [running] = [one for one in state.running if one.name == INGEST]

    def absent() -> set[str]:
        found = health(f"http://127.0.0.1:{port}") or {"accounts": []}
        return names - {one["account"] for one in found["accounts"] if one["ready"]}

    process.wait_until(lambda: not process.alive(running) or (supervisor.ready(port) and not absent()), supervisor.READY_S, 0.2)
    if not supervisor.ready(port) or absent():
        raise StackError(f"{INGEST}: expected /readyz 200 and every account live within {supervisor.READY_S:.0f} s, was without "
                         f"{', '.join(sorted(absent())) or 'an answer'}; {process.log_end(running)}")


def health(url: str) -> dict[str, Any] | None:
    """The ingestion's page; None where it does not answer."""
    try:
        found: dict[str, Any] = _json(url, "health", None, 3)
    except (urllib.error.URLError, OSError, ValueError):
        return None
    return found


def ask(url: str, action: str, said: dict[str, object] | None = None) -> Any:
    """What the simulator's control address answers: `said` is posted, None asks only. Raises `StackError`."""
    try:
        return _json(url, action, None if said is None else json.dumps(said).encode(), 30)
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise StackError(f"simulator at {url}: expected an answer to {action}, was {error}") from None


def _json(url: str, path: str, body: bytes | None, timeout_s: float) -> Any:
    with urllib.request.urlopen(f"http://{url.removeprefix('http://')}/{path}", body, timeout=timeout_s) as answer:
        return json.load(answer)


def simulated_accounts(config: Config) -> list[Simulated]:
    """The accounts of the run, as Postgres has them. Raises `psycopg.Error`."""
    with psycopg.connect(config.postgres_dsn, connect_timeout=5) as connection:
        rows = connection.execute("SELECT user_key, account_id, venue FROM exchange_accounts WHERE is_active AND user_key LIKE %s "
                                  "ORDER BY account_id", [_USERS + "%"]).fetchall()
    return [Simulated(*row) for row in rows]
