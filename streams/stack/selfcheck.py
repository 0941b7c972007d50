"""The self-check: rows = oracle = Redis = Postgres, every verdict once and re-derived from its stamp; simulated accounts as their venue."""

import asyncio
import math
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Set
from typing import NamedTuple

import psycopg
import redis

from schemas.engine_pb2 import DeadLetter, Liquidation, MarginCall, OrdersState, UserState
from streams import topics
from streams.bridges import compare
from streams.config import Config
from streams.stack import oracle_venues, venues
from streams.stack.oracle import Seen, fold
from streams.stack.oracle_accounts import account_differences, state_of
from streams.stack.oracle_lag import quiet
from streams.stack.oracle_rows import Row, read_rows, rests_on
from streams.stack.oracle_topics import read_topics
from streams.stack.oracle_verdicts import rederived
from streams.stack.process import StackError
from streams.stack.supervisor import load_state

FACTS = topics.ACCOUNT_SOURCES
_TOLD = (topics.LIQUIDATIONS, topics.MARGIN_CALLS, topics.ACCOUNT_STATES, topics.ORDER_STATES)
_WORLD = (topics.RISK_RULES, topics.CONTROL)
_READ = (*FACTS, *_TOLD, *_WORLD, topics.DEAD_LETTERS)
_WAIT_S = 180.0  # a loaded machine catches up late, which is no difference
_LAG_S_MAX = 20.0  # what was there when a check began must have arrived by then
_LOOKS_MIN = 3  # however long one takes
_PAUSE_S = 2.0
_STILL_S = 5.0  # without news of a user, ledger and balance must be the same


class Checked(NamedTuple):
    """Lines of what differs, and of what was still under way when the check ended."""

    differs: list[str]
    moving: list[str]


class Held(NamedTuple):
    """What there is beside the topics: mirrors by name (or why one does not answer), rows, and until when (ms) all must have arrived."""

    mirrors: Mapping[str, dict[str, compare.Canonical] | str]
    rows: Mapping[str, Row]
    until_ms: float


def self_check(config: Config, user: str | None = None) -> list[str]:
    """What differs, a line each; empty = all agree. Waits three minutes at most for quiet; what still moves then is a difference itself."""
    return asyncio.run(_check_quiet(config, user))


async def _check_quiet(config: Config, user: str | None) -> list[str]:
    moving = await quiet(config, _WAIT_S)
    # Quiet does not last: a mark that goes stale while we read moves its holders to `unknown`.
    found = await settle(lambda until_ms: _look(config, user, until_ms, still=True))
    return [moving] * bool(moving) + found.differs


def check(config: Config, user: str | None = None) -> Checked:
    """The same while facts flow: each row at its own fences, each mirror at its own version."""
    return asyncio.run(settle(lambda until_ms: _look(config, user, until_ms)))


async def settle(look: Callable[[float], Awaitable[list[str]]], pause_s: float = _PAUSE_S, lag_s_max: float = _LAG_S_MAX) -> Checked:
    """Looks again until all that was there at the first look (ms) agrees; a difference is what every look found until the bound of lag."""
    until_ms, began = time.time() * 1000, time.monotonic()
    lines = await look(until_ms)
    lasting, looks = set(map(_subject, lines)), 1
    while lasting and (looks < _LOOKS_MIN or time.monotonic() - began < lag_s_max):
        await asyncio.sleep(pause_s)
        lines, looks = await look(until_ms), looks + 1
        lasting &= set(map(_subject, lines))
    return Checked([line for line in lines if _subject(line) in lasting], [line for line in lines if _subject(line) not in lasting])


def _subject(line: str) -> str:
    return line.partition(": expected")[0]


async def _look(config: Config, user: str | None, until_ms: float, *, still: bool = False) -> list[str]:
    """Where all is `still`, simulated accounts must be as their venue says.

    Read in this order: whatever a mirror or row holds, and whatever a verdict rests on, is then in what is read after it.
    """
    mirrors = _mirrors(config)
    rows = await read_rows(config)
    told = await read_topics(config, _TOLD)
    facts = await read_topics(config, (*FACTS, *_WORLD))
    letters = await read_topics(config, (topics.DEAD_LETTERS,))
    shown = {name: compare.canonical_state(row.state) for name, row in rows.items()}
    held = Held({"row": shown, **mirrors}, rows, until_ms)
    simulated = _venues(config, {**told, **facts}, rows) if still and user is None else []
    return [*_compare(config, {**told, **facts, **letters}, held, user), *_ledger(config, user), *simulated]


def _venues(config: Config, read: Mapping[str, list[Seen]], rows: Mapping[str, Row]) -> list[str]:
    """Every account of the simulator: the fold of its facts and the engine's row against its ledger."""
    url = load_state(config).addresses.get(venues.CONTROL, "")
    if not url:
        return []
    try:
        accounts = [(one, venues.ask(url, f"truth/{one.name}")) for one in venues.simulated_accounts(config)]
    except (StackError, psycopg.Error) as error:
        return [f"simulator: expected its ledger, was {error}"]
    told = fold(record for name in FACTS for record in read[name]).expected()
    held = {user: {name: state_of(account) for name, account in row.state.accounts.items()} for user, row in rows.items()}
    return oracle_venues.compared(accounts, read, told, held) + ([] if accounts else ["simulator: expected accounts, was without any"])


def _ledger(config: Config, user: str | None) -> list[str]:
    try:
        return compare.ledger_lines(config.postgres_dsn, _STILL_S, user)
    except psycopg.Error as error:
        return [f"ledger: expected an answer, was {error!r}"]


def compare_all(config: Config, read: Mapping[str, list[Seen]], user: str | None = None) -> list[str]:
    """The differences between what was read of the topics, the oracle, Redis and Postgres, where nothing moves."""
    rows = {one.user: Row(UserState.FromString(one.value), {}) for one in read[topics.ACCOUNT_STATES]}
    return _compare(config, read, Held(_mirrors(config), rows, math.inf), user)


def _compare(config: Config, read: Mapping[str, list[Seen]], held: Held, user: str | None) -> list[str]:
    readable = _readable(read)
    if user:
        if not any(one.user == user for records in read.values() for one in records):
            return [f"row of {user}: expected one, was none"]
        readable, read = _of_user(readable, user), _of_user(read, user)
        rows = {name: row for name, row in held.rows.items() if name == user}
        mirrors = {name: {one: form for one, form in found.items() if one == user} if isinstance(found, dict) else found
                   for name, found in held.mirrors.items()}
        held = Held(mirrors, rows, held.until_ms)
    return [*_against_oracle(readable, held), *repeated(read[topics.MARGIN_CALLS] + read[topics.LIQUIDATIONS]),
            *_against_mirrors(read, held), *rederived(config, read)]


def _of_user(read: Mapping[str, list[Seen]], user: str) -> dict[str, list[Seen]]:
    return {name: [one for one in records if one.user == user or name in _WORLD] for name, records in read.items()}


def _readable(read: Mapping[str, list[Seen]]) -> dict[str, list[Seen]]:
    """What is no dead letter: a refused record must have changed no balance and no position."""
    refused = {(letter.topic, letter.partition, letter.offset)
               for letter in (DeadLetter.FromString(one.value) for one in read.get(topics.DEAD_LETTERS, ()))}
    return {name: [one for one in records if (name, one.partition, one.offset) not in refused] for name, records in read.items()}


def _against_oracle(read: Mapping[str, list[Seen]], held: Held) -> list[str]:
    rows = held.rows
    oracle = fold(record for name in (*FACTS, topics.LIQUIDATIONS) for record in read[name]
                  if record.timestamp <= held.until_ms or rests_on(rows.get(record.user), record))
    expected = oracle.expected()
    # A refused fact alone makes a row that holds its quarantine and no account.
    lines = [f"row of {user}: expected none, was one" for user in sorted(rows.keys() - expected.keys()) if rows[user].state.accounts]
    for user, accounts in sorted(expected.items()):
        found = {name: state_of(account) for name, account in rows[user].state.accounts.items()} if user in rows else {}
        lines += [f"row of {user}/{name} {line}" for name in sorted(accounts.keys() | found.keys())
                  for line in account_differences(accounts.get(name), found.get(name))]
    return [*lines, *oracle.doubts(), *_left_behind(read[topics.ORDER_STATES], oracle.removed)]


def _left_behind(states: Iterable[Seen], removed: Set[tuple[str, str]]) -> list[str]:
    """Open orders of accounts that were removed: they go with their account."""
    users = {user for user, _ in removed}
    held = oracle_venues.orders_held(one for one in states if one.user in users)
    return [f"orders of {user}/{name}: expected none of an account that was removed, was {', '.join(sorted(held[user, name]))}"
            for user, name in sorted(removed & held.keys())]


def repeated(verdicts: Iterable[Seen]) -> list[str]:
    """Verdicts that share an id (and kind) but not their bytes."""
    first: dict[tuple[str, str, str], bytes] = {}
    lines = []
    for record in verdicts:
        if record.topic == topics.MARGIN_CALLS:
            name = record.topic, MarginCall.FromString(record.value).id, ""
        else:
            event = Liquidation.FromString(record.value)
            name = record.topic, event.id, event.WhichOneof("event") or ""
        if first.setdefault(name, record.value) != record.value:
            lines.append(
                f"{' '.join(name).strip()}: expected one content, was another at {record.topic}[{record.partition}]@{record.offset}"
            )
    return lines


def _mirrors(config: Config) -> dict[str, dict[str, compare.Canonical] | str]:
    """What each mirror holds; one that does not answer is a difference."""
    readers: dict[str, Callable[[], dict[str, compare.Canonical]]] = {
        "postgres": lambda: compare.postgres_rows(config.postgres_dsn),
        "postgres orders": lambda: compare.postgres_orders(config.postgres_dsn),
        "redis": lambda: compare.redis_rows(config.redis_url),
    }
    found: dict[str, dict[str, compare.Canonical] | str] = {}
    for name, read in readers.items():
        try:
            found[name] = read()
        except (psycopg.Error, redis.RedisError) as error:
            found[name] = f"{name}: expected an answer, was {error!r}"
    return found


def _against_mirrors(read: Mapping[str, list[Seen]], held: Held) -> list[str]:
    told: dict[str, dict[str, list[compare.Told]]] = {name: defaultdict(list) for name in (topics.ACCOUNT_STATES, topics.ORDER_STATES)}
    for topic, of in told.items():
        for record in read[topic]:
            of[record.user].append(compare.Told(record.timestamp, record.value))
    lines: list[str] = []
    for name, found in held.mirrors.items():
        topic, form = _FORMS[name]
        lines += [found] if isinstance(found, str) else [
            f"{name}: {line}" for line in compare.at_versions(told[topic], found, held.until_ms, form)]
    return lines


_FORMS: dict[str, tuple[str, Callable[[bytes], compare.Canonical]]] = {
    "row": (topics.ACCOUNT_STATES, lambda value: compare.canonical_state(UserState.FromString(value))),
    "postgres": (topics.ACCOUNT_STATES, lambda value: compare.canonical_state(UserState.FromString(value))),
    "postgres orders": (topics.ORDER_STATES, lambda value: compare.canonical_orders(OrdersState.FromString(value))),
    "redis": (topics.ACCOUNT_STATES, lambda value: compare.canonical_cache(UserState.FromString(value))),
}


def summary(config: Config) -> dict[str, int]:
    """Records by topic, and by rung how many accounts stand on it."""
    read = asyncio.run(read_topics(config, (topics.ACCOUNT_STATES, *FACTS, topics.MARGIN_CALLS, topics.LIQUIDATIONS)))
    counts = Counter({name: len(records) for name, records in read.items()})
    states = {one.user: UserState.FromString(one.value) for one in read[topics.ACCOUNT_STATES]}
    counts["users"] = len(states)
    for state in states.values():
        counts.update(f"rung {account.margin.rung}" for account in state.accounts.values())
    return dict(counts)
