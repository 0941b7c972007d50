"""Accounts as flat arrays around their exact figures: what each is worth and required to have as prices move by a share, in float64.

Every position starts from the law's own evaluation; a price moves it along its line (linear in P, inverse in 1/P) and its requirement
along its table. What no line stands for is left to the law: `Spread.add` says so. Error: 1e-9 of an account's gross.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from agents.risk.law import Book, Evaluation, Leg, Pool
from agents.risk.market import Market
from agents.risk.policies import CONTRACTS, ENTRY, MODEL_POLICIES, NONE, REFUSE, WEIGHTED, is_inverse, policies_of
from agents.risk.rules import Thresholds
from agents.risk.tiers import FLAT, Bracket
from agents.risk.valued import basis_of
from schemas.money import ONE, ZERO
from tables.rows import LIQUIDATION, MARGIN_CALL, UNKNOWN

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
TIERED, MOVES, STAYS = 0, 1, 2  # a requirement: by the table, in proportion to the value, not at all
_SAME = 0  # the rate that is 1
_IN_BASE = ("FOREX", "FOREX_NO_LEVERAGE")
RateKey = tuple[int, str, str, str, bool]  # id of the market, source, target, venue, whether the source is bought
Part = tuple[int, float, int, float]
Danger = tuple[tuple[float, float, float], ...]
Table = tuple[tuple[Bracket, ...], bool]
Parts = dict[str, tuple[int, int]]


class Moved(NamedTuple):
    """Accounts under one set of prices: rung and requirement over equity of each; and the value of each leg that is liquidated."""

    rung: Ints
    ratio: Floats
    liquidated: Floats


class Line(NamedTuple):
    """A leg: `worth` signed value, `gained` PnL before conversion, both at the prices it starts from."""

    pool: int
    part: int
    instrument: int
    inverse: bool
    worth: float
    gained: float
    gain_rate: int
    loss_rate: int
    kind: int
    held: float
    required: float
    fee: float
    table: int
    required_rate: int
    cap: float


_WHOLE = {"pool", "part", "instrument", "gain_rate", "loss_rate", "kind", "table", "required_rate"}


class Spread:
    """Accounts in (`add`), then prices (`at`) as often as wanted."""

    def __init__(self) -> None:
        self.instruments: dict[str, int] = {}
        self.rates: dict[RateKey, int] = {}
        self.markets: dict[int, Market] = {}
        self.count = 0
        self._lines: list[Line] = []
        self._parts: list[Part] = []  # pool, balance without PnL, rate, weight
        self._pools: list[tuple[int, bool]] = []  # account, whether nothing is required of it
        self._accounts: list[tuple[Danger, int]] = []  # thresholds, rung before
        self._tables: dict[Table, int] = {((), False): 0}
        self._arrays: _Arrays | None = None

    def add(self, book: Book, evaluation: Evaluation, around: tuple[Market, Thresholds], previous: int) -> bool:
        """Lays an account whose evaluation rests on no unknown; False, and nothing laid, where no line stands for it."""
        market, thresholds = around
        if not _has_lines(book, evaluation, thresholds):
            return False
        self.markets[id(market)] = market
        self._accounts.append((_danger(book, thresholds), previous))
        numbers = {pool.name: self._pool(pool, book, evaluation, market) for pool in evaluation.pools}
        lay = self._ticket if book.model == "mt5" else self._contract
        for leg in evaluation.legs:
            self._lines.append(lay(leg, book, market, numbers[leg.pool]))
        self.count, self._arrays = self.count + 1, None
        return True

    def at(self, factors: Mapping[str, float], rate_of: Callable[[RateKey], float]) -> Moved:
        """Every account with its instruments' prices times these factors; `rate_of` says what a conversion is then."""
        if self._arrays is None:
            self._arrays = _Arrays(self._lines, self._parts, self._pools, self._accounts, list(self._tables))
        factor = np.array([factors.get(name, 1.0) for name in self.instruments] or [1.0])
        rates = np.array([1.0, *(rate_of(key) for key in self.rates)])
        return self._arrays.at(factor, rates)

    def legs(self) -> tuple[Ints, Ints]:
        """(instrument, 1 where sold) of every leg, in the order of `Moved.liquidated`."""
        return (np.array([line.instrument for line in self._lines], np.int64),
                np.array([line.worth < 0 for line in self._lines], np.int64))

    # ---- one account

    def _pool(self, pool: Pool, book: Book, evaluation: Evaluation, market: Market) -> tuple[int, Parts]:
        """(number, part and rate by asset): the pool's money without the PnL of its legs."""
        number, parts = len(self._pools), Parts()
        legs = [leg for leg in evaluation.legs if leg.pool == pool.name]
        self._pools.append((len(self._accounts) - 1, not pool.initial_margin and not pool.requirement))
        for asset, (balance, weight) in _money(pool, book, legs).items():
            held = balance if book.model == "mt5" else book.balances.get(asset, ZERO)
            of_pool = book.model == "mt5" or bool(pool.collateral)  # else the pool is judged in its own asset
            rate = self._rate(market, asset or book.currency, book, buying=held < 0) if of_pool else _SAME
            parts[asset] = self._part(number, balance, rate, weight), rate
        return number, parts

    def _part(self, pool: int, balance: Decimal, rate: int, weight: Decimal) -> int:
        self._parts.append((pool, float(balance), rate, float(weight)))
        return len(self._parts) - 1

    def _contract(self, leg: Leg, book: Book, market: Market, pool: tuple[int, Parts]) -> Line:
        number, parts = pool
        part, rate = parts[leg.asset]
        policies = policies_of(leg.rule, MODEL_POLICIES[book.model])
        basis = basis_of(leg, policies)
        kind = STAYS if basis.maintenance == ENTRY else MOVES if leg.rule.tier_unit == CONTRACTS else TIERED
        last = leg.rule.brackets[-1].cap if policies.past_last_cap == REFUSE and kind == TIERED else None
        return Line(
            number, part, self._instrument(leg.rule.name), is_inverse(leg.rule), float(leg.signed * leg.unit), float(leg.unrealised_pnl),
            _SAME, _SAME, kind, float(leg.held), float(leg.maintenance_margin),
            0.0 if basis.fee == NONE else float(leg.rule.taker_fee * leg.notional),
            self._table(leg.rule.brackets, flat=leg.rule.tier_policy == FLAT) if kind == TIERED else 0, rate,
            np.inf if last is None else float(last),
        )

    def _ticket(self, leg: Leg, book: Book, market: Market, pool: tuple[int, Parts]) -> Line:
        number, parts = pool
        rule, bought = leg.rule, leg.signed > 0
        quote = rule.quote or book.currency
        gain, loss = (self._rate(market, quote, book, buying=buying) for buying in (False, True))
        currency = (rule.base if rule.calc_mode in _IN_BASE else rule.quote) or book.currency
        into = _SAME if leg.position.open_rate else self._rate(market, currency, book, buying=bought)
        base = (None if into == _SAME else market.rate(currency, book.currency, buying=bought)) or ONE
        worth = leg.signed * rule.contract_size * leg.price
        gained = leg.unrealised_pnl / leg.conversion
        return Line(number, parts[""][0], self._instrument(rule.name), False, float(worth), float(gained), gain, loss, STAYS, 0.0,
                    float(leg.initial_margin / base), 0.0, 0, into, np.inf)

    def _rate(self, market: Market, asset: str, book: Book, *, buying: bool) -> int:
        if asset == book.currency:
            return _SAME
        venue = "house" if book.model == "mt5" else book.venue
        return self.rates.setdefault((id(market), asset, book.currency, venue, buying), len(self.rates) + 1)

    def _instrument(self, name: str) -> int:
        return self.instruments.setdefault(name, len(self.instruments))

    def _table(self, brackets: tuple[Bracket, ...], *, flat: bool) -> int:
        return self._tables.setdefault((brackets, flat), len(self._tables))


def _money(pool: Pool, book: Book, legs: Sequence[Leg]) -> dict[str, tuple[Decimal, Decimal]]:
    """(balance without PnL of the legs, weight where it is above zero) by asset; "": of the account's currency, what is no balance."""
    if book.model == "mt5":
        beside = book.credit + sum((leg.extra for leg in legs), ZERO)
        return {asset: (balance, ONE) for asset, balance in {**book.balances, "": beside}.items()}
    gained: dict[str, Decimal] = {}
    for leg in legs:
        gained[leg.asset] = gained.get(leg.asset, ZERO) + leg.unrealised_pnl
    if pool.collateral:
        return {asset: (held.balance - gained.get(asset, ZERO), held.weight) for asset, held in pool.collateral.items()}
    return {pool.asset: (pool.equity - gained.get(pool.asset, ZERO), ONE)}


def _has_lines(book: Book, evaluation: Evaluation, thresholds: Thresholds) -> bool:
    if book.model == "mt5":
        rates = {(leg.rule.name, leg.position.open_rate is None) for leg in evaluation.legs}
        mixed = len(rates) > len({name for name, _ in rates})
        return not mixed and all(leg.rule.calc_mode != "EXCH_STOCKS" for leg in evaluation.legs)
    contracts = {(leg.rule.name, leg.position.side, leg.position.margin_mode) for leg in evaluation.legs}
    weighted = MODEL_POLICIES[book.model].pooling == WEIGHTED  # such a pool is cross only
    shared = len(contracts) < len(evaluation.legs) or (weighted and any(mode == "isolated" for *_, mode in contracts))
    return thresholds.mode != "percent" and not shared


def _danger(book: Book, thresholds: Thresholds) -> Danger:
    """(a, b, c) of warning, margin call, liquidation and release: reached where a x requirement >= b x equity + c."""
    four = (thresholds.warning, thresholds.margin_call, thresholds.liquidation, thresholds.release)
    if thresholds.mode == "money":
        return tuple((0.0, 1.0, -float(number)) for number in four)
    return tuple((float(number) / 100, 1.0, 0.0) if thresholds.mode == "percent" else (1.0, float(number), 0.0) for number in four)


class _Arrays:
    """The same as arrays; accounts' pools lie side by side."""

    def __init__(self, lines: Sequence[Line], parts: Sequence[Part], pools: Sequence[tuple[int, bool]],
                 accounts: Sequence[tuple[Danger, int]], tables: Sequence[Table]) -> None:
        self._line = _columns(lines)
        part, pool = np.array(parts, np.float64), np.array(pools, np.int64)
        self._part_pool, self._part_rate = part[:, 0].astype(np.int64), part[:, 2].astype(np.int64)
        self._balance, self._weight = part[:, 1], part[:, 3]
        self._account, self._idle = pool[:, 0], pool[:, 1] > 0
        self._starts = np.searchsorted(self._account, np.arange(len(accounts)))
        self._danger = np.array([account[0] for account in accounts]).reshape(-1, 4, 3)
        self._before = np.array([account[1] for account in accounts], np.int64)
        self._floors, self._tier_rates, self._amounts = _tiers(tables)

    def at(self, factor: Floats, rates: Floats) -> Moved:
        line, pools = self._line, len(self._account)
        moved = factor[line["instrument"]]
        inverse = line["inverse"] > 0
        grown = np.where(inverse, 1 / moved, moved)
        gained = line["gained"] + line["worth"] * np.where(inverse, 1 - grown, grown - 1)
        gained = gained * rates[np.where(gained < 0, line["loss_rate"], line["gain_rate"])]
        part = self._balance + _sums(line["part"], gained, len(self._balance))
        equity = _sums(self._part_pool, part * rates[self._part_rate] * np.where(part > 0, self._weight, 1.0), pools)
        required, refused = self._required(grown)
        needed = _sums(line["pool"], required * rates[line["required_rate"]], pools)
        return self._judged(equity, needed, _sums(line["pool"], refused.astype(np.float64), pools) > 0, np.abs(line["worth"]) * grown)

    def _required(self, grown: Floats) -> tuple[Floats, npt.NDArray[np.bool_]]:
        line = self._line
        held = line["held"] * grown
        table = line["table"]
        tier = np.maximum((self._floors[table] <= held[:, None] * (1 + 1e-12)).sum(axis=1) - 1, 0)
        tiered = held * self._tier_rates[table, tier] - self._amounts[table, tier]
        found = np.where(line["kind"] == TIERED, tiered, line["required"] * np.where(line["kind"] == MOVES, grown, 1.0))
        return found + line["fee"] * grown, held > line["cap"] * (1 + 1e-12)

    def _judged(self, equity: Floats, needed: Floats, refused: npt.NDArray[np.bool_], value: Floats) -> Moved:
        danger, starts = self._danger[self._account], self._starts
        over = [danger[:, at, 0] * needed - danger[:, at, 1] * equity - danger[:, at, 2] for at in range(4)]
        rung = np.where(over[2] >= 0, 4, np.where(over[1] >= 0, 3, np.where(over[0] >= 0, 2, 1)))
        rung = np.where(equity < 0, LIQUIDATION, np.where(self._idle, 1, rung))
        held_back = (over[3] > 0) & ~self._idle
        worst = np.maximum.reduceat(rung, starts)
        kept = (worst < self._before) & (self._before >= MARGIN_CALL) & np.logical_or.reduceat(held_back, starts)
        unknown = np.logical_or.reduceat(refused, starts)
        found = np.where(unknown, UNKNOWN, np.where(kept, self._before, worst))
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(equity > 0, danger[:, 2, 0] * needed / equity, np.where((equity < 0) | ~self._idle, np.inf, 0.0))
        breached = (found[self._account] == LIQUIDATION) & ((rung == LIQUIDATION) | (held_back & kept[self._account]))
        return Moved(found, np.maximum.reduceat(ratio, starts), np.where(breached[self._line["pool"]], value, 0.0))


def _columns(lines: Sequence[Line]) -> dict[str, npt.NDArray[Any]]:
    columns = list(zip(*lines, strict=True)) or [()] * len(Line._fields)
    return {name: np.array(column, np.int64 if name in _WHOLE else np.float64) for name, column in zip(Line._fields, columns, strict=True)}


def _tiers(tables: Sequence[Table]) -> tuple[Floats, Floats, Floats]:
    """Floors, rates and amounts, a row a table; what a shorter one lacks begins at infinity."""
    width = max(len(table) for table, _ in tables) or 1
    floors, rates, amounts = np.full((len(tables), width), np.inf), *np.zeros((2, len(tables), width))
    for at, (table, flat) in enumerate(tables):
        for n, bracket in enumerate(table):
            floors[at, n], rates[at, n], amounts[at, n] = float(bracket.floor), float(bracket.rate), 0.0 if flat else float(bracket.amount)
    return floors, rates, amounts


def _sums(of: Ints, values: Floats, count: int) -> Floats:
    return np.bincount(of, values, count).astype(np.float64)
