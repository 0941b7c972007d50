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


@pytest.mark.parametrize(("topic", "value", "said"), [
    ("wallet-deltas", '{"id": "d1"}', "live:123"),
    ("wallet-deltas", '{"id": "d1", "user_id": "123"}', "123"),
    ("wallet-deltas", '{"id": "d1", "user_id": "live:9"}', "live:9"),
    ("user-data-balance-updates", '{"asset": "USDT"}', "live:123"),
    ("user-data-balance-updates", '{"meta": {"user_id": "live:9"}}', "live:9"),
])
def test_the_key_names_the_user_where_the_message_does_not(topic: str, value: str, said: str) -> None:
    _, found = read_line(f'{{"key": "123", "value": {value}}}', BY_NAME[topic], "line 1", "live")
    message = BY_NAME[topic].message.FromString(found or b"")  # type: ignore[attr-defined]
    assert getattr(message, "meta", message).user_id == said


def test_every_user_keyed_message_has_a_user() -> None:
    for topic in BY_NAME.values():
        if topic.key == "user":
            assert read_line('{"key": "1", "value": {}}', topic, "line 1", "live")[1], topic.name


@pytest.mark.parametrize(("line", "says"), [
    ("x", "expected JSON"),
    ("[" * 100_000, "expected JSON nested less deeply"),
    ('{"key": "1", "value": ' + '{"kind":' * 100_000, "expected JSON nested less deeply"),
    ('{"key": "1", "key": "2", "value": {}}', "key: expected once, was repeated"),
    ('{"key": "1", "value": {"id": "a", "id": "b"}}', "id: expected once, was repeated"),
    ('{"key": "\\ud800", "value": {}}', "surrogates not allowed"),
    ('{"key": "1", "value": {"id": "\\ud800"}}', "id"),
    ('{"key": "1", "value": {"kind": "NOPE"}}', "Invalid enum value NOPE"),
    ('{"key": "1", "value": {"amount": 5}}', "amount"),
    ('{"key": "1", "value": {"time_ms": NaN}}', "time_ms"),
    ('{"key": "1", "value": {"time_ms": 1' + "0" * 5_000 + "}}", "time_ms"),
    ('{"key": "1", "value": {"id": "d1"', "expected JSON"),
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


@pytest.mark.parametrize(("key", "action", "says"), [
    ("global", "PAUSE", ""),
    ("global", "RESUME", ""),
    ("check:global", "CHECK", ""),
    ("global", "CHECK", "key: expected 'check:global' for this action and scope, was 'global'"),  # its pause was gone after compaction
    ("check:global", "PAUSE", "key: expected 'global'"),
    ("venue:okx_v5", "PAUSE", "key: expected 'global'"),
])
def test_control_stands_under_its_scope_and_a_check_under_a_key_of_its_own(key: str, action: str, says: str) -> None:
    line = f'{{"key": "{key}", "value": {{"scope": "global", "action": "{action}"}}}}'
    if not says:
        assert read_line(line, BY_NAME["control"], "line 1", "live")[0] == key.encode()
        return
    with pytest.raises(StackError) as caught:
        read_line(line, BY_NAME["control"], "line 1", "live")
    assert says in str(caught.value)


def test_an_unknown_topic_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(StackError, match=r"expected one of .*wallet-deltas.*, was 'nope'"):
        inject(Config(kafka_bootstrap="127.0.0.1:1"), "nope", io.StringIO())
