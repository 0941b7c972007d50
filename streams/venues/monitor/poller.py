"""The second source: REST is compared with what was told, seen again before it is believed, and the session asked to repair; pure."""

import random
from collections.abc import Mapping
from typing import NamedTuple

from streams.venues.decode import snapshot
from streams.venues.frames import Asked, Receipt
from streams.venues.monitor.compare import SCOPES, Difference, Scope, compared, differences, lasting, repairing
from streams.venues.monitor.schedule import Name, Policy, Schedule
from streams.venues.monitor.told import Told
from streams.venues.venue import Request, Venue
from streams.venues.words import Doubted, Polled


class Poll(NamedTuple):
    """A look at an account: what was known of its session when the questions left, by the venue's clock."""

    name: Name
    venue: Venue
    live: bool
    links: int
    as_of_ms: int

    def questions(self) -> tuple[Request, ...]:
        """What to ask: where the stream is down, all that can be told in its place."""
        return compared(self.venue) if self.live else repairing(self.venue)


class Outcome(NamedTuple):
    """What differs for sure, and what the session should hear."""

    found: tuple[Difference, ...] = ()
    happened: Doubted | Polled | None = None


class Poller:
    """`due` names who is to be asked, `answered` takes what came of it, `failed` that nothing did."""

    def __init__(self, chance: random.Random, policy: Policy) -> None:
        self.policy, self._schedule = policy, Schedule(chance, policy)
        self._before: dict[Name, tuple[Difference, ...]] = {}

    def due(self, accounts: Mapping[Name, bool], now_ms: int) -> list[Name]:
        """Of the accounts (and whether their stream is live) those to ask now."""
        for gone in self._before.keys() - accounts.keys():
            del self._before[gone]
        return self._schedule.due(accounts, now_ms)

    def failed(self, poll: Poll, now_ms: int) -> None:
        """The venue did not answer: later."""
        self._schedule.asked(poll.name, now_ms)

    def answered(self, poll: Poll, parts: Mapping[str, bytes], told: Told, now_ms: int) -> Outcome:
        """Compares. Raises `Unreadable` for answers that are none."""
        self._schedule.asked(poll.name, now_ms)
        says = Told()
        says.note(snapshot(poll.venue.name, parts, Receipt(*poll.name), Asked(poll.as_of_ms, "")), now_ms)
        scope = SCOPES.get(poll.venue.name, Scope())
        now = differences(says, told, poll.as_of_ms - self.policy.settle_ms, scope)
        before = self._before.pop(poll.name, ())
        if not poll.live:
            return Outcome(now, Polled(tuple(parts.items()), poll.as_of_ms, poll.links) if now else None)
        found = lasting(now, before)
        if now:
            self._before[poll.name] = now
            self._schedule.asked(poll.name, now_ms, self.policy.repaired_ms if found else self.policy.again_ms)
        text = "; ".join(f"{one.thing} {one.field}: expected {one.expected}, was {one.was}" for one in found[:3])
        return Outcome(found, Doubted(f"REST differs: {text}") if found else None)
