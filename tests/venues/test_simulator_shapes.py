"""The simulator's frames and rows against real ones, field by field: no field that the venue never sends, none of its own missing."""

import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from streams.venues.simulator import books
from streams.venues.simulator.amounts import Json
from streams.venues.simulator.binance_reads import Reads
from streams.venues.simulator.binance_wire import BinanceWire
from streams.venues.simulator.books import Account, Event, Order
from streams.venues.simulator.bybit_wire import BybitWire
from streams.venues.simulator.catalogue import BINANCE, BYBIT, KUCOIN, OKX
from streams.venues.simulator.clock import Clock
from streams.venues.simulator.exchange import Exchange
from streams.venues.simulator.kucoin_wire import KucoinWire
from streams.venues.simulator.okx_wire import OkxWire
from streams.venues.simulator.truth import Truth
from streams.venues.simulator.venue import Call, Switches

PAYLOADS = Path(__file__).resolve().parents[3] / "shared" / "payloads"

pytestmark = pytest.mark.skipif(not PAYLOADS.is_dir(), reason="the real frames lie beside a checkout only (../shared/payloads)")


def real(name: str) -> Any:
    """The payload of one file."""
    return json.loads((PAYLOADS / name).read_text())["payload"]


class Told:
    """An exchange with one account, and all that it told, as Binance frames where asked."""

    def __init__(self, venue: str = BINANCE) -> None:
        self.exchange = Exchange(venue, Clock(1_700_000_000_000, 0), Truth())
        self.account = self.exchange.open_account("alice")
        self.events: list[Sequence[Event]] = []
        self.frames: list[Json] = []
        wire = BinanceWire(self.exchange)
        self.exchange.listeners.append(lambda account, at, events: self.events.append(events))
        self.exchange.listeners.append(lambda account, at, events: self.frames.extend(wire.frames(account, at, events)))

    def last(self, kind: type[Event]) -> Any:
        """The newest event of a kind."""
        return [one for events in self.events for one in events if isinstance(one, kind)][-1]


def market(quantity: str, side: str = "BUY") -> Order:
    return Order("ACHUSDT", side, "MARKET", Decimal(quantity))


def shape(frame: Json) -> tuple[str, str, str, frozenset[str]]:
    """Event, execution and status, and the field names of what is in it."""
    body: Any = frame.get("o") or {}
    return str(frame["e"]), str(body.get("x", "")), str(body.get("X", "")), frozenset(body)


def test_a_cancelled_limit_order_is_told_as_captured() -> None:
    told = Told()
    order = told.exchange.place(told.account, Order("ACHUSDT", "BUY", "LIMIT", Decimal(900), Decimal("0.0058")))
    told.exchange.cancel(told.account, order.id)
    captured = real("binance-usdm/SEQUENCE-FutureLimitSubmittedCancelled__lean.json")
    assert [shape(one) for one in told.frames] == [shape(one) for one in captured]


def test_a_market_order_is_told_as_captured_with_balances_before_the_fill() -> None:
    told = Told()
    told.exchange.place(told.account, market("900"))
    captured = [shape(one) for one in real("binance-usdm/SEQUENCE-FutureMarketSubmittedFilled__lean.json")]
    orders = [shape(one) for one in told.frames if one["e"] == "ORDER_TRADE_UPDATE"]
    assert orders == captured
    assert [one["e"] for one in told.frames] == ["ORDER_TRADE_UPDATE", "TRADE_LITE", "ACCOUNT_UPDATE", "ORDER_TRADE_UPDATE"]
    assert len({(one["E"], one["T"]) for one in told.frames}) == 1


def test_a_stop_that_fills_in_two_parts_is_told_as_captured() -> None:
    told = Told()
    stop = Order("ACHUSDT", "BUY", "STOP_MARKET", Decimal(800), stop_price=Decimal("0.0067"))
    told.exchange.depth["ACHUSDT"] = Decimal(760)
    told.exchange.watch_for(told.account, stop)
    told.exchange.set_price("ACHUSDT", Decimal("0.0068"))
    captured = real("binance-usdm/SEQUENCE-FutureStopMarketSubmitPartiallyFilledFilled__lean.json")
    kept = [one for one in told.frames if one["e"] in {"ALGO_UPDATE", "ORDER_TRADE_UPDATE"}]
    assert [shape(one) for one in kept] == [shape(one) for one in captured]
    assert [one["o"]["aq"] for one in kept[-2:]] == ["0", "800"]  # type: ignore[index]


def test_a_stop_limit_that_rests_and_then_fills_is_told_as_captured() -> None:
    told = Told()
    stop = Order("ACHUSDT", "BUY", "STOP", Decimal(800), Decimal("0.00665"), stop_price=Decimal("0.0067"))
    algo = told.exchange.watch_for(told.account, stop)
    told.exchange.set_price("ACHUSDT", Decimal("0.0068"))
    told.exchange.set_price("ACHUSDT", Decimal("0.0066"))
    captured = [one for one in real("binance-usdm/SEQUENCE-FutureStopLimitSubmittedFilled__lean.json")
                if one["o"].get("aid", algo.id) != 2000000547383538]  # another order was rejected meanwhile
    kept = [one for one in told.frames if one["e"] in {"ALGO_UPDATE", "ORDER_TRADE_UPDATE"}]
    assert [shape(one) for one in kept] == [shape(one) for one in captured]


def test_a_cancelled_stop_is_told_as_captured() -> None:
    told = Told()
    algo = told.exchange.watch_for(told.account, Order("ACHUSDT", "BUY", "STOP_MARKET", Decimal(800), stop_price=Decimal("0.0068")))
    told.exchange.cancel_algo(told.account, algo.id)
    assert [shape(one) for one in told.frames] == [
        shape(one) for one in real("binance-usdm/SEQUENCE-FutureStopMarketSubmittedCanceled__lean.json")]


def test_a_triggered_order_without_margin_is_rejected_as_captured() -> None:
    told = Told()
    told.exchange.watch_for(told.account, Order("ACHUSDT", "BUY", "STOP", Decimal(900_000_000), Decimal("0.00665"),
                                                stop_price=Decimal("0.0067")))
    told.exchange.set_price("ACHUSDT", Decimal("0.0068"))
    rejected = real("binance-usdm/ALGO_UPDATE-StopLimitSubmittedFilled-06-REJECTED__lean.json")
    assert shape(told.frames[-1]) == shape(rejected)
    assert told.frames[-1]["o"]["rm"] == rejected["o"]["rm"]  # type: ignore[index]


def test_a_trailing_order_says_new_twice_and_carries_its_fields() -> None:
    told = Told()
    told.exchange.watch_for(told.account, Order("ACHUSDT", "SELL", "TRAILING_STOP_MARKET", Decimal(800), callback_rate=Decimal(1),
                                                activation=Decimal("0.0070")))
    told.exchange.set_price("ACHUSDT", Decimal("0.0071"))
    assert [(one["o"]["X"], one["o"]["ia"]) for one in told.frames] == [("NEW", False), ("NEW", True)]  # type: ignore[index]
    told.exchange.place(told.account, market("900"))
    told.exchange.set_price("ACHUSDT", Decimal("0.0070"))
    assert [one["o"]["X"] for one in told.frames if one["e"] == "ALGO_UPDATE"][-3:] == [  # type: ignore[index]
        "TRIGGERING", "TRIGGERED", "FINISHED"]


def test_a_margin_call_and_a_liquidation_carry_their_marks() -> None:
    told = Told()
    told.exchange.set_leverage(told.account, "BTCUSDT", 100)
    told.exchange.trade(told.account, Order("BTCUSDT", "BUY", "MARKET", Decimal(10)), Decimal(60_000))
    told.exchange.set_price("BTCUSDT", Decimal(59_380))
    [call] = [one for one in told.frames if one["e"] == "MARGIN_CALL"]
    sample = real("binance-usdm/MARGIN_CALL__go-binance.json")
    assert set(call) == set(sample)
    assert set(call["p"][0]) == set(sample["p"][0])  # type: ignore[index]
    told.exchange.set_price("BTCUSDT", Decimal(58_000))
    closing: list[Any] = [one["o"] for one in told.frames if one["e"] == "ORDER_TRADE_UPDATE"][-2:]
    assert [(one["x"], one["X"], one["c"].startswith("autoclose-")) for one in closing] == [
        ("NEW", "NEW", True), ("CALCULATED", "FILLED", True)]
    assert told.account.balances["USDT"].wallet == 0  # the insurance fund pays what is missing


REST = [("account", "account-v3__binance-connector-python.json"), ("balance", "balance-v3__binance-connector-python.json"),
        ("config", "accountConfig__binance-connector-python.json"), ("trades", "userTrades__binance-connector-python.json"),
        ("symbol_config", "symbolConfig__binance-connector-python.json"), ("brackets", "leverageBracket__binance-net.json"),
        ("open_algos", "openAlgoOrders__binance-connector-python.json"), ("open_orders", "openOrders__binance-connector-python.json")]


def keys(found: Any) -> Any:
    """The names of all fields, nested ones included; of a list its first row."""
    if isinstance(found, list):
        return [keys(found[0])] if found else []
    return {name: keys(value) for name, value in found.items()} if isinstance(found, dict) else None


@pytest.mark.parametrize(("handler", "file"), REST)
def test_rest_rows_have_the_fields_of_the_real_ones(handler: str, file: str) -> None:
    told = Told()
    told.exchange.trade(told.account, market("9000"), Decimal("0.0066"))
    told.exchange.watch_for(told.account, Order("ACHUSDT", "SELL", "TAKE_PROFIT", Decimal(800), Decimal("0.0069"),
                                                stop_price=Decimal("0.0068")))
    resting = told.exchange.place(told.account, Order("ACHUSDT", "BUY", "LIMIT", Decimal(900), Decimal("0.0058")))
    resting.callback_rate, resting.activation = Decimal("0.3"), Decimal(9020)  # the sample is a trailing order
    call = Call(None, {"symbol": "ACHUSDT"}, "", "", told.account)  # type: ignore[arg-type]
    if handler in {"symbol_config", "brackets"}:
        call.params.clear()
    assert keys(getattr(Reads(told.exchange, BinanceWire(told.exchange)), handler)(call)) == keys(real(f"binance-usdm-rest/{file}"))


def traded(venue: str) -> tuple[Told, Account]:
    told = Told(venue)
    symbol = next(iter(told.exchange.instruments))
    told.exchange.trade(told.account, Order(symbol, "BUY", "MARKET", Decimal(1) if venue != BYBIT else Decimal("0.01")), Decimal(60_000))
    return told, told.account


# What newer documents than a sample added, or what old samples had and the venue dropped since.
LATER = {"order": {"cumFeeDetail", "closedPnl", "createType", "isLeverage", "marketUnit", "slippageTolerance", "slippageToleranceType"},
         "execution": {"createType", "execPnl", "extraFees", "feeCurrency", "marketUnit"}, "position": {"avgPrice"}}


@pytest.mark.parametrize(("topic", "file"), [("order", "order__bybit-net.json"), ("execution", "execution__bybit-net.json"),
                                             ("position", "position__bybit-net.json")])
def test_bybit_rows_have_the_fields_of_the_real_ones(topic: str, file: str) -> None:
    told, account = traded(BYBIT)
    wire = BybitWire(told.exchange, Switches())
    moved = [events for events in told.events if any(isinstance(one, books.OrderMoved) for one in events)][-1]
    made = dict(wire.frames(account, moved))
    assert set(made[topic][0]) - LATER[topic] == set(real(f"bybit/{file}")["data"][0])


def test_okx_rows_have_the_fields_of_the_real_ones() -> None:
    told, account = traded(OKX)
    wire, position = OkxWire(told.exchange), next(iter(account.positions.values()))
    moved = told.last(books.OrderMoved)
    rows = {"orders__okx-net.json": wire.order(account, moved.order, moved.fill), "account__okx-net.json": wire.balance(account),
            "positions__okx-net.json": wire.position(account, position, 1),
            "balance_and_position__okx-net.json": wire.both(account, "filled", [{"ccy": "", "cashBal": "", "uTime": ""}], [position])}
    later = {"orders__okx-net.json": {"linkedAlgoOrd"}, "positions__okx-net.json": {
        "baseBal", "quoteBal", "hedgedPos", "nonSettleAvgPx", "settledPnl"}}
    for file, row in rows.items():
        assert set(row) - later.get(file, set()) == set(real(f"okx/{file}")["data"][0]), file


def test_kucoin_rows_have_the_fields_of_the_real_ones_and_floats_are_floats() -> None:
    told, account = traded(KUCOIN)
    wire, position = KucoinWire(told.exchange), next(iter(account.positions.values()))
    sample = real("kucoin-futures/position.change-all_position__kucoin-universal-sdk.json")["data"]
    made = wire.position(account, position, "positionChange")
    assert set(made) - {"id"} == set(sample)
    assert {name for name, value in made.items() if isinstance(value, str) and not isinstance(sample.get(name), str)} == {"id"}
    partial = wire.marked(account, position)
    assert set(partial) == set(real("kucoin-futures/position.change-markPriceChange__kucoin-net.json")["data"])
    row = wire.order_frames(account, told.last(books.OrderMoved))[0]
    known = set(real("kucoin-futures/tradeOrders-symbolOrderChange__kucoin-net.json")["data"]) | set(
        real("kucoin-futures/symbolOrderChange-order__kucoin-universal-sdk.json")["data"])
    assert known - set(row) <= {"oldSize"}
    assert set(row) - known <= {"tradeType", "positionSide"}


def test_a_partial_fill_changes_the_order_by_that_much() -> None:
    told = Told()
    order = told.exchange.place(told.account, Order("ACHUSDT", "BUY", "LIMIT", Decimal(900), Decimal("0.0058")))
    told.exchange.fill(told.account, order.id, Decimal(400), Decimal("0.0058"))
    told.exchange.amend(told.account, order.id, Decimal(800), Decimal("0.0059"))
    told.exchange.cancel(told.account, order.id)
    orders: list[Any] = [one["o"] for one in told.frames if one["e"] == "ORDER_TRADE_UPDATE"]
    words = [(one["x"], one["X"], one["z"]) for one in orders]
    assert words == [("NEW", "NEW", "0"), ("TRADE", "PARTIALLY_FILLED", "400"), ("AMENDMENT", "PARTIALLY_FILLED", "400"),
                     ("CANCELED", "CANCELED", "400")]
