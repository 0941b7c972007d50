"""What the admin API counts, every name in one place; shown beside the names that all processes have."""

from prometheus_client import Counter, Gauge

from streams.ops.metrics import METRICS

OPERATIONS = Counter("marginstream_admin_operations", "Operations by function and HTTP status", ["function", "status"],
                     registry=METRICS.registry)
ALERTS = Counter("marginstream_alerts", "Attempts to deliver an alert, by kind and result", ["kind", "result"], registry=METRICS.registry)
AUDIT_SUCCESS = Gauge("marginstream_audit_last_success_timestamp_seconds", "When an audit last found nothing", ["audit"],
                      registry=METRICS.registry)
AUDIT_DIFFERENCES = Gauge("marginstream_audit_differences", "What the last audit found", ["audit"], registry=METRICS.registry)
OUTBOX_WAITING = Gauge("marginstream_outbox_waiting", "Admin facts that Kafka has not acknowledged", registry=METRICS.registry)
OUTBOX_OLDEST = Gauge("marginstream_outbox_oldest_seconds", "Age of the oldest of them", registry=METRICS.registry)
