"""The watchdog: says when there is lag and nothing was committed for too long, the way silent consumers die."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import NamedTuple

log = logging.getLogger(__name__)


class Sample(NamedTuple):
    """`now_s` of a monotonic clock; `lag` in records and `committed` offsets summed over the owned partitions."""

    now_s: float
    lag: int
    committed: int


class Watchdog:
    """Judges samples; pure, the clock comes with them."""

    def __init__(self, limit_s: float) -> None:
        if limit_s <= 0:
            raise ValueError(f"limit_s: expected a number above 0, was {limit_s}")
        self.limit_s = limit_s
        self._since: Sample | None = None
        self._last_s = 0.0

    def judge(self, sample: Sample) -> str | None:
        """A message where lag lasted for `limit_s` with no committed offset moved, else None; repeated once per `limit_s`."""
        since, self._since = self._since, sample
        # A pause of the whole process (suspend, SIGSTOP) is no proof against the consumer: it could not run either.
        paused, self._last_s = sample.now_s - self._last_s > self.limit_s / 2, sample.now_s
        # Any change counts, downwards too: after a rebalance the sum is over other partitions.
        if since is None or paused or sample.lag <= 0 or sample.committed != since.committed:
            return None
        waited_s = sample.now_s - since.now_s
        if waited_s < self.limit_s:
            self._since = since
            return None
        return (f"stuck: expected committed offsets to move within {self.limit_s:g} s, "
                f"was {sample.committed} for {waited_s:.1f} s with lag {sample.lag}")


async def watch(sample: Callable[[], Awaitable[Sample]], stuck: Callable[[str], Awaitable[None]], interval_s: float,
                limit_s: float = 30.0) -> None:
    """Samples every `interval_s` until cancelled and tells `stuck`; a sample that does not come within `limit_s` is stuck too."""
    if not 0 < interval_s <= limit_s / 4:
        raise ValueError(f"interval_s: expected above 0 and at most a quarter of the limit, {limit_s / 4:g}, was {interval_s:g}")
    watchdog = Watchdog(limit_s)
    while True:
        try:
            message = watchdog.judge(await asyncio.wait_for(sample(), limit_s))
        except TimeoutError:
            message = f"stuck: expected a sample within {limit_s:g} s, was none"
        except Exception:  # a watchdog that died would say nothing for ever
            log.exception("no sample taken")
            message = None
        if message:
            await stuck(message)
        await asyncio.sleep(interval_s)
