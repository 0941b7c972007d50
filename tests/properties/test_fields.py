"""Every field of every kind of fact, at its worst: refused or folded, never a worker that stops at the same record for ever."""

from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor

from agents.risk.world import Control, World
from agents.verdict import check
from schemas import names
from tables.rows import User
from tests.agents.worlds import BTC, EUR, NOW, mark, rules
from tests.scenarios.engine import HOME, KEY, Engine
from tests.scenarios.kinds import KINDS, started
from tests.tables.facts import delta

_TEXTS = ("NaN", "-1", "0", "1e29", "-1e-29", "٣", "a/b", "9" * 25)
_SIZES = {
    FieldDescriptor.TYPE_UINT64: (0, 1, 2**63, 2**64 - 1), FieldDescriptor.TYPE_UINT32: (0, 1, 2**32 - 1),
    FieldDescriptor.TYPE_INT64: (0, -1, 2**63 - 1, -(2**63)), FieldDescriptor.TYPE_INT32: (0, -1, 2**31 - 1, -(2**31)),
    FieldDescriptor.TYPE_ENUM: (0, 77, -1), FieldDescriptor.TYPE_BOOL: (False, True),
    FieldDescriptor.TYPE_BYTES: (b"", b"\xff\x00"), FieldDescriptor.TYPE_STRING: _TEXTS,
}
_PARENTS = {"meta", "fill", "snapshot_end", "profile", "exchange_account", "skip_gap", "end_quarantine", "leverage", "margin_mode"}
ONCE = {name: kind for name, kind in KINDS.items() if not name.startswith(names.WALLET_DELTAS) or name.endswith(("/deposit", "/numbered"))}


def spoilt(message: Any) -> Iterator[tuple[str, bytes]]:
    """The message with each of its fields at each bad value, and what was done to it."""
    for path, field in _fields(message.DESCRIPTOR):
        for value in _SIZES[field.type]:
            copy = type(message)()
            copy.CopyFrom(message)
            into = copy
            for name in path:
                into = getattr(into, name)
            setattr(into, field.name, value)
            yield f"{'.'.join((*path, field.name))} = {value!r}"[:80], copy.SerializeToString()


def _fields(kind: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for field in kind.fields:
        if field.is_repeated:
            continue
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            if field.name in _PARENTS:
                yield from _fields(field.message_type, (*path, field.name))
        else:
            yield path, field


WORLD = World(NOW, {name: mark(name, "1.1", "1.2", append_ms=NOW) for name in (EUR, BTC)}, rules(), Control())


def judged(user: User) -> None:
    """Every account gets a verdict, or none because it settles; nothing raises."""
    for account in user.accounts:
        check(user, account, WORLD, ["test"])


@pytest.mark.parametrize("name", ONCE)
def test_no_value_of_a_field_stops_the_worker(name: str) -> None:
    engine, start = Engine(), started()
    engine.accounts, engine.orders, engine.offsets = start.accounts, start.orders, start.offsets
    row: Any = start.accounts.parts[HOME].rows[KEY]
    orders: Any = start.orders.parts[HOME].rows[KEY]
    before = row.state, orders.state
    good = KINDS[name].older
    for what, value in spoilt(good.message):
        row.state, orders.state = before
        try:
            given = engine.fold(engine.record(good, value=value))  # looks at invariants and the bytes of the row
            refused = given.said(names.DEAD_LETTERS)
            if not refused:
                judged(engine.user)
        except Exception as error:
            raise AssertionError(f"{what}: {error!r}") from error
        assert len(refused) <= 1, what
    row.state, orders.state = before
    engine.deliver(delta(None, "5", id="neighbour"))
    assert engine.user.accounts["house"].balances["USD"].wallet_balance == 105
