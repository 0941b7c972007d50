"""Time as a venue tells it: our wall clock, steady between readings, and the offset that the venue's answers show."""

import time


class Clock:
    """The wall clock is read once; from then on the monotonic one counts, so that a step of the wall moves no timer."""

    def __init__(self) -> None:
        self._begun_ms, self._counted_s = time.time() * 1_000, time.monotonic()
        self.offset_ms = 0
        self.measured_ms = 0

    def now_ms(self) -> int:
        """Ours."""
        return int(self._begun_ms + (time.monotonic() - self._counted_s) * 1_000)

    def venue_ms(self) -> int:
        """The venue's."""
        return self.now_ms() + self.offset_ms

    def measured(self, asked_ms: int, venue_ms: int, answered_ms: int) -> None:
        """An answer with the venue's time: it was said half way between."""
        self.offset_ms = venue_ms - (asked_ms + answered_ms) // 2
        self.measured_ms = answered_ms
