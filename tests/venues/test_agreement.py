"""Orders, fills, positions and balances as ccxt reads the same rows: field by field, where both have it."""

import json
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import pytest
from google.protobuf import json_format

from schemas.names import BALANCE_UPDATES, ORDER_UPDATES, POSITION_UPDATES
from streams.venues.decode import snapshot
from streams.venues.frames import Asked, Event
from tests.clients.environment import PROGRAMS, python
from tests.venues.answers import ANSWERS
from tests.venues.corpus import FRAMES
from tests.venues.payloads import RECEIPT, Payload, events, raw, samples

pytestmark = [pytest.mark.slow,
              pytest.mark.skipif(python() is None, reason="ccxt is not installed in its own environment: make clients")]

_OPEN = {"NEW", "PARTIALLY_FILLED", "UNTRIGGERED", "TRIGGERED"}
_ENDED = {"FILLED": "closed", "PARTIALLY_FILLED_CANCELED": "closed", "CANCELED": "canceled", "REJECTED": "rejected", "EXPIRED": "expired",
          "EXPIRED_IN_MATCH": "expired"}
_IN_FORCE = {"GTX": "PO", "POST_ONLY": "PO"}


class Row(NamedTuple):
    """A row as the venue sent it, and our event of it."""

    venue: str
    kind: str
    raw: Any
    event: Payload


Reader = Callable[[Payload], object]
ORDER: Mapping[str, Reader] = {
    "id": lambda one: one.get("order_id"), "clientOrderId": lambda one: one.get("client_order_id"), "side": lambda one: one["side"].lower(),
    "price": lambda one: one.get("price"), "amount": lambda one: one.get("orig_qty"), "filled": lambda one: one.get("cum_filled_qty"),
    "average": lambda one: one.get("avg_price"), "reduceOnly": lambda one: one.get("reduce_only"),
    "triggerPrice": lambda one: one.get("stop_price"), "takeProfitPrice": lambda one: one.get("take_profit"),
    "stopLossPrice": lambda one: one.get("stop_loss"), "type": lambda one: one.get("order_type_raw", "").lower(),
    "status": lambda one: "open" if one.get("status") in _OPEN else _ENDED.get(one.get("status", "")),
    "timeInForce": lambda one: _IN_FORCE.get(one.get("time_in_force_raw", "").upper(), one.get("time_in_force_raw", "").upper()),
    "lastUpdateTimestamp": lambda one: one["meta"].get("transaction_time_ms"), "fee.cost": lambda one: one.get("cum_fee"),
    "fee.currency": lambda one: one.get("cum_fee_asset"),
}
FILL: Mapping[str, Reader] = {
    "id": lambda one: one["fill"]["trade_id"], "order": lambda one: one.get("order_id"), "side": lambda one: one["side"].lower(),
    "price": lambda one: one["fill"].get("price"), "amount": lambda one: one["fill"].get("qty"),
    "fee.cost": lambda one: one["fill"].get("fee"),
    "fee.currency": lambda one: one["fill"].get("fee_asset"), "timestamp": lambda one: one["fill"].get("trade_time_ms"),
    "takerOrMaker": lambda one: {True: "maker", False: "taker"}.get(one["fill"].get("is_maker")),
}
POSITION: Mapping[str, Reader] = {
    "contracts": lambda one: one["amount"].lstrip("-"), "side": lambda one: _side(one["amount"]),
    "lastUpdateTimestamp": lambda one: one["meta"].get("transaction_time_ms"),
    "entryPrice": lambda one: one.get("entry_price"), "markPrice": lambda one: one.get("mark_price"),
    "unrealizedPnl": lambda one: one.get("unrealized_pnl"), "liquidationPrice": lambda one: one.get("liquidation_price"),
    "leverage": lambda one: one.get("leverage"), "marginMode": lambda one: one.get("margin_mode", "").lower(),
    "initialMargin": lambda one: one.get("initial_margin"), "maintenanceMargin": lambda one: one.get("maint_margin"),
    "timestamp": lambda one: one["meta"].get("transaction_time_ms"), "id": lambda one: one.get("position_id"),
}


def _side(amount: str) -> str | None:
    """Of a position that is not flat."""
    return None if not float(amount) else "short" if amount.startswith("-") else "long"


READERS = {"order": ORDER, "rest_order": ORDER, "fill": FILL, "rest_fill": FILL, "position": POSITION, "rest_position": POSITION}
# What ccxt reads otherwise, each for its own reasons; ours is what the venue says.
OTHERWISE = {
    ("binance_usdm", "order", "price"): "ccxt puts the average for a market order's 0",
    ("binance_usdm", "order", "type"): "ccxt unites market and conditional types",
    ("bybit_v5", "position", "unrealizedPnl"): "ccxt makes it of mark and entry where the venue says 0",
    ("okx_v5", "position", "timestamp"): "ccxt takes the time of creation",
    ("bybit_v5", "position", "timestamp"): "ccxt takes the time of creation",
    ("bybit_v5", "position", "initialMargin"): "ccxt makes it of value and leverage where the venue says 0",
    ("bybit_v5", "position", "maintenanceMargin"): "likewise",
    ("okx_v5", "position", "initialMargin"): "ccxt makes it of margin and leverage where the venue says nothing",
    ("okx_v5", "order", "type"): "ccxt splits OKX's type in type and time in force",
    ("kucoin_futures", "order", "type"): "a stop order's type is `stop`",
}


def _rows() -> Iterator[Row]:
    frames = [(venue, frame) for venue, own in FRAMES.items() for frame in own]
    for venue, frame in frames + [(one.venue, frame) for one in samples() for frame in one.frames]:
        yield from _READ[venue](venue, frame.get("data", frame) if venue == "binance_usdm" else frame)


def _told(found: tuple[Event, ...], topic: str) -> list[Payload]:
    return [json_format.MessageToDict(event.message, preserving_proto_field_name=True) for event in found if event.topic == topic]


def _orders(venue: str, row: Any, event: Payload, kind: str = "order") -> Iterator[Row]:
    yield Row(venue, kind, row, event)
    if "fill" in event:
        yield Row(venue, "fill", row, event)


def _binance(venue: str, frame: Payload) -> Iterator[Row]:
    if frame.get("e") == "ORDER_TRADE_UPDATE":
        yield from _orders(venue, frame["o"], _told(events(venue, frame), ORDER_UPDATES)[0])
    if frame.get("e") == "ACCOUNT_UPDATE":
        for row, event in zip(frame["a"]["P"], _told(events(venue, frame), POSITION_UPDATES), strict=True):
            yield Row(venue, "position", row, event)


def _bybit(venue: str, frame: Payload) -> Iterator[Row]:
    topics = {"order": ("order", ORDER_UPDATES), "execution": ("fill", ORDER_UPDATES), "position": ("position", POSITION_UPDATES)}
    kind, topic = topics.get(frame.get("topic", ""), ("", ""))
    rows = [row for row in frame.get("data", []) if row.get("execType") != "Funding"] if kind else []
    for row, event in zip(rows, _told(events(venue, frame), topic), strict=True):
        yield Row(venue, kind, row, event)
    if frame.get("topic") == "wallet":
        for event in _told(events(venue, frame), BALANCE_UPDATES)[1:]:
            yield Row(venue, "balance", frame["data"][0], event)


def _okx(venue: str, frame: Payload) -> Iterator[Row]:
    channel = frame["arg"]["channel"] if "data" in frame else ""
    if channel == "orders":
        for row, event in zip(frame["data"], _told(events(venue, frame), ORDER_UPDATES), strict=True):
            yield from _orders(venue, row, event)
    if channel == "positions":
        for row, event in zip(frame["data"], _told(events(venue, frame), POSITION_UPDATES), strict=True):
            yield Row(venue, "position", row, event)
    if channel == "account":
        for event in _told(events(venue, frame), BALANCE_UPDATES)[1:]:
            yield Row(venue, "balance", {"code": "0", "data": frame["data"]}, event)


def _kucoin(venue: str, frame: Payload) -> Iterator[Row]:
    if frame.get("subject") in ("symbolOrderChange", "orderChange"):
        yield from _orders(venue, frame["data"], _told(events(venue, frame), ORDER_UPDATES)[0])
    if frame.get("subject") == "position.change" and "currentQty" in frame["data"]:
        yield Row(venue, "position", frame["data"], _told(events(venue, frame), POSITION_UPDATES)[0])


_READ: Mapping[str, Callable[[str, Payload], Iterator[Row]]] = {
    "binance_usdm": _binance, "bybit_v5": _bybit, "okx_v5": _okx, "kucoin_futures": _kucoin}


def _answers() -> Iterator[Row]:
    """Rows of REST answers, whose shapes differ from the stream's on Binance."""
    for part, kind, topic in (("positionRisk", "rest_position", POSITION_UPDATES), ("openOrders", "rest_order", ORDER_UPDATES)):
        body = ANSWERS["binance_usdm"][part]
        told = _told(snapshot("binance_usdm", {part: body}, RECEIPT, Asked(1, "")), topic)
        for row, event in zip(json.loads(body), told, strict=True):
            yield Row("binance_usdm", kind, row, event)


def _by_ccxt(rows: list[Row]) -> list[Any]:
    asked = [{"venue": row.venue, "kind": row.kind, "raw": row.raw} for row in rows]
    done = subprocess.run([str(python()), str(PROGRAMS / "parse_with_ccxt.py")], input=raw(asked), capture_output=True, check=False,
        timeout=300)
    assert done.returncode == 0, done.stderr.decode()[-2_000:]
    return list(json.loads(done.stdout))


def _unified(found: Payload, name: str) -> object:
    outer, _, inner = name.partition(".")
    value = found.get(outer)
    return value.get(inner) if inner and isinstance(value, dict) else None if inner else value


def _equal(ours: object, theirs: object) -> bool:
    if isinstance(theirs, bool) or ours is None:
        return ours == theirs
    if isinstance(theirs, float | int):
        return abs(float(str(ours)) - theirs) <= 1e-9 * max(1.0, abs(theirs))
    return str(ours) == str(theirs)


def test_ccxt_reads_the_same() -> None:
    rows = [*_rows(), *_answers()]
    compared, wrong = Counter[tuple[str, str]](), []
    for row, found in zip(rows, _by_ccxt(rows), strict=True):
        assert "error" not in found, f"{row.venue} {row.kind}: {found}"
        for name, ours, theirs in _pairs(row, found):
            compared[row.venue, row.kind] += 1
            if not _equal(ours, theirs) and (row.venue, row.kind, name) not in OTHERWISE:
                wrong.append(f"{row.venue} {row.kind} {name}: ours {ours!r}, ccxt {theirs!r}")
    assert not wrong, "\n".join(sorted(set(wrong)))
    print(dict(compared))
    assert {venue for venue, _ in compared} == set(FRAMES)
    assert sum(compared.values()) > 100


def _pairs(row: Row, found: Payload) -> Iterator[tuple[str, object, object]]:
    """(field, ours, theirs) where both say something; a zero that stands for nothing is nothing, as ccxt reads it."""
    if row.kind == "balance":
        asset = row.event["asset"]
        ours, theirs = row.event.get("equity"), found.get(asset, {}).get("total")
        if ours and theirs is not None:
            yield "total", ours, float(theirs)
        return
    for name, read in READERS[row.kind].items():
        ours, theirs = read(row.event), _unified(found, name)
        if ours not in (None, "") and theirs not in (None, ""):
            yield name, ours, theirs
