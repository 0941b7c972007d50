"""Facts of many users, seeded and without a clock of their own: the generator publishes them, tests fold them."""

import random
from collections import deque

from streams.stack.generator_exchange import ExchangeAccount
from streams.stack.generator_house import HouseBook, Record
from streams.stack.market import HOUSE_INSTRUMENTS, INSTRUMENTS, Market

FIRST_USER = 1_001
_DUPLICATES = 0.02
_REMEMBERED = 200
_START_MS = 1_760_000_000_000
_EXCHANGE_SHARE = 0.4


class Facts:
    """Users `live:{first}`.. with a house book each, every fourth with an exchange account; one in twenty is reckless.

    The same seed, users and times give the same facts. `source` names the producer of the numbered ones: it and the
    users must be new where the topics already hold facts of an earlier run, for numbers begin at 1.
    """

    instruments, trades_at_venues = INSTRUMENTS, True

    def __init__(self, seed: int, users: int, *, first: int = FIRST_USER, source: str = "generator", start_ms: int = _START_MS) -> None:
        self._random = random.Random(f"facts {seed}")
        self.market = Market(seed, start_ms, self.instruments)
        names = [f"live:{number}" for number in range(first, first + users)]
        self.books = [HouseBook(name, source, reckless=at % 20 == 0, seed=seed) for at, name in enumerate(names)]
        owners = names[::4] if self.trades_at_venues else []
        self.exchanges = [ExchangeAccount(name, reckless=at % 10 == 0, seed=seed) for at, name in enumerate(owners)]
        self._recent: deque[Record] = deque(maxlen=_REMEMBERED)

    def opening(self, now_ms: int) -> list[Record]:
        """Profiles, opening balances, exchange accounts with their first snapshot, first trades."""
        prices = self.market.prices
        found = [record for book in self.books for record in book.open(now_ms, prices)]
        return found + [record for account in self.exchanges for record in account.open(now_ms, prices)]

    def next_batch(self, now_ms: int) -> list[Record]:
        """What happens next: 1 to some 20 records `(topic, key, message)`; about 2% are an earlier record again."""
        choice = self._random.random() if self.exchanges else self._random.random() * (1 - _EXCHANGE_SHARE)
        found = self._house(choice, now_ms) if choice < 0.6 else self._exchange((choice - 0.6) / _EXCHANGE_SHARE, now_ms)
        self._recent.extend(found)
        return found + [self._random.choice(self._recent) for _ in range(len(found)) if self._random.random() < _DUPLICATES]

    def _house(self, choice: float, now_ms: int) -> list[Record]:
        book = self._random.choice(self.books)
        if choice < 0.38:
            return [book.fill(now_ms, self.market.prices)]
        return [book.delta(now_ms)] if choice < 0.57 else [book.tier(now_ms)]

    def _exchange(self, choice: float, now_ms: int) -> list[Record]:
        account = self._random.choice(self.exchanges)
        if choice < 0.5:
            return account.trade(now_ms, self.market.prices)
        if choice < 0.8:
            return account.order(now_ms, self.market.prices)
        if choice < 0.9:
            return account.configure(now_ms)
        if choice < 0.93:
            return account.margin_call(now_ms)
        return account.reconnect(now_ms) if choice < 0.96 else account.snapshot(now_ms)


class HouseFacts(Facts):
    """House books alone: a running stack has its exchange accounts at the simulated venues."""

    instruments, trades_at_venues = HOUSE_INSTRUMENTS, False


def facts(seed: int, users: int, count: int) -> list[Record]:
    """At least `count` facts from zero, opening included, no frame cut in half; a millisecond and a tick between two events."""
    source = Facts(seed, users)
    found = source.opening(_START_MS)
    at = _START_MS
    while len(found) < count:
        at += 5
        source.market.tick(at)
        found += source.next_batch(at)
    return found
