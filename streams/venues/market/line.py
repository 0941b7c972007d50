"""One route of a venue's market data as a pure machine: sockets opened, asked, believed while they tell, replaced before they end.

Ticks may be missed: what counts is that the next one comes. So nothing is read again, and a new socket simply takes over.
"""

import random
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from streams.venues.backoff import wait_ms
from streams.venues.frames import Kind
from streams.venues.market.feeds import Feed

_OPEN_MS_MAX, _STEADY_MS, _OVERLAP_MS_MAX = 30_000, 60_000, 30_000
_LIFE_MS = (20 * 3_600_000, 23 * 3_600_000 + 1_800_000)  # venues cut after 24 hours


class Open(NamedTuple):
    link: int


class Send(NamedTuple):
    link: int
    text: str


class Close(NamedTuple):
    link: int


class Lost(NamedTuple):
    """What was told is of then, and why there is no more."""

    text: str


Command = Open | Send | Close | Lost


class Link:
    """A socket: what was asked of it and when it was last heard."""

    def __init__(self, number: int, now_ms: int, life_ms: int) -> None:
        self.number, self.begun_ms, self.life_ms = number, now_ms, life_ms
        self.opened_ms = self.heard_ms = self.priced_ms = self.pinged_ms = self.said_ms = 0
        self.asked: frozenset[str] = frozenset()
        self.texts: deque[str] = deque()  # to be said, no faster than the venue allows: as many as there are topics, at most


class Line:
    """`want`, `opened`, `heard`, `closed` and `ticked` answer what to do; `due` says when to call `ticked` at the latest."""

    def __init__(self, feed: Feed, route: str, chance: random.Random) -> None:
        self.feed, self.route, self._chance = feed, route, chance
        self.wanted: frozenset[str] = frozenset()
        self.live: Link | None = None
        self.next: Link | None = None  # opened, or taking over
        self._said: list[Command] = []
        self._numbers = self._failures = self._begin_ms = 0

    def want(self, topics: Iterable[str], now_ms: int) -> list[Command]:
        """From now on these topics."""
        self.wanted = frozenset(topics)
        return self.ticked(now_ms)

    def opened(self, number: int, now_ms: int) -> list[Command]:
        """The socket carries what is asked."""
        if link := self._link(number):
            link.opened_ms = link.heard_ms = link.pinged_ms = link.priced_ms = now_ms
            if self.live is None:
                self.live, self.next = link, None
        return self.ticked(now_ms)

    def heard(self, number: int, kind: Kind | None, now_ms: int) -> list[Command]:
        """A frame: None, it told prices; else what it was about."""
        if link := self._link(number):
            link.heard_ms = now_ms
            if kind is None:
                link.priced_ms = now_ms
                if link is self.next and link.opened_ms:
                    self._take_over(link)
            elif kind is Kind.CLOSING and link is self.live:
                link.life_ms = 0
            elif kind is Kind.PING and self.feed.ping:
                self._said.append(Send(number, self.feed.ping(now_ms)))
        return self.ticked(now_ms)

    def closed(self, number: int, text: str, now_ms: int, least_ms: int = 0) -> list[Command]:
        """A socket ended, or never opened."""
        if link := self._link(number):
            self._fail(link, text, now_ms, least_ms)
        return self.ticked(now_ms)

    def ticked(self, now_ms: int) -> list[Command]:
        """Time has passed."""
        for link in (self.live, self.next):
            if link is not None:
                self._look(link, now_ms)
        live = self.live
        if live and self._failures and now_ms - live.opened_ms >= _STEADY_MS:
            self._failures = 0
        if not self.wanted:
            self._close_all()
        elif self.next is None and now_ms >= self._begin_ms and (live is None or now_ms - live.opened_ms >= live.life_ms):
            self._open(now_ms)
        said, self._said = self._said, []
        return said

    def due(self) -> int | None:
        """When time alone makes something happen."""
        moments = []
        if self.next is None and self.wanted:
            moments.append(max(self._begin_ms, self.live.opened_ms + self.live.life_ms if self.live else 0))
        for link in (self.live, self.next):
            if link is not None:
                moments += self._moments(link)
        return min(moments, default=None)

    def _moments(self, link: Link) -> list[int]:
        if not link.opened_ms:
            return [link.begun_ms + _OPEN_MS_MAX]
        found = [max(link.priced_ms, link.opened_ms) + self.feed.paths[self.route].silent_ms]
        if self.feed.ping:
            found += [link.pinged_ms + self.feed.ping_every_ms, link.heard_ms + self.feed.quiet_ms_max]
        if link.texts:
            found.append(link.said_ms + self.feed.say_every_ms)
        if link is self.next and self.live is not None:
            found.append(link.opened_ms + _OVERLAP_MS_MAX)
        return found

    def _link(self, number: int) -> Link | None:
        return next((link for link in (self.live, self.next) if link is not None and link.number == number), None)

    def _open(self, now_ms: int) -> None:
        self._numbers += 1
        first, last = _LIFE_MS
        self.next = Link(self._numbers, now_ms, int(self._chance.uniform(first, last)))
        self._said.append(Open(self._numbers))

    def _take_over(self, link: Link) -> None:
        if self.live is not None:
            self._said.append(Close(self.live.number))
        self.live, self.next = link, None

    def _look(self, link: Link, now_ms: int) -> None:
        """Ends what tells no more; says what is due."""
        feed = self.feed
        if not link.opened_ms:
            if now_ms - link.begun_ms >= _OPEN_MS_MAX:
                self._end(link, f"expected to be open within {_OPEN_MS_MAX} ms", now_ms)
            return
        if feed.ping and now_ms - link.heard_ms >= feed.quiet_ms_max:
            self._end(link, f"expected a frame or pong within {feed.quiet_ms_max} ms, was none", now_ms)
        elif link.asked and now_ms - link.priced_ms >= feed.paths[self.route].silent_ms:
            self._end(link, f"expected a price within {feed.paths[self.route].silent_ms} ms, was none", now_ms)
        else:
            if link is self.next and now_ms - link.opened_ms >= _OVERLAP_MS_MAX:
                self._take_over(link)
            self._ask(link)
            self._say(link, now_ms)

    def _ask(self, link: Link) -> None:
        """What is wanted and was not asked yet, and the other way round; not before all that was to be said is said."""
        if link.texts or not self.wanted:
            return
        for on, topics in ((True, self.wanted - link.asked), (False, link.asked - self.wanted)):
            if topics:
                self._numbers += 1
                link.texts += self.feed.speak(on, sorted(topics), self._numbers * 1_000_000)
        link.asked = self.wanted

    def _say(self, link: Link, now_ms: int) -> None:
        feed = self.feed
        if feed.ping and now_ms - link.pinged_ms >= feed.ping_every_ms:
            link.pinged_ms = link.said_ms = now_ms
            self._said.append(Send(link.number, feed.ping(now_ms)))
        elif link.texts and now_ms - link.said_ms >= feed.say_every_ms:
            link.said_ms = now_ms
            self._said.append(Send(link.number, link.texts.popleft()))

    def _end(self, link: Link, text: str, now_ms: int) -> None:
        self._said.append(Close(link.number))
        self._fail(link, text, now_ms, 0)

    def _fail(self, link: Link, text: str, now_ms: int, least_ms: int) -> None:
        """Each attempt later than the one before, evenly spread; a live socket goes on."""
        if link is self.live:
            self.live = None
            self._said.append(Lost(text))
            if self.next is not None and self.next.opened_ms:
                self.live, self.next = self.next, None
        else:
            self.next = None
        self._begin_ms = now_ms + max(least_ms, wait_ms(self._failures, self._chance))
        self._failures += 1

    def _close_all(self) -> None:
        for link in (self.live, self.next):
            if link is not None:
                self._said.append(Close(link.number))
        self.live = self.next = None
