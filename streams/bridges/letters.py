"""Dead letters of a mirror: what it left out, where that lies and why."""

import asyncio
import logging
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from aiokafka import AIOKafkaProducer

from schemas.engine_pb2 import DeadLetter
from streams import topics
from streams.bridges import metrics
from tables import read

log = logging.getLogger(__name__)
_KEY_BYTES_MAX, _VALUE_BYTES_MAX, _ERROR_MAX = 1_024, 65_536, 500


class Record(read.Record, Protocol):
    """What a handler sees of a record; the client's own record has these and more."""

    @property
    def topic(self) -> str: ...


class LeftOut(NamedTuple):
    """A record that is not in the mirror, and why."""

    record: Record
    error: Exception


def letter_of(mirror: str, left: LeftOut) -> bytes:
    """A `DeadLetter`: a pure function of mirror, record and error, so that one sent again has the same bytes."""
    record, error = left
    said = f"{mirror}: {record.topic}[{record.partition}]@{record.offset}: {type(error).__name__}: {error}"
    return DeadLetter(topic=record.topic, partition=record.partition, offset=record.offset, key=(record.key or b"")[:_KEY_BYTES_MAX],
                      value=(record.value or b"")[:_VALUE_BYTES_MAX], error=said[:_ERROR_MAX], time_ms=record.timestamp).SerializeToString()


class Letters:
    """Sends the dead letters of one mirror; the producer starts with the first one."""

    def __init__(self, bootstrap: str, mirror: str) -> None:
        self._bootstrap, self._mirror = bootstrap, mirror
        self._producer: AIOKafkaProducer | None = None

    async def send(self, left_out: Sequence[LeftOut]) -> None:
        """Returns when all are acknowledged, under the record's key, in its partition. Raises `KafkaError`: all may be sent again."""
        if not left_out:
            return
        producer = await self._started()
        sent = [await producer.send(topics.DEAD_LETTERS, letter_of(self._mirror, left), left.record.key, left.record.partition)
                for left in left_out]
        await asyncio.gather(*sent)
        for record, error in left_out:
            metrics.UNREADABLE.labels(self._mirror, record.topic).inc()
            log.error("%s: left out %s[%s]@%s key %r: %s: %s", self._mirror, record.topic, record.partition, record.offset, record.key,
                      type(error).__name__, error)

    async def _started(self) -> AIOKafkaProducer:
        if self._producer is None:
            producer = AIOKafkaProducer(bootstrap_servers=self._bootstrap, acks="all", enable_idempotence=True)
            await producer.start()
            self._producer = producer
        return self._producer

    async def close(self) -> None:
        """Lets the producer go."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()
