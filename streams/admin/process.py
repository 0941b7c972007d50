"""The admin API as a process: schema brought up, pages served until SIGTERM, the housekeeping of what grows."""

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

from streams.admin.app import admin
from streams.admin.desk import Desk
from streams.admin.engine import Workers
from streams.admin.rules import RulesPage
from streams.admin.store import AWAY, Store
from streams.bridges.consume import persist
from streams.bridges.migrate import migrate
from streams.config import Config
from streams.ops.health import serve
from streams.venues.vault import Vault
from streams.web.inspection import Refused

log = logging.getLogger(__name__)
_LOOK_S = 2.0
_TIDY_S = 600.0


class Watch:
    """Whether Postgres answers, looked at every two seconds."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.reason = "starting"

    def ready(self) -> tuple[bool, str]:
        """For `/readyz`."""
        return not self.reason, self.reason

    async def look(self) -> None:
        """One look."""
        try:
            await self._store.rows("SELECT 1", [])
            self.reason = ""
        except Refused as refused:
            self.reason = refused.message

    async def tidy(self) -> None:
        """Forgets answers and delivered facts that nobody asks for any more."""
        try:
            await self._store.rows("SELECT forget_delivered()", [])
        except Refused as refused:
            log.warning("not tidied: %s", refused.message)


def main(config: Config) -> None:
    """Until SIGTERM or SIGINT."""
    logging.basicConfig(level=config.log_level, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    asyncio.run(_run(config))


async def _run(config: Config) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    store = Store(config.postgres_dsn)
    workers = Workers(config.worker_urls.split(","), config.api_token)
    watch = Watch(store)
    desk = Desk(store, workers, config.default_user_type, lambda: Vault(Path(config.data_dir) / "keys.json"))
    app = admin(desk, watch.ready, config.api_token, RulesPage(config).routes())
    runner = await serve(app, config.admin_host, config.admin_port)
    log.info("admin API at %s", runner.url)

    async def prepare() -> None:
        await asyncio.to_thread(migrate, config.postgres_dsn)

    try:
        if await persist(prepare, AWAY, stop):
            await asyncio.gather(_every(_LOOK_S, watch.look, stop), _every(_TIDY_S, watch.tidy, stop))
    finally:
        await runner.stop()


async def _every(seconds: float, do: Callable[[], Awaitable[None]], stop: asyncio.Event) -> None:
    while not stop.is_set():
        await do()
        try:
            await asyncio.wait_for(stop.wait(), seconds)
        except TimeoutError:
            continue
