"""What each venue's events become, where a wrong reading would cost money: parts, signs, fills, ends, secrets, refusals."""

import json
from typing import Any

import pytest

from schemas import user_data_pb2 as data
from schemas.names import ACCOUNT_CONFIG, BALANCE_UPDATES, DEAD_LETTERS, ORDER_UPDATES, POSITION_UPDATES, VENUE_MARGIN_CALLS
from streams.venues.decode import normalise, unreadable
from streams.venues.frames import Event, Kind
from tests.venues import corpus
from tests.venues.corpus import Frame
from tests.venues.payloads import RECEIPT, changed, events, raw, said


def _one(venue: str, frame: Frame) -> Any:
    [event] = events(venue, frame)
    return event.message


def _topics(found: tuple[Event, ...]) -> list[str]:
    return [event.topic for event in found]


def test_an_account_update_is_one_frame_of_balances_and_positions() -> None:
    found = events("binance_usdm", corpus.ACCOUNT)
    assert _topics(found) == [BALANCE_UPDATES, BALANCE_UPDATES, POSITION_UPDATES]
    usdt, other, position = (event.message for event in found)
    assert isinstance(usdt, data.UserDataBalanceUpdateEvent)
    assert isinstance(other, data.UserDataBalanceUpdateEvent)
    assert isinstance(position, data.UserDataPositionUpdateEvent)
    assert (usdt.wallet_balance, usdt.cross_wallet_balance, usdt.available_balance) == ("100.5", "90.25", ""), "cw is not available"
    assert (usdt.reason_raw, usdt.related_symbol, other.asset) == ("FUNDING_FEE", "BTCUSDT", "BNFCR")
    assert (position.amount, position.position_side, position.margin_mode) == ("-0.010", data.SHORT, data.ISOLATED)
    assert [(meta.part_index, meta.part_count) for meta in (usdt.meta, other.meta, position.meta)] == [(0, 3), (1, 3), (2, 3)]
    assert position.meta.business_key == f"pos:BTCUSDT:SHORT:{corpus.TIME}"


def test_a_change_of_margin_type_is_told_as_a_setting_too() -> None:
    found = events("binance_usdm", corpus.MODE)
    assert _topics(found) == [POSITION_UPDATES, ACCOUNT_CONFIG]
    assert said(found[1])["margin_mode"] == {"symbol": "BTCUSDT", "mode": "ISOLATED", "mode_raw": "isolated"}
    assert said(found[1])["meta"]["part_count"] == 2


def test_ids_beyond_floats_and_a_rebate_stay_as_they_are() -> None:
    order = _one("binance_usdm", corpus.ORDER)
    assert (order.order_id, order.fill.trade_id) == ("9007199254740993", "9007199254740995")
    assert (order.fill.fee, order.fill.fee_asset, order.fill.is_maker) == ("-0.0130", "USDT", True)
    assert order.meta.business_key == "fill:BTCUSDT:9007199254740995"


@pytest.mark.parametrize(("path", "value", "expected"), [
    ("o.n", None, {"fee": ""}), ("o.n", ..., {"fee": ""}), ("o.n", "0", {"fee": "0"}),
    ("E", str(corpus.TIME), {}), ("o.i", "12", {}), ("o.l", 0.1, {"qty": "0.1"}),
])
def test_a_fill_is_read_however_its_fields_are_spelt(path: str, value: object, expected: dict[str, str]) -> None:
    order = _one("binance_usdm", changed(corpus.ORDER, path, value))
    assert {name: getattr(order.fill, name) for name in expected} == expected
    assert not order.fill.HasField("fee") or order.fill.fee != ""


@pytest.mark.parametrize(("path", "value", "status", "fill"), [
    ("o.x", "NEW", data.PARTIALLY_FILLED, False), ("o.t", 0, data.PARTIALLY_FILLED, False), ("o.l", "0.000", data.PARTIALLY_FILLED, False),
    ("o.X", "CANCELED", data.CANCELED, True), ("o.X", "NEW_ADL", data.PARTIALLY_FILLED, True),
    ("o.X", "TOMORROW", data.ORDER_STATUS_UNSPECIFIED, True),
])
def test_a_fill_is_there_where_a_trade_is(path: str, value: object, status: int, fill: bool) -> None:
    order = _one("binance_usdm", changed(corpus.ORDER, path, value))
    assert (order.status, order.HasField("fill")) == (status, fill)


@pytest.mark.parametrize(("prefix", "origin"), [("autoclose-1", data.LIQUIDATION), ("adl_autoclose", data.ADL), ("x-autoclose-", data.USER),
                                                ("settlement_autoclose-1", data.SETTLEMENT), ("delivery_autoclose-1", data.DELIVERY)])
def test_system_orders_are_told_by_their_names(prefix: str, origin: int) -> None:
    assert _one("binance_usdm", changed(corpus.ORDER, "o.c", prefix)).origin == origin


@pytest.mark.parametrize(("raw_status", "filled", "status", "origin"), [
    ("NEW_ADL", "0", data.NEW, data.ADL), ("NEW_ADL", "0.020", data.FILLED, data.ADL),
    ("NEW_INSURANCE", "0.02", data.FILLED, data.INSURANCE),
])
def test_what_the_venue_takes_at_once_does_not_stay_open(raw_status: str, filled: str, status: int, origin: int) -> None:
    frame = changed(changed(changed(corpus.ORDER, "o.X", raw_status), "o.z", filled), "o.c", "autoclose-9")
    order = _one("binance_usdm", frame)
    assert (order.status, order.origin) == (status, origin)


def test_kucoins_spot_is_not_ours() -> None:
    found = normalise("kucoin_futures", raw({**corpus.KUCOIN[0], "topic": "/spotMarket/tradeOrders"}), RECEIPT)
    assert _topics(found.events) == [DEAD_LETTERS]


@pytest.mark.parametrize(("state", "status"), [("live", data.UNTRIGGERED), ("effective", data.EXPIRED), ("order_placed", data.EXPIRED),
                                               ("canceled", data.CANCELED), ("order_failed", data.REJECTED)])
def test_okx_conditional_orders_end_when_they_are_used_up(state: str, status: int) -> None:
    row = {"instType": "SWAP", "instId": "BTC-USDT-SWAP", "algoId": "7", "state": state, "sz": "1", "cTime": str(corpus.TIME)}
    algo = _one("okx_v5", {"arg": {"channel": "orders-algo"}, "data": [row]})
    assert (algo.status, algo.is_algo, algo.status_raw) == (status, True, state)


@pytest.mark.parametrize(("er", "kind", "status"), [("0", "STOP_MARKET", data.TRIGGERED), ("8", "STOP", data.EXPIRED),
                                                    ("0", "LIMIT", data.EXPIRED), (..., "STOP", data.EXPIRED)])
def test_a_conditional_order_used_up_is_not_an_end(er: object, kind: str, status: int) -> None:
    frame = changed(changed(changed(changed(corpus.ORDER, "o.X", "EXPIRED"), "o.x", "EXPIRED"), "o.o", kind), "o.er", er)
    assert _one("binance_usdm", frame).status == status


@pytest.mark.parametrize(("filled", "status"), [("0", data.CANCELED), ("", data.CANCELED), ("300", data.PARTIALLY_FILLED_CANCELED),
                                                ("800.0", data.FILLED)])
def test_a_finished_algo_order_ended_as_what_it_placed(filled: str, status: int) -> None:
    algo = _one("binance_usdm", changed(next(one for one in corpus.BINANCE if one.get("e") == "ALGO_UPDATE"), "o.aq", filled))
    assert (algo.status, algo.is_algo, algo.status_raw, algo.order_id) == (status, True, "FINISHED", "")


@pytest.mark.parametrize("name", ["STRATEGY_UPDATE", "GRID_UPDATE", "TOMORROW_UPDATE"])
def test_what_no_topic_takes_is_a_dead_letter_with_its_bytes(name: str) -> None:
    frame = {"e": name, "E": 1, "su": {"si": 1}}
    found = normalise("binance_usdm", raw(frame), RECEIPT)
    [event] = found.events
    assert (event.topic, json.loads(event.message.value)) == (DEAD_LETTERS, frame)  # type: ignore[attr-defined]
    assert (found.signal is not None) == (name == "TOMORROW_UPDATE"), "an unknown one is counted, by its name"


def test_no_listen_key_leaves_the_normaliser() -> None:
    key = "njbKoDaX1234567890njbKoDaX1234567890"
    found = normalise("binance_usdm", raw(corpus.EXPIRED), RECEIPT)
    assert found.events == ()
    assert found.signal is not None
    assert found.signal.kind == Kind.KEY_EXPIRED
    assert key not in str(found)
    wrapped = raw({"stream": key, "data": corpus.ACCOUNT})
    assert all(key.encode() not in event.message.SerializeToString() for event in normalise("binance_usdm", wrapped, RECEIPT).events)
    letters = [unreadable("binance_usdm", bytes_, RECEIPT, "why") for bytes_ in (wrapped, wrapped[:40], raw(corpus.EXPIRED))]
    assert all(key.encode() not in letter.message.SerializeToString() for letter in letters)


@pytest.mark.parametrize(("venue", "frame", "kind", "code"), [
    ("binance_usdm", {"result": None, "id": 1}, Kind.SUBSCRIBED, ""), ("binance_usdm", {"e": "serverShutdown", "E": 1}, Kind.CLOSING, ""),
    ("binance_usdm", {"id": 1, "status": 400, "error": {"code": -1125, "msg": "m"}}, Kind.REFUSED, "-1125"),
    ("bybit_v5", {"op": "auth", "success": True}, Kind.LOGGED_IN, ""), ("bybit_v5", {"op": "auth", "success": False}, Kind.LOGIN_FAILED,
        ""),
    ("bybit_v5", {"op": "subscribe", "success": True, "req_id": "r"}, Kind.SUBSCRIBED, ""), ("bybit_v5", {"op": "pong"}, Kind.PONG, ""),
    ("bybit_v5", {"success": True, "ret_msg": "pong", "op": "ping"}, Kind.PONG, ""),
    ("bybit_v5", {"op": "order.create", "retCode": 10001, "retMsg": "m"}, Kind.REFUSED, "10001"),
    ("okx_v5", {"event": "login", "code": "0"}, Kind.LOGGED_IN, "0"), ("okx_v5", {"event": "error", "code": "60009"}, Kind.LOGIN_FAILED,
        "60009"),
    ("okx_v5", {"event": "error", "code": "60018"}, Kind.REFUSED, "60018"), ("okx_v5", {"event": "notice", "code": "64008"}, Kind.CLOSING,
        "64008"),
    ("okx_v5", {"event": "channel-conn-count", "channel": "orders", "connCount": "2"}, Kind.INFO, ""),
    ("okx_v5", {"event": "channel-conn-count-error", "channel": "orders", "connCount": "30"}, Kind.REFUSED, "channel-conn-count-error"),
    ("kucoin_futures", {"id": "1", "type": "welcome"}, Kind.WELCOME, ""), ("kucoin_futures", {"id": "1", "type": "pong"}, Kind.PONG, ""),
    ("kucoin_futures", {"id": "1", "type": "error", "code": 401, "data": "token expired"}, Kind.REFUSED, "401"),
    ("kucoin_futures", {"id": "1", "result": True}, Kind.SUBSCRIBED, ""), ("kucoin_futures", {"id": "1", "result": False}, Kind.REFUSED,
        ""),
])
def test_what_only_a_session_needs_is_a_signal(venue: str, frame: Frame, kind: Kind, code: str) -> None:
    found = normalise(venue, raw(frame), RECEIPT)
    assert found.signal is not None
    assert (found.events, found.signal.kind, found.signal.code) == ((), kind, code)


def test_okx_pongs_in_text() -> None:
    found = normalise("okx_v5", b"pong", RECEIPT)
    assert found.signal is not None
    assert found.signal.kind == Kind.PONG


def test_bybit_executions_of_a_frame_each_have_their_place() -> None:
    found = events("bybit_v5", corpus.EXECUTIONS)
    assert _topics(found) == [ORDER_UPDATES, BALANCE_UPDATES, ORDER_UPDATES]
    trade, funding, bust = (event.message for event in found)
    assert isinstance(trade, data.UserDataOrderUpdateEvent)
    assert isinstance(funding, data.UserDataBalanceUpdateEvent)
    assert isinstance(bust, data.UserDataOrderUpdateEvent)
    assert [(fee.kind_raw, fee.amount) for fee in trade.fill.extra_fees] == [("GST", "0.1")]
    assert (funding.asset, funding.balance_change, funding.wallet_balance) == ("USDT", "-1.25", ""), "a fee above zero was paid"
    assert (bust.origin, bust.qty_unit, bust.meta.product_raw) == (data.LIQUIDATION, data.QUOTE, "inverse")


def test_bybits_derived_call_says_its_rule() -> None:
    found = events("bybit_v5", corpus.WALLET)
    assert _topics(found) == [BALANCE_UPDATES, BALANCE_UPDATES, VENUE_MARGIN_CALLS]
    call = said(found[2])
    assert (call["rule"], call["meta"]["source"], call["account_margin_ratio"]) == ("accountMMRate>=0.8", "DERIVED", "0.85")
    assert _topics(events("bybit_v5", changed(corpus.WALLET, "data.0.accountMMRate", "0.7999"))) == [BALANCE_UPDATES] * 2
    assert said(found[1])["available_balance"] == "", "empty is not zero"


def test_okx_charges_are_positive_and_short_legs_negative() -> None:
    order = _one("okx_v5", corpus.OKX_ORDER)
    assert (order.fill.fee, order.cum_fee, order.fill.is_maker, order.qty_unit) == ("0.5", "0.5", True, data.CONTRACTS)
    position = _one("okx_v5", corpus.OKX[2])
    assert (position.amount, position.isolated_wallet, position.position_side) == ("-3", "33.3", data.SHORT)


@pytest.mark.parametrize(("path", "value"), [("data.0.tradeId", ""), ("data.0.fillSz", "0"), ("data.0.tradeId", "0")])
def test_okx_repeats_of_an_order_are_no_second_fill(path: str, value: str) -> None:
    assert not _one("okx_v5", changed(corpus.OKX_ORDER, path, value)).HasField("fill")


def test_kucoin_floats_are_the_text_they_were() -> None:
    frame = raw(corpus.KUCOIN[2]).replace(b"91694.5", b"91694.500000000000000000001").replace(b"3.92e-06", b"3.92E-06")
    [event] = normalise("kucoin_futures", frame, RECEIPT).events
    position = event.message
    assert isinstance(position, data.UserDataPositionUpdateEvent)
    assert (position.entry_price, position.maint_margin, position.amount) == ("91694.500000000000000000001", "3.92E-06", "-3")
    assert (position.margin_mode, position.leverage, position.partial) == (data.CROSS, "4.97", False)


def test_kucoin_mark_prices_are_partial_and_fills_early() -> None:
    partial = _one("kucoin_futures", corpus.KUCOIN[3])
    assert (partial.partial, partial.symbol, partial.HasField("amount")) == (True, "", False)
    fill = _one("kucoin_futures", corpus.KUCOIN[0])
    assert (fill.fill.lite, fill.fill.price, fill.status, fill.meta.transaction_time_ms) == (
        True, "91000.5", data.PARTIALLY_FILLED, 1_772_043_995_362), "its fee comes with REST's answer, which replaces it"
    ended = _one("kucoin_futures", corpus.KUCOIN[1])
    assert (ended.status, ended.HasField("fill")) == (data.FILLED, False)


def test_kucoin_settings_are_as_many_as_symbols() -> None:
    assert [said(event)["leverage"]["leverage"] for event in events("kucoin_futures", corpus.KUCOIN[5])] == ["5", "8"]
    assert [said(event)["margin_mode"]["mode"] for event in events("kucoin_futures", corpus.KUCOIN[6])] == ["CROSS", "ISOLATED"]


def test_a_large_frame_goes_with_its_first_rows_only_once() -> None:
    coins = [{"coin": f"C{number}", "walletBalance": "1", "note": "x" * 100} for number in range(300)]
    frame = raw(changed(corpus.WALLET, "data.0.coin", coins))
    found = normalise("bybit_v5", frame, RECEIPT).events
    assert len(found) == 302
    assert sum(len(event.message.SerializeToString()) for event in found) < 6 * len(frame)
    assert json.loads(found[1].message.meta.raw_payload) == coins[0]  # type: ignore[attr-defined]
