"""A recorded history gone through once more: folds, prices, checks and timers as a worker has them, in the order of time."""

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from operator import attrgetter, itemgetter
from typing import NamedTuple, cast

from agents.facts import Facts, Reading
from streams.app import plans
from streams.checks import Checks, Room
from streams.engine.ledger import Ledger
from streams.engine.rows import Codec
from streams.replay.book import Book
from streams.replay.otherwise import Alternative
from streams.replay.progress import bar
from streams.replay.recording import Recorded, Recording
from streams.replay.simulated import Elapsed, SimulatedPrices, Timers, drain
from streams.replay.told import Told
from streams.topics import ACCOUNT_SOURCES, CONTROL, ORDER_SOURCES, PRICE_TICKS, RISK_RULES
from tables.policy import Policy

SOURCES = (*ACCOUNT_SOURCES, PRICE_TICKS, RISK_RULES, CONTROL)

_PLACE = attrgetter("topic", "partition")


class Start(NamedTuple):
    """Where a replay begins: before `begin_ms` records are folded and nobody is judged; rows of each ledger by key.

    What shares a step of time is one moment: all of it is folded, then whoever is due is judged at the step's end.
    """

    begin_ms: int = 0
    step_ms: int = 1
    accounts: Iterable[tuple[bytes, bytes]] = ()
    orders: Iterable[tuple[bytes, bytes]] = ()


class History:
    """One replay; ask its parts when `run` is through."""

    def __init__(self, recording: Recording, other: Alternative | None = None) -> None:
        self.recording, config = recording, recording.manifest.config
        policy = Policy(config.settle_ms_max, config.report_ms_max, config.gap_held_max)
        self.told, self.records, self.until_ms = Told(), Counter[str](), 0
        self.accounts, self.orders = (Book(plan, self.told.take) for plan in plans(config))
        self.prices = SimulatedPrices(config, other or Alternative())
        room = Room(cast("Ledger", self.accounts), cast("Ledger", self.orders), self.prices, policy)
        self.checks = Checks(config, room)
        self.checks.settling = Elapsed(room.accounts, policy)
        reading = Reading(config.partitions, config.default_user_type, policy)
        self.facts = Facts(reading, self.checks.due, self.accounts.fits, self.orders.fits)
        self._timers = Timers(self.checks, self.prices)
        self._begun = False

    def run(self, start: Start) -> None:
        """From the start to the last record, and on to where the window ends."""
        self._load(start)
        files = self.recording.files(SOURCES)
        with bar("replay", sum(file.records for file in files)) as say:
            for at_ms, moment in _moments(self.recording.merged(files), start.step_ms):
                self._to(at_ms, start.begin_ms)
                for records in moment:
                    self._take(records)
                    say(len(records))
                if self._begun:
                    drain(self.checks)
        end_ms = self.recording.manifest.to_ms or self.until_ms
        self._to(max(end_ms, self.until_ms, start.begin_ms), start.begin_ms)
        drain(self.checks)

    def _load(self, start: Start) -> None:
        for book, rows in ((self.accounts, start.accounts), (self.orders, start.orders)):
            codec = Codec(len(book.sources), book.plan.dump, book.plan.load)
            for key, value in rows:
                row = book.rows[key] = codec.decode(value)
                row.outbox = []  # told before
        self.prices.at_ms = start.begin_ms
        for key, state in self.accounts.states():
            self.checks.put(key, state)

    def _to(self, at_ms: int, begin_ms: int) -> None:
        """The clock goes on; what only time decides is decided on the way."""
        if not self._begun and at_ms >= begin_ms:
            self._begin(begin_ms or at_ms)
        if self._begun:
            self._timers.pass_until(at_ms)
        self.prices.at_ms = self.until_ms = at_ms

    def _begin(self, begin_ms: int) -> None:
        """As after a takeover: everybody is judged once what lay there is folded."""
        self._begun, self.prices.at_ms = True, begin_ms
        self._timers.begin(begin_ms)
        for user, account in sorted(self.checks.rungs):
            self.checks.due(user, account, "recovered")
        drain(self.checks)

    def _take(self, records: list[Recorded]) -> None:
        topic = records[0].topic
        self.records[topic] += len(records)
        if topic not in ACCOUNT_SOURCES:
            self.prices.take(records)
            return
        self.facts.read(_Bundle(topic, records))
        self.accounts.fold(records, self.facts.account_step, self.facts.key_of)
        if topic in ORDER_SOURCES:
            self.orders.fold(records, self.facts.order_step, self.facts.order_key_of)


class _Bundle(NamedTuple):
    topic: str
    records: list[Recorded]


def _moments(records: Iterator[tuple[int, Recorded]], step_ms: int) -> Iterator[tuple[int, Iterator[list[Recorded]]]]:
    """(end in ms, records of one partition each) of every step that has some."""
    for step, moment in itertools.groupby(records, lambda pair: pair[0] // step_ms):
        yield (step + 1) * step_ms - 1, (list(group) for _, group in itertools.groupby(map(itemgetter(1), moment), _PLACE))
