"""What the executor counts, with alerts over it in `alerts.yml`; labels name venues and outcomes, never users."""

from prometheus_client import Counter, Gauge

EXECUTIONS = Counter("marginstream_executions", "Reports on steps of liquidations; dry_run: refused for that", ["venue", "status"])
PAUSES = Counter("marginstream_execution_pauses", "Accounts paused because their venue called for margin")
UNDER_WAY = Gauge("marginstream_executions_under_way", "Records taken and not done yet")
OLDEST = Gauge("marginstream_executions_oldest_seconds", "Since when the oldest of them is under way")
READY = Gauge("marginstream_execute_ready", "1 where partitions are owned and pauses are known, else 0")
