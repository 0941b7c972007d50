"""Random histories with faults: whatever happens, the facts on the topics amount to the venue's ledger; no fill missing, none twice."""

from pathlib import Path

import pytest

from streams.bench import results
from tests.venues import histories
from tests.venues.histories import WRONG, run

SEEDS = range(200)
AT_ONCE = 20  # seeds a test: each is a fraction of a second


@pytest.mark.parametrize("first", SEEDS[::AT_ONCE])
def test_a_random_history_ends_in_the_ledgers_state(first: int) -> None:
    found = run("small", range(first, first + AT_ONCE))
    assert found["why"] == []
    struck = found["struck"]
    assert isinstance(struck, dict)
    assert struck.keys() == set(WRONG)


def test_the_lines_of_all_venues_are_kept_and_a_difference_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "lines.jsonl"
    monkeypatch.setattr("sys.argv", ["histories", "--seed", "7", "--histories", "1", "--results", str(file)])
    assert histories.main() == 0
    lines = list(results.rows(file))
    assert [(line["seed"], line["histories"], line["ok"]) for line in lines] == [(7, 1, True)] * 5
    monkeypatch.setattr(histories, "differences", lambda _: ["fills missing: expected 0, was 1"])
    assert histories.main() == 1
