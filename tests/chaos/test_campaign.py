"""What a campaign does with its seeds: the same faults each time, enough of every kind, and no seed again that passed."""

import json
import random
from collections import Counter
from pathlib import Path

import pytest

from tests.chaos.campaign import BARRIERS, passed, plan
from tests.chaos.cluster import EXTRA, Shape
from tests.chaos.run import BURST, Blows
from tests.chaos.story import Trial, between

SHAPE = Shape(workers=3, bridges=2, brokers=3, static=True)
TRIAL = Trial(seed=7, faults=30, brokers=3, without="", facts=100_000, product="abc")


def _strikes(phases: list[Blows]) -> list[tuple[str, str]]:
    return [strike for each in phases for strike in (*each.first, *each.then, each.speaking) if strike != (EXTRA, "leave")]


def test_a_seed_always_strikes_alike_and_with_every_kind() -> None:
    phases = plan(SHAPE, TRIAL, random.Random(1))
    assert phases == plan(SHAPE, TRIAL, random.Random(1))
    assert phases != plan(SHAPE, TRIAL, random.Random(2))
    assert len(phases) == BARRIERS + 1
    strikes = _strikes(phases)
    assert len(strikes) >= 30
    kinds = Counter(f"{name.partition('-')[0]} {how}" for name, how in strikes)
    assert kinds["worker pause"] >= 5
    assert {"redis away", "postgres away", "kafka restart", "kafka kill", "kafka pause", "worker join", "worker kill"} <= kinds.keys()
    assert {name for name, _ in strikes if name.startswith("kafka")} == {"kafka-1", "kafka-2", "kafka-3"}  # one at a time


def test_facts_are_dealt_out_to_the_phases() -> None:
    phases = plan(SHAPE, TRIAL, random.Random(1))
    facts = sum(each.chunk * len(each.then) + 2 * BURST for each in phases)
    assert 100_000 <= facts < 101_000


def test_a_seed_that_passed_is_not_run_again_on_the_same_product(tmp_path: Path) -> None:
    results = tmp_path / "chaos.jsonl"
    assert not passed(results, TRIAL)
    results.write_text(json.dumps({**TRIAL._asdict(), "ok": False}) + "\n")
    assert not passed(results, TRIAL)
    with results.open("a") as out:
        out.write(json.dumps({**TRIAL._asdict(), "ok": True}) + "\n")
    assert passed(results, TRIAL)
    assert not passed(results, TRIAL._replace(product="abd"))
    assert not passed(results, TRIAL._replace(seed=8))


def test_changes_without_a_commit_are_no_product_to_pass_on(tmp_path: Path) -> None:
    results, trial = tmp_path / "chaos.jsonl", TRIAL._replace(product="abc+")
    results.write_text(json.dumps({**trial._asdict(), "ok": True}) + "\n")
    assert not passed(results, trial)


@pytest.mark.parametrize(("facts", "expected"), [([], [0.0]), ([1_000], [0.0]), ([2_500], [6.5]), ([1_000, 8_000, 8_500], [1.0]),
                                                 ([9_050], [0.0])])
def test_a_partition_is_without_owner_while_facts_wait(facts: list[int], expected: list[float]) -> None:
    writes = [(0, True), (1_000, False), (2_000, False), (5_000, True), (6_000, True), (9_000, False), (9_100, False)]
    assert between(writes, facts) == expected
