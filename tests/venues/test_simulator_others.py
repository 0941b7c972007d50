"""The simulated Bybit, OKX and KuCoin: login, heartbeats, subscriptions, and what each does differently."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from streams.venues.simulator.books import Account, Order
from streams.venues.simulator.catalogue import BYBIT, KUCOIN, OKX
from streams.venues.simulator.server import Simulator
from tests.venues.simulated import frames, silent

Headers = Callable[[Account, int, str, str, str], dict[str, str]]
SYMBOLS = {BYBIT: ("BTCUSDT", "0.01"), OKX: ("BTC-USDT-SWAP", "1"), KUCOIN: ("XBTUSDTM", "10")}


def _bybit(account: Account, now: int, method: str, path: str, body: str) -> dict[str, str]:
    text = f"{now}{account.key}5000{body if method == 'POST' else path.partition('?')[2]}"
    return {"X-BAPI-API-KEY": account.key, "X-BAPI-TIMESTAMP": str(now), "X-BAPI-RECV-WINDOW": "5000",
            "X-BAPI-SIGN": hmac.new(account.secret.encode(), text.encode(), hashlib.sha256).hexdigest()}


def _base64(account: Account, text: str) -> str:
    return base64.b64encode(hmac.new(account.secret.encode(), text.encode(), hashlib.sha256).digest()).decode()


def _okx(account: Account, now: int, method: str, path: str, body: str) -> dict[str, str]:
    stamp = datetime.fromtimestamp(now / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"OK-ACCESS-KEY": account.key, "OK-ACCESS-TIMESTAMP": stamp, "OK-ACCESS-PASSPHRASE": account.passphrase,
            "OK-ACCESS-SIGN": _base64(account, f"{stamp}{method}{path}{body}")}


def _kucoin(account: Account, now: int, method: str, path: str, body: str) -> dict[str, str]:
    return {"KC-API-KEY": account.key, "KC-API-TIMESTAMP": str(now), "KC-API-KEY-VERSION": "2",
            "KC-API-PASSPHRASE": _base64(account, account.passphrase), "KC-API-SIGN": _base64(account, f"{now}{method}{path}{body}")}


SIGN: dict[str, Headers] = {BYBIT: _bybit, OKX: _okx, KUCOIN: _kucoin}


class Desk:
    """A simulator with an account per venue and a way to call and to listen."""

    def __init__(self, sim: Simulator, http: aiohttp.ClientSession) -> None:
        self.sim, self.http = sim, http
        self.accounts = {venue: sim.open_account(venue, venue) for venue in SYMBOLS}

    async def call(self, venue: str, method: str, path: str, said: object = None, **wrong: str) -> tuple[int, Any]:
        """A signed call; `wrong` headers go over the right ones."""
        body = json.dumps(said) if said is not None else ""
        headers = SIGN[venue](self.accounts[venue], self.sim.clock.now_ms(), method, path, body)
        headers |= {name.replace("_", "-"): value for name, value in wrong.items()} | {"Content-Type": "application/json"}
        async with self.http.request(method, self.sim.urls[venue].rest + path, data=body or None, headers=headers) as answer:
            return answer.status, await answer.json()

    def trade(self, venue: str, side: str = "BUY") -> None:
        symbol, quantity = SYMBOLS[venue]
        self.sim.trade(venue, symbol, side, quantity, "60000")

    async def bybit(self, *topics: str) -> aiohttp.ClientWebSocketResponse:
        account, expires = self.accounts[BYBIT], self.sim.clock.now_ms() + 10_000
        socket = await self.http.ws_connect(f"{self.sim.urls[BYBIT].ws}/v5/private")
        sign = hmac.new(account.secret.encode(), f"GET/realtime{expires}".encode(), hashlib.sha256).hexdigest()
        await socket.send_json({"op": "auth", "args": [account.key, expires, sign]})
        await socket.send_json({"op": "subscribe", "args": list(topics), "req_id": "7"})
        auth, ack = await frames(socket, 2)
        assert (auth["success"], ack["success"], ack["req_id"]) == (True, True, "7")
        return socket

    async def okx(self, *channels: dict[str, str], where: str = "private") -> aiohttp.ClientWebSocketResponse:
        account, now = self.accounts[OKX], str(self.sim.clock.now_ms() // 1000)
        socket = await self.http.ws_connect(f"{self.sim.urls[OKX].ws}/ws/v5/{where}")
        sign = _base64(account, f"{now}GET/users/self/verify")
        await socket.send_json({"op": "login", "args": [{"apiKey": account.key, "passphrase": account.passphrase, "timestamp": now,
                                                         "sign": sign}]})
        assert (await frames(socket, 1))[0]["event"] == "login"
        if channels:
            await socket.send_json({"op": "subscribe", "args": list(channels)})
        return socket

    async def token(self) -> dict[str, Any]:
        return dict((await self.call(KUCOIN, "POST", "/api/v1/bullet-private"))[1]["data"])

    async def kucoin(self, *topics: str) -> aiohttp.ClientWebSocketResponse:
        given = await self.token()
        socket = await self.http.ws_connect(f"{given['instanceServers'][0]['endpoint']}?token={given['token']}&connectId=c1")
        assert await frames(socket, 1) == [{"id": "c1", "type": "welcome"}]
        for topic in topics:
            await socket.send_json({"id": topic, "type": "subscribe", "topic": topic, "privateChannel": True, "response": True})
            assert await frames(socket, 1) == [{"id": topic, "type": "ack"}]
        return socket


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with Simulator(tuple(SYMBOLS)) as sim, aiohttp.ClientSession() as http:
        yield Desk(sim, http)


READS = {BYBIT: "/v5/position/list?category=linear&settleCoin=USDT", OKX: "/api/v5/account/positions", KUCOIN: "/api/v1/positions"}
WRONG = [(BYBIT, {"X_BAPI_SIGN": "x"}, 200, 10004), (BYBIT, {"X_BAPI_API_KEY": "x"}, 200, 10003),
         (BYBIT, {"X_BAPI_TIMESTAMP": "1"}, 200, 10002),
         (OKX, {"OK_ACCESS_SIGN": "x"}, 401, "50113"), (OKX, {"OK_ACCESS_PASSPHRASE": "x"}, 401, "50105"),
         (OKX, {"OK_ACCESS_TIMESTAMP": "2020-01-01T00:00:00.000Z"}, 401, "50102"), (OKX, {"OK_ACCESS_KEY": "x"}, 401, "50111"),
         (KUCOIN, {"KC_API_SIGN": "x"}, 401, "400005"), (KUCOIN, {"KC_API_PASSPHRASE": "x"}, 401, "400004"),
         (KUCOIN, {"KC_API_KEY": "x"}, 401, "400003"), (KUCOIN, {"KC_API_TIMESTAMP": "1"}, 401, "400002")]


@pytest.mark.parametrize(("venue", "header", "status", "code"), WRONG)
async def test_a_wrong_login_is_refused_in_the_venues_words(
        desk: Desk, venue: str, header: dict[str, str], status: int, code: object) -> None:
    found, body = await desk.call(venue, "GET", READS[venue], **header)
    assert (found, body.get("retCode", body.get("code"))) == (status, code)
    assert (await desk.call(venue, "GET", READS[venue]))[0] == 200


@pytest.mark.parametrize("venue", SYMBOLS)
async def test_rest_agrees_with_the_ledger(desk: Desk, venue: str) -> None:
    desk.trade(venue)
    symbol, quantity = SYMBOLS[venue]
    body = (await desk.call(venue, "GET", READS[venue]))[1]
    [row] = body["result"]["list"] if venue == BYBIT else body["data"]
    assert (row.get("symbol") or row["instId"], str(row.get("size") or row.get("pos") or row["currentQty"])) == (symbol, quantity)


CREATE: dict[str, tuple[str, object, Callable[[Any], str], Callable[[str], tuple[str, str, object]]]] = {
    BYBIT: ("/v5/order/create", {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "qty": "0.01",
                                       "price": "50000"}, lambda body: body["result"]["orderId"],
                  lambda number: ("POST", "/v5/order/cancel", {"category": "linear", "symbol": "BTCUSDT", "orderId": number})),
          OKX: ("/api/v5/trade/order", {"instId": "BTC-USDT-SWAP", "tdMode": "cross", "side": "buy", "ordType": "limit", "sz": "1",
                                        "px": "50000"}, lambda body: body["data"][0]["ordId"],
                lambda number: ("POST", "/api/v5/trade/cancel-order", {"instId": "BTC-USDT-SWAP", "ordId": number})),
          KUCOIN: ("/api/v1/orders", {"clientOid": "k1", "symbol": "XBTUSDTM", "side": "buy", "type": "limit", "size": 10, "price": "50000",
                                      "leverage": 5}, lambda body: body["data"]["orderId"],
                   lambda number: ("DELETE", f"/api/v1/orders/{number}", None))}


@pytest.mark.parametrize("venue", SYMBOLS)
async def test_orders_are_placed_and_cancelled(desk: Desk, venue: str) -> None:
    path, said, find, cancel = CREATE[venue]
    number = find((await desk.call(venue, "POST", path, said))[1])
    assert len(desk.sim.truth(venue).orders) == 1
    assert (await desk.call(venue, *cancel(number)))[0] == 200
    assert desk.sim.truth(venue).orders == frozenset()
    again = (await desk.call(venue, *cancel(number)))[1]
    assert again.get("retCode", again.get("code")) in {110001, "1", "100004"}


async def test_bybit_auth_needs_a_future_time_and_topics_need_auth(desk: Desk) -> None:
    account, past = desk.accounts[BYBIT], desk.sim.clock.now_ms() - 1
    socket = await desk.http.ws_connect(f"{desk.sim.urls[BYBIT].ws}/v5/private")
    sign = hmac.new(account.secret.encode(), f"GET/realtime{past}".encode(), hashlib.sha256).hexdigest()
    await socket.send_json({"op": "subscribe", "args": ["order"]})
    await socket.send_json({"op": "auth", "args": [account.key, past, sign]})
    await socket.send_json({"req_id": "p", "op": "ping"})
    refused, late, pong = await frames(socket, 3)
    assert (refused["success"], late["success"], pong["op"], pong["req_id"]) == (False, False, "pong", "p")


async def test_bybit_pushes_positions_on_every_order_and_executions_together(desk: Desk) -> None:
    socket = await desk.bybit("order", "execution", "position", "wallet")
    desk.sim.exchanges[BYBIT].depth["BTCUSDT"] = desk.sim.exchanges[BYBIT].instruments["BTCUSDT"].step * 6
    desk.sim.switches.double_filled = True
    desk.sim.place(BYBIT, Order("BTCUSDT", "BUY", "MARKET", desk.sim.exchanges[BYBIT].instruments["BTCUSDT"].step * 10))
    told = await frames(socket, 7)
    assert [one["topic"] for one in told] == ["order"] * 4 + ["execution", "position", "wallet"]
    assert [one["data"][0]["orderStatus"] for one in told[:4]] == ["New", "PartiallyFilled", "Filled", "Filled"]
    assert [row["execQty"] for row in told[4]["data"]] == ["0.006", "0.004"]
    desk.sim.place(BYBIT, Order("BTCUSDT", "BUY", "LIMIT", desk.sim.exchanges[BYBIT].instruments["BTCUSDT"].step, price=Decimal(50_000)))
    assert [one["topic"] for one in await frames(socket, 2)] == ["order", "position"]


async def test_bybit_and_okx_and_kucoin_cut_who_is_idle(desk: Desk) -> None:
    sockets = [await desk.bybit("order"), await desk.okx(), await desk.kucoin()]
    desk.sim.advance(31)
    assert [(await asyncio.wait_for(one.receive(), 10)).type in {aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR, aiohttp.WSMsgType.CLOSE}
            for one in sockets[1:]] == [True, True]
    assert await silent(sockets[0])
    desk.sim.advance(600)
    assert (await asyncio.wait_for(sockets[0].receive(), 10)).type != aiohttp.WSMsgType.TEXT


async def test_okx_shows_a_snapshot_of_what_is_not_zero_and_repeats(desk: Desk) -> None:
    socket = await desk.okx({"channel": "positions", "instType": "ANY"})
    first = await frames(socket, 3)
    assert [one.get("event") for one in first[:2]] == ["subscribe", "channel-conn-count"]
    assert first[2]["data"] == []
    desk.trade(OKX)
    assert [row["pos"] for row in (await frames(socket, 1))[0]["data"]] == ["1"]
    desk.sim.advance(5)
    [again] = await frames(socket, 1)
    assert again["data"][0]["pos"] == "1"
    quiet = await desk.okx({"channel": "positions", "instType": "ANY", "extraParams": json.dumps({"updateInterval": "0"})})
    await frames(quiet, 3)
    desk.sim.advance(6)
    assert await silent(quiet)


async def test_okx_login_window_wrong_channel_and_ping(desk: Desk) -> None:
    account = desk.accounts[OKX]
    socket = await desk.http.ws_connect(f"{desk.sim.urls[OKX].ws}/ws/v5/private")
    late = str(desk.sim.clock.now_ms() // 1000 - 40)
    await socket.send_json({"op": "subscribe", "args": [{"channel": "orders"}]})
    await socket.send_json({"op": "login", "args": [{"apiKey": account.key, "passphrase": account.passphrase, "timestamp": late,
                                                     "sign": _base64(account, f"{late}GET/users/self/verify")}]})
    assert [one["code"] for one in await frames(socket, 2)] == ["60011", "60006"]
    other = await desk.okx({"channel": "orders-algo", "instType": "ANY"})
    assert (await frames(other, 1))[0]["code"] == "60018"
    await other.send_str("ping")
    assert (await other.receive()).data == "pong"
    business = await desk.okx({"channel": "orders-algo", "instType": "ANY"}, where="business")
    assert (await frames(business, 1))[0]["event"] == "subscribe"


async def test_okx_tells_how_many_and_refuses_the_thirty_first(desk: Desk) -> None:
    desk.sim.switches.limits = False
    held = []  # a socket that nobody holds is closed
    for number in range(1, 31):
        held.append(await desk.okx({"channel": "orders", "instType": "ANY"}))
        _, count = await frames(held[-1], 2)
        assert (count["event"], count["connCount"]) == ("channel-conn-count", str(number))
    last = await desk.okx({"channel": "orders", "instType": "ANY"})
    assert (await frames(last, 1))[0]["event"] == "channel-conn-count-error"


async def test_okx_announces_an_upgrade_and_then_cuts(desk: Desk) -> None:
    socket = await desk.okx()
    desk.sim.announce(OKX)
    assert (await frames(socket, 1))[0]["code"] == "64008"
    desk.sim.advance(31)
    assert (await asyncio.wait_for(socket.receive(), 10)).type != aiohttp.WSMsgType.TEXT


async def test_okx_fees_are_negative_and_a_liquidation_has_its_category(desk: Desk) -> None:
    socket = await desk.okx({"channel": "orders", "instType": "SWAP"}, {"channel": "liquidation-warning", "instType": "SWAP"})
    await frames(socket, 4)
    desk.sim.exchanges[OKX].set_leverage(desk.accounts[OKX], "BTC-USDT-SWAP", 100)
    desk.sim.trade(OKX, "BTC-USDT-SWAP", "BUY", "1000", "60000")
    filled = (await frames(socket, 2))[-1]["data"][0]
    assert (filled["state"], filled["fee"], filled["execType"]) == ("filled", "-300", "T")
    desk.sim.price(OKX, "BTC-USDT-SWAP", "59380")
    assert (await frames(socket, 1))[0]["arg"]["channel"] == "liquidation-warning"
    desk.sim.price(OKX, "BTC-USDT-SWAP", "58000")
    assert [one["data"][0]["category"] for one in await frames(socket, 2)] == ["full_liquidation"] * 2


async def test_a_kucoin_token_opens_one_connection_within_a_day(desk: Desk) -> None:
    given = await desk.token()
    assert given["instanceServers"][0]["pingInterval"] == desk.sim.switches.ping_ms
    address = f"{given['instanceServers'][0]['endpoint']}?token={given['token']}&connectId=1"
    assert (await frames(await desk.http.ws_connect(address), 1))[0]["type"] == "welcome"
    assert (await frames(await desk.http.ws_connect(address), 1))[0]["data"] == "token is invalid"
    old = await desk.token()
    desk.sim.advance(86_401)
    late = await desk.http.ws_connect(f"{old['instanceServers'][0]['endpoint']}?token={old['token']}&connectId=2")
    assert (await frames(late, 1))[0]["code"] == 401


async def test_kucoin_says_match_then_filled_in_nanoseconds_and_marks_partially(desk: Desk) -> None:
    socket = await desk.kucoin("/contractMarket/tradeOrders", "/contract/positionAll", "/contractAccount/wallet")
    desk.trade(KUCOIN)
    told = await frames(socket, 5)
    orders = [one["data"] for one in told if one["topic"] == "/contractMarket/tradeOrders"]
    assert [(row["type"], "matchPrice" in row) for row in orders] == [("open", False), ("match", True), ("filled", False)]
    assert all(len(str(row["ts"])) == 19 for row in orders)
    desk.sim.price(KUCOIN, "XBTUSDTM", "60010")
    [marked] = await frames(socket, 1)
    assert marked["data"]["changeReason"] == "markPriceChange"
    assert "symbol" not in marked["data"]
    await socket.send_json({"id": "9", "type": "ping"})
    assert (await frames(socket, 1))[0] | {"timestamp": 0} == {"id": "9", "type": "pong", "timestamp": 0}
