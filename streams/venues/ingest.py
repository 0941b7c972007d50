"""The ingestion process: accounts and their leases, a session each, one publisher, the health page; started and stopped in order."""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress

import psycopg
import uvloop

from streams.config import Config
from streams.ops import process
from streams.ops.pages import open_pages
from streams.venues import accounts as store
from streams.venues import metrics
from streams.venues.accounts import Account, Progress
from streams.venues.database import Connection, Database
from streams.venues.health import Page
from streams.venues.leases import Leases, Name, owner
from streams.venues.market.service import MarketData, holdings
from streams.venues.monitor.service import Monitor
from streams.venues.places import read_hosts
from streams.venues.publisher import Publisher
from streams.venues.reader import Reader, Venues
from streams.venues.vault import Vault, vault_file
from streams.venues.words import Drained, Overflowed, Started, State

log = logging.getLogger(__name__)
_BEAT_S, _SAVE_S, _HEALTH_S, _AGAIN_S = 3.0, 5.0, 60.0, 10.0


class Ingest:
    """Reads every active account whose lease is ours."""

    def __init__(self, config: Config) -> None:
        self.config, self.worker = config, config.worker_name
        self.vault = Vault(vault_file(config))
        self.database = Database(config.postgres_dsn)
        self.publisher = Publisher(config.kafka_bootstrap, config.ingest_buffer_max, self._lost, self._roomy)
        self.venues = Venues(read_hosts(config.venue_hosts))
        self.readers: dict[Name, Reader] = {}
        self.market = MarketData(config, lambda: holdings(self.readers))
        self.monitor = Monitor(self)
        self.loaded = False
        self.past: Counter[str] = Counter()  # counts of accounts that are read no more
        self._wake, self._chance = asyncio.Event(), random.Random()
        self._tasks: list[asyncio.Task[None]] = []
        self._saved: dict[Name, Progress] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`: the accounts' manager and Kafka first, then the streams, then the page.

        Ended the other way round: page, background work, sessions, what waits for Kafka, what is kept, logs, databases.
        """
        page = None
        try:
            await self.publisher.open()
            self._tasks = [asyncio.create_task(work) for work in (
                self._listen(), self._manage(), self._save(), self._look(), self.market.run(), self.monitor.run())]
            shown = Page(self.worker, self.readers, self.publisher, lambda: self.loaded, self.past)
            page = await open_pages(self.config, f"ingest-{self.worker}", shown)
            await stop.wait()
        finally:
            if page is not None:
                await page.stop()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await self._end()

    async def _end(self) -> None:
        names = list(self.readers)
        await asyncio.gather(*(self.readers[name].close() for name in names))
        await self.publisher.close()
        with suppress(psycopg.Error, OSError):
            await self.database.run(self._save_all)
            await self.database.run(lambda connection: self._leave(connection, names))
        self.readers.clear()
        await self.venues.close()
        flush_logs()
        await self.database.close()

    async def _leave(self, connection: Connection, names: Sequence[Name]) -> None:
        leases = Leases(connection, self.worker)
        await leases.release(names)
        await leases.leave()

    # -- accounts ---------------------------------------------------------------------------------------------------------------------

    async def _listen(self) -> None:
        """Wakes the manager when an account is added, changed or removed; without it the manager looks every few seconds."""
        while True:
            try:
                listener = await psycopg.AsyncConnection.connect(self.config.postgres_dsn, autocommit=True, connect_timeout=5)
                async with listener as connection:
                    await connection.execute("LISTEN exchange_accounts")
                    async for _ in connection.notifies():
                        self._wake.set()
            except (psycopg.Error, OSError) as error:
                log.warning("postgres: not listening: %s", type(error).__name__)
            await asyncio.sleep(_BEAT_S)

    async def _manage(self) -> None:
        while True:
            try:
                await self.database.run(self._share)
                self.loaded = True
            except (psycopg.Error, OSError) as error:  # what is read goes on: nobody else can take a lease meanwhile
                log.error("postgres: accounts not looked at: %s", type(error).__name__)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), _BEAT_S)
            self._wake.clear()

    async def _share(self, connection: Connection) -> None:
        """Takes and gives accounts, so that each has one reader among those who live."""
        leases = Leases(connection, self.worker)
        workers = await leases.beat()
        found = {account.name: account for account in await store.active(connection)}
        kept = await leases.renew({name: reader.epoch for name, reader in self.readers.items()})
        mine = {name for name in found if owner(name, workers) == self.worker}
        gone = [name for name in self.readers if name not in kept or name not in mine or not self.readers[name].same_place(found[name])]
        await asyncio.gather(*(self._drop(name) for name in gone))
        await leases.release(gone)
        for name in self.readers:
            self.readers[name].change(found[name])
        for name, epoch in (await leases.acquire(mine - self.readers.keys())).items():
            self._read(found[name], epoch)

    def _read(self, account: Account, epoch: int) -> None:
        try:
            reader = Reader(account, epoch, self)
        except ValueError as error:
            if self._saved.get(account.name, Progress(*account.name, "", "", None)).status != "unsupported":
                log.error("account %s of %s is not read: %s", account.account_id, account.user_key, error)
            self._saved[account.name] = Progress(*account.name, "unsupported", str(error), None)
            return
        self.readers[account.name] = reader
        reader.hear(Started())

    async def _drop(self, name: Name) -> None:
        reader = self.readers.pop(name)
        self.past.update(reader.counts)
        await reader.close()

    def broken(self, name: Name) -> None:
        """A session met a bug of ours: another one begins, later."""
        asyncio.get_running_loop().call_later(_AGAIN_S, self._replace, name)

    def _replace(self, name: Name) -> None:
        if reader := self.readers.get(name):
            reader.begin_anew()

    # -- Kafka ------------------------------------------------------------------------------------------------------------------------

    def _lost(self, names: Sequence[Name]) -> None:
        for name in names:
            if reader := self.readers.get(name):
                reader.shell.acknowledge()
                reader.hear(Overflowed())

    def _roomy(self) -> None:
        for reader in list(self.readers.values()):
            reader.hear(Drained())

    # -- what is kept, and seen -------------------------------------------------------------------------------------------------------

    async def _save(self) -> None:
        while True:
            await asyncio.sleep(_SAVE_S)
            with suppress(psycopg.Error, OSError):
                await self.database.run(self._save_all)

    async def _save_all(self, connection: Connection) -> None:
        now = {name: reader.progress() for name, reader in self.readers.items()}
        changed = [one for name, one in now.items() if one.differs(self._saved.get(name))]
        if changed:
            await store.save_progress(connection, changed)
        self._saved.update((one.name, one) for one in changed)

    async def _look(self) -> None:
        """Every minute: who is not live, in the log; states in the metrics."""
        while True:
            await asyncio.sleep(_HEALTH_S)
            for state in State:
                metrics.SESSIONS.labels(state.value).set(sum(reader.session.state is state for reader in self.readers.values()))
            metrics.WAITING.set(self.publisher.waiting)
            for name, reader in self.readers.items():
                if not reader.session.ready:
                    log.warning("account %s of %s: %s: %s", name[1], name[0], reader.session.state, reader.detail)


def flush_logs() -> None:
    """What was said is written before the last connections go."""
    for handler in logging.getLogger().handlers:
        handler.flush()


def main(config: Config) -> None:
    """Runs until SIGTERM or SIGINT."""
    process.run(config, "ingest", lambda stop: Ingest(config).run(stop), uvloop.run)
