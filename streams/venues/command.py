"""`marginstream decode`: one raw private frame in, its events as JSON out; or a line of each."""

import json
from typing import BinaryIO, TextIO

from google.protobuf import json_format

from streams.venues.decode import normalise
from streams.venues.frames import Receipt, Unreadable

_ERROR_LENGTH_MAX = 500


def decode_one(venue: str, receipt: Receipt, source: BinaryIO, out: TextIO) -> int:
    """Decodes the whole of `source`, one frame. Raises `Unreadable`."""
    out.write(_decoded(venue, source.read(), receipt) + "\n")
    return 0


def decode_lines(venue: str, receipt: Receipt, source: BinaryIO, out: TextIO) -> int:
    """Decodes line by line, each the next one received; a bad line answers `{"error"}` and the status is 1 at the end."""
    status, seq = 0, receipt.receive_seq
    for line in source:
        if not line.strip():
            continue
        try:
            out.write(_decoded(venue, line, receipt._replace(receive_seq=seq)) + "\n")
        except Unreadable as error:
            out.write(json.dumps({"error": str(error)[:_ERROR_LENGTH_MAX]}) + "\n")
            status = 1
        seq += 1
        out.flush()
    return status


def _decoded(venue: str, frame: bytes, receipt: Receipt) -> str:
    """Without the white space around it: a frame on a line is the frame."""
    events = normalise(venue, frame.strip(), receipt).events
    return json.dumps([{"topic": event.topic, "key": receipt.user_key,
                        "event": json_format.MessageToDict(event.message, preserving_proto_field_name=True)} for event in events])
