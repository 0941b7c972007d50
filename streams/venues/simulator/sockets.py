"""One WebSocket of a client: frames out in order through a bounded queue, and every way such a connection can go wrong."""

import asyncio
import contextlib
import itertools
import socket
import struct
from collections import deque

from aiohttp import WSMsgType, web

from streams.venues.simulator.clock import Clock
from streams.venues.simulator.faults import DELAY, DROP, DUPLICATE, Faults

QUEUE_MAX = 10_000
_NUMBERS = itertools.count(1)


class Connection:
    """A socket that was accepted. `account` and `session` are for the venue's use; `sent` keeps the latest frames for tests."""

    def __init__(self, request: web.Request, venue: str, clock: Clock, faults: Faults) -> None:
        self.request, self.venue, self.clock, self.faults = request, venue, clock, faults
        self.number = next(_NUMBERS)
        self.socket = web.WebSocketResponse(autoping=False, autoclose=True, max_msg_size=1 << 20, compress=False)
        self.account = ""
        self.topics: dict[str, dict[str, object]] = {}
        self.sent: deque[str] = deque(maxlen=100)
        self.silent = self.half_open = self.gone = False
        self.opened_ms = self.heard_ms = self.spoke_ms = clock.now_ms()
        self.incoming: deque[int] = deque()
        self._queue: asyncio.Queue[str] = asyncio.Queue(QUEUE_MAX)
        self._held: list[str] = []  # by a slow line

    async def open(self) -> "Connection":
        """The handshake."""
        await self.socket.prepare(self.request)
        return self

    def send(self, text: str, event: str = "") -> None:
        """Queue a frame; `event` names data frames, which faults may double, delay or drop. A full queue cuts the connection."""
        if self.gone or self.silent or self.half_open:
            return
        place = {"venue": self.venue, "account": self.account, "event": event}
        if event and self.faults.take(DROP, **place):
            return
        copies = 2 if event and self.faults.take(DUPLICATE, **place) else 1
        late = self.faults.take(DELAY, **place) if event else None
        for _ in range(copies):
            if self._held or (late is not None and not late.event):
                self._hold(text, late.ms if late else 0)
            elif late is None:
                self._put(text)
            else:
                self.clock.after(late.ms, lambda: self._put(text))

    def _hold(self, text: str, ms: int) -> None:
        """A slow line: this frame and all behind it come later, in order."""
        if not self._held:
            self.clock.after(ms, self._let_go)
        self._held.append(text)

    def _let_go(self) -> None:
        held, self._held = self._held, []
        for text in held:
            self._put(text)

    def _put(self, text: str) -> None:
        if self.gone or self.silent or self.half_open:
            return
        try:
            self._queue.put_nowait(text)
        except asyncio.QueueFull:
            self.cut()

    async def pump(self) -> None:
        """Write what is queued until the connection is gone."""
        with contextlib.suppress(ConnectionError, RuntimeError):
            while not self.gone:
                text = await self._queue.get()
                self.sent.append(text)
                self.spoke_ms = self.clock.now_ms()
                await self.socket.send_str(text)

    async def hear(self) -> str | None:
        """The next text from the client; pings are answered here; None when the connection is over."""
        while not self.gone:
            message = await self.socket.receive()
            if message.type in {WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR}:
                return None
            self.heard_ms = self.clock.now_ms()
            if self.half_open:
                continue
            self.incoming.append(self.heard_ms)
            if message.type == WSMsgType.PING:
                await self.socket.pong(message.data)
            elif message.type == WSMsgType.TEXT:
                return str(message.data)
        return None

    def rate(self, within_ms: int) -> int:
        """Messages heard in the last `within_ms`."""
        while self.incoming and self.incoming[0] <= self.clock.now_ms() - within_ms:
            self.incoming.popleft()
        return len(self.incoming)

    async def ping(self) -> None:
        """The server's ping."""
        if not (self.gone or self.half_open):
            with contextlib.suppress(ConnectionError, RuntimeError):
                await self.socket.ping(str(self.clock.now_ms()).encode())

    def cut(self) -> None:
        """End without a close frame: FIN only."""
        self._end(reset=False)

    def reset(self) -> None:
        """End by RST."""
        self._end(reset=True)

    def halve(self) -> None:
        """Half-open: nothing is sent or answered any more, nothing is closed."""
        self.half_open = True

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """End with a close frame."""
        self.gone = True
        with contextlib.suppress(ConnectionError, RuntimeError, asyncio.TimeoutError):
            await asyncio.wait_for(self.socket.close(code=code, message=reason.encode()), 2)
        self._end(reset=False)

    def _end(self, *, reset: bool) -> None:
        self.gone = True
        transport = self.request.transport
        if transport is None:
            return
        raw = transport.get_extra_info("socket")
        if reset and raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
