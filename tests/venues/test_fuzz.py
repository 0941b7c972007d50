"""A few thousand mutated frames and answers a venue; `make fuzz` tries a hundred thousand."""

import random

import pytest

from streams.venues.decode import VENUES, normalise, snapshot
from streams.venues.frames import Asked, Receipt, Unreadable
from tests.venues.answers import ANSWERS
from tests.venues.fuzz import corpus, mutate, outcome, run

_FRAMES = 2_500


@pytest.mark.parametrize("venue", VENUES)
def test_every_mutated_frame_is_a_fact_a_signal_or_a_dead_letter(venue: str) -> None:
    found = run(venue, _FRAMES, seed=7)
    assert sum(found.values()) == _FRAMES
    assert found["facts"] > _FRAMES / 10, "mutations that leave nothing readable try nothing"
    assert found["unreadable"] > _FRAMES / 10, "mutations that harm nothing try nothing"


@pytest.mark.parametrize("venue", VENUES)
def test_an_unharmed_frame_is_never_unreadable(venue: str) -> None:
    assert all(outcome(venue, frame, Receipt("live:1", "a1")) != "unreadable" for frame in corpus(venue))


@pytest.mark.parametrize("venue", VENUES)
def test_a_mutated_answer_is_facts_or_unreadable(venue: str) -> None:
    chance, refused = random.Random(11), 0
    for _ in range(400):
        part = chance.choice(list(ANSWERS[venue]))
        parts = {**ANSWERS[venue], part: mutate(ANSWERS[venue][part], chance)}
        try:
            snapshot(venue, parts, Receipt("live:1", "a1"), Asked(1, "s1"))
        except Unreadable:
            refused += 1
    assert 0 < refused < 400


def test_a_normaliser_that_breaks_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(venue: str, frame: bytes, receipt: Receipt) -> object:
        if len(frame) % 50 == 0:
            raise KeyError("e")
        return normalise(venue, frame, receipt)

    monkeypatch.setattr("tests.venues.fuzz.normalise", broken)
    with pytest.raises(AssertionError, match="binance_usdm"):
        run("binance_usdm", 500, seed=1)
