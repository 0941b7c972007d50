"""Ids of topics: a broker gives a topic a new one each time it is created.

aiokafka 0.14 asks for metadata of version 5; ids came with version 10 (Kafka 2.8), so the message is told here.
"""

import uuid
from io import BytesIO
from typing import Any, ClassVar

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.abstract import AbstractType
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Boolean, CompactArray, CompactString, Int16, Int32, Schema, TaggedFields

TAGS = ("tags", TaggedFields)
Ids = dict[str, str]  # topic -> id, as hex

class _Uuid(AbstractType[uuid.UUID]):  # type: ignore[misc]  # aiokafka has no types
    @classmethod
    def encode(cls, value: uuid.UUID) -> bytes:
        return value.bytes

    @classmethod
    def decode(cls, data: BytesIO) -> uuid.UUID:
        return uuid.UUID(bytes=data.read(16))


class _Answer(Response):  # type: ignore[misc]  # aiokafka has no types
    API_KEY = 3
    API_VERSION = 12
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("brokers", CompactArray(("node_id", Int32), ("host", CompactString()), ("port", Int32), ("rack", CompactString()), TAGS)),
        ("cluster_id", CompactString()), ("controller_id", Int32),
        ("topics", CompactArray(
            ("error_code", Int16), ("name", CompactString()), ("topic_id", _Uuid), ("is_internal", Boolean),
            ("partitions", CompactArray(
                ("error_code", Int16), ("partition", Int32), ("leader", Int32), ("leader_epoch", Int32), ("replicas", CompactArray(Int32)),
                ("isr", CompactArray(Int32)), ("offline", CompactArray(Int32)), TAGS)),
            ("operations", Int32), TAGS)),
        TAGS)


class _Question(RequestStruct):  # type: ignore[misc]  # aiokafka has no types
    API_KEY = 3
    API_VERSION = 12
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _Answer
    SCHEMA = Schema(("topics", CompactArray(("topic_id", _Uuid), ("name", CompactString()), TAGS)), ("create", Boolean),
                    ("operations", Boolean), TAGS)


class _Metadata(Request[_Question]):  # type: ignore[misc]  # aiokafka has no types
    API_KEY: ClassVar[int] = 3

    def __init__(self, names: list[str]) -> None:
        self._names = names

    def build(self, request_struct_class: type[_Question]) -> _Question:
        return request_struct_class([(uuid.UUID(int=0), name, {}) for name in self._names], False, False, {})


async def topic_ids(bootstrap: str, names: list[str]) -> Ids:
    """Ids of the topics that are there."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=20_000)
    try:
        await admin.start()
        answer: Any = await admin._send_request(_Metadata(names))
    finally:
        await admin.close()
    return {name: found.hex for error, name, found, *_ in answer.topics if error == 0}
