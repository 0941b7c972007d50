"""The benchmark itself on a real broker: small, every output checked, no speed asserted."""

import pytest

from streams.bench.engine import Load, bench
from streams.bench.mirrors import _last, _since
from streams.bench.ticks import Orders, _path
from streams.bench.workload import Told
from tests.bench.test_workload import NONE, told


@pytest.mark.slow
def test_the_engine_drains_and_is_paced() -> None:
    drained, paced = bench(["engine"], Load(2_000, [200], 1.0), 1)
    assert {name: drained[name] for name in NONE} == NONE
    assert (drained["run"], drained["deltas"]) == ("drain", 2_000)
    assert (paced["run"], paced["rate"], paced["count"]) == ("pace", 200, 200)  # without those of the warm-up


def test_a_row_counts_once_for_the_last_delta_of_its_user() -> None:
    some = [Told(seq, user, "BTC", told()[0].balance, sent) for seq, user, sent in ((2, "a", 5_000), (1, "a", 1_000), (3, "b", 6_000))]
    last = _last({one.seq: one for one in some})
    assert last == {"a": 5_000, "b": 6_000}
    assert _since(last, {"a": 7_000, "b": 6_500, "of another run": 0}) == [2.0, 0.5]


def test_only_one_instrument_moves_and_it_sinks() -> None:
    path = list(_path(Orders("", 4, 1_000, 1_000, 2.0)))
    assert len(path) == 2_000
    assert [due for due, _, _ in path] == sorted(due for due, _, _ in path)
    moving = {one.key for _, one, price in path if price != one.price}
    assert len(moving) == 1
    prices = [price for _, one, price in path if one.key in moving]
    assert prices == sorted(prices, reverse=True)
    assert len(set(prices)) == 8  # a step every quarter of a second
