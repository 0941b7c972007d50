"""The budget of an egress address: never above it, who has positions first, nobody through an open breaker; under a simulated clock."""

import random

import pytest

from streams.venues.weights import Weights

MINUTE = 60_000


def storm(accounts: int, urgent: int, weight: int) -> tuple[list[tuple[int, int]], dict[int, bool]]:
    """All accounts fall at once and ask; (time, number) of each admission, and who was urgent."""
    weights, now = Weights(2_400, 60), 0
    who = {weights.want(weight, urgent=number < urgent): number < urgent for number in random.Random(1).sample(range(accounts), accounts)}
    found: list[tuple[int, int]] = []
    while len(found) < accounts:
        found += [(now, number) for number in weights.admitted(now)]
        now = weights.due(now) or now
    return found, who


def test_a_storm_stays_within_the_budget_of_every_minute() -> None:
    found, _ = storm(200, 50, 130)
    for start, _ in found:
        assert sum(130 for at, _ in found if start <= at < start + MINUTE) <= 2_400


def test_in_a_storm_those_with_positions_go_first() -> None:
    found, who = storm(200, 50, 130)
    assert [who[number] for _, number in found[:50]] == [True] * 50


def test_the_urgent_never_wait_for_a_minute_that_the_idle_used_up() -> None:
    weights = Weights(2_400, 60)
    idle = [weights.want(100) for _ in range(40)]
    assert set(weights.admitted(0)) < set(idle)
    assert weights.admitted(1) == []
    late = weights.want(130, urgent=True)
    assert weights.admitted(2) == [late]


def test_connects_are_one_a_second_and_cost_no_weight() -> None:
    weights = Weights(2_400, 60)
    for _ in range(5):
        weights.want(0, connect=True)
    times: list[int] = []
    now = 10_000
    while len(times) < 5:
        times += [now for _ in weights.admitted(now)]
        now = weights.due(now) or now
    assert times == [10_000, 11_000, 12_000, 13_000, 14_000]


@pytest.mark.parametrize("connect", [True, False])
def test_through_an_open_breaker_nobody_goes(connect: bool) -> None:
    weights = Weights(2_400, 60)
    weights.shut(120_000, 5_000)
    number = weights.want(1, urgent=True, connect=connect)
    assert weights.admitted(124_999) == []
    assert weights.due(6_000) == 125_000
    assert weights.admitted(125_000) == [number]


def test_a_shorter_ban_does_not_shorten_a_longer_one() -> None:
    weights = Weights(2_400, 60)
    weights.shut(120_000, 0)
    weights.shut(1_000, 10)
    assert weights.shut_until_ms == 120_000


def test_what_others_used_on_the_address_counts() -> None:
    weights = Weights(2_400, 60)
    weights.want(100, urgent=True)
    weights.admitted(0)
    weights.told(2_100, 10)
    weights.want(100, urgent=True)
    assert weights.admitted(20) == []
    assert len(weights.admitted(MINUTE + 11)) == 1


def test_who_has_gone_is_not_admitted() -> None:
    weights = Weights(2_400, 60)
    gone, stays = weights.want(1), weights.want(1)
    weights.forget(gone)
    assert weights.admitted(0) == [stays]
    assert weights.due(1) is None


def test_more_than_a_budget_goes_alone_instead_of_never() -> None:
    weights = Weights(100, 60)
    weights.want(5_000)
    assert len(weights.admitted(0)) == 1


def test_when_the_breaker_closes_who_fits_goes_at_once() -> None:
    weights = Weights(1_000, 60)
    weights.want(5)
    weights.admitted(0)
    weights.shut(1_000, 10)
    number = weights.want(5)
    assert weights.admitted(20) == []
    assert weights.due(20) == 1_010
    assert weights.admitted(1_010) == [number]
