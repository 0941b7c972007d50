"""One account at one venue as a pure machine: what happened goes in, what to do comes out; time is an argument, in the venue's clock.

Whatever goes wrong leads to one place: a new link, one at a time, each attempt later than the one before.
"""

import random
from collections.abc import Callable

from schemas.user_data_pb2 import Exchange
from streams.venues.attempts import Policy
from streams.venues.decode import normalise
from streams.venues.frames import Kind, Normalised, Receipt, Signal, Unreadable
from streams.venues.keeping import Keeping
from streams.venues.links import Link
from streams.venues.memory import Memory
from streams.venues.normalise.telling import dead_letter
from streams.venues.venue import Reason, Request, Venue
from streams.venues.words import (
    Acknowledged,
    Answered,
    Call,
    Changed,
    Closed,
    Command,
    Doubted,
    Drained,
    Failed,
    Happened,
    Opened,
    Overflowed,
    Polled,
    Received,
    Report,
    Send,
    Started,
    State,
    Stopped,
    Ticked,
)

_NO_TOKEN = b"***"
_HANDSHAKE = (Kind.WELCOME, Kind.LOGGED_IN, Kind.SUBSCRIBED)


class Session(Keeping):
    """`step` takes one thing that happened; `due` says when to step with `Ticked` at the latest."""

    def __init__(self, owner: Receipt, venue: Venue, chance: random.Random, memory: Memory | None = None,
                 policy: Policy | None = None) -> None:
        super().__init__(owner, venue, chance, memory, policy)
        self._on_timer: dict[str, Callable[[int], None]] = {
            "begin": lambda _: self._begin(), "deadline": lambda _: self._fail(f"expected to be live by now, was {self.state}"),
            "read": lambda _: self._read(), "again": self._again, "renew": lambda _: self._renew(), "rotate": lambda _: self._begin(),
            "watch": lambda _: self._watch(), "complete": lambda _: self._complete(),
            "steady": lambda _: self._steady(), "ping": self._ping, "quiet": self._quiet,
        }
        self._on: dict[type[object], Callable[..., None]] = {
            Started: lambda _: self._begin(), Stopped: lambda _: self._rest(State.STOPPED), Ticked: lambda _: None,
            Opened: self._opened, Received: self._received, Closed: self._closed, Answered: self._answered, Failed: self._failed,
            Acknowledged: self._acknowledged, Overflowed: lambda _: self._overflowed(), Drained: lambda _: self._resume(State.HELD),
            Changed: lambda _: self._changed(), Doubted: lambda happened: self._doubt(happened.text),
            Polled: self._polled,
        }

    def due(self) -> int | None:
        """When time alone makes something happen."""
        return min(self._timers.values(), default=None)

    def step(self, happened: Happened, now_ms: int) -> list[Command]:
        """What to do about it, in order."""
        self._said, self.now_ms = [], max(now_ms, self.now_ms)
        self._on[type(happened)](happened)
        while late := [timer for timer, at in self._timers.items() if at <= self.now_ms]:
            timer = min(late, key=self._timers.__getitem__)
            del self._timers[timer]
            self._on_timer[timer[0]](timer[1])
        return self._said

    # -- sockets ------------------------------------------------------------------------------------------------------------------------

    def _link(self, socket: int) -> Link | None:
        candidate = self.attempt.link if self.attempt else None
        return next((link for link in (self.live, candidate) if link is not None and socket in link.stages), None)

    def _opened(self, happened: Opened) -> None:
        if link := self._link(happened.socket):
            self._said += link.opened(happened.socket)
            self._keep_alive(link, happened.socket)
            self._proceed(link)

    def _received(self, happened: Received) -> None:
        link = self._link(happened.socket)
        if link is None:  # a link that was let go: what it still says, the one after it was told, too
            return
        if self.venue.quiet_ms_max:
            self._timers["quiet", happened.socket] = self.now_ms + self.venue.quiet_ms_max
        receipt = link.receipt(self.owner, happened.received_ns)
        try:
            found = normalise(self.venue.name, happened.frame, receipt)
        except Unreadable as error:
            frame = happened.frame.replace(link.key.token.reveal().encode() or _NO_TOKEN, _NO_TOKEN)
            self._publish((dead_letter(Exchange.Value(self.venue.name.upper()), frame, receipt, str(error)),))
            self._said.append(Report("unreadable", str(error)))
            self._doubt("a frame that nobody could read")
            return
        self._told(link, found)
        if found.signal is not None:
            self._heard(link, happened.socket, found.signal)

    def _told(self, link: Link, found: Normalised) -> None:
        if not found.events:
            return
        link.frame_ms = self.now_ms
        if link is self.live:
            self._publish(self._fresh(found.events))
            self.memory.prove(self.now_ms)
            return
        assert self.attempt is not None
        self.attempt.waiting.append((self.now_ms, found.events))
        if len(self.attempt.waiting) > self.policy.buffer_max:
            self._fail(f"expected at most {self.policy.buffer_max} frames waiting, was {len(self.attempt.waiting)}")

    def _heard(self, link: Link, socket: int, signal: Signal) -> None:
        kind = signal.kind
        said = f"{signal.name} {signal.code} {signal.text}".strip()
        if kind in _HANDSHAKE:
            self._said += link.heard(socket, kind)
            self._proceed(link)
        elif kind is Kind.PING and self.venue.ping is not None:
            self._said.append(Send(socket, self.venue.ping(self.now_ms)))
        elif kind is Kind.LOGIN_FAILED:
            self._no_entry(link, f"login: {said}")
        elif kind in (Kind.REFUSED, Kind.KEY_EXPIRED):
            self._broken(link, kind.value, said)
        elif kind is Kind.CLOSING and link is self.live:
            self._said.append(Report("closing", said))
            self._begin()
        elif kind is Kind.UNKNOWN:
            self._said.append(Report("unknown_event", said))

    def _broken(self, link: Link, kind: str, text: str, least_ms: int = 0) -> None:
        """A link that tells no more, or not all: its account begins anew."""
        if link is self.live:
            self._lose(kind, text, least_ms=least_ms)
        else:
            self._fail(f"{kind}: {text}", least_ms)

    def _no_entry(self, link: Link, text: str) -> None:
        """Said once, it may be the venue's own trouble or our clock; said again, the user must change something."""
        self._auth_failures += 1
        if self._auth_failures > 1:
            self._shut_out(text)
        else:
            self._broken(link, "login_failed", text)

    def _closed(self, happened: Closed) -> None:
        link = self._link(happened.socket)
        if link is None:
            return
        link.stages.pop(happened.socket)
        self._silence(happened.socket)
        judged = happened.judged
        if judged is not None and judged.reason is Reason.AUTH:
            self._no_entry(link, judged.text)
        else:
            self._broken(link, "closed", happened.text, judged.retry_after_ms if judged else 0)

    def _keep_alive(self, link: Link, socket: int) -> None:
        if self.venue.ping is not None:
            self._timers["ping", socket] = self.now_ms + (link.key.ping_every_ms or self.venue.ping_every_ms)
        if self.venue.quiet_ms_max:
            self._timers["quiet", socket] = self.now_ms + self.venue.quiet_ms_max

    def _ping(self, socket: int) -> None:
        link = self._link(socket)
        if link is not None and self.venue.ping is not None:
            self._said.append(Send(socket, self.venue.ping(self.now_ms)))
            self._timers["ping", socket] = self.now_ms + (link.key.ping_every_ms or self.venue.ping_every_ms)

    def _quiet(self, socket: int) -> None:
        if link := self._link(socket):
            self._broken(link, "quiet", f"expected a frame or pong within {self.venue.quiet_ms_max} ms, was none")

    # -- answers ------------------------------------------------------------------------------------------------------------------------

    def _answered(self, happened: Answered) -> None:
        purpose, request = self._calls.get(happened.call, ("", None))
        self._forget(happened.call)
        if request is None:  # of an attempt that is over
            return
        try:
            self._use(purpose, request, happened.body)
        except (ValueError, KeyError, TypeError, IndexError) as error:  # an answer that is none, with 200
            self._said.append(Report("unreadable", f"{purpose} {request.path}: {type(error).__name__}", alert=True))
            if purpose in ("create", "read"):
                self._fail(f"{purpose}: the answer was none")
            elif purpose == "renew":
                self._renewal_failed(Reason.TRANSIENT, "the answer was none")

    def _use(self, purpose: str, request: Request, body: bytes) -> None:
        if purpose == "create":
            self._connect(self.venue.read_key(self.venue.hosts, body, self.now_ms))
        elif purpose == "read":
            self._take(request, body)
        elif purpose == "renew":
            self._renewed(self.venue.renewed(body))
        elif purpose == "complete":
            self._completed(request, body)
        else:
            self._watched(self.venue.newest_ms(body))

    def _failed(self, happened: Failed) -> None:
        purpose, request = self._calls.get(happened.call, ("", None))
        judged = happened.judged
        if request is None:
            return
        self._said.append(Report("call_failed", f"{purpose} {request.path}: {judged.reason} {judged.text}"))
        if purpose == "renew":
            self._forget(happened.call)
            self._renewal_failed(judged.reason, judged.text)
        elif purpose == "watch":
            self._forget(happened.call)
        elif judged.reason is Reason.REFUSED and self.state is State.GAPFILL:  # an order the venue forgot: nothing to be told of it
            self._forget(happened.call)
            self._read_on()
        elif judged.reason is Reason.AUTH and self._auth_failures:
            self._shut_out(judged.text)
        else:  # said once, a refusal of the key may be the venue's own trouble: it is asked once more
            self._auth_failures += judged.reason is Reason.AUTH
            self._timers["again", happened.call] = self.now_ms + max(judged.retry_after_ms, self._pause(happened.call))

    def _again(self, call: int) -> None:
        if call in self._calls:
            self._said.append(Call(call, self._calls[call][1], self.memory.exposed))

    def _shut_out(self, text: str) -> None:
        """The user must change something: no more attempts until then."""
        self._rest(State.AUTH_FAILED)
        self._said.append(Report("auth_failed", text, alert=True))

    # -- from outside ----------------------------------------------------------------------------------------------------------------------

    def _acknowledged(self, happened: Acknowledged) -> None:
        self.memory.acknowledge(happened.until_ms)

    def _overflowed(self) -> None:
        if self.state not in (State.AUTH_FAILED, State.STOPPED):
            self._rest(State.HELD)
            self.memory.doubt()
            self._said.append(Report("held", "Kafka takes nothing: everything is read again when it does", alert=True))

    def _changed(self) -> None:
        """Other credentials: whatever was, begin with them."""
        if self.state not in (State.HELD, State.STOPPED):
            self._rest(State.IDLE)
            self._auth_failures = self._failures = 0
            self._begin()
