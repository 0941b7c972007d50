"""REST answers as a snapshot: rows, explicit zeros, ends with their counts, what happened in a gap; and what a worker makes of it."""

import json
from typing import Any

import pytest

from schemas import user_data_pb2 as data
from schemas.names import ACCOUNT_CONFIG, BALANCE_UPDATES, ORDER_UPDATES, POSITION_UPDATES, VENUE_MARGIN_CALLS
from streams.venues.decode import VENUES, normalise, snapshot
from streams.venues.frames import Asked, Event, Held, Receipt, Unreadable, holding
from tables.accounts import doubts, fold
from tables.orders import fold_orders
from tables.policy import Policy
from tables.rows import Fact, Orders, User
from tests.venues import corpus
from tests.venues.answers import ANSWERS, BINANCE, ORDER, TIME
from tests.venues.payloads import MISSING, files, payload, raw, said

RECEIPT = Receipt("live:1", "a1", receive_seq=1, received_ns=TIME * 1_000_000)
ASKED = Asked(TIME, "s1")
HELD = frozenset({Held(POSITION_UPDATES, "XRPUSDT", data.BOTH, "", "USDM"), Held(BALANCE_UPDATES, "BNB")})


def _messages(venue: str, parts: dict[str, bytes], asked: Asked = ASKED) -> list[Any]:
    return [event.message for event in snapshot(venue, parts, RECEIPT, asked)]


def _ends(found: tuple[Event, ...]) -> dict[str, int]:
    return {event.topic: event.message.meta.snapshot_end.rows_of_this_topic for event in found  # type: ignore[attr-defined]
            if event.message.meta.HasField("snapshot_end")}  # type: ignore[attr-defined]


def _folded(found: tuple[Event, ...], user: User | None = None, orders: Orders | None = None) -> tuple[User, Orders | None, list[str]]:
    outputs: list[str] = []
    for at, event in enumerate(found, 1):
        fact = Fact(event.topic, 0, at, TIME, "live:1", event.message, b"")
        one = fold(user, fact, Policy())
        assert isinstance(one.row, User)
        user = one.row
        outputs += [output.topic for output in one.outputs]
        if event.topic == ORDER_UPDATES:
            two = fold_orders(orders, fact, Policy())
            assert isinstance(two.row, Orders)
            orders = two.row
            outputs += [output.topic for output in two.outputs]
    assert user is not None
    return user, orders, outputs


def test_binance_tells_rows_zeros_and_ends() -> None:
    found = snapshot("binance_usdm", BINANCE, RECEIPT, ASKED._replace(held=HELD))
    assert _ends(found) == {BALANCE_UPDATES: 3, POSITION_UPDATES: 3, ORDER_UPDATES: 2, ACCOUNT_CONFIG: 4,
                            VENUE_MARGIN_CALLS: 0}
    rows = [said(event) for event in found]
    assert [(row["symbol"], row["amount"], row.get("margin_mode"), row.get("leverage")) for row in rows if "amount" in row] == [
        ("BTCUSDT", "-0.010", "ISOLATED", "21"), ("ETHUSDT", "0.000", None, None), ("XRPUSDT", "0", None, None)]
    assert [(row["asset"], row["wallet_balance"]) for row in rows if "asset" in row] == [("USDT", "100.5"), ("BNB", "0")]
    assert {row["leverage"]["symbol"] for row in rows if isinstance(row.get("leverage"), dict)} == {"BTCUSDT"}, "not every symbol there is"
    assert {row["meta"]["snapshot_id"] for row in rows} == {"s1"}
    assert [row["meta"].get("part_index", 0) for row in rows] == list(range(len(rows)))


def test_a_position_names_its_own_row_as_raw() -> None:
    [row] = [message for message in _messages("binance_usdm", BINANCE)
             if isinstance(message, data.UserDataPositionUpdateEvent) and message.symbol == "BTCUSDT"]
    assert json.loads(row.meta.raw_payload)["liquidationPrice"] == "90000"
    assert dict(row.meta.extra) == {"isolatedMargin": "10", "positionInitialMargin": "65", "openOrderInitialMargin": "0",
        "bidNotional": "0",
                                    "askNotional": "0"}


@pytest.mark.parametrize("venue", VENUES)
def test_a_worker_takes_every_venues_snapshot_whole(venue: str) -> None:
    """No anomaly, no dead letter, no doubt: the counts of the ends are the worker's own."""
    parts = {part: body.replace(b"0.91", b"0.10") for part, body in ANSWERS[venue].items() if part not in ("fills", "execution")}
    user, orders, outputs = _folded(snapshot(venue, parts, RECEIPT, ASKED))
    account = user.accounts["a1"]
    assert outputs == []
    assert (doubts(user, "a1"), account.frames) == ((), ())
    assert len([one for one in account.positions.values() if one.quantity]) == 1
    assert account.balances
    assert orders is not None
    assert len(orders.orders) >= 1


def test_what_has_gone_is_gone_in_the_workers_rows() -> None:
    first = snapshot("binance_usdm", BINANCE, RECEIPT, ASKED)
    held = holding(frozenset(), first)
    assert {(one.name, one.side) for one in held} == {("BTCUSDT", data.BOTH), ("USDT", 0)}
    user, orders, _ = _folded(first)
    empty = {**BINANCE, "positionRisk": b"[]", "openOrders": b"[]", "openAlgoOrders": b"[]",
             "account": raw({"assets": [], "positions": []})}
    later = RECEIPT._replace(connection_epoch=2)
    user, orders, _ = _folded(snapshot("binance_usdm", empty, later, Asked(TIME + 10, "s2", held)), user, orders)
    account = user.accounts["a1"]
    assert account.positions == {}
    assert account.balances["USDT"].wallet_balance == 0
    assert orders is not None
    assert orders.orders == {}


def test_a_row_that_two_pages_repeat_is_one_row() -> None:
    twice = {**BINANCE, "openOrders": raw([ORDER, ORDER, {**ORDER, "orderId": 5}])}
    found = snapshot("binance_usdm", twice, RECEIPT, ASKED)
    assert _ends(found)[ORDER_UPDATES] == 3
    _, orders, outputs = _folded(found)
    assert outputs == []
    assert orders is not None
    assert len(orders.orders) == 3


@pytest.mark.parametrize(("names", "scope", "left"), [(("position:linear",), "linear", 2), (("position",), "", 1),
                                                      (("position:linear", "position:inverse"), "", 1)])
def test_bybits_snapshot_covers_the_products_it_names(names: tuple[str, ...], scope: str, left: int) -> None:
    inverse = {**corpus.BYBIT[3]["data"][0], "symbol": "BTCUSD", "category": "inverse", "updatedTime": str(TIME - 50)}
    before = normalise("bybit_v5", raw({"topic": "position", "creationTime": TIME - 50, "data": [inverse]}), RECEIPT).events
    empty = raw({"retCode": 0, "result": {"category": "inverse", "list": []}})
    parts = {name: ANSWERS["bybit_v5"]["position"] if name != "position:inverse" else empty for name in names}
    found = snapshot("bybit_v5", parts, RECEIPT._replace(receive_seq=2), ASKED._replace(held=holding(frozenset(), before)))
    [end] = [event.message.meta.snapshot_end for event in found  # type: ignore[attr-defined]
             if event.topic == POSITION_UPDATES and event.message.meta.HasField("snapshot_end")]  # type: ignore[attr-defined]
    user, _, _ = _folded((*before, *found))
    assert (end.scope_product, len(user.accounts["a1"].positions)) == (scope, left)


def test_half_a_snapshot_ends_only_what_it_covers() -> None:
    assert set(_ends(snapshot("binance_usdm", {"openOrders": BINANCE["openOrders"]}, RECEIPT, ASKED))) == set()
    assert set(_ends(snapshot("binance_usdm", {"positionRisk": BINANCE["positionRisk"]}, RECEIPT, ASKED))) == {POSITION_UPDATES}


def test_a_gap_is_told_apart_from_the_snapshot() -> None:
    trade = {"symbol": "BTCUSDT", "id": 9_007_199_254_740_995, "orderId": 8, "side": "SELL", "price": "65000", "qty": "0.010",
             "realizedPnl": "0.5", "quoteQty": "650", "commission": "-0.0130", "commissionAsset": "USDT", "time": TIME,
             "positionSide": "BOTH",
             "buyer": False, "maker": True}
    ended = {**ORDER, "status": "CANCELED", "updateTime": TIME + 5}
    found = snapshot("binance_usdm", {"userTrades": raw([trade]), "order": raw(ended)}, RECEIPT, Asked(TIME, ""))
    metas = [said(event)["meta"] for event in found]
    assert [(meta["source"], meta.get("snapshot_id"), meta.get("part_count")) for meta in metas] == [("REST_GAP_FILL", None, None)] * 2
    stream = normalise("binance_usdm", raw(corpus.ORDER), RECEIPT).events[0]
    assert metas[0]["business_key"] == said(stream)["meta"]["business_key"], "one fill, told twice"
    assert metas[1]["business_key"] == f"order:BTCUSDT:9007199254740993:{TIME + 5}:CANCELED:0"


def _calls(found: tuple[Event, ...]) -> list[data.UserDataMarginCallEvent]:
    return [event.message for event in found if isinstance(event.message, data.UserDataMarginCallEvent)
            and not event.message.meta.HasField("snapshot_end")]


def test_a_derived_call_is_a_row_of_its_snapshot() -> None:
    found = snapshot("kucoin_futures", ANSWERS["kucoin_futures"], RECEIPT, ASKED)
    [call] = _calls(found)
    assert (call.meta.source, call.account_margin_ratio, call.meta.snapshot_id) == (data.DERIVED, "0.91", "s1")
    assert _ends(found)[VENUE_MARGIN_CALLS] == 1
    user, _, _ = _folded(found)
    assert (user.accounts["a1"].frames, user.accounts["a1"].venue_margin_call) == ((), True)


@pytest.mark.parametrize(("venue", "part", "calm", "danger", "rule"), [
    ("binance_usdm", "account", b'"marginBalance":"100.4"', b'"marginBalance":"3.25"', "maint_margin/equity>=0.8"),
    ("binance_usdm", "account", b'"marginBalance":"100.4"', b'"marginBalance":"-1"', "maint_margin/equity>=0.8"),
    ("bybit_v5", "wallet-balance", b'"accountMMRate":"0.01"', b'"accountMMRate":"0.8"', "accountMMRate>=0.8"),
    ("okx_v5", "balance", b'"totalEq":"10"', b'"totalEq":"10","mgnRatio":"3"', "mgnRatio<=3"),
    ("kucoin_futures", "account-overview:USDT", b'"riskRatio":0}', b'"riskRatio":0.8}', "riskRatio>=0.8"),
])
def test_a_snapshot_begins_a_call_and_takes_it_back(venue: str, part: str, calm: bytes, danger: bytes, rule: str) -> None:
    """A venue says when a call begins, none when it is over."""
    quiet = {name: body.replace(b"0.91", b"0.10").replace(b'"multiAssetsMargin":true', b'"multiAssetsMargin":false')
             for name, body in ANSWERS[venue].items()}
    called = {**quiet, part: quiet[part].replace(calm, danger)}
    assert called != quiet
    found = snapshot(venue, called, RECEIPT, ASKED)
    assert [call.rule for call in _calls(found)] == [rule]
    user, orders, _ = _folded(found)
    assert user.accounts["a1"].venue_margin_call
    after = snapshot(venue, quiet, RECEIPT._replace(connection_epoch=2), Asked(TIME + 10, "s2"))
    assert _calls(after) == []
    user, _, _ = _folded(after, user, orders)
    assert not user.accounts["a1"].venue_margin_call


def test_in_multi_assets_mode_only_the_total_counts() -> None:
    body = BINANCE["account"].replace(b'"marginBalance":"100.4"', b'"marginBalance":"0.1"')
    assert _calls(snapshot("binance_usdm", {**BINANCE, "account": body}, RECEIPT, ASKED)) == []
    body = BINANCE["account"].replace(b'"availableBalance":"35","assets"', b'"totalMarginBalance":"3","assets"')
    [call] = _calls(snapshot("binance_usdm", {**BINANCE, "account": body}, RECEIPT, ASKED))
    assert (call.account_margin_ratio, call.equity, call.maint_margin) == ("0.86666667", "3", "2.6")


@pytest.mark.parametrize(("venue", "part", "body"), [
    ("binance_usdm", "account", {"code": -1021, "msg": "Timestamp"}), ("bybit_v5", "position", {"retCode": 10003, "retMsg": "key"}),
    ("okx_v5", "balance", {"code": "50113", "msg": "sign"}), ("kucoin_futures", "positions", {"code": "400005", "msg": "sign"}),
    ("binance_usdm", "positionRisk", [{"symbol": "X"}]), ("binance_usdm", "elsewhere", {}), ("binance_usdm", "openOrders", [[]]),
    ("binance_usdm", "accountConfig", {"dualSidePosition": "perhaps"}),
])
def test_an_error_is_no_snapshot(venue: str, part: str, body: object) -> None:
    with pytest.raises(Unreadable, match="expected"):
        snapshot(venue, {**ANSWERS[venue], part: raw(body)}, RECEIPT, ASKED)


def test_a_setting_that_was_asked_is_told_as_it_is() -> None:
    okx = [said(event) for event in snapshot("okx_v5", {"config": ANSWERS["okx_v5"]["config"]}, RECEIPT, ASKED)]
    assert [row.get("hedge_mode") or row.get("account_level_raw") for row in okx[:2]] == [True, "2"]
    bybit = [said(event) for event in snapshot("bybit_v5", ANSWERS["bybit_v5"], RECEIPT, ASKED)]
    assert {row.get("account_level_raw") for row in bybit} >= {"REGULAR_MARGIN"}


@pytest.mark.skipif(not files("binance-usdm-rest"), reason=MISSING)
@pytest.mark.parametrize("name", [path.name for path in files("binance-usdm-rest")])
def test_answers_of_other_peoples_tests_lose_no_field(name: str) -> None:
    part = name.partition("__")[0].removesuffix("-v3")
    found = payload("binance-usdm-rest", name)
    if part in ("PUT-listenKey", "DELETE-listenKey", "leverageBracket"):
        return  # no facts of an account
    asked = ASKED._replace(held=frozenset({Held(POSITION_UPDATES, "BTCUSDT", data.BOTH, "", "USDM")}))
    told = snapshot("binance_usdm", {part: raw(found)}, RECEIPT, asked)
    rows = found if isinstance(found, list) else [found]
    raws = b"".join(event.message.meta.raw_payload for event in told)  # type: ignore[attr-defined]
    assert told
    assert all(raw(row) in raws for row in rows), "each row whole"


def test_when_kucoin_was_asked_is_not_when_its_position_changed() -> None:
    found = snapshot("kucoin_futures", ANSWERS["kucoin_futures"], RECEIPT, ASKED)
    positions = [event.message for event in found if isinstance(event.message, data.UserDataPositionUpdateEvent) and event.message.symbol]
    assert positions
    for position in positions:  # an answer that lags says the time of now: with it, it would go before what the stream told since
        assert not position.meta.transaction_time_ms
        assert position.meta.extra["currentTimestamp"]
