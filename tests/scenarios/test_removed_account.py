"""An account that is removed, through both ledgers: balances, positions and open orders go; replays and late facts bring nothing back."""

from schemas import engine_pb2 as pb
from schemas import user_data_pb2 as ud
from tables.rows import Fact
from tests.properties.test_histories import restarted
from tests.scenarios.engine import Engine
from tests.tables.facts import VENUE, balance, meta, order, position, update

ADDED = update("", sequence=1, exchange_account=pb.AccountUpdate.ExchangeAccount(account_id=VENUE, venue="binance_usdm"))
REMOVED = update("", sequence=2, exchange_account_removed=VENUE)
BACK = update("", sequence=3, exchange_account=pb.AccountUpdate.ExchangeAccount(account_id=VENUE, venue="binance_usdm"))
TOLD: list[Fact] = [balance("100", meta(1)), position("1", meta(2)), order("1", ud.NEW, meta(3)), order("2", ud.NEW, meta(4))]


def traded() -> Engine:
    engine = Engine()
    engine.deliver(ADDED, *TOLD)
    assert sorted(found.order_id for found in engine.open_orders.orders.values()) == ["1", "2"]
    return engine


def test_all_that_was_its_goes_with_it() -> None:
    engine = traded()
    given = engine.deliver(REMOVED)
    assert (engine.user.accounts, engine.open_orders.orders, given.outputs) == ({}, {}, [])
    engine.deliver(*TOLD, order("3", ud.NEW, meta(5)))
    assert (engine.user.accounts, engine.open_orders.orders) == ({}, {})


def test_a_crash_before_and_after_the_removal_changes_nothing() -> None:
    engine = traded()
    removal = engine.record(REMOVED)
    before, again = restarted(engine), restarted(engine)
    for one in (before, again):
        one.fold(removal)
    after = restarted(before)
    after.fold(removal)  # at its fence
    assert after.state() == before.state() == again.state()
    assert after.open_orders.orders == {}
    late = after.record(order("1", ud.PARTIALLY_FILLED, meta(9), cum_filled_qty="1"))
    after.fold(late)
    assert after.open_orders.orders == {}


def test_it_comes_back_with_what_is_told_of_it_then() -> None:
    engine = traded()
    engine.deliver(REMOVED, BACK, REMOVED)  # the relay may tell again what it told
    assert (list(engine.user.accounts), engine.open_orders.orders) == ([VENUE], {})
    engine.deliver(order("2", ud.NEW, meta(20)))
    assert [found.order_id for found in engine.open_orders.orders.values()] == ["2"]


def test_a_row_of_orders_is_not_born_of_profiles() -> None:
    engine = Engine()
    engine.deliver(update("p", profile=pb.AccountUpdate.Profile(group="g")))
    assert all(key.startswith(b"\0") for part in engine.orders.parts.values() for key in part.rows)
