"""A worker's view over plain dictionaries, and sample rows."""

from decimal import Decimal

from agents.risk.rules import Rules
from agents.risk.world import Control, World
from schemas.keys import partition_of, user_parts
from streams.web.view import Figures
from tables import rows

D = Decimal


class FakeView:
    """What the engine would show of `users`; `away` maps users to the worker that owns them."""

    default_user_type = "live"

    def __init__(self, name: str, *users: rows.User) -> None:
        self.worker_name = name
        self.held = {user.user_id: user for user in users}
        self.held_orders: dict[str, rows.Orders] = {}
        self.away: dict[str, str] = {}
        self.others: list[str] = []
        self.state = (True, "")
        self.waiting: list[str] = []
        self.now = World(0, {}, Rules(), Control())

    def ready(self) -> tuple[bool, str]:
        return self.state

    def user(self, user_id: str) -> rows.User | None:
        return self.held.get(user_id)

    def orders(self, user_id: str) -> rows.Orders | None:
        return self.held_orders.get(user_id)

    def users(self, after: str, limit: int) -> list[rows.User]:
        return [self.held[user_id] for user_id in sorted(self.held) if user_id > after][:limit]

    def partition(self, user_id: str) -> int:
        return partition_of(user_id.encode(), 4)

    def owner(self, user_id: str) -> str | None:
        if self.away.get(user_id) == "nobody":
            raise LookupError(f"partition {self.partition(user_id)}")
        return self.away.get(user_id)

    def world(self) -> World:
        return self.now

    def peers(self) -> list[str]:
        return self.others

    def figures(self) -> Figures:
        kinds: dict[str, int] = {}
        for user_id in self.held:
            kinds[user_parts(user_id)[0]] = kinds.get(user_parts(user_id)[0], 0) + 1
        return {"users": kinds, "dirty_users": {"live": len(self.waiting)}}

    def dirty(self, user_type: str, limit: int) -> list[str]:
        return [user for user in sorted(self.waiting) if user_parts(user)[0] == user_type][:limit]


def trader(user_id: str = "live:123", version: int = 7) -> rows.User:
    """A user with a house account on warning and a long position."""
    position = rows.Position("house:EURUSD", "LONG", D("0.10"), D("1.0790"), updated_ms=1_700_000_000_000, version=rows.Version(1, 2, 3))
    margin = rows.Margin(rung=rows.WARNING, reasons=("tick",), episode=1, transition=2, known_rung=rows.WARNING,
                         figures=rows.Figures(equity=D("1E+3"), margin_level_pct=D("140.0")),
                         plan=(rows.PlanStep("live:123/house/1/s1", "close", quantity=D("0.1")),))
    house = rows.Account("house", balances={"USD": rows.Balance(D("1000.50"), updated_ms=5)},
                         positions={rows.position_key("house:EURUSD", "LONG"): position}, margin=margin, recent_fills=("f1",))
    return rows.User(user_id, version, 1, rows.Profile(leverage=D(100), fields={"desk": "a"}), {"house": house},
                     {"vault": rows.Sequence(4, {6: b"held"}, 9)}, ("id-1",))


def with_order(user_id: str = "live:123") -> rows.Orders:
    """One open order of the house account."""
    order = rows.Order("house", "house:EURUSD", "o-1", quantity=D("0.20"), price=D("1.05"), updated_ms=4)
    return rows.Orders(user_id, 3, 1, {"house/house:EURUSD/o-1": order}, (rows.ClosedOrder("o-0", 9, 1),))
