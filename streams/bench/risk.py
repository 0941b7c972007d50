"""`bench risk`: what a tick, a crash, a changed account and a verdict cost, in CPU time and beside each other in one run."""

import random
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

import numpy as np
from msgspec.structs import replace

from agents.book import book_of, thresholds_for
from agents.risk import ladder
from agents.risk.board import FIELDS
from agents.risk.columns import Columns, Place
from agents.risk.laws import law_of
from agents.risk.lines import Zone
from agents.risk.market import Market, market_of
from agents.risk.rules import Instrument, Rules
from agents.risk.switch import Switch
from agents.risk.tiers import Bracket
from agents.risk.world import Control, Mark, World
from streams.bench.measure import rss_kib
from tables.rows import Account, Balance, Position, User, position_key

Figures = dict[str, str | int | float]
_HELD = 5  # positions an account
_PRICE = 100.0
_TIERS = ((0, 50_000, "0.004", 0), (50_000, 250_000, "0.005", 50), (250_000, None, "0.01", 1_300))
_NOW = 1_700_000_000_000


class Size(NamedTuple):
    """Of a world: accounts, symbols, and the leverage up to which they go."""

    accounts: int
    symbols: int
    leverage: float


def risk(accounts: int, ticks: int) -> Iterator[Figures]:
    """All measures; `accounts` of the large world. Times are CPU microseconds of this process."""
    small = ordinary(Size(10_000, 200, 20), ticks)
    yield small
    large = ordinary(Size(accounts, 200, 20), ticks)
    yield {**large, "times_small": _round(float(large["tick_us"]) / float(small["tick_us"]))}
    yield crash(Size(min(accounts, 100_000), 100, 125), ticks)
    yield changed()


def rules_of(symbols: int) -> Rules:
    """Linear contracts with three tiers each."""
    brackets = tuple(Bracket(Decimal(low), None if high is None else Decimal(high), Decimal(rate), Decimal(amount))
                     for low, high, rate, amount in _TIERS)
    names = [f"binance_usdm:S{number}USDT" for number in range(symbols)]
    return Rules({name: ((0, Instrument(name, name[13:-4], "USDT", "USDT", brackets=brackets)),) for name in names})


def marks_at(prices: dict[str, float]) -> dict[str, Mark]:
    return {name: mark_at(name, price) for name, price in prices.items()}


def mark_at(name: str, price: float) -> Mark:
    return Mark(name, mark=Decimal(repr(round(price, 6))), append_ms=_NOW)


def filled(size: Size, zone: Zone, seed: int) -> tuple[Columns, dict[str, float]]:
    """Columns of cross accounts with five positions each on different symbols, put there side by side: a million rows would not fit."""
    columns, rng, prices = Columns(), np.random.default_rng(seed), {}
    columns.ruled(rules_of(size.symbols), _NOW)
    for name in columns._rules.rules.instruments:
        columns._number(name)
        prices[name] = _PRICE
    columns._price_new(marks_at(prices))
    count, positions, pools = size.accounts, columns.positions, columns.pools
    symbol = (rng.integers(0, size.symbols, (count, 1)) + np.arange(_HELD) * (size.symbols // _HELD)) % size.symbols
    slot = np.zeros(symbol.shape, np.int64)
    for number in range(size.symbols):
        own = symbol == number
        lane = columns.triggers.lane(FIELDS * number, boxed=False)
        slot[own] = positions.take([lane] * int(np.count_nonzero(own)))
    value = rng.uniform(200, 20_000, symbol.shape)
    signed = value / _PRICE * rng.choice((-1, 1), symbol.shape)
    members: list[list[int]] = slot.tolist()  # type: ignore[assignment]  # of two dimensions
    numbers = [pools.take(row) for row in members]
    positions.pool[slot], positions.size[slot], positions.cost[slot] = np.array(numbers)[:, None], signed, signed * _PRICE
    positions.margin[slot], positions.low[slot] = np.nan, np.inf
    positions.blocks.top[: positions.used] = np.inf
    columns.triggers._top[: 2 * FIELDS * size.symbols : 2 * FIELDS] = np.inf
    pools.still[numbers] = value.sum(axis=1) / rng.uniform(1, size.leverage, count)
    pools.zone[numbers], pools.account[numbers], pools.up[numbers] = columns.triggers.zone(zone), np.arange(count), -np.inf
    row = User("")
    for at, pool in enumerate(numbers):
        place = Place((f"live:{at}", "a1"), at, (pool,))
        columns._names.append(place.name)
        columns._rows[place.name[0]] = row, (place,)
    columns._waiting = numbers
    return columns, prices


def ordinary(size: Size, ticks: int) -> Figures:
    """10 bp a tick, one symbol each: the index beside the sweep of the same slices."""
    before = rss_mib_here()
    columns, prices = filled(size, Zone((0.8, 1.0, 0.0)), 1)
    began = time.process_time()
    marks = marks_at(prices)
    columns.touched([], marks)
    dealt_us = (time.process_time() - began) / size.accounts * 1e6
    mib = rss_mib_here() - before
    rng, names = random.Random(2), sorted(prices)
    moves = [(name, rng.gauss(0, 0.001)) for name in (rng.choice(names) for _ in range(ticks))]
    costs, reported = [], 0
    for name, move in moves:
        prices[name] *= 1 + move
        marks[name] = mark_at(name, prices[name])
        at = time.process_time()
        reported += len(columns.touched((name,), marks))
        costs.append(time.process_time() - at)
    swept = _sweep_us(columns, names[:100])
    costs.sort()
    tick = sum(costs) / ticks * 1e6
    return {"run": "ordinary", "accounts": size.accounts, "positions": size.accounts * _HELD, "symbols": size.symbols, "ticks": ticks,
            "tick_us": _round(tick), "tick_p50_us": _round(costs[ticks // 2] * 1e6), "tick_p99_us": _round(costs[ticks * 99 // 100] * 1e6),
            "sweep_us": _round(swept), "sweep_over_tick": _round(swept / tick), "reported": reported,
            "turns": columns.triggers.switch.turns, "deal_us_an_account": _round(dealt_us),
            "bytes_a_position": _round(mib * 2**20 / (size.accounts * _HELD)), "array_bytes_a_position": _round(_array_bytes(columns))}


def _sweep_us(columns: Columns, names: list[str]) -> float:
    """The slices swept as they are swept in a crash, each once to warm up and once on the clock."""
    lanes = [2 * FIELDS * columns.board.numbers[name] for name in names]
    took = 0.0
    for lane in lanes:
        columns.triggers._undeal_lane(lane)
    for lane in (*lanes, *lanes):
        columns.board.price[lane // 2] *= 1.0001
        began = time.process_time()
        columns.triggers._sweep(lane)
        took += time.process_time() - began
    return took / 2 / len(lanes) * 1e6


def _array_bytes(columns: Columns) -> float:
    """Of the arrays alone."""
    held = (columns.positions, columns.pools, columns.positions.blocks)
    size = sum(getattr(part, name).nbytes for part in held for name in part.EMPTY) + columns.pools._members.nbytes
    return float(size / max(1, len(columns.positions)))


def crash(size: Size, ticks: int) -> Figures:
    """Everything falls and shakes until a third is liquidated: the adaptive screen beside one that sweeps every tick."""
    runs = []
    for switch in (Switch(), Switch(sweep_us=(-1.0, 0.0), patience=10**9)):
        columns, prices = filled(size, Zone((1.0, 1.0, 0.0)), 3)
        columns.triggers.switch = switch
        marks, took, gone, done = marks_at(prices), 0.0, 0, 0
        columns.touched([], marks)
        rng, names = random.Random(4), sorted(prices)
        while gone < size.accounts / 3 and done < 50 * ticks:
            name = rng.choice(names)
            prices[name] *= 1 + rng.gauss(-0.0002, 0.002)
            marks[name] = mark_at(name, prices[name])
            at = time.process_time()
            found = columns.touched((name,), marks)
            took += time.process_time() - at
            done += 1
            for user, _, _ in found:
                columns.drop(user)
            gone += len(found)
        runs.append((took, done, gone, switch.turns))
    (took, done, gone, turns), (swept, swept_ticks, swept_gone, _) = runs
    return {"run": "crash", "accounts": size.accounts, "positions": size.accounts * _HELD, "symbols": size.symbols, "ticks": done,
            "liquidated": gone, "turns": turns, "tick_us": _round(took / done * 1e6), "sweep_tick_us": _round(swept / swept_ticks * 1e6),
            "cost_over_sweep": _round(took / swept), "same_as_sweep": int((done, gone) == (swept_ticks, swept_gone))}


def person(number: int, rules: Rules, margin: str = "1500") -> User:
    """A cross account with five positions."""
    rng, held = random.Random(number), {}
    for name in rng.sample(sorted(rules.instruments), _HELD):
        size = Decimal(rng.randint(1, 100) * rng.choice((-1, 1))) / 10
        held[position_key(name, "BOTH")] = Position(name, "BOTH", size, Decimal("100.1"), entry_cost=size * Decimal("100.1"))
    balances = {"USDT": Balance(Decimal(margin))}
    account = Account("a1", "binance_usdm", "binance_usdm", "USDT", "venue", balances=balances, positions=held)
    return User(f"live:{number}", accounts={"a1": account})


def changed(count: int = 1_000) -> Figures:
    """A changed account into columns and triggers, in company and alone, beside its ratio and rung in Decimal."""
    rules = rules_of(200)
    users, marks = [person(number, rules) for number in range(count)], marks_at(dict.fromkeys(rules.instruments, _PRICE))
    columns = Columns()
    columns.ruled(rules, _NOW)
    for user in users:
        columns.put(user.user_id, user)
    columns.touched([], marks)
    began = time.process_time()
    for at in range(0, count, 100):
        columns.put_all({user.user_id: user for user in users[at : at + 100]})
        columns.touched([], marks)
    put = (time.process_time() - began) / count * 1e6
    began = time.process_time()
    for user in users[:200]:
        columns.put(user.user_id, user)
        columns._settle([])
    alone = (time.process_time() - began) / 200 * 1e6
    ratio, prices, plan = (_law_us(users, rules, marks, what) for what in ("ratio", "prices", "plan"))
    return {"run": "changed", "accounts": count, "put_us": _round(put), "put_alone_us": _round(alone), "ratio_us": _round(ratio),
            "put_over_ratio": _round(put / ratio), "put_alone_over_ratio": _round(alone / ratio), "ratios_a_second": int(1e6 / ratio),
            "prices_a_second": int(1e6 / prices), "plans_a_second": int(1e6 / plan)}


def _law_us(users: list[User], rules: Rules, marks: dict[str, Mark], what: str) -> float:
    """Of one account: ratio and rung; and on top of them the liquidation prices of all positions, or the plan of a breached one."""
    world = World(_NOW, marks, rules, Control())
    law, group, market = law_of("binance_usdm"), rules.group("standard", _NOW), market_of(world)
    if what == "plan":
        users = [replace(user, accounts={"a1": replace(user.accounts["a1"], balances={"USDT": Balance(Decimal(5))})}) for user in users]
    books = [(book_of(user, user.accounts["a1"], group, None), thresholds_for(user.accounts["a1"], group)) for user in users]
    began = time.process_time()
    for book, thresholds in books:
        found = law.evaluate(book, _fresh(market), thresholds)
        ladder.rungs(found, thresholds)
        if what == "prices":
            for leg in found.legs:
                law.prices(leg, found, thresholds)
        elif what == "plan":
            law.plan(found, thresholds)
    return (time.process_time() - began) / len(users) * 1e6


def _fresh(market: Market) -> Market:
    market.used.clear()
    return market


def rss_mib_here() -> int:
    import os

    return rss_kib(os.getpid()) // 1024


def _round(number: float) -> float:
    return float(f"{number:.4g}")
