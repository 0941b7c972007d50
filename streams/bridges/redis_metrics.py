"""What the Redis bridge counts beside its mirror: what came in by Redis, and figures written."""

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)

UPDATES = Counter("marginstream_margin_updates", "Messages of MARGIN_UPDATES: applied, repeated, refused, unreadable, lost", ["outcome"])
PRICES = Counter("marginstream_market_updates", "Market updates: sent, unchanged, late, refused, lost", ["outcome"])
PRICE_SECONDS = Histogram("marginstream_market_update_seconds", "From the channel's message to the tick that is sent", buckets=_SECONDS)
FEED = Counter("marginstream_market_feed", "Prices out: written, late, refused", ["outcome"])
LEASE = Gauge("marginstream_redis_lease", "1 where this bridge listens to the channels")
BREAKER = Gauge("marginstream_redis_breaker_open", "1 while Redis stays away and is only asked whether it is back")
FIGURES = Counter("marginstream_portfolio_figures", "Figures of users: written, late", ["outcome"])
