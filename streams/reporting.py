"""Records of checks made, sent together: nobody waits for them, and a batch for every slice of checks costs more than the checks."""

import time

from streams.engine.ledger import Ledger

EVERY_S = 0.05
Records = dict[tuple[str, int], list[tuple[bytes, bytes | None]]]  # by topic and partition


class Reporting:
    """What is to be sent, and when it was last; a path that may drop."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._waiting: Records = {}
        self._sent_s = 0.0

    async def send(self, records: Records) -> None:
        """Takes these, and hands all that wait to the producer, once in `EVERY_S`."""
        for place, more in records.items():
            self._waiting.setdefault(place, []).extend(more)
        now_s = time.monotonic()
        if not self._waiting or now_s - self._sent_s < EVERY_S:
            return
        self._sent_s, waiting, self._waiting = now_s, self._waiting, {}
        for (topic, partition), found in waiting.items():
            await self._ledger.writer.send(topic, partition, found)
