"""Equity and requirement of pools: sums over their positions; of a weighted pool asset by asset, weighed where above zero."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from agents.risk.board import Board, Bools, Held, Range, between, summed
from agents.risk.slots import Floats, Ints, Pools

ASSETS = 8  # at most, of a weighted pool


class Asset(NamedTuple):
    """What of it no price moves, its weight where it is above zero, the code of its conversion."""

    still: float
    weight: float
    code: int


class Totals:
    """The assets of weighted pools lie in rows of their own: weighted accounts are few, and so are their assets."""

    def __init__(self, pools: Pools, board: Board) -> None:
        self._pools, self._board = pools, board
        self._still, self._weight, self._code = np.zeros((1, ASSETS)), np.ones((1, ASSETS)), np.zeros((1, ASSETS), np.int32)
        self._free: list[int] = []

    def take(self, assets: Sequence[Asset]) -> int:
        """A row with these assets."""
        if not self._free:
            self._free = list(range(2 * len(self._still) - 1, len(self._still) - 1, -1))
            self._still, self._weight, self._code = (np.concatenate([part, part]) for part in (self._still, self._weight, self._code))
        row = self._free.pop()
        self._still[row], self._weight[row], self._code[row] = 0.0, 1.0, 0
        for at, asset in enumerate(assets):
            self._still[row, at], self._weight[row, at], self._code[row, at] = asset
        return row

    def free(self, row: int) -> None:
        self._free.append(row)

    def now(self, held: Held, ids: Ints, worths: tuple[Floats, Floats, Floats]) -> tuple[Floats, Floats, Floats]:
        """(equity, requirement, gross) of pools, of those of each position."""
        still = self._pools.still[ids]
        equity, required, gross = (summed(held, part, len(ids)) for part in worths)
        found = equity + still, required, gross + np.abs(still)
        rows = self._pools.weighed[ids]
        weighed = rows > 0
        if weighed.any():
            row = rows[weighed]
            assets = [_by_asset(held, weighed, part) for part in worths]
            still, rate = self._still[row], self._board.rate(self._code[row].ravel(), (self._still[row] < 0).ravel()).reshape(-1, ASSETS)
            own = _weighed(assets[0] + still, self._weight[row]) * rate, assets[1] * rate, (assets[2] + np.abs(still)) * np.abs(rate)
            for total, part in zip(found, own, strict=True):
                total[weighed] = part.sum(axis=1)
        return found

    def within(self, held: Held, ids: Ints, reach: Floats) -> tuple[Range, Range]:
        """(equity, requirement) of pools: the least and the most while every price moves by a share of up to `reach` of it."""
        bounds = between(held, self._board, reach[held.of])
        still = self._pools.still[ids]
        equity, required = (Range(*(summed(held, part, len(ids)) for part in bound)) for bound in bounds)
        equity = Range(equity.least + still, equity.most + still)
        rows = self._pools.weighed[ids]
        weighed = rows > 0
        if weighed.any():
            row = rows[weighed]
            rates = self._board.rates(self._code[row].ravel(), np.repeat(reach[weighed], ASSETS))
            less, more = (rate.reshape(-1, ASSETS) for rate in rates)
            for total, bound, good in ((equity.least, bounds[0].least, False), (equity.most, bounds[0].most, True)):
                worth = _weighed(_by_asset(held, weighed, bound) + self._still[row], self._weight[row])
                total[weighed] = (worth * np.where((worth > 0) == good, more, less)).sum(axis=1)
            required.least[weighed] = (_by_asset(held, weighed, bounds[1].least) * less).sum(axis=1)
            required.most[weighed] = (_by_asset(held, weighed, bounds[1].most) * more).sum(axis=1)
        return equity, required


def _by_asset(held: Held, weighed: Bools, values: Floats) -> Floats:
    """A row of sums per weighted pool."""
    keep = np.flatnonzero(weighed[held.of])
    cell = (np.cumsum(weighed) - 1)[held.of[keep]] * ASSETS + held.part[keep]
    found: Floats = np.bincount(cell, values[keep], ASSETS * int(weighed.sum())).astype(np.float64).reshape(-1, ASSETS)
    return found


def _weighed(worth: Floats, weight: Floats) -> Floats:
    found: Floats = np.where(worth > 0, worth * weight, worth)
    return found


__all__ = ["ASSETS", "Asset", "Totals"]
