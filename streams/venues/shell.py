"""The thin shell of one session: sockets, REST and the clock to events of the pure machine, its commands to deeds."""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, NamedTuple, Protocol

import websockets
from websockets.asyncio.client import ClientConnection

from streams.ops.logs import place_of
from streams.venues.frames import Event
from streams.venues.rest import Refused, Rest
from streams.venues.secret import Secret
from streams.venues.session import Session
from streams.venues.venue import Credentials, Judged, Reason
from streams.venues.websocket import Room, converse
from streams.venues.words import (
    Acknowledged,
    Answered,
    Call,
    Close,
    Closed,
    Command,
    Failed,
    Happened,
    Login,
    Open,
    Opened,
    Overflowed,
    Publish,
    Received,
    Report,
    Save,
    Send,
    Ticked,
)

log = logging.getLogger(__name__)
_ROOM = Room(256, 4 * 2**20)


class Sink(Protocol):
    """Where facts go; answers whether there was room."""

    def take(self, name: tuple[str, str], events: tuple[Event, ...], received_ms: int) -> bool: ...

    def safe_ms(self, name: tuple[str, str]) -> int | None: ...


class Outside(NamedTuple):
    """What a session needs of the world."""

    rest: Rest
    sink: Sink
    credentials: Callable[[], Credentials]
    save: Callable[[Save], Coroutine[Any, Any, None]]
    report: Callable[[Report], None]
    told: Callable[[tuple[Event, ...]], None]


class Shell:
    """Runs a session on the event loop: `hear` is the only way in."""

    def __init__(self, session: Session, outside: Outside) -> None:
        self.session, self._outside = session, outside
        self.name = (session.owner.user_key, session.owner.account_id)
        self._sockets: dict[int, ClientConnection] = {}
        self._readers: dict[int, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._armed: tuple[int | None, int] | None = None  # what the timer stands for: when, by the venue's clock, and the clock's offset
        self._refused = False

    def hear(self, happened: Happened) -> None:
        """Steps the machine and does what it says. A bug of ours ends this session, not the others: it is said, and begun anew."""
        self._refused = False
        try:
            self._step(happened)
            if self._refused:
                for also in (*self._safe(), Overflowed()):
                    self._step(also)
            self._set_timer()
        except Exception as error:
            self._outside.report(Report("broken", place_of(error), alert=True))

    def _step(self, happened: Happened) -> None:
        for command in self.session.step(happened, self._outside.rest.clock.venue_ms()):
            self._do(command)

    def acknowledge(self) -> None:
        """Tells the machine what is safe in Kafka; as ever, what is due by then is done."""
        for happened in self._safe():
            self.hear(happened)

    def _safe(self) -> tuple[Happened, ...]:
        safe_ms = self._outside.sink.safe_ms(self.name)
        return () if safe_ms is None else (Acknowledged(safe_ms),)

    async def close(self) -> None:
        """Ends every task of this session; sockets get their closing handshake."""
        if self._timer is not None:
            self._timer.cancel()
        tasks = [*self._readers.values(), *self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _set_timer(self) -> None:
        """Most frames change nothing about what is due next: then the timer stays."""
        clock = self._outside.rest.clock
        due = self.session.due()
        if self._armed == (due, clock.offset_ms):
            return
        self._armed = due, clock.offset_ms
        if self._timer is not None:
            self._timer.cancel()
        wait_s = None if due is None else max(0.0, (due - clock.venue_ms()) / 1_000)
        self._timer = None if wait_s is None else asyncio.get_running_loop().call_later(wait_s + 0.001, self._tick)

    def _tick(self) -> None:
        self._armed = None
        self.hear(Ticked())

    def _do(self, command: Command) -> None:
        match command:
            case Publish(events, received_ms):
                self._publish(events, received_ms)
            case Open(socket, url):
                self._readers[socket] = asyncio.create_task(self._socket(socket, url))
            case Close(socket):
                if reader := self._readers.pop(socket, None):
                    reader.cancel()
            case Call():
                self._later(self._call(command))
            case Report():
                self._outside.report(command)
            case Send() | Login() | Save():
                self._say(command)

    def _say(self, command: Send | Login | Save) -> None:
        if isinstance(command, Save):
            self._later(self._outside.save(command))
        elif isinstance(command, Send):
            self._later(self._send(command.socket, lambda: command.text))
        else:
            self._later(self._send(command.socket, self._login))

    def _publish(self, events: tuple[Event, ...], received_ms: int) -> None:
        if not self._refused:
            self._refused = not self._outside.sink.take(self.name, events, received_ms)
        if not self._refused:
            self._outside.told(events)

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _call(self, command: Call) -> None:
        rest = self._outside.rest
        try:
            body = await rest.ask(command.request, self._outside.credentials, command.urgent)
        except Refused as refused:
            self.hear(Failed(command.call, refused.judged))
        else:
            self.hear(Answered(command.call, body))

    def _login(self) -> str:
        venue = self._outside.rest.venue
        assert venue.login is not None
        return venue.login(self._outside.credentials(), self._outside.rest.clock.venue_ms())

    async def _send(self, socket: int, text: Callable[[], str]) -> None:
        if connection := self._sockets.get(socket):
            try:
                await connection.send(text())
            except ValueError as error:  # credentials that do not open, or are none
                self.hear(Closed(socket, "login", Judged(Reason.AUTH, text=str(error))))
            except websockets.ConnectionClosed:  # its reader finds out and says so
                return

    async def _socket(self, socket: int, url: Secret) -> None:
        """One connection from its opening to its end; however it ends, the machine hears of it."""
        try:
            ended = await converse(self._outside.rest, url, _ROOM, partial(self._listen, socket), urgent=self.session.memory.exposed)
        finally:
            self._sockets.pop(socket, None)
        if self._readers.pop(socket, None) is not None:
            self.hear(Closed(socket, *ended))

    async def _listen(self, socket: int, connection: ClientConnection) -> None:
        self._sockets[socket] = connection
        self.hear(Opened(socket))
        while True:
            frame = await connection.recv(decode=False)
            self.hear(Received(socket, bytes(frame), time.time_ns()))
