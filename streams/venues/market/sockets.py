"""The thin shell of a line: sockets and the clock to its events, its commands to deeds."""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import websockets
from websockets.asyncio.client import ClientConnection

from streams.venues.envelopes import inner
from streams.venues.frames import Kind, Unreadable
from streams.venues.market.line import Close, Command, Line, Lost, Open, Send
from streams.venues.normalise.market import Ticks
from streams.venues.rest import Refused, Rest, nobody
from streams.venues.secret import Secret
from streams.venues.websocket import Ended, Room, converse

log = logging.getLogger(__name__)
_ROOM = Room(1_024, 2**20)


class Outside(NamedTuple):
    """Who asks the venue, and who hears: prices, frames nobody could read (with why), and that a socket told its last."""

    rest: Rest
    told: Callable[[str, bytes, Ticks], None]
    unreadable: Callable[[str, bytes, str], None]
    lost: Callable[[str], None]


class Wire:
    """Runs a line on the event loop."""

    def __init__(self, line: Line, outside: Outside) -> None:
        self.line, self._outside = line, outside
        self._connections: dict[int, ClientConnection] = {}
        self._readers: dict[int, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None

    def want(self, topics: frozenset[str]) -> None:
        """From now on these topics."""
        self._do(self.line.want(topics, self._now()))

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        tasks = [*self._readers.values(), *self._tasks]
        self._readers.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _now(self) -> int:
        return self._outside.rest.clock.now_ms()

    def _do(self, commands: list[Command]) -> None:
        for command in commands:
            match command:
                case Open(link):
                    self._readers[link] = asyncio.create_task(self._socket(link))
                case Send(link, text):
                    self._later(link, text)
                case Close(link):
                    if reader := self._readers.pop(link, None):
                        reader.cancel()
                case Lost(text):
                    log.warning("%s market data (%s): %s", self.line.feed.name, self.line.route, text)
                    self._outside.lost(self.line.feed.name)
        self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        due = self.line.due()
        wait_s = None if due is None else max(0.0, (due - self._now()) / 1_000) + 0.001
        self._timer = None if wait_s is None else asyncio.get_running_loop().call_later(
            wait_s, lambda: self._do(self.line.ticked(self._now())))

    def _later(self, link: int, text: str) -> None:
        task = asyncio.create_task(self._send(link, text))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(self, link: int, text: str) -> None:
        if connection := self._connections.get(link):
            try:
                await connection.send(text)
            except websockets.ConnectionClosed:  # its reader finds out
                return

    async def _address(self) -> Secret:
        """Where to connect. Raises `Refused`, and `ValueError` for a token's answer that is none."""
        feed, rest = self.line.feed, self._outside.rest
        if feed.token is None:
            return Secret(feed.hosts(rest.venue.hosts).stream + feed.paths[self.line.route].path)
        data = inner(await rest.ask(feed.token, nobody, urgent=True), "data")
        return Secret(f"{data['instanceServers'][0]['endpoint']}?token={data['token']}&connectId={self._now()}")

    async def _socket(self, link: int) -> None:
        """One connection from its opening to its end; however it ends, the line hears of it."""
        try:
            ended = await converse(self._outside.rest, await self._address(), _ROOM, partial(self._listen, link), urgent=True)
        except Refused as refused:
            ended = Ended(str(refused), refused.judged)
        except (OSError, ValueError, LookupError, TypeError) as error:  # its words may hold the token
            ended = Ended(type(error).__name__)
        finally:
            self._connections.pop(link, None)
        if self._readers.pop(link, None) is not None:
            self._do(self.line.closed(link, ended.text, self._now(), ended.judged.retry_after_ms if ended.judged else 0))

    async def _listen(self, link: int, connection: ClientConnection) -> None:
        self._connections[link] = connection
        if self.line.feed.token is None:
            self._do(self.line.opened(link, self._now()))
        while True:
            self._hear(link, bytes(await connection.recv(decode=False)))

    def _hear(self, link: int, frame: bytes) -> None:
        feed, now_ms = self.line.feed, self._now()
        try:
            found = feed.read(frame, now_ms)
        except Unreadable as error:
            self._outside.unreadable(feed.name, frame, str(error))
            self._do(self.line.heard(link, Kind.INFO, now_ms))
            return
        kind = found.signal.kind if found.signal else None if found.ticks or found.refused else Kind.INFO
        if kind is Kind.WELCOME:
            self._do(self.line.opened(link, now_ms))
        elif kind is Kind.REFUSED and found.signal:
            log.warning("%s market data (%s): refused %s %s", feed.name, self.line.route, found.signal.code, found.signal.text)
        self._outside.told(feed.name, frame, found)
        self._do(self.line.heard(link, kind, now_ms))
