"""Simulated accounts in the stack: their rules and ticks, and the three ways in which the self-check looks at them."""

import re
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestServer

from agents.risk.rules import Rules, rules_with
from schemas import engine_pb2 as engine
from schemas import user_data_pb2 as data
from streams import topics
from streams.config import load
from streams.stack import supervisor
from streams.stack.generator import all_rules
from streams.stack.generator_facts import HouseFacts
from streams.stack.generator_venues import SimulatedVenues
from streams.stack.oracle import Expected, Oracle, Seen
from streams.stack.oracle_venues import compared, orders_told
from streams.stack.process import StackError
from streams.stack.supervisor import State
from streams.stack.venues import Simulated, ask
from streams.venues.simulator.catalogue import VENUES, instruments
from streams.venues.simulator.control import control_app
from streams.venues.simulator.server import Simulator
from streams.venues.simulator.traders import Traders

USER, NAME = "demo:sim-1-0", "binance_usdm-1-0"
ONE = Simulated(USER, NAME, "binance_usdm")


def test_every_instrument_of_every_venue_has_a_rule_and_no_id_two() -> None:
    found = Rules()
    for offset, rule in enumerate(all_rules()):
        found = rules_with(found, rule, offset)
    assert {f"{venue}:{symbol}" for venue in VENUES for symbol in instruments(venue)} <= set(found.instruments)
    assert len({rule.rule_id for rule in all_rules()}) == len(all_rules())
    xbt = found.instrument("kucoin_futures:XBTUSDTM", 0)
    assert xbt is not None
    assert (xbt.contract_size, xbt.settle, xbt.brackets[0].rate) == (Decimal("0.001"), "USDT", Decimal("0.004"))


def test_house_facts_are_of_house_books_alone() -> None:
    facts = HouseFacts(1, 40)
    now_ms = 1_760_000_000_000
    records = facts.opening(now_ms) + [record for _ in range(500) for record in facts.next_batch(now_ms)]
    events = [message for _, _, message in records if isinstance(message, data.UserDataOrderUpdateEvent)]
    assert len(events) > 100
    assert {event.meta.exchange for event in events} == {data.HOUSE}
    assert {facts.market.tick(now_ms).instrument.partition(":")[0] for _ in range(100)} == {"house"}


@pytest.fixture
async def control() -> AsyncIterator[tuple[str, Simulator, Traders]]:
    """A control address as `marginstream simulate` has it, with its traders at rest."""
    sim = Simulator()
    traders = Traders(sim, 0, 0)
    sim.actions["traders"] = traders.pace
    async with TestServer(control_app(sim)) as server:
        yield str(server.make_url("")).rstrip("/"), sim, traders


async def test_marks_that_moved_are_told_and_all_now_and_then(control: tuple[str, Simulator, Traders]) -> None:
    url, sim, _ = control
    venues = SimulatedVenues(url)
    first = await venues.ticks(0, 1_000)
    assert len(first) == sum(len(instruments(venue)) for venue in VENUES)
    assert await venues.ticks(0.1, 1_100) == []  # too early
    assert await venues.ticks(0.3, 1_300) == []  # nothing moved
    sim.price("okx_v5", "BTC-USDT-SWAP", "60001.5")
    [(topic, key, tick)] = await venues.ticks(0.6, 1_600)
    assert isinstance(tick, engine.PriceTick)
    assert (topic, key, tick.mark, tick.bid, tick.ask, tick.time_ms) == (
        topics.PRICE_TICKS, "okx_v5:BTC-USDT-SWAP", "60001.5", "60001.4", "60001.6", 1_600)
    assert len(await venues.ticks(2.1, 2_100)) == len(first)
    await venues.close()


async def test_the_generator_lets_accounts_trade_and_rest(control: tuple[str, Simulator, Traders]) -> None:
    url, sim, traders = control
    sim.open_account("a", "bybit_v5")
    traders.pace(0, ["a"])
    venues = SimulatedVenues(url)
    await venues.pace(50)
    assert (traders._per_second, [one.name for one in traders.accounts]) == (50, ["a"])
    await venues.close()
    assert traders._per_second == 0
    with pytest.raises(KeyError):
        traders.pace(1, ["nobody"])
    with pytest.raises(ValueError, match="per_second: expected 0 to"):
        traders.pace(-1)


async def test_a_simulator_that_is_gone_is_said_and_asked_again(caplog: pytest.LogCaptureFixture) -> None:
    venues = SimulatedVenues("http://127.0.0.1:9")
    with caplog.at_level("ERROR", "streams.stack.generator_venues"):  # a replay in the same process mutes its rooms
        assert await venues.ticks(0, 1) == []
    await venues.close()
    assert "expected its marks, was ClientConnectorError" in caplog.text


# -- the three ways ---------------------------------------------------------------------------------------------------------------------


def _meta(seq: int, snapshot: str = "", end: int | None = None) -> data.EventMeta:
    meta = data.EventMeta(user_id=USER, account_id=NAME, exchange=data.BINANCE_USDM, connection_epoch=1, lease_epoch=1, receive_seq=seq,
                          transaction_time_ms=seq, snapshot_id=snapshot)
    if end is not None:
        meta.snapshot_end.CopyFrom(data.SnapshotEnd(rows_of_this_topic=end, as_of_ms=seq))
    return meta


def _order(seq: int, ident: int, status: data.OrderStatus, filled: str = "0", **said: str) -> data.UserDataOrderUpdateEvent:
    event = data.UserDataOrderUpdateEvent(meta=_meta(seq, said.get("snapshot", "")), symbol="BTCUSDT", order_id=str(ident), status=status,
                                          orig_qty="1", cum_filled_qty=filled)
    if trade := said.get("trade"):
        event.fill.CopyFrom(data.Fill(trade_id=trade, qty=filled, price="60000"))
    return event


def _seen(*events: data.UserDataOrderUpdateEvent) -> list[Seen]:
    return [Seen(topics.ORDER_UPDATES, 0, at, 0, USER.encode(), event.SerializeToString()) for at, event in enumerate(events)]


def _end(seq: int, snapshot: str, rows: int) -> data.UserDataOrderUpdateEvent:
    return data.UserDataOrderUpdateEvent(meta=_meta(seq, snapshot, rows))


@pytest.mark.parametrize(("events", "still_open"), [
    ([_order(1, 7, data.NEW)], ["7"]),
    ([_order(1, 7, data.NEW), _order(2, 7, data.FILLED)], []),
    ([_order(2, 7, data.CANCELED), _order(1, 7, data.NEW)], []),
    ([_order(1, 7, data.NEW), _end(5, "s", 0)], []),
    ([_order(1, 7, data.NEW), _order(5, 7, data.NEW, snapshot="s"), _end(5, "s", 1)], ["7"]),
    ([_order(1, 7, data.NEW), _end(5, "s", 1)], ["7"]),  # not all rows of the snapshot were seen
    ([_order(6, 7, data.NEW), _end(5, "s", 0)], ["7"]),  # newer than the snapshot
])
def test_open_orders_of_facts(events: list[data.UserDataOrderUpdateEvent], still_open: list[str]) -> None:
    assert list(orders_told(_seen(*events))[USER, NAME].open_orders()) == still_open


TRUTH: dict[str, Any] = {
    "balances": {"USDT": {"wallet": "990.5"}},
    "positions": {"BTCUSDT/BOTH": {"amount": "-0.3", "entry": "60000"}, "ETHUSDT/BOTH": {"amount": "0", "entry": "0"}},
    "orders": [{"id": 7, "status": "PARTIALLY_FILLED", "filled": "0.3", "quantity": "1"},
               {"id": 6, "status": "FILLED", "filled": "1", "quantity": "1"}],
    "fills": [{"symbol": "BTCUSDT", "id": 70, "quantity": "0.3", "price": "60000"}]}
HELD = Expected({"USDT": Decimal("990.50")}, {"binance_usdm:BTCUSDT/BOTH": (Decimal("-0.3"), Decimal(60_000))})
FACTS = (_order(1, 7, data.NEW), _order(2, 7, data.PARTIALLY_FILLED, "0.3", trade="70"))


def _states(quantity: str = "0.3") -> list[Seen]:
    order = engine.OrderState(account_id=NAME, order_id="7", quantity="1", filled_quantity=quantity)
    state = engine.OrdersState(user_id=USER, orders={"7": order})
    return [Seen(topics.ORDER_STATES, 0, 0, 0, USER.encode(), state.SerializeToString())]


def _compared(told: Expected, held: Expected, events: list[Seen], states: list[Seen]) -> list[str]:
    read = {topics.ORDER_UPDATES: events, topics.ORDER_STATES: states}
    return compared([(ONE, TRUTH)], read, {USER: {NAME: told}}, {USER: {NAME: held}})


def test_three_that_agree_differ_in_nothing() -> None:
    assert _compared(HELD, HELD, _seen(*FACTS), _states()) == []


@pytest.mark.parametrize(("told", "held", "events", "filled", "says"), [
    (HELD._replace(balances={"USDT": Decimal(1)}), HELD, FACTS, "0.3", "simulator and facts of .* balance USDT: expected 990.5, was 1"),
    (HELD, HELD._replace(positions={}), FACTS, "0.3", "simulator and row of .* position binance_usdm:BTCUSDT/BOTH: expected -0.3 @ 60000"),
    (HELD, HELD, FACTS, "0.2", "simulator and row of .* order 7: expected 0.3 / 1, was 0.2 / 1"),
    (HELD, HELD, FACTS[:1], "0.3", "simulator and facts of .* fill .*70.*: expected .*, was none"),
])
def test_whoever_differs_is_named(told: Expected, held: Expected, events: tuple[data.UserDataOrderUpdateEvent, ...], filled: str,
                                  says: str) -> None:
    found = _compared(told, held, _seen(*events), _states(filled))
    assert found
    assert any(re.search(says, line) for line in found), found


@pytest.mark.parametrize(("forgotten", "lines"), [(1, 0), (0, 1), (2, 1)])
def test_fills_that_the_simulator_forgot_are_counted(forgotten: int, lines: int) -> None:
    events = _seen(_order(0, 5, data.FILLED, "1", trade="69"), *FACTS)
    read = {topics.ORDER_UPDATES: events, topics.ORDER_STATES: _states()}
    found = compared([(ONE, TRUTH | {"forgotten": forgotten})], read, {USER: {NAME: HELD}}, {USER: {NAME: HELD}})
    assert len(found) == lines
    assert all("fill ('BTCUSDT', '69'): expected none" in line for line in found)


def test_an_account_that_was_removed_is_expected_no_more() -> None:
    oracle = Oracle()
    balance = data.UserDataBalanceUpdateEvent(meta=_meta(1), asset="USDT", wallet_balance="5")
    added = engine.AccountUpdate(user_id=USER, source="admin", sequence=1,
                                 exchange_account=engine.AccountUpdate.ExchangeAccount(account_id=NAME, venue="binance_usdm"))
    removed = engine.AccountUpdate(user_id=USER, source="admin", sequence=2, exchange_account_removed=NAME)
    oracle.take(Seen(topics.ACCOUNT_UPDATES, 0, 0, 0, USER.encode(), added.SerializeToString()))
    oracle.take(Seen(topics.BALANCE_UPDATES, 0, 0, 0, USER.encode(), balance.SerializeToString()))
    assert NAME in oracle.expected()[USER]
    oracle.take(Seen(topics.ACCOUNT_UPDATES, 0, 1, 0, USER.encode(), removed.SerializeToString()))
    assert NAME not in oracle.expected()[USER]


def test_totals_of_an_account_are_no_balance_and_a_row_of_their_snapshot() -> None:
    oracle = Oracle()

    def say(at: int, event: data.UserDataBalanceUpdateEvent) -> None:
        oracle.take(Seen(topics.BALANCE_UPDATES, 0, at, 0, USER.encode(), event.SerializeToString()))

    say(0, data.UserDataBalanceUpdateEvent(meta=_meta(1), asset="USDC", wallet_balance="5"))
    say(1, data.UserDataBalanceUpdateEvent(meta=_meta(2, "s"), asset="USDT", wallet_balance="7"))
    say(2, data.UserDataBalanceUpdateEvent(meta=_meta(2, "s"), wallet_balance="12"))
    say(3, data.UserDataBalanceUpdateEvent(meta=_meta(2, "s", 2)))
    assert oracle.expected()[USER][NAME].balances == {"USDC": Decimal(0), "USDT": Decimal(7)}


@pytest.mark.parametrize(("own", "before", "theirs"), [
    (["venue_hosts"], "binance_usdm=http://a|ws://a", set()),  # `env` of an earlier run was sourced
    ([], "", {"venue_hosts"}),
    (["venue_hosts"], "", {"venue_hosts"}),  # an earlier run without venues of its own
])
def test_who_sourced_the_addresses_does_not_name_foreign_venues(
    own: list[str], before: str, theirs: set[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in supervisor.ADDRESSES:
        monkeypatch.delenv(f"MARGINSTREAM_{name.upper()}", raising=False)
    monkeypatch.setenv("MARGINSTREAM_VENUE_HOSTS", "binance_usdm=http://a|ws://a")
    state = State(addresses={"MARGINSTREAM_VENUE_HOSTS": before}, own=own)
    assert supervisor._theirs(load(), state) == theirs


def test_nobody_there_is_one_line() -> None:
    with pytest.raises(StackError, match="expected an answer to prices"):
        ask("http://127.0.0.1:9", "prices")


