"""What the facts on the topics amount to: rows folded as the engine folds them, and fills as the mirror keeps them."""

from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from schemas import names
from schemas.user_data_pb2 import UserDataOrderUpdateEvent
from streams.topics import ACCOUNT_SOURCES
from streams.venues.frames import Event
from tables import accounts, orders
from tables.policy import Policy
from tables.rows import Fact, Orders, User


class Folded(NamedTuple):
    """Rows, fills by (symbol, order, trade), and what came more than once under one `event_id`."""

    user: User
    orders: Orders
    fills: dict[tuple[str, str, str], tuple[Decimal, Decimal]]
    twice: int


def fold(told: Iterable[tuple[int, Event]], user: str = "live:1") -> Folded:
    """Folds facts with the time at which the broker took each."""
    policy = Policy()
    row, book = User(user), Orders(user)
    fills: dict[tuple[str, str, str], tuple[Decimal, Decimal]] = {}
    seen: Counter[str] = Counter()
    for at, (at_ms, event) in enumerate(told):
        message = event.message
        fact = Fact(event.topic, 0, at, at_ms, user, message, message.SerializeToString())
        if event.topic in ACCOUNT_SOURCES:
            found = accounts.fold(row, fact, policy).row
            assert isinstance(found, User)
            row = found
            seen[message.meta.event_id] += 1  # type: ignore[attr-defined]
        if event.topic == names.ORDER_UPDATES:
            kept = orders.fold_orders(book, fact, policy).row
            assert isinstance(kept, Orders)
            book = kept
            assert isinstance(message, UserDataOrderUpdateEvent)
            if message.HasField("fill") and not message.fill.lite and message.fill.trade_id:
                name = (message.symbol, message.order_id, message.fill.trade_id)
                now = (Decimal(message.fill.qty), Decimal(message.fill.price))
                assert fills.setdefault(name, now) == now, f"fill {name}: expected one quantity and price, was {fills[name]} and {now}"
    return Folded(row, book, fills, sum(count - 1 for count in seen.values()))
