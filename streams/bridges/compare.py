"""One canonical form of a user's state, so that a mirror is right exactly where the forms are equal."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit

import psycopg
import redis
from redis.client import Pipeline
from redis.cluster import ClusterPipeline

from schemas.engine_pb2 import OrdersState, UserState
from schemas.money import BadNumber, parse, say_short
from streams.bridges import rows
from streams.bridges.redis_texts import cache_of
from streams.cache import keys
from streams.topics import ACCOUNT_STATES

Canonical = dict[str, str]  # a path such as "position/house/house:EURUSD/LONG" and its text
Client = redis.Redis | redis.RedisCluster
_TORN_MAX = 10  # times a user that is being written is read again
_CACHED = ("wallet_balance", "margin", "net_profit", "group", "leverage", "status", "is_active")
_AMOUNTS = {"wallet_balance", "margin", "net_profit", "leverage"}


class Told(NamedTuple):
    """A state as its topic has it: time in ms and bytes."""

    time_ms: int
    value: bytes


def canonical_state(state: UserState) -> Canonical:
    """The state as Postgres should hold it: version, profile, open balances and positions; wallets are the ledger's. Raises `BadNumber`."""
    found: Canonical = {}
    for kind, row in rows.user_rows(state):
        found |= _READ[kind](row) if kind in _READ else {}
    return found


def canonical_cache(state: UserState) -> Canonical:
    """The state as Redis should hold it. Raises `BadNumber`."""
    return _cache(cache_of(state).config, f"{state.generation} {state.version}")


def canonical_orders(state: OrdersState) -> Canonical:
    """The open orders as Postgres should hold them. Raises `BadNumber`."""
    found: Canonical = {}
    for kind, row in rows.book_rows(state):
        found |= _order(row) if kind == "orders" else {"version": f"{row['generation']} {row['version']}"}
    return found


def postgres_rows(dsn: str, users: Sequence[str] | None = None) -> dict[str, Canonical]:
    """By user (of all, or of these), what Postgres holds, in the form of `canonical_state`; users no state was written of are left out."""
    with psycopg.connect(dsn, connect_timeout=5) as connection:
        return read_postgres(connection, users)


def read_postgres(connection: psycopg.Connection[tuple[object, ...]], users: Sequence[str] | None) -> dict[str, Canonical]:
    """As `postgres_rows`, in a transaction of its own."""
    whose = "" if users is None else " AND user_key = ANY (%s)"
    given: list[object] = [] if users is None else [list(users)]
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        found = {str(row["user_key"]): _user(row) for row in _select(connection, "users", f"version > 0{whose}", given)}
        for table, read in (("balances", _balance), ("positions", _position)):
            for row in _select(connection, table, f"status = 'open'{whose}", given):
                found.setdefault(str(row["user_key"]), {}).update(read(row))
    return found


def ledger_lines(dsn: str, still_s: float, user: str | None = None) -> list[str]:
    """One line where money does not add up: wallets, sums and the engine's house balances against the ledger.

    Of the engine's only users at whom nothing moved for `still_s`: states and transactions come on topics of their own."""
    with psycopg.connect(dsn, connect_timeout=5) as connection:
        query = "SELECT subject, expected, found FROM ledger_differences(make_interval(secs => %s))"
        found = connection.execute(query, [still_s]).fetchall()
    return [f"{subject}: expected {_number(expected)}, was {_number(was)}" for subject, expected, was in found
            if user is None or f" {user}/" in f"{subject}/"]


def postgres_orders(dsn: str) -> dict[str, Canonical]:
    """By user, the open orders Postgres holds, in the form of `canonical_orders`."""
    with psycopg.connect(dsn, connect_timeout=5) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        found = {str(row["user_key"]): {"version": f"{row['generation']} {row['version']}"}
                 for row in _select(connection, "order_books", "TRUE")}
        for row in _select(connection, "orders", "order_rank(status) = 0"):
            found.setdefault(str(row["user_key"]), {}).update(_order(row))
    return found


def redis_rows(url: str, users: Sequence[str] | None = None) -> dict[str, Canonical]:
    """By user (of all that are there, or of these), what Redis holds, in the form of `canonical_cache`."""
    client = connected(url)
    try:
        if users is None:
            users = [keys.user_of_config(key) for key in client.scan_iter(match=keys.CONFIG_PATTERN, count=1_000)]
        return read_redis(client, users)
    finally:
        client.close()


def read_redis(client: Client, users: Sequence[str]) -> dict[str, Canonical]:
    """As `redis_rows`; who is written all the while is left out."""
    found: dict[str, Canonical] = {}
    for _ in range(_TORN_MAX):
        found |= _whole(client, users)
        users = [user for user in users if user not in found]
    return found


def redis_wallets(url: str, users: Sequence[str], default_type: str) -> dict[str, dict[str, str]]:
    """By user, the balances that lie beside its config: `user_balance` where it has not gone with its time, and in `user_wallets`."""
    client = connected(url)
    try:
        return read_wallets(client, users, default_type)
    finally:
        client.close()


def read_wallets(client: Client, users: Sequence[str], default_type: str) -> dict[str, dict[str, str]]:
    """As `redis_wallets`."""
    pipe = _pipeline(client)
    for user in users:
        pipe.get(keys.balance(user))
        pipe.hmget(keys.USER_WALLETS, [user, keys.bare(user, default_type)])
    answers = pipe.execute(raise_on_error=False)
    found: dict[str, dict[str, str]] = {}
    for user, balance, wallets in zip(users, answers[::2], answers[1::2], strict=True):
        typed, bare = wallets if isinstance(wallets, list) else (str(wallets), None)
        wallet = typed if typed is not None else bare
        found[user] = {keys.USER_WALLETS: _number_or(wallet)} | ({} if balance is None else {keys.balance(user): _number_or(balance)})
    return found


def _pipeline(client: Client) -> Pipeline | ClusterPipeline:
    return client.pipeline(transaction=False) if isinstance(client, redis.Redis) else client.pipeline()  # type: ignore[no-untyped-call]


def connected(url: str) -> Client:
    """A client that answers text: of the server or, where it says so, of its Cluster. Raises `redis.RedisError`."""
    single = redis.Redis.from_url(url, decode_responses=True, socket_timeout=5)
    if not single.info("cluster").get("cluster_enabled"):
        return single
    single.close()
    return redis.RedisCluster.from_url(urlunsplit(urlsplit(url)._replace(path="")), decode_responses=True, socket_timeout=5)


def _whole(client: Client, users: Sequence[str]) -> dict[str, Canonical]:
    """Those of the users that nobody wrote while they were read: version before and after are the same."""
    pipe = _pipeline(client)
    for user in users:
        pipe.hget(keys.versions(user), ACCOUNT_STATES)
        pipe.hmget(keys.config(user), _CACHED)
        pipe.hget(keys.versions(user), ACCOUNT_STATES)
    answers = pipe.execute(raise_on_error=False)
    found = {}
    for user, before, values, after in zip(users, answers[::3], answers[1::3], answers[2::3], strict=True):
        if str(before) == str(after):
            config = dict(zip(_CACHED, values, strict=True)) if isinstance(values, list) else {}
            found[user] = _cache({field: text for field, text in config.items() if text is not None},
                                 before if isinstance(before, str) else "")
    return found


def differences(expected: Mapping[str, Canonical], found: Mapping[str, Canonical]) -> list[str]:
    """One line a difference: user, what, expected, was. Empty: equal."""
    lines = []
    for user in sorted(expected.keys() | found.keys()):
        ours, theirs = expected.get(user), found.get(user)
        if ours is None or theirs is None:
            lines.append(f"{user}: expected {'a row, was none' if theirs is None else 'no row, was one'}")
            continue
        lines += [f"{user} {path}: expected {ours.get(path, 'none')}, was {theirs.get(path, 'none')}"
                  for path in sorted(ours.keys() | theirs.keys()) if ours.get(path) != theirs.get(path)]
    return lines


def at_versions(
    told: Mapping[str, Sequence[Told]], found: Mapping[str, Canonical], until_ms: float, form: Callable[[bytes], Canonical]
) -> list[str]:
    """One line a difference between what a mirror holds and what its topic told at that very version.

    `told`: by user, in the topic's order, read after `found`. What was told until `until_ms` must have arrived, in this or a newer version.
    """
    lines: list[str] = []
    for user in sorted(told.keys() | found.keys()):
        due = next((one for one in reversed(told.get(user, ())) if one.time_ms <= until_ms), None)
        if user in told and user in found:
            states = (form(one.value) for one in reversed(told[user]))
            lines += _at_version(user, states, found[user], form(due.value)["version"] if due else "")
        else:
            lines += differences({user: {}} if due else {}, {user: {}} if user in found else {})
    return lines


def _at_version(user: str, states: Iterable[Canonical], theirs: Canonical, due: str) -> list[str]:
    """`states`: what was told, the newest first; `due`: the version that must have arrived."""
    version, newest = theirs["version"], ""
    for state in states:
        newest = newest or state["version"]
        if state["version"] == version and place(version) >= place(due):
            return differences({user: state}, {user: theirs})
        if place(state["version"]) < place(version):
            break
    if place(due) <= place(version) <= place(newest):
        return []  # compaction took that version: a newer one is under way
    return [f"{user} version: expected {due or 'none'} to {newest}, was {version or 'none'}"]


def place(version: str) -> tuple[int, ...]:
    """Of "generation version" among versions; () is before all."""
    return tuple(int(word) for word in version.split() if word.isdigit())


def _select(
    connection: psycopg.Connection[tuple[object, ...]], table: str, where: str, given: Sequence[object] = ()
) -> Iterable[rows.Row]:
    cursor = connection.execute(f"SELECT * FROM {table} WHERE {where}".encode(), list(given) or None)
    names = [column.name for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor]


def _number(value: object) -> str:
    return say_short(parse(str(value))) if value not in (None, "") else ""


def _number_or(text: object) -> str:
    """As `_number`; a text that is none as it is."""
    try:
        return _number(text)
    except BadNumber:
        return str(text)[:80]


def _cache(config: Mapping[str, str], version: str) -> Canonical:
    fields = {field: _number_or(config.get(field)) if field in _AMOUNTS else config.get(field, "") for field in _CACHED}
    return {"version": version} | fields


def _user(row: rows.Row) -> Canonical:
    return {
        "version": f"{row['generation']} {row['version']}", "margin": _number(row["margin"]),
        "net_profit": _number(row["net_profit"]), "group": str(row["group_name"]), "leverage": _number(row["leverage"]),
        "status": str(row["status"]), "is_active": str(row["is_active"])}


def _balance(row: rows.Row) -> Canonical:
    return {f"balance/{row['account_id']}/{row['asset']}": _number(row["wallet_balance"])}


def _position(row: rows.Row) -> Canonical:
    quantity = _number(row["quantity"])
    path = f"position/{row['account_id']}/{row['venue']}:{row['symbol']}/{row['side']}/{row['position_id']}".rstrip("/")
    return {} if quantity == "0" else {path: f"{quantity} @ {_number(row['entry_price'])}"}


def _order(row: rows.Row) -> Canonical:
    path = f"{row['account_id']}/{row['venue']}:{row['symbol']}/{row['order_id']}"
    return {path: f"{row['status']} {_number(row['filled_quantity'])} of {_number(row['quantity'])} @ {_number(row['price'])}"}


_READ = {"users": _user, "balances": _balance, "positions": _position}
