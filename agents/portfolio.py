"""Figures for people: equity, margin and PnL of the house accounts that prices moved, all in one pass of arrays. They decide nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from agents.risk.world import Mark
from agents.tickets import ASK, BID, BY_FIGURES, BY_RATIO, MARK, NO_FALLBACK, Holding, Rate, Ticket

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Slots = npt.NDArray[np.int32]
_FIELDS = 3
_NEVER = np.iinfo(np.int64).min  # a figure that was never told
_OLDEST_SHARE = 4  # of a budget a quarter goes to who waits longest: who is far from every rung is told, too
_LEVEL_MAX = 1e9
_TOLD_MAX = 9e18  # of an integer of 64 bits


class Told(NamedTuple):
    """Figures to tell, nearest rung first: integers of 10^-`digits`; `fallback` as in `agents.tickets`."""

    users: list[str]
    equity: Ints
    margin: Ints
    pnl: Ints
    digits: Ints
    fallback: Ints
    looked: int  # users in the pass


class Columns:
    """Growing arrays of one length."""

    def __init__(self, **kinds: tuple[type[Any], float]) -> None:
        self._kinds, self.room = kinds, 0
        self.used, self._free = 0, list[int]()
        self.at: dict[str, npt.NDArray[Any]] = {name: np.zeros(0, kind) for name, (kind, _) in kinds.items()}

    def take(self) -> int:
        """A free place."""
        if self._free:
            return self._free.pop()
        if self.used == self.room:
            more = max(1_024, self.room // 5)
            for name, (kind, value) in self._kinds.items():
                self.at[name] = np.concatenate([self.at[name], np.full(more, value, kind)])
            self.room += more
        self.used += 1
        return self.used - 1

    def free(self, place: int) -> None:
        """Nobody's from here on."""
        for name, (_, value) in self._kinds.items():
            self.at[name][place] = value
        self._free.append(place)

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        found: npt.NDArray[Any] = self.at[name][: self.used]
        return found


class Portfolio:
    """Rows in (`put`, `drop`), prices in (`moved`), figures out (`tell`). A user waits once, however many of its symbols moved."""

    def __init__(self) -> None:
        self._users = Columns(still=(np.float64, 0.0), fixed=(np.float64, np.nan), equity=(np.float64, np.nan), margin=(np.float64, np.nan),
                              pnl=(np.float64, np.nan), ratio=(np.float64, 0.0), digits=(np.int8, 2), dirty=(np.bool_, False),
                              since=(np.int64, 0), told_equity=(np.int64, _NEVER), told_margin=(np.int64, _NEVER),
                              told_pnl=(np.int64, _NEVER), told_fallback=(np.int8, 0))
        self._tickets = Columns(user=(np.int32, 0), channel=(np.int32, 0), size=(np.float64, 0.0), cost=(np.float64, 0.0),
                                rate=(np.int32, 0), margin=(np.float64, 0.0), margin_rate=(np.int32, 0))
        self._places: dict[str, tuple[int, tuple[int, ...]]] = {}
        self._names: list[str] = []
        self._instruments: dict[str, int] = {}
        self._price: Floats = np.full(_FIELDS, np.nan)
        self._moved: set[str] = set()
        self._number("")  # of what has no price; never moved
        self._users.take()  # place 0 is nobody's: free tickets are its
        self._names.append("")

    def __len__(self) -> int:
        return len(self._places)

    def put(self, user: str, holding: Holding | None, now_ms: int) -> None:
        """Replaces what is held of a user, who is told again where a figure differs."""
        place = self._places[user][0] if user in self._places else -1
        if holding is None:
            self.drop(user)
            return
        for ticket in self._places[user][1] if place >= 0 else ():
            self._tickets.free(ticket)
        if place < 0:
            place = self._users.take()
            self._names[place : place + 1] = [user]
        for name, value in (("still", holding.still), ("fixed", np.nan if holding.fixed is None else holding.fixed),
                            ("ratio", holding.ratio), ("digits", holding.digits)):
            self._users.at[name][place] = value
        for name, value in zip(("equity", "margin", "pnl"), holding.known or (np.nan,) * 3, strict=True):
            self._users.at[name][place] = value
        self._places[user] = place, tuple(self._put(place, ticket) for ticket in holding.tickets)
        self._mark(np.array([place]), now_ms)

    def _put(self, user: int, ticket: Ticket) -> int:
        place, at = self._tickets.take(), self._tickets.at
        at["user"][place], at["channel"][place] = user, self._number(ticket.instrument) * _FIELDS + ticket.field
        at["size"][place], at["cost"][place], at["margin"][place] = ticket.size, ticket.cost, max(ticket.margin, 0.0)
        at["rate"][place], at["margin_rate"][place] = self._code(ticket.rate), self._code(ticket.margin_rate)
        return place

    def drop(self, user: str) -> None:
        """Forgets a user; nothing where it is not held."""
        place, tickets = self._places.pop(user, (-1, ()))
        for ticket in tickets:
            self._tickets.free(ticket)
        if place >= 0:
            self._users.free(place)

    def moved(self, instruments: Iterable[str]) -> None:
        """Prices that changed; counted once each until the next pass."""
        self._moved.update(instruments)

    def users(self) -> list[str]:
        """Everybody who is held."""
        return list(self._places)

    def dirty(self) -> list[str]:
        """Users whose figures wait to be told, as of the last pass and rows since."""
        return [self._names[place] for place in np.flatnonzero(self._users["dirty"]).tolist()]

    def symbols(self, marks: Mapping[str, Mark], now_ms: int) -> tuple[int, int]:
        """Takes what moved: (symbols processed, users they affect); each user once."""
        moved, self._moved = self._moved, set()
        flags = np.zeros(len(self._instruments), np.bool_)
        for name in moved:
            number = self._instruments.get(name)
            if number:
                self._priced(number, marks.get(name))
                flags[number] = True
        tickets = self._tickets
        hit = flags[tickets["channel"] // _FIELDS] | flags[np.abs(tickets["rate"])] | flags[np.abs(tickets["margin_rate"])]
        users = np.unique(tickets["user"][hit])
        users = users[users > 0]
        self._mark(users, now_ms)
        return len(moved), len(users)

    def reprice(self, marks: Mapping[str, Mark]) -> None:
        """Takes every mark there is: after rows with new instruments came."""
        for name, number in self._instruments.items():
            if number:
                self._priced(number, marks.get(name))

    def tell(self, budget: int, now_ms: int) -> Told:
        """One pass over who waits; at most `budget` of those whose figures changed, the others wait on."""
        dirty = self._users["dirty"]
        asked = np.flatnonzero(dirty)
        equity, margin, pnl, fallback = self._figures(dirty, asked)
        digits = self._users["digits"][asked].astype(np.int64)
        scale = 10.0 ** digits
        told = [np.rint(np.clip(column * scale, -_TOLD_MAX, _TOLD_MAX)).astype(np.int64) for column in (equity, margin, pnl)]
        names = ("told_equity", "told_margin", "told_pnl")
        differs = fallback != self._users["told_fallback"][asked]
        for name, column in zip(names, told, strict=True):
            differs |= column != self._users[name][asked]
        dirty[asked[~differs]] = False
        with np.errstate(divide="ignore", invalid="ignore"):
            level = np.where(margin > 0, equity / margin, _LEVEL_MAX)
        chosen = self._chosen(np.flatnonzero(differs), level, self._users["since"][asked], budget)
        places = asked[chosen]
        dirty[places] = False
        for name, column in zip(names, told, strict=True):
            self._users.at[name][places] = column[chosen]
        self._users.at["told_fallback"][places] = fallback[chosen]
        users = [self._names[place] for place in places.tolist()]
        return Told(users, told[0][chosen], told[1][chosen], told[2][chosen], digits[chosen], fallback[chosen], len(asked))

    @staticmethod
    def _chosen(waiting: Ints, level: Floats, since: Ints, budget: int) -> Ints:
        """Indexes of who is told, the lowest margin level first; a quarter of a short budget is for who waits longest."""
        near = waiting[np.argsort(level[waiting], kind="stable")]
        if len(near) <= budget:
            return near
        first, rest = near[: budget - budget // _OLDEST_SHARE], near[budget - budget // _OLDEST_SHARE :]
        return np.concatenate([first, rest[np.argsort(since[rest], kind="stable")][: budget - len(first)]])

    def _figures(self, dirty: npt.NDArray[np.bool_], asked: Ints) -> tuple[Floats, Floats, Floats, Ints]:
        """(equity, margin, PnL, fallback) of the asked."""
        tickets, users = self._tickets, self._users
        some = np.flatnonzero(dirty[tickets["user"]])
        of = np.searchsorted(asked, tickets["user"][some])
        with np.errstate(invalid="ignore", divide="ignore"):
            gained = tickets["size"][some] * self._price[tickets["channel"][some]] - tickets["cost"][some]
            gained *= self._rate(tickets["rate"][some], gained < 0)
            needed = tickets["margin"][some] * self._rate(tickets["margin_rate"][some], tickets["size"][some] > 0)
        pnl = np.bincount(of, gained, len(asked)).astype(np.float64)
        margin = np.bincount(of, needed, len(asked)).astype(np.float64)
        fixed = users["fixed"][asked]
        margin = np.where(np.isnan(fixed), margin, fixed)
        equity = users["still"][asked] + pnl
        lost = ~(np.isfinite(equity) & np.isfinite(margin))
        by_figures = lost & np.isfinite(users["equity"][asked])
        by_ratio = lost & ~by_figures
        still = users["still"][asked]
        equity = np.select([by_figures, by_ratio], [users["equity"][asked], still], equity)
        margin = np.select([by_figures, by_ratio], [users["margin"][asked], np.maximum(still, 0) * users["ratio"][asked]], margin)
        pnl = np.select([by_figures, by_ratio], [users["pnl"][asked], 0.0], pnl)
        return equity, margin, pnl, np.select([by_figures, by_ratio], [BY_FIGURES, BY_RATIO], NO_FALLBACK).astype(np.int64)

    def _rate(self, code: Slots, buying: npt.NDArray[np.bool_]) -> Floats:
        found = np.ones(len(code))
        some = np.flatnonzero(code)
        kind = code[some]
        price = self._price[np.abs(kind) * _FIELDS + np.where(buying[some] == (kind > 0), ASK, BID)]
        found[some] = np.where(kind > 0, price, 1 / price)
        return found

    def _mark(self, places: Ints | Slots, now_ms: int) -> None:
        new = places[~self._users["dirty"][places]]
        self._users.at["dirty"][new] = True
        self._users.at["since"][new] = now_ms

    def _code(self, rate: Rate) -> int:
        number = self._number(rate.instrument)
        return -number if rate.turned else number

    def _number(self, name: str) -> int:
        if name not in self._instruments:
            self._instruments[name] = len(self._instruments)
            self._price = np.concatenate([self._price, np.full(_FIELDS, np.nan)]) if name else self._price
        return self._instruments[name]

    def _priced(self, number: int, mark: Mark | None) -> None:
        at = number * _FIELDS
        spare = None if mark is None else mark.mark if mark.mark is not None else mark.last
        for field, price in ((BID, mark.bid if mark else None), (ASK, mark.ask if mark else None), (MARK, mark.mark if mark else None)):
            found = price if price is not None or field == MARK else spare
            self._price[at + field] = np.nan if found is None else float(found)
