"""Fifteen bugs that other clients had, each as a test of ours; where they were found stands beside each."""

import itertools
import json
from decimal import Decimal
from functools import partial
from urllib.parse import parse_qs, urlsplit

import pytest

from schemas import names
from schemas.user_data_pb2 import UserDataBalanceUpdateEvent, UserDataOrderUpdateEvent
from streams.venues import binance
from streams.venues.secret import Secret
from streams.venues.simulator.server import Simulator
from streams.venues.venue import Credentials, Judged, Reason
from streams.venues.words import Acknowledged, Answered, Call, Changed, Closed, Open, Received, Started, State, Stopped, Ticked
from tests.venues.folded import fold
from tests.venues.harness import reading
from tests.venues.histories import differences
from tests.venues.world import MINUTE, World, live_world

HOUR = 60 * MINUTE


def kinds(world: World) -> list[str]:
    return [report.kind for report in world.reports]


def asked(world: World, method: str, path: str) -> list[int]:
    return [at for at, request in world.calls if (request.method, request.path) == (method, path)]


KEY = "/fapi/v1/listenKey"


def test_01_the_retired_route_and_missing_events_are_never_used_and_a_mute_socket_is_found_out() -> None:
    """UBWA #437, Lean #9466, ccxt #28091: connected, and silent for ever."""
    url = urlsplit(binance.url(binance.MAINNET, Secret("k" * 64)).reveal())
    assert (url.scheme, url.netloc, url.path) == ("wss", "fstream.binance.com", "/private/ws")
    assert set(parse_qs(url.query)["events"][0].split("/")) >= {"ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE", "ALGO_UPDATE", "listenKeyExpired"}
    world = live_world()
    for socket in world.sockets.values():
        socket.mute = True
    world.run(30_000)
    world.act(world.ledger.deposit(Decimal(5), world.now_ms))
    world.run(20 * MINUTE)
    assert "silent" in kinds(world)
    assert differences(world) == []


def test_02_the_key_is_renewed_without_any_traffic() -> None:
    """ccxt #6760: renewed by traffic only, an idle account lost its key."""
    world = World(1)
    world.start()
    world.run(6 * HOUR)
    renewals = asked(world, "PUT", KEY)
    assert len(renewals) >= 10
    assert max(after - before for before, after in itertools.pairwise(renewals)) <= 33 * MINUTE + 1_000
    assert (world.session.links, world.keys) == (1, 1)


def test_03_one_key_at_a_time_and_no_address_without_one() -> None:
    """ccxt #9856, #29393: parallel creation, and a socket opened for listenKey=None."""
    world = World(1)
    said = [command for happened in (Started(), Ticked(), Started(), Changed()) for command in world.session.step(happened, world.now_ms)]
    calls = [command for command in said if isinstance(command, Call)]
    assert [command for command in said if isinstance(command, Open)] == []
    assert len(calls) == 2  # the first, and one for the changed credentials
    for body in (b'{"listenKey": ""}', b'{"listenKey": null}', b"{}", b"[]", b"<html>", b""):
        assert [one for one in world.session.step(Answered(calls[-1].call, body), world.now_ms) if isinstance(one, Open)] == []
    with pytest.raises(ValueError, match="empty"):
        binance.url(binance.MAINNET, Secret(""))


def test_04_the_key_is_never_deleted() -> None:
    """UBWA #275, python-binance #264: DELETE ended the stream of the user's own programs."""
    world = live_world()
    other = world.key
    world.cut()
    world.run(MINUTE)
    world.expire()
    world.run(MINUTE)
    world.kill()
    world.run(MINUTE)
    world.hear(Stopped())
    assert asked(world, "DELETE", KEY) == []
    assert world.key == other or "key_expired" in kinds(world)


def test_05_a_failed_renewal_is_said_tried_again_and_then_acted_upon() -> None:
    """UBWA #301: keepalive errors swallowed."""
    world = live_world()
    world.run(26 * MINUTE)
    world.next_judged, world.judged_method = [Judged(Reason.TRANSIENT, text="503")] * 4, "PUT"
    world.run(10 * MINUTE)
    failed = [report for report in world.reports if report.kind == "renew_failed"]
    assert len(failed) == 4
    assert all(report.alert for report in failed)
    assert len(asked(world, "POST", KEY)) == 2  # then by a new key, the old socket telling meanwhile
    assert world.session.live is not None
    assert "rotated" in kinds(world)


def test_06_nothing_is_lost_in_a_rotation_or_after_expiry() -> None:
    """nautilus #3861: no recovery after expiry, events lost while rotating."""
    world = live_world()
    for round_ in range(3):
        world.expire() if round_ == 1 else world.emit_control({"e": "serverShutdown", "E": world.now_ms})
        for _ in range(40):
            world.act()
            world.run(80)
    world.run(MINUTE)
    assert differences(world) == []
    assert (kinds(world).count("rotated"), kinds(world).count("key_expired")) == (2, 1)


def test_07_readiness_comes_back() -> None:
    """hummingbot #7590: a one-shot latch that never recovered."""
    world = live_world()
    seen = [world.session.ready]
    world.cut()
    world.run(0)
    seen.append(world.session.ready)
    world.run(MINUTE)
    seen.append(world.session.ready)
    assert seen == [True, False, True]


def test_08_a_refused_renewal_is_answered_by_post_and_the_header_is_on_every_verb() -> None:
    """hummingbot #5713: -2014 on PUT after an hour."""
    record, given = binance.venue(), Credentials(Secret("the-key"), Secret("s"))
    assert record.create is not None
    for request in (record.create, record.create._replace(method="PUT"), record.create._replace(method="DELETE")):
        assert record.sign(given, request, 1).headers == {"X-MBX-APIKEY": "the-key"}
    world = live_world()
    world.run(26 * MINUTE)
    world.next_judged, world.judged_method = [Judged(Reason.AUTH, text="401 -2014")], "PUT"
    world.run(10 * MINUTE)
    assert len(asked(world, "POST", KEY)) == 2
    assert world.session.state is State.LIVE
    assert "auth_failed" not in kinds(world)


def test_09_what_passes_is_tried_for_ever_what_does_not_is_not() -> None:
    """hummingbot #7679: bounded retries, then dead for ever."""
    world = live_world()
    world.next_judged = [Judged(Reason.TRANSIENT, text="503")] * 200
    world.cut()
    world.run(3 * HOUR)
    assert len(asked(world, "POST", KEY)) > 100
    world.next_judged.clear()
    world.run(10 * MINUTE)
    assert world.session.ready
    before = len(world.calls)
    world.next_judged = [Judged(Reason.AUTH, text="401 -2015")] * 200
    world.cut()
    world.run(HOUR)
    assert world.session.state is State.AUTH_FAILED
    assert len(world.calls) - before == 2
    assert world.session.due() is None
    assert [report for report in world.reports if report.kind == "auth_failed" and report.alert]
    world.next_judged.clear()
    world.hear(Changed())
    world.run(MINUTE)
    assert world.session.ready


def test_10_a_delta_leaves_the_others_and_a_snapshots_absent_is_zero() -> None:
    """hummingbot #7827, #4876: absent taken for zero in a delta, and for unchanged in a snapshot."""
    world = live_world(3)
    held = {one.name for one in world.session.memory.held if one.topic == names.POSITION_UPDATES}
    assert held
    frame = {"e": "ACCOUNT_UPDATE", "E": world.now_ms, "T": world.now_ms,
             "a": {"B": [{"a": "BNB", "wb": "1", "cw": "1", "bc": "0"}], "P": [], "m": "DEPOSIT"}}
    world.emit(frame)
    world.run(1_000)
    assert {one.name for one in world.session.memory.held if one.topic == names.POSITION_UPDATES} == held
    world.cut()
    world.ledger.positions.clear()
    world.act(world.ledger.deposit(Decimal(1), world.now_ms))
    told = len(world.told)
    world.run(MINUTE)
    zeros = [event.message for _, event in world.told[told:] if event.topic == names.POSITION_UPDATES
             and not event.message.meta.HasField("snapshot_end")]  # type: ignore[attr-defined]
    assert {(zero.symbol, Decimal(zero.amount)) for zero in zeros} == {(name, Decimal(0)) for name in held}  # type: ignore[attr-defined]
    assert fold(world.told).user.accounts["bn"].positions == {}
    coins = [event.message for _, event in world.told[told:] if isinstance(event.message, UserDataBalanceUpdateEvent)]
    assert [Decimal(coin.wallet_balance) for coin in coins if coin.asset == "BNB"] == [Decimal(0)]


def test_11_a_fill_told_by_stream_and_rest_is_one() -> None:
    """ccxt #18028, #27863: duplicate fills."""
    world = live_world()
    world.cut()  # what was told by the stream lies within the gap's margin, and comes by REST again
    world.run(MINUTE)
    fills = [event.message for _, event in world.told if isinstance(event.message, UserDataOrderUpdateEvent)
             and event.message.HasField("fill") and not event.message.fill.lite]
    assert len(fills) > len(world.ledger.fills)
    assert {fill.meta.business_key for fill in fills} == {f"fill:{row['symbol']}:{row['id']}" for row in world.ledger.fills}
    assert differences(world) == []


@pytest.mark.parametrize("wrapped", [False, True])
def test_12_expiry_said_again_and_again_is_one_recovery(wrapped: bool) -> None:
    """go-binance #510: `E` as a string, repeated every 30 s, 14 ms apart, wrapped, without the key."""
    world = live_world()
    socket = next(iter(world.sockets.values()))
    said: dict[str, object] = {"e": "listenKeyExpired", "E": str(world.now_ms)}
    frame = json.dumps({"stream": "x" * 64, "data": said} if wrapped else said | {"listenKey": world.key}).encode()
    world.key_ends_ms = world.now_ms
    for late in (5, 19, 600, 30_000, MINUTE):  # the shell may have more of a socket at hand when it is let go
        world.after(late, partial(world.hear, Received(socket.number, frame, 0)))
    world.run(5 * MINUTE)
    assert kinds(world).count("key_expired") == 1
    assert (len(asked(world, "POST", KEY)), world.keys, world.session.links, world.session.ready) == (2, 2, 2, True)


@pytest.mark.parametrize("code", ["1000", "1001", "1006", "1011", "none"])
def test_13_any_close_is_followed_by_a_connect_and_an_overflow_by_reading_again(code: str) -> None:
    """python-binance #1608, #1655: close code 1000 not reconnected; #1647, #1016, #1295: queue overflow."""
    world = live_world()
    number = next(iter(world.sockets))
    del world.sockets[number]
    world.hear(Closed(number, f"code {code}"))
    world.run(MINUTE)
    assert world.session.links == 2
    whole_ms = world.session.memory.acknowledged_ms
    world.kafka_up = False
    for _ in range(200):
        world.act()
        world.run(20)
    assert "held" in kinds(world)
    world.hear(Acknowledged(world.session.memory.sent_ms))  # of those that found room
    assert world.session.memory.since_ms == whole_ms
    world.kafka_up = True
    world.run(MINUTE)
    assert differences(world) == []


@pytest.mark.parametrize(("status", "body", "reason"), [
    (418, b'{"code":-1003,"msg":"banned"}', Reason.BANNED), (429, b'{"code":-1003,"msg":"slow down"}', Reason.LIMITED),
    (403, b"<html>Forbidden</html>", Reason.BANNED)])
def test_14_a_ban_is_obeyed(status: int, body: bytes, reason: Reason) -> None:
    """UBWA #330, #398: 403 and 418 hammered."""
    judged = binance.judge(status, {"Retry-After": "240"}, body)
    assert judged is not None
    assert (judged.reason, judged.retry_after_ms) == (reason, 240_000)
    world = live_world()
    world.next_judged = [judged]
    world.cut()
    world.run(2_000)
    before = len(world.calls)
    world.run(235_000)
    assert len(world.calls) == before
    world.run(MINUTE)
    assert world.session.ready
    world.cut()
    while world.session.state is not State.CONNECTING:
        world.run(50)
    before = len(world.calls)
    world.hear(Closed(world.dialled[-1], "handshake", judged))
    world.run(235_000)
    assert len(world.calls) == before
    world.run(MINUTE)
    assert world.session.ready


@pytest.mark.parametrize("kind", ["http", "refuse"])
@pytest.mark.parametrize("status", [418, 429, 403])
async def test_14_a_ban_is_of_the_address_for_all_who_ask_from_it(status: int, kind: str) -> None:
    """UBWA #330, #398: the others went on hammering."""
    async with Simulator() as sim:
        sim.open_account("a")
        async with reading(sim, "a") as bench:
            await bench.until(lambda: bench.session.ready, "live")
            clock, weights = bench.rest.clock, bench.rest.egress.weights
            begun_ms = clock.now_ms()
            sim.fault(kind, status=status, headers={"Retry-After": "3"})
            await sim.disconnect("a", "cut")  # who is alone behind the address asks for a key, and connects
            await bench.until(lambda: weights.shut_until_ms >= begun_ms + 3_000, "shut")
            shut_ms = weights.shut_until_ms
            await bench.rest.ask(binance.venue().watch, lambda: bench.credentials, urgent=True)
            assert clock.now_ms() >= shut_ms


def test_15_every_state_in_between_is_told() -> None:
    """ccxt #18441, #14121, #12405: a cache that is changed in place lets intermediate states fall together."""
    world = World(1)
    world.start()
    world.run(5_000)
    told = []
    for number in range(30):  # all within one tick of the clock, before anybody reads
        amount = Decimal(1 + number)
        told.append(str(world.ledger.wallet + amount))
        world.act(world.ledger.deposit(amount, world.now_ms))
    world.run(2_000)
    found = [event.message.wallet_balance for _, event in world.told if isinstance(event.message, UserDataBalanceUpdateEvent)
             and event.message.reason_raw == "DEPOSIT"]
    assert found == told
