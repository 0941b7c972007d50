"""What goes wrong in a campaign of ingestion: a plan by the seed, and each fault as a deed."""

import random
import time
from collections import Counter
from collections.abc import Callable
from heapq import heappop, heappush
from typing import NamedTuple

from tests.venues.campaign_field import WORKERS, Field

# name -> the fault of an answer; what asks then is a new link, for the old one is cut at the same moment
ANSWERS: dict[str, dict[str, object]] = {
    "401": {"kind": "http", "status": 401}, "418": {"kind": "http", "status": 418, "headers": {"Retry-After": "3"}},
    "429": {"kind": "http", "status": 429, "headers": {"Retry-After": "2"}}, "5xx before": {"kind": "http", "status": 503, "times": 3},
    "5xx after": {"kind": "http", "status": 500, "after_effect": True, "times": 2}, "slow": {"kind": "slow", "ms": 1_500, "times": 2},
    "refused": {"kind": "refuse", "status": 503}, "lag": {"kind": "lag", "ms": 700, "times": 12},
}
FRAMES: dict[str, dict[str, object]] = {
    "duplicate": {"kind": "duplicate", "times": 10}, "delay": {"kind": "delay", "ms": 900, "times": 2}}
LINES = ("close", "cut", "reset", "half_open", "silent")
KEYS = ("expiry", "expiry twice")
ONCE = ("401",)  # of each venue: a second one in a row means that the user must act
CODES = (1000, 1001, 1006, 1011)
_KILL_S, _KAFKA_S = 24.0, (2.0, 8.0)  # a lease lasts 15 s: by then it has moved


class Fault(NamedTuple):
    """When (s), what, where: of a venue and its account, or of a worker."""

    at_s: float
    kind: str
    venue: str = ""
    account: str = ""


def plan(chance: random.Random, names: dict[str, list[str]], seconds: float) -> list[Fault]:
    """Every fault at least once, more where there is time: one each 1.2 s, the long ones early enough to end."""
    kinds = [*ANSWERS, *FRAMES, *LINES, *KEYS]
    more = max(0, int(seconds / 1.2) - len(kinds))
    chosen = [*kinds, *chance.choices([kind for kind in kinds if kind not in ONCE], k=more)]
    chance.shuffle(chosen)
    found = []
    for at, kind in enumerate(chosen):
        venue = "binance_usdm" if kind in KEYS else chance.choice(sorted(names))
        found.append(Fault(seconds * (at + chance.random()) / len(chosen), kind, venue, chance.choice(names[venue])))
    lives = max(1, int(seconds // 45))
    found += [Fault(seconds * at / lives + chance.uniform(0, 3), "kill", account=WORKERS[at % 2]) for at in range(lives)]
    return [*found, Fault(seconds * chance.uniform(0.3, 0.7), "kafka")]


class Striker:
    """Does what is planned, in time; `struck` counts by kind, `moved` the leases that went to the other process after a kill."""

    def __init__(self, field: Field, chance: random.Random) -> None:
        self.field, self._chance = field, chance
        self.struck: Counter[str] = Counter()
        self.moved = 0
        self.wrong: list[str] = []
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0
        self._began_s = time.monotonic()

    def at(self, s: float, what: Callable[[], None]) -> None:
        """Later; at seconds since the beginning."""
        self._number += 1
        heappush(self._due, (s, self._number, what))

    def go(self, faults: list[Fault], seconds: float) -> None:
        """Until all are done and the time is over."""
        self._began_s = time.monotonic()
        for fault in faults:
            self.at(fault.at_s, lambda fault=fault: self._strike(fault))  # type: ignore[misc]
        while self._due or self._now_s() < seconds:
            if self._due and self._due[0][0] <= self._now_s():
                heappop(self._due)[2]()
            time.sleep(0.02)

    def _now_s(self) -> float:
        return time.monotonic() - self._began_s

    def _strike(self, fault: Fault) -> None:
        field, chance = self.field, self._chance
        self.struck[fault.kind] += 1
        if fault.kind in ANSWERS:
            field.do("fault", venue=fault.venue, **ANSWERS[fault.kind])
            field.do("disconnect", account=fault.account, how="cut")
        elif fault.kind in FRAMES:
            field.do("fault", venue=fault.venue, account=fault.account, **FRAMES[fault.kind])
        elif fault.kind in LINES:
            field.do("disconnect", account=fault.account, how=fault.kind, code=chance.choice(CODES))
        elif fault.kind in KEYS:
            field.do("expire_key", account=fault.account)
            if fault.kind == "expiry twice":
                self.at(self._now_s() + chance.choice((0.014, 1.0, 4.0)), lambda: self._again(fault))
        elif fault.kind == "kill":
            self._kill(fault.account)
        else:
            self._take_broker()

    def _again(self, fault: Fault) -> None:
        self.field.do("expire_key", account=fault.account)

    def _kill(self, worker: str) -> None:
        held = {account: epoch for account, (owner, epoch) in self.field.owners().items() if owner == worker}
        self.field.kill_worker(worker)
        self.at(self._now_s() + _KILL_S, lambda: self._revive(worker, held))

    def _revive(self, worker: str, held: dict[str, int]) -> None:
        """By now the other process has its accounts, under a later epoch; then it comes back."""
        now = self.field.owners()
        stayed = [account for account, epoch in held.items() if now.get(account, ("", 0))[0] in ("", worker) or now[account][1] <= epoch]
        self.moved += len(held) - len(stayed)
        if stayed:
            self.wrong.append(f"kill of {worker}: expected its {len(held)} leases moved after {_KILL_S} s, were not: {stayed[:5]}")
        self.field.start_worker(worker)

    def _take_broker(self) -> None:
        self.field.kafka.kill_node(1)
        self.at(self._now_s() + self._chance.uniform(*_KAFKA_S), self.field.start_broker)
