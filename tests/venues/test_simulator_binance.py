"""The simulated Binance USD-M keeps its promises of behaviour, one by one."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from urllib.parse import urlencode

import aiohttp
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

from streams.venues.simulator.books import LONG, SHORT, Order
from streams.venues.simulator.catalogue import BINANCE
from streams.venues.simulator.server import Simulator
from tests.venues.simulated import EVENTS, Trader, frames, silent

KEY = "/fapi/v1/listenKey"


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    async with Simulator((BINANCE,)) as made:
        yield made


@pytest.fixture
async def alice(sim: Simulator) -> AsyncIterator[Trader]:
    async with aiohttp.ClientSession() as http:
        yield Trader(sim, sim.open_account("alice"), http)


async def test_post_returns_the_live_key_and_extends_it(sim: Simulator, alice: Trader) -> None:
    first = await alice.key()
    assert len(first) == 64
    sim.advance(59 * 60)
    assert await alice.key() == first
    sim.advance(59 * 60)
    assert await alice.key() == first
    sim.advance(61 * 60)
    assert await alice.key() != first


@pytest.mark.parametrize("form", ["", "query", "body"])
async def test_put_extends_in_each_form_that_clients_send(sim: Simulator, alice: Trader, form: str) -> None:
    key = await alice.key()
    sim.advance(50 * 60)
    path, body = KEY + (f"?listenKey={key}" if form == "query" else ""), f"listenKey={key}" if form == "body" else None
    assert await alice.send("PUT", path, body) == (200, {"listenKey": key})
    sim.advance(50 * 60)
    assert await alice.send("PUT", path, body) == (200, {"listenKey": key})
    sim.advance(61 * 60)
    assert await alice.send("PUT", path, body) == (400, {"code": -1125, "msg": "This listenKey does not exist."})


async def test_the_key_header_is_required_and_checked(alice: Trader) -> None:
    for method in ("POST", "PUT", "DELETE"):
        assert (await alice.send(method, KEY, key=None))[1]["code"] == -2014
        assert (await alice.send(method, KEY, key="x" * 64))[1]["code"] == -2015
    assert (await alice.send("POST", KEY, key=None))[0] == 401


async def test_delete_ends_the_stream_of_everybody(sim: Simulator, alice: Trader) -> None:
    mine, theirs = await alice.listen(), await alice.listen()
    assert await alice.send("DELETE", KEY) == (200, {})
    for socket in (mine, theirs):
        [told] = await frames(socket, 1)
        assert told["e"] == "listenKeyExpired"
        assert isinstance(told["E"], str)
        assert not socket.closed
    sim.trade("alice", "BTCUSDT", "BUY", "0.01")
    assert await silent(mine)


async def test_a_key_expires_after_an_hour_and_the_socket_stays_open(sim: Simulator, alice: Trader) -> None:
    sim.switches.expiry_repeats, sim.switches.expiry_names_key, sim.switches.expiry_text_time = 2, False, False
    socket = await alice.listen()
    sim.advance(3_601)
    twice = await frames(socket, 2)
    assert [sorted(one) for one in twice] == [["E", "e"], ["E", "e"]]
    sim.trade("alice", "BTCUSDT", "BUY", "0.01")
    assert await silent(socket)
    assert not socket.closed


@pytest.mark.parametrize("path", ["/ws/{key}", "/private/ws/{key}", "/stream?streams={key}",
                                  "/private/ws?listenKey=none&events=ACCOUNT_UPDATE",
                                  "/private/ws?listenKey={key}&events=ACCOUNT_UPDATES", "/market/ws?listenKey={key}"])
async def test_strict_mainnet_opens_wrong_forms_and_stays_silent(sim: Simulator, alice: Trader, path: str) -> None:
    socket = await alice.listen(path.format(key=await alice.key()))
    sim.trade("alice", "BTCUSDT", "BUY", "0.01")
    assert await silent(socket)


@pytest.mark.parametrize("path", ["/ws/{key}", "/private/ws/{key}", "/stream?streams={key}"])
async def test_the_lenient_test_network_still_takes_old_forms(sim: Simulator, alice: Trader, path: str) -> None:
    sim.switches.strict = False
    socket = await alice.listen(path.format(key=await alice.key()))
    sim.trade("alice", "BTCUSDT", "BUY", "0.01")
    assert len(await frames(socket, 4)) == 4


async def test_events_is_an_allow_list_that_includes_expiry(sim: Simulator, alice: Trader) -> None:
    key = await alice.key()
    some = await alice.listen(f"/private/ws?listenKey={key}&events=ACCOUNT_UPDATE")
    every = await alice.listen(f"/private/ws?listenKey={key}")
    sim.switches.events_absent = "none"
    none = await alice.listen(f"/private/ws?listenKey={key}")
    sim.trade("alice", "BTCUSDT", "BUY", "0.01")
    assert [one["e"] for one in await frames(some, 1)] == ["ACCOUNT_UPDATE"]
    assert len(await frames(every, 4)) == 4
    sim.expire_key("alice")
    assert (await frames(every, 1))[0]["e"] == "listenKeyExpired"
    assert await silent(some)
    assert await silent(none)


async def test_one_socket_carries_many_accounts_and_names_the_key(sim: Simulator, alice: Trader) -> None:
    bob = Trader(sim, sim.open_account("bob"), alice.http)
    keys = {"alice": await alice.key(), "bob": await bob.key()}
    query = f"listenKey={keys['alice']}&events=ACCOUNT_UPDATE&listenKey={keys['bob']}&events=TRADE_LITE"
    socket = await alice.listen(f"/private/stream?{query}")
    sim.trade("alice", "BTCUSDT", "BUY", "0.01")
    sim.trade("bob", "ETHUSDT", "BUY", "0.1")
    told = await frames(socket, 2)
    assert [(one["stream"], one["data"]["e"]) for one in told] == [(keys["alice"], "ACCOUNT_UPDATE"), (keys["bob"], "TRADE_LITE")]


async def test_subscribe_by_message_is_acknowledged_and_wraps(sim: Simulator, alice: Trader) -> None:
    key, socket = await alice.key(), await alice.listen("/private/stream")
    await socket.send_json({"method": "SUBSCRIBE", "params": [key], "id": "u-1"})
    assert await frames(socket, 1) == [{"result": None, "id": "u-1"}]
    sim.transfer("alice", "USDT", "5")
    [told] = await frames(socket, 1)
    assert told["stream"] == key
    assert told["data"]["a"]["m"] == "DEPOSIT"


async def test_two_sockets_of_one_key_get_identical_bytes(sim: Simulator, alice: Trader) -> None:
    one, two = await alice.listen(), await alice.listen()
    sim.trade("alice", "BTCUSDT", "BUY", "0.01")
    assert [(await one.receive()).data for _ in range(4)] == [(await two.receive()).data for _ in range(4)]


async def test_eleven_messages_a_second_end_a_connection(sim: Simulator, alice: Trader) -> None:
    socket = await alice.listen()
    for number in range(12):
        await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": number})
    seen = [(await asyncio.wait_for(socket.receive(), 10)).type for _ in range(11)]
    assert seen[-1] in {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSING}


async def test_a_day_ends_a_connection_and_pings_come_before(sim: Simulator, alice: Trader) -> None:
    await alice.key()
    socket = await alice.http.ws_connect(f"{alice.urls.ws}/private/ws?listenKey={await alice.key()}", autoping=False)
    sim.advance(181)
    assert (await asyncio.wait_for(socket.receive(), 10)).type == aiohttp.WSMsgType.PING
    sim.advance(24 * 3600)
    types = [(await asyncio.wait_for(socket.receive(), 10)).type]
    while types[-1] in {aiohttp.WSMsgType.PING, aiohttp.WSMsgType.TEXT}:  # of the day that was jumped over; the key expired meanwhile
        types.append((await asyncio.wait_for(socket.receive(), 10)).type)
    assert types[-1] in {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED}


async def test_signatures_are_checked_over_the_exact_bytes(sim: Simulator, alice: Trader) -> None:
    now = sim.clock.now_ms()
    query = f"symbol=BTCUSDT&timestamp={now}"

    def sign(text: str) -> str:
        return hmac.new(alice.account.secret.encode(), text.encode(), hashlib.sha256).hexdigest()

    assert (await alice.send("GET", f"/fapi/v1/userTrades?{query}&signature={sign(query)}"))[0] == 200
    assert (await alice.send("GET", f"/fapi/v1/userTrades?{query}&signature={sign(query + ' ')}"))[1]["code"] == -1022
    assert (await alice.send("GET", f"/fapi/v1/userTrades?{query}"))[1]["code"] == -1102
    body = f"symbol=BTCUSDT&leverage=7&timestamp={now}"
    assert (await alice.send("POST", "/fapi/v1/leverage", f"{body}&signature={sign(body)}"))[1]["leverage"] == 7
    split = sign(f"leverage=9symbol=BTCUSDT&timestamp={now}")  # query and body are signed together, without a separator
    answer = await alice.send("POST", "/fapi/v1/leverage?leverage=9", f"symbol=BTCUSDT&timestamp={now}&signature={split}")
    assert answer[1]["leverage"] == 9


@pytest.mark.parametrize(("off_ms", "code"), [(0, 0), (-4_000, 0), (900, 0), (-5_500, -1021), (2_000, -1021)])
async def test_the_clock_window(sim: Simulator, alice: Trader, off_ms: int, code: int) -> None:
    status, body = await alice.call("GET", "/fapi/v3/balance", timestamp=sim.clock.now_ms() + off_ms)
    assert (status, body["code"] if status != 200 else 0) == ((400, code) if code else (200, 0))


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
async def test_other_kinds_of_keys_sign_in_base64(sim: Simulator, alice: Trader, kind: str) -> None:
    private = ed25519.Ed25519PrivateKey.generate() if kind == "ed25519" else rsa.generate_private_key(65537, 2048)
    alice.account.public_key = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    query = f"timestamp={sim.clock.now_ms()}"
    raw = (private.sign(query.encode()) if isinstance(private, ed25519.Ed25519PrivateKey)
           else private.sign(query.encode(), padding.PKCS1v15(), hashes.SHA256()))
    good = urlencode({"signature": base64.b64encode(raw).decode()})
    assert (await alice.send("GET", f"/fapi/v3/balance?{query}&{good}"))[0] == 200
    assert (await alice.send("GET", f"/fapi/v3/balance?{query}&x=1&{good}"))[1]["code"] == -1022


async def test_weights_are_counted_refused_and_then_banned(sim: Simulator, alice: Trader) -> None:
    sim.switches.weight_max = 100
    async with alice.http.get(f"{alice.urls.rest}/fapi/v1/time") as answer:
        assert answer.headers["X-MBX-USED-WEIGHT-1M"] == "1"
    statuses = [(await alice.call("GET", "/fapi/v1/openOrders"))[0] for _ in range(13)]
    assert (statuses[:2], set(statuses[2:11]), statuses[-1]) == ([200, 200], {429}, 418)
    async with alice.http.get(f"{alice.urls.rest}/fapi/v1/time") as answer:
        assert answer.status == 418
        assert 100 <= int(answer.headers["Retry-After"]) <= 121
    sim.advance(180)
    assert (await alice.call("GET", "/fapi/v1/openOrders", symbol="BTCUSDT"))[0] == 200


async def test_rest_shows_symbols_with_a_position_or_order_only_and_algos_apart(sim: Simulator, alice: Trader) -> None:
    assert (await alice.call("GET", "/fapi/v3/positionRisk"))[1] == []
    sim.trade("alice", "BTCUSDT", "BUY", "0.01")
    sim.place("alice", Order("ETHUSDT", "BUY", "LIMIT", Decimal("0.1"), Decimal(2_000)))
    assert {row["symbol"] for row in (await alice.call("GET", "/fapi/v3/positionRisk"))[1]} == {"BTCUSDT", "ETHUSDT"}
    assert {row["symbol"] for row in (await alice.call("GET", "/fapi/v3/account"))[1]["positions"]} == {"BTCUSDT", "ETHUSDT"}
    await alice.call("POST", "/fapi/v1/algoOrder", algoType="CONDITIONAL", symbol="BTCUSDT", side="SELL", type="STOP_MARKET",
                     triggerPrice="50000", closePosition="true")
    assert [row["symbol"] for row in (await alice.call("GET", "/fapi/v1/openOrders"))[1]] == ["ETHUSDT"]
    assert [row["triggerPrice"] for row in (await alice.call("GET", "/fapi/v1/openAlgoOrders"))[1]] == ["50000.0"]
    assert (await alice.call("POST", "/fapi/v1/order", symbol="BTCUSDT", side="SELL", type="STOP_MARKET", quantity="0.01",
                             stopPrice="50000"))[1]["code"] == -4120


async def test_what_happens_while_cut_off_is_lost_to_the_stream_and_seen_by_rest(sim: Simulator, alice: Trader) -> None:
    socket = await alice.listen()
    await sim.disconnect("alice", "reset")
    sim.trade("alice", "BTCUSDT", "BUY", "0.01", "60000")
    again = await alice.listen()
    assert await silent(again)
    assert socket.closed or (await socket.receive()).type in {aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR, aiohttp.WSMsgType.CLOSE}
    [trade] = (await alice.call("GET", "/fapi/v1/userTrades", symbol="BTCUSDT"))[1]
    assert ("BTCUSDT", trade["id"]) in sim.truth("alice").fills


async def test_trades_are_paged_by_id_and_a_window_is_seven_days_at_most(sim: Simulator, alice: Trader) -> None:
    for _ in range(5):
        sim.trade("alice", "BTCUSDT", "BUY", "0.01")
    ids = [fill for _, fill in sim.truth("alice").fills]
    page = (await alice.call("GET", "/fapi/v1/userTrades", symbol="BTCUSDT", fromId=ids[1], limit=2))[1]
    assert [row["id"] for row in page] == ids[1:3]
    now = sim.clock.now_ms()
    wide = await alice.call("GET", "/fapi/v1/userTrades", symbol="BTCUSDT", startTime=now - 8 * 86_400_000, endTime=now)
    assert wide[0] == 400


async def test_hedge_mode_holds_both_legs_and_refuses_the_wrong_word(sim: Simulator, alice: Trader) -> None:
    assert (await alice.call("POST", "/fapi/v1/positionSide/dual", dualSidePosition="true"))[0] == 200
    sim.trade("alice", "BTCUSDT", "BUY/LONG", "0.02", "60000")
    sim.trade("alice", "BTCUSDT", "SELL/SHORT", "0.01", "61000")
    assert {key: amount for key, (amount, _) in sim.truth("alice").positions.items()} == {
        ("BTCUSDT", LONG): Decimal("0.02"), ("BTCUSDT", SHORT): Decimal("-0.01")}
    refused = await alice.call("POST", "/fapi/v1/order", symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.01")
    assert refused[1]["code"] == -4061
    assert (await alice.call("GET", "/fapi/v1/accountConfig"))[1]["dualSidePosition"] is True


async def test_ws_api_manages_the_same_key(alice: Trader) -> None:
    socket = await alice.http.ws_connect(f"{alice.urls.ws}/ws-fapi/v1")
    await socket.send_json({"id": "1", "method": "userDataStream.start", "params": {"apiKey": alice.account.key}})
    [answer] = await frames(socket, 1)
    assert answer["result"]["listenKey"] == await alice.key()
    await socket.send_json({"id": "2", "method": "userDataStream.stop", "params": {"apiKey": alice.account.key}})
    assert (await frames(socket, 1))[0] | {"rateLimits": []} == {"id": "2", "status": 200, "result": {}, "rateLimits": []}


async def test_market_streams_live_on_their_own_routes(sim: Simulator, alice: Trader) -> None:
    streams = "btcusdt@kline_1m/btcusdt@markPrice@1s/btcusdt@ticker/btcusdt@bookTicker/btcusdt@trade"
    market, public = [await alice.listen(f"/{route}/stream?streams={streams}") for route in ("market", "public")]
    sim.price(BINANCE, "BTCUSDT", "60100")
    assert {one["data"]["e"] for one in await frames(market, 3)} == {"kline", "markPriceUpdate", "24hrTicker"}
    assert {one["data"]["e"] for one in await frames(public, 2)} == {"bookTicker", "trade"}


async def test_the_control_address_does_what_methods_do(sim: Simulator, alice: Trader) -> None:
    async def act(action: str, **said: object) -> tuple[int, dict[str, object]]:
        async with alice.http.post(f"{sim.urls['control'].rest}/{action}", data=json.dumps(said)) as answer:
            return answer.status, await answer.json()

    status, bob = await act("accounts", name="bob", deposits={"USDT": "500"})
    assert (status, bob["venue"]) == (200, BINANCE)
    assert (await act("trade", account="bob", symbol="BTCUSDT", side="BUY", quantity="0.01", price="60000"))[0] == 200
    assert (await act("fault", kind="http", status=503, path="/fapi/v3/*", times=2))[0] == 200
    assert (await act("advance", seconds=5))[0] == 200
    assert (await act("trade", account="nobody", symbol="BTCUSDT", side="BUY", quantity="1"))[0] == 400
    assert (await act("nonsense"))[0] == 400
    async with alice.http.get(f"{sim.urls['control'].rest}/truth/bob") as answer:
        told = await answer.json()
    assert told["positions"]["BTCUSDT/BOTH"]["amount"] == "0.01"
    assert EVENTS.startswith("ORDER")
