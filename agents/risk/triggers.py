"""Safe zones: each position's share of its pool's spare as two prices; a tick looks at bounds, then at who crossed, or sweeps the slice."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from agents.risk.bands import Bands, Weights, bands_of, cost_of, required_of, slope_of
from agents.risk.board import FIELDS, Board, Bools, Held, summed, worth
from agents.risk.lines import Zone
from agents.risk.slots import BLOCK, Floats, Ints, Pools, Positions, Slots
from agents.risk.switch import Switch
from agents.risk.totals import Totals

ERROR = 1e-9  # of an account's gross: what a float may be wrong by
_TRIES = 6
_QUIET = {"divide": "ignore", "invalid": "ignore", "over": "ignore"}


class Settled(NamedTuple):
    """Per pool that was asked for: whether its rung may have moved, equity, requirement."""

    moved: Bools
    equity: Floats
    required: Floats


class Triggers:
    """Lanes: two a channel, positions of pools that are lines (2 x channel) and of those that are boxed (one more).

    Boxed are pools in which a conversion multiplies a price or a requirement jumps: their spare is bounded by intervals.
    """

    def __init__(self, positions: Positions, pools: Pools, board: Board) -> None:
        self._positions, self._pools, self._board = positions, pools, board
        self._zones: dict[Zone, int] = {}
        self._rows = np.zeros((16, 6))
        self.zone(Zone((0.0, 0.0, -np.inf)))  # pool 0
        self._top, self._bottom = np.full(64, -np.inf), np.full(64, np.inf)
        self._lanes: dict[int, list[int]] = {}  # by instrument
        self._known: set[int] = set()
        self._holders: dict[int, int] = {}  # by account with several pools outside normal: the one that surely holds it there
        self.totals = Totals(pools, board)
        self.switch = Switch()

    def zone(self, zone: Zone) -> int:
        """The number of a zone."""
        found = self._zones.get(zone)
        if found is None:
            found = self._zones[zone] = len(self._zones)
            if found == len(self._rows):
                self._rows = np.concatenate([self._rows, self._rows])
            (a, b, c), (d, e, f) = zone
            self._rows[found] = a, b, c, d, e, f
        return found

    def renew(self, slots: Ints | Slots, pools: Ints) -> None:
        """New positions of pools, not dealt yet: the next tick of any of them looks at its pool."""
        positions = self._positions
        self._pools.up[pools] = -np.inf
        positions.low[slots] = np.inf
        positions.blocks.top[slots // BLOCK] = np.inf
        self._top[positions.lane_of(slots)] = np.inf

    def ticked(self, number: int) -> list[Ints]:
        """Pools to be looked at since the prices of this instrument are new."""
        found = []
        for lane in self._lanes.get(number, ()):
            price, swept = self._board.price[lane // 2], lane in self.switch.swept
            if not swept:
                self.switch.ticks[lane] += 1
                if self._top[lane] < price < self._bottom[lane]:
                    continue
            with np.errstate(**_QUIET):  # type: ignore[arg-type]
                pools = self._sweep(lane) if swept else self._crossed(lane, price)
                if len(pools):
                    found.append(pools)
                if swept and self.switch.over(lane):
                    self._deal_lane(lane)
        return found

    def lane(self, channel: int, *, boxed: bool) -> int:
        """The number of a lane; it is known from here on."""
        lane, number = 2 * channel + boxed, channel // FIELDS
        if lane not in self._known:
            self._known.add(lane)
            self._lanes.setdefault(number, []).append(lane)
        if lane >= len(self._top):
            more = 2 * lane - len(self._top) + 2
            self._top, self._bottom = np.append(self._top, np.full(more, -np.inf)), np.append(self._bottom, np.full(more, np.inf))
        return lane

    def lanes_of(self, number: int) -> list[int]:
        """Those of an instrument."""
        return self._lanes.get(number, [])

    def _crossed(self, lane: int, price: float) -> Ints:
        """Pools whose trigger is met; the bounds of the blocks that were looked at are drawn anew."""
        positions, bounds = self._positions, self._positions.blocks
        blocks = positions.blocks_of(lane)
        near = blocks[~((bounds.top[blocks] < price) & (bounds.bottom[blocks] > price))]
        low, high = positions.low.reshape(-1, BLOCK)[near], positions.high.reshape(-1, BLOCK)[near]
        bounds.top[near], bounds.bottom[near] = low.max(axis=1), high.min(axis=1)
        self._top[lane], self._bottom[lane] = bounds.top[blocks].max(initial=-np.inf), bounds.bottom[blocks].min(initial=np.inf)
        at, place = np.nonzero(~((low < price) & (high > price)))
        pools = positions.pool[near[at] * BLOCK + place]
        pools = pools[pools > 0]
        if len(pools) and lane % 2 == 0 and self.switch.dearer(lane, len(pools), len(blocks) * BLOCK):
            self._undeal_lane(lane)
            return self._sweep(lane)
        found: Ints = pools.astype(np.int64)
        return found

    # ---- one lane: swept, or dealt triggers again

    def _lane(self, lane: int, price: Floats | float) -> tuple[Held, Weights]:
        """A whole lane of lines at a price."""
        blocks = self._positions.blocks_of(lane)
        slot = (blocks[:, None] * BLOCK + np.arange(BLOCK)).ravel()
        columns = (self._positions.pool, self._positions.size, self._positions.margin, self._positions.share)
        pool, size, margin, share = (column.reshape(-1, BLOCK)[blocks].ravel() for column in columns)
        none = np.zeros(0, np.int32)
        channel = np.full(len(slot), lane // 2)
        at = np.full(len(slot), price) if isinstance(price, float) else price
        held = Held(pool.astype(np.int64), slot, channel, size, size, margin, share, none, none, none, at)  # type: ignore[arg-type]
        return held, self._weights(pool.astype(np.int64))

    def _sweep(self, lane: int) -> Ints:
        """Moves what the pools have left by what the whole slice gained and what it takes; those with nothing left."""
        positions, pools, board = self._positions, self._pools, self._board
        blocks, price = positions.blocks_of(lane), float(board.price[lane // 2])
        pool = positions.pool.reshape(-1, BLOCK)[blocks].ravel()
        size, ref, margin = (column.reshape(-1, BLOCK)[blocks].ravel() for column in (positions.size, positions.ref, positions.margin))
        zone = pools.zone[pool]
        gained = size * (price - ref)
        width = np.abs(size)
        took = board.required_alike(lane // 2, width * abs(price)) - board.required_alike(lane // 2, width * np.abs(ref))
        took *= np.isnan(margin)
        if board.shared[lane // 2]:
            took += positions.share.reshape(-1, BLOCK)[blocks].ravel() * width * (abs(price) - np.abs(ref))
        rows = self._rows
        np.add.at(pools.up, pool, rows[zone, 0] * gained - rows[zone, 1] * took)
        some = np.flatnonzero(np.isfinite(rows[zone, 5]))
        if len(some):
            at, of = zone[some], pool[some]
            np.add.at(pools.down, of, rows[at, 4] * took[some] - rows[at, 3] * gained[some])
        pools.up[0] = pools.down[0] = np.inf
        positions.ref.reshape(-1, BLOCK)[blocks] = price
        gone = ~(pools.up[pool] > 0)
        gone[some] |= ~(pools.down[pool[some]] > 0)
        return np.unique(pool[gone]).astype(np.int64)

    def _undeal_lane(self, lane: int) -> None:
        """Gives what the lane's triggers held back to the pools, at the prices they were dealt at."""
        positions, pools = self._positions, self._pools
        blocks = positions.blocks_of(lane)
        ref, low, high = (column.reshape(-1, BLOCK)[blocks].ravel() for column in (positions.ref, positions.low, positions.high))
        held, weights = self._lane(lane, ref)
        bands = cost_of(held, self._board, weights, (low, high))
        dealt = low < np.inf
        np.add.at(pools.up, held.of, np.where(dealt, bands.up, 0.0))
        np.add.at(pools.down, held.of, np.where(dealt, bands.down, 0.0))
        self._clear(blocks, lane)

    def _clear(self, blocks: Ints, lane: int) -> None:
        positions = self._positions
        positions.low.reshape(-1, BLOCK)[blocks], positions.high.reshape(-1, BLOCK)[blocks] = -np.inf, np.inf
        positions.blocks.top[blocks], positions.blocks.bottom[blocks] = -np.inf, np.inf
        self._top[lane], self._bottom[lane] = -np.inf, np.inf

    def _deal_lane(self, lane: int) -> None:
        """Ends the sweep: half of what each pool has left is dealt to its positions here."""
        pools = self._pools
        held, weights = self._lane(lane, float(self._board.price[lane // 2]))
        slope = slope_of(held, weights, required_of(held, self._board))
        total = np.zeros(pools.room)
        np.add.at(total, held.of, slope)
        left = 0.5 / np.where(slope > 0, total[held.of], np.inf)
        bands = bands_of(held, self._board, weights, (pools.up[held.of] * left, pools.down[held.of] * left))
        np.subtract.at(pools.up, held.of, bands.up)
        np.subtract.at(pools.down, held.of, bands.down)
        pools.up[0] = pools.down[0] = np.inf
        self._write(held, bands)

    # ---- some pools

    @np.errstate(**_QUIET)  # type: ignore[arg-type]
    def settle(self, ids: Ints) -> Settled:
        """Values pools at the prices as they are and deals their spare out; those with none are looked at with every tick."""
        pools = self._pools
        held = Held.gather(self._positions, self._board, pools.members(ids))
        zones = self._weights(ids)
        worths = worth(held, self._board)
        equity, required, gross = self.totals.now(held, ids, worths)
        error = ERROR * gross * np.maximum(np.maximum(zones.a, zones.b), 1.0)
        up = zones.a * equity - zones.b * required - zones.c - error
        down = zones.e * required - zones.d * equity + zones.f - error
        boxed = pools.boxed[ids]
        if boxed.any():
            self._deal_boxed(held.some(boxed), ids[boxed], (error[boxed], gross[boxed]), (boxed, up, down))
        if pools.several[ids].any():
            self._held(ids, down)
        moved = ~((up > 0) & (down > 0))
        lines = ~moved & ~boxed
        if lines.any():
            kept = lines[held.of]
            self._deal(held.some(lines), worths[1][kept], (lines, up, down), self._weights(ids[lines]))
        pools.up[ids], pools.down[ids] = up, down
        if moved.any():
            hot = held.some(moved)
            nothing = np.zeros(len(hot.slot))
            self._write(hot, Bands(np.where(self._swept(hot), -np.inf, np.inf), nothing + np.inf, nothing, nothing))
        return Settled(moved, equity, required)

    def _held(self, ids: Ints, down: Floats) -> None:
        """An account stays on its rung while one of its pools does: the others are asked whether they fall only once that one has."""
        at = np.flatnonzero(self._pools.several[ids])
        pools, accounts, stays = ids[at].tolist(), self._pools.account[ids[at]].tolist(), down[at] > 0
        left = {pool for pool, still in zip(pools, stays.tolist(), strict=True) if not still}
        lost = {account for account in accounts if self._holders.get(account) in left}
        for account in lost:
            del self._holders[account]
        for n in np.flatnonzero(stays).tolist():
            self._holders.setdefault(accounts[n], pools[n])
        held = [self._holders.get(account, pool) != pool for account, pool in zip(accounts, pools, strict=True)]
        down[at[held]] = np.inf
        for account in lost - self._holders.keys():
            others = np.setdiff1d(np.flatnonzero(self._pools.account == account), ids)
            self.renew(self._pools.members(others)[1], others)

    def forget(self, account: int) -> None:
        """Its pools are gone."""
        self._holders.pop(account, None)

    def _weights(self, pools: Ints) -> Weights:
        return Weights(*self._rows[self._pools.zone[pools]].T)

    def _swept(self, held: Held) -> Bools:
        if not self.switch.swept:
            return np.zeros(len(held.slot), np.bool_)
        return np.isin(self._positions.lane_of(held.slot), list(self.switch.swept))

    def _deal(self, held: Held, required: Floats, left: tuple[Bools, Floats, Floats], zones: Weights) -> None:
        """Spare in proportion to what each position's price can do, halved where tiers rise on the way; `left` is lessened in place."""
        chosen, up, down = left
        count = int(chosen.sum())
        weights = Weights(*(column[held.of] for column in zones))
        total = summed(held, slope_of(held, weights, required), count)
        reach_up, reach_down = (0.99 * spare[chosen] / total for spare in (up, down))
        swept = self._swept(held)
        for n in range(_TRIES):
            bands = bands_of(held, self._board, weights, (reach_up[held.of], reach_down[held.of]))
            bands = bands if not swept.any() else _without(bands, swept)
            left_up, left_down = up[chosen] - summed(held, bands.up, count), down[chosen] - summed(held, bands.down, count)
            bad = ~((left_up > 0) & (left_down > 0))
            if not bad.any():
                break
            reach_up[bad], reach_down[bad] = (reach * (0.5 if n < _TRIES - 2 else 0.0) for reach in (reach_up[bad], reach_down[bad]))
        up[chosen], down[chosen] = left_up, left_down
        self._write(held, bands)

    def _deal_boxed(self, held: Held, ids: Ints, sizes: tuple[Floats, Floats], left: tuple[Bools, Floats, Floats]) -> None:
        """Widest of some boxes, every price within a share of where it is, in which neither bound of the spare is used up."""
        (error, gross), (chosen, up, down) = sizes, left
        zones = self._weights(ids)
        up[chosen], down[chosen] = self._boxed_left(held, ids, zones, np.zeros(len(ids)))
        up[chosen] -= error
        down[chosen] -= error
        slope = gross * np.maximum(np.maximum(zones.a, zones.d), np.maximum(zones.b, zones.e))
        reach = np.clip(np.minimum(up[chosen], down[chosen]) / slope, 0.0, 0.5)
        for n in range(_TRIES):
            least = self._boxed_left(held, ids, zones, reach)
            bad = ~((least[0] > 2 * error) & (least[1] > 2 * error))
            if not bad.any():
                break
            reach[bad] *= 0.5 if n < _TRIES - 2 else 0.0
        width = np.abs(held.price) * reach[held.of]
        self._write(held, Bands(held.price - width, held.price + width, width, width))

    def _boxed_left(self, held: Held, ids: Ints, zones: Weights, reach: Floats) -> tuple[Floats, Floats]:
        """The least spare (up, down) of boxed pools while prices stay within `reach`."""
        equity, required = self.totals.within(held, ids, reach)
        return zones.a * equity.least - zones.b * required.most - zones.c, zones.e * required.least - zones.d * equity.most + zones.f

    def _write(self, held: Held, bands: Bands) -> None:
        positions, bounds = self._positions, self._positions.blocks
        positions.low[held.slot], positions.high[held.slot], positions.ref[held.slot] = bands.low, bands.high, held.price
        block, lane = held.slot // BLOCK, positions.lane_of(held.slot)
        np.maximum.at(bounds.top, block, bands.low)
        np.minimum.at(bounds.bottom, block, bands.high)
        np.maximum.at(self._top, lane, bands.low)
        np.minimum.at(self._bottom, lane, bands.high)


def _without(bands: Bands, swept: Bools) -> Bands:
    """Positions that are swept have no triggers."""
    low, high, up, down = (np.where(swept, nothing, part) for nothing, part in zip((-np.inf, np.inf, 0.0, 0.0), bands, strict=True))
    return Bands(low, high, up, down)
