"""What `inject` takes and what it refuses, by line."""

import io

import pytest

from schemas import engine_pb2
from streams.config import Config
from streams.stack.inject import inject, read_line
from streams.stack.process import StackError
from streams.topics import BY_NAME

DELTAS = BY_NAME["wallet-deltas"]
TICKS = BY_NAME["price-ticks"]


def test_a_line_becomes_the_topics_message_under_the_users_key() -> None:
    line = '{"key": "123", "value": {"id": "d1", "amount": "10", "kind": "DEPOSIT", "time_ms": 5}}'
    key, value = read_line(line, DELTAS, "line 1", "live")
    assert key == b"live:123"
    message = engine_pb2.WalletDelta.FromString(value or b"")
    assert (message.id, message.amount, message.kind, message.time_ms) == ("d1", "10", engine_pb2.WalletDelta.DEPOSIT, 5)


def test_keys_that_are_no_users_stay_as_they_are() -> None:
    key, value = read_line('{"key": "house:EURUSD", "value": null}', TICKS, "line 1", "live")
    assert (key, value) == (b"house:EURUSD", None)


@pytest.mark.parametrize(("line", "says"), [
    ("x", "Expecting value"),
    ("3", 'expected {"key": text'),
    ("[]", 'expected {"key": text'),
    ('{"key": "1"}', 'expected {"key": text'),
    ('{"key": 1, "value": {}}', 'expected {"key": text'),
    ('{"key": "", "value": {}}', 'expected {"key": text'),
    ('{"key": "1", "value": {}, "more": 1}', 'expected {"key": text'),
    ('{"key": "a b", "value": {}}', "user: expected"),
    ('{"key": "1", "value": {"nope": 1}}', "nope"),
    ('{"key": "1", "value": 3}', 'expected {"key": text'),
])
def test_a_bad_line_is_refused_in_one_line(line: str, says: str) -> None:
    with pytest.raises(StackError) as refused:
        read_line(line, DELTAS, "line 7", "live")
    assert says in str(refused.value)
    assert str(refused.value).startswith("line 7")
    assert "\n" not in str(refused.value)


def test_an_unknown_topic_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(StackError, match=r"expected one of .*wallet-deltas.*, was 'nope'"):
        inject(Config(kafka_bootstrap="127.0.0.1:1"), "nope", io.StringIO())
