"""The screen: positions of a worker as flat float64 arrays; it says whose rung may have moved, and errs to saying too much."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from decimal import Decimal
from typing import NamedTuple

import numpy as np

from agents.risk.account_lines import lines_of
from agents.risk.board import FIELDS, Board, Held, summed, worth
from agents.risk.lines import ASK, BID, MARK, AccountLines, Conversion, PositionLine
from agents.risk.reach import changed, instruments_of, rests_on
from agents.risk.rules import Rules, default_thresholds
from agents.risk.slots import BLOCK, Floats, Ints, Pools, Positions, Slots
from agents.risk.triggers import ERROR, Triggers
from agents.risk.world import Mark
from tables.rows import User

_FALLBACK_LEVERAGE = Decimal(100)
_SETTLED_AT_ONCE = 20_000  # pools: what is laid side by side stays some megabytes
_DEALT_AT_ONCE = 64  # new pools: until a price of theirs comes they wait for company
Name = tuple[str, str]
Touched = list[tuple[str, str, float]]


class Place(NamedTuple):
    """Where an account is: its number and pools; or, where it has no pools, the instruments that it is watched for."""

    name: Name
    number: int = -1
    pools: tuple[int, ...] = ()
    watched: frozenset[str] = frozenset()
    always: bool = False


class Columns:
    """Rows in (`put`, `drop`), prices in (`touched`); without rules every holder is reported. Slots of dropped rows are used again."""

    def __init__(self) -> None:
        self._rows: dict[str, tuple[User, tuple[Place, ...]]] = {}
        self._beside: defaultdict[str, set[Place]] = defaultdict(set)  # by instrument: accounts without lines
        self._names: list[Name] = []
        self._spare: list[int] = []
        self._rules, self._now_ms = Rules(), 0
        self._unpriced: list[str] = []
        self._waiting: list[int] = []  # pools that triggers were not dealt to yet
        self.board, self.positions, self.pools = Board(), Positions(), Pools()
        self.triggers = Triggers(self.positions, self.pools, self.board)

    def ruled(self, rules: Rules, now_ms: int) -> None:
        """Takes the rules that hold now and lays out again whoever they touch."""
        before, before_ms, self._rules, self._now_ms = self._rules, self._now_ms, rules, now_ms
        ids = changed(before, before_ms, rules, now_ms)
        names = instruments_of(ids)
        for name in names & self.board.numbers.keys():
            self.board.ruled(name, rules.instrument(name, now_ms))
        users = {user for user, _ in self.holders(names)} if before.pairs == rules.pairs else set(self._rows)
        if ids - {f"instrument:{name}" for name in names}:
            users |= {user for user, (row, _) in self._rows.items() if any(rests_on(row, found, ids) for found in row.accounts.values())}
        for user in users:
            self.put(user, self._rows[user][0])

    def put(self, user: str, row: User) -> None:
        """Replaces what is held of a user."""
        self.drop(user)
        group, now = self._rules.group(row.profile.group, self._now_ms), self._now_ms
        places = []
        for account in row.accounts.values():
            thresholds = group.thresholds_of(account.model)
            if account.auto_reduce:  # the plan acts at another threshold: look always, it is an opt-in of few
                thresholds = default_thresholds("")
            leverage = row.profile.leverage or group.leverage or (_FALLBACK_LEVERAGE if account.model == "mt5" else None)
            lines = lines_of(account, self._rules, now, (thresholds, leverage))
            places.append(self._place((user, account.account_id), lines._replace(always=True) if account.auto_reduce else lines))
        self._rows[user] = row, tuple(places)

    def drop(self, user: str) -> None:
        """Forgets a user; nothing where it is not held."""
        _, places = self._rows.pop(user, (None, ()))
        for place in places:
            for name in place.watched:
                self._beside[name].discard(place)
            for pool in place.pools:
                self.positions.free(self.pools.free(pool))
            if place.number >= 0:
                self._spare.append(place.number)

    def holders(self, instruments: Iterable[str]) -> list[Name]:
        """Every account that holds one of the instruments, or may convert through it."""
        names = list(instruments)
        found = {place.name for name in names for place in self._beside.get(name, ())}
        for number in (self.board.numbers[name] for name in names if name in self.board.numbers):
            for lane in self.triggers.lanes_of(number):
                pools = np.unique(self.positions.pool.reshape(-1, BLOCK)
                                  [self.positions.blocks_of(lane)])
                found |= {self._names[at] for at in self.pools.account[pools].tolist() if at >= 0}
        return sorted(found)

    def touched(self, instruments: Iterable[str], marks: Mapping[str, Mark]) -> Touched:
        """(user, account, badness) whose rung may have moved with these instruments, worst first; badness is requirement over equity."""
        self._price_new(marks)
        found: Touched = []
        crossed = []
        for name in instruments:
            beside = self._beside.get(name)
            if beside:
                found += [(*place.name, float("inf")) for place in beside if place.always]
            number = self.board.numbers.get(name)
            if number is not None:
                self.board.priced(name, marks.get(name))
                crossed.append(number)
        suspects = [pools for number in crossed for pools in self.triggers.ticked(number)]
        if suspects or len(self._waiting) >= _DEALT_AT_ONCE:
            found += self._settle(suspects)
        return sorted(set(found), key=lambda item: (-item[2], item[0], item[1])) if found else []

    def portfolio(self, users: Set[str], marks: Mapping[str, Mark]) -> dict[Name, tuple[float, float]]:
        """(equity, requirement) per account of these users, in one pass, for people; accounts that no float stands for are left out."""
        self._price_new(marks)
        for name in self.board.numbers:
            self.board.priced(name, marks.get(name))
        places = [place for user in users for place in self._rows.get(user, (None, ()))[1] if place.pools]
        ids = np.array([pool for place in places for pool in place.pools], np.int64)
        held = Held.gather(self.positions, self.board, self.pools.members(ids))
        with np.errstate(invalid="ignore", divide="ignore"):
            equity, required, _ = (summed(held, part, len(ids)) for part in worth(held, self.board))
        equity += self.pools.still[ids]
        account = self.pools.account[ids]
        sums: dict[Name, tuple[float, float]] = {}
        for at, worth_now, taken in zip(account.tolist(), equity.tolist(), required.tolist(), strict=True):
            known = sums.get(self._names[at], (0.0, 0.0))
            sums[self._names[at]] = known[0] + worth_now, known[1] + taken
        return sums

    # ---- an account into the columns

    def _place(self, name: Name, lines: AccountLines) -> Place:
        if lines.always or not lines.positions:
            place = Place(name, watched=lines.watched, always=lines.always)
            for watched in lines.watched:
                self._beside[watched].add(place)
            return place
        number = self._number_of(name)
        boxed = self._is_boxed(lines)
        own = lines.watched - {line.instrument for line in lines.positions}
        fields = (BID, ASK) if boxed else (MARK,)
        every = [*lines.positions, *(PositionLine(0, watched, field, 0.0, 0.0, margin=0.0) for watched in own for field in fields)]
        pools = []
        for at, still in enumerate(lines.pools):
            held = every if len(lines.pools) == 1 else [line for line in every if line.pool == at]
            pools.append(self._pool(number, held, boxed=boxed))
            self.pools.still[pools[-1]], self.pools.zone[pools[-1]] = still, self.triggers.zone(lines.zone)
        return Place(name, number, tuple(pools))

    def _number_of(self, name: Name) -> int:
        if not self._spare:
            self._names.append(name)
            return len(self._names) - 1
        number = self._spare.pop()
        self._names[number] = name
        return number

    def _is_boxed(self, lines: AccountLines) -> bool:
        """Whether conversions, flat tiers or steep rates make this more than lines that fall one way."""
        floor = min(up[0] / up[1] if up[1] else 1.0 for up in (lines.zone.up, lines.zone.down) if up[0])
        for line in lines.positions:
            if line.conversion.kind or line.margin_conversion.kind or line.share > floor:
                return True
            channel = self._channel(line)  # may lay larger arrays: before any of them is looked at
            if line.margin is None and line.share + self.board.steep[channel] > floor:
                return True
        return False

    def _pool(self, number: int, lines: Sequence[PositionLine], *, boxed: bool) -> int:
        positions = self.positions
        slots = [positions.take(self.triggers.lane(self._channel(line), boxed=boxed)) for line in lines]
        pool = self.pools.take(slots)
        for slot, line in zip(slots, lines, strict=True):
            positions.pool[slot], positions.size[slot], positions.cost[slot] = pool, line.size, line.cost
            positions.margin[slot], positions.share[slot] = math.nan if line.margin is None else line.margin, line.share
            positions.into[slot], positions.margin_into[slot] = self._code(line.conversion), self._code(line.margin_conversion)
            if line.share:
                self.board.shared[self._channel(line)] = True
        self.pools.account[pool], self.pools.boxed[pool] = number, boxed
        self.triggers.renew(slots, pool)
        self._waiting.append(pool)
        return pool

    def _channel(self, line: PositionLine) -> int:
        return self._number(line.instrument) * FIELDS + line.field

    def _code(self, conversion: Conversion) -> int:
        return conversion.kind * (self._number(conversion.instrument) + 1) if conversion.kind else 0

    def _number(self, name: str) -> int:
        found, is_new = self.board.number(name)
        if is_new:
            self._unpriced.append(name)
            self.board.ruled(name, self._rules.instrument(name, self._now_ms))
        return found

    # ---- prices

    def _price_new(self, marks: Mapping[str, Mark]) -> None:
        for name in self._unpriced:
            self.board.priced(name, marks.get(name))
        self._unpriced.clear()

    def _settle(self, suspects: list[Ints]) -> Touched:
        """Values whoever crossed a trigger, and who is new beside them; says which of the former may have moved."""
        asked = np.unique(np.concatenate(suspects)) if suspects else np.zeros(0, np.int64)
        waiting = np.array(self._waiting, np.int64)
        self._waiting.clear()
        ids = np.union1d(asked, waiting[self.pools.count[waiting] > 0])
        found: Touched = []
        for at in range(0, len(ids), _SETTLED_AT_ONCE):
            some = ids[at : at + _SETTLED_AT_ONCE]
            settled = self.triggers.settle(some)
            moved = np.flatnonzero(settled.moved & np.isin(some, asked))
            found += self._named(self.pools.account[some[moved]], settled.equity[moved], settled.required[moved])
        return found

    def _named(self, accounts: Slots, equity: Floats, required: Floats) -> Touched:
        figures = zip(accounts.tolist(), equity.tolist(), required.tolist(), strict=True)
        return [(*self._names[account], taken / worth_now if worth_now > 0 else float("inf")) for account, worth_now, taken in figures]


__all__ = ["ERROR", "Columns", "Place"]
