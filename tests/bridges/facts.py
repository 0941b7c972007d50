"""Builds states and records as the engine would send them."""

from typing import NamedTuple

from google.protobuf.message import Message

from schemas.engine_pb2 import OrdersState, UserState
from streams.topics import ACCOUNT_STATES


class Sent(NamedTuple):
    """A record as a handler sees it."""

    topic: str
    key: bytes | None
    value: bytes | None
    offset: int = 0
    partition: int = 0
    timestamp: int = 1_700_000_000_000


def sent(message: Message, topic: str = ACCOUNT_STATES, user: str = "", offset: int = 0) -> Sent:
    return Sent(topic, (user or str(getattr(message, "user_id", ""))).encode(), message.SerializeToString(), offset)


def user_state(user: str = "live:123", version: int = 1, balance: str = "100", generation: int = 1) -> UserState:
    """A trading user with a house account and one position in it."""
    state = UserState(user_id=user, version=version, generation=generation, updated_ms=1_700_000_000_000 + version % 1_000)
    state.profile.group, state.profile.status, state.profile.is_active = "standard", "active", True
    house = state.accounts["house"]
    house.account_id, house.venue, house.model, house.currency = "house", "house", "mt5", "USD"
    house.balances["USD"].wallet_balance = balance
    return state


def with_position(state: UserState, symbol: str = "EURUSD", quantity: str = "1.5", account: str = "house") -> UserState:
    position = state.accounts[account].positions[f"house:{symbol}/LONG/p1"]
    position.instrument, position.side, position.position_id = f"house:{symbol}", "LONG", "p1"
    position.quantity, position.entry_price = quantity, "1.10"
    return state


def orders_state(*order_ids: str, version: int = 1, user: str = "live:123") -> OrdersState:
    state = OrdersState(user_id=user, version=version, generation=1, updated_ms=1_700_000_000_000 + version % 1_000)
    for order_id in order_ids:
        order = state.orders[f"x1/binance_usdm:BTCUSDT/{order_id}"]
        order.account_id, order.instrument, order.order_id, order.status = "x1", "binance_usdm:BTCUSDT", order_id, "NEW"
        order.side, order.quantity, order.price = "BUY", "2", "50000"
    return state
