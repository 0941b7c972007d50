"""A worker that is killed or sleeps too long is replaced, by a spare without partitions where there is one; how long it took is told.

Who slept and wakes up leaves no row and no verdict: rows and ids are those of the oracles.
"""

import asyncio
import time
from pathlib import Path

import pytest

from streams.stack import process, supervisor
from streams.stack.process import StackError
from tests.chaos.cluster import Cluster, Shape, cluster, owned_at
from tests.chaos.run import Chaos

SEED = 7
USERS = 300
FACTS = 3_000
PARTITIONS = {0, 1, 2, 3}
SHAPE = Shape(workers=len(PARTITIONS) + 1, bridges=1, static=True)
GENEROUS_S = 90.0  # a crowded machine; what is wanted is printed beside what was


def owned(on: Cluster, name: str) -> set[int]:
    return owned_at(on.ports[name])


def replaced(on: Cluster, name: str, how: str) -> float:
    """Seconds from the strike until all others own every partition and are ready."""
    others, began = [other for other in SHAPE.worker_names if other != name], time.monotonic()
    assert on.strike(name, how)
    whole = process.wait_until(lambda: all(supervisor.ready(on.ports[other]) for other in others)
                               and set().union(*(owned(on, other) for other in others)) == PARTITIONS, GENEROUS_S, 0.1)
    took = time.monotonic() - began
    assert whole, f"expected every partition owned within {GENEROUS_S:.0f} s of a {how}, was {[owned(on, other) for other in others]}"
    return took


@pytest.mark.chaos
def test_a_spare_takes_over_from_who_was_killed_and_from_who_sleeps(tmp_path: Path) -> None:
    try:
        with cluster(tmp_path, SHAPE) as on:
            chaos = Chaos(on, SEED, USERS)
            asyncio.run(chaos.begin())
            on.whole()
            asyncio.run(chaos.facts(chaos.feed.chunk(FACTS)))
            assert chaos.differences("before", lambda: chaos.expectation.muted(chaos._rows())) == []
            for how in ("kill", "pause"):
                [spare] = [name for name in SHAPE.worker_names if not owned(on, name)]
                struck = next(name for name in SHAPE.worker_names if name != spare)
                took = replaced(on, struck, how)
                wanted = on.config.session_timeout_s + 5 + USERS / 50_000 + USERS / 10_000
                print(f"takeover after a {how}: {took:.1f} s (wanted {wanted:.1f}), by {spare}")
                assert owned(on, spare)
                asyncio.run(chaos.facts(chaos.feed.chunk(FACTS)))
                assert chaos.differences(f"after the {how}", lambda: chaos.expectation.muted(chaos._rows())) == []  # who slept woke up
    except StackError as error:
        pytest.skip(str(error))
