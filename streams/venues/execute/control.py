"""What `control` pauses, followed from its beginning, and the breaker: an account that its venue calls for margin is paused, once."""

import logging

from aiokafka import AIOKafkaConsumer, TopicPartition
from google.protobuf.message import DecodeError

from agents.risk.world import Control, control_with, control_without
from schemas import engine_pb2 as pb
from schemas import names
from schemas.user_data_pb2 import DERIVED, UserDataMarginCallEvent
from streams.venues.execute.intake import started

log = logging.getLogger(__name__)
CALL_AGE_MS_MAX = 3_600_000  # an older call says nothing about now


class Controls:
    """`state` as of now; `read` is whether the topic was read to the end."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self.state, self.read = Control(), False

    async def follow(self) -> None:
        """Until cancelled."""
        consumer = await started(lambda: AIOKafkaConsumer(  # earliest: a reset that is under way may come after our own seek
            bootstrap_servers=self._bootstrap, enable_auto_commit=False, fetch_max_wait_ms=100, auto_offset_reset="earliest"))
        try:
            place = TopicPartition(names.CONTROL, 0)
            consumer.assign([place])
            await consumer.seek_to_beginning(place)
            end = (await consumer.end_offsets([place]))[place]
            while True:
                self.read = self.read or await consumer.position(place) >= end
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    for record in records:
                        self.take(record.key or b"", record.value, record.offset)
        finally:
            await consumer.stop()

    def take(self, key: bytes, value: bytes | None, offset: int) -> None:
        """One record of the topic."""
        try:
            if value is None:
                self.state = control_without(self.state, key.decode(), offset)
            else:
                self.state = control_with(self.state, pb.Control.FromString(value), offset)
        except (DecodeError, ValueError) as error:
            log.error("control offset=%d: expected a message, was %s", offset, type(error).__name__)

    def pause(self, event: UserDataMarginCallEvent, age_ms: int, now_ms: int) -> pb.Control | None:
        """The fact that pauses the account of a venue's own call, unless it is paused: to be `said`, once it is acknowledged."""
        meta = event.meta
        if meta.HasField("snapshot_end") or meta.source == DERIVED or age_ms > CALL_AGE_MS_MAX:
            return None
        scope = f"account:{meta.user_id}/{meta.account_id}"
        if scope in self.state.pauses:
            return None
        return pb.Control(scope=scope, action=pb.Control.PAUSE, actor="execute", time_ms=now_ms,
                          reason="the venue called for margin: it may liquidate by itself")

    def said(self, fact: pb.Control) -> None:
        """What we know is on the topic holds from now on, not when we read it."""
        self.state = control_with(self.state, fact, self.state.offset)
