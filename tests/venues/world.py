"""A venue, a network and Kafka under a simulated clock, with a session between them: everything that goes wrong is by the seed."""

import heapq
import itertools
import json
import random
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from urllib.parse import parse_qs, urlsplit

from streams.venues import binance
from streams.venues.attempts import Policy
from streams.venues.frames import Receipt
from streams.venues.memory import Memory
from streams.venues.session import Session
from streams.venues.venue import Judged, Reason, Request
from streams.venues.words import (
    Answered,
    Call,
    Changed,
    Close,
    Closed,
    Command,
    Failed,
    Happened,
    Open,
    Opened,
    Overflowed,
    Publish,
    Received,
    Report,
    Started,
    State,
    Ticked,
)
from tests.venues.ledger import Json, Ledger, rows_of
from tests.venues.topics import Topics

BEGIN_MS = 1_790_000_000_000
MINUTE = 60_000


class Socket:
    """One connection: what is sent arrives in order."""

    def __init__(self, number: int, key: str, heard: tuple[str, ...]) -> None:
        self.number, self.key, self.heard = number, key, heard
        self.open = True
        self.mute = False  # open, and nothing ever comes
        self.at_ms = 0


class World(Topics):
    """`faults` name what may happen; `quiet()` heals everything and waits."""

    def __init__(self, seed: int, faults: frozenset[str] = frozenset()) -> None:
        self.chance, self.faults = random.Random(seed), faults
        self.now_ms = BEGIN_MS
        self.ledger = Ledger(self.chance)
        self.history: list[tuple[int, Json]] = [(0, self.ledger.answers())]
        self.sockets: dict[int, Socket] = {}
        self.dialled: list[int] = []
        self.key, self.key_ends_ms, self.keys = "", 0, 0
        self.next_judged: list[Judged] = []
        self.judged_method = ""  # only these are refused; "" = all
        super().__init__()
        self.reports: list[Report] = []
        self.calls: list[tuple[int, Request]] = []
        self.stored_ms: int | None = self.now_ms  # an account begins when it is registered
        self.lives = 0
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self.session = self._born()

    def _born(self) -> Session:
        self.lives += 1
        owner = Receipt("live:1", "bn", lease_epoch=self.lives)
        return Session(owner, binance.venue(), self.chance, Memory(self.stored_ms), Policy())

    # -- time --------------------------------------------------------------------------------------------------------------------------

    def after(self, ms: int, what: Callable[[], None]) -> None:
        heapq.heappush(self._queue, (self.now_ms + ms, next(self._order), what))

    def start(self) -> None:
        self.hear(Started())
        self.after(30_000, self._store)

    def run(self, ms: int) -> None:
        """Lets time pass: what is due happens in order, the session's own timers among it."""
        until = self.now_ms + ms
        while True:
            due = self.session.due()
            soonest = min(self._queue[0][0] if self._queue else until, due if due is not None else until)
            if soonest > until or (not self._queue and due is None):
                break
            self.now_ms = max(self.now_ms, soonest)
            if due is not None and due <= self.now_ms:
                self.hear(Ticked())
            elif self._queue and self._queue[0][0] <= self.now_ms:
                heapq.heappop(self._queue)[2]()
            elif soonest == until:
                break
        self.now_ms = until

    def hear(self, happened: Happened, whose: Session | None = None) -> None:
        if whose is not None and whose is not self.session:  # of a process that is no more
            return
        before = self.overflowed
        for command in self.session.step(happened, self.now_ms):
            self._do(command)
        if self.overflowed and not before:
            self.hear(Overflowed())

    # -- what the session wants --------------------------------------------------------------------------------------------------------

    def _do(self, command: Command) -> None:
        if isinstance(command, Open):
            self._open(command)
        elif isinstance(command, Close):
            if found := self.sockets.pop(command.socket, None):
                found.open = False
        elif isinstance(command, Call):
            self._call(command)
        elif isinstance(command, Publish):
            self._publish(command)
        elif isinstance(command, Report):
            self.reports.append(command)

    def _open(self, command: Open) -> None:
        self.dialled.append(command.socket)
        said = parse_qs(urlsplit(command.url.reveal()).query)
        socket = Socket(command.socket, said["listenKey"][0], tuple(said.get("events", [""])[0].split("/")))
        whose = self.session

        def opened() -> None:
            if self._happens("refused connect", 0.1):
                self.hear(Closed(command.socket, "no route"), whose)
                return
            socket.mute = self._happens("mute", 0.05)
            if whose is self.session:
                self.sockets[command.socket] = socket
            self.hear(Opened(command.socket), whose)

        self.after(self.chance.randint(20, 200), opened)

    def _store(self) -> None:
        self.stored_ms = self.session.memory.since_ms
        self.after(30_000, self._store)

    # -- the venue ---------------------------------------------------------------------------------------------------------------------

    def act(self, frames: list[Json] | None = None) -> None:
        """A user does something; frames go to every socket of the key, in order."""
        for frame in self.ledger.act(self.now_ms) if frames is None else frames:
            self.emit(frame)
        self.history = [*self.history[-100:], (self.now_ms, self.ledger.answers())]

    def emit(self, frame: Json) -> None:
        wire = json.dumps(frame).encode()
        for socket in list(self.sockets.values()):
            hears = socket.open and not socket.mute and socket.key == self.key and frame["e"] in socket.heard
            if hears and self.now_ms < self.key_ends_ms:
                late = self.chance.randint(0, 700) if self._happens("late frames", 0.3) else self.chance.randint(1, 30)
                for _ in range(2 if self._happens("twice", 0.1) else 1):
                    self._send(socket, wire, late)

    def _send(self, socket: Socket, wire: bytes, late: int) -> None:
        socket.at_ms = max(socket.at_ms, self.now_ms + late)
        whose = self.session

        def arrives() -> None:
            if socket.open:
                self.hear(Received(socket.number, wire, self.now_ms * 1_000_000), whose)

        self.after(socket.at_ms - self.now_ms, arrives)

    def _call(self, command: Call) -> None:
        self.calls.append((self.now_ms, command.request))
        whose, judged = self.session, None
        if self.next_judged and self.judged_method in ("", command.request.method):
            judged = self.next_judged.pop(0)
        elif self._happens("5xx", 0.08):
            judged = Judged(Reason.TRANSIENT, text="503")
        found: bytes | Judged = judged or b""
        if judged is None or self.chance.random() < 0.5:  # a refusal may come after its question took effect
            found = self._answer(command.request)
        refused = judged or (found if isinstance(found, Judged) else None)
        answer = Failed(command.call, refused) if refused else Answered(command.call, found if isinstance(found, bytes) else b"")
        self.after(self.chance.randint(20, 300), lambda: self.hear(answer, whose))

    def _answer(self, request: Request) -> bytes | Judged:
        if request.part == "listenKey":
            return self._listen_key(request.method)
        at_ms = self.now_ms - (self.chance.randint(0, 600) if self._happens("lag", 0.5) else 0)
        seen = next(answers for since, answers in reversed(self.history) if since <= at_ms)
        params = dict(request.params)
        if request.part in ("order", "algoOrder"):
            row = seen["orders"].get(int(params.get("orderId") or params["algoId"]))
            return json.dumps(row).encode() if row else Judged(Reason.REFUSED, text="-2013")
        return json.dumps(rows_of(self.ledger, request.part, seen, (params, at_ms))).encode()

    def _listen_key(self, method: str) -> bytes | Judged:
        alive = self.key and self.now_ms < self.key_ends_ms
        if method == "PUT" and not alive:
            return Judged(Reason.KEY_GONE, text="-1125")
        if method == "POST" and not alive:
            self.keys += 1
            self.key = f"key{self.keys}".ljust(64, "x")
        self.key_ends_ms = self.now_ms + 3_600_000
        return json.dumps({"listenKey": self.key}).encode()

    # -- what goes wrong ---------------------------------------------------------------------------------------------------------------

    def _happens(self, fault: str, share: float) -> bool:
        return fault in self.faults and self.chance.random() < share

    def cut(self, heard: bool = True) -> None:
        """Every socket ends; unheard, the client finds out by its own pings, 40 s later."""
        whose = self.session
        for socket in list(self.sockets.values()):
            del self.sockets[socket.number]
            socket.open = False
            text = "cut" if heard else "no pong"
            self.after(0 if heard else 40_000, partial(self.hear, Closed(socket.number, text), whose))

    def expire(self) -> None:
        """The key is deleted by somebody; the venue says so, twice."""
        self.key_ends_ms = self.now_ms
        frame = json.dumps({"e": "listenKeyExpired", "E": str(self.now_ms), "listenKey": self.key}).encode()
        for socket in list(self.sockets.values()):
            self._send(socket, frame, 5)
            self._send(socket, frame, 19)

    def refuse(self, how: str) -> None:
        """The next questions are refused."""
        self.next_judged = {
            "auth": [Judged(Reason.AUTH, text="-2014")], "clock": [Judged(Reason.CLOCK, text="-1021")] * 2,
            "banned": [Judged(Reason.BANNED, 120_000, "418")] * 3, "limited": [Judged(Reason.LIMITED, 20_000, "429")] * 5}[how].copy()

    def emit_control(self, frame: Json) -> None:
        """A frame about the connection, to every socket."""
        for socket in list(self.sockets.values()):
            if not socket.mute:
                self._send(socket, json.dumps(frame).encode(), 5)

    def kill(self) -> None:
        """The process dies: sockets, memory and what Kafka had not taken are gone; another one starts."""
        self.cut()
        self.pending.clear()
        self.overflowed = False
        self.session = self._born()
        self.after(self.chance.randint(100, 20_000), lambda: self.hear(Started()))

    def quiet(self, ms: int = 3_600_000) -> None:
        """Everything is healed, then one last deposit: what lies behind a mute stream must show by it."""
        self.faults = frozenset()
        self.kafka_up = True
        self.next_judged.clear()
        if self.session.state is State.AUTH_FAILED:
            self.hear(Changed())
        self.run(120_000)
        self.deposit()
        self.run(ms)

    def deposit(self) -> None:
        """The smallest change."""
        self.act(self.ledger.deposit(Decimal(1), self.now_ms))

    def silence(self) -> None:
        """The sockets stay open, and nothing ever comes."""
        for socket in self.sockets.values():
            socket.mute = True


def live_world(seed: int = 1, **faults: frozenset[str]) -> World:
    """A session that is live, with a position."""
    world = World(seed, **faults)
    world.start()
    world.run(5_000)
    assert world.session.state is State.LIVE
    for _ in range(12):
        world.act()
        world.run(100)
    return world
