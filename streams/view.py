"""What a worker shows: rows for the inspection pages, figures for the metrics, samples for the watchdog."""

import itertools
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from faust.types import TP

from agents.risk.world import World
from schemas.keys import partition_of, user_parts
from streams.checks import Checks
from streams.config import Config
from streams.engine.ledger import Ledger
from streams.ops.metrics import METRICS
from streams.ops.watchdog import Sample
from streams.portfolios import Portfolios
from streams.prices import now_ms
from streams.survey import survey
from streams.topics import MARGIN_CALLS
from streams.web.view import Figures
from tables.rows import RUNG_NAMES, Orders, User


class View:
    """A worker as seen from outside; implements `streams.web.view.WorkerView`."""

    def __init__(self, config: Config, app: Any, ledgers: tuple[Ledger, Ledger], checks: Checks, portfolios: Portfolios) -> None:
        self.config, self.app, self.checks, self.portfolios = config, app, checks, portfolios
        self.accounts, self.order_rows = ledgers
        self.worker_name, self.default_user_type = config.worker_name, config.default_user_type
        self._seen: Counter[str] = Counter()
        self._began_s = time.monotonic()

    def ready(self) -> tuple[bool, str]:
        """Whether owned rows are recovered and in the columns."""
        if self.app.should_stop:
            return False, "stopping"
        if self.app.rebalancing or self.accounts.frozen or self.order_rows.frozen:
            return False, "rebalancing or recovering"
        if not self.checks.room.prices.caught_up.is_set():
            return False, "rules and control are not read to the end"
        return (True, "") if self.checks.ready else (False, "filling the columns")

    def partition(self, user_id: str) -> int:
        """The partition of the user's key."""
        return partition_of(user_id.encode(), self.config.partitions)

    def user(self, user_id: str) -> User | None:
        """The row of `accounts`, where this worker owns it."""
        found: User | None = self.accounts.state_of(user_id.encode(), self.partition(user_id))
        return found

    def orders(self, user_id: str) -> Orders | None:
        """The row of `orders`, where this worker owns it."""
        found: Orders | None = self.order_rows.state_of(user_id.encode(), self.partition(user_id))
        return found

    def users(self, after: str, limit: int) -> list[User]:
        """The first `limit` owned rows behind `after`, by user id."""
        names = sorted(name for number in self.accounts.owned() for key in self.accounts.keys_of(number) if (name := key.decode()) > after)
        rows = (self.user(name) for name in names)
        return list(itertools.islice((row for row in rows if row is not None), limit))

    def owner(self, user_id: str) -> str | None:
        """Base URL of the worker that owns the user; None where it is this one. LookupError where nobody is known."""
        number = self.partition(user_id)
        if number in self.accounts.parts:
            return None
        return str(self.app.assignor._tps_url[TP(self.accounts.changelog_topic_name, number)]).rstrip("/")

    def world(self) -> World:
        """What a check would be made with now."""
        return self.checks.room.prices.world({})

    def peers(self) -> list[str]:
        """Base URLs of all other workers."""
        urls = {str(url).rstrip("/") for url in self.app.assignor._tps_url.values()}
        return sorted(urls - {str(self.app.conf.canonical_url).rstrip("/")})

    def figures(self) -> Figures:
        """Counts over the owned partitions."""
        kinds: Counter[str] = Counter(user_parts(user)[0] for user in {user for user, _ in self.checks.rungs})
        prices = self.checks.room.prices
        ticks = {"read": prices.ticks, **prices.skipped, **{f"refused_{reason}": count for reason, count in prices.refused.items()}}
        return {"users": dict(kinds), "dirty_users": self.portfolios.dirty_by_type(), "portfolio": self.portfolios.figures(),
                "ticks": ticks, "symbols": {"processed": self.portfolios.symbols_processed},
                "uptime": {"seconds": int(time.monotonic() - self._began_s)}}

    def dirty(self, user_type: str, limit: int) -> list[str]:
        """The first `limit` owned users of a type whose portfolio figures wait to be told."""
        return [user for user in self.portfolios.dirty() if user_parts(user)[0] == user_type][:limit]

    # ---- metrics

    def collect(self) -> None:
        """Bring the metrics up to date that cost the same however many users there are; called once a second."""
        checks, prices = self.checks, self.checks.room.prices
        METRICS.checks_waiting.set(len(checks.waiting))
        METRICS.recovery_seconds.set(max(self.accounts.recovery_s, self.order_rows.recovery_s))
        METRICS.recovered_rows.set(sum(part.read for part in self.accounts.parts.values()))
        METRICS.accounts_quarantined.set(len(checks.quarantined))
        METRICS.settling_seconds.set(checks.settling.longest_ms(now_ms()) / 1000)
        self._rise("ticks", METRICS.ticks, prices.ticks)
        for reason, count in prices.refused.items():
            self._rise(f"refused {reason}", METRICS.ticks_refused.labels(reason), count)
        for cause, count in checks.counts.items():
            self._rise(f"check {cause}", METRICS.checks.labels(cause), count)
        for found, count in checks.judged.items():
            self._rise(f"judged {found}", METRICS.verdicts.labels(RUNG_NAMES[found]), count)
        for (topic, rung), count in checks.verdicts.items():
            metric = METRICS.margin_calls.labels(RUNG_NAMES.get(rung, str(rung))) if topic == MARGIN_CALLS else METRICS.liquidations
            self._rise(f"verdict {topic} {rung}", metric, count)
        self._collect_ledgers()

    def survey(self) -> Iterator[None]:
        """Bring the metrics up to date that every user counts in, slice by slice."""
        return survey(self.checks)

    def _collect_ledgers(self) -> None:
        ledgers = (self.accounts, self.order_rows)
        self._rise("folded", METRICS.folded, sum(ledger.folded for ledger in ledgers))
        self._rise("skipped", METRICS.skipped, sum(ledger.skipped for ledger in ledgers))
        self._rise("rows", METRICS.flush_rows, sum(ledger.writer.rows_written for ledger in ledgers))
        self._rise("bytes", METRICS.changelog_bytes, sum(ledger.writer.bytes_written for ledger in ledgers))
        self._rise("stale", METRICS.stale_rows, sum(ledger.stale_rows for ledger in ledgers))
        METRICS.lag.clear()
        METRICS.committed_offset.clear()
        for tp, (lag, committed) in self.progress().items():
            METRICS.lag.labels(tp.topic, tp.partition).set(lag)
            METRICS.committed_offset.labels(tp.topic, tp.partition).set(committed)

    def _rise(self, name: str, counter: Any, total: float) -> None:
        """Counters of the engine are totals; Prometheus' want what was added."""
        if total > self._seen[name]:
            counter.inc(total - self._seen[name])
            self._seen[name] = total  # type: ignore[assignment]  # seconds are floats

    def progress(self) -> dict[TP, tuple[int, int]]:
        """(lag, committed offset) of every owned source partition with a known end."""
        consumer, found = self.app.consumer, {}
        for topic in self.accounts.sources:
            for number in self.accounts.owned():
                tp = TP(topic, number)
                end = consumer.highwater(tp) if tp in consumer.assignment() else None
                committed = consumer._committed_offset.get(tp) or 0
                if end is not None:
                    found[tp] = (max(0, end - committed), committed)
        return found

    async def sample(self) -> Sample:
        """Lag and committed offsets, for the watchdog."""
        progress: dict[TP, tuple[int, int]] = defaultdict(lambda: (0, 0), self.progress())
        return Sample(time.monotonic(), sum(lag for lag, _ in progress.values()), sum(at for _, at in progress.values()))
