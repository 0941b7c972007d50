"""What a mirror counts, every name in one place."""

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1, 2, 5, 10, 30, 60, 300)

LATENCY = Histogram("marginstream_mirror_latency_seconds", "From the broker's time of the causing fact to the mirror", ["mirror"],
                    buckets=_SECONDS)
HOP = Histogram("marginstream_mirror_hop_seconds", "From the state leaving the engine to the mirror", ["mirror"], buckets=_SECONDS)
RECORDS = Counter("marginstream_mirror_records", "Records consumed", ["mirror", "topic"])
UNREADABLE = Counter("marginstream_mirror_unreadable", "Records left out because they cannot be read or stored", ["mirror", "topic"])
WRITTEN = Counter("marginstream_mirror_written", "States the version guard accepted", ["mirror"])
REFUSED = Counter("marginstream_mirror_refused", "States the version guard refused: late or repeated", ["mirror"])
AWAY = Counter("marginstream_mirror_store_away", "Attempts that found the store away", ["mirror"])
CAUGHT_UP = Gauge("marginstream_mirror_last_commit_timestamp_seconds", "When offsets were last committed", ["mirror"])
