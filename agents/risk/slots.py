"""Parallel arrays with slots that are taken and freed."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt


class Slots:
    """Named float64 columns of equal length; a free slot holds the column's empty value."""

    def __init__(self, **empty: float) -> None:
        self._empty = empty
        self._columns = {name: np.full(64, value) for name, value in empty.items()}
        self._free = list(range(63, -1, -1))

    def __getitem__(self, name: str) -> npt.NDArray[np.float64]:
        return self._columns[name]

    def take(self, **values: float) -> int:
        """A slot filled with these values; the columns double where none is free."""
        if not self._free:
            size = len(next(iter(self._columns.values())))
            for name, value in self._empty.items():
                self._columns[name] = np.concatenate([self._columns[name], np.full(size, value)])
            self._free = list(range(2 * size - 1, size - 1, -1))
        at = self._free.pop()
        for name, value in values.items():
            self._columns[name][at] = value
        return at

    def free(self, slots: Iterable[int]) -> None:
        for at in slots:
            for name, value in self._empty.items():
                self._columns[name][at] = value
            self._free.append(at)
