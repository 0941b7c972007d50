"""The matrix: every kind of fact x everything that can be wrong with its delivery, and what happens."""

from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from msgspec.structs import replace

from schemas import engine_pb2 as pb
from schemas import names
from streams.topics import ACCOUNT_SOURCES
from tables.accounts import doubts
from tables.messages import MESSAGES
from tables.rows import Fact
from tests.scenarios.engine import HOME, KEY, Engine
from tests.scenarios.kinds import KINDS, Kind, started
from tests.streams_checks.desk import PARTITIONS
from tests.tables.facts import VENUE, balance, delta, meta, position

LAST_END = KINDS[f"{names.ORDER_UPDATES}/snapshot_end"]  # the row of orders remembers only the last snapshot that ended
each_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))


def after(*facts: Fact) -> tuple[object, Engine]:
    """The state of both rows after these facts, and the engine."""
    engine = started()
    engine.deliver(*facts)
    return engine.state(), engine


# ---- the matrix is complete


def test_every_source_and_every_kind_of_its_oneofs_is_in_the_matrix() -> None:
    """A kind added to a schema fails here until what happens to it is said above."""
    expected = set()
    for topic, message in MESSAGES.items():
        kinds = [field.name for oneof in message.DESCRIPTOR.oneofs if not oneof.name.startswith("_") for field in oneof.fields]
        expected |= {f"{topic}/{name}" for name in kinds}
        if topic.startswith("user-data"):
            expected.add(f"{topic}/snapshot_end")
    expected |= {f"{names.WALLET_DELTAS}/{name.lower()}" for name in pb.WalletDelta.Kind.keys()}  # noqa: SIM118  # protobuf's own
    assert expected <= set(KINDS)
    assert {name.partition("/")[0] for name in KINDS} == set(ACCOUNT_SOURCES)


@each_kind
def test_both_facts_of_a_kind_tell_something(kind: Kind) -> None:
    """Else the matrix would prove nothing."""
    start, one, both = started(), started(), started()
    one.deliver(kind.older)
    both.deliver(kind.older, kind.newer)
    assert start.state() != one.state() != both.state()
    only_ends_a_doubt = (KINDS[f"{names.VENUE_MARGIN_CALLS}/snapshot_end"], KINDS[f"{names.ACCOUNT_CONFIG}/snapshot_end"])
    assert kind in only_ends_a_doubt or not kind.probe(start) == kind.probe(one) == kind.probe(both)


# ---- delivery


@each_kind
def test_redelivered(kind: Kind) -> None:
    """At or below the fence: skipped, whatever it says by then."""
    engine = started()
    records = [engine.record(kind.older), engine.record(kind.newer)]
    engine.fold(*records)
    user, orders, skipped = engine.user, engine.open_orders, engine.accounts.skipped
    given = engine.fold(*records, records[0]._replace(value=b"\xff not even readable"))
    assert (given.outputs, given.checks) == ([], {})
    assert engine.user is user
    assert engine.open_orders is orders
    assert engine.accounts.skipped == skipped + 3


@each_kind
def test_duplicated(kind: Kind) -> None:
    """The same fact again behind the fence, from a producer that retried: the old rows themselves, nothing said, no check."""
    engine = started()
    engine.deliver(kind.older, kind.newer)
    user, orders = engine.user, engine.open_orders
    given = engine.deliver(kind.newer) if kind.late == "last" or kind is LAST_END else engine.deliver(kind.older, kind.newer)
    assert (given.outputs, given.checks) == ([], {})
    assert engine.user is user
    assert engine.open_orders is orders


@each_kind
def test_late_and_out_of_order(kind: Kind) -> None:
    """The older one comes behind the newer one."""
    _, turned = after(kind.newer, kind.older)
    _, right = after(kind.older, kind.newer)
    _, only = after(kind.newer if kind.late == "newer" else kind.older)
    if kind.late != "last":
        assert kind.probe(turned) == kind.probe(right)
    if kind.late != "both":
        assert kind.probe(turned) == kind.probe(only)


@each_kind
def test_half_delivered(kind: Kind) -> None:
    """A part of a frame, or a number whose forerunner is missing: no verdict rests on it."""
    engine = started()
    given = engine.deliver(kind.newer if kind.half == "gap" else kind.older)
    account = "house" if kind.half == "gap" else VENUE
    before, now = (set(doubts(one.user, account)) - {"quarantined"} for one in (started(), engine))  # which one kind ends
    assert now == before | ({kind.half} if kind.half else set())
    if kind.half == "settling":
        assert VENUE not in given.checks


def test_a_balance_without_its_position_waits_and_is_judged_with_it() -> None:
    engine = started()
    half = engine.deliver(balance("90", meta(50, 0, 2)))
    whole = engine.deliver(position("3", meta(50, 1, 2)))
    assert (half.checks, whole.checks) == ({}, {VENUE: "position"})


@each_kind
def test_time_going_backwards(kind: Kind) -> None:
    """Neither the broker's clock nor the order of its stamps decides what stands, and a row never grows younger."""
    engine = started()
    engine.fold(engine.record(kind.older, timestamp=9_000))
    version, updated = engine.user.version, engine.user.updated_ms
    engine.fold(engine.record(kind.newer, timestamp=10))
    forward = started()
    forward.deliver(kind.older, kind.newer)
    assert kind.probe(engine) == kind.probe(forward)
    assert engine.user.updated_ms >= updated
    assert engine.user.version >= version


# ---- poison


def poisons(topic: str) -> dict[str, dict[str, Any]]:
    """What is wrong with the record, as the fields of it that are."""
    return {
        "garbage": {"value": b"\xff\xff garbage"}, "nothing": {"value": b""}, "tombstone": {"value": None},
        "truncated": {"value": KINDS[next(name for name in KINDS if name.startswith(topic + "/"))].older.value[:-1]},
        "another user": {"value": _of_user(topic, "live:2")},
        "overlong": {"value": b"\x0a" + b"x" * 262_144},
        "no key": {"key": None}, "empty key": {"key": b""}, "untyped key": {"key": b"1"}, "key that is no text": {"key": b"\xff\xfe"},
        "wrong partition": {"partition": (HOME + 1) % PARTITIONS},
    }


def _of_user(topic: str, user: str) -> bytes:
    message = next(kind for name, kind in KINDS.items() if name.startswith(topic + "/")).older.message
    assert isinstance(message, Message)
    copy: Any = type(message)()
    copy.CopyFrom(message)
    getattr(copy, "meta", copy).user_id = user
    found: bytes = copy.SerializeToString()
    return found


POISONS = [(topic, fault) for topic in ACCOUNT_SOURCES for fault in poisons(topic)]


@pytest.mark.parametrize(("topic", "fault"), POISONS, ids=["/".join(pair) for pair in POISONS])
def test_poison_is_a_dead_letter_and_its_neighbours_go_on(topic: str, fault: str) -> None:
    engine = started()
    before, kind = engine.user, next(kind for name, kind in KINDS.items() if name.startswith(topic + "/"))
    bad = engine.record(kind.older, **poisons(topic)[fault])
    given = engine.fold(bad)
    [letter] = given.said(names.DEAD_LETTERS)
    assert (letter.topic, letter.partition, letter.offset) == (topic, bad.partition, bad.offset)
    assert (letter.key, letter.value) == (bad.key or b"", (bad.value or b"")[:65_536])
    mine = "key" not in poisons(topic)[fault] and fault != "wrong partition"
    if mine:  # somebody's fact is lost: whoever it may be is in doubt until that is settled
        assert topic in {entry.topic for entry in (*engine.user.quarantines, *engine.user.accounts[VENUE].quarantines)}
        assert replace(engine.user, quarantines=(), version=0, updated_ms=0) == replace(before, quarantines=(), version=0, updated_ms=0)
    else:
        assert engine.user is before
    engine.deliver(kind.older, kind.newer)
    right = started()
    right.deliver(kind.older, kind.newer)
    assert kind.probe(engine) == kind.probe(right)


EVENTS = tuple(topic for topic in ACCOUNT_SOURCES if topic.startswith("user-data"))
CROSSED = [(name, topic) for name in KINDS for topic in ACCOUNT_SOURCES if not name.startswith(topic + "/")]
CROSSED = [(name, topic) for name, topic in CROSSED if not (name.endswith("/snapshot_end") and topic in EVENTS)]  # the same message
ALIKE = {  # what they set has the same numbers and types: no reader of protobuf can tell, and what is read changes no figure
    (f"{names.ACCOUNT_CONFIG}/leverage", names.BALANCE_UPDATES), (f"{names.ACCOUNT_CONFIG}/account_level_raw", names.BALANCE_UPDATES),
    (f"{names.ACCOUNT_CONFIG}/account_level_raw", names.VENUE_MARGIN_CALLS),
}


@pytest.mark.parametrize(("name", "topic"), CROSSED, ids=[f"{name} on {topic}" for name, topic in CROSSED])
def test_wrong_protobuf_a_message_of_another_topic_is_no_fact(name: str, topic: str) -> None:
    engine = started()
    before = engine.user
    given = engine.fold(engine.record(KINDS[name].older._replace(topic=topic)))
    assert len(given.said(names.DEAD_LETTERS)) == (0 if (name, topic) in ALIKE else 1)
    assert not given.said(names.TRANSACTIONS)
    assert not engine.open_orders.closed
    for account_id, account in before.accounts.items():
        assert engine.user.accounts[account_id].balances == account.balances
        assert engine.user.accounts[account_id].positions == account.positions
    assert engine.user.profile == before.profile


# ---- values nobody knows yet


def _enums(message: Any, prefix: str = "") -> list[str]:
    """Paths of the enum fields of a message."""
    found = [prefix + field.name for field in message.fields if field.type == FieldDescriptor.TYPE_ENUM]
    for field in message.fields:
        if field.message_type and field.message_type.name in ("EventMeta", "LeverageChange", "MarginModeChange"):
            found += _enums(field.message_type, f"{prefix}{field.name}.")
    return found


ENUMS = [(name, path) for name, kind in KINDS.items() if isinstance(kind.older.message, Message)
         for path in _enums(kind.older.message.DESCRIPTOR) if "snapshot_end" not in name]


@pytest.mark.parametrize(("name", "path"), ENUMS, ids=[f"{name}:{path}" for name, path in ENUMS])
def test_an_enum_value_of_tomorrow_is_kept_and_its_neighbours_go_on(name: str, path: str) -> None:
    """Read, folded as far as it is known, never a dead letter: save for the engine's own book, and for an account of another venue."""
    kind = KINDS[name]
    engine = started()
    given = engine.fold(engine.record(kind.older, value=_with(kind.older, path, 77)))
    refused = [letter.error for letter in given.said(names.DEAD_LETTERS)]
    expected = "expected venue" if path == "meta.exchange" else "side: expected BUY or SELL"
    assert all(expected in error for error in refused)
    assert not refused or path == "meta.exchange" or "house fill" in name
    engine.deliver(delta(None, "5", id="neighbour"))
    assert engine.user.accounts["house"].balances["USD"].wallet_balance >= 105


def _with(fact: Fact, path: str, value: object) -> bytes:
    message: Any = type(fact.message)()
    message.CopyFrom(fact.message)
    *parents, last = path.split(".")
    into = message
    for name in parents:
        if not into.HasField(name):
            return bytes(message.SerializeToString())
        into = getattr(into, name)
    setattr(into, last, value)
    return bytes(message.SerializeToString())


def test_the_row_of_the_partition_keeps_what_has_no_user() -> None:
    engine = started()
    given = engine.fold(engine.record(delta(1), key=None))
    assert len(given.said(names.DEAD_LETTERS)) == 1
    assert engine.accounts.keys_of(HOME) == [KEY]
