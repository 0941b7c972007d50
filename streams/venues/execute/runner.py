"""Carries one step out: commands of its course to deeds at the venue, in Postgres and on Kafka."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

import psycopg

from schemas.engine_pb2 import LiquidationReport
from schemas.money import say_short
from streams.venues.clock import Clock
from streams.venues.database import Connection, Database
from streams.venues.execute import metrics, store
from streams.venues.execute.course import course
from streams.venues.execute.desks import DESKS
from streams.venues.execute.store import Opted
from streams.venues.execute.words import CLOSE, DRY_RUN, Ask, Claim, Command, Limits, Outcome, Recall, Reply, Step, Tell, Wait, proceed
from streams.venues.reader import Venues
from streams.venues.rest import Refused, Rest
from streams.venues.vault import Vault
from streams.venues.venue import Judged, Reason

log = logging.getLogger(__name__)
_AGAIN_S = 1.0
Found = TypeVar("Found")


class Home(Protocol):
    """What the process gives."""

    limits: Limits
    vault: Vault
    database: Database
    venues: Venues
    clock: Clock

    def paused(self, step: Step, venue: str) -> str | None: ...

    async def report(self, report: LiquidationReport) -> None: ...


async def persist(database: Database, work: Callable[[Connection], Awaitable[Found]]) -> Found:
    """The answer of Postgres, however long it is away: without it nothing may be sent."""
    while True:
        try:
            return await database.run(work)
        except (psycopg.OperationalError, psycopg.InterfaceError, OSError) as error:
            log.error("postgres: expected an answer, was %s", type(error).__name__)
            await asyncio.sleep(_AGAIN_S)


class Runner:
    """One step. `run` returns when its end is reported and acknowledged."""

    def __init__(self, home: Home, step: Step) -> None:
        self.home, self.step = home, step
        self._opted: Opted | None = None
        self._rest: Rest | None = None

    async def run(self) -> None:
        """Nothing is said of an account that nobody registered, or that somebody else carries out."""
        self._opted = await persist(self.home.database, lambda connection: store.look(connection, self.step.name))
        if self._opted is None or self._opted.execution == "external":
            log.debug("step %s is not ours", self.step.step_id)
            return
        impossible = self._prepare(self._opted)
        outcome = Outcome("refused", error=impossible) if impossible else await self._course()
        await self._tell(outcome)
        await persist(self.home.database, lambda connection: store.note(connection, self.step, outcome))

    def _prepare(self, opted: Opted) -> str:
        """Why its venue cannot even be asked, or nothing."""
        account, step = opted.account, self.step
        if not opted.is_active or not account.api_key_encrypted or not account.api_secret_encrypted:
            return "account: expected an active one with credentials, was none" if opted.execute else _permission(opted)
        if account.venue not in DESKS or step.venue not in ("", account.venue):
            return f"venue: expected {account.venue!r} and one of {', '.join(DESKS)}, was {step.venue!r}"
        try:
            self._rest = self.home.venues.rest(account.venue, account.environment)
        except ValueError as error:
            return str(error)
        return ""

    async def _course(self) -> Outcome:
        assert self._opted is not None
        assert self._rest is not None
        clock = self._rest.clock
        under_way = course(self.step, DESKS[self._opted.account.venue], self.home.limits, clock.now_ms())
        said = proceed(under_way)
        while not isinstance(said, Outcome):
            said = proceed(under_way, (await self._do(said))._replace(now_ms=clock.now_ms()))
        return said

    async def _do(self, command: Command) -> Reply:
        match command:
            case Ask():
                return await self._ask(command)
            case Recall():
                reply = await persist(self.home.database, lambda connection: store.recall(connection, self.step))
                return reply._replace(text=await self._permission())
            case Claim():
                return await self._claim(command)
            case Wait(ms):
                await asyncio.sleep(ms / 1_000)
            case Tell(outcome):
                if outcome.status == "accepted":  # from now on its absence at the venue is a view that lags
                    await persist(self.home.database, lambda connection: store.note(connection, self.step, outcome))
                await self._tell(outcome)
        return Reply(0)

    async def _ask(self, command: Ask) -> Reply:
        assert self._rest is not None
        assert self._opted is not None
        try:
            async with asyncio.timeout(self.home.limits.ask_within_ms / 1_000):
                credentials = self._opted.account.credentials(self.home.vault)
                body = await (self._rest.ask_as_of(command.request, credentials, command.as_of_ms) if command.as_of_ms
                              else self._rest.ask(command.request, credentials, urgent=True))
        except Refused as refused:
            return Reply(0, refused=refused.judged)
        except TimeoutError:
            return Reply(0, refused=Judged(Reason.TRANSIENT, text=f"no answer within {self.home.limits.ask_within_ms} ms"))
        return Reply(0, body)

    async def _permission(self) -> str:
        """Why nothing may be sent now, or nothing."""
        opted = self._opted = await persist(self.home.database, lambda connection: store.look(connection, self.step.name)) or self._opted
        assert opted is not None
        scope = self.home.paused(self.step, opted.account.venue)
        return _permission(opted) or (f"paused: {scope}" if scope else "")

    async def _claim(self, command: Claim) -> Reply:
        if (scope := self.home.paused(self.step, self.step.venue)) is not None:
            return Reply(0, text=f"paused: {scope}", attempts=command.attempts)
        step, limits = self.step, self.home.limits
        return await persist(self.home.database, lambda connection: store.claim(connection, step, command, limits))

    async def _tell(self, outcome: Outcome) -> None:
        step = self.step
        report = LiquidationReport(
            id=f"{step.step_id}/{outcome.status}", user_id=step.user_key, account_id=step.account_id, step_id=step.step_id,
            status=outcome.status, error=outcome.error, time_ms=self.home.clock.now_ms())
        if step.action == CLOSE:
            report.client_order_id = step.client_order_id
            report.filled_quantity = "" if outcome.filled is None else say_short(outcome.filled)
            report.average_price = "" if outcome.price is None else say_short(outcome.price)
        venue = self._opted.account.venue if self._opted else step.venue
        metrics.EXECUTIONS.labels(venue, "dry_run" if outcome.error.startswith(DRY_RUN) else outcome.status).inc()
        log.log(logging.INFO if outcome.status in ("completed", "filled", "accepted") else logging.WARNING, "%s %s %s of %s: %s %s %s",
                venue, step.action, step.symbol, step.step_id, outcome.status, report.filled_quantity, outcome.error)
        await self.home.report(report)


def _permission(opted: Opted) -> str:
    return "" if opted.execute and opted.is_active else "the account did not opt in to execution"
