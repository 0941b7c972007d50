"""Poison: what cannot be read says why, and whom it leaves in doubt."""

from typing import NamedTuple

import pytest
from google.protobuf.message import Message

from schemas import engine_pb2 as pb
from schemas import names
from schemas import user_data_pb2 as ud
from schemas.keys import partition_of
from tables.fields import _CHECKS
from tables.messages import MESSAGES
from tables.read import Unreadable, read
from tables.rows import Fact
from tests.tables.facts import USER, balance, delta, house_fill, meta, order, position, update

PARTITIONS = 4
KEY = USER.encode()


class Record(NamedTuple):
    value: bytes | None
    key: bytes | None = KEY
    partition: int = partition_of(KEY, PARTITIONS)
    offset: int = 9
    timestamp: int = 77


def reading(record: Record, topic: str = names.WALLET_DELTAS) -> Fact | Unreadable:
    return read(record, topic, PARTITIONS, "live")


def refusal(record: Record, topic: str = names.WALLET_DELTAS) -> Unreadable:
    found = reading(record, topic)
    assert isinstance(found, Unreadable)
    letter = pb.DeadLetter.FromString(found.dead_letter.value)
    assert (found.dead_letter.topic, letter.topic, letter.offset, letter.time_ms) == (names.DEAD_LETTERS, topic, 9, 77)
    assert letter.error == found.error
    assert found.error.startswith(f"{topic}[{record.partition}]@9: ")
    return found


GOOD = delta(1).value


def test_a_good_record_is_a_fact() -> None:
    found = reading(Record(GOOD))
    assert isinstance(found, Fact)
    assert (found.topic, found.offset, found.time_ms, found.user, found.value) == (names.WALLET_DELTAS, 9, 77, USER, GOOD)
    assert isinstance(found.message, pb.WalletDelta)


WRONG = (partition_of(KEY, PARTITIONS) + 1) % PARTITIONS


@pytest.mark.parametrize(
    ("record", "user", "error"),
    [
        (Record(GOOD, key=None), None, "key: expected a user 'type:id', was none"),
        (Record(GOOD, key=b""), None, "was none"),
        (Record(GOOD, key=b"\xff\xfe"), None, "expected a user"),
        (Record(GOOD, key=b"1"), None, "expected a user 'type:id', was 1"),
        (Record(GOOD, key=b"a b"), None, "expected a user"),
        (Record(GOOD, partition=WRONG), None, f"expected {partition_of(KEY, PARTITIONS)}, was {WRONG}"),
        (Record(None), USER, "expected 1 to 262144 bytes, was 0"),
        (Record(b"\x0a\xff\xff garbage"), USER, "expected a message of wallet-deltas"),
        (Record(b"x" * 300_000), USER, "was 300000"),
        (Record(pb.PriceTick(instrument="house:EURUSD", bid="1.1").SerializeToString()), USER, "user_id: expected 'live:1'"),
        (Record(delta(1, user_id="demo:1").value), USER, "user_id: expected 'live:1' as the key says, was 'demo:1'"),
        (Record(delta(1, user_id="2").value), USER, "was '2'"),
        (Record(delta(1, note="x" * 5_000).value), USER, "note: expected at most 4096 bytes, was 5000"),
    ],
)
def test_what_has_no_row_and_what_has(record: Record, user: str | None, error: str) -> None:
    found = refusal(record)
    assert found.user == user
    assert error.replace("'", "") in found.error.replace("'", "")


def test_an_untyped_user_id_gets_the_default_type() -> None:
    assert isinstance(reading(Record(delta(1, user_id="1").value)), Fact)


BAD_NUMBERS = ["NaN", "inf", "-Infinity", "1,5", "0x10", "1e99", "١٢", " 1", "1" * 61, "--1"]


@pytest.mark.parametrize("number", BAD_NUMBERS)
def test_bad_numbers_in_every_kind(number: str) -> None:
    for one, field in [(delta(1, number), "amount"), (balance(number, meta(1)), "wallet_balance"), (position(number, meta(1)), "amount"),
                       (order("1", 1, meta(1), price=number), "price"), (house_fill(1, "1", number), "fill.price"),
                       (position("1", meta(1), isolated_wallet=number), "isolated_wallet"),
                       (update(profile=pb.AccountUpdate.Profile(leverage=number)), "profile.leverage")]:
        found = refusal(Record(one.value), one.topic)
        assert f"{field}: expected a" in found.error


@pytest.mark.parametrize(
    ("one", "account", "error"),
    [
        (delta(1, asset=""), "house", "asset: expected a value, was none"),
        (delta(1, account_id=""), "", "account_id: expected a value"),
        (delta(None, id=""), "house", "id: expected a value"),
        (delta(1, source=""), "house", "source: expected a value"),
        (delta(0), "house", "sequence: expected 1 or more"),
        (update(""), "", "id: expected a value"),
        (balance("1", meta(1, account_id="")), "", "meta.account_id"),
        (balance("1", meta(1, exchange=0)), "bn", "meta.exchange"),
        (balance("1", meta(1, 2, 2)), "bn", "meta.part_index: expected below 2, was 2"),
        (position("", meta(1)), "bn", "amount: expected a value"),
        (position("1", meta(1), symbol=""), "bn", "symbol: expected a value"),
        (position("1", meta(1), entry_price="-5"), "bn", "entry_price: expected a price of 0 or more, was '-5'"),
        (order("", 1, meta(1)), "bn", "order_id: expected"),
        (house_fill(1, "1", "-1"), "house", "fill.price: expected a number above 0, was '-1'"),
        (house_fill(1, "0", "1"), "house", "fill.qty: expected a number above 0"),
    ],
)
def test_missing_and_impossible_fields(one: Fact, account: str, error: str) -> None:
    found = refusal(Record(one.value), one.topic)
    assert error in found.error
    assert (found.user, found.account_id) == (USER, account)


def test_values_of_tomorrow_are_read() -> None:
    for one in (delta(1, kind=99), position("1", meta(1, exchange=44), position_side=9, margin_mode=9), order("1", 55, meta(1))):
        assert isinstance(reading(Record(one.value), one.topic), Fact)
    unknown_field = GOOD + b"\xfa\x3f\x03new"  # field 1023
    assert isinstance(reading(Record(unknown_field)), Fact)


def test_an_empty_text_is_no_number_and_no_error() -> None:
    assert isinstance(reading(Record(order("1", 1, meta(1), price="").value), names.ORDER_UPDATES), Fact)


def test_long_texts_are_found_however_deep() -> None:
    deep = order("1", 1, meta(1))
    assert isinstance(deep.message, ud.UserDataOrderUpdateEvent)
    deep.message.meta.extra["k"] = "x" * 5_000
    assert "meta.extra: expected at most" in refusal(Record(deep.message.SerializeToString()), names.ORDER_UPDATES).error
    deep.message.meta.extra["k"] = "x"
    deep.message.meta.raw_payload = b"x" * 50_000  # bytes are no text
    assert isinstance(reading(Record(deep.message.SerializeToString()), names.ORDER_UPDATES), Fact)


def test_a_snapshots_end_needs_identity_alone() -> None:
    about = meta(1, snapshot_id="x", snapshot_end=ud.SnapshotEnd())
    for topic, kind in MESSAGES.items():
        if topic.startswith("user-data"):
            message: Message = kind(meta=about)
            assert isinstance(reading(Record(message.SerializeToString()), topic), Fact)
            nameless: Message = kind(meta=meta(1, snapshot_end=ud.SnapshotEnd()))
            assert "snapshot_id" in refusal(Record(nameless.SerializeToString()), topic).error


def test_every_topic_has_its_checks() -> None:
    assert set(_CHECKS) == set(MESSAGES)
