"""Every scripted fault happens where and as often as the script says, and the ledger stays right meanwhile."""

import asyncio
import json
from collections.abc import AsyncIterator

import aiohttp
import pytest

from streams.venues.simulator import faults as wrong
from streams.venues.simulator.catalogue import BINANCE
from streams.venues.simulator.faults import Fault, Faults
from streams.venues.simulator.server import Simulator
from tests.venues.simulated import Trader, frames, silent

ENDED = {aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR, aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING}


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    async with Simulator((BINANCE,)) as made:
        yield made


@pytest.fixture
async def alice(sim: Simulator) -> AsyncIterator[Trader]:
    async with aiohttp.ClientSession() as http:
        yield Trader(sim, sim.open_account("alice"), http)


@pytest.mark.parametrize(("status", "code"), [(401, -2015), (418, -1003), (429, -1003), (500, -1000), (503, -1001), (408, -1007)])
async def test_an_answer_instead_of_the_effect_once(sim: Simulator, alice: Trader, status: int, code: int) -> None:
    sim.fault(wrong.HTTP, status=status, method="POST", path="/fapi/v1/listenKey", headers={"Retry-After": "7"})
    async with alice.http.post(alice.urls.rest + "/fapi/v1/listenKey", headers={"X-MBX-APIKEY": alice.account.key}) as answer:
        assert (answer.status, (await answer.json())["code"], answer.headers["Retry-After"]) == (status, code, "7")
    assert sim.venues[BINANCE].keys.live("alice") is None  # type: ignore[attr-defined]
    assert (await alice.send("POST", "/fapi/v1/listenKey"))[0] == 200
    assert sim.faults.taken == {wrong.HTTP: 1}


async def test_a_waf_answers_in_html(sim: Simulator, alice: Trader) -> None:
    sim.fault(wrong.HTTP, status=403, path="/fapi/*", times=2)
    status, body = await alice.call("GET", "/fapi/v3/account")
    assert status == 403
    assert body.startswith("<html>")


async def test_an_answer_after_the_effect_leaves_the_outcome_unknown(sim: Simulator, alice: Trader) -> None:
    sim.fault(wrong.HTTP, status=503, path="/fapi/v1/order", after_effect=True)
    said = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01", "newClientOrderId": "x"}
    status, _ = await alice.call("POST", "/fapi/v1/order", **said)
    assert status == 503
    assert len(sim.truth("alice").fills) == 1
    assert (await alice.call("GET", "/fapi/v1/order", symbol="BTCUSDT", origClientOrderId="x"))[1]["status"] == "FILLED"


async def test_rest_lags_behind_the_stream(sim: Simulator, alice: Trader) -> None:
    sim.fault(wrong.LAG, path="/fapi/v3/positionRisk", ms=500, times=1)
    socket = await alice.listen()
    sim.advance(2)
    sim.trade("alice", "BTCUSDT", "BUY", "0.01")
    assert (await frames(socket, 4))[-1]["o"]["X"] == "FILLED"
    assert (await alice.call("GET", "/fapi/v3/positionRisk"))[1] == []
    assert (await alice.call("GET", "/fapi/v3/positionRisk"))[1][0]["positionAmt"] == "0.010"


async def test_a_slow_answer_comes(sim: Simulator, alice: Trader) -> None:
    sim.fault(wrong.SLOW, path="/fapi/v1/listenKey", ms=300)
    before = asyncio.get_running_loop().time()
    assert (await alice.send("POST", "/fapi/v1/listenKey"))[0] == 200
    assert asyncio.get_running_loop().time() - before >= 0.3


async def test_frames_are_doubled_dropped_and_delayed(sim: Simulator, alice: Trader) -> None:
    socket = await alice.listen()
    sim.fault(wrong.DUPLICATE, event="ACCOUNT_UPDATE")
    sim.fault(wrong.DROP, event="TRADE_LITE")
    sim.fault(wrong.DELAY, event="ORDER_TRADE_UPDATE", skip=1, ms=60_000)
    sim.trade("alice", "BTCUSDT", "BUY", "0.01")
    one, two, three = await frames(socket, 3)
    assert [one["e"], two["e"]] == ["ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE"]
    assert two == three
    assert await silent(socket)
    sim.advance(61)
    assert (await frames(socket, 1))[0]["o"]["X"] == "FILLED"


@pytest.mark.parametrize("how", ["close", "cut", "reset"])
async def test_connections_end_with_and_without_a_close_frame(sim: Simulator, alice: Trader, how: str) -> None:
    socket = await alice.listen()
    ended, message = await asyncio.gather(sim.disconnect("alice", how, 1001), asyncio.wait_for(socket.receive(), 10))
    assert ended == 1
    assert message.type in ENDED
    assert socket.close_code == (1001 if how == "close" else 1006)


@pytest.mark.parametrize("how", ["half_open", "silent"])
async def test_connections_that_say_nothing_more_and_do_not_end(sim: Simulator, alice: Trader, how: str) -> None:
    socket = await alice.listen()
    await sim.disconnect("alice", how)
    sim.trade("alice", "BTCUSDT", "BUY", "0.01")
    await socket.ping()
    assert await silent(socket)
    assert not socket.closed


async def test_a_handshake_is_refused_as_scripted(sim: Simulator, alice: Trader) -> None:
    sim.fault(wrong.REFUSE, status=503, times=1)
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await alice.listen()
    assert refused.value.status == 503
    assert not (await alice.listen()).closed


async def test_a_full_queue_cuts_the_connection_rather_than_dropping(sim: Simulator, alice: Trader) -> None:
    socket = await alice.listen()
    [connection] = sim.venues[BINANCE].of("alice")
    while not connection.gone:
        connection.send("x" * 1000, "ACCOUNT_UPDATE")
    assert connection.gone
    await socket.close()


async def test_the_truth_log_has_everything_in_one_order(sim: Simulator, alice: Trader) -> None:
    sim.trade("alice", "BTCUSDT", "BUY", "0.01")
    sim.transfer("alice", "USDT", "5")
    entries = sim.truth_log.since(0)
    assert [one.sequence for one in entries] == list(range(1, len(entries) + 1))
    assert [one.kind for one in entries] == ["AccountMoved", "OrderMoved", "Traded", "AccountMoved", "OrderMoved", "AccountMoved"]
    assert json.dumps(entries)
    assert sim.truth_log.since(5)[0].sequence == 6


def test_a_fault_says_what_is_wrong_with_it() -> None:
    with pytest.raises(ValueError, match="expected one of"):
        Fault("nonsense")
    with pytest.raises(ValueError, match="expected fields among"):
        wrong.parse({"kind": "http", "when": "now"})


def test_a_fault_is_taken_where_it_fits_after_what_it_skips_and_as_often_as_it_says() -> None:
    faults = Faults()
    faults.add(Fault(wrong.HTTP, path="/a*", skip=1, times=2))
    assert faults.take(wrong.HTTP, path="/b") is None
    assert [faults.take(wrong.HTTP, path="/a1") is not None for _ in range(5)] == [False, True, True, False, False]
    faults.add(Fault(wrong.DROP, times=0))
    assert all(faults.take(wrong.DROP) for _ in range(9))
    faults.clear()
    assert (faults.take(wrong.DROP), faults.told()) == (None, [])
