"""The course of one step, pure: commands out, replies in; never a second order, whatever answer is lost and wherever it ends.

Before anything is sent the order is looked for by its client order id, and the sending is written down. What was written down and is not
found is sent again only when the venue's window for the earlier request has passed: it cannot come any more.
"""

import json
from collections.abc import Callable, Generator
from decimal import Decimal
from functools import partial
from typing import TypeVar

from schemas.money import say_short
from streams.venues.execute.words import (
    CANCEL,
    DRY_RUN,
    Ask,
    Claim,
    Command,
    Course,
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
)
from streams.venues.venue import Judged, Reason, Request

_ROUNDS_MAX = 6  # of cancelling: more orders than that many pages, or one that the venue does not let go
_WAIT_MS_MAX = 5_000
_AGAIN = (Reason.TRANSIENT, Reason.LIMITED, Reason.BANNED, Reason.CLOCK)

Part = Generator[Command, Reply, None]
Told = TypeVar("Told")


class _Over(Exception):
    """The course ends here."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.status)
        self.outcome = outcome


def course(step: Step, desk: Desk, limits: Limits, now_ms: int) -> Course:
    """Carries the step out; its value is what is reported at the end."""
    under_way = _UnderWay(step, desk, limits, now_ms)
    try:
        return (yield from under_way.cancel() if step.action == CANCEL else under_way.close())
    except _Over as over:
        return over.outcome


class _UnderWay:
    """One step: `attempts` is how often it was sent, `certain_ms` when an order that is not found then never comes."""

    def __init__(self, step: Step, desk: Desk, limits: Limits, now_ms: int) -> None:
        self.step, self.desk, self.limits, self.now_ms = step, desk, limits, now_ms
        self.attempts, self.certain_ms, self.refusal, self.known = 0, 0, "", False

    def cancel(self) -> Course:
        """Every open order of the step's symbol, or of all."""
        yield from self._recall()
        self._permit()
        cancelled = yield from self._clear()
        if self.limits.dry_run:
            return Outcome("refused", error=f"{DRY_RUN}would cancel open orders by {cancelled} requests")
        return Outcome("completed")

    def close(self) -> Course:
        """Cancels what is open, then one reduce-only order at the market."""
        yield from self._recall()
        while True:
            found = yield from self._find()
            if found is not None:
                return (yield from self._follow(found))
            self._permit()
            held = yield from self._hold()
            quantity = min(self.step.quantity, abs(held.amount))
            notional = quantity * held.each
            self._bound(notional)
            cancelled = yield from self._clear()
            self._try_out(quantity, notional, cancelled)
            self._permit()
            as_of_ms = self.now_ms
            if (yield from self._claim(notional)):
                yield from self._send(Ask(self.desk.order(self.step, held, quantity), as_of_ms))

    def _recall(self) -> Part:
        reply = yield from self._do(Recall())
        self._sent(reply)
        self.refusal = reply.text

    def _sent(self, reply: Reply) -> None:
        """What is sent is stamped with a time before it was written down."""
        self.attempts, self.known = reply.attempts, self.known or reply.known
        self.certain_ms = reply.now_ms - reply.age_ms + self.desk.window_ms + self.limits.slack_ms

    def _permit(self) -> None:
        """Nothing of this step is at the venue, or on its way: is it to be?"""
        if self.known:
            raise _Over(Outcome("unknown", error="the venue said that it has the order, and does not show it"))
        if self.attempts and self.now_ms < self.certain_ms:
            raise _Over(Outcome("unknown", error="the order may still come"))
        if self.refusal:
            raise _Over(Outcome("refused", error=self.refusal))
        late_ms = self.now_ms - self.step.ordered_ms
        if late_ms > self.limits.send_within_ms:
            raise _Over(Outcome("refused", error=f"expected to send it within {self.limits.send_within_ms} ms, was {late_ms}: not sent"))

    def _bound(self, notional: Decimal) -> None:
        most = self.limits.step_notional_max
        if most and notional > most:
            raise _Over(Outcome("refused", error=f"notional: expected at most {most} a step, was {say_short(notional)}"))

    def _try_out(self, quantity: Decimal, notional: Decimal, cancelled: int) -> None:
        if self.limits.dry_run:
            text = f"would close {say_short(quantity)} {self.step.symbol} {self.step.side}, notional {say_short(notional)}"
            raise _Over(Outcome("refused", error=f"{DRY_RUN}{text}, after {cancelled} requests to cancel, as {self.step.client_order_id}"))

    def _find(self) -> Generator[Command, Reply, Found | None]:
        """The step's order; None once it is certain that there is none and none will come."""
        while True:
            asked_ms = self.now_ms
            for request in self.desk.find(self.step):
                found = yield from self._ask(request, self.desk.found)
                if isinstance(found, Judged) and not self.desk.absent(found):
                    raise _Over(self._lost(found.text))
                if isinstance(found, Found):
                    return found
            if not self.attempts or (asked_ms >= self.certain_ms and not self.known) or self._given_up():
                return None
            left_ms = self.limits.poll_ms if self.known else self.certain_ms - self.now_ms
            yield from self._do(Wait(max(1, min(self.limits.poll_ms, left_ms))))

    def _follow(self, found: Found) -> Course:
        """The order's end."""
        told = False
        while found.status == "open":
            if self._given_up():
                return Outcome("unknown", found.filled, found.price, f"order {found.word} is still open")
            if found.filled and not told:
                told = True
                yield from self._do(Tell(Outcome("partially_filled", found.filled, found.price)))
            yield from self._do(Wait(self.limits.poll_ms))
            found = (yield from self._find()) or found
        if found.status == "filled":
            return Outcome("filled", found.filled, found.price)
        return Outcome("canceled", found.filled, found.price, f"order ended: {found.word}")

    def _clear(self) -> Generator[Command, Reply, int]:
        """Cancels until nothing is open; how many requests that took, in a dry run would have."""
        count = 0
        for _ in range(_ROUNDS_MAX):
            cancels: list[Request] = []
            for request in self.desk.orders(self.step.symbol):
                found = yield from self._ask(request, partial(self.desk.cancels, request.part))
                if isinstance(found, Judged):
                    raise _Over(Outcome("refused", error=f"open orders: {found.text}"))
                cancels += (one for one in found if one not in cancels)
            if not cancels or self.limits.dry_run:
                return len(cancels)
            count += len(cancels)
            for request in cancels:  # what is gone by then is refused: the next look decides
                yield from self._ask(request, len)
        raise _Over(Outcome("refused", error=f"open orders: expected none after {_ROUNDS_MAX} rounds of cancelling, was some"))

    def _hold(self) -> Generator[Command, Reply, Held]:
        held = yield from self._ask(self.desk.position(self.step.symbol), partial(self.desk.held, self.step))
        if isinstance(held, Judged):
            raise _Over(Outcome("refused", error=f"position: {held.text}"))
        if not held.amount:
            raise _Over(Outcome("refused", Decimal(0), error=f"no position in {self.step.symbol} {self.step.side} to reduce"))
        return held

    def _claim(self, notional: Decimal) -> Generator[Command, Reply, bool]:
        reply = yield from self._do(Claim(notional, self.attempts))
        self.refusal = reply.text
        if reply.text and not reply.attempts:
            raise _Over(Outcome("refused", error=reply.text))
        self._sent(reply)
        return reply.mine

    def _send(self, order: Ask) -> Part:
        """Whatever comes back, the order is looked for: only a refusal with a code is taken at its word."""
        reply = yield from self._do(order)
        refused = reply.refused
        if refused is None and _is_taken(reply.body):
            self.known = True
            yield from self._do(Tell(Outcome("accepted")))
        elif refused is None:
            yield from self._do(Tell(Outcome("unknown", error="the venue's answer cannot be read")))
        elif refused.code in self.desk.duplicates:
            self.known = True
        elif refused.reason in (Reason.REFUSED, Reason.AUTH) and refused.code:
            raise _Over(Outcome("rejected", error=refused.text))
        else:
            yield from self._do(Tell(Outcome("unknown", error=refused.text)))

    def _ask(self, request: Request, read: Callable[[bytes], Told]) -> Generator[Command, Reply, Told | Judged]:
        """An answer as read, or a refusal that stands; all else is asked again until the engine has given the step up."""
        wait_ms = self.limits.poll_ms
        while True:
            reply = yield from self._do(Ask(request))
            told = _read(reply.body, read) if reply.refused is None else reply.refused
            if not isinstance(told, Judged) or told.reason not in _AGAIN:
                return told
            if self._given_up():
                raise _Over(self._lost(told.text))
            yield from self._do(Wait(wait_ms))
            wait_ms = min(2 * wait_ms, _WAIT_MS_MAX)

    def _do(self, command: Command) -> Generator[Command, Reply, Reply]:
        reply = yield command
        self.now_ms = max(self.now_ms, reply.now_ms)
        return reply

    def _given_up(self) -> bool:
        return self.now_ms - self.step.ordered_ms > self.limits.answer_within_ms

    def _lost(self, text: str) -> Outcome:
        """The venue tells us nothing: an order is there only if one was sent."""
        return Outcome("unknown" if self.attempts else "refused", error=text if self.attempts else f"{text}: not sent")


def _is_taken(body: bytes) -> bool:
    """Whether a venue's answer names the order it made; half an answer says nothing."""
    try:
        json.loads(body)
    except ValueError:
        return False
    return b'"orderId"' in body or b'"ordId"' in body


def _read(body: bytes, read: Callable[[bytes], Told]) -> Told | Judged:
    """What cannot be read is no answer."""
    try:
        return read(body)
    except (ValueError, KeyError, TypeError, ArithmeticError, AttributeError) as error:
        return Judged(Reason.TRANSIENT, text=f"answer: {type(error).__name__}")
