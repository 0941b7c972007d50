"""Simulated accounts that trade by themselves, seeded: orders, fills, conditions, funding, transfers and moving prices."""

import asyncio
import random
from collections.abc import Iterable
from decimal import Decimal

from schemas.money import ZERO
from streams.venues.simulator.books import BOTH, BUY, SELL, Account, Order, Refused
from streams.venues.simulator.server import Simulator

_MARKETS = 3  # the first instruments of each venue
_REST_MAX = 5  # open orders an account keeps
_IDLE_S = 0.1
_PACE_MAX = 10_000


class Traders:
    """`count` accounts a venue; `step` does one thing, `run` steps `per_second` times a second until cancelled, 0: rests."""

    def __init__(self, sim: Simulator, count: int, per_second: float, seed: int = 1) -> None:
        self.sim, self._per_second, self._random = sim, per_second, random.Random(seed)
        self.accounts: list[Account] = [sim.open_account(f"{venue}-{at:03d}", venue) for venue in sim.venues for at in range(count)]
        self.refused = 0

    def pace(self, per_second: float, accounts: Iterable[str] | None = None) -> None:
        """How often from now on, and by whom (names), where that is said. Raises `KeyError` for an account that is not there."""
        if not 0 <= per_second <= _PACE_MAX:
            raise ValueError(f"per_second: expected 0 to {_PACE_MAX}, was {per_second}")
        if accounts is not None:
            self.accounts = [self.sim.account(name) for name in accounts]
        self._per_second = per_second

    async def run(self) -> None:
        """Until cancelled; without accounts it only waits."""
        while True:
            if self.accounts and self._per_second:
                self.step()
            await asyncio.sleep(1 / self._per_second if self._per_second else _IDLE_S)

    def step(self) -> None:
        """A price moves and one account does something; what the venue refuses is counted."""
        account = self._random.choice(self.accounts)
        exchange = self.sim.exchanges[account.venue]
        symbol = self._random.choice(list(exchange.instruments)[:_MARKETS])
        instrument = exchange.instruments[symbol]
        drift = 1 + Decimal(self._random.gauss(0, 0.0008)).quantize(Decimal("1e-6"))
        exchange.set_price(symbol, max(instrument.tick, (exchange.marks[symbol] * drift).quantize(instrument.tick)))
        if self._random.random() < 0.02:
            exchange.fund(symbol, Decimal("0.0001"))
        try:
            self._act(account, symbol)
        except Refused:
            self.refused += 1

    def _act(self, account: Account, symbol: str) -> None:
        exchange, chance = self.sim.exchanges[account.venue], self._random.random()
        resting = account.open_orders()
        if len(resting) >= _REST_MAX or (resting and chance < 0.15):
            exchange.cancel(account, self._random.choice(resting).id)
        elif chance < 0.2:
            self.sim.transfer(account.name, "USDT", self._random.choice(("50", "100", "-25")))
        elif chance < 0.55:
            exchange.place(account, self._order(account, symbol, "MARKET"))
        else:
            exchange.place(account, self._order(account, symbol, "LIMIT"))

    def _order(self, account: Account, symbol: str, kind: str) -> Order:
        exchange = self.sim.exchanges[account.venue]
        instrument, mark = exchange.instruments[symbol], exchange.marks[symbol]
        held = account.positions.get((symbol, BOTH))
        amount = held.amount if held else ZERO
        side = self._random.choice((BUY, SELL)) if not amount or self._random.random() < 0.4 else (SELL if amount > 0 else BUY)
        value = Decimal(self._random.choice(("100", "250", "600", "1500")))
        quantity = max(instrument.step, (value / mark / instrument.contract_size).quantize(instrument.step))
        away = (1 - Decimal("0.001") if side == BUY else 1 + Decimal("0.001"))
        price = (mark * away).quantize(instrument.tick) if kind == "LIMIT" else ZERO
        return Order(symbol, side, kind, quantity, price)
