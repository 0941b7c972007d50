"""Changelog and source records made by hand, for tests without a broker."""

from typing import NamedTuple

from schemas import engine_pb2 as pb
from streams.engine.rows import CLAIM, SENT


class Record(NamedTuple):
    offset: int
    key: bytes
    value: bytes | None


def row(offset: int, key: bytes, epoch: int, state: bytes = b"") -> Record:
    """A row that the owner with this epoch wrote."""
    return Record(offset, key, pb.LedgerRow(epoch=epoch, state=state, positions=[1]).SerializeToString())


def claim(offset: int) -> Record:
    return Record(offset, CLAIM, b"")


def sent(offset: int, epoch: int) -> Record:
    return Record(offset, SENT, epoch.to_bytes(8, "big"))
