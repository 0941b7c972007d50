"""Who is asked by REST when: each account every five to ten minutes, sooner while its stream is down or a difference waits."""

import random
from collections.abc import Mapping
from typing import NamedTuple

Name = tuple[str, str]  # user, account


class Policy(NamedTuple):
    """Times in ms."""

    every_ms: tuple[int, int] = (300_000, 600_000)
    down_after_ms: int = 20_000  # a rotation or a short cut is the session's own business
    down_every_ms: tuple[int, int] = (30_000, 60_000)
    settle_ms: int = 2_000  # what was told so shortly before a question may not be in its answer
    again_ms: int = 5_000  # a difference is looked at once more after that
    repaired_ms: int = 60_000  # and a repair after that
    at_once: int = 8  # questions of so many accounts wait in the venues' queues
    around_ms: int = 30_000  # between two looks at marks and funding


class Schedule:
    """`due` names who is to be asked now; whoever was must be told by `asked`."""

    def __init__(self, chance: random.Random, policy: Policy) -> None:
        self._chance, self._policy = chance, policy
        self._next_ms: dict[Name, int] = {}
        self._down_ms: dict[Name, int] = {}

    def due(self, accounts: Mapping[Name, bool], now_ms: int) -> list[Name]:
        """Of the accounts (and whether their stream is live) those to ask, who waits longest first."""
        for gone in self._next_ms.keys() - accounts.keys():
            del self._next_ms[gone]
            self._down_ms.pop(gone, None)
        for name, live in accounts.items():
            if name not in self._next_ms:
                self._next_ms[name] = now_ms + self._within(self._policy.every_ms)
            if live:
                self._down_ms.pop(name, None)
            elif name not in self._down_ms:
                self._down_ms[name] = now_ms
                self._next_ms[name] = min(self._next_ms[name], now_ms + self._policy.down_after_ms)
        return sorted((name for name, at in self._next_ms.items() if at <= now_ms), key=self._next_ms.__getitem__)

    def asked(self, name: Name, now_ms: int, after_ms: int = 0) -> None:
        """The next time: after `after_ms`, else as its stream is."""
        every_ms = self._policy.down_every_ms if name in self._down_ms else self._policy.every_ms
        self._next_ms[name] = now_ms + (after_ms or self._within(every_ms))

    def _within(self, bounds: tuple[int, int]) -> int:
        return int(self._chance.uniform(*bounds))
