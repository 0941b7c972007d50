"""What the executor counts; labels name venues and outcomes, never users."""

from prometheus_client import Counter, Gauge

EXECUTIONS = Counter("marginstream_executions", "Reports on steps of liquidations", ["venue", "status"])
PAUSES = Counter("marginstream_execution_pauses", "Accounts paused because their venue called for margin")
UNDER_WAY = Gauge("marginstream_executions_under_way", "Records taken and not done yet")
