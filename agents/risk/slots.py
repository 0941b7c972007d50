"""Parallel arrays with slots that are taken and freed: positions in blocks of one price, pools, and which slots a pool has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Slots = npt.NDArray[np.int32]
BLOCK = 128  # positions that share a bound and are all of one price
_GROW = 1.2
_FEW = 8  # rows: up to here a store each is quicker than a column


class Arrays:
    """Columns of one length; each class says its own with what a free slot holds. They grow by a fifth."""

    EMPTY: dict[str, tuple[type[np.generic], float]]

    def __init__(self, size: int) -> None:
        self.room = size
        for name, (kind, value) in self.EMPTY.items():
            setattr(self, name, np.full(size, value, kind))

    def grow(self, size: int) -> None:
        for name, (kind, value) in self.EMPTY.items():
            grown: npt.NDArray[Any] = np.full(size, value, kind)
            grown[: self.room] = getattr(self, name)
            setattr(self, name, grown)
        self.room = size

    def write(self, names: Sequence[str], rows: Sequence[tuple[float, ...]]) -> Ints:
        """Lays rows, each a slot and a value for every one of these columns; returns the slots."""
        columns = [getattr(self, name) for name in names]
        if len(rows) <= _FEW:
            for row in rows:
                for column, value in zip(columns, row[1:], strict=True):
                    column[row[0]] = value
            return np.array([row[0] for row in rows], np.int64)
        slots, *laid = zip(*rows, strict=True)
        at = np.array(slots, np.int64)
        for column, values in zip(columns, laid, strict=True):
            column[at] = values
        return at


class Blocks(Arrays):
    """Per block: the lane it belongs to, and bounds on its triggers: all below `top` and above `bottom`."""

    EMPTY = {"lane": (np.int32, 0), "top": (np.float64, -np.inf), "bottom": (np.float64, np.inf)}
    lane: Slots
    top: Floats
    bottom: Floats


class Positions(Arrays):
    """A position is worth size x price - cost. `low` and `high`: at or beyond them its pool is looked at.

    `ref`: the price at which the pool's spare counts it. `margin`: NaN where tiers say it; `share` of the value comes on top.
    `into`, `margin_into`: what converts them. `part`: of a weighted pool, the asset of it.
    A free slot is of pool 0, that never breaks.
    """

    EMPTY = {
        "pool": (np.int32, 0), "size": (np.float64, 0.0), "cost": (np.float64, 0.0), "ref": (np.float64, 0.0),
        "low": (np.float64, -np.inf), "high": (np.float64, np.inf),
        "margin": (np.float64, 0.0), "share": (np.float64, 0.0), "into": (np.int32, 0), "margin_into": (np.int32, 0),
        "part": (np.int8, 0),
    }
    pool: Slots
    size: Floats
    cost: Floats
    ref: Floats
    low: Floats
    high: Floats
    margin: Floats
    share: Floats
    into: Slots
    margin_into: Slots
    part: npt.NDArray[np.int8]

    def __init__(self) -> None:
        super().__init__(8 * BLOCK)
        self.blocks = Blocks(8)
        self.used = 0  # blocks
        self.of_lane: dict[int, list[int]] = {}
        self._free: dict[int, list[int]] = {}
        self._arrays: dict[int, Ints] = {}

    def __len__(self) -> int:
        return self.used * BLOCK - sum(map(len, self._free.values()))

    def lane_of(self, slots: Slots | Ints) -> Slots:
        return self.blocks.lane[slots // BLOCK]

    def blocks_of(self, lane: int) -> Ints:
        """Numbers of the lane's blocks."""
        found = self._arrays.get(lane)
        if found is None:
            found = self._arrays[lane] = np.array(self.of_lane.get(lane, ()), np.int64)
        return found

    def take(self, lanes: Sequence[int]) -> list[int]:
        """A slot among those of each of these lanes."""
        free = self._free
        return [(free.get(lane) or self._block(lane)).pop() for lane in lanes]

    def _block(self, lane: int) -> list[int]:
        """Free slots of a lane that has none left."""
        if self.used == self.blocks.room:
            size = int(self.used * _GROW) + 8
            self.blocks.grow(size)
            self.grow(size * BLOCK)
        self.of_lane.setdefault(lane, []).append(self.used)
        self._arrays.pop(lane, None)
        self.blocks.lane[self.used] = lane
        found = self._free[lane] = list(range((self.used + 1) * BLOCK - 1, self.used * BLOCK - 1, -1))
        self.used += 1
        return found

    def free(self, slots: Slots) -> None:
        """Nobody's from here on; what a free slot says of money is of size 0."""
        self.pool[slots], self.size[slots], self.low[slots], self.high[slots] = 0, 0.0, -np.inf, np.inf
        for slot, lane in zip(slots.tolist(), self.lane_of(slots).tolist(), strict=True):
            self._free[lane].append(slot)


class Pools(Arrays):
    """`still` is what no price moves. `up`, `down`: what is left before the rung may rise or fall, less what triggers have been dealt.

    `weighed`: its row of assets, 0: none. `several`: its account is held on its rung by one of several pools.

    Pool 0 is nobody's: it has all the spare there is.
    """

    EMPTY = {
        "account": (np.int32, -1), "zone": (np.int32, 0), "start": (np.int32, 0), "count": (np.int32, 0), "still": (np.float64, 0.0),
        "up": (np.float64, np.inf), "down": (np.float64, np.inf), "boxed": (np.bool_, False),
        "weighed": (np.int32, 0), "several": (np.bool_, False),
    }
    account: Slots
    zone: Slots
    start: Slots
    count: Slots
    still: Floats
    up: Floats
    down: Floats
    boxed: npt.NDArray[np.bool_]
    weighed: Slots
    several: npt.NDArray[np.bool_]

    def __init__(self) -> None:
        super().__init__(64)
        self._spare: list[int] = []
        self._next = 1
        self._members = np.zeros(1_024, np.int32)
        self._end = 0
        self._runs: dict[int, list[int]] = {}  # by length: runs of members that were freed

    def take(self, slots: Sequence[int]) -> int:
        """A pool with these positions."""
        if not self._spare and self._next == self.room:
            self.grow(int(self.room * _GROW) + 64)
        pool = self._spare.pop() if self._spare else self._next
        self._next = max(self._next, pool + 1)
        start = self._run(len(slots))
        self._members[start : start + len(slots)] = slots
        self.start[pool], self.count[pool] = start, len(slots)
        return pool

    def free(self, pool: int) -> Slots:
        """Forgets a pool; its positions are the caller's to free."""
        start, count = int(self.start[pool]), int(self.count[pool])
        slots = self._members[start : start + count].copy()
        self._runs.setdefault(count, []).append(start)
        self.account[pool], self.count[pool], self.up[pool], self.down[pool], self.weighed[pool] = -1, 0, np.inf, np.inf, 0
        self._spare.append(pool)
        return slots

    def members(self, pools: Ints) -> tuple[Ints, Slots]:
        """(which of `pools`, slot) of every position of theirs."""
        counts = self.count[pools].astype(np.int64)
        of = np.repeat(np.arange(len(pools)), counts)
        shift = np.repeat(self.start[pools] - np.cumsum(counts) + counts, counts)
        return of, self._members[np.arange(len(of)) + shift]

    def _run(self, length: int) -> int:
        """Where `length` members fit: a freed run of that length, else the end. Lengths are few, so what lies free stays little."""
        spare = self._runs.get(length)
        if spare:
            return spare.pop()
        start, self._end = self._end, self._end + length
        if self._end > len(self._members):
            self._members = np.concatenate([self._members, np.zeros(int(self._end * (_GROW - 1)) + 1_024, np.int32)])
        return start


__all__ = ["BLOCK", "Blocks", "Floats", "Ints", "Pools", "Positions", "Slots"]
