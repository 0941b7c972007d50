"""Bybit v5, linear contracts: how positions are reduced there."""

from decimal import Decimal

from schemas.money import say_short
from streams.venues.bybit import RECEIVE_WINDOW_MS
from streams.venues.bybit import venue as record
from streams.venues.execute.rows import inside, number, posted, price, side_of
from streams.venues.execute.words import BOTH, LONG, SHORT, Desk, Found, Held, Step
from streams.venues.venue import Request

_LINEAR = ("category", "linear")
_STATUSES = {"New": "open", "PartiallyFilled": "open", "Untriggered": "open", "Triggered": "open", "Created": "open", "Filled": "filled"}
_LEGS = {BOTH: 0, LONG: 1, SHORT: 2}


def _find(step: Step) -> tuple[Request, ...]:
    """What ended a while ago is in the history only."""
    params = (_LINEAR, ("symbol", step.symbol), ("orderLinkId", step.client_order_id))
    return Request("order:linear", "/v5/order/realtime", params), Request("order-history:linear", "/v5/order/history", params)


def _found(body: bytes) -> Found | None:
    rows = inside(body, "result", "list")
    if not rows:
        return None
    word = str(rows[0]["orderStatus"])
    return Found(_STATUSES.get(word, "ended"), number(rows[0], "cumExecQty"), price(rows[0], "avgPrice"), word)


def _orders(symbol: str) -> tuple[Request, ...]:
    if symbol:
        return (Request("order:linear", "/v5/order/realtime", (_LINEAR, ("symbol", symbol), ("limit", "50"))),)
    return tuple(request for request in record().snapshot if request.part == "order:linear")


def _cancels(_part: str, body: bytes) -> list[Request]:
    """Conditional orders go with the others."""
    symbols = sorted({str(row["symbol"]) for row in inside(body, "result", "list")})
    return [posted("cancelled", "/v5/order/cancel-all", {"category": "linear", "symbol": symbol}) for symbol in symbols]


def _held(step: Step, body: bytes) -> Held:
    for row in inside(body, "result", "list"):
        if row["symbol"] == step.symbol and int(row["positionIdx"]) == _LEGS[step.side]:
            size = number(row, "size")
            return Held(-size if row["side"] == "Sell" else size, number(row, "markPrice"))
    return Held(Decimal(0))


def _order(step: Step, held: Held, quantity: Decimal) -> Request:
    return posted("placed", "/v5/order/create", {
        "category": "linear", "symbol": step.symbol, "side": side_of(step, held).capitalize(), "orderType": "Market",
        "qty": say_short(quantity), "reduceOnly": True, "positionIdx": _LEGS[step.side], "orderLinkId": step.client_order_id})


DESK = Desk(_find, _found, lambda judged: judged.code == "110001", frozenset({"110072"}), _orders, _cancels,
            lambda symbol: Request("position:linear", "/v5/position/list", (_LINEAR, ("symbol", symbol))), _held, _order,
            RECEIVE_WINDOW_MS)
