"""The screen: positions of a worker as flat float64 arrays; it says whose rung may have moved, and errs to saying too much."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from decimal import Decimal

import msgspec
import numpy as np

from agents.risk.account_lines import lines_of
from agents.risk.board import FIELDS, Board, Held, worth
from agents.risk.effective import Effective
from agents.risk.lines import ASK, BID, MARK, AccountLines, Conversion, PositionLine
from agents.risk.reach import changed, instruments_of, rests_on
from agents.risk.rules import Rules
from agents.risk.slots import BLOCK, Floats, Ints, Pools, Positions, Slots
from agents.risk.totals import Asset
from agents.risk.triggers import ERROR, Triggers
from agents.risk.world import Mark
from tables.rows import NORMAL, Account, User

_FALLBACK_LEVERAGE = Decimal(100)
_SETTLED_AT_ONCE = 20_000  # pools: what is laid side by side stays some megabytes
_DEALT_AT_ONCE = 64  # new pools: until a price of theirs comes they wait for company
_POSITION = ("pool", "size", "cost", "margin", "share", "into", "margin_into", "part")
_POOL = ("account", "zone", "still", "boxed", "several")
Name = tuple[str, str]
Touched = list[tuple[str, str, float]]


class Place(msgspec.Struct, frozen=True, gc=False):
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
        self._rules = Effective(Rules(), 0)
        self._unpriced: list[str] = []
        self._lanes: dict[tuple[str, int, bool], int] = {}  # by instrument, field and whether boxed
        self._waiting: list[int] = []  # pools that triggers were not dealt to yet
        self._new_positions: list[tuple[float, ...]] = []  # taken and not written yet, as `_POSITION` and `_POOL` say
        self._new_pools: list[tuple[float, ...]] = []
        self.board, self.positions, self.pools = Board(), Positions(), Pools()
        self.triggers = Triggers(self.positions, self.pools, self.board)

    def ruled(self, rules: Rules, now_ms: int) -> None:
        """Takes the rules that hold now and lays out again whoever they touch."""
        before, self._rules = self._rules, Effective(rules, now_ms)
        ids = changed(before.rules, before.now_ms, rules, now_ms)
        names = instruments_of(ids)
        for name in names & self.board.numbers.keys():
            self.board.ruled(name, self._rules.instrument(name))
        users = {user for user, _ in self.holders(names)} if before.rules.pairs == rules.pairs else set(self._rows)
        users |= self._resting_on(ids) if len(ids) > len(names) else set()
        self.put_all({user: self._rows[user][0] for user in users})

    def _resting_on(self, ids: Set[str]) -> set[str]:
        return {user for user, (row, _) in self._rows.items() if any(rests_on(row, found, ids) for found in row.accounts.values())}

    def put(self, user: str, row: User) -> None:
        """Replaces what is held of a user."""
        self.put_all({user: row})

    def put_all(self, rows: Mapping[str, User]) -> None:
        """Replaces what is held of these users: what is new is laid side by side."""
        for user, row in rows.items():
            self.drop(user)
            self._rows[user] = row, tuple([self._read(user, row, account) for account in row.accounts.values()])
        if self._new_pools:
            slots = self.positions.write(_POSITION, self._new_positions)
            self.triggers.renew(slots, self.pools.write(_POOL, self._new_pools))
            self._new_positions.clear()
            self._new_pools.clear()

    def _read(self, user: str, row: User, account: Account) -> Place:
        own, rules = row.profile, self._rules
        leverage = own.leverage or rules.group(own.group).leverage or (_FALLBACK_LEVERAGE if account.model == "mt5" else None)
        lines = lines_of(account, rules, (rules.zone(own.group, account), leverage))
        return self._place((user, account.account_id), lines, account.margin.rung)

    def drop(self, user: str) -> None:
        """Forgets a user; nothing where it is not held."""
        _, places = self._rows.pop(user, (None, ()))
        for place in places:
            for name in place.watched:
                self._beside[name].discard(place)
            for pool in place.pools:
                if self.pools.weighed[pool]:
                    self.triggers.totals.free(int(self.pools.weighed[pool]))
                self.positions.free(self.pools.free(pool))
            if place.number >= 0:
                self.triggers.forget(place.number)
                self._spare.append(place.number)

    def holders(self, instruments: Iterable[str]) -> list[Name]:
        """Every account that holds one of the instruments, or may convert through it."""
        names = self.board.with_products(instruments)
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
        for name in self.board.with_products(instruments):
            beside, number = self._beside.get(name), self.board.numbers.get(name)
            if beside:
                found += [(*place.name, float("inf")) for place in beside if place.always]
            if number is not None:
                self.board.priced(name, marks)
                crossed.append(number)
        suspects = [pools for number in crossed for pools in self.triggers.ticked(number)]
        if suspects or len(self._waiting) >= _DEALT_AT_ONCE:
            found += self._settle(suspects)
        return sorted(set(found), key=lambda item: (-item[2], item[0], item[1])) if found else []

    def portfolio(self, users: Set[str], marks: Mapping[str, Mark]) -> dict[Name, tuple[float, float]]:
        """(equity, requirement) per account of these users, in one pass, for people; accounts that no float stands for are left out."""
        self._price_new(marks)
        for name in self.board.numbers:
            self.board.priced(name, marks)
        places = [place for user in users for place in self._rows.get(user, (None, ()))[1] if place.pools]
        ids = np.array([pool for place in places for pool in place.pools], np.int64)
        held = Held.gather(self.positions, self.board, self.pools.members(ids))
        with np.errstate(invalid="ignore", divide="ignore"):
            equity, required, _ = self.triggers.totals.now(held, ids, worth(held, self.board))
        account = self.pools.account[ids]
        sums: dict[Name, tuple[float, float]] = {}
        for at, worth_now, taken in zip(account.tolist(), equity.tolist(), required.tolist(), strict=True):
            known = sums.get(self._names[at], (0.0, 0.0))
            sums[self._names[at]] = known[0] + worth_now, known[1] + taken
        return sums

    # ---- an account into the columns

    def _place(self, name: Name, lines: AccountLines, rung: int) -> Place:
        if lines.always or not lines.positions:
            place = Place(name, watched=lines.watched, always=lines.always)
            for watched in lines.watched:
                self._beside[watched].add(place)
            return place
        number, zone = self._number_of(name), self.triggers.zone(lines.zone)
        boxed = self._is_boxed(lines)
        every = [*lines.positions, *self._watching(lines, boxed=boxed)]
        pools = []
        for at, still in enumerate(lines.pools):
            held = every if len(lines.pools) == 1 else [line for line in every if line.pool == at]
            pool = self._pool(held, boxed=boxed)
            self._new_pools.append((pool, number, zone, still, boxed, rung != NORMAL and len(lines.pools) > 1))
            pools.append(pool)
        if lines.parts:
            assets = [Asset(part.still, part.weight, self._code(part.conversion)) for part in lines.parts]
            self.pools.weighed[pools[0]] = self.triggers.totals.take(assets)
        return Place(name, number, tuple(pools))

    def _watching(self, lines: AccountLines, *, boxed: bool) -> list[PositionLine]:
        """Lines of nothing, on every price that moves a conversion but no position."""
        names = {line.instrument for line in lines.positions}
        if not boxed and len(lines.watched) <= len(names):
            return []
        used, held = {part.conversion.instrument for part in lines.parts}, set()
        for line in lines.positions:
            used |= {line.conversion.instrument, line.margin_conversion.instrument}
            held.add((line.instrument, line.field))
        used |= lines.watched - names
        missing = {(name, field) for name in used - {""} for field in ((BID, ASK) if boxed else (MARK,))} - held
        return [PositionLine(0, name, field, 0.0, 0.0, margin=0.0) for name, field in sorted(missing)]

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
        if lines.parts:
            return True
        for line in lines.positions:
            if line.conversion.kind or line.margin_conversion.kind or line.share > floor:
                return True
            channel = self._channel(line)  # may lay larger arrays: before any of them is looked at
            if line.margin is None and line.share + self.board.steep[channel] > floor:
                return True
        return False

    def _pool(self, lines: Sequence[PositionLine], *, boxed: bool) -> int:
        lanes = [self._lane(line, boxed=boxed) for line in lines]
        slots = self.positions.take(lanes)
        pool = self.pools.take(slots)
        for slot, lane, line in zip(slots, lanes, lines, strict=True):
            margin = math.nan if line.margin is None else line.margin
            codes = self._code(line.conversion), self._code(line.margin_conversion)
            self._new_positions.append((slot, pool, line.size, line.cost, margin, line.share, *codes, line.part))
            if line.share:
                self.board.shared[lane // 2] = True
        self._waiting.append(pool)
        return pool

    def _lane(self, line: PositionLine, *, boxed: bool) -> int:
        asked = line.instrument, line.field, boxed
        found = self._lanes.get(asked)
        if found is None:
            found = self._lanes[asked] = self.triggers.lane(self._channel(line), boxed=boxed)
        return found

    def _channel(self, line: PositionLine) -> int:
        found = self.board.numbers.get(line.instrument)
        return (self._number(line.instrument) if found is None else found) * FIELDS + line.field

    def _code(self, conversion: Conversion) -> int:
        return conversion.kind * (self._number(conversion.instrument) + 1) if conversion.kind else 0

    def _number(self, name: str) -> int:
        found, is_new = self.board.number(name)
        if is_new:
            self._unpriced.append(name)
            self.board.ruled(name, self._rules.instrument(name))
            if name in self._rules.routes.products:
                self.board.multiplied(name, self._rules.routes.products[name])
        return found

    # ---- prices

    def _price_new(self, marks: Mapping[str, Mark]) -> None:
        for name in self._unpriced:
            self.board.priced(name, marks)
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
