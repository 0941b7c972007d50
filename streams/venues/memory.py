"""What a session remembers of its account between links: what is held, which orders are open, and until when nothing was missed."""

from collections.abc import Iterable

from schemas import names
from schemas.user_data_pb2 import UserDataBalanceUpdateEvent, UserDataOrderUpdateEvent, UserDataPositionUpdateEvent
from streams.venues.frames import Event, Held, holding
from tables.orders import rank_of

_ENDED = 4
_DATED = (UserDataOrderUpdateEvent, UserDataPositionUpdateEvent, UserDataBalanceUpdateEvent)  # their times are what REST is asked for, too
Order = tuple[str, str, bool]  # symbol, id, whether conditional


class Memory:
    """Told by every fact that was published; `since_ms` is None for an account never seen."""

    def __init__(self, since_ms: int | None = None, was_exposed: bool = False) -> None:
        self.held: frozenset[Held] = frozenset()
        self.orders: dict[Order, None] = {}
        self.proven_ms = self.acknowledged_ms = since_ms
        self.sent_ms = self.merged_ms = 0  # the newest fact that went out; the newest gap that was closed
        self._was_exposed = was_exposed  # before this process: until it is read
        self.event_ms = 0  # the newest transaction time told

    @property
    def since_ms(self) -> int | None:
        """Until then every fact was received and is safe in Kafka."""
        if self.proven_ms is None or self.acknowledged_ms is None:
            return None
        return min(self.proven_ms, self.acknowledged_ms)

    @property
    def exposed(self) -> bool:
        """Whether money is at risk: positions or open orders."""
        return self._was_exposed or bool(self.orders) or any(one.topic == names.POSITION_UPDATES for one in self.held)

    def symbols(self) -> frozenset[str]:
        """Of positions and open orders."""
        return frozenset({one.name for one in self.held if one.topic == names.POSITION_UPDATES} | {symbol for symbol, _, _ in self.orders})

    def prove(self, now_ms: int) -> None:
        """The stream was whole until now."""
        self.proven_ms, self._was_exposed = now_ms, False
        if self.acknowledged_ms is None:
            self.acknowledged_ms = now_ms

    def acknowledge(self, until_ms: int) -> None:
        """All facts until then are safe. Said of a time before the last gap was closed, or after the last fact, it is not about them."""
        if self.merged_ms <= until_ms <= self.sent_ms:
            self.acknowledged_ms = max(until_ms, self.acknowledged_ms or 0)

    def doubt(self) -> None:
        """What was told since may not have arrived."""
        self.proven_ms = self.since_ms

    def note(self, events: Iterable[Event]) -> None:
        """Facts that go out."""
        changed = [event for event in events if event.topic != names.DEAD_LETTERS]
        if any(event.topic in (names.POSITION_UPDATES, names.BALANCE_UPDATES) for event in changed):
            self.held = holding(self.held, changed)
        for event in changed:
            message = event.message
            if isinstance(message, UserDataOrderUpdateEvent):
                self._order(message)
            if isinstance(message, _DATED):
                self.event_ms = max(self.event_ms, message.meta.transaction_time_ms)

    def missing(self, snapshot: Iterable[Event]) -> tuple[Order, ...]:
        """Orders thought open that a snapshot lacks: they ended, and how must be asked."""
        found = {order_of(event.message) for event in snapshot if isinstance(event.message, UserDataOrderUpdateEvent)}
        return tuple(order for order in self.orders if order not in found)

    def _order(self, message: UserDataOrderUpdateEvent) -> None:
        order = order_of(message)
        if not order[1] or not (message.status or message.status_raw):
            return
        if rank_of(message.status) >= _ENDED:
            self.orders.pop(order, None)
        else:
            self.orders[order] = None


def order_of(message: UserDataOrderUpdateEvent) -> Order:
    """(symbol, the venue's id, whether conditional)."""
    return message.symbol, (message.algo_id if message.is_algo else message.order_id) or message.order_id, message.is_algo
