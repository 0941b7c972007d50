"""The screen: positions of a worker as flat float64 arrays; it says whose rung may have moved, and errs to saying too much."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Set
from decimal import Decimal
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from agents.risk.lines import ASK, BID, DIRECT, INVERSE, AccountLines, PositionLine, lines_of
from agents.risk.rules import Rules, default_thresholds
from agents.risk.slots import Slots
from agents.risk.tiers import PROGRESSIVE
from agents.risk.world import Mark
from tables.rows import MARGIN_CALL, User

Floats = npt.NDArray[np.float64]
ERROR = 1e-9  # of an account's gross: what a float may be wrong by
_FALLBACK_LEVERAGE = Decimal(100)
Touched = list[tuple[str, str, float]]


class Swept(NamedTuple):
    """Per pool slot: equity, requirement, gross."""

    equity: Floats
    required: Floats
    gross: Floats


class Columns:
    """Rows in (`put`, `drop`), prices in (`touched`); without rules every holder is reported. Slots of dropped rows are used again."""

    def __init__(self) -> None:
        self._rows: dict[str, User] = {}
        self._keys: dict[str, list[tuple[str, str]]] = {}
        self._lines: dict[tuple[str, str], AccountLines] = {}
        self._held: dict[tuple[str, str], tuple[int, list[int], list[int]]] = {}
        self._watchers: dict[str, set[tuple[str, str]]] = defaultdict(set)
        self._names: dict[int, tuple[str, str]] = {}
        self._rules, self._now_ms = Rules(), 0
        self._instruments: dict[str, int] = {}
        self._seen: list[Mark | None] = []
        self._prices = np.full((16, 3), np.nan)  # instrument x (mark, bid, ask)
        self._tiers: tuple[Floats, Floats, Floats] = (np.zeros((0, 1)), np.zeros((0, 1)), np.zeros((0, 1)))
        self._accounts = Slots(warning=1.0, call=1.0, liquidation=1.0, release=1.0, rung=1.0)
        self._pools = Slots(account=-1.0, wallet=0.0)
        self._positions = Slots(
            pool=-1.0, instrument=0.0, side=0.0, size=0.0, cost=0.0, kind=0.0, over=0.0, margin=0.0, margin_kind=0.0, margin_over=0.0
        )

    def ruled(self, rules: Rules, now_ms: int) -> None:
        """Takes the rules that hold now and lays every row out again."""
        self._rules, self._now_ms = rules, now_ms
        for row in list(self._rows.values()):
            self.put(row.user_id, row)
        self._lay_tiers()

    def put(self, user: str, row: User) -> None:
        """Replaces what is held of a user."""
        self.drop(user)
        self._rows[user] = row
        group = self._rules.group(row.profile.group, self._now_ms)
        for account in row.accounts.values():
            key = (user, account.account_id)
            thresholds = group.thresholds_of(account.model)
            if account.auto_reduce:  # the plan acts at another threshold: look always, it is an opt-in of few
                thresholds = default_thresholds("")
            leverage = row.profile.leverage or group.leverage or (_FALLBACK_LEVERAGE if account.model == "mt5" else None)
            lines = lines_of(row, account, self._rules, self._now_ms, (thresholds, leverage))
            self._lines[key] = lines._replace(always=True) if account.auto_reduce else lines
            self._keys.setdefault(user, []).append(key)
            for name in lines.watched:
                self._watchers[name].add(key)
            if not self._lines[key].always and lines.positions:
                self._add(key, lines)

    def drop(self, user: str) -> None:
        """Forgets a user; nothing where it is not held."""
        self._rows.pop(user, None)
        for key in self._keys.pop(user, ()):
            for name in self._lines.pop(key).watched:
                self._watchers[name].discard(key)
            account, pools, positions = self._held.pop(key, (-1, [], []))
            if account >= 0:
                del self._names[account]
                self._accounts.free([account])
                self._pools.free(pools)
                self._positions.free(positions)

    def holders(self, instruments: Iterable[str]) -> list[tuple[str, str]]:
        """Every account that holds one of the instruments, or may convert through it."""
        return sorted({key for name in instruments for key in self._watchers.get(name, ())})

    def touched(self, instruments: Iterable[str], marks: Mapping[str, Mark]) -> Touched:
        """(user, account, badness) whose rung may have moved with these instruments, worst first; badness is requirement over equity."""
        self._take(marks)
        keys = {key for name in instruments for key in self._watchers.get(name, ())}
        found = [(*key, float("inf")) for key in keys if self._lines[key].always]
        if self._held:
            found += self._crossed(keys)
        return sorted(found, key=lambda item: (-item[2], item[0], item[1]))

    def portfolio(self, users: Set[str], marks: Mapping[str, Mark]) -> dict[tuple[str, str], tuple[float, float]]:
        """(equity, requirement) per account of these users, in one pass, for people; accounts that no float stands for are left out."""
        self._take(marks)
        swept = self._sweep()
        found = {}
        for key, (_, pools, _) in self._held.items():
            if key[0] in users:
                found[key] = float(swept.equity[pools].sum()), float(swept.required[pools].sum())
        return found

    def _add(self, key: tuple[str, str], lines: AccountLines) -> None:
        a, b, c, d = lines.thresholds
        account = self._accounts.take(warning=a, call=b, liquidation=c, release=d, rung=float(lines.rung))
        pools = [self._pools.take(account=float(account), wallet=wallet) for wallet in lines.pools]
        positions = [self._place(pools[line.pool], line) for line in lines.positions]
        self._held[key], self._names[account] = (account, pools, positions), key

    def _place(self, pool: int, line: PositionLine) -> int:
        over, margin_over = (self._index(found.instrument or line.instrument) for found in (line.conversion, line.margin_conversion))
        return self._positions.take(
            pool=float(pool),
            instrument=float(self._index(line.instrument)),
            side=float(line.side),
            size=line.size,
            cost=line.cost,
            kind=float(line.conversion.kind),
            over=float(over),
            margin=np.nan if line.margin is None else line.margin,
            margin_kind=float(line.margin_conversion.kind),
            margin_over=float(margin_over),
        )

    def _index(self, name: str) -> int:
        found = self._instruments.get(name)
        if found is None:
            found = self._instruments[name] = len(self._seen)
            self._seen.append(None)
            if found >= len(self._prices):
                self._prices = np.vstack([self._prices, np.full_like(self._prices, np.nan)])
            self._lay_tiers()
        return found

    def _lay_tiers(self) -> None:
        """Tiers of the known instruments side by side: floor, rate, amount; what a shorter table lacks begins at infinity."""
        tables = [rule.brackets if (rule := self._rules.instrument(name, self._now_ms)) else () for name in self._instruments]
        flat = [
            bool(rule and rule.tier_policy != PROGRESSIVE)
            for rule in (self._rules.instrument(name, self._now_ms) for name in self._instruments)
        ]
        shape = (len(tables), max((len(table) for table in tables), default=0) or 1)
        floors, rates, amounts = np.full(shape, np.inf), np.zeros(shape), np.zeros(shape)
        for at, table in enumerate(tables):
            for n, bracket in enumerate(table):
                floors[at, n], rates[at, n] = float(bracket.floor), float(bracket.rate)
                amounts[at, n] = 0.0 if flat[at] else float(bracket.amount)
        self._tiers = floors, rates, amounts

    def _take(self, marks: Mapping[str, Mark]) -> None:
        for name, at in self._instruments.items():
            mark = marks.get(name)
            if mark is not self._seen[at]:
                self._seen[at] = mark
                self._prices[at] = _three(mark)

    def _crossed(self, keys: Set[tuple[str, str]]) -> Touched:
        swept = self._sweep()
        pools, accounts = self._pools, self._accounts
        of = pools["account"].astype(np.int64)
        live = of >= 0
        high = self._raw(swept, of, 1.0)
        low = self._raw(swept, of, -1.0)
        release = accounts["release"][of]
        kept = live & (swept.required - ERROR * swept.gross > release * (swept.equity + ERROR * swept.gross))
        ratio = np.where(swept.equity > 0, swept.required / np.where(swept.equity > 0, swept.equity, 1.0), np.inf)
        size = len(accounts["rung"])
        worst_high, worst_low, held, badness = (
            _worst(of[live], values[live], size) for values in (high, low, kept.astype(np.float64), ratio)
        )
        lost = _worst(of[live], np.isnan(swept.equity[live] + swept.required[live]).astype(np.float64), size)
        stored = accounts["rung"]
        steady = np.where(stored >= MARGIN_CALL, (worst_high <= stored) & ((held > 0) | (worst_low == stored)), worst_high == stored)
        steady &= (worst_high == worst_low) | (stored >= MARGIN_CALL)
        moved = np.flatnonzero(~steady | (lost > 0))
        return [(*key, float(badness[at])) for at in moved.tolist() if (key := self._names.get(at)) in keys and key is not None]

    def _raw(self, swept: Swept, of: npt.NDArray[np.int64], sign: float) -> Floats:
        """The rung of each pool with the error added (1) or taken away (-1)."""
        error = sign * ERROR * swept.gross
        equity, required, accounts = swept.equity - error, swept.required + error, self._accounts
        rung = np.ones_like(equity)
        for number, name in ((2.0, "warning"), (3.0, "call"), (4.0, "liquidation")):
            rung = np.where(required >= accounts[name][of] * equity, number, rung)
        nothing = swept.required == 0
        return np.where(equity < 0, 4.0, np.where(nothing, 1.0, rung))

    def _sweep(self) -> Swept:
        """Values every position and sums per pool."""
        at = self._positions
        pool, name = at["pool"].astype(np.int64), at["instrument"].astype(np.int64)
        live = pool >= 0
        price = self._prices[name, at["side"].astype(np.int64)]
        worth = at["size"] * price
        gross = worth - at["cost"]
        conversion = self._rate(at["kind"], at["over"].astype(np.int64), gross < 0)
        floors, rates, amounts = self._tiers
        notional = np.abs(worth)
        tier = (
            np.maximum((floors[name] <= notional[:, None] * (1 + 1e-12)).sum(axis=1) - 1, 0)
            if len(floors)
            else np.zeros(len(name), np.int64)
        )
        tiered = notional * rates[name, tier] - amounts[name, tier] if len(floors) else np.zeros(len(name))
        margin = at["margin"] * self._rate(at["margin_kind"], at["margin_over"].astype(np.int64), at["size"] > 0)
        required = np.where(np.isnan(at["margin"]), tiered, margin)
        size = len(self._pools["wallet"])
        sums = [
            np.bincount(pool[live], weights=values[live], minlength=size)
            for values in (gross * conversion, required, (notional + np.abs(at["cost"])) * np.abs(conversion))
        ]
        wallet = self._pools["wallet"]
        return Swept(wallet + sums[0], sums[1].astype(np.float64), np.abs(wallet) + sums[2])

    def _rate(self, kind: Floats, over: npt.NDArray[np.int64], buying: npt.NDArray[np.bool_]) -> Floats:
        bid, ask = self._prices[over, BID], self._prices[over, ASK]
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(kind == DIRECT, np.where(buying, ask, bid), np.where(kind == INVERSE, 1 / np.where(buying, bid, ask), 1.0))


def _three(mark: Mark | None) -> tuple[float, float, float]:
    """(mark, bid, ask) as the law would take them: a missing side is the mark, then the last price."""
    if mark is None:
        return np.nan, np.nan, np.nan
    spare = mark.mark if mark.mark is not None else mark.last
    three = (mark.mark, mark.bid if mark.bid is not None else spare, mark.ask if mark.ask is not None else spare)
    a, b, c = (np.nan if price is None else float(price) for price in three)
    return a, b, c


def _worst(of: npt.NDArray[np.int64], values: Floats, size: int) -> Floats:
    """The largest value per account; 1 where it has no pool."""
    found = np.full(size, -np.inf)
    np.maximum.at(found, of, values)
    return found
