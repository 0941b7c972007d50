"""What one egress address may ask a venue: weight a minute, connects a second, and a breaker; a pure queue, time (ms) an argument.

Who has positions goes first. Others may use no more than a share, so that a storm of the idle never starves them.
"""

import heapq
from collections import deque
from typing import NamedTuple

_MINUTE_MS = 60_000
_LIMIT, _SHARE_OF_IDLE = 0.9, 0.75  # of what the venue allows: other programs may use the address, too


class Wanted(NamedTuple):
    """A place in the queue: the urgent before the others, then in order of arrival."""

    late: bool
    number: int
    weight: int
    connect: bool


class Weights:
    """`want` a place, take those whom `admitted` names."""

    def __init__(self, weight_per_min: int, connects_per_min: int) -> None:
        self._limit, self._connect_every_ms = int(weight_per_min * _LIMIT), _MINUTE_MS // connects_per_min
        self._queues: dict[bool, list[Wanted]] = {False: [], True: []}  # by whether it is a connect
        self._used: deque[tuple[int, int]] = deque()
        self._sum = self._numbers = self._connected_ms = 0
        self.shut_until_ms = 0

    def want(self, weight: int, urgent: bool = False, connect: bool = False) -> int:
        """A number, to be found in what `admitted` answers."""
        self._numbers += 1
        heapq.heappush(self._queues[connect], Wanted(not urgent, self._numbers, min(weight, self._limit), connect))
        return self._numbers

    def forget(self, number: int) -> None:
        """Who asked has gone."""
        for queue in self._queues.values():
            queue[:] = [wanted for wanted in queue if wanted.number != number]
            heapq.heapify(queue)

    def admitted(self, now_ms: int) -> list[int]:
        """Who may go now, the urgent first."""
        if now_ms < self.shut_until_ms:
            return []
        self._pass(now_ms)
        found = []
        queue = self._queues[False]
        while queue and self._fits(queue[0]):
            found.append(queue[0].number)
            self._take(now_ms, heapq.heappop(queue).weight)
        connects = self._queues[True]
        if connects and now_ms >= self._connected_ms + self._connect_every_ms:
            self._connected_ms = now_ms
            found.append(heapq.heappop(connects).number)
        return found

    def due(self, now_ms: int) -> int | None:
        """When somebody may go who may not now; None where nobody waits."""
        if not any(self._queues.values()):
            return None
        soonest = []
        if self._queues[False]:
            soonest.append(now_ms if self._fits(self._queues[False][0]) else self._used[0][0] + _MINUTE_MS)
        if self._queues[True]:
            soonest.append(self._connected_ms + self._connect_every_ms)
        return max(min(soonest), self.shut_until_ms, now_ms + 1)

    def told(self, used: int, now_ms: int) -> None:
        """The venue's own count of this minute: what it knows more of was used by others on this address."""
        self._pass(now_ms)
        begun = now_ms - now_ms % _MINUTE_MS
        ours = sum(weight for at, weight in self._used if at >= begun)
        if used > ours:
            self._take(now_ms, used - ours)

    def shut(self, for_ms: int, now_ms: int) -> None:
        """The breaker opens: nobody goes, whoever's fault it was."""
        self.shut_until_ms = max(self.shut_until_ms, now_ms + for_ms)

    def _fits(self, wanted: Wanted) -> bool:
        return self._sum + wanted.weight <= self._limit * (_SHARE_OF_IDLE if wanted.late else 1) or not self._used

    def _take(self, now_ms: int, weight: int) -> None:
        self._used.append((now_ms, weight))
        self._sum += weight

    def _pass(self, now_ms: int) -> None:
        while self._used and self._used[0][0] <= now_ms - _MINUTE_MS:
            self._sum -= self._used.popleft()[1]
