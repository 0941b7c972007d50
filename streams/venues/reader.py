"""One account being read: its session in its shell, its counts, and what it told last."""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Mapping
from typing import Protocol

import psycopg

from schemas import names
from schemas.user_data_pb2 import UserDataMarginCallEvent
from streams.venues import accounts as store
from streams.venues import metrics
from streams.venues.accounts import Account, Progress
from streams.venues.clock import Clock
from streams.venues.database import Database
from streams.venues.frames import Event, Receipt
from streams.venues.memory import Memory
from streams.venues.monitor.told import Told
from streams.venues.places import venue_of
from streams.venues.publisher import Publisher
from streams.venues.rest import Egress, Rest
from streams.venues.session import Session
from streams.venues.shell import Outside, Shell
from streams.venues.vault import Vault
from streams.venues.venue import Credentials, Hosts
from streams.venues.words import Changed, Happened, Report, Save, Started, Stopped

log = logging.getLogger(__name__)
_CONNECTIONS = ("live", "rotated", "closing")
_FAILURES = ("attempt_failed",)  # besides what the session itself is alarmed by


class Venues:
    """One REST client, clock and queue for each venue and environment that is read from this address."""

    def __init__(self, hosts: Mapping[str, Hosts]) -> None:
        self._hosts = hosts
        self._rests: dict[tuple[str, str], Rest] = {}

    def rest(self, venue: str, environment: str) -> Rest:
        """Raises `ValueError` for a venue nobody knows."""
        found = self._rests.get((venue, environment))
        if found is None:
            record, clock = venue_of(venue, environment, self._hosts), Clock()
            found = self._rests[venue, environment] = Rest(record, Egress(record, clock), clock)
            found.open()
        return found

    async def close(self) -> None:
        await asyncio.gather(*(rest.close() for rest in self._rests.values()))


class Home(Protocol):
    """What the process gives its readers."""

    vault: Vault
    database: Database
    publisher: Publisher
    venues: Venues

    def broken(self, name: tuple[str, str]) -> None: ...


class Reader:
    """`epoch` is the lease's: facts carry it. Raises `ValueError` for a venue nobody knows."""

    def __init__(self, account: Account, epoch: int, home: Home) -> None:
        self.account, self.epoch, self._home = account, epoch, home
        self.rest = home.venues.rest(account.venue, account.environment)
        self.counts: Counter[str] = Counter()
        self.told = Told()  # what the monitor compares
        self.detail = ""
        self._memory = Memory(int(account.complete_until.timestamp() * 1_000), account.exposed)
        self.shell = self._shell()

    @property
    def session(self) -> Session:
        return self.shell.session

    def _shell(self) -> Shell:
        owner = Receipt(*self.account.name, lease_epoch=self.epoch)
        session = Session(owner, self.rest.venue, random.Random(), self._memory)
        return Shell(session, Outside(self.rest, self._home.publisher, self._credentials, self._save, self._report, self._told))

    def _credentials(self) -> Credentials:
        return self.account.credentials(self._home.vault)()

    def hear(self, happened: Happened) -> None:
        self.shell.hear(happened)

    def same_place(self, account: Account) -> bool:
        """Whether this reader can go on with that row."""
        return (account.venue, account.environment) == (self.account.venue, self.account.environment)

    def change(self, account: Account) -> None:
        """Takes a newer row; other credentials begin a new session."""
        changed = account.credentials_version != self.account.credentials_version
        self.account = account
        if changed:
            log.info("account %s of %s: new credentials", account.account_id, account.user_key)
            self.hear(Changed())

    def begin_anew(self) -> None:
        """After a bug: the same account in a new session. Its epochs must go on, so they start above any used before."""
        before = self.shell
        self._memory.doubt()
        asyncio.get_running_loop().create_task(before.close())
        self.shell = self._shell()
        self.session.start_epochs_after(before.session)
        self.hear(Started())

    async def close(self) -> None:
        """Sockets closed; the venue's key stays, for whoever comes next and for the user's own programs."""
        self.hear(Stopped())
        await self.shell.close()

    def progress(self) -> Progress:
        self.shell.acknowledge()
        return Progress(*self.account.name, self.session.state.value, self.detail, self.session.memory.since_ms)

    async def _save(self, command: Save) -> None:
        try:
            await self._home.database.run(lambda connection: store.save_key(connection, self._home.vault, self.account, command.key))
        except (psycopg.Error, OSError, ValueError) as error:  # the venue gives it again
            log.warning("account %s: its key was not kept: %s", self.account.account_id, type(error).__name__)

    def _report(self, report: Report) -> None:
        metrics.REPORTS.labels(self.account.venue, report.kind).inc()
        self.detail = f"{report.kind}: {report.text}" if report.kind not in _CONNECTIONS else ""
        failed = report.alert or report.kind in _FAILURES
        level = logging.ERROR if failed else logging.INFO if report.kind in _CONNECTIONS else logging.WARNING
        log.log(level, "%s account %s of %s: %s: %s", self.account.venue, self.account.account_id, self.account.user_key, report.kind,
                report.text)
        self.counts["reconnects"] += report.kind == "live" and self.session.links > 1
        if report.kind == "broken":
            self._home.broken(self.account.name)

    def _told(self, events: tuple[Event, ...]) -> None:
        self.told.note(events, self.rest.clock.venue_ms())
        self.counts["frames"] += 1
        for event in events:
            self.counts[event.topic] += 1
            metrics.FACTS.labels(self.account.venue, event.topic).inc()
            if isinstance(event.message, UserDataMarginCallEvent) and not event.message.meta.HasField("snapshot_end"):
                log.error("margin call of the venue: user=%s account=%s", *self.account.name)
            log.debug("%s %s", self.account.account_id, event.topic)

    def shown(self) -> dict[str, object]:
        """For the health page."""
        return {"user": self.account.user_key, "account": self.account.account_id, "venue": self.account.venue,
                "state": self.session.state.value, "ready": self.session.ready, "detail": self.detail, "epoch": self.epoch,
                "reconnects": self.counts["reconnects"], "messages": self.counts["frames"], "orders": self.counts[names.ORDER_UPDATES],
                "completeUntilMs": self.session.memory.since_ms}
