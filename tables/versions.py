"""Which of two facts about the same thing is newer."""

from schemas.user_data_pb2 import EventMeta
from tables.rows import Version


def version_of(meta: EventMeta) -> Version:
    """The version a fact carries. A snapshot row without a time of its own has none: order of arrival decides then."""
    snapshot = bool(meta.snapshot_id)
    time_ms = meta.transaction_time_ms or meta.event_time_ms
    if not time_ms and not snapshot:
        time_ms = meta.receive_time_ns // 1_000_000
    return Version(meta.lease_epoch, meta.connection_epoch, meta.receive_seq, meta.part_index, time_ms, snapshot)


def newer(version: Version, than: Version | None) -> bool:
    """Order of arrival; the venue's transaction time goes first only between a REST row and a stream fact."""
    if than is None:
        return True
    if version.snapshot != than.snapshot and version.time_ms and than.time_ms and version.time_ms != than.time_ms:
        return version.time_ms > than.time_ms
    return version[:4] > than[:4]
