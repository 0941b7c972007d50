"""What the chaos runs are fed: the generator's facts with late repeats, topics out of order, and deltas that only a fence tells apart.

Between barriers the market is muted: its rules name a currency nobody knows a rate of, so that whoever holds a position is `unknown`
whatever comes in whichever order, and nobody who holds one is ever flat. At a barrier prices move, and then the true rules are told.
"""

import random
from collections.abc import Iterable, Mapping
from decimal import ROUND_CEILING, Decimal

from schemas.engine_pb2 import AccountUpdate, LiquidationReport, PriceTick, WalletDelta
from schemas.keys import HOUSE, partition_of
from streams import topics
from streams.stack.generator_exchange import ExchangeAccount
from streams.stack.generator_facts import FIRST_USER, Facts
from streams.stack.generator_house import HouseBook, Record
from streams.stack.market import INSTRUMENTS, Instrument, rules
from streams.stack.oracle import Expected

START_MS = 1_760_000_000_000
NOWHERE = "ZZZ"
HOT_USERS = 4
POISONED = ("poison-1", "poison-2", "poison-3")
GARBAGE = b"\xff\xff\xff\xff"
DEPTHS_MS = ((24_000, 36_000), (0, 12_000))  # of the minute in which two instruments sink and rise: deep and shallow in turn
_REPEATED = 0.03
_REMEMBERED = 2_000


class SteadyBook(HouseBook):
    """A house book that is never flat by trading. One that was closed rests until it is funded; a reckless one has no other deltas."""

    idle = False

    def fill(self, now_ms: int, prices: Mapping[str, Decimal]) -> Record:
        return self.tier(now_ms) if self.idle else super().fill(now_ms, prices)

    def delta(self, now_ms: int) -> Record:
        return self.tier(now_ms) if self.idle or self.reckless else super().delta(now_ms)

    def follow(self, row: Expected) -> None:
        """What the engine left of the book."""
        self._held = {what.rpartition("/")[0]: quantity for what, (quantity, _) in row.positions.items()}
        self.idle = not row.positions

    def fund(self, now_ms: int, row: Expected) -> tuple[Record, Expected]:
        """A deposit that makes the balance what it was at the start, at least; with it the row."""
        balance = row.balances.get("USD", Decimal(0))
        amount = (self._capital - min(balance, Decimal(0))).to_integral_value(ROUND_CEILING)
        self.idle = False
        return self._delta(now_ms, amount, WalletDelta.DEPOSIT, self.source), row._replace(balances={"USD": balance + amount})

    def _quantity(self, instrument: Instrument, price: Decimal) -> Decimal:
        size = super()._quantity(instrument, price)
        return size + instrument.step if size == abs(self._held.get(instrument.key, Decimal(0))) else size


class SteadyExchange(ExchangeAccount):
    """An exchange account that is never flat once it traded."""

    def reconnect(self, now_ms: int) -> list[Record]:
        return super().reconnect(now_ms) if len(self._positions) > 1 else self.snapshot(now_ms)

    def _quantity(self, instrument: Instrument, price: Decimal) -> Decimal:
        size = super()._quantity(instrument, price)
        held = self._positions.get(instrument.key)
        return size + instrument.step.copy_sign(size) if held and held.quantity + size == 0 else size


class Feed:
    """Seeded facts in chunks, prices and rules at barriers."""

    def __init__(self, seed: int, users: int) -> None:
        self._random = random.Random(f"feed {seed}")
        self._facts = Facts(seed, users, start_ms=START_MS)
        self.books = [SteadyBook(f"live:{FIRST_USER + at}", "generator", reckless=at % 20 == 0, seed=seed) for at in range(users)]
        self._facts.books = [*self.books]
        self._facts.exchanges = [SteadyExchange(f"live:{FIRST_USER + at}", reckless=at % 40 == 0, seed=seed) for at in range(0, users, 4)]
        self._sent: list[Record] = []
        self._hot = self._barriers = self._reports = 0
        self.repeated = 0
        self._now_ms = START_MS
        self._ahead = self._facts.opening(self._now_ms)

    def chunk(self, count: int, more: Iterable[Record] = ()) -> list[Record]:
        """At least `count` facts and some of the last 2,000 again, topic by topic, the topics in any order."""
        while len(self._ahead) < count:
            self._now_ms += 5
            self._ahead += self._facts.next_batch(self._now_ms)
        found, self._ahead = [*self._ahead, *more], []
        self._sent = [*self._sent, *found][-_REMEMBERED:]
        again = self._random.choices(self._sent, k=int(len(found) * _REPEATED))
        self.repeated += len(again)
        found += again
        names = sorted({topic for topic, _, _ in found})
        self._random.shuffle(names)
        return [record for name in names for record in found if record[0] == name]

    def burst(self, count: int) -> list[Record]:
        """Deltas without numbers, of few users: more of each than its row remembers ids, so that only the fence knows a repeat."""
        found: list[Record] = []
        for number in range(self._hot, self._hot + count):
            user = f"live:{FIRST_USER + 1 + number % HOT_USERS}"
            found.append((topics.WALLET_DELTAS, user, WalletDelta(
                id=f"hot-{number}", user_id=user, account_id=HOUSE, asset="USD", amount="0.01", source="hot", time_ms=self._now_ms)))
        self._hot += count
        return found

    def prices(self) -> dict[str, PriceTick]:
        """The next price of every instrument."""
        deep = DEPTHS_MS[self._barriers % 2]
        self._barriers += 1
        at = START_MS + self._random.randint(*deep)
        ticks = [self._facts.market.tick(at) for _ in INSTRUMENTS]
        return {tick.instrument: tick for tick in ticks}

    def follow(self, rows: Mapping[str, Mapping[str, Expected]]) -> None:
        """Books go on from what the engine left of them."""
        for book in self.books:
            book.follow(rows.get(book.user, {}).get(HOUSE, Expected({}, {})))

    def fund(self, rows: dict[str, dict[str, Expected]]) -> list[Record]:
        """Deposits for the books that rest; `rows` has them afterwards."""
        found = []
        for book in self.books:
            if book.idle:
                record, rows[book.user][HOUSE] = book.fund(self._now_ms, rows[book.user][HOUSE])
                found.append(record)
        return found

    def poison(self, partitions: int) -> list[tuple[str, bytes | None, bytes, int]]:
        """(topic, key, value, partition): garbage of a known user, garbage in a partition that is not the key's, garbage without a key."""
        topic, key = self._random.choice(topics.ACCOUNT_SOURCES), f"live:{self._random.choice(POISONED)}".encode()
        right = partition_of(key, partitions)
        return [(topic, key, GARBAGE, right), (topic, key, GARBAGE, (right + 1) % partitions), (topic, None, GARBAGE, right)]

    def report(self, user: str, account: str, step: str) -> tuple[str, Record]:
        """What an outside order system says of a step: its status, and the fact."""
        self._reports += 1
        status = self._random.choice(("completed", "refused"))
        return status, (topics.LIQUIDATION_REPORTS, user, LiquidationReport(
            id=f"report-{self._reports}", user_id=user, account_id=account, step_id=step, status=status, time_ms=self._now_ms))


def poison_users() -> list[Record]:
    """The profiles of those whose facts are garbage: without accounts, nothing is judged of them."""
    profile = AccountUpdate.Profile(group="standard", currency="USD")
    return [(topics.ACCOUNT_UPDATES, f"live:{name}", AccountUpdate(id=f"{name}/profile", user_id=f"live:{name}", source="poison",
                                                                  time_ms=START_MS, profile=profile)) for name in POISONED]


def ticks_of(prices: Mapping[str, PriceTick]) -> list[Record]:
    return [(topics.PRICE_TICKS, name, tick) for name, tick in prices.items()]


def settings(*, muted: bool) -> list[Record]:
    """Every rule of the market; muted ones pay in a currency that nobody has a rate of."""
    found = rules()
    for rule in found:
        if muted and rule.HasField("instrument"):
            rule.instrument.base = rule.instrument.conversion_instrument = ""
            rule.instrument.quote = rule.instrument.settle = NOWHERE
    return [(topics.RISK_RULES, f"{rule.rule_id}@{rule.effective_from_ms}", rule) for rule in found]
