"""Answers of venues as rows with decimals: what desks have in common."""

import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from streams.venues.execute.words import BOTH, LONG, SHORT, Held, Step
from streams.venues.venue import Pairs, Request

Row = Mapping[str, Any]


def inside(body: bytes, *path: str) -> Any:
    """What lies under the names; numbers with a point stay text. Raises `ValueError` or `KeyError`."""
    found: Any = json.loads(body, parse_float=str)
    for name in path:
        found = found[name]
    return found


def number(row: Row, name: str) -> Decimal:
    """A decimal; 0 where it is absent or empty. Raises `ArithmeticError` on other texts."""
    return Decimal(str(row.get(name) or 0))


def price(row: Row, name: str) -> Decimal | None:
    """A price; None where there is none."""
    return number(row, name) or None


def posted(part: str, path: str, said: object) -> Request:
    """A question with a JSON body."""
    return Request(part, path, method="POST", body=json.dumps(said, separators=(",", ":")))


def of_symbol(requests: Iterable[Request], more: Pairs) -> tuple[Request, ...]:
    """The same questions about less."""
    return tuple(request._replace(params=(*request.params, *more)) for request in requests)


def side_of(step: Step, held: Held) -> str:
    """BUY or SELL: the order's side that reduces the position."""
    return "SELL" if step.side == LONG or (step.side == BOTH and held.amount > 0) else "BUY"


def signed(side: str, amount: Decimal) -> Decimal:
    """A leg's amount with its sign; that of BOTH has it already."""
    return -abs(amount) if side == SHORT else abs(amount) if side == LONG else amount
