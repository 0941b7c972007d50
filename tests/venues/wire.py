"""A simulated venue without sockets: the product's own simulator under a simulated clock, its handlers driven by hand, for any of the four.

What a session asks is signed, judged and answered as over a real line; what goes wrong is by the seed, as in `world`.
"""

import json
from collections.abc import Awaitable, Callable, Coroutine
from decimal import Decimal
from functools import partial
from typing import Any, Self

from yarl import URL

from streams.venues.attempts import Policy
from streams.venues.frames import Receipt
from streams.venues.memory import Memory
from streams.venues.places import venue_of
from streams.venues.secret import Secret
from streams.venues.session import Session
from streams.venues.simulator import faults as wrong
from streams.venues.simulator.books import Account
from streams.venues.simulator.clock import Clock
from streams.venues.simulator.faults import Fault
from streams.venues.simulator.server import Simulator
from streams.venues.simulator.sockets import Connection
from streams.venues.simulator.traders import Traders
from streams.venues.simulator.venue import Answer, Call
from streams.venues.venue import Credentials, Hosts, Judged, Request
from streams.venues.words import Answered, Close, Closed, Command, Failed, Login, Open, Opened, Received, Send
from streams.venues.words import Call as Ask
from tests.venues.driven import Asked, Parked, drive
from tests.venues.world import BEGIN_MS, World

HOSTS = Hosts("http://venue", "ws://venue")


class Line:
    """A connection as the session has it: `life` is the venue's handler, parked while it is open."""

    def __init__(self, number: int, connection: Connection, heard: Callable[[str], Awaitable[None]]) -> None:
        self.number, self.connection, self.heard = number, connection, heard
        self.life: Coroutine[Any, Any, object] | None = None
        self.open = True
        self.at_ms = 0

    def end(self) -> None:
        self.open, self.connection.gone = False, True
        if self.life is not None:
            self.life.close()


class WireWorld(World):
    """`World` with one of the venues where its small Binance was."""

    def __init__(self, venue: str, seed: int, faults: frozenset[str] = frozenset()) -> None:
        self.venue_name, self.lines = venue, dict[int, Line]()
        self.sim = Simulator((venue,), clock=Clock(BEGIN_MS, speed=0), seed=seed)
        self.sim.switches.expiry_repeats, self.sim.switches.limits = 2, False
        self.venue = self.sim.venues[venue]
        self.venue.address = HOSTS.stream
        self.venue.serve, self.venue.dismiss = self._serve, self._dismiss  # type: ignore[method-assign]
        self.stale = 0  # so many ways in are too old when they are used
        if hasattr(self.venue, "users"):
            self.venue.users._later = drive
        self.traders = Traders(self.sim, 1, 1.0, seed)
        self._account = self.traders.accounts[0]
        self._opening: Line | None = None
        self.venue.remember(self._account)
        super().__init__(seed, faults)

    @property
    def account(self) -> Account:
        return self._account

    def _born(self) -> Session:
        self.lives += 1
        owner = Receipt("live:1", "bn", lease_epoch=self.lives)
        self.record = venue_of(self.venue_name, "mainnet", {self.venue_name: HOSTS})
        return Session(owner, self.record, self.chance, Memory(self.stored_ms), Policy())

    def _credentials(self) -> Credentials:
        return Credentials(Secret(self._account.key), Secret(self._account.secret), Secret(self._account.passphrase))

    def _time(self) -> None:
        self.sim.advance(max(0, self.now_ms - self.sim.clock.now_ms()) / 1_000)

    # -- sockets ----------------------------------------------------------------------------------------------------------------------

    def _do(self, command: Command) -> None:
        self._time()
        if isinstance(command, Close):
            if line := self.lines.pop(command.socket, None):
                line.end()
        elif isinstance(command, Send | Login):
            self.after(self.chance.randint(1, 20), partial(self._say, command.socket, self._text(command)))
        else:
            super()._do(command)

    def _text(self, command: Send | Login) -> str:
        if isinstance(command, Send):
            return command.text
        assert self.record.login is not None
        return self.record.login(self._credentials(), self.now_ms - (60_000 if self._is_stale() else 0))

    def _is_stale(self) -> bool:
        self.stale = max(0, (before := self.stale) - 1)
        return before > 0

    def _say(self, socket: int, text: str) -> None:
        self._time()
        line = self.lines.get(socket)
        if line is not None and not line.connection.half_open:
            line.connection.heard_ms = self.now_ms
            drive(line.heard(text))

    def _open(self, command: Open) -> None:
        whose = self.session
        self.after(self.chance.randint(20, 200), lambda: self._connect(command, whose) if whose is self.session else None)

    def _connect(self, command: Open, whose: Session) -> None:
        self._time()
        url = URL(command.url.reveal(), encoded=True)
        self._opening = None
        if self.record.login is None and self._is_stale():
            self.sim.expire_key(self._account.name)
        life = self.venue.sockets()[url.path](Asked("GET", url.raw_path_qs, {}))  # type: ignore[arg-type]
        assert isinstance(life, Coroutine)
        opened = not self._happens("refused connect", 0.1) and drive(life)
        if not opened or self._opening is None:
            life.close()
            self.hear(Closed(command.socket, "refused"), whose)
            return
        line = self.lines[command.socket] = self._opening
        line.number, line.life = command.socket, life
        line.connection.silent = self._happens("mute", 0.05)
        self.hear(Opened(command.socket), whose)
        self._flush(line)

    async def _serve(self, connection: Connection, heard: Callable[[str], Awaitable[None]]) -> Any:
        line = self._opening = Line(0, connection, heard)
        ends: Any = connection
        ends._put, ends.ping = partial(self._put, line), partial(self._ping, line)
        ends.cut = ends.reset = partial(self._cut_line, line, "cut")
        ends.close = partial(self._closed_by_venue, line)
        self.venue.connections.add(connection)
        try:
            await Parked()
        finally:
            self.venue.connections.discard(connection)

    async def _dismiss(self, connection: Connection, text: str) -> Any:
        async def heard(_: str) -> None:
            connection.cut()

        def over() -> None:
            connection.cut()  # ours by then

        connection.send(text)
        self.after(800, over)
        return await self._serve(connection, heard)

    def _flush(self, line: Line) -> None:
        """What the venue said before the handshake was over."""
        while not line.connection._queue.empty():
            self._put(line, line.connection._queue.get_nowait())

    def _put(self, line: Line, text: str) -> None:
        connection = line.connection
        if connection.gone or connection.silent or connection.half_open:
            return
        connection.spoke_ms = self.now_ms
        late = self.chance.randint(0, 700) if self._happens("late frames", 0.3) else self.chance.randint(1, 30)
        data = text.startswith("{") and ('"data"' in text or '"e"' in text)
        for _ in range(2 if data and self._happens("twice", 0.1) else 1):
            line.at_ms = max(line.at_ms, self.now_ms + late)
            self.after(line.at_ms - self.now_ms, partial(self._arrive, line, text.encode(), self.session))

    def _arrive(self, line: Line, wire: bytes, whose: Session) -> None:
        if line.open:
            self.hear(Received(line.number, wire, self.now_ms * 1_000_000), whose)

    async def _ping(self, line: Line) -> None:
        if not line.connection.half_open:
            line.connection.heard_ms = self.now_ms

    async def _closed_by_venue(self, line: Line, code: int = 1000, reason: str = "") -> None:
        self._cut_line(line, f"code {code}")

    def _cut_line(self, line: Line, text: str) -> None:
        if self.lines.pop(line.number, None) is not None:
            line.connection.gone, line.open = True, False
            self.after(0, line.end)
            self.after(0, partial(self.hear, Closed(line.number, text), self.session))

    # -- REST -------------------------------------------------------------------------------------------------------------------------

    def _call(self, command: Ask) -> None:
        self.calls.append((self.now_ms, command.request))
        whose, judged = self.session, None
        if self.next_judged and self.judged_method in ("", command.request.method):
            judged = self.next_judged.pop(0)
        found: bytes | Judged = judged or b""
        if judged is None or self.chance.random() < 0.5:
            found = self._ask(command.request)
        refused = judged or (found if isinstance(found, Judged) else None)
        answer = Failed(command.call, refused) if refused else Answered(command.call, found if isinstance(found, bytes) else b"")
        self.after(self.chance.randint(20, 300), lambda: self.hear(answer, whose))

    def _ask(self, request: Request) -> bytes | Judged:
        """One call, as `Venue._rest` serves it."""
        signed = self.record.sign(self._credentials(), request, self.now_ms)
        path = f"{request.path}{'?' if signed.query else ''}{signed.query}"
        place = {"venue": self.venue_name, "method": request.method, "path": request.path}
        if self._happens("5xx", 0.08):
            self.sim.fault(wrong.HTTP, status=503, after_effect=self.chance.random() < 0.5)
        failure = self.sim.faults.take(wrong.HTTP, **place)
        if self._happens("lag", 0.5):
            self.sim.faults.add(Fault(wrong.LAG, ms=self.chance.randint(0, 600)))
        asked: Any = Asked(request.method, path, dict(signed.headers))
        call = Call(asked, dict(asked.query), signed.query, request.body, Account("", self.venue_name, "", "", "", 0))
        try:
            if failure and not failure.after_effect:
                raise self.venue._failed(failure)
            answer = Answer(200, self.venue.wrap(self.venue._run(call, place)))
        except Answer as other:
            answer = other
        answer = self.venue._failed(failure) if failure else answer
        body = answer.body.encode() if isinstance(answer.body, str) else json.dumps(answer.body).encode()
        return self.record.judge(answer.status, answer.headers, body) or body

    # -- what happens -----------------------------------------------------------------------------------------------------------------

    def act(self, frames: object = None) -> None:
        """The account trades; the venue tells, and remembers for answers that lag."""
        self._time()
        self.traders.step()
        self.venue.remember(self._account)

    def deposit(self) -> None:
        self._time()
        self.sim.transfer(self._account.name, "USDT", Decimal(1))

    def cut(self, heard: bool = True) -> None:
        for line in list(self.lines.values()):
            if heard:
                self._cut_line(line, self.chance.choice(("cut", "code 1000", "code 1001")))
            else:
                line.connection.halve()
                self.after(40_000, partial(self._cut_line, line, "no pong"))

    def silence(self) -> None:
        for line in self.lines.values():
            line.connection.silent = True

    def expire(self) -> None:
        """The key ends; where there is none, the line is cut, and the next login or token is too old when it is used."""
        self._time()
        if self.record.renew is not None:
            self.sim.expire_key(self._account.name)
        else:
            self.stale = self.chance.choice((1, 1, 1, 2))
            self.cut()

    def emit_control(self, frame: object) -> None:
        self._time()
        self.sim.announce(self._account.name)

    def kill(self) -> None:
        for line in list(self.lines.values()):
            line.end()
        self.lines.clear()
        super().kill()

    def quiet(self, ms: int = 3_600_000) -> Self:  # type: ignore[override]
        self.sim.faults.clear()
        self.stale = 0
        super().quiet(ms)
        return self
