"""The money of the simulated exchange: nothing comes from nowhere, positions follow fills, every venue agrees with arithmetic by hand."""

import asyncio
import json
import sys
from collections import defaultdict
from decimal import Decimal
from typing import cast

import pytest

from streams.venues.simulator import history
from streams.venues.simulator.books import BOTH, OPEN, Account, AccountMoved, Order, Refused
from streams.venues.simulator.catalogue import BINANCE, VENUES, brackets
from streams.venues.simulator.clock import Clock
from streams.venues.simulator.exchange import Exchange
from streams.venues.simulator.history import forget
from streams.venues.simulator.margin import liquidation_price, ratio
from streams.venues.simulator.server import Simulator
from streams.venues.simulator.traders import Traders
from streams.venues.simulator.truth import Truth


def exchange(venue: str = BINANCE) -> Exchange:
    return Exchange(venue, Clock(1_700_000_000_000, 0), Truth())


@pytest.mark.parametrize("seed", range(3))
def test_wallets_are_the_sum_of_their_statements_and_positions_of_their_fills(seed: int) -> None:
    sim = Simulator(VENUES, clock=Clock(1_700_000_000_000, 0), seed=seed)
    traders = Traders(sim, 2, 1, seed)
    for _ in range(300):
        traders.step()
        sim.advance(1)
    assert sum(len(account.fills) for account in traders.accounts) > 40
    for account in traders.accounts:
        money_adds_up(account)
        fills_add_up(account)


def test_what_ended_is_forgotten_and_what_is_open_is_not() -> None:
    """However long it trades: what is known stays below its bound, and adds up among itself."""
    venue, kept = exchange(), 20
    account = venue.open_account("a", {"USDT": "1000000"})
    resting = [venue.place(account, Order("BTCUSDT", "BUY", "LIMIT", Decimal("0.01"), Decimal(20_000 + at))) for at in range(5)]
    waiting = venue.watch_for(account, Order("BTCUSDT", "SELL", "STOP_MARKET", Decimal("0.01"), stop_price=Decimal(10_000)))
    venue.fill(account, resting[0].id, Decimal("0.004"), Decimal(20_000))
    ended, traded = list[int](), 1
    for at in range(200):
        order = venue.place(account, Order("BTCUSDT", "SELL" if at % 2 else "BUY", "MARKET", Decimal("0.01"), self_trade="NONE"))
        condition = venue.watch_for(account, Order("BTCUSDT", "SELL", "STOP_MARKET", Decimal("0.01"), stop_price=Decimal(9_000)))
        venue.cancel_algo(account, condition.id)
        ended, traded = [*ended, order.id], traded + 1
        forget(account, kept)
        assert len(account.orders) <= kept + len(resting) + kept
        assert len(account.algos) <= kept + 1 + kept
        assert len(account.income) <= 4 * kept + kept
    assert [one.id for one in account.open_orders()] == [one.id for one in resting]
    assert list(account.open_algos()) == [waiting]
    known = [number for number in account.orders if number in ended]
    assert known == ended[-len(known):]
    assert len(known) >= kept
    assert {fill.order_id for fill in account.fills} == {resting[0].id, *known}
    assert len(account.fills) + account.forgotten == traded


def test_a_venue_that_forgot_tells_what_it_still_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Accounts that traded far more than is kept, at every venue."""
    monkeypatch.setattr(history.forget, "__defaults__", (10,))
    sim = Simulator(VENUES, clock=Clock(1_700_000_000_000, 0))
    traders = Traders(sim, 1, 1)
    for _ in range(600):
        traders.step()
        sim.advance(1)
    assert all(account.forgotten for account in traders.accounts)
    for account in traders.accounts:
        told = cast("dict[str, object]", sim.told(account.name))
        assert (told["forgotten"], len(cast("list[object]", told["fills"]))) == (account.forgotten, len(account.fills))
        assert {fill.order_id for fill in account.fills} <= account.orders.keys()
        assert len(account.orders) <= 25 + len(account.open_orders())


def money_adds_up(account: Account) -> None:
    for asset, balance in account.balances.items():
        assert balance.wallet == sum(one.amount for one in account.income if one.asset == asset)


def fills_add_up(account: Account) -> None:
    amounts, orders = defaultdict[tuple[str, str], Decimal](Decimal), defaultdict[int, Decimal](Decimal)
    for one in account.fills:
        amounts[one.symbol, one.position_side] += one.quantity if one.side == "BUY" else -one.quantity
        orders[one.order_id] += one.quantity
    assert {key: one.amount for key, one in account.positions.items() if one.amount} == {key: one for key, one in amounts.items() if one}
    assert {one.id: one.filled for one in account.orders.values() if one.filled} == orders
    assert {one.id for one in account.open_orders()} == {one.id for one in account.orders.values() if one.status in OPEN}


@pytest.mark.parametrize("venue", VENUES)
def test_a_round_trip_costs_two_fees_and_makes_the_difference(venue: str) -> None:
    market = exchange(venue)
    account = market.open_account("alice")
    symbol, one = next(iter(market.instruments.items()))
    quantity = Decimal("0.1") / one.contract_size  # a tenth of a bitcoin on each venue
    market.trade(account, Order(symbol, "BUY", "MARKET", quantity), Decimal(60_000))
    market.trade(account, Order(symbol, "SELL", "MARKET", quantity * 2), Decimal(61_000))
    assert account.balances["USDT"].wallet == 10_000 + 100 - Decimal("3") - Decimal("6.1")
    position = account.positions[(symbol, BOTH)]
    assert (position.amount * one.contract_size, position.entry) == (Decimal("-0.1"), Decimal(61_000))


def test_funding_tells_balances_of_cross_and_positions_of_isolated() -> None:
    market = exchange()
    told: list[tuple[str, int]] = []
    market.listeners.append(lambda account, _, events: told.extend(
        (account.name, len(one.positions)) for one in events if isinstance(one, AccountMoved) and one.reason == "FUNDING_FEE"))
    for name in ("cross", "isolated"):
        account = market.open_account(name)
        if name == "isolated":
            market.set_isolated(account, "BTCUSDT", isolated=True)
        market.trade(account, Order("BTCUSDT", "BUY", "MARKET", Decimal("0.1")), Decimal(60_000))
    market.fund("BTCUSDT", Decimal("0.0001"))
    assert told == [("cross", 0), ("isolated", 1)]
    assert [one.balances["USDT"].wallet for one in market.accounts.values()] == [Decimal("9996.4")] * 2
    assert market.accounts["isolated"].positions[("BTCUSDT", BOTH)].isolated_wallet == Decimal("299.4")


def test_at_the_liquidation_price_the_ratio_is_one() -> None:
    market = exchange()
    account = market.open_account("alice", {"USDT": "1000"})
    market.trade(account, Order("BTCUSDT", "BUY", "MARKET", Decimal("0.2")), Decimal(60_000))
    price = liquidation_price(account, account.positions[("BTCUSDT", BOTH)], market.market)
    market.marks["BTCUSDT"] = price
    assert abs(ratio(account, "USDT", market.market) - 1) < Decimal("1e-20")
    market.set_price("BTCUSDT", (price + 1).quantize(Decimal("0.1")))
    assert account.positions[("BTCUSDT", BOTH)].amount
    market.set_price("BTCUSDT", (price - 1).quantize(Decimal("0.1")))
    assert not account.positions[("BTCUSDT", BOTH)].amount


def test_brackets_join_without_a_step() -> None:
    for before, after in zip(brackets(), brackets()[1:], strict=False):
        assert before.cap * before.rate - before.amount == after.floor * after.rate - after.amount


def test_own_orders_do_not_meet_and_a_reduce_only_order_never_opens() -> None:
    market = exchange()
    account = market.open_account("alice")
    resting = market.place(account, Order("BTCUSDT", "SELL", "LIMIT", Decimal("0.01"), Decimal("60001")))
    taker = market.place(account, Order("BTCUSDT", "BUY", "LIMIT", Decimal("0.01"), Decimal("60005")))
    assert (resting.status, taker.status) == ("EXPIRED_IN_MATCH", "FILLED")
    closing = market.place(account, Order("BTCUSDT", "SELL", "LIMIT", Decimal("0.05"), Decimal("60100"), reduce_only=True))
    market.trade(account, Order("BTCUSDT", "SELL", "MARKET", Decimal("0.005")), Decimal(60_000))
    market.set_price("BTCUSDT", Decimal("60200"))
    assert (closing.status, closing.filled) == ("EXPIRED", Decimal("0.005"))
    assert not account.positions[("BTCUSDT", BOTH)].amount


@pytest.mark.parametrize(("order", "reason"), [
    (Order("NOPE", "BUY", "MARKET", Decimal(1)), "symbol"), (Order("BTCUSDT", "BUY", "MARKET", Decimal("0.0001")), "precision"),
    (Order("BTCUSDT", "BUY", "LIMIT", Decimal("0.01"), Decimal("59000.05")), "tick"),
    (Order("BTCUSDT", "BUY", "MARKET", Decimal(0)), "quantity"),
    (Order("BTCUSDT", "BUY", "MARKET", Decimal(10)), "margin"), (Order("XRPUSDT", "BUY", "MARKET", Decimal(1)), "notional"),
    (Order("BTCUSDT", "SELL", "MARKET", Decimal("0.01"), reduce_only=True), "reduce_only"),
    (Order("BTCUSDT", "BUY", "MARKET", Decimal("0.01"), position_side="LONG"), "position_side"),
    (Order("BTCUSDT", "BUY", "LIMIT", Decimal("0.01"), Decimal(61_000), tif="GTX"), "would_take")])
def test_what_a_venue_refuses_changes_nothing(order: Order, reason: str) -> None:
    market = exchange()
    account = market.open_account("alice")
    before = market.truth.count
    with pytest.raises(Refused) as refused:
        market.place(account, order)
    assert refused.value.reason == reason
    assert (market.truth.count, account.orders, account.income[1:]) == (before, {}, [])


def test_orders_expire_by_their_time_in_force() -> None:
    market = exchange()
    account = market.open_account("alice")
    until = market.clock.now_ms() + 600_000
    waiting = market.place(account, Order("BTCUSDT", "BUY", "LIMIT", Decimal("0.01"), Decimal(50_000), tif="GTD", good_till_ms=until))
    at_once = market.place(account, Order("BTCUSDT", "BUY", "LIMIT", Decimal("0.01"), Decimal(50_000), tif="IOC"))
    assert (waiting.status, at_once.status) == ("NEW", "EXPIRED")
    market.clock.advance(601)
    assert waiting.status == "EXPIRED"


def test_a_triggered_order_that_must_fill_at_once_and_cannot_is_told_as_rejected() -> None:
    market = exchange()
    account = market.open_account("alice")
    told: list[str] = []
    market.listeners.append(lambda _, __, events: told.extend(type(one).__name__ for one in events))
    stop = Order("BTCUSDT", "BUY", "STOP", Decimal("0.01"), Decimal(59_000), tif="FOK", stop_price=Decimal(60_500))
    algo = market.watch_for(account, stop)
    market.set_price("BTCUSDT", Decimal(60_600))
    assert (algo.status, account.orders[algo.child_id].expiry_reason) == ("FINISHED", 8)
    assert not algo.filled
    assert told[-1] == "TriggerRejected"


def test_time_stands_still_jumps_and_calls_what_is_due_on_the_way() -> None:
    clock = Clock(1_000, 0)
    seen: list[int] = []
    clock.after(5_000, lambda: seen.append(clock.now_ms()))
    clock.after(2_000, lambda: clock.after(1_000, lambda: seen.append(clock.now_ms())))
    clock.advance(4)
    assert (seen, clock.now_ms()) == ([4_000], 5_000)
    clock.advance(10)
    assert seen == [4_000, 6_000]


async def test_the_command_prints_addresses_and_accounts_and_trades() -> None:
    words = ["-m", "streams", "simulate", "--venue", BINANCE, "--accounts", "2", "--events", "50", "--port", "control=0"]
    process = await asyncio.create_subprocess_exec(sys.executable, *words, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        said = json.loads(await asyncio.wait_for(process.stdout.readline(), 60))
        assert (list(said["urls"]), len(said["accounts"])) == ([BINANCE], 2)
        assert said["urls"][BINANCE]["ws"].startswith("ws://127.0.0.1:")
    finally:
        process.terminate()
        await process.wait()
