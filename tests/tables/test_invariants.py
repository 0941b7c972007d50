"""What no facts can make is named."""

from decimal import Decimal

import pytest

from tables.invariants import Broken, check
from tables.rows import Account, Balance, Frame, Order, Orders, Position, Sequence, User, Version

KEY = "house:X/LONG"


@pytest.mark.parametrize(
    ("account", "said"),
    [
        (Account("other"), "expected account 'house', was 'other'"),
        (Account("house", positions={KEY: Position("house:X", "LONG")}), "expected a quantity, was 0"),
        (Account("house", positions={KEY: Position("house:X", "LONG", Decimal(-1))}), "expected an absolute quantity, was -1"),
        (Account("house", positions={"y": Position("house:X", "LONG", Decimal(1))}), "expected the position's own key, was 'y'"),
        (Account("house", positions={KEY: Position("house:X", "LONG", Decimal(1))}, removed={KEY: Version()}), "no tombstone"),
        (Account("house", balances={"USD": Balance(Decimal("NaN"))}), "USD: expected a finite balance, was NaN"),
        (Account("house", frames=(Frame(1, 1, 1, 2, (0, 1), 1),)), "expected an incomplete frame"),
    ],
)
def test_a_broken_account_is_named(account: Account, said: str) -> None:
    with pytest.raises(Broken, match="live:1 at version 3: ") as raised:
        check(User("live:1", 3, accounts={"house": account}))
    assert said in str(raised.value)


@pytest.mark.parametrize("sequence", [Sequence(5, {5: b""}, 1), Sequence(5, {4: b""}, 1), Sequence(5, {7: b""}, 0), Sequence(5, {}, 1)])
def test_a_broken_sequence_is_named(sequence: Sequence) -> None:
    with pytest.raises(Broken, match="source 's'"):
        check(User("live:1", sequences={"s": sequence}))


def test_an_order_under_a_wrong_account_is_named() -> None:
    with pytest.raises(Broken, match="expected its account 'a' in its key"):
        check(Orders("live:1", orders={"b/x/1": Order("a", "x", "1")}))
