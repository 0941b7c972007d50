"""A venue on paper, in simulated time: takes orders, loses answers by a script, and forgets nothing; for the pure course."""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from schemas.keys import step_id
from streams.venues.execute.course import course
from streams.venues.execute.words import (
    CLOSE,
    Ask,
    Claim,
    Command,
    Desk,
    Found,
    Held,
    Limits,
    Outcome,
    Recall,
    Reply,
    Step,
    Tell,
    Wait,
    proceed,
)
from streams.venues.venue import Judged, Reason, Request

WINDOW_MS, BEGUN_MS = 5_000, 1_000_000
STEP = Step(step_id("live:1", "a1", 1, 2), "live:1", "a1", CLOSE, "binance_usdm", "BTCUSDT", "BOTH", Decimal("0.4"), BEGUN_MS)
BROKEN = Judged(Reason.TRANSIENT, text="503")
FAULTS = ("", "before", "after", "late", "limited", "garbage")  # what may happen to an answer; late: the order comes seconds later


class Placed(NamedTuple):
    """An order on its way: taken at `due_ms`, unless that is past the venue's window of its stamp."""

    due_ms: int
    sent_ms: int
    client_id: str
    quantity: Decimal


class Paper:
    """One account with a position of 1 and two open orders. `faults` are met one an answer; after the last all is well."""

    def __init__(self, faults: Sequence[str] = (), position: str = "1") -> None:
        self.now_ms, self.faults = BEGUN_MS, list(faults)
        self.position, self.open = Decimal(position), ["o1", "o2"]
        self.orders: list[Placed] = []
        self.coming: list[Placed] = []
        self.attempts: dict[str, tuple[int, int]] = {}
        self.told: list[Outcome] = []
        self.stamp_ms = 0
        self.hidden, self.known = False, False  # a view that lags: the order is not shown yet
        self.refusal, self.unique, self.part = "", False, Decimal(1)

    def desk(self) -> Desk:
        """As short as a desk can be."""
        return Desk(
            lambda step: (Request("find", step.client_order_id),), _found, lambda judged: judged.code == "absent", frozenset({"dup"}),
            lambda _: (Request("orders", ""),), lambda _, body: [Request("cancel", one) for one in json.loads(body)],
            lambda _: Request("position", ""), lambda _, body: Held(Decimal(json.loads(body)), Decimal(100)),
            lambda step, _, quantity: Request("place", step.client_order_id, body=str(quantity), method="POST"), WINDOW_MS)

    def answer(self, command: Command) -> Reply:
        """What comes of a command; time goes on."""
        self.now_ms += 10
        self._arrive()
        match command:
            case Ask(request, as_of_ms):
                self.stamp_ms = as_of_ms
                return self._met(request)
            case Recall():
                return self._reply("", self.refusal)
            case Claim(_, attempts):
                if self.attempts.get(STEP.step_id, (0, 0))[0] != attempts:
                    return self._reply("")
                self.attempts[STEP.step_id] = (attempts + 1, self.now_ms)
                return self._reply("mine", self.refusal)
            case Wait(ms):
                self.now_ms += ms
                self._arrive()
            case Tell(outcome):
                self.told.append(outcome)
                self.known = self.known or outcome.status == "accepted"
        return Reply(self.now_ms)

    def _reply(self, mine: str, text: str = "") -> Reply:
        attempts, at_ms = self.attempts.get(STEP.step_id, (0, self.now_ms))
        return Reply(self.now_ms, text=text, attempts=attempts, age_ms=self.now_ms - at_ms, mine=bool(mine), known=self.known)

    def _met(self, request: Request) -> Reply:
        fault = self.faults.pop(0) if self.faults else ""
        if fault in ("before", "limited"):
            return Reply(self.now_ms, refused=BROKEN if fault == "before" else Judged(Reason.LIMITED, text="429"))
        if fault == "late":  # our patience ended, what we sent is still on its way
            sent_ms = self.now_ms
            self.now_ms += 1_000
            if request.part == "place":
                self.coming.append(Placed(sent_ms + 3_000, self.stamp_ms, request.path, Decimal(request.body)))
            return Reply(self.now_ms, refused=BROKEN)
        reply = self._do(request)
        return reply if not fault else Reply(self.now_ms, refused=BROKEN) if fault == "after" else Reply(self.now_ms, b"<html>")

    def _do(self, request: Request) -> Reply:
        if request.part == "place":
            return self._place(Placed(self.now_ms, self.stamp_ms, request.path, Decimal(request.body)))
        if request.part == "find":
            mine = [one for one in self.orders if one.client_id == request.path and not self.hidden]
            if not mine:
                return Reply(self.now_ms, refused=Judged(Reason.REFUSED, text="no such order", code="absent"))
            said = {"status": "filled" if self.part == 1 else "ended", "filled": str(mine[-1].quantity * self.part)}
            return Reply(self.now_ms, json.dumps(said).encode())
        if request.part == "cancel" and request.path not in self.open:
            return Reply(self.now_ms, refused=Judged(Reason.REFUSED, text="it is gone", code="gone"))
        if request.part == "cancel":
            self.open.remove(request.path)
        told = {"orders": self.open, "position": str(self.position)}.get(request.part)
        return Reply(self.now_ms, json.dumps(told).encode())

    def _place(self, placed: Placed) -> Reply:
        if placed.due_ms - placed.sent_ms > WINDOW_MS:
            return Reply(self.now_ms, refused=Judged(Reason.CLOCK, text="outside of the window", code="-1021"))
        if self.unique and any(one.client_id == placed.client_id for one in self.orders):
            return Reply(self.now_ms, refused=Judged(Reason.REFUSED, text="duplicate", code="dup"))
        closed = min(placed.quantity * self.part, self.position)
        if not closed:
            return Reply(self.now_ms, refused=Judged(Reason.REFUSED, text="reduce-only", code="-2022"))
        self.orders.append(placed)
        self.position -= closed
        return Reply(self.now_ms, b'{"orderId": 1}')

    def _arrive(self) -> None:
        for placed in [one for one in self.coming if one.due_ms <= self.now_ms]:
            self.coming.remove(placed)
            self._place(placed)


def _found(body: bytes) -> Found:
    said = json.loads(body)
    return Found(said["status"], Decimal(said["filled"]), Decimal(60_000), said["status"])


def drive(paper: Paper, limits: Limits, kill_at: int = -1, *, lost: bool = False) -> Outcome | None:
    """A life of the process: the step from its beginning; it dies before command `kill_at`, or after its deed (`lost`). None: it died."""
    under_way = course(STEP, paper.desk(), limits, paper.now_ms)
    said, number = proceed(under_way), 0
    while not isinstance(said, Outcome):
        if number == kill_at and not lost:
            return None
        reply = paper.answer(said)
        if number == kill_at:
            return None
        said, number = proceed(under_way, reply), number + 1
        assert number < 2_000, f"expected an end, was {said}"
    return said
