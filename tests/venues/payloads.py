"""Frames and answers that nobody on this project wrote, read beside the checkout; how their facts look in our messages."""

import copy
import json
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, NamedTuple

from google.protobuf import json_format

from streams.venues.decode import normalise
from streams.venues.frames import Event, Receipt

PAYLOADS = Path(__file__).parents[2] / ".." / "shared" / "payloads"
MISSING = f"no payloads beside the checkout ({PAYLOADS})"
FOLDERS: Mapping[str, str] = {"binance-usdm": "binance_usdm", "bybit": "bybit_v5", "okx": "okx_v5", "kucoin-futures": "kucoin_futures"}
RECEIPT = Receipt("live:1", "a1", lease_epoch=3, connection_epoch=2, receive_seq=7, received_ns=1_700_000_000_000_000_000)
Payload = dict[str, Any]


class Sample(NamedTuple):
    """One file."""

    name: str
    venue: str
    frames: list[Payload]
    expected: Payload


def files(folder: str) -> list[Path]:
    return sorted((PAYLOADS / folder).glob("*.json"))


def samples() -> list[Sample]:
    """Every private frame; a SEQUENCE file has several."""
    return [_sample(path, venue) for folder, venue in FOLDERS.items() for path in files(folder)]


def payload(folder: str, name: str) -> Any:
    return json.loads((PAYLOADS / folder / name).read_text())["payload"]


def raw(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def events(venue: str, frame: Payload, receipt: Receipt = RECEIPT) -> tuple[Event, ...]:
    return normalise(venue, raw(frame), receipt).events


def changed(frame: Payload, path: str, value: object) -> Payload:
    """The frame with one place changed; `...` as the value takes it away."""
    found: Any = copy.deepcopy(frame)
    *way, last = path.split(".")
    holder = found
    for name in way:
        holder = holder[int(name)] if isinstance(holder, list) else holder[name]
    if value is ...:
        del holder[last]
    else:
        holder[int(last) if isinstance(holder, list) else last] = value
    return dict(found)


def said(event: Event) -> Payload:
    """The message as JSON, without its raw payload."""
    found = json_format.MessageToDict(event.message, preserving_proto_field_name=True)
    found.get("meta", {}).pop("raw_payload", None)
    return dict(found)


def texts(value: object) -> Iterator[str]:
    """Every scalar of a JSON value as text."""
    if isinstance(value, dict):
        for one in value.values():
            yield from texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from texts(one)
    elif value is not None and value != "":
        yield str(value).lower() if isinstance(value, bool) else str(value)


def same(left: str, right: str) -> bool:
    """Equal as text in any case, else as numbers of either sign: fees of OKX and short legs are flipped; ns and us are told in ms."""
    if left.lower() == right.lower():
        return True
    try:
        a, b = abs(Decimal(left)), abs(Decimal(right))
    except InvalidOperation:
        return False
    return a == b or (b > 10**14 and a in (b // 1_000, b // 1_000_000))


def _sample(path: Path, venue: str) -> Sample:
    found = json.loads(path.read_text())
    frames = found["payload"] if isinstance(found["payload"], list) else [found["payload"]]
    return Sample(path.stem, venue, frames, found.get("expected") or {})
