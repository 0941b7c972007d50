"""KuCoin Futures: how positions are reduced there; quantities in contracts, whole ones."""

from decimal import Decimal

from streams.venues.execute.rows import inside, number, of_symbol, posted, price, side_of, signed
from streams.venues.execute.words import BOTH, Desk, Found, Held, Step
from streams.venues.kucoin import venue as record
from streams.venues.venue import Judged, Request

_LISTS = {"orders": "/api/v3/orders", "stopOrders": "/api/v1/stopOrders"}  # and what cancels all of a symbol's
_WINDOW_MS = 5_000


def _find(step: Step) -> tuple[Request, ...]:
    return (Request("order", "/api/v1/orders/byClientOid", (("clientOid", step.client_order_id),), weight=5),)


def _absent(judged: Judged) -> bool:
    return judged.code == "100001" and "orderNotExist" in judged.text


def _found(body: bytes) -> Found:
    row = inside(body, "data")
    size, filled = number(row, "size"), number(row, "filledSize")
    status = "open" if row["isActive"] else "filled" if filled and filled == size else "ended"
    return Found(status, filled, price(row, "avgDealPrice"), "canceled" if row.get("cancelExist") else str(row["status"]))


def _orders(symbol: str) -> tuple[Request, ...]:
    lists = tuple(request for request in record().snapshot if request.part in _LISTS)
    return of_symbol(lists, (("symbol", symbol),)) if symbol else lists


def _cancels(part: str, body: bytes) -> list[Request]:
    symbols = sorted({str(row["symbol"]) for row in inside(body, "data", "items")})
    return [Request("cancelled", _LISTS[part], (("symbol", symbol),), method="DELETE", weight=30) for symbol in symbols]


def _held(step: Step, body: bytes) -> Held:
    for row in inside(body, "data"):
        amount = number(row, "currentQty")
        if row["symbol"] == step.symbol and (row.get("positionSide") or BOTH) == step.side and amount:
            mode = str(row.get("marginMode") or ("CROSS" if row.get("crossMode") else "ISOLATED"))
            return Held(signed(step.side, amount), abs(number(row, "markValue") / amount), mode)
    return Held(Decimal(0))


def _order(step: Step, held: Held, quantity: Decimal) -> Request:
    said = {"clientOid": step.client_order_id, "symbol": step.symbol, "side": side_of(step, held).lower(), "type": "market",
            "size": int(quantity), "reduceOnly": True, "marginMode": held.mode}
    return posted("placed", "/api/v1/orders", said | ({} if step.side == BOTH else {"positionSide": step.side}))


DESK = Desk(_find, _found, _absent, frozenset({"300018"}), _orders, _cancels,
            lambda _: Request("positions", "/api/v1/positions", weight=2), _held, _order, _WINDOW_MS)
