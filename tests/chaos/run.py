"""A chaos run: facts under strikes, and barriers at which rows, mirrors and the ids of all verdicts are compared with the oracles."""

import asyncio
import random
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from streams import topics
from streams.config import Config
from streams.stack.generator import send
from streams.stack.generator_house import Record
from streams.stack.oracle import Expected, Seen, fold
from streams.stack.oracle_lag import quiet
from streams.stack.oracle_topics import read_topics
from streams.stack.process import StackError
from streams.stack.selfcheck import _READ, FACTS, compare_all
from tests.chaos.cluster import Cluster
from tests.chaos.expected import Expectation, chain_differences, dead_letter_differences
from tests.chaos.facts import Feed, poison_users, settings, ticks_of

BURST = 1_400
RESTLESS_S = 0.05  # between two ticks where prices never rest
HEARD_S = 1.5  # a live worker has read the prices before the rules that let it judge by them
BROKER_S = 120.0  # until a broker that was taken away is back
LATE_S = 45.0  # after quiet, until everything must agree
Strike = tuple[str, str]
Read = Mapping[str, list[Seen]]


@asynccontextmanager
async def producing(config: Config) -> AsyncIterator[AIOKafkaProducer]:
    """A producer; while no broker is there it is waited for.

    It must not give up a record either: sent again by another producer it might be there twice. aiokafka gives up what has no leader for
    as long as a request may take.
    """
    until = time.monotonic() + BROKER_S
    while True:
        producer = AIOKafkaProducer(bootstrap_servers=config.kafka_bootstrap, acks="all", enable_idempotence=True,
                                    request_timeout_ms=int(1000 * BROKER_S))
        try:
            await producer.start()
            break
        except KafkaError:
            await producer.stop()
            if time.monotonic() > until:
                raise
            await asyncio.sleep(0.5)
    try:
        yield producer
    finally:
        await producer.stop()


class Blows(NamedTuple):
    """Of one phase: `first` fall on a burst of deltas, each of `then` on a chunk of facts, `speaking` while all are judged."""

    first: Sequence[Strike]
    then: Sequence[Strike]
    speaking: Strike
    chunk: int = 500


class Chaos:
    """What was done is told where it fails."""

    def __init__(self, on: Cluster, seed: int, users: int, say: Callable[[str], None] = lambda text: None) -> None:
        self.on, self.feed, self.random = on, Feed(seed, users), random.Random(f"chaos {seed}")
        self.expectation = Expectation()
        self.said, self._say = [f"seed {seed}"], say
        self.sent, self.late_s = 0, 0.0
        self.struck: Counter[str] = Counter()
        self.read: Read = {}
        self.poison: set[tuple[str, int, int]] = set()
        self._away: list[threading.Thread] = []

    async def begin(self) -> None:
        """Rules before everything: the market is muted."""
        await self.publish([*settings(muted=True), *poison_users()])

    def phase(self, blows: Blows) -> list[str]:
        """Facts under strikes, then a barrier where prices move. What differs, before and after they did."""
        asyncio.run(self._facts_under(blows))
        found = self.differences("folded", lambda: self.expectation.muted(self._rows()))
        if found:
            return found
        rows = self._rows()
        prices = self.feed.prices()
        asyncio.run(self.publish([*self.feed.fund(rows), *ticks_of(prices)]))
        self.expectation.muted(rows)
        self.expectation.priced(rows, prices)
        time.sleep(HEARD_S)
        asyncio.run(self.publish(settings(muted=False)))
        time.sleep(self.random.uniform(0.0, 0.3))
        self.strike(*blows.speaking)
        found = self.differences("prices moved")
        self.feed.follow(self._rows())
        asyncio.run(self.publish(settings(muted=True)))
        return found

    def restless(self, blows: Blows) -> list[str]:
        """Facts under strikes while prices never rest: which rungs are passed is then a matter of time, but nobody contradicts."""
        asyncio.run(self.publish(settings(muted=False)))
        asyncio.run(self._restless(blows))
        return self.differences("prices came to rest", exact=False)

    async def _restless(self, blows: Blows) -> None:
        ticking = asyncio.create_task(self._tick())
        try:
            await self._facts_under(blows)
        finally:
            ticking.cancel()
            await asyncio.gather(ticking, return_exceptions=True)

    async def _tick(self) -> None:
        while True:
            await self.publish(ticks_of(self.feed.prices()))
            await asyncio.sleep(RESTLESS_S)

    async def _facts_under(self, blows: Blows) -> None:
        await self.burst(*blows.first)
        reports = self._reports()
        for strike in blows.then:
            if strike[1] == "pause":
                self.on.whole()  # who sleeps must own something and be at work
            await self.facts(self.feed.chunk(blows.chunk, reports))
            await self.poisons()
            reports = []
            await asyncio.sleep(self.random.uniform(0.1, 1.2))
            self.strike(*strike)
            for dead in self.on.dead:
                if self.random.random() < 0.6:
                    self.on.start(dead)
        await self.burst((self.random.choice(self.on.shape.worker_names), "end"))

    def _reports(self) -> list[Record]:
        found = []
        for user, account, step in self.expectation.plans():
            status, record = self.feed.report(user, account, step)
            self.expectation.reported(user, account, step, status)
            found.append(record)
        return found

    async def burst(self, *strikes: Strike) -> None:
        """Many deltas while all live; then workers die between writing rows and committing offsets, or one leaves the other its part."""
        self.on.whole()
        await self.facts(self.feed.burst(BURST))
        await asyncio.sleep(self.random.uniform(0.8, 1.4))
        for strike in strikes:
            self.strike(*strike)

    def strike(self, name: str, how: str) -> None:
        """Does it, and notes it where there was somebody to strike. A server is away for some seconds while all goes on."""
        if name in ("redis", "postgres") or name.startswith("kafka"):
            self._away.append(threading.Thread(target=self._take_away, args=(name, how, self.random.uniform(2.0, 5.0))))
            self._away[-1].start()
            hit = True
        else:
            hit = self.on.strike(name, how)
        self.struck[f"{how} {name.partition('-')[0]}"] += hit
        self.tell(f"{how} {name} at {self.sent}{'' if hit else ': dead or asleep'}")

    def _take_away(self, name: str, how: str, seconds: float) -> None:
        try:
            self.on.servers.take_away(name, how, seconds)
        except StackError as error:  # it did not come back: whatever else differs comes of that
            self.on.faults.insert(0, str(error))

    def healed(self) -> None:
        """All servers are back."""
        for thread in self._away:
            thread.join(120)

    def tell(self, text: str) -> None:
        self.said.append(f"{time.strftime('%H:%M:%S')} {text}")
        self._say(self.said[-1])

    async def facts(self, records: Sequence[Record]) -> None:
        await self.publish(records)
        self.sent += len(records)

    async def poisons(self) -> None:
        """Puts in what cannot be read, and remembers where it lies."""
        async with producing(self.on.config) as producer:
            for topic, key, value, partition in self.feed.poison(self.on.config.partitions):
                found = await producer.send_and_wait(topic, value, key, partition)
                self.poison.add((found.topic, found.partition, found.offset))

    async def publish(self, records: Sequence[Record]) -> None:
        async with producing(self.on.config) as producer:
            await send(producer, records)

    def _rows(self) -> dict[str, dict[str, Expected]]:
        """By the facts and the steps that were completed: the oracle's own fold."""
        return fold(record for name in (*FACTS, topics.LIQUIDATIONS) for record in self.read[name]).expected()

    def differences(self, when: str, expect: Callable[[], None] = lambda: None, *, exact: bool = True) -> list[str]:
        """All heals and comes to rest; then everything is compared. `expect` brings the expected ids up to what was read.

        Where something differs it is looked at again for `LATE_S`, for a rebalance may come after quiet: logs only grow, so that what was
        said wrongly, or twice, stays a difference. How late the last one vanished is told.
        """
        self.healed()
        moving = self._look()
        expect()
        found, began = [*moving, *self._compare(exact)], time.monotonic()
        while found and time.monotonic() - began < LATE_S:
            self.tell(f"{when}: {len(found)} differences, looked at again; {self.on.told()}; {found[0]}")
            time.sleep(2)
            found = [*self._look(), *self._compare(exact)]
            self.late_s = max(self.late_s, 0.0 if found else time.monotonic() - began)
        self.tell(f"{when}: {len(found)} differences")
        return found

    def _look(self) -> list[str]:
        self.on.whole()
        moving = asyncio.run(quiet(self.on.config, 120.0))
        self.read = asyncio.run(read_topics(self.on.config, (*_READ, topics.DEAD_LETTERS)))
        return [moving] if moving else []

    def _compare(self, exact: bool) -> list[str]:
        verdicts = self.read[topics.MARGIN_CALLS] + self.read[topics.LIQUIDATIONS]
        return [*compare_all(self.on.config, self.read), *(self.expectation.differences(verdicts) if exact else []),
                *chain_differences(verdicts), *dead_letter_differences(self.read[topics.DEAD_LETTERS], self.poison), *self.on.faults]
