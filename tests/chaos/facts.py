"""What the chaos runs are fed: the generator's facts with late repeats, topics out of order, and deltas that only a fence tells apart."""

import random

from schemas.engine_pb2 import WalletDelta
from schemas.keys import HOUSE
from streams import topics
from streams.stack.generator_facts import FIRST_USER, Facts
from streams.stack.generator_house import Record
from streams.stack.market import INSTRUMENTS

START_MS = 1_760_000_000_000
HOT_USERS = 4
SINK_MS = 20_000  # of market time between barriers: two instruments sink on a script
_REPEATED = 0.03
_REMEMBERED = 2_000


class Feed:
    """Seeded facts in chunks and prices at barriers, which alone move them."""

    def __init__(self, seed: int, users: int) -> None:
        self._random = random.Random(f"feed {seed}")
        self._facts = Facts(seed, users, start_ms=START_MS)
        self._sent: list[Record] = []
        self._hot = self._barriers = 0
        self._now_ms = START_MS
        self._ahead = self._facts.opening(self._now_ms)

    def chunk(self, count: int) -> list[Record]:
        """At least `count` facts and some of the last 2,000 again, topic by topic, the topics in any order."""
        while len(self._ahead) < count:
            self._now_ms += 5
            self._ahead += self._facts.next_batch(self._now_ms)
        found, self._ahead = self._ahead, []
        self._sent = [*self._sent, *found][-_REMEMBERED:]
        found = found + self._random.choices(self._sent, k=int(len(found) * _REPEATED))
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

    def prices(self) -> list[Record]:
        """The next price of every instrument."""
        self._barriers += 1
        ticks = [self._facts.market.tick(START_MS + self._barriers * SINK_MS) for _ in INSTRUMENTS]
        return [(topics.PRICE_TICKS, tick.instrument, tick) for tick in ticks]
