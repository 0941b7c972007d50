"""What only time makes due: users, each once, by the earliest time at which something of theirs is."""

import heapq
import math


class Deadlines:
    """A row that changes a thousand times has one deadline, not a thousand; who is popped is asked what comes next."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, str]] = []
        self._at: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, user: str, at_ms: float) -> None:
        """Asked for at `at_ms`, unless that user is to be asked for earlier; infinity asks for nothing."""
        if at_ms < self._at.get(user, math.inf):
            self._at[user] = at_ms
            heapq.heappush(self._heap, (at_ms, user))
            if len(self._heap) > 2 * len(self._at) + 100:  # later ones that an earlier one replaced
                self._heap = sorted((at, user) for user, at in self._at.items())

    def first_ms(self) -> float:
        """When the next one is due; never: infinity."""
        while self._heap and self._at.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else math.inf

    def pop(self, now_ms: int) -> list[str]:
        """Who is due, the longest ago first; each is forgotten."""
        found = []
        while self.first_ms() <= now_ms:
            user = heapq.heappop(self._heap)[1]
            del self._at[user]
            found.append(user)
        return found
