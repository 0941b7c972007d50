"""A small independent client of the simulated Binance for tests: signed REST and the user data socket."""

import asyncio
import hashlib
import hmac
import json
from typing import Any
from urllib.parse import urlencode

import aiohttp

from streams.venues.simulator.books import Account
from streams.venues.simulator.server import Simulator

EVENTS = "ORDER_TRADE_UPDATE/ACCOUNT_UPDATE/MARGIN_CALL/ACCOUNT_CONFIG_UPDATE/TRADE_LITE/ALGO_UPDATE/listenKeyExpired"
Frame = dict[str, Any]


class Trader:
    """One account's way to the venue; `call` gives status and JSON (or text)."""

    def __init__(self, sim: Simulator, account: Account, http: aiohttp.ClientSession) -> None:
        self.sim, self.account, self.http = sim, account, http
        self.urls = sim.urls[account.venue]

    async def call(self, method: str, path: str, **params: object) -> tuple[int, Any]:
        """A signed call at the simulated time."""
        query = urlencode({"timestamp": self.sim.clock.now_ms(), **params})
        signature = hmac.new(self.account.secret.encode(), query.encode(), hashlib.sha256).hexdigest()
        return await self.send(method, f"{path}?{query}&signature={signature}")

    async def send(self, method: str, path: str, body: str | None = None, key: str | None = "") -> tuple[int, Any]:
        """A call as given; `key` None sends no key header, "" the account's own."""
        headers = {} if key is None else {"X-MBX-APIKEY": key or self.account.key}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        async with self.http.request(method, self.urls.rest + path, headers=headers, data=body) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if answer.content_type == "application/json" else text

    async def key(self) -> str:
        """POST listenKey."""
        _, body = await self.send("POST", "/fapi/v1/listenKey")
        return str(body["listenKey"])

    async def listen(self, path: str = "") -> aiohttp.ClientWebSocketResponse:
        """The user data socket, by default on the right route with every event."""
        return await self.http.ws_connect(self.urls.ws + (path or f"/private/ws?listenKey={await self.key()}&events={EVENTS}"))


async def frames(socket: aiohttp.ClientWebSocketResponse, count: int) -> list[Frame]:
    """That many frames; fails after ten seconds."""
    return [json.loads((await asyncio.wait_for(socket.receive(), 10)).data) for _ in range(count)]


async def silent(socket: aiohttp.ClientWebSocketResponse, seconds: float = 0.3) -> bool:
    """Whether nothing comes and nothing ends."""
    try:
        await asyncio.wait_for(socket.receive(), seconds)
    except TimeoutError:
        return True
    return False
