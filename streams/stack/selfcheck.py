"""The self-check: rows = oracle = Redis = Postgres, and every verdict once and re-derived from its stamp."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal

import psycopg
import redis

from schemas.engine_pb2 import AccountState, Liquidation, MarginCall, OrdersState, UserState
from schemas.money import say_short
from streams import topics
from streams.bridges import compare
from streams.config import Config
from streams.stack.oracle import Expected, Oracle, Seen
from streams.stack.oracle_lag import quiet
from streams.stack.oracle_topics import read_topics
from streams.stack.oracle_verdicts import rederived

FACTS = topics.ACCOUNT_SOURCES
_READ = (*FACTS, topics.LIQUIDATIONS, topics.MARGIN_CALLS, topics.ACCOUNT_STATES, topics.ORDER_STATES, topics.RISK_RULES, topics.CONTROL)
_WAIT_S = 60.0
_ATTEMPTS = 4


def self_check(config: Config, user: str | None = None) -> list[str]:
    """What differs, a line each; empty = all agree. Waits up to a minute for quiet; what still moves then is a difference itself."""
    return asyncio.run(_check(config, user))


async def _check(config: Config, user: str | None) -> list[str]:
    deadline = time.monotonic() + _WAIT_S
    lines: list[str] = []
    for _ in range(_ATTEMPTS):
        moving = await quiet(config, max(deadline - time.monotonic(), 1.0))
        read = await read_topics(config, _READ)
        lines = [moving] * bool(moving) + compare_all(config, read, user)
        # A mark that goes stale while we read moves accounts to `unknown`: what differs must differ again when all is quiet.
        if not lines or time.monotonic() > deadline:
            return lines
        await asyncio.sleep(2.0)
    return lines


def compare_all(config: Config, read: Mapping[str, list[Seen]], user: str | None = None) -> list[str]:
    """The differences between what was read of the topics, the oracle, Redis and Postgres."""
    if user:
        read = {name: [one for one in records if one.user == user or name in (topics.RISK_RULES, topics.CONTROL)]
                for name, records in read.items()}
    states = {one.user: UserState.FromString(one.value) for one in read[topics.ACCOUNT_STATES]}
    orders = {one.user: OrdersState.FromString(one.value) for one in read[topics.ORDER_STATES]}
    return [*_against_oracle(read, states), *repeated(read[topics.MARGIN_CALLS] + read[topics.LIQUIDATIONS]),
            *_against_mirrors(config, states, orders, user), *rederived(config, read)]


def _against_oracle(read: Mapping[str, list[Seen]], states: Mapping[str, UserState]) -> list[str]:
    oracle = Oracle()
    for name in (*FACTS, topics.LIQUIDATIONS):
        for record in read[name]:
            oracle.take(record)
    expected = oracle.expected()
    lines = [f"row of {user}: expected none, was one" for user in sorted(states.keys() - expected.keys())]
    for user, accounts in sorted(expected.items()):
        found = {name: state_of(account) for name, account in states[user].accounts.items()} if user in states else {}
        lines += [f"row of {user}/{name} {line}" for name in sorted(accounts.keys() | found.keys())
                  for line in account_differences(accounts.get(name), found.get(name))]
    return lines + oracle.doubts()


def state_of(account: AccountState) -> Expected:
    """Balances and open positions as the row has them."""
    return Expected({asset: Decimal(balance.wallet_balance or "0") for asset, balance in account.balances.items()},
                    {f"{held.instrument}/{held.side}": (Decimal(held.quantity), Decimal(held.entry_price or "0"))
                     for held in account.positions.values() if Decimal(held.quantity or "0")})


def account_differences(expected: Expected | None, found: Expected | None) -> list[str]:
    """One line a balance or position that is not exactly as expected; an empty account and none are the same."""
    ours, theirs = expected or Expected({}, {}), found or Expected({}, {})
    zero = Decimal(0)
    lines = [f"balance {asset}: expected {ours.balances.get(asset, zero)}, was {theirs.balances.get(asset, zero)}"
             for asset in sorted(ours.balances.keys() | theirs.balances.keys())
             if ours.balances.get(asset, zero) != theirs.balances.get(asset, zero)]
    return lines + [
        f"position {what}: expected {_held(ours, what)}, was {_held(theirs, what)}"
        for what in sorted(ours.positions.keys() | theirs.positions.keys())
        if ours.positions.get(what) != theirs.positions.get(what)
    ]


def _held(account: Expected, what: str) -> str:
    quantity, entry = account.positions.get(what, (Decimal(0), Decimal(0)))
    return f"{say_short(quantity)} @ {say_short(entry)}" if quantity else "none"


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


def _against_mirrors(config: Config, states: Mapping[str, UserState], orders: Mapping[str, OrdersState], user: str | None) -> list[str]:
    rows = {name: compare.canonical_state(state) for name, state in states.items()}
    open_orders = {name: compare.canonical_orders(state) for name, state in orders.items()}
    cached = {name: compare.canonical_cache(state) for name, state in states.items()}
    return [
        *_against("postgres", rows, lambda: compare.postgres_rows(config.postgres_dsn), user),
        *_against("postgres orders", open_orders, lambda: compare.postgres_orders(config.postgres_dsn), user),
        *_against("redis", cached, lambda: compare.redis_rows(config.redis_url), user),
    ]


def _against(
    mirror: str, expected: dict[str, compare.Canonical], read: Callable[[], dict[str, compare.Canonical]], user: str | None
) -> list[str]:
    """The differences of one mirror; one that does not answer is a difference."""
    try:
        found = {name: row for name, row in read().items() if not user or name == user}
    except (psycopg.Error, redis.RedisError) as error:
        return [f"{mirror}: expected an answer, was {error!r}"]
    return [f"{mirror}: {line}" for line in compare.differences(expected, found)]


def summary(config: Config) -> dict[str, int]:
    """Records by topic, and by rung how many accounts stand on it."""
    read = asyncio.run(read_topics(config, (topics.ACCOUNT_STATES, *FACTS, topics.MARGIN_CALLS, topics.LIQUIDATIONS)))
    counts = Counter({name: len(records) for name, records in read.items()})
    states = {one.user: UserState.FromString(one.value) for one in read[topics.ACCOUNT_STATES]}
    counts["users"] = len(states)
    for state in states.values():
        counts.update(f"rung {account.margin.rung}" for account in state.accounts.values())
    return dict(counts)
