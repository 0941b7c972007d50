"""The pages of the ingestion process: /health, /healthz, /readyz, /metrics."""

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from schemas import names
from streams.config import Config
from streams.venues.publisher import Publisher
from streams.venues.reader import Reader


class Shown(Protocol):
    """A process that has pages."""

    @property
    def config(self) -> Config: ...

    @property
    def worker(self) -> str: ...

    @property
    def ready(self) -> bool: ...

    def health(self) -> dict[str, object]: ...


class Page(NamedTuple):
    """What is shown."""

    config: Config
    worker: str
    readers: Mapping[tuple[str, str], Reader]
    publisher: Publisher
    loaded: Callable[[], bool]
    past: Counter[str]

    @property
    def ready(self) -> bool:
        """The accounts are known and Kafka takes facts: by what is, now."""
        return self.loaded() and self.publisher.up

    def health(self) -> dict[str, object]:
        """Counts are those since the start, of accounts that are read no more, too."""
        readers = list(self.readers.values())
        live = sum(reader.session.ready for reader in readers)

        def total(topic: str) -> int:
            return self.past[topic] + sum(reader.counts[topic] for reader in readers)

        return {"status": "ok" if self.ready and live == len(readers) else "degraded", "worker": self.worker, "kafka": self.publisher.up,
                "waiting": self.publisher.waiting, "activeConnections": live, "totalReconnects": total("reconnects"),
                "messagesReceived": total("frames"), "orderUpdates": total(names.ORDER_UPDATES),
                "positionUpdates": total(names.POSITION_UPDATES), "balanceUpdates": total(names.BALANCE_UPDATES),
                "marginCalls": total(names.VENUE_MARGIN_CALLS), "accounts": [reader.shown() for reader in readers]}


async def open_page(page: Shown, name: str = "ingest") -> web.AppRunner:
    """Serves on 127.0.0.1 at `health_port`; the URL lies in `{data_dir}/run/{name}-{worker}.url`."""

    async def health(_: web.Request) -> web.Response:
        return web.json_response(page.health())

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        return web.Response(text="ready\n" if page.ready else "not ready\n", status=200 if page.ready else 503)

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.add_routes([web.get("/health", health), web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metrics)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", page.config.health_port).start()
    file = Path(page.config.data_dir) / "run" / f"{name}-{page.worker}.url"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"http://127.0.0.1:{runner.addresses[0][1]}\n")
    return runner
