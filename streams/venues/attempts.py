"""From nothing to live: one new link at a time, beside the live one if there is one.

A gap is closed by reading everything again beside the new link: frames wait, REST answers, then both go out, REST as old as the link's
opening. A rotation is the same while the old link goes on telling.
"""

import random
from collections import Counter
from typing import NamedTuple

from schemas.user_data_pb2 import UserDataOrderUpdateEvent
from streams.venues.backoff import wait_ms
from streams.venues.frames import Event, Receipt, Unreadable
from streams.venues.links import Link
from streams.venues.memory import Memory
from streams.venues.reading import Reading
from streams.venues.repeats import Repeats
from streams.venues.venue import Key, Request, Venue
from streams.venues.words import Call, Close, Command, Open, Publish, Report, Save, State


class Policy(NamedTuple):
    """Times in ms."""

    rest_lag_ms: int = 1_000  # REST may be that much behind the stream: a snapshot is asked for so long after the link opened
    open_ms_max: int = 30_000  # to connect, log in, subscribe
    attempt_ms_max: int = 300_000  # from the key to live
    steady_ms: int = 60_000  # live for so long: the next loss is a first one again
    silent_ms: int = 300_000
    silent_idle_ms: int = 900_000  # of an account without positions and orders
    silent_by_ms: int = 10_000  # REST ahead of the stream by more than that: the stream is mute
    doubt_every_ms: int = 600_000
    renew_again_ms: tuple[int, ...] = (5_000, 15_000, 45_000)
    buffer_max: int = 20_000
    gap_margin_ms: int = 60_000
    gap_ms_max: int = 7 * 86_400_000


class Attempt:
    """A new link on its way: frames wait in `waiting` until everything was read."""

    def __init__(self) -> None:
        self.link: Link | None = None
        self.reading: Reading | None = None
        self.waiting: list[tuple[int, tuple[Event, ...]]] = []

    def read(self) -> tuple[Link, Reading]:
        """Both, once the link is open."""
        assert self.link is not None
        assert self.reading is not None
        return self.link, self.reading


def _is_lite(event: Event) -> bool:
    return isinstance(event.message, UserDataOrderUpdateEvent) and event.message.fill.lite


class Attempts:
    """The state of a session, and how it comes to have a live link."""

    def __init__(self, owner: Receipt, venue: Venue, chance: random.Random, memory: Memory | None = None,
                 policy: Policy | None = None) -> None:
        self.owner, self.venue, self.chance = owner, venue, chance
        self.memory, self.policy, self.repeats = memory or Memory(), policy or Policy(), Repeats()
        self.state = State.IDLE
        self.live: Link | None = None
        self.attempt: Attempt | None = None
        self.key: Key | None = None
        self.links = self.now_ms = self.live_since_ms = self.read_ms = 0
        self._timers: dict[tuple[str, int], int] = {}
        self._calls: dict[int, tuple[str, Request]] = {}
        self._said: list[Command] = []
        self._numbers = self._epoch = self._failures = self._auth_failures = 0
        self._tries: Counter[int] = Counter()  # by call
        self._renewed_ms = self._renewals_failed = self._lite_ms = 0

    @property
    def ready(self) -> bool:
        """Whether facts flow: told by what is, never by what once was."""
        return self.live is not None

    def start_epochs_after(self, before: "Attempts") -> None:
        """Facts of this session are newer than those of one before under the same lease."""
        self._epoch = max(self._epoch, before._epoch)

    def _number(self) -> int:
        self._numbers += 1
        return self._numbers

    def _ask(self, purpose: str, request: Request) -> None:
        call = self._number()
        self._calls[call] = (purpose, request)
        self._said.append(Call(call, request, self.memory.exposed))

    def _forget(self, call: int) -> None:
        self._calls.pop(call, None)
        self._tries.pop(call, None)
        self._timers.pop(("again", call), None)

    def _publish(self, events: tuple[Event, ...], received_ms: int = 0) -> None:
        if events:
            self.memory.note(events)
            self.memory.sent_ms = max(self.memory.sent_ms, received_ms or self.now_ms)
            self._said.append(Publish(events, received_ms or self.now_ms))
        if self.venue.complete is not None and any(map(_is_lite, events)):
            self._lite_ms = self.now_ms
            self._timers.setdefault(("complete", 0), self.now_ms + self.policy.rest_lag_ms)

    def _fresh(self, events: tuple[Event, ...]) -> tuple[Event, ...]:
        """What a frame says that was not said last, where the venue says again what did not change."""
        return self.repeats.fresh(events) if self.venue.repeats else events

    def _begin(self) -> None:
        """A new link, unless one is on its way: further causes coalesce."""
        if self.attempt is not None or self.state in (State.HELD, State.AUTH_FAILED, State.STOPPED):
            return
        for name in ("begin", "rotate"):
            self._timers.pop((name, 0), None)
        self.attempt = Attempt()
        self._timers["deadline", 0] = self.now_ms + self.policy.attempt_ms_max
        self.state = State.KEY
        if self.venue.create is None:
            self._connect(self.venue.read_key(self.venue.hosts, b"", self.now_ms))
        else:
            self._ask("create", self.venue.create)

    def _connect(self, key: Key) -> None:
        assert self.attempt is not None
        self.key, self._renewed_ms, self._renewals_failed = key, self.now_ms, 0
        self._epoch += 1
        link = self.attempt.link = Link(self._epoch, key, [self._number() for _ in key.routes])
        self.state = State.CONNECTING
        self._timers["deadline", 0] = self.now_ms + self.policy.open_ms_max
        if key.token:
            self._said.append(Save(key))
        self._said += [Open(socket, route.url) for socket, route in link.routes.items()]

    def _proceed(self, link: Link) -> None:
        """Where all its sockets carry facts, the new link is open: REST is asked when it had time to know what came before."""
        if self.attempt is not None and link is self.attempt.link and link.ready and self.state is State.CONNECTING:
            self.state = State.BUFFERING
            self._timers["deadline", 0] = self.now_ms + self.policy.attempt_ms_max
            self._timers["read", 0] = self.now_ms + self.policy.rest_lag_ms
            self.attempt.reading = Reading(self.venue, self.memory, self.now_ms)

    def _read(self) -> None:
        self.state = State.SNAPSHOT
        for request in self.venue.snapshot:
            self._ask("read", request)

    def _take(self, request: Request, body: bytes) -> None:
        """An answer of the snapshot or the gap."""
        assert self.attempt is not None
        if further := self.attempt.read()[1].take(request, body):
            self._ask("read", further)
        self._read_on()

    def _read_on(self) -> None:
        """Where all that was asked is answered: the next questions, or the merge."""
        assert self.attempt is not None
        link, reading = self.attempt.read()
        if any(purpose == "read" for purpose, _ in self._calls.values()):
            return
        receipt = link.snapshot_receipt(self.owner, self.now_ms * 1_000_000)
        try:
            if self.state is State.SNAPSHOT:
                self.state = State.GAPFILL
                reading.snapshot(receipt)
            asked = reading.gap(self._since_ms(reading))
            for question in asked:
                self._ask("read", question)
            if not asked:
                self._merge(reading.facts(link.gap_receipt(self.owner, receipt.received_ns)))
        except Unreadable as error:
            self._said.append(Report("unreadable", f"snapshot: {error}", alert=True))
            self._fail("snapshot unreadable")

    def _since_ms(self, reading: Reading) -> int:
        """The gap's beginning, with a margin; an account never seen has none before its first link."""
        since = reading.as_of_ms if self.memory.since_ms is None else self.memory.since_ms
        if since < self.now_ms - self.policy.gap_ms_max:
            text = f"expected at most {self.policy.gap_ms_max} ms, was {self.now_ms - since}: older fills are not asked for"
            self._said.append(Report("gap_too_long", text, alert=True))
        return max(since - self.policy.gap_margin_ms, self.now_ms - self.policy.gap_ms_max)

    def _merge(self, facts: tuple[Event, ...]) -> None:
        """REST first, then the frames that waited; the old link, if any, has told its last."""
        attempt, before = self.attempt, self.live
        assert attempt is not None
        link, reading = attempt.read()
        self.state = State.MERGE
        self.memory.orders.clear()  # what is open the snapshot says, and what ended without a trace is not asked for again
        self.memory.merged_ms = self.now_ms
        self._publish(facts)  # REST may tell of frames the old link told: a version decides, and fills have their own names
        self.repeats = Repeats()  # of what was told by links before, the snapshot may have said otherwise
        self.repeats.note(facts)
        for received_ms, events in attempt.waiting:
            self._publish(self._fresh(events), received_ms)
        self.read_ms = reading.as_of_ms
        self.memory.prove(max(self.read_ms, link.frame_ms))
        self.live, self.attempt = link, None
        self._timers.pop(("deadline", 0), None)
        if before is not None:
            self._let_go(before)
        self._settle_in()
        self._said.append(Report("rotated" if before else "live", f"epoch {self.live.epoch}"))

    def _settle_in(self) -> None:
        self.state, self._auth_failures, self.live_since_ms = State.LIVE, 0, self.now_ms
        self.links += 1
        first, last = self.venue.life_ms
        spread = random.Random(self.owner.account_id).random()  # the same account always at the same point: rotations are spread
        self._timers["rotate", 0] = self.now_ms + int(first + (last - first) * spread)
        self._timers["steady", 0] = self.now_ms + self.policy.steady_ms
        self._timers["watch", 0] = self.now_ms + self.policy.silent_ms
        if self.venue.renew is not None:
            self._renew_in()

    def _renew_in(self) -> None:
        self._timers["renew", 0] = self.now_ms + int(self.venue.renew_every_ms * self.chance.uniform(0.9, 1.1))

    def _fail(self, text: str, least_ms: int = 0) -> None:
        """The attempt is over; another follows, each later. A live link goes on."""
        if self.attempt is not None and self.attempt.link is not None:
            self._let_go(self.attempt.link)
        self._abandon()
        self._said.append(Report("attempt_failed", text))
        self._later(least_ms)

    def _abandon(self) -> None:
        self.attempt = None
        for call in [call for call, (purpose, _) in self._calls.items() if purpose in ("create", "read")]:
            self._forget(call)
        for name in ("deadline", "read"):
            self._timers.pop((name, 0), None)
        self.state = State.LIVE if self.live else State.IDLE

    def _later(self, least_ms: int) -> None:
        if ("begin", 0) not in self._timers:
            self._timers["begin", 0] = self.now_ms + max(least_ms, wait_ms(self._failures, self.chance))
            self._failures += 1

    def _pause(self, call: int) -> int:
        self._tries[call] += 1
        return wait_ms(self._tries[call] - 1, self.chance)

    def _lose(self, kind: str, text: str, alert: bool = False, least_ms: int = 0) -> None:
        """The live link is no more, or not to be believed: a new one, unless it is already on its way."""
        self._said.append(Report(kind, text, alert))
        if self.live is not None:
            link, self.live = self.live, None
            self._let_go(link)
            for name in ("rotate", "steady", "watch", "renew"):
                self._timers.pop((name, 0), None)
        if self.attempt is None:
            self.state = State.IDLE
            self._later(least_ms)

    def _let_go(self, link: Link) -> None:
        for socket in link.stages:
            self._silence(socket)
            self._said.append(Close(socket))
        link.stages.clear()

    def _silence(self, socket: int) -> None:
        self._timers.pop(("ping", socket), None)
        self._timers.pop(("quiet", socket), None)

    def _rest(self, state: State) -> None:
        """Everything closed, nothing due: until somebody says otherwise."""
        for link in (self.live, self.attempt.link if self.attempt else None):
            if link is not None:
                self._let_go(link)
        self.live = self.attempt = None
        self._timers.clear()
        self._calls.clear()
        self._tries.clear()
        self.state = state

    def _resume(self, state: State) -> None:
        if self.state is state:
            self.state = State.IDLE
            self._begin()
