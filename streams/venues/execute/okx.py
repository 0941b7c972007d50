"""OKX v5: how positions are reduced there; quantities in contracts."""

from decimal import Decimal

from schemas.money import say_short
from streams.venues.execute.rows import inside, number, of_symbol, posted, price, side_of, signed
from streams.venues.execute.words import BOTH, LONG, SHORT, Desk, Found, Held, Step
from streams.venues.okx import venue as record
from streams.venues.venue import Request

_STATUSES = {"live": "open", "partially_filled": "open", "filled": "filled"}
_LEGS = {"net": BOTH, "long": LONG, "short": SHORT}
_LISTS = {"orders-pending": ("/api/v5/trade/cancel-batch-orders", "ordId"), "orders-algo-pending": ("/api/v5/trade/cancel-algos", "algoId")}
_BATCH_MAX = 10
_WINDOW_MS = 30_000  # of its time stamps


def _find(step: Step) -> tuple[Request, ...]:
    return (Request("order", "/api/v5/trade/order", (("instId", step.symbol), ("clOrdId", step.client_order_id))),)


def _found(body: bytes) -> Found | None:
    rows = inside(body, "data")
    if not rows:
        return None
    word = str(rows[0]["state"])
    return Found(_STATUSES.get(word, "ended"), number(rows[0], "accFillSz"), price(rows[0], "avgPx"), word)


def _orders(symbol: str) -> tuple[Request, ...]:
    lists = tuple(request for request in record().snapshot if request.part in _LISTS)
    return of_symbol(lists, (("instId", symbol),)) if symbol else lists


def _cancels(part: str, body: bytes) -> list[Request]:
    path, name = _LISTS[part]
    rows = [{"instId": str(row["instId"]), name: str(row[name])} for row in inside(body, "data")]
    return [posted("cancelled", path, rows[at:at + _BATCH_MAX]) for at in range(0, len(rows), _BATCH_MAX)]


def _held(step: Step, body: bytes) -> Held:
    for row in inside(body, "data"):
        amount = number(row, "pos")
        if row["instId"] == step.symbol and _LEGS.get(row["posSide"]) == step.side and amount:
            return Held(signed(step.side, amount), abs(number(row, "notionalUsd") / amount), str(row["mgnMode"]))
    return Held(Decimal(0))


def _order(step: Step, held: Held, quantity: Decimal) -> Request:
    said = {"instId": step.symbol, "tdMode": held.mode, "side": side_of(step, held).lower(), "ordType": "market",
            "sz": say_short(quantity), "clOrdId": step.client_order_id}
    return posted("placed", "/api/v5/trade/order", said | ({"reduceOnly": True} if step.side == BOTH else {"posSide": step.side.lower()}))


DESK = Desk(_find, _found, lambda judged: judged.code == "51603", frozenset({"51016"}), _orders, _cancels,
            lambda symbol: Request("positions", "/api/v5/account/positions", (("instId", symbol),)), _held, _order, _WINDOW_MS)
