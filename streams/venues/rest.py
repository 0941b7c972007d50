"""REST at a venue from one egress address: signed late, admitted by weight, refusals judged; nothing secret in an error."""

import asyncio
import logging
from collections.abc import Callable

import aiohttp
from yarl import URL

from streams.venues.clock import Clock
from streams.venues.secret import Secret
from streams.venues.venue import Access, Credentials, Judged, Reason, Request, Venue
from streams.venues.weights import Weights

log = logging.getLogger(__name__)
_TIMEOUT_S = 15.0
_CLOCK_EVERY_MS = 600_000
_ANSWER_BYTES_MAX = 64 * 2**20
_SHUTS = (Reason.LIMITED, Reason.BANNED)


class Refused(Exception):
    """No answer; `judged` says why."""

    def __init__(self, judged: Judged) -> None:
        super().__init__(f"{judged.reason}: {judged.text}")
        self.judged = judged


class Egress:
    """The queue of everybody who asks this venue from this address."""

    def __init__(self, venue: Venue, clock: Clock) -> None:
        self.weights, self._clock = Weights(venue.weight_per_min, venue.connects_per_min), clock
        self._waiting: dict[int, asyncio.Future[None]] = {}
        self._timer: asyncio.TimerHandle | None = None

    async def enter(self, weight: int, urgent: bool, connect: bool = False) -> None:
        """Returns when it is our turn."""
        number = self.weights.want(weight, urgent, connect)
        turn = self._waiting[number] = asyncio.get_running_loop().create_future()
        self._admit()
        try:
            await turn
        finally:
            if self._waiting.pop(number, None) is not None:
                self.weights.forget(number)

    def shut(self, judged: Judged) -> None:
        """After 418, 429 or 403 nobody asks from here for a while."""
        if judged.reason in _SHUTS:
            log.error("breaker of this address open for %d ms: %s", judged.retry_after_ms, judged.text)
            self.weights.shut(judged.retry_after_ms, self._clock.now_ms())

    def _admit(self) -> None:
        now_ms = self._clock.now_ms()
        for number in self.weights.admitted(now_ms):
            turn = self._waiting.pop(number, None)
            if turn is not None and not turn.done():
                turn.set_result(None)
        due = self.weights.due(now_ms)
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if due is None else asyncio.get_running_loop().call_later(max(0.001, (due - now_ms) / 1_000), self._admit)


class Rest:
    """Asks one venue. `open` and `close` belong to one event loop."""

    def __init__(self, venue: Venue, egress: Egress, clock: Clock) -> None:
        self.venue, self.egress, self.clock = venue, egress, clock
        self._http: aiohttp.ClientSession | None = None
        self._measuring = asyncio.Lock()

    def open(self) -> None:
        """From now on questions may be asked."""
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S), auto_decompress=True)

    async def close(self) -> None:
        if self._http is not None:
            await self._http.close()

    async def ask(self, request: Request, credentials: Callable[[], Credentials], urgent: bool = False) -> bytes:
        """The answer's body; credentials are opened only to sign. Raises `Refused`; a refused time stamp is asked once more."""
        if self.clock.now_ms() - self.clock.measured_ms > _CLOCK_EVERY_MS:
            await self.measure()
        await self.egress.enter(request.weight, urgent)
        try:
            return await self._send(request, credentials)
        except Refused as refused:
            if refused.judged.reason is not Reason.CLOCK:
                raise
        await self.measure()
        await self.egress.enter(request.weight, urgent)
        return await self._send(request, credentials)

    async def ask_as_of(self, request: Request, credentials: Callable[[], Credentials], at_ms: int) -> bytes:
        """As `ask`, once, stamped with that time of our clock: late, the venue refuses it, however long we or the network slept."""
        await self.egress.enter(request.weight, urgent=True)
        return await self._send(request, credentials, at_ms)

    async def measure(self) -> None:
        """Looks at the venue's clock, unless somebody did while we waited; what goes wrong leaves the offset as it was."""
        before = self.clock.measured_ms
        async with self._measuring:
            if self.clock.measured_ms != before:
                return
            await self.egress.enter(self.venue.clock.weight, urgent=True)
            asked_ms = self.clock.now_ms()
            try:
                said_ms = self.venue.read_clock(await self._send(self.venue.clock, nobody))
            except (Refused, ValueError, KeyError, TypeError) as error:
                log.warning("%s: clock not measured: %s", self.venue.name, type(error).__name__)
            else:
                self.clock.measured(asked_ms, said_ms, self.clock.now_ms())

    async def _send(self, request: Request, credentials: Callable[[], Credentials], at_ms: int | None = None) -> bytes:
        assert self._http is not None
        try:
            opened = credentials() if request.access is not Access.PUBLIC else nobody()
            signed = self.venue.sign(opened, request, self.clock.venue_ms() if at_ms is None else at_ms + self.clock.offset_ms)
        except ValueError as error:  # credentials that do not open, or are none
            raise Refused(Judged(Reason.AUTH, text=str(error))) from None
        url = URL(f"{self.venue.hosts.rest}{request.path}{'?' if signed.query else ''}{signed.query}", encoded=True)
        try:
            headers = {**signed.headers, "Content-Type": "application/json"} if request.body else signed.headers
            async with self._http.request(request.method, url, headers=headers, data=request.body or None) as answer:
                body = await answer.content.read(_ANSWER_BYTES_MAX)
                while more := await answer.content.read(_ANSWER_BYTES_MAX):
                    body += more
                judged = self.venue.judge(answer.status, answer.headers, body)
                self._count(answer.headers.get(self.venue.used_header, ""))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:  # its words may hold the URL, which holds the signature
            raise Refused(Judged(Reason.TRANSIENT, text=type(error).__name__)) from None
        log.debug("%s %s %s: %s", self.venue.name, request.method, request.path, judged.reason if judged else "ok")
        if judged is not None:
            self.egress.shut(judged)
            raise Refused(judged)
        return body

    def _count(self, used: str) -> None:
        if used.isdigit():
            self.egress.weights.told(int(used), self.clock.now_ms())


def nobody() -> Credentials:
    """Of a public question."""
    return Credentials(Secret(""), Secret(""))
