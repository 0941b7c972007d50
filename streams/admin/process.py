"""The admin API as a process: schema brought up, pages served until SIGTERM, the housekeeping of what grows."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import cast

import psycopg
from aiokafka.errors import KafkaError
from psycopg.types.json import Jsonb
from redis.exceptions import RedisError

from streams.admin import metrics
from streams.admin.alerts import Alerts, Hook
from streams.admin.app import admin
from streams.admin.desk import Desk
from streams.admin.engine import Workers
from streams.admin.redis_health import RedisHealth
from streams.admin.rules import RulesPage
from streams.admin.store import AWAY, Store
from streams.bridges import audit as mirrors
from streams.bridges.consume import persist
from streams.bridges.migrate import migrate
from streams.config import Config
from streams.ops import process
from streams.ops.health import serve
from streams.venues.secret import Secret
from streams.venues.vault import Vault, vault_file, with_key
from streams.web.inspection import Refused
from streams.web.tokens import Tokens

log = logging.getLogger(__name__)
_LOOK_S = 2.0
_TIDY_S, _AUDIT_S, _ALERTS_S, _SAY_S = 600.0, 300.0, 1.0, 15.0
_AUDIT_AWAY = (psycopg.Error, RedisError, KafkaError, OSError)
_PATIENCE_S = 600  # of a statement that reads the whole ledger
_LINES_MAX = 20
_WAITING = """SELECT jsonb_build_array(count(*), coalesce(extract(epoch FROM now() - min(created_at)), 0))
    FROM outbox WHERE published_at IS NULL"""


class Watch:
    """Whether Postgres answers, what waits there, and whether all money adds up."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.reason, self.waiting = "starting", 0

    def ready(self) -> tuple[bool, str]:
        """For `/readyz`."""
        return not self.reason, self.reason

    async def look(self) -> None:
        """One look."""
        try:
            [found] = await self._store.rows(_WAITING, [])
            count, age_s = cast("tuple[int, float]", found)
            self.waiting = count
            metrics.OUTBOX_WAITING.set(count)
            metrics.OUTBOX_OLDEST.set(age_s)
            self.reason = ""
        except Refused as refused:
            self.reason = refused.message

    async def say(self) -> None:
        """The line that says how it goes."""
        log.info("health: %s, %d facts wait for Kafka", self.reason or "ok", self.waiting)

    async def audit(self) -> None:
        """The ledger's audit; its last success is kept in the table `audits`."""
        with _told("audit"):
            [found] = await self._store.rows("SELECT run_audit('30 seconds')", [])
            lines = cast("list[str]", found)
            metrics.AUDIT_DIFFERENCES.labels("ledger").set(len(lines))
            if not lines:
                metrics.AUDIT_SUCCESS.labels("ledger").set_to_current_time()
            for line in lines[:_LINES_MAX]:
                log.error("audit: %s", line)

    async def audit_mirrors(self, config: Config, stop: asyncio.Event) -> None:
        """Redis and Postgres against the states, in a thread of its own; kept beside the ledger's."""
        try:
            found = await asyncio.to_thread(lambda: asyncio.run(mirrors.audit(config, over=stop.is_set)))
        except mirrors.Over:
            return
        except _AUDIT_AWAY as error:
            log.warning("audit of the mirrors put off: %s: %s", type(error).__name__, error)
            return
        with _told("audit of the mirrors"):
            for name, one in found.items():
                log.info("audit of %s: %d users, %d differences, state hashes %s", name, one.users, one.differences, one.hashes)
                metrics.AUDIT_DIFFERENCES.labels(name).set(one.differences)
                await self._store.rows("SELECT keep_audit(%s, %s)", [name, Jsonb(one.lines)])
                if not one.lines:
                    metrics.AUDIT_SUCCESS.labels(name).set_to_current_time()

    async def tidy(self) -> None:
        """Forgets answers and delivered facts that nobody asks for any more."""
        with _told("tidying"):
            await self._store.rows("SELECT forget_delivered()", [])


@contextmanager
def _told(what: str) -> Iterator[None]:
    """What cannot be done while Postgres is away is done next time."""
    try:
        yield
    except Refused as refused:
        log.warning("%s put off: %s", what, refused.message)


def main(config: Config) -> None:
    """Until SIGTERM or SIGINT."""
    process.run(config, "admin", lambda stop: _serve(config, stop))


async def _serve(config: Config, stop: asyncio.Event) -> None:
    store = Store(config.postgres_dsn)
    workers = Workers(config.worker_urls.split(","), config.api_token)
    slow = Store(config.postgres_dsn, _PATIENCE_S)
    watch, keeper = Watch(store), Watch(slow)
    desk = Desk(store, workers, config.default_user_type, lambda: Vault(with_key(vault_file(config))))  # the first secret makes its key
    more = RulesPage(config).routes() + RedisHealth(config, store).routes()
    app = admin(desk, watch.ready, Tokens(config.api_token, config.api_tokens), more)
    runner = await serve(app, config.admin_host, config.admin_port)
    log.info("admin API at %s", runner.url)

    async def prepare() -> None:
        await asyncio.to_thread(migrate, config.postgres_dsn)

    try:
        if await persist(prepare, AWAY, stop):
            await asyncio.gather(_every(_LOOK_S, watch.look, stop), _every(_TIDY_S, keeper.tidy, stop),
                                 _every(_AUDIT_S, keeper.audit, stop), _every(_SAY_S, watch.say, stop), _alert(config, store, stop),
                                 *([_every(config.audit_s, partial(keeper.audit_mirrors, config, stop), stop)] if config.audit_s else []))
    finally:
        await runner.stop()
        await slow.close()


async def _alert(config: Config, store: Store, stop: asyncio.Event) -> None:
    if not config.webhook_url:
        return
    alerts = Alerts(store, Hook(config.webhook_url, Secret(config.webhook_secret)))

    async def turn() -> None:
        with _told("alerts"):
            await alerts.turn()

    try:
        await _every(_ALERTS_S, turn, stop)
    finally:
        await alerts.close()


async def _every(seconds: float, do: Callable[[], Awaitable[None]], stop: asyncio.Event) -> None:
    while not stop.is_set():
        await do()
        await process.pause(stop, seconds)
