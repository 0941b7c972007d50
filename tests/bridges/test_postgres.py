"""The Postgres mirror on a real server: late and repeated writes change nothing, vanished rows are closed, poison stays alone."""

import asyncio
import random
from collections.abc import Sequence

import psycopg
import pytest

from schemas.engine_pb2 import MARGIN_CALL, NORMAL, Liquidation, MarginCall, Transaction
from schemas.user_data_pb2 import BINANCE_USDM, BOTH, BUY, OrderStatus, UserDataOrderUpdateEvent
from streams import topics
from streams.bridges.compare import canonical_orders, canonical_state, differences, postgres_orders, postgres_rows
from streams.bridges.letters import LeftOut
from streams.bridges.postgres import Postgres
from tests.bridges.facts import Sent, orders_state, sent, user_state, with_position


def write(dsn: str, *batches: Sequence[Sent]) -> list[LeftOut]:
    async def run() -> list[LeftOut]:
        store = Postgres(dsn, "live")
        try:
            return [left for batch in batches for left in await store.write(batch)]
        finally:
            await store.close()

    return asyncio.run(run())


def ask(dsn: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(query.encode()).fetchall()


def test_a_state_is_in_postgres_as_it_is(dsn: str) -> None:
    state = with_position(user_state(balance="100.50"))
    state.accounts["x1"].venue, state.accounts["x1"].account_id = "binance_usdm", "x1"
    state.accounts["x1"].balances["USDT"].wallet_balance = "7"
    write(dsn, [sent(state)])
    assert differences({"live:123": canonical_state(state)}, postgres_rows(dsn)) == []
    assert ask(dsn, "SELECT user_key, wallet_balance::text FROM users") == [("live:123", "0")]  # the ledger's sum, whatever a state says
    assert ask(dsn, "SELECT wallet_balance::text FROM balances WHERE account_id = 'house'") == [("100.50",)]
    assert ask(dsn, "SELECT symbol, venue, quantity::text FROM positions WHERE status = 'open'") == [("EURUSD", "house", "1.5")]
    assert ask(dsn, "SELECT account_id, venue, is_active FROM exchange_accounts") == [("x1", "binance_usdm", True)]


@pytest.mark.parametrize(
    ("before", "late"), [((1, 5), (1, 4)), ((1, 5), (1, 5)), ((2, 1), (1, 900))], ids=["older", "repeat", "generation"]
)
def test_a_late_state_changes_nothing(dsn: str, before: tuple[int, int], late: tuple[int, int]) -> None:
    good = user_state(version=before[1], generation=before[0], balance="500")
    bad = with_position(user_state(version=late[1], generation=late[0], balance="1"))
    write(dsn, [sent(good)], [sent(bad)])
    assert differences({"live:123": canonical_state(good)}, postgres_rows(dsn)) == []
    assert ask(dsn, "SELECT count(*) FROM positions") == [(0,)]


def test_any_order_of_states_ends_in_the_newest(dsn: str) -> None:
    states = [user_state(version=number, balance=str(number)) for number in range(1, 30)]
    for state in states[::3]:
        with_position(state, quantity=str(state.version))
    mixed = [sent(state) for state in states] * 3
    random.Random(7).shuffle(mixed)
    write(dsn, *(mixed[at : at + 5] for at in range(0, len(mixed), 5)))
    assert differences({"live:123": canonical_state(states[-1])}, postgres_rows(dsn)) == []


def test_rows_that_vanish_are_closed_and_come_back(dsn: str) -> None:
    full = with_position(with_position(user_state(version=1)), "GBPUSD")
    full.accounts["x1"].venue = "bybit_v5"
    full.accounts["x1"].balances["USDT"].wallet_balance = "9"
    write(dsn, [sent(full)], [sent(with_position(user_state(version=2)))])
    assert ask(dsn, "SELECT symbol, status, quantity::text FROM positions ORDER BY 1") == [
        ("EURUSD", "open", "1.5"),
        ("GBPUSD", "closed", "0"),
    ]
    assert ask(dsn, "SELECT asset, status, wallet_balance::text FROM balances ORDER BY 1") == [
        ("USD", "open", "100"),
        ("USDT", "closed", "0"),
    ]
    assert ask(dsn, "SELECT is_active FROM exchange_accounts") == [(False,)]
    full.version = 3
    write(dsn, [sent(full)])
    assert differences({"live:123": canonical_state(full)}, postgres_rows(dsn)) == []
    assert ask(dsn, "SELECT is_active FROM exchange_accounts") == [(True,)]


def test_an_account_registered_elsewhere_is_left_alone(dsn: str) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute(
            "INSERT INTO exchange_accounts (user_key, account_id, venue, listen_key_encrypted) VALUES ('live:123', 'new', 'okx_v5', 'k')"
        )
    write(dsn, [sent(user_state())])
    assert ask(dsn, "SELECT is_active, listen_key_encrypted FROM exchange_accounts") == [(True, b"k")]


def test_a_batch_of_many_users(dsn: str) -> None:
    states = [with_position(user_state(f"live:{number}", version, str(number * version))) for number in range(300) for version in (1, 2)]
    write(dsn, [sent(state, offset=at) for at, state in enumerate(states)])
    assert differences({state.user_id: canonical_state(state) for state in states[1::2]}, postgres_rows(dsn)) == []
    assert ask(dsn, 'SELECT mirror, topic, "offset" FROM mirror_progress') == [("postgres", "account-states", 599)]


def _bad_amount() -> Sent:
    return sent(user_state("live:bad", balance="NaN"))


def _bad_text() -> Sent:
    state = user_state("live:bad")
    state.profile.group = "a\x00b"
    return sent(state)


def _bad_version() -> Sent:
    return sent(user_state("live:bad", version=2**64 - 1 - 10**15))


POISON = {
    "garbage": Sent(topics.ACCOUNT_STATES, b"live:bad", b"\xff\xfe\x00garbage"),
    "empty": Sent(topics.ACCOUNT_STATES, b"live:bad", None),
    "no key": Sent(topics.ACCOUNT_STATES, None, user_state("live:bad").SerializeToString()),
    "wrong key": sent(user_state("live:bad"), user="live:other"),
    "not text key": Sent(topics.TRANSACTIONS, b"\xff\xff", Transaction(delta_id="d").SerializeToString()),
    "not a number": _bad_amount(),
    "text Postgres cannot hold": _bad_text(),
    "version out of range": _bad_version(),
    "amount of a transaction": sent(Transaction(delta_id="d", amount="1e999"), topics.TRANSACTIONS, "live:bad"),
}


@pytest.mark.parametrize("poison", POISON.values(), ids=POISON.keys())
def test_poison_is_left_out_and_the_neighbours_go_on(dsn: str, poison: Sent) -> None:
    states = [user_state(f"live:{number}") for number in range(9)]
    batch = [sent(state) for state in states]
    left_out = write(dsn, [*batch[:4], poison, *batch[4:]])
    assert [left.record for left in left_out] == [poison]
    assert differences({state.user_id: canonical_state(state) for state in states}, postgres_rows(dsn)) == []
    assert ask(dsn, "SELECT count(*) FROM transactions") == [(0,)]


def test_open_orders_follow_their_state(dsn: str) -> None:
    first, second = orders_state("a", "b"), orders_state("b", "c", version=2)
    write(dsn, [sent(first, topics.ORDER_STATES)], [sent(second, topics.ORDER_STATES)], [sent(first, topics.ORDER_STATES)])
    assert differences({"live:123": canonical_orders(second)}, postgres_orders(dsn)) == []
    assert ask(dsn, "SELECT order_id, status FROM orders ORDER BY 1") == [("a", "CLOSED"), ("b", "NEW"), ("c", "NEW")]


def order_update(order_id: str, status: "OrderStatus", trade: str = "", time_ms: int = 1_700_000_005_000) -> UserDataOrderUpdateEvent:
    event = UserDataOrderUpdateEvent(symbol="BTCUSDT", order_id=order_id, status=status, side=BUY, position_side=BOTH)
    event.meta.user_id, event.meta.account_id, event.meta.exchange, event.meta.transaction_time_ms = "live:123", "x1", BINANCE_USDM, time_ms
    if trade:
        event.fill.trade_id, event.fill.qty, event.fill.price, event.fill.fee = trade, "2", "50000", "0.4"
    return event


@pytest.mark.parametrize("end_first", [True, False], ids=["end before its state", "state before the end"])
def test_an_ended_order_stays_ended(dsn: str, *, end_first: bool) -> None:
    end = [sent(order_update("a", OrderStatus.FILLED, "t1"), topics.ORDER_UPDATES, "live:123")]
    state = [sent(orders_state("a"), topics.ORDER_STATES)]
    write(dsn, *([end, state, end] if end_first else [state, end, state]))
    write(dsn, [sent(orders_state(version=2), topics.ORDER_STATES)])
    assert ask(dsn, "SELECT order_id, status FROM orders") == [("a", "FILLED")]
    assert ask(dsn, "SELECT trade_id, quantity::text, fee::text FROM fills") == [("t1", "2", "0.4")]


def test_an_end_keeps_what_only_the_open_order_knew(dsn: str) -> None:
    write(
        dsn,
        [sent(orders_state("a"), topics.ORDER_STATES)],
        [sent(order_update("a", OrderStatus.CANCELED), topics.ORDER_UPDATES, "live:123")],
    )
    assert ask(dsn, "SELECT quantity::text, price::text, status FROM orders") == [("2", "50000", "CANCELED")]


def test_a_conditional_order_ends_under_the_name_it_was_open_under(dsn: str) -> None:
    book = orders_state("algo-7", "7")
    book.orders["x1/binance_usdm:BTCUSDT/algo-7"].order_id = "7"
    end = order_update("7", OrderStatus.EXPIRED)
    end.is_algo = True
    write(dsn, [sent(book, topics.ORDER_STATES)], [sent(end, topics.ORDER_UPDATES, "live:123")])
    assert ask(dsn, "SELECT order_id, status FROM orders ORDER BY 1") == [("7", "NEW"), ("algo-7", "EXPIRED")]


def test_a_full_fill_replaces_its_early_notice_and_never_back(dsn: str) -> None:
    lite, full = order_update("a", OrderStatus.NEW, "t1"), order_update("a", OrderStatus.NEW, "t1")
    lite.fill.lite, lite.fill.fee = True, ""
    records = [sent(event, topics.ORDER_UPDATES, "live:123") for event in (lite, full, lite)]
    write(dsn, *([record] for record in records), records)
    assert ask(dsn, "SELECT fee::text, lite FROM fills") == [("0.4", False)]


def test_history_is_there_once_however_often_it_is_read(dsn: str) -> None:
    call = MarginCall(
        id="live:123/house/1/t1", user_id="live:123", account_id="house", before=NORMAL, after=MARGIN_CALL, episode=1, transition=1
    )
    call.figures.equity = "90"
    step = Liquidation(id="live:123/house/1/s1", user_id="live:123", account_id="house", episode=1, step=1, time_ms=1_700_000_000_000)
    step.step_ordered.action, step.step_ordered.instrument, step.step_ordered.quantity = "close", "house:EURUSD", "1"
    done = Liquidation(id=step.id, user_id="live:123", account_id="house", episode=1, step=1, time_ms=1_700_000_000_001)
    done.completed.instrument, done.completed.quantity, done.completed.price, done.completed.realised_pnl = (
        "house:EURUSD",
        "1",
        "1.05",
        "-50",
    )
    money = Transaction(
        delta_id="d1",
        user_id="live:123",
        account_id="house",
        asset="USD",
        amount="-50",
        balance_after="50",
        kind="realised_pnl",
        sequence=7,
    )
    batch = [
        sent(call, topics.MARGIN_CALLS),
        sent(step, topics.LIQUIDATIONS),
        sent(done, topics.LIQUIDATIONS),
        sent(money, topics.TRANSACTIONS),
    ]
    write(dsn, batch, batch + batch)
    assert ask(dsn, "SELECT rung_before, rung_after, figures ->> 'equity' FROM margin_events") == [("normal", "margin_call", "90")]
    assert ask(dsn, "SELECT event, symbol, price::text FROM liquidations ORDER BY 1") == [
        ("completed", "EURUSD", "1.05"),
        ("step_ordered", "EURUSD", None),
    ]
    assert ask(dsn, "SELECT amount::text, balance_after::text, source_sequence::text FROM transactions") == [("-50", "50", "7")]


def test_a_difference_is_said(dsn: str) -> None:
    state = with_position(user_state())
    write(dsn, [sent(state)])
    with psycopg.connect(dsn) as connection:
        connection.execute("UPDATE positions SET quantity = 9")
    assert differences({"live:123": canonical_state(state)}, postgres_rows(dsn)) == [
        "live:123 position/house/house:EURUSD/LONG/p1: expected 1.5 @ 1.1, was 9 @ 1.1"
    ]
    assert differences({"live:9": {}}, {"live:8": {}}) == ["live:8: expected no row, was one", "live:9: expected a row, was none"]
