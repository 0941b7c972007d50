"""What ingestion counts, every name in one place; labels name venues and kinds, never users or keys."""

from prometheus_client import Counter, Gauge

FACTS = Counter("marginstream_ingest_facts", "Facts handed to Kafka", ["venue", "topic"])
REPORTS = Counter("marginstream_ingest_reports", "What sessions reported: connects, losses, resyncs, failed renewals", ["venue", "kind"])
SESSIONS = Gauge("marginstream_ingest_sessions", "Sessions by state", ["state"])
WAITING = Gauge("marginstream_ingest_waiting", "Facts not yet acknowledged by Kafka")
