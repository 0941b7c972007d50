"""What a session does with answers and closes that come late, twice or empty."""

from decimal import Decimal

import pytest

from streams.venues import binance
from streams.venues.secret import Secret
from streams.venues.venue import Credentials, Judged, Reason, Request
from streams.venues.words import Answered, Call, Changed, Close, Closed, Failed, Opened, Started, Ticked
from tests.venues.world import MINUTE, World, live_world


def test_a_rest_answer_of_an_attempt_that_is_over_is_ignored() -> None:
    world = World(1)
    [call] = [one for one in world.session.step(Started(), world.now_ms) if isinstance(one, Call)]
    world.session.step(Changed(), world.now_ms)
    assert world.session.step(Answered(call.call, b'{"listenKey": "late"}'), world.now_ms) == []
    assert world.session.step(Failed(call.call, Judged(Reason.AUTH)), world.now_ms) == []
    assert world.session.step(Opened(99), world.now_ms) == []


def test_a_refused_request_is_no_secret() -> None:
    signed = binance.sign(Credentials(Secret("the-key"), Secret("the-secret")), Request("x", "/x", (("symbol", "BTC USDT"),)), 5)
    assert signed.query.startswith("symbol=BTC%20USDT&recvWindow=5000&timestamp=5&signature=")
    assert "the-secret" not in signed.query


def test_a_deposit_that_the_stream_told_is_no_silence() -> None:
    world = live_world()
    world.run(MINUTE)
    world.act(world.ledger.deposit(Decimal(5), world.now_ms))  # a balance moves, no order and no position
    world.run(20 * MINUTE)
    assert [report.kind for report in world.reports] == ["live"]
    assert [request.path for _, request in world.calls].count("/fapi/v3/account") > 1  # it was looked into


def test_what_is_closed_is_closed_once() -> None:
    world = live_world()
    number = next(iter(world.sockets))
    said = world.session.step(Closed(number, "cut"), world.now_ms)
    assert [one for one in said if isinstance(one, Close)] == []
    assert world.session.step(Closed(number, "cut"), world.now_ms) == []


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b'{"listenKey": 5}'])
def test_a_renewal_answered_by_nothing_is_not_the_last(body: bytes) -> None:
    world = live_world()
    [call] = [one for one in world.session.step(Ticked(), world.now_ms + 34 * MINUTE) if isinstance(one, Call)
              and one.request.method == "PUT"]
    world.session.step(Answered(call.call, body), world.now_ms + 34 * MINUTE)
    assert ("renew", 0) in world.session._timers
