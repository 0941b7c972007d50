"""Golden bytes: a record written by the first release stays readable, field by field."""

import json
from pathlib import Path

import pytest
from google.protobuf.descriptor import Descriptor
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from schemas import engine_pb2, user_data_pb2

GOLDEN: dict[str, dict[str, object]] = json.loads((Path(__file__).parent / "golden.json").read_text())


def kinds() -> dict[str, Descriptor]:
    """Every message of both files, nested ones too, by full name."""
    found: dict[str, Descriptor] = {}
    waiting = [*engine_pb2.DESCRIPTOR.message_types_by_name.values(), *user_data_pb2.DESCRIPTOR.message_types_by_name.values()]
    while waiting:
        one = waiting.pop()
        if not one.GetOptions().map_entry:
            found[one.full_name] = one
            waiting += one.nested_types
    return found


KINDS = kinds()


def parsed(name: str) -> Message:
    message = GetMessageClass(KINDS[name])()
    message.ParseFromString(bytes.fromhex(str(GOLDEN[name]["hex"])))
    return message


def test_every_message_has_golden_bytes() -> None:
    assert sorted(GOLDEN) == sorted(KINDS)


@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_old_bytes_say_what_they_said(name: str) -> None:
    message = parsed(name)
    assert MessageToDict(message, preserving_proto_field_name=True, use_integers_for_enums=True) == GOLDEN[name]["says"]
    assert message.SerializeToString(deterministic=True).hex() == GOLDEN[name]["hex"]


@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_every_field_of_the_time_is_in_the_bytes(name: str) -> None:
    """One member of each oneof, all of the rest; a field added later needs no golden, but none of these may go or move."""
    numbers = GOLDEN[name]["numbers"]
    assert isinstance(numbers, dict)
    assert {field: KINDS[name].fields_by_name[field].number for field in numbers} == numbers
