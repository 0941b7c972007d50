"""What the inspection pages ask of a worker."""

from typing import Protocol

from agents.risk.world import World
from tables.rows import Orders, User

Figures = dict[str, dict[str, int]]  # figure -> kind -> count, as {"users": {"live": 12}}: summed over the workers


class WorkerView(Protocol):
    """A worker as seen from outside: read only, called on its event loop, never blocking."""

    @property
    def worker_name(self) -> str:
        """The name that answers carry."""

    @property
    def default_user_type(self) -> str:
        """The type of an id without one."""

    def ready(self) -> tuple[bool, str]:
        """Whether all owned rows are recovered and judged, and why not."""

    def user(self, user_id: str) -> User | None:
        """The row of `accounts`, where this worker owns it."""

    def orders(self, user_id: str) -> Orders | None:
        """The row of `orders`, where this worker owns it."""

    def users(self, after: str, limit: int) -> list[User]:
        """The first `limit` owned rows whose user id is greater than `after`, by user id."""

    def partition(self, user_id: str) -> int:
        """The partition of the user's key."""

    def owner(self, user_id: str) -> str | None:
        """Base URL of the worker that owns the user; None where it is this one. Raises LookupError while nobody is known to."""

    def world(self) -> World:
        """What a check would be made with now."""

    def peers(self) -> list[str]:
        """Base URLs of all other workers."""

    def figures(self) -> Figures:
        """Counts over the owned partitions."""

    def dirty(self, user_type: str, limit: int) -> list[str]:
        """The first `limit` owned users of a type whose portfolio figures wait to be published, by user id."""
