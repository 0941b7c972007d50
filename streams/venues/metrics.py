"""What ingestion counts, every name in one place; labels name venues and kinds, never users or keys."""

from prometheus_client import Counter, Gauge

FACTS = Counter("marginstream_ingest_facts", "Facts handed to Kafka", ["venue", "topic"])
REPORTS = Counter("marginstream_ingest_reports", "What sessions reported: connects, losses, resyncs, failed renewals", ["venue", "kind"])
SESSIONS = Gauge("marginstream_ingest_sessions", "Sessions by state", ["state"])
WAITING = Gauge("marginstream_ingest_waiting", "Facts not yet acknowledged by Kafka")
TICKS = Counter("marginstream_ingest_ticks", "Ticks of market data handed to Kafka's queue", ["venue"])
TICKS_REFUSED = Counter("marginstream_ingest_ticks_refused", "Prices that cannot be, and frames nobody could read", ["venue", "reason"])
TICKS_DROPPED = Counter("marginstream_ingest_ticks_dropped", "Ticks that did not go: a newer one did, or there was no room", ["reason"])
POLLS = Counter("marginstream_ingest_polls", "Accounts compared with REST", ["venue", "outcome"])
ANOMALIES = Counter("marginstream_ingest_anomalies", "What the position monitor told", ["venue", "kind"])
