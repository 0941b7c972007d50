"""The workload and its oracle: a benchmark that drops, doubles or miscounts must say so."""

from collections.abc import Callable
from decimal import Decimal
from types import SimpleNamespace

import msgspec
import pytest

from schemas.engine_pb2 import WalletDelta
from streams.bench.measure import quantile
from streams.bench.wallets import step
from streams.bench.workload import Told, as_json, as_message, deltas, differences

COUNT = 2_000
NONE = {"wrong_balances": 0, "missing_outputs": 0, "repeated_outputs": 0}


def told() -> list[Told]:
    """What a system that is right says."""
    balances: dict[tuple[str, str], Decimal] = {}
    found = []
    for delta in deltas(COUNT):
        key = delta.user, delta.asset
        balances[key] = balances.get(key, Decimal(0)) + Decimal(delta.amount)
        found.append(Told(delta.seq, *key, balances[key], 0))
    return found


def test_the_workload_is_the_same_each_time() -> None:
    once, again = list(deltas(COUNT)), list(deltas(COUNT))
    assert once == again
    assert [delta.seq for delta in once] == list(range(COUNT))
    assert max(delta.number for delta in once) > 1
    assert all((Decimal(delta.amount) - Decimal("1e-8")) % Decimal("0.01") == 0 for delta in once)


@pytest.mark.parametrize(("spoil", "expected"), [
    (lambda all_: all_, {}),
    (lambda all_: all_[1:], {"missing_outputs": 1, "wrong_balances": 1}),  # it was the only one of its key
    (lambda all_: [*all_, all_[-1]], {"repeated_outputs": 1}),
    (lambda all_: [*all_[:-1], all_[-1]._replace(balance=all_[-1].balance + 1)], {"wrong_balances": 1}),
])
def test_the_oracle_sees_what_is_wrong(spoil: Callable[[list[Told]], list[Told]], expected: dict[str, int]) -> None:
    assert differences(COUNT, spoil(told())) == NONE | expected


def test_both_forms_of_a_delta_say_the_same() -> None:
    delta = next(deltas(1))
    said = msgspec.json.decode(as_json(delta, 5_000))
    message = WalletDelta.FromString(as_message(delta, 5_000))
    assert (said["user_id"], said["asset"], said["amount"], said["seq"], said["ts"]) == (delta.user, delta.asset, delta.amount, 0, 5_000)
    assert (message.user_id, message.asset, message.amount, message.id, message.sequence) == (
        delta.user, delta.asset, delta.amount, "0/5000", 1)


def test_the_benchs_ledger_adds_exactly() -> None:
    wallet = None
    for delta in [delta for delta in deltas(COUNT) if delta.asset == "BTC"][:3]:
        wallet, [output] = step(wallet, SimpleNamespace(value=as_json(delta, 1)))
        assert Decimal(msgspec.json.decode(output.value)["balance"]) == wallet["BTC"]
    assert wallet is not None
    assert str(wallet["BTC"]).endswith("3")  # how many deltas it holds


@pytest.mark.parametrize(("share", "expected"), [(0.0, 1), (0.5, 3), (0.99, 4), (1.0, 4)])
def test_quantiles(share: float, expected: float) -> None:
    assert quantile([1, 2, 3, 4], share) == expected
