"""What rows share: names are one object in all of them, and so is the empty dict, which takes nothing."""

import pytest

from tables import codec
from tables.rows import NOTHING, Account, Balance, Position, User, position_key


def _read(number: int) -> User:
    held = Position(f"house:EUR{'USD'}", product=f"US{'DM'}")
    account = Account("house", balances={"USD": Balance()}, positions={position_key(held.instrument, held.side): held})
    return codec.load_user(codec.dump_user(User(f"live:{number}", accounts={"house": account})))


def test_names_are_one_object_in_all_rows() -> None:
    a, b = (_read(number).accounts["house"] for number in (1, 2))
    [(key_a, held_a)], [(key_b, held_b)] = a.positions.items(), b.positions.items()
    assert a.venue is b.venue
    assert a.currency is b.currency
    assert key_a is key_b
    assert held_a.instrument is held_b.instrument
    assert held_a.product is held_b.product


def test_what_is_empty_is_the_same_empty_dict() -> None:
    row = _read(1)
    account = row.accounts["house"]
    assert all(one is NOTHING for one in (account.leverages, account.margin_modes, account.snapshot_rows, account.removed))
    assert account.leverages == {}


@pytest.mark.parametrize("put", [lambda: NOTHING.__setitem__("a", 1), lambda: NOTHING.update({"a": 1}), lambda: NOTHING.setdefault("a", 1)])
def test_nothing_can_be_put_into_it(put: object) -> None:
    assert callable(put)
    with pytest.raises(TypeError, match="expected a new one"):
        put()
    assert not NOTHING
