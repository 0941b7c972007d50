"""Random histories of all four venues under a simulated clock: the product's simulator on the other side, everything going wrong."""

import pytest

from streams.venues.places import venue_of
from streams.venues.words import Changed, State
from tests.venues.folded import fold
from tests.venues.harness import compared
from tests.venues.histories import run
from tests.venues.wire import WireWorld

VENUES = ("binance_usdm", "bybit_v5", "okx_v5", "kucoin_futures")
SEEDS, AT_ONCE = range(20), 5


@pytest.mark.parametrize("first", SEEDS[::AT_ONCE])
@pytest.mark.parametrize("venue", VENUES)
def test_a_random_history_ends_in_the_simulators_state(venue: str, first: int) -> None:
    assert run(venue, range(first, first + AT_ONCE))["why"] == []


@pytest.mark.parametrize("venue", VENUES)
def test_who_does_not_ask_about_the_gap_misses_fills(venue: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.venues.wire.venue_of", lambda *given: venue_of(*given)._replace(gap=lambda _: ()))
    assert "fills: expected" in str(run(venue, range(3))["why"])


@pytest.mark.parametrize(("venue", "said"), [("bybit_v5", "login_failed"), ("okx_v5", "login_failed"), ("kucoin_futures", "401")])
@pytest.mark.parametrize("times", [1, 2])
def test_a_way_in_that_is_too_old_is_made_anew_and_a_login_refused_twice_waits_for_the_user(venue: str, said: str, times: int) -> None:
    world = WireWorld(venue, 1)
    world.start()
    world.run(10_000)
    world.stale = times
    world.cut()
    world.act()
    world.run(120_000)
    kinds = [report.kind for report in world.reports if said in report.text or report.kind == "auth_failed"]
    if said == "401" or times == 1:
        assert kinds == ["attempt_failed"] * times
    else:
        assert kinds == ["attempt_failed", "auth_failed"]
        assert (world.session.state, world.session.due()) == (State.AUTH_FAILED, None)
        world.hear(Changed())
        world.run(120_000)
    assert (world.stale, world.session.state) == (0, State.LIVE)
    assert compared(fold(world.told), "bn", venue, world.sim.truth(world.account.name)) == []


def test_a_fill_told_while_fees_are_about_to_be_asked_for_gets_its_own() -> None:
    world = WireWorld("kucoin_futures", 1)
    world.start()
    world.run(10_000)
    for wait_ms in (900, 120_000):  # the second is told before the first one's question, and REST does not know it yet
        world._time()
        world.sim.trade(world.account.name, "XBTUSDTM", "BUY", "3")
        world.venue.remember(world.account)
        world.sim.fault("lag", path="/api/v1/fills", ms=600)
        world.run(wait_ms)
    assert compared(fold(world.told), "bn", world.venue_name, world.sim.truth(world.account.name)) == []
