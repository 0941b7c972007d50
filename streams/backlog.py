"""What lay on the topics when a partition was taken over: until it is folded nobody there is judged, a deposit may be behind the fill."""

from aiokafka.errors import IllegalStateError
from faust.types import TP

from streams.engine.ledger import Ledger

STILL_MS = 2_000  # fetched to the end and nothing more folded for so long: the rest holds no records (control, compacted)


class Backlog:
    """Partitions whose facts up to the takeover are not all folded, with the ends to reach by topic (None: not known yet)."""

    def __init__(self, accounts: Ledger) -> None:
        self._accounts = accounts
        self._ends: dict[int, dict[str, int | None]] = {}
        self._still: dict[int, tuple[list[int | None], int]] = {}  # positions, and since when (ms) they stand

    def __bool__(self) -> bool:
        return bool(self._ends)

    def __contains__(self, partition: int) -> bool:
        return partition in self._ends

    def begin(self, partition: int) -> None:
        """A partition was taken over: whatever the brokers hold by their first answer comes before any verdict."""
        self._ends[partition] = dict.fromkeys(self._accounts.sources)

    def drop(self, partition: int) -> None:
        """It is another's now."""
        self._ends.pop(partition, None)
        self._still.pop(partition, None)

    async def ended(self, now_ms: int) -> list[int]:
        """Partitions that are through since the last call."""
        found = []
        for number, ends in list(self._ends.items()):
            try:
                through = await self._through(number, ends, now_ms)
            except (AssertionError, IllegalStateError):  # aiokafka's words for "not assigned": a rebalance has begun
                break
            if through and self._ends.get(number) is ends:  # not taken over anew meanwhile
                self.drop(number)
                found.append(number)
        return found

    async def _through(self, number: int, ends: dict[str, int | None], now_ms: int) -> bool:
        part = self._accounts.parts.get(number)
        if part is None or not part.recovered:
            return False
        consumer = self._accounts.app.consumer
        for topic in [topic for topic, end in ends.items() if end is None]:
            ends[topic] = consumer.highwater(TP(topic, number))
        left = [topic for topic, end in ends.items() if end is None or (part.position[self._accounts.sources[topic]] or 0) < end]
        positions, since_ms = self._still.get(number, ([], now_ms))
        if positions != part.position:
            positions, since_ms = list(part.position), now_ms
        self._still[number] = positions, since_ms
        if left and now_ms - since_ms >= STILL_MS:
            left = [topic for topic in left if (end := ends[topic]) is None or ((await consumer.position(TP(topic, number))) or 0) < end]
        return not left
