"""The four desks at the simulated venues: what is open is cancelled, the position reduced once, whatever goes wrong on the way."""

import json
from decimal import Decimal

import pytest

from streams.venues.execute.words import CANCEL, Limits
from streams.venues.simulator.catalogue import BINANCE, BYBIT, KUCOIN, OKX, VENUES
from tests.venues.execute.floor import QUICK, Floor, floor

PLACE = {BINANCE: "/fapi/v1/order", BYBIT: "/v5/order/create", OKX: "/api/v5/trade/order", KUCOIN: "/api/v1/orders"}
DUPLICATE = {
    BINANCE: (400, {"code": -4116, "msg": "ClientOrderId is duplicated."}),
    BYBIT: (200, {"retCode": 110072, "retMsg": "OrderLinkedID is duplicate", "result": {}}),
    OKX: (200, {"code": "1", "msg": "All operations failed", "data": [{"sCode": "51016", "sMsg": "Client order ID already exists."}]}),
    KUCOIN: (200, {"code": "300018", "msg": "clientOid parameter repeated"})}
FAULTS: dict[str, dict[str, object]] = {
    "before": {"status": 503},
    "after": {"status": 503, "after_effect": True}, "cut": {"status": 200, "body": "<html>", "after_effect": True},
    "unread": {"status": 200, "body": "<html>"}, "limited": {"status": 429}}


def expect_once(found: Floor, step_number: int = 2) -> None:
    """One order of the step, and the position smaller by it."""
    step = found.step(number=step_number)
    [order] = found.sent(step)
    assert (order.reduce_only, order.type, order.filled) == (True, "MARKET", Decimal(found.closes))
    assert found.held() == Decimal(found.size) - Decimal(found.closes)


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("side", ["BUY", "SELL"])
async def test_open_orders_of_the_symbol_go_and_the_position_shrinks(venue: str, side: str) -> None:
    async with floor(venue) as found:
        found.hold(side)
        step = found.step()
        outcome = await found.carry_out(step)
        assert outcome is not None
        assert (outcome.status, outcome.filled, outcome.error) == ("filled", Decimal(found.closes), "")
        assert outcome.price == found.sent(step)[0].average
        assert abs(found.held()) == Decimal(found.size) - Decimal(found.closes)
        assert found.waiting() == ({found.other}, [])
        assert [one.status for one in found.told] == ["accepted"]
        assert await found.carry_out(step) == outcome
        assert len(found.sent(step)) == 1


@pytest.mark.parametrize("venue", VENUES)
async def test_cancelling_alone_takes_all_symbols(venue: str) -> None:
    async with floor(venue) as found:
        found.hold()
        outcome = await found.carry_out(found.step()._replace(action=CANCEL, symbol="", venue=""))
        assert outcome is not None
        assert (outcome.status, outcome.error) == ("completed", "")
        assert found.waiting() == (set(), [])
        assert found.held() == Decimal(found.size)


@pytest.mark.parametrize("venue", [BINANCE, BYBIT, OKX])
@pytest.mark.parametrize(("side", "opens", "sign"), [("LONG", "BUY/LONG", 1), ("SHORT", "SELL/SHORT", -1)])
async def test_a_leg_of_a_hedge_is_reduced_and_the_other_is_not(venue: str, side: str, opens: str, sign: int) -> None:
    async with floor(venue) as found:
        found.sim.exchange_of("a").set_hedge(found.account, True)
        other = "SELL/SHORT" if side == "LONG" else "BUY/LONG"
        found.sim.trade("a", found.symbol, opens, found.size)
        found.sim.trade("a", found.symbol, other, found.size)
        outcome = await found.carry_out(found.step(side))
        assert outcome is not None
        assert (outcome.status, outcome.error) == ("filled", "")
        assert found.held(side) == sign * (Decimal(found.size) - Decimal(found.closes))
        assert abs(found.held("SHORT" if side == "LONG" else "LONG")) == Decimal(found.size)


@pytest.mark.parametrize("venue", VENUES)
async def test_more_than_is_held_closes_what_is_held(venue: str) -> None:
    async with floor(venue) as found:
        found.sim.trade("a", found.symbol, "BUY", found.size)
        step = found.step()._replace(quantity=Decimal(found.size) * 3)
        outcome = await found.carry_out(step)
        assert outcome is not None
        assert (outcome.status, outcome.filled, found.held()) == ("filled", Decimal(found.size), Decimal(0))
        again = await found.carry_out(found.step(number=3))
        assert again is not None
        assert (again.status, again.error[:11]) == ("refused", "no position")


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_lost_or_broken_answer_makes_no_second_order(venue: str, fault: str) -> None:
    async with floor(venue) as found:
        found.hold()
        found.sim.fault("http", method="POST", path=PLACE[venue], headers={"Retry-After": "1"}, **FAULTS[fault])
        outcome = await found.carry_out(found.step())
        assert outcome is not None
        assert (outcome.status, outcome.error) == ("filled", "")
        assert found.sim.faults.taken == {"http": 1}
        expect_once(found)


@pytest.mark.parametrize("venue", VENUES)
async def test_a_duplicate_client_order_id_is_success_to_be_looked_up(venue: str) -> None:
    async with floor(venue) as found:
        found.hold()
        status, body = DUPLICATE[venue]
        found.sim.fault("http", method="POST", path=PLACE[venue], status=status, body=json.dumps(body), after_effect=True)
        outcome = await found.carry_out(found.step())
        assert outcome is not None
        assert (outcome.status, outcome.error) == ("filled", "")
        expect_once(found)


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("lost", [False, True])
async def test_killed_between_any_two_commands(venue: str, lost: bool) -> None:
    async with floor(venue) as found:
        found.sim.trade("a", found.symbol, "BUY", found.size)
        for at in range(14):
            step = found.step(number=10 + at)._replace(quantity=Decimal(found.closes) / 20)
            before = found.held()
            first = await found.carry_out(step, at, lost=lost)
            outcome = await found.carry_out(step)
            assert outcome is not None
            assert outcome.status == "filled"
            assert first in (None, outcome)
            assert (len(found.sent(step)), before - found.held()) == (1, step.quantity), at


@pytest.mark.parametrize(("slow_ms", "attempts"), [(3_000, 1), (9_000, 2)])
async def test_an_order_that_comes_late_is_waited_for_and_one_that_comes_too_late_is_refused(slow_ms: int, attempts: int) -> None:
    """The venue's own window: what we gave up on may still come, until its stamp is too old."""
    async with floor(BINANCE) as found:
        found.hold()
        found.window_ms, found.limits = 5_000, QUICK._replace(ask_within_ms=1_000, slack_ms=1_000)
        await found.rest.measure()
        found.sim.fault("slow", method="POST", path=PLACE[BINANCE], ms=slow_ms)
        outcome = await found.carry_out(found.step())
        assert outcome is not None
        assert (outcome.status, outcome.error) == ("filled", "")
        assert found.attempts[found.step().step_id][0] == attempts
        assert [one.status for one in found.told][:1] == ["unknown"]
        expect_once(found)


@pytest.mark.parametrize("venue", VENUES)
async def test_what_the_venue_refuses_is_said_in_its_words_without_secrets(venue: str) -> None:
    async with floor(venue) as found:
        found.hold()
        found.account.secret = "x" + found.account.secret[1:]
        keys = found._keys()
        found.account.secret = "y" + found.account.secret[1:]
        found._keys = lambda: keys  # type: ignore[method-assign]
        outcome = await found.carry_out(found.step())
        assert outcome is not None
        assert outcome.status == "refused"
        assert outcome.error.endswith(": not sent")
        for secret in (found.account.key, found.account.secret, keys.secret.reveal(), *filter(None, [found.account.passphrase])):
            assert secret not in outcome.error
        assert found.sent(found.step()) == []


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize(("limits", "says"), [
    (QUICK._replace(dry_run=True), "dry run: would close"),
    (QUICK._replace(step_notional_max=Decimal(11_999)), "at most 11999 a step, was 12")])
async def test_a_dry_run_and_a_cap_touch_nothing(venue: str, limits: Limits, says: str) -> None:
    async with floor(venue) as found:
        found.hold()
        found.limits = limits
        outcome = await found.carry_out(found.step())
        assert outcome is not None
        assert outcome.status == "refused"
        assert says in outcome.error
        assert (found.sent(found.step()), found.held()) == ([], Decimal(found.size))
        assert found.waiting()[0] == {found.symbol, found.other}
        assert len(found.waiting()[1]) == 1
