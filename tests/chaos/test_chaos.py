"""Facts under kill -9, SIGTERM, SIGSTOP and rebalances: at every barrier rows, verdicts by id and mirrors are right; not without fences.

What it proves: after each phase of facts, and again after prices moved while a process died, the log holds exactly the transitions and
steps that an oracle of its own counts from facts and prices, each id with one content, derived again from its stamp byte for byte.
"""

import asyncio
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from streams import topics
from streams.stack.process import StackError
from tests.chaos.cluster import EXTRA, Shape, cluster
from tests.chaos.run import BURST, Blows, Chaos

SEED = 20_261_121
USERS = 300
FACTS = 20_000
SHAPE = Shape()
FIRST, SECOND = SHAPE.worker_names
STRIKES = [*((name, how) for name in (*SHAPE.worker_names, *SHAPE.bridge_names) for how in ("kill", "end")), (EXTRA, "join")]
CHUNK = (FACTS - 2 * 2 * BURST) // (2 * len(STRIKES)) + 1
UNFENCED = Path(__file__).parent / "worker_without.py"


def blows(chance: random.Random) -> list[Blows]:
    """Two phases: strikes in any order, the extra worker leaves at the end. Once both workers die in a burst, once one sleeps."""
    orders = [[*chance.sample(STRIKES, len(STRIKES)), (EXTRA, "leave")] for _ in range(2)]
    return [Blows([(FIRST, "kill"), (SECOND, "kill")], orders[0], (FIRST, "pause"), CHUNK),
            Blows([(SECOND, "pause")], orders[1], (FIRST, "kill"), CHUNK)]


def run(folder: Path, shape: Shape, phases: Callable[[random.Random], list[Blows]]) -> tuple[Chaos, list[str]]:
    """Phases until one differs."""
    try:
        with cluster(folder, shape) as on:
            chaos = Chaos(on, SEED, USERS)
            asyncio.run(chaos.begin())
            return chaos, next((lines for each in phases(chaos.random) if (lines := chaos.phase(each))), [])
    except StackError as error:
        pytest.skip(str(error))


@pytest.mark.chaos
def test_every_barrier_finds_what_the_oracles_say(tmp_path: Path) -> None:
    chaos, differences = run(tmp_path, SHAPE, blows)
    counts = {name: len(records) for name, records in chaos.read.items()}
    print("\n".join(chaos.said), counts, chaos.on.ended, len(chaos.expectation.said))
    assert differences == [], "\n".join([*chaos.said, *differences[:20]])
    assert chaos.sent >= FACTS
    # Without verdicts of every kind the barriers would have compared nothing.
    assert {kind for kind, _ in chaos.expectation.said} == {"margin call", "ordered", "step_ordered", "completed", "refused"}
    assert counts[topics.LIQUIDATION_REPORTS] > 0


@pytest.mark.chaos
def test_without_fences_it_fails(tmp_path: Path) -> None:
    bursts = Blows([(FIRST, "kill"), (SECOND, "kill")], [(FIRST, "kill")], (FIRST, "kill"), CHUNK)
    chaos, differences = run(tmp_path, SHAPE._replace(worker=(UNFENCED, "fences")), lambda chance: [bursts])
    twice = [line for line in differences if line.startswith("row of live:") and "balance USD" in line]
    assert twice, "\n".join([*chaos.said, *differences[:20]])
