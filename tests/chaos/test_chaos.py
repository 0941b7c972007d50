"""Facts under kill -9, SIGTERM and rebalances: at every barrier rows, verdicts and both mirrors are right; without fences they are not."""

import asyncio
import random
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from streams import topics
from streams.stack.generator import send
from streams.stack.generator_house import Record
from streams.stack.market import rules
from streams.stack.oracle_lag import quiet
from streams.stack.oracle_topics import read_topics
from streams.stack.process import StackError
from streams.stack.selfcheck import _READ, compare_all
from tests.chaos.cluster import BRIDGES, WORKERS, Cluster, Words, cluster
from tests.chaos.facts import Feed

SEED = 20_261_121
USERS = 300
FACTS = 20_000
BARRIERS = 3
BURSTS, BURST = 2, 1_400  # a burst at each end of a phase
STRIKES = [(name, how) for name in (*WORKERS, *BRIDGES) for how in ("kill", "end")]
CHUNK = (FACTS - BARRIERS * BURSTS * BURST) // (BARRIERS * len(STRIKES)) + 1
UNFENCED = Path(__file__).parent / "worker_without_fences.py"


class Chaos:
    """One run: phases of facts under strikes, each with a barrier at its end. What was done is told where it fails."""

    def __init__(self, on: Cluster, seed: int) -> None:
        self._on, self._feed, self._random = on, Feed(seed, USERS), random.Random(f"chaos {seed}")
        self.said = [f"seed {seed}"]
        self.sent = 0
        self.counts: dict[str, int] = {}

    def phase(self) -> list[str]:
        """Facts under strikes, then a barrier where prices move; what differs before and after they do."""
        asyncio.run(self._struck())
        return self._differences("folded") or [*asyncio.run(self._publish(self._feed.prices())), *self._differences("prices moved")]

    async def _struck(self) -> None:
        strikes = self._random.sample(STRIKES, len(STRIKES))
        await self._burst(*((name, "kill") for name in WORKERS))
        for name, how in strikes:
            await self._facts(self._feed.chunk(CHUNK))
            await asyncio.sleep(self._random.uniform(0.1, 1.2))
            self._strike(name, how)
            for dead in self._on.dead:
                if self._random.random() < 0.6:
                    self._on.start(dead)
        await self._burst((self._random.choice(WORKERS), "end"))

    async def _burst(self, *strikes: tuple[str, str]) -> None:
        """Many deltas while all live; then workers die between writing rows and committing offsets, or one leaves the other its part."""
        self._on.whole()
        await self._facts(self._feed.burst(BURST))
        await asyncio.sleep(self._random.uniform(0.8, 1.4))
        for name, how in strikes:
            self._strike(name, how)

    def _strike(self, name: str, how: str) -> None:
        self.said.append(f"{time.strftime('%H:%M:%S')} {how} {name} at {self.sent}")
        self._on.strike(name, how)

    async def _facts(self, records: Sequence[Record]) -> None:
        await self._publish(records)
        self.sent += len(records)

    async def _publish(self, records: Sequence[Record]) -> list[str]:
        producer = AIOKafkaProducer(bootstrap_servers=self._on.config.kafka_bootstrap, acks="all", enable_idempotence=True)
        await producer.start()
        try:
            await send(producer, records)
        finally:
            await producer.stop()
        return []

    async def begin(self) -> None:
        """Rules before everything."""
        await self._publish([(topics.RISK_RULES, f"{rule.rule_id}@{rule.effective_from_ms}", rule) for rule in rules()])

    def _differences(self, when: str) -> list[str]:
        self._on.whole()
        found = asyncio.run(self._compared())
        self.said.append(f"{time.strftime('%H:%M:%S')} {when}: {len(found)} differences")
        return found

    async def _compared(self) -> list[str]:
        moving = await quiet(self._on.config, 40.0)
        read = await read_topics(self._on.config, _READ)
        self.counts = {name: len(records) for name, records in read.items()}
        return [moving] * bool(moving) + compare_all(self._on.config, read)


def _run(folder: Path, worker: Words) -> tuple[Chaos, list[str]]:
    """Phases until one differs."""
    try:
        with cluster(folder, worker) as on:
            chaos = Chaos(on, SEED)
            asyncio.run(chaos.begin())
            found = next((lines for _ in range(BARRIERS) if (lines := chaos.phase())), [])
            return chaos, found
    except StackError as error:
        pytest.skip(str(error))


@pytest.mark.chaos
def test_every_barrier_finds_what_the_oracle_says(tmp_path: Path) -> None:
    chaos, differences = _run(tmp_path, ("-m", "streams", "worker"))
    assert differences == [], "\n".join([*chaos.said, *differences[:20]])
    assert chaos.sent >= FACTS
    # Without verdicts of both kinds the barriers would have compared nothing.
    assert chaos.counts[topics.MARGIN_CALLS] > 0
    assert chaos.counts[topics.LIQUIDATIONS] > 0
    print("\n".join(chaos.said), chaos.counts)


@pytest.mark.chaos
def test_without_fences_the_same_run_fails(tmp_path: Path) -> None:
    chaos, differences = _run(tmp_path, (UNFENCED,))
    twice = [line for line in differences if line.startswith("row of live:") and "balance USD" in line]
    assert twice, "\n".join([*chaos.said, *differences[:20]])
