"""What the board shows, gathered: broker offsets, metrics of workers and mirrors, sessions at venues, and the tails of two topics."""

import asyncio
import json
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import aiohttp
from aiokafka import AIOKafkaConsumer, TopicPartition
from google.protobuf.message import DecodeError
from prometheus_client.parser import text_string_to_metric_families

from schemas.engine_pb2 import Liquidation, MarginCall, Rung
from streams import topics
from streams.config import Config
from streams.stack.oracle_topics import partitions
from streams.stack.supervisor import load_state
from streams.stack.venues import HEALTH

_LATENCY = "marginstream_mirror_latency_seconds"
_TAILED = (topics.MARGIN_CALLS, topics.LIQUIDATIONS)
_TAIL_ROWS = 8
_TIMEOUT = aiohttp.ClientTimeout(total=2)


class Sessions(NamedTuple):
    """What the ingestion reads: accounts, how many are live, reconnects and frames since its start."""

    live: int = 0
    accounts: int = 0
    reconnects: int = 0
    frames: int = 0


class Sample(NamedTuple):
    """One look: totals since the beginning; `lag` in records; `down` names what did not answer."""

    events: int = 0
    ticks: int = 0
    lag: int = 0
    verdicts: int = 0
    rungs: Mapping[str, int] = {}
    buckets: Mapping[float, float] = {}
    down: tuple[str, ...] = ()
    sessions: Sessions = Sessions()


class Metrics(NamedTuple):
    """What the pages of all workers and of the Postgres mirror say together."""

    lag: int
    rungs: Counter[str]
    buckets: dict[float, float]


def read_metrics(pages: Iterable[str]) -> Metrics:
    """Sums over Prometheus text pages; `buckets` is the mirror's cumulative latency histogram, seconds -> count."""
    lag, rungs, buckets = 0.0, Counter[str](), dict[float, float]()
    for page in pages:
        for family in text_string_to_metric_families(page):
            for sample in family.samples:
                if sample.name == "marginstream_lag":
                    lag += max(sample.value, 0)
                elif sample.name == "marginstream_users_by_rung":
                    rungs[sample.labels["rung"]] += int(sample.value)
                elif sample.name == f"{_LATENCY}_bucket" and sample.labels.get("mirror") == "postgres":
                    edge = float(sample.labels["le"])
                    buckets[edge] = buckets.get(edge, 0) + sample.value
    return Metrics(int(lag), rungs, buckets)


def quantile_s(buckets: Mapping[float, float], part: float) -> float | None:
    """The smallest bucket edge (s) under which `part` of all lies; None where nothing was measured."""
    total = max(buckets.values(), default=0)
    return next((edge for edge in sorted(buckets) if total and buckets[edge] >= part * total), None)


def describe(topic: str, value: bytes) -> str | None:
    """One line about a margin call or liquidation; None where it cannot be read or is a mere part of one."""
    try:
        if topic == topics.MARGIN_CALLS:
            call = MarginCall.FromString(value)
            ratio = call.figures.margin_ratio or (f"{call.figures.margin_level_pct}%" if call.figures.margin_level_pct else "")
            reasons = f" ({', '.join(call.reasons)})" if call.reasons else ""
            return f"{call.user_id}/{call.account_id}: {_rung(call.before)} -> {_rung(call.after)} {ratio[:12]}{reasons[:50]}"
        event = Liquidation.FromString(value)
    except DecodeError:
        return None
    where, done = f"{event.user_id}/{event.account_id}", event.completed
    if event.HasField("completed"):
        return f"{where}: closed {done.quantity} {done.instrument} at {done.price}, PnL {done.realised_pnl[:16]}"
    return f"{where}: ordered, {len(event.ordered.steps)} steps" if event.HasField("ordered") else None


def read_sessions(page: str) -> Sessions:
    """Of the ingestion's /health."""
    said = json.loads(page)
    return Sessions(said["activeConnections"], len(said["accounts"]), said["totalReconnects"], said["messagesReceived"])


def _rung(number: int) -> str:
    return Rung.Name(number).lower() if number in Rung.values() else f"rung_{number}"


class Sources:
    """Open connections; `calls` and `liquidations` hold the last lines, newest first."""

    def __init__(self, config: Config, worker_urls: tuple[str, ...]) -> None:
        self._config, self._worker_urls = config, worker_urls
        self._ingest_url = load_state(config).addresses.get(HEALTH, "")
        self._offsets: list[TopicPartition] = []
        self.calls: deque[str] = deque(maxlen=_TAIL_ROWS)
        self.liquidations: deque[str] = deque(maxlen=_TAIL_ROWS)
        self._consumer: AIOKafkaConsumer | None = None
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        self._session = aiohttp.ClientSession(timeout=_TIMEOUT)
        self._consumer = consumer = AIOKafkaConsumer(bootstrap_servers=self._config.kafka_bootstrap, enable_auto_commit=False)
        await consumer.start()
        self._offsets = partitions(self._config, (*topics.ACCOUNT_SOURCES, topics.PRICE_TICKS, *_TAILED))
        tailed = partitions(self._config, _TAILED)
        consumer.assign(tailed)
        await consumer.seek_to_end(*tailed)

    async def close(self) -> None:
        if self._consumer:
            await self._consumer.stop()
        if self._session:
            await self._session.close()

    async def sample(self) -> Sample:
        """Look once; what does not answer is named, not raised."""
        assert self._consumer is not None
        await self._tail(self._consumer)
        ends: dict[TopicPartition, int] = await self._consumer.end_offsets(self._offsets)
        urls = (*self._worker_urls, self._mirror_url())
        *pages, health = await asyncio.gather(*(self._page(f"{url}/metrics") for url in urls), self._page(f"{self._ingest_url}/health"))
        found = read_metrics(page for page in pages if page)
        count = Counter[str]()
        for partition, end in ends.items():
            count[partition.topic] += end
        down = tuple(url or "mirror of Postgres" for url, page in zip(urls, pages, strict=True) if page is None)
        down += ("ingest",) * bool(self._ingest_url and health is None)
        return Sample(sum(count[name] for name in topics.ACCOUNT_SOURCES), count[topics.PRICE_TICKS], found.lag,
                      sum(count[name] for name in _TAILED), found.rungs, found.buckets, down,
                      read_sessions(health) if health else Sessions())

    async def _tail(self, consumer: AIOKafkaConsumer) -> None:
        for partition, records in (await consumer.getmany(timeout_ms=10)).items():
            shown = self.calls if partition.topic == topics.MARGIN_CALLS else self.liquidations
            shown.extendleft(line for record in records if (line := describe(partition.topic, record.value or b"")))

    def _mirror_url(self) -> str:
        file = Path(self._config.data_dir) / "run" / "bridge-postgres.url"
        return file.read_text().strip() if file.is_file() else ""

    async def _page(self, url: str) -> str | None:
        assert self._session is not None
        try:
            async with self._session.get(url) as answer:
                return await answer.text() if answer.status == 200 else None
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return None
