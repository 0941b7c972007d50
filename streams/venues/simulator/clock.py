"""Simulated time: runs with the machine's clock or stands still, jumps on demand, and calls what is due on the way."""

import heapq
import itertools
import time
from collections.abc import Callable

_Timer = tuple[int, int, Callable[[], None]]


class Clock:
    """Milliseconds since the epoch; `speed` 1 is real time, 0 stands still and moves by `advance` only."""

    def __init__(self, start_ms: int | None = None, speed: float = 1.0) -> None:
        self._base_ms = time.time() * 1000 if start_ms is None else float(start_ms)
        self._since = time.monotonic()
        self._speed = speed
        self._timers: list[_Timer] = []
        self._tickets = itertools.count()
        self._floor_ms = 0  # time told never goes back, not even where floats round

    def now_ms(self) -> int:
        """Now; never less than what was told before."""
        now = int(self._base_ms + (time.monotonic() - self._since) * 1000 * self._speed)
        self._floor_ms = max(self._floor_ms, now)
        return self._floor_ms

    def after(self, delay_ms: int, call: Callable[[], None]) -> None:
        """`call` once, `delay_ms` from now, from `run_due` or `advance`."""
        heapq.heappush(self._timers, (self.now_ms() + delay_ms, next(self._tickets), call))

    def run_due(self) -> None:
        """Everything that is due by now, in order."""
        while self._timers and self._timers[0][0] <= self.now_ms():
            heapq.heappop(self._timers)[2]()

    def advance(self, seconds: float) -> None:
        """Jump forward; each timer on the way is called at its own time."""
        end_ms = self.now_ms() + round(seconds * 1000)
        while self._timers and self._timers[0][0] <= end_ms:
            due_ms, _, call = heapq.heappop(self._timers)
            self._jump(due_ms)
            call()
        self._jump(end_ms)

    def _jump(self, to_ms: int) -> None:
        self._base_ms += max(0, to_ms - self.now_ms())
