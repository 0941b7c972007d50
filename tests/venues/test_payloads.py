"""Frames of real venues and of other people's tests: each decodes, says what its source says of it, and loses no field."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from schemas import user_data_pb2 as data
from schemas.names import ORDER_UPDATES
from streams.venues.frames import Event
from tables.orders import fold_orders
from tables.policy import Policy
from tables.rows import Fact, Orders
from tests.venues.payloads import MISSING, RECEIPT, Payload, Sample, events, raw, said, same, samples, texts

SAMPLES = samples()
pytestmark = pytest.mark.skipif(not SAMPLES, reason=MISSING)
each = pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: f"{sample.venue}/{sample.name}")

# What a source asserts of its client, not of the frame: balances before it, counts of its own callbacks, its own symbols.
NOT_OF_A_FRAME = {"every_json_property_must_be_mapped", "handshake", "rule", "available_stays", "positions_known", "maint_margin_total",
                  "negative_pnl", "fill_events", "fill_events_total", "fill_events_total_after_replay", "order_completed_events",
                  "order_cancelled_events", "must_parse", "topic", "deprecated_event", "asserted_in", "trap", "order_trade_updates",
                  "events_in_order", "available", "total", "unrealized_pnl"}


@each
def test_a_frame_decodes_into_events_of_one_frame(sample: Sample) -> None:
    for frame in sample.frames:
        found = events(sample.venue, frame)
        assert found
        metas = [said(event)["meta"] for event in found]
        assert [meta.get("part_index", 0) for meta in metas] == list(range(len(found)))
        assert {meta["part_count"] for meta in metas} == {len(found)}
        assert len({meta["event_id"] for meta in metas}) == len(found)
        versions = {(meta["user_id"], meta["account_id"], meta["lease_epoch"], meta["receive_seq"]) for meta in metas}
        assert versions == {("live:1", "a1", "3", "7")}


@each
def test_no_field_of_a_frame_is_lost(sample: Sample) -> None:
    """Whole in the raw payload; and every scalar outside of nested lists is a column or an extra, too."""
    for frame in sample.frames:
        found = events(sample.venue, frame)
        for event in found:
            assert json.loads(_meta(event).raw_payload) == frame
        known = [text for event in found for text in texts(said(event))]
        lost = [text for text in _flat(sample.venue, frame) if not any(same(one, text) for one in known)]
        assert [text for text in lost if text not in _NAMES] == []


# Envelopes: what says of which kind a frame is, said in `exchange_event` and in the topic an event goes to.
_NAMES = {"123", "message", "/contractMarket/tradeOrders", "/contractMarket/advancedOrders", "/contractAccount/wallet",
          "/contract/positionAll", "/contract/crossLeverage", "/contract/marginMode",
          "CROSSED", "net", "TAKER", "BASECCY", "Sell"}  # and of enums: a mode, a side, a liquidity, a unit, a signed amount


def _flat(venue: str, frame: Payload) -> list[str]:
    """Scalars of the frame but for an envelope's id and symbol-bearing topic, and for lists within rows (raw only)."""
    if venue == "kucoin_futures":
        return [text for text in texts({**frame, "topic": ""}) if text]
    if venue == "binance_usdm":
        return list(texts(frame))
    rows = [row for row in frame["data"] if isinstance(row, dict)]
    told = {"details", "balData", "posData", "coin"}
    return list(texts([{name: value for name, value in row.items() if name in told or not isinstance(value, dict | list)} for row in rows]))


@each
def test_a_frame_says_what_its_source_says_of_it(sample: Sample) -> None:
    for frame in sample.frames:
        for name, wanted in sample.expected.items():
            if name not in NOT_OF_A_FRAME:
                assert name in FACTS, f"{name}: an expectation that nobody reads"
                assert _told(FACTS[name](_first(events(sample.venue, frame), name)), wanted), name


def _told(found: object, wanted: object) -> bool:
    if isinstance(wanted, dict | list):
        return found == wanted
    return found == wanted or same(str(found), str(wanted).split(" ")[0])


def _first(found: tuple[Event, ...], name: str) -> Payload:
    """The event of the frame that tells such a fact."""
    return next((one for one in map(said, found) if name != "total_balance" or "wallet_balance" in one), {})


def _order_state(event: Payload) -> str:
    return str({"NEW": "OPEN"}.get(event["status"], event["status"]))


def _positions(event: Payload) -> list[Payload]:
    return [{"symbol": one["symbol"], "position_side": one["position_side"], "amount": one["amount"],
        "margin_type": one["margin_mode"] + "ED",
             "isolated_wallet": one["isolated_wallet"], "mark_price": one["mark_price"], "unrealized_pnl": one["unrealized_pnl"],
             "maint_margin": one["maint_margin"]} for one in event["positions"]]


FACTS: Mapping[str, Callable[[Payload], Any]] = {
    "symbol": lambda event: event.get("symbol") or event["leverage"]["symbol"],
    "leverage": lambda event: event["leverage"]["leverage"] if isinstance(event["leverage"], dict) else event["leverage"],
    "total_balance": lambda event: {event["asset"]: event["wallet_balance"]},
    "positions": lambda event: _positions(event) if event.get("positions") else 1,
    "algo_status": lambda event: event["status_raw"], "algo_id": lambda event: event.get("algo_id"),
    "matching_order_id": lambda event: event["matching_order_id"], "event_time": lambda event: event["meta"]["event_time_ms"],
    "cross_wallet_balance": lambda event: event["cross_wallet_balance"], "execution_type": lambda event: event["execution_type_raw"],
    "order_status": lambda event: event["status_raw"], "order_id": lambda event: event["order_id"],
    "trade_id": lambda event: event.get("fill", {}).get("trade_id", "0"), "fee_asset": lambda event: event["fill"]["fee_asset"],
    "fee_amount": lambda event: event["fill"]["fee"], "fee": lambda event: event["fill"]["fee"],
    "fill_price": lambda event: event["fill"]["price"], "fill_qty": lambda event: event["fill"]["qty"],
    "client_order_id": lambda event: event["client_order_id"], "side": lambda event: event["side"],
    "order_type": lambda event: event["order_type_raw"], "tif": lambda event: event["time_in_force_raw"],
    "orig_qty": lambda event: event["orig_qty"], "stop_price": lambda event: event["stop_price"],
    "asks_notional": lambda event: event["asks_notional"], "activation_price": lambda event: event["activation_price"],
    "callback_rate": lambda event: event["callback_rate"],
    "realized_pnl": lambda event: event.get("fill", event["meta"]["extra"]).get("realized_pnl", event["meta"]["extra"].get("rp")),
    "order_state": _order_state, "exchange_order_id": lambda event: event["order_id"], "filled_qty": lambda event: event["cum_filled_qty"],
    "price": lambda event: event["price"], "state": lambda event: event["status_raw"], "entry_price": lambda event: event["entry_price"],
    "amount": lambda event: event["amount"],
    # A one-way position is BOTH: its sign is its side, whatever a client calls it.
    "position_side": lambda event: "SHORT" if event.get("amount", "").startswith("-") else event["position_side"],
}


def _folded(told: list[data.UserDataOrderUpdateEvent]) -> Orders:
    row: Orders | None = None
    for at, message in enumerate(told, 1):
        folded = fold_orders(row, Fact(ORDER_UPDATES, 0, at, at, "live:1", message, b""), Policy()).row
        assert isinstance(folded, Orders)
        row = folded
    assert row is not None
    return row


def _sequence(sample: Sample) -> list[data.UserDataOrderUpdateEvent]:
    return [event.message for seq, frame in enumerate(sample.frames, 1)
            for event in events(sample.venue, frame, RECEIPT._replace(receive_seq=seq))
            if isinstance(event.message, data.UserDataOrderUpdateEvent)]


SEQUENCES = pytest.mark.parametrize("sample", [one for one in SAMPLES if one.name.startswith("SEQUENCE")], ids=lambda one: str(one.name))


@SEQUENCES
def test_a_sequence_ends_in_the_right_order_states(sample: Sample) -> None:
    """As the source's own broker saw it, after our fold: nothing is open any more."""
    told = _sequence(sample)
    assert [message.meta.exchange_event for message in told] == sample.expected["events_in_order"]
    assert _folded(told).orders == {}
    wanted = sample.expected["order_trade_updates"]
    ended = [message for message in told if message.meta.exchange_event == "ORDER_TRADE_UPDATE"]
    states = {"Filled": data.FILLED, "Canceled": data.CANCELED, "Invalid": data.EXPIRED}
    assert not wanted or ended[-1].status == states[wanted[-1]["lean_status"]]


@SEQUENCES
def test_a_sequence_has_the_fills_that_its_source_counted_once_each(sample: Sample) -> None:
    fills = [message.fill.trade_id for message in _sequence(sample) if message.HasField("fill")]
    wanted = [one for one in sample.expected["order_trade_updates"] if one["lean_status"] in ("Filled", "PartiallyFilled")]
    assert len(fills) == len(set(fills)) == len(wanted)


def _meta(event: Event) -> data.EventMeta:
    meta = event.message.meta  # type: ignore[attr-defined]
    assert isinstance(meta, data.EventMeta)
    return meta


def test_raw_is_the_frame_to_the_byte() -> None:
    sample = SAMPLES[0]
    assert _meta(events(sample.venue, sample.frames[0])[0]).raw_payload == raw(sample.frames[0])
