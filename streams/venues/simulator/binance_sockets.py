"""Binance's sockets: user data on the private routes, silence on the retired ones, the WS API for listen keys."""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiohttp import web

from streams.venues.simulator.amounts import Json
from streams.venues.simulator.binance_keys import ListenKey, error
from streams.venues.simulator.binance_streams import MarketSockets
from streams.venues.simulator.binance_wire import EVENTS
from streams.venues.simulator.sockets import Connection
from streams.venues.simulator.venue import Answer

if TYPE_CHECKING:
    from streams.venues.simulator.binance import Binance

_PING_MS, _DEAF_MS, _RATE_MAX, _REAL_S = 180_000, 600_000, 10, 0.5
_CONNECTS_MS = 300_000
POLICY = 1008


@dataclass(slots=True)
class Feed:
    """What one connection gets: per listen key the wanted events; `wrapped` frames carry the key as their stream."""

    connection: Connection
    wrapped: bool = False
    keys: dict[str, frozenset[str] | None] = field(default_factory=dict)
    pinged_ms: int = 0
    waiting: tuple[int, float] | None = None  # simulated and real time of the first ping without an answer


class UserSockets:
    """All user data connections of the venue."""

    def __init__(self, venue: Binance) -> None:
        self.venue, self.market = venue, MarketSockets(venue)
        self.feeds: dict[int, Feed] = {}
        self._connects: dict[str, deque[int]] = {}
        self._listening: dict[str, dict[int, Feed]] = {}  # by listen key
        self._tasks: set[asyncio.Task[None]] = set()

    # Routes.
    async def raw(self, request: web.Request) -> web.StreamResponse:
        """`/private/ws?listenKey=&events=`: bare frames."""
        return await self._serve(request, wrapped=False)

    async def combined(self, request: web.Request) -> web.StreamResponse:
        """`/private/stream`, several keys in the query or by SUBSCRIBE: wrapped frames."""
        return await self._serve(request, wrapped=True)

    async def by_path(self, request: web.Request) -> web.StreamResponse:
        """`/private/ws/<key>`: documented, silent on the mainnet."""
        return await self._serve(request, wrapped=False, path_form=True)

    async def legacy(self, request: web.Request) -> web.StreamResponse:
        """`/ws/<key>`: retired on 2026-04-23; opens and stays silent where strict."""
        return await self._serve(request, wrapped=False, path_form=True)

    async def legacy_combined(self, request: web.Request) -> web.StreamResponse:
        """`/stream?streams=<key>`: retired likewise."""
        return await self._serve(request, wrapped=True, path_form=True)

    async def _serve(self, request: web.Request, *, wrapped: bool, path_form: bool = False) -> web.StreamResponse:
        venue = self.venue
        fault = venue.faults.take("refuse", venue=venue.name, path=request.path)
        if fault or self._too_often(request.remote or ""):
            return (venue._failed(fault) if fault else Answer(403, venue.broken(403))).response()
        feed = Feed(Connection(request, venue.name, venue.clock, venue.faults), wrapped, pinged_ms=venue.clock.now_ms())
        mute = path_form and venue.switches.strict
        if not mute:
            self._listen(feed, _wanted(request))
        self.feeds[feed.connection.number] = feed
        try:
            return await venue.serve(feed.connection, lambda text: self._heard(feed, text, mute=mute))
        finally:
            del self.feeds[feed.connection.number]
            for key in list(feed.keys):
                self._forget(feed, key)

    def _too_often(self, address: str) -> bool:
        """Who connects more often than `connects_max` in five minutes meets the firewall."""
        now = self.venue.clock.now_ms()
        recent = self._connects.setdefault(address, deque())
        recent.append(now)
        while recent[0] <= now - _CONNECTS_MS:
            recent.popleft()
        return self.venue.switches.limits and len(recent) > self.venue.switches.connects_max

    def _forget(self, feed: Feed, key: str) -> None:
        feed.keys.pop(key, None)
        self._listening.get(key, {}).pop(feed.connection.number, None)
        if not self._listening.get(key):
            self._listening.pop(key, None)

    def _listen(self, feed: Feed, wanted: dict[str, frozenset[str] | None]) -> None:
        for text, events in wanted.items():
            key = self.venue.keys.find(text)
            if key is None:
                continue  # a key that does not exist opens and stays silent
            none = events is None and self.venue.switches.events_absent == "none"
            feed.keys[text] = frozenset() if none else events
            self._listening.setdefault(text, {})[feed.connection.number] = feed
            feed.connection.account = key.account
            feed.connection.topics[text[:4]] = {}

    async def _heard(self, feed: Feed, text: str, *, mute: bool) -> None:
        if self.venue.switches.limits and feed.connection.rate(1_000) > _RATE_MAX:
            await feed.connection.close(POLICY, "Too many requests")
            return
        try:
            said = json.loads(text)
            method, params, number = said["method"], said.get("params") or [], said.get("id")
        except (ValueError, KeyError, TypeError):
            feed.connection.send(json.dumps({"error": {"code": 3, "msg": "Invalid JSON: expected value at line 1 column 1"}}))
            return
        result: object = None
        if method == "SUBSCRIBE" and not mute:
            self._listen(feed, {str(one): None if self.venue.switches.events_absent == "none" else frozenset(EVENTS) for one in params})
        elif method == "UNSUBSCRIBE":
            for one in params:
                self._forget(feed, str(one))
        elif method == "LIST_SUBSCRIPTIONS":
            result = list(feed.keys)
        feed.connection.send(json.dumps({"result": result, "id": number}, separators=(",", ":")))

    # Frames.
    def send(self, account: str, frame: Json) -> None:
        """To every connection whose live key is the account's."""
        key = self.venue.keys.live(account)
        if key is not None:
            self._send(key.text, frame)

    def _send(self, key: str, frame: Json) -> None:
        if key not in self._listening:
            return
        event = str(frame["e"])
        bare = json.dumps(frame, separators=(",", ":"))
        for feed in list(self._listening.get(key, {}).values()):
            if _allowed(feed.keys[key], event):
                feed.connection.send(f'{{"stream":"{key}","data":{bare}}}' if feed.wrapped else bare, event)

    def tell_expired(self, key: ListenKey) -> None:
        """`listenKeyExpired`; the socket stays open, mute."""
        now, switches = self.venue.clock.now_ms(), self.venue.switches
        frame: Json = {"e": "listenKeyExpired", "E": str(now) if switches.expiry_text_time else now}
        if switches.expiry_names_key:
            frame["listenKey"] = key.text
        for _ in range(switches.expiry_repeats):
            self._send(key.text, frame)
        for feed in list(self._listening.get(key.text, {}).values()):
            self._forget(feed, key.text)

    def shut_down(self, account: str) -> None:
        """`serverShutdown`, some minutes before maintenance."""
        key = self.venue.keys.live(account)
        for feed in list(self._listening.get(key.text, {}).values()) if key else ():
            feed.connection.send(json.dumps({"e": "serverShutdown", "E": self.venue.clock.now_ms()}), "serverShutdown")

    def tend(self) -> None:
        """Pings each 3 minutes, a cut after 10 without an answer, another after 24 hours."""
        now = self.venue.clock.now_ms()
        for feed in list(self.feeds.values()):
            connection = feed.connection
            if now - connection.opened_ms >= self.venue.switches.life_hours * 3_600_000:
                self._later(connection.close(1000))
            elif now - feed.pinged_ms >= _PING_MS:
                self._ping(feed, now)

    def _ping(self, feed: Feed, now: int) -> None:
        """A jump of the clock gives nobody time to answer: a deaf client must have been deaf in real time, too."""
        if feed.waiting is None or feed.connection.heard_ms > feed.waiting[0]:
            feed.waiting = now, time.monotonic()
        elif now - feed.waiting[0] >= _DEAF_MS and time.monotonic() - feed.waiting[1] >= _REAL_S:
            feed.connection.cut()
        feed.pinged_ms = now
        self._later(feed.connection.ping())

    def _later(self, work: object) -> None:
        task = asyncio.ensure_future(work)  # type: ignore[call-overload]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _wanted(request: web.Request) -> dict[str, frozenset[str] | None]:
    """listen key -> events; each key's `events` follows it. None where there was none."""
    found: dict[str, frozenset[str] | None] = {}
    last = ""
    for name, value in request.query.items():
        if name == "listenKey" and value:
            last = value
            found.setdefault(value, None)
        elif name == "events" and last:
            found[last] = frozenset(value.split("/"))
        elif name == "streams":
            found |= dict.fromkeys(value.split("/"))
    if key := request.match_info.get("key"):
        found[key] = None
    return found


def _allowed(events: frozenset[str] | None, event: str) -> bool:
    return events is None or event in events


class WsApi:
    """`/ws-fapi/v1`: userDataStream.start, ping and stop, and the time; data never comes here."""

    def __init__(self, venue: Binance) -> None:
        self.venue = venue

    async def open(self, request: web.Request) -> web.StreamResponse:
        """Serve one connection."""
        connection = Connection(request, self.venue.name, self.venue.clock, self.venue.faults)

        async def heard(text: str) -> None:
            said: Json = {}
            try:
                said = json.loads(text)
                status, body = 200, {"result": self._answer(said)}
            except Answer as refused:
                status, body = refused.status, {"error": refused.body}
            except (ValueError, KeyError, TypeError):
                status, body = 400, {"error": {"code": -1100, "msg": "Illegal characters found in a parameter."}}
            limits = [{"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 2400, "count": 2}]
            connection.send(json.dumps({"id": said.get("id"), "status": status, **body, "rateLimits": limits}, separators=(",", ":")))

        return await self.venue.serve(connection, heard)

    def _answer(self, said: Json) -> object:
        method, params = said["method"], said.get("params") or {}
        if method == "ping":
            return {}
        if method == "time":
            return {"serverTime": self.venue.clock.now_ms()}
        assert isinstance(params, dict)
        account = self.venue.exchange.by_key(str(params.get("apiKey", "")))
        if account is None:
            raise error(401, -2015, "Invalid API-key, IP, or permissions for action.")
        if method == "userDataStream.start":
            return {"listenKey": self.venue.keys.create(account).text}
        if method == "userDataStream.ping":
            return {"listenKey": self.venue.renew(account).text}
        if method == "userDataStream.stop":
            key = self.venue.keys.end(account.name)
            if key is not None:
                self.venue.users.tell_expired(key)
            return {}
        raise error(400, -1102, "Unknown method.")
