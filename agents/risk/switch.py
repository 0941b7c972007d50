"""Index or sweep, lane by lane: whichever has cost less lately."""

from __future__ import annotations

from collections import defaultdict

_LOOK_US = (120.0, 3.0)  # a tick with crossed triggers, and each of them; measured by `marginstream bench risk`
_SWEEP_US = (60.0, 0.02)  # a sweep, and each position of the slice
_MEMORY = 15 / 16
_AT_ONCE = 3  # a tick that costs as many sweeps does not wait for the average
PATIENCE, PATIENCE_MAX = 256, 4_096  # sweeps before triggers are tried again


class Switch:
    """Counts, not clocks: the same ticks always take the same turns. `ticks` per lane since it has triggers."""

    def __init__(self, sweep_us: tuple[float, float] = _SWEEP_US, patience: int = PATIENCE) -> None:
        self.swept: dict[int, int] = {}  # lane -> sweeps to come
        self.ticks: defaultdict[int, int] = defaultdict(int)
        self.turns = 0
        self._sweep_us, self._first = sweep_us, patience
        self._load: dict[int, tuple[float, int]] = {}  # (average cost of a tick, at which tick)
        self._patience: dict[int, int] = {}

    def dearer(self, lane: int, crossed: int, size: int) -> bool:
        """Whether crossed triggers now cost more than sweeping these many positions: if so the lane is swept from here on."""
        cost, sweep = _LOOK_US[0] + _LOOK_US[1] * crossed, self._sweep_us[0] + self._sweep_us[1] * size
        load, since = self._load.get(lane, (0.0, 0))
        now = self.ticks[lane]
        load = load * _MEMORY ** (now - since) + cost * (1 - _MEMORY)
        self._load[lane] = load, now
        if load <= sweep and cost <= _AT_ONCE * sweep:
            return False
        known = self._patience.get(lane)
        again = known is not None and now < 2 * known
        self._patience[lane] = self.swept[lane] = min(2 * (known or 0), PATIENCE_MAX) if again else self._first
        self._load.pop(lane)
        self.turns += 1
        return True

    def over(self, lane: int) -> bool:
        """Counts a sweep; whether it was the last for now."""
        self.swept[lane] -= 1
        if self.swept[lane] > 0:
            return False
        del self.swept[lane]
        self.ticks[lane] = 0
        self.turns += 1
        return True


__all__ = ["PATIENCE", "PATIENCE_MAX", "Switch"]
