"""Every metric: declared once, with its kind, help and labels; an attribute each, so that a misspelt name does not type-check."""

from typing import Literal, NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest

Kind = Literal["counter", "gauge", "histogram"]
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_OWN = "marginstream_"
# Folds and checks take microseconds, flushes and recoveries up to minutes.
_FAST_S = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
_SLOW_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)


class Metric(NamedTuple):
    """`name` as it is scraped: a counter ends in `_total`, a histogram adds `_bucket`, `_sum` and `_count`."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()


class Metrics:
    """All metrics in a registry of their own; `listed` is the typed list of what `__init__` declares."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.listed: tuple[Metric, ...] = ()
        self._declare_book()
        self._declare_engine()
        self._declare_checks()

    def _declare_book(self) -> None:
        self.active_users = self._gauge("rms_active_users", "Users with an open position that this worker owns.")
        self.liquidations = self._counter("rms_liquidations_total", "Liquidations ordered.")
        self.price_update_seconds = self._histogram("rms_onPriceUpdate_duration_seconds", "A batch of ticks: marks and screen.", _FAST_S)
        self.user_equity = self._gauge("rms_user_equity", "Equity, summed over the users of a type and rung.", "user_type", "rung")
        self.users_by_rung = self._gauge(_OWN + "users_by_rung", "Users whose worst account is on the rung.", "rung")
        self.accounts_quarantined = self._gauge(_OWN + "accounts_quarantined", "Accounts under quarantine.")
        self.settling_seconds = self._gauge(_OWN + "settling_seconds", "The longest that an account settles; it is not judged meanwhile.")
        self.ready = self._gauge(_OWN + "ready", "1 where this process is ready, else 0.")

    def _declare_engine(self) -> None:
        self.events = self._counter(_OWN + "events_total", "Records taken from a source topic.", "topic")
        self.folded = self._counter(_OWN + "folded_total", "Facts folded into rows.")
        self.skipped = self._counter(_OWN + "skipped_total", "Facts at or below their row's fence: redelivered, not applied again.")
        self.dead_letters = self._counter(_OWN + "dead_letters_total", "Records sent to dead-letters.", "topic")
        self.outputs = self._counter(_OWN + "outputs_total", "Records sent to an output topic.", "topic")
        self.fold_seconds = self._histogram(_OWN + "fold_seconds", "Folding one bundle.", _FAST_S)
        self.flush_seconds = self._histogram(_OWN + "flush_seconds", "One group: rows encoded, sent, acknowledged.", _SLOW_S)
        self.flush_rows = self._counter(_OWN + "flush_rows_total", "Rows written to changelogs.")
        self.changelog_bytes = self._counter(_OWN + "changelog_bytes_total", "Bytes written to changelogs.")
        self.lag = self._gauge(_OWN + "lag", "Records of an owned partition after the committed offset.", "topic", "partition")
        self.committed_offset = self._gauge(_OWN + "committed_offset", "Committed offset of an owned partition.", "topic", "partition")
        self.recovery_seconds = self._gauge(_OWN + "recovery_seconds", "Duration of the last recovery.")
        self.recovered_rows = self._gauge(_OWN + "recovered_rows", "Rows read in the last recovery.")
        self.stale_rows = self._counter(_OWN + "stale_rows_total", "Rows of an older owner that a recovery ignored.")

    def _declare_checks(self) -> None:
        self.ticks = self._counter(_OWN + "ticks_total", "Price ticks read.")
        self.ticks_refused = self._counter(_OWN + "ticks_refused_total", "Price ticks refused.", "reason")
        self.mark_age_seconds = self._gauge(_OWN + "mark_age_seconds", "Age of the oldest mark that an open position rests on.")
        self.checks = self._counter(_OWN + "checks_total", "Margin checks made.", "cause")
        self.check_seconds = self._histogram(_OWN + "check_seconds", "One margin check.", _FAST_S)
        self.checks_waiting = self._gauge(_OWN + "checks_waiting", "Accounts waiting for a check.")
        self.verdicts = self._counter(_OWN + "verdicts_total", "Verdicts by the rung found.", "rung")
        self.margin_calls = self._counter(_OWN + "margin_calls_total", "Rung transitions by the rung entered.", "rung")
        self.venue_margin_calls = self._counter(_OWN + "venue_margin_calls_total", "Margin calls that venues sent.")

    def exposed(self) -> bytes:
        """What `/metrics` answers, in Prometheus' text format."""
        return generate_latest(self.registry)

    def _list(self, name: str, kind: Kind, text: str, labels: tuple[str, ...] = ()) -> None:
        self.listed += (Metric(name, kind, text, labels),)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        self._list(name, "counter", text, labels)
        return Counter(name, text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        self._list(name, "gauge", text, labels)
        return Gauge(name, text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets_s: tuple[float, ...]) -> Histogram:
        self._list(name, "histogram", text)
        return Histogram(name, text, registry=self.registry, buckets=buckets_s)


# A `_created` series beside each counter doubles the page and is named in no list.
disable_created_metrics()  # type: ignore[no-untyped-call]
METRICS = Metrics()
