"""Recorded topics on disk: one compressed file a topic and partition, and a manifest that says what must be in them.

A frame is offset and timestamp (int64), lengths of key and value (int32, -1: null), key, value; little endian, gzip around all.
"""

import gzip
import hashlib
import heapq
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from streams import topics
from streams.config import Config
from streams.stack.process import StackError

MANIFEST = "manifest.json"
FORMAT = 1
_HEADER = struct.Struct("<qqii")
_LENGTH_MAX = 16 * 1_048_576
_SETTINGS = ("partitions", "default_user_type", "settle_ms_max", "report_ms_max", "gap_held_max", "mark_stale_ms", "cooldown_ms",
             "row_bytes_max")  # what a fold or a check depends on
Say = Callable[[int], object]  # told how many more records or bytes are through


class BadRecording(StackError):
    """A recording that is not as it was written."""


class Recorded(NamedTuple):
    """A record as it lay in a topic; `timestamp` in ms."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None

    @property
    def user(self) -> str:
        return (self.key or b"").decode(errors="replace")


class File(msgspec.Struct, frozen=True):
    """Offsets `first` to `end` (exclusive) of one partition, as many of them as were records; `digest` of the file's bytes."""

    name: str
    topic: str
    partition: int
    first: int
    end: int
    records: int
    digest: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What was recorded, from when (ms; None: from the log's beginning) until when (None: its end), and with what settings."""

    format: int = FORMAT
    app_id: str
    generation: int
    version: str
    from_ms: int | None = None
    to_ms: int | None = None
    settings: dict[str, int | str]
    account_sources: tuple[str, ...] = topics.ACCOUNT_SOURCES  # in the order of the fences of exported rows
    order_sources: tuple[str, ...] = topics.ORDER_SOURCES
    files: tuple[File, ...] = ()
    rows: tuple[File, ...] = ()  # of the ledgers, as the changelogs had them
    digest: str = ""

    @property
    def config(self) -> Config:
        """The settings that folds and checks had."""
        return msgspec.convert({"app_id": self.app_id, "generation": self.generation, **self.settings}, Config)


def settings_of(config: Config) -> dict[str, int | str]:
    """What a recording must remember of the settings."""
    return {name: getattr(config, name) for name in _SETTINGS}


class FileWriter:
    """One file being written."""

    def __init__(self, folder: Path, topic: str, partition: int) -> None:
        self.topic, self.partition, self.records = topic, partition, 0
        self.path = folder / f"{topic}.{partition}.gz"
        self._raw = self.path.open("wb")
        self._out = gzip.GzipFile(filename="", mode="wb", compresslevel=3, fileobj=self._raw, mtime=0)

    def write(self, record: Recorded) -> None:
        """Appends a record; offsets must rise."""
        key, value = record.key, record.value
        sizes = (-1 if key is None else len(key), -1 if value is None else len(value))
        self._out.write(_HEADER.pack(record.offset, record.timestamp, *sizes) + (key or b"") + (value or b""))
        self.records += 1

    def close(self, first: int, end: int) -> File:
        """Ends the file; what the manifest says of it."""
        self._out.close()
        self._raw.close()
        return File(self.path.name, self.topic, self.partition, first, end, self.records, _digest(self.path))


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """The last file of a recording: without it there is none."""
    sealed = msgspec.structs.replace(manifest, digest=_seal(manifest))
    (folder / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(sealed), indent=1))


class Recording:
    """A folder that was recorded. Raises `BadRecording` where a byte of it is not as it was written."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.manifest = folder, _manifest(folder / MANIFEST)
        for file in (*self.manifest.files, *self.manifest.rows):
            found = _digest(folder / file.name)
            if found != file.digest:
                raise BadRecording(f"{folder / file.name}: expected digest {file.digest}, was {found}")

    def files(self, names: Iterable[str]) -> list[File]:
        """The files of some topics."""
        wanted = set(names)
        return [file for file in self.manifest.files if file.topic in wanted]

    def read(self, file: File) -> Iterator[Recorded]:
        """The records of one file in the order of their offsets."""
        path, count, last = self.folder / file.name, 0, file.first - 1
        try:
            with gzip.open(path, "rb") as frames:
                while header := frames.read(_HEADER.size):
                    record = _frame(file, header, frames.read)
                    if not last < record.offset < file.end:
                        raise BadRecording(f"{path}: expected an offset of {last + 1} to {file.end - 1}, was {record.offset}")
                    last, count = record.offset, count + 1
                    yield record
        except (OSError, EOFError, zlib.error, struct.error) as error:
            raise BadRecording(f"{path}: expected the frames that were recorded, was {error}") from None
        if count != file.records:
            raise BadRecording(f"{path}: expected {file.records} records, was {count}")

    def merged(self, files: Sequence[File]) -> Iterator[tuple[int, Recorded]]:
        """(time in ms, record) of several files in the order of time; ties by topic, partition and offset. One record of each is held."""
        for at, _, _, _, record in heapq.merge(*(self._timed(file) for file in files)):
            yield at, record

    def _timed(self, file: File) -> Iterator[tuple[int, str, int, int, Recorded]]:
        """Time never goes back within a partition: its order is the log's, whatever clock stamped it."""
        at = 0
        for record in self.read(file):
            at = max(at, record.timestamp)
            yield at, record.topic, record.partition, record.offset, record


def _frame(file: File, header: bytes, read: Callable[[int], bytes]) -> Recorded:
    offset, timestamp, key_size, value_size = _HEADER.unpack(header)
    if not (-1 <= key_size <= _LENGTH_MAX and -1 <= value_size <= _LENGTH_MAX):
        raise BadRecording(f"{file.name}: expected lengths up to {_LENGTH_MAX}, was {key_size} and {value_size}")
    key, value = (None if size < 0 else read(size) if size else b"" for size in (key_size, value_size))
    if len(key or b"") != max(key_size, 0) or len(value or b"") != max(value_size, 0):
        raise BadRecording(f"{file.name}: expected a whole frame at offset {offset}, was its beginning")
    return Recorded(file.topic, file.partition, offset, timestamp, key, value)


def _manifest(path: Path) -> Manifest:
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Manifest)
        names = [file.name for file in (*found.files, *found.rows)]
        config = found.config
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRecording(f"{path}: expected the manifest of a recording, was {error}") from None
    if found.format != FORMAT:
        raise BadRecording(f"{path}: expected format {FORMAT}, was {found.format}")
    if found.digest != _seal(found):
        raise BadRecording(f"{path}: expected digest {found.digest}, was {_seal(found)}")
    if bad := [name for name in names if Path(name).name != name]:
        raise BadRecording(f"{path}: expected names of files beside it, was {bad[0]!r}")
    del config  # it could be made
    return found


def _seal(manifest: Manifest) -> str:
    """Digest of the manifest without its own."""
    return hashlib.blake2b(msgspec.json.encode(msgspec.structs.replace(manifest, digest="")), digest_size=16).hexdigest()


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except OSError as error:
        raise BadRecording(f"{path}: expected a recorded file, was {error.strerror}") from None
