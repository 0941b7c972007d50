"""Accounts are removed, and some come back, while workers and mirrors are killed and everything is told again: no order is left behind.

Topics are told in any order, late and twice; at the end rows, states and Postgres have open orders of those who are here, and no others.
"""

import asyncio
import random
from pathlib import Path

import psycopg
import pytest

from schemas import user_data_pb2 as data
from schemas.engine_pb2 import AccountUpdate
from streams import topics
from streams.stack.generator_house import Record
from streams.stack.oracle_lag import quiet
from streams.stack.process import StackError
from tests.chaos.cluster import Shape, cluster
from tests.chaos.run import Chaos

SEED, USERS, LEAVERS, ORDERS = 11, 60, 90, 3
ACCOUNT = "bn"
SHAPE = Shape()
STRIKES = [(name, "kill") for name in (*SHAPE.worker_names, *SHAPE.bridge_names[:1])]


def told(user: str, number: int, **change: object) -> Record:
    update = AccountUpdate(id=f"{user}/{number}", user_id=user, source="leavers", sequence=number, **change)  # type: ignore[arg-type]
    return topics.ACCOUNT_UPDATES, user, update


def added(user: str, number: int) -> Record:
    return told(user, number, exchange_account=AccountUpdate.ExchangeAccount(account_id=ACCOUNT, venue="binance_usdm"))


def orders(user: str, epoch: int) -> list[Record]:
    """New orders of a connection; every connection has ids of its own."""
    found: list[Record] = []
    for number in range(1, ORDERS + 1):
        meta = data.EventMeta(user_id=user, account_id=ACCOUNT, exchange=data.BINANCE_USDM, lease_epoch=1, connection_epoch=epoch,
                              receive_seq=number, part_count=1, transaction_time_ms=1_760_000_000_000 + number)
        event = data.UserDataOrderUpdateEvent(meta=meta, symbol="BTCUSDT", order_id=f"{epoch}{number}", status=data.NEW, orig_qty="1",
                                              side=data.BUY, price="100", reduce_only=True)  # it asks for no margin: no verdict rests on it
        found.append((topics.ORDER_UPDATES, user, event))
    return found


def rounds() -> list[tuple[list[Record], list[Record]]]:
    """What is told in each, and what is told again: a third stays, a third goes, a third goes and comes back."""
    users = [f"live:leaver-{at}" for at in range(LEAVERS)]
    gone, back = users[LEAVERS // 3:], users[2 * LEAVERS // 3:]
    opened = [record for user in users for record in (added(user, 1), *orders(user, 1))]
    removed = [told(user, 2, exchange_account_removed=ACCOUNT) for user in gone]
    return [(opened, []), (removed, opened), ([added(user, 3) for user in back], removed),
            ([record for user in back for record in orders(user, 2)], removed)]


async def story(chaos: Chaos, chance: random.Random) -> None:
    """In each round two are killed.

    Between rounds all comes to rest: an account that is told to be back after its orders came has none, and the mirror skips states.
    """
    for records, before in rounds():
        for some in (records[: len(records) // 2], records[len(records) // 2:]):
            await chaos.facts(chaos.feed.chunk(300, [*some, *before]))
            await asyncio.sleep(chance.uniform(0.2, 1.5))
            chaos.strike(*chance.choice(STRIKES))
            for dead in chaos.on.dead:
                chaos.on.start(dead)
        chaos.on.whole()
        await quiet(chaos.on.config, 120.0)


def open_orders(dsn: str) -> dict[str, int]:
    """By status, of the leavers' orders in the mirror: users who have some."""
    with psycopg.connect(dsn) as connection:
        return dict(connection.execute("SELECT status, count(DISTINCT user_key) FROM orders WHERE user_key LIKE 'live:leaver-%' "
                                       "GROUP BY 1").fetchall())


@pytest.mark.chaos
def test_no_order_is_left_behind_and_none_is_taken_from_who_stays(tmp_path: Path) -> None:
    try:
        with cluster(tmp_path, SHAPE) as on:
            chaos = Chaos(on, SEED, USERS)
            asyncio.run(chaos.begin())
            on.whole()
            asyncio.run(story(chaos, random.Random(SEED)))
            found = chaos.differences("left", lambda: chaos.expectation.muted(chaos._rows()))
            assert found == [], "\n".join([*chaos.said, *found[:20]])
            third = LEAVERS // 3
            assert open_orders(on.config.postgres_dsn) == {"NEW": 2 * third, "CLOSED": 2 * third}
    except StackError as error:
        pytest.skip(str(error))
