"""Frames and snapshots: which half frame a snapshot already contains, by the order of receipt and never by a clock."""

import pytest

from schemas import names
from tables.accounts import doubts, settling_deadline
from tables.rows import Fact
from tests.tables.facts import POLICY, VENUE, anomalies, balance, end, fold_all, meta, position

AHEAD = 10_000_000  # a venue's clock, hours before the broker's
SOON = [balance("80", meta(30, 0, 2), at=50), position("2", meta(30, 1, 2), at=51)]


def ends(connection: int, seq: int, as_of: int, name: str = "snap") -> list[Fact]:
    """A whole snapshot without rows, its request that old in the order of receipt."""
    return [end(topic, seq, 0, as_of, name, connection_epoch=connection) for topic in (names.BALANCE_UPDATES, names.POSITION_UPDATES)]


@pytest.mark.parametrize(
    ("facts", "open_frames"),
    [
        # what was received after the request left is not in the answer, whatever the clocks say
        ([*ends(1, 20, AHEAD), SOON[0]], [30]),
        ([ends(1, 20, AHEAD)[0], SOON[0], ends(1, 20, AHEAD)[1]], [30]),
        ([SOON[0], *ends(1, 20, AHEAD)], [30]),
        ([*ends(1, 20, AHEAD), *SOON], []),
        # what was received before it left is, and what another connection received before this one
        ([SOON[0], *ends(1, 31, 0)], []),
        ([SOON[0], *ends(2, 1, 0)], []),
        ([*ends(2, 1, 0), SOON[0]], []),
        ([SOON[0], *ends(2, 1, 0), SOON[1]], []),
        # one topic's part of a snapshot covers nothing; both together as far as the older one reaches
        ([SOON[0], ends(2, 1, AHEAD)[0]], [30]),
        ([SOON[0], ends(1, 20, AHEAD, "a")[0], ends(2, 1, AHEAD, "b")[1]], [30]),
        ([SOON[0], ends(2, 1, 0, "a")[0], ends(1, 31, 0, "b")[1]], []),
        # a snapshot of the old connection that comes late says nothing about the new one
        ([balance("80", meta(3, 0, 2, connection_epoch=2)), *ends(1, 31, AHEAD)], [3]),
    ],
)
def test_a_snapshot_covers_the_frames_received_before_its_request(facts: list[Fact], open_frames: list[int]) -> None:
    row, steps = fold_all(facts)
    assert [frame.receive_seq for frame in row.accounts[VENUE].frames] == open_frames
    assert doubts(row, VENUE) == (("settling",) if open_frames else ())
    assert not open_frames or not steps[-1].checks
    assert "quarantine" not in anomalies(steps)


def test_half_a_frame_before_a_reconnect_is_judged_at_its_snapshot() -> None:
    row, steps = fold_all([SOON[0], *ends(2, 1, 0)])
    assert [set(step.checks) for step in steps] == [set(), set(), {VENUE}]
    assert settling_deadline(row, POLICY) is None
    again, steps = fold_all(SOON[::-1], row)
    assert again.accounts[VENUE].frames == ()


@pytest.mark.parametrize(
    ("seq", "time_ms", "stays"),
    [
        (12, 120, True),
        (12, 50, True),  # received after the request left: a venue clock behind the asker's does not take it away
        (9, 50, False),
        (9, 120, True),
        (5, 50, False),
        (5, 120, True),  # in doubt it stays: the next snapshot tells
    ],
)
def test_a_snapshot_takes_away_only_what_is_older_by_every_measure(seq: int, time_ms: int, stays: bool) -> None:
    asked = end(names.POSITION_UPDATES, 9, 0, 100)
    row, steps = fold_all([position("3", meta(seq, transaction_time_ms=time_ms)), asked])
    assert bool(row.accounts[VENUE].positions) is stays
    assert anomalies(steps) == ([] if stays else ["position_vanished"])
