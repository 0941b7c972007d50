"""The benchmark of the risk law, small: the index and the sweep liquidate the same accounts on the same ticks."""

from streams.bench.risk import Size, changed, crash, ordinary
from streams.bench.risk_figures import table


def test_a_crash_is_the_same_by_index_and_by_sweep() -> None:
    found = crash(Size(600, 10, 125), 400)
    assert found["same_as_sweep"] == 1
    assert int(found["liquidated"]) >= 200


def test_what_is_measured_has_its_line() -> None:
    rows = [dict(ordinary(Size(300, 10, 20), 50)), dict(changed(20))]
    assert rows[0]["positions"] == 1_500
    assert {"put_over_ratio", "ratios_a_second", "prices_a_second", "plans_a_second"} <= rows[1].keys()
    where = {"machine": "one", "commit": "abc", "at": "2025-01-01T00:00:00Z"}
    lines = table([{**row, **where} for row in rows]).splitlines()
    assert [line for line in lines if "liquidation prices" in line]
    assert not [line for line in lines if "1 M accounts" in line]  # such figures are of a million only
    assert table([]) == ""
