"""What the ingestion process says of itself on its pages."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import NamedTuple

from schemas import names
from streams.venues.publisher import Publisher
from streams.venues.reader import Reader


class Page(NamedTuple):
    """What is shown."""

    worker: str
    readers: Mapping[tuple[str, str], Reader]
    publisher: Publisher
    loaded: Callable[[], bool]
    past: Counter[str]

    @property
    def ready(self) -> bool:
        """The accounts are known and Kafka takes facts: by what is, now."""
        return self.loaded() and self.publisher.up

    def health(self) -> dict[str, object]:
        """Counts are those since the start, of accounts that are read no more, too."""
        readers = list(self.readers.values())
        live = sum(reader.session.ready for reader in readers)

        def total(topic: str) -> int:
            return self.past[topic] + sum(reader.counts[topic] for reader in readers)

        return {"status": "ok" if self.ready and live == len(readers) else "degraded", "worker": self.worker, "kafka": self.publisher.up,
                "waiting": self.publisher.waiting, "activeConnections": live, "totalReconnects": total("reconnects"),
                "messagesReceived": total("frames"), "orderUpdates": total(names.ORDER_UPDATES),
                "positionUpdates": total(names.POSITION_UPDATES), "balanceUpdates": total(names.BALANCE_UPDATES),
                "marginCalls": total(names.VENUE_MARGIN_CALLS), "accounts": [reader.shown() for reader in readers]}
