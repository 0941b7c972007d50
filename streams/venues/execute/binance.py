"""Binance USD-M: how positions are reduced there."""

import json
from decimal import Decimal

from schemas.money import say_short
from streams.venues.binance import RECEIVE_WINDOW_MS
from streams.venues.binance import venue as record
from streams.venues.execute.rows import inside, number, of_symbol, price, side_of
from streams.venues.execute.words import BOTH, Desk, Found, Held, Step
from streams.venues.venue import Request

_ORDER = "/fapi/v1/order"
_LISTS = {"openOrders": "/fapi/v1/allOpenOrders", "openAlgoOrders": "/fapi/v1/algoOpenOrders"}  # and what cancels all of a symbol's
_STATUSES = {"NEW": "open", "PARTIALLY_FILLED": "open", "FILLED": "filled"}


def _find(step: Step) -> tuple[Request, ...]:
    return (Request("order", _ORDER, (("symbol", step.symbol), ("origClientOrderId", step.client_order_id))),)


def _found(body: bytes) -> Found:
    row = inside(body)
    word = str(row["status"])
    return Found(_STATUSES.get(word, "ended"), number(row, "executedQty"), price(row, "avgPrice"), word)


def _orders(symbol: str) -> tuple[Request, ...]:
    lists = tuple(request for request in record().snapshot if request.part in _LISTS)
    return tuple(request._replace(weight=1) for request in of_symbol(lists, (("symbol", symbol),))) if symbol else lists


def _cancels(part: str, body: bytes) -> list[Request]:
    symbols = sorted({str(row["symbol"]) for row in json.loads(body)})
    return [Request("cancelled", _LISTS[part], (("symbol", symbol),), method="DELETE") for symbol in symbols]


def _held(step: Step, body: bytes) -> Held:
    for row in inside(body):
        if row["symbol"] == step.symbol and row["positionSide"] == step.side:
            return Held(number(row, "positionAmt"), number(row, "markPrice"))
    return Held(Decimal(0))


def _order(step: Step, held: Held, quantity: Decimal) -> Request:
    """In hedge mode the side of the position makes it reduce-only: the flag is refused there."""
    kind = ("reduceOnly", "true") if step.side == BOTH else ("positionSide", step.side)
    return Request("placed", _ORDER, (
        ("symbol", step.symbol), ("side", side_of(step, held)), ("type", "MARKET"), ("quantity", say_short(quantity)), kind,
        ("newClientOrderId", step.client_order_id)), method="POST")


DESK = Desk(_find, _found, lambda judged: judged.code == "-2013", frozenset({"-4116"}), _orders, _cancels,
            lambda symbol: Request("positionRisk", "/fapi/v3/positionRisk", (("symbol", symbol),), weight=5), _held, _order,
            RECEIVE_WINDOW_MS)
