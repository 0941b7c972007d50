"""The figures that every owned user counts in: right at the end of a look, and made in slices."""

import pytest
from msgspec.structs import replace

from streams import survey as under_test
from streams.ops.metrics import METRICS
from streams.survey import is_held, survey
from tables.rows import LIQUIDATION, NORMAL, UNKNOWN, User
from tests.agents.worlds import BTC, EUR, NOW, mark
from tests.streams_checks.desk import Desk, trader


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(under_test, "_NAMES", 3)
    monkeypatch.setattr(under_test, "_USERS", 2)
    found = Desk(monkeypatch)
    monkeypatch.setattr(under_test, "now_ms", lambda: found.now)
    found.prices.book.marks[EUR] = mark(EUR, "1.1000", "1.1002", append_ms=NOW - 3_000)
    found.prices.book.marks[BTC] = mark(BTC, "60000", "60001", append_ms=NOW - 9_000)
    return found


def on(rung: int, number: int, user_type: str = "live") -> User:
    found = trader(number)
    account = found.accounts["house"]
    return replace(found, user_id=f"{user_type}:{number}", accounts={"house": replace(account, margin=replace(account.margin, rung=rung))})


def gauges(metric: str) -> dict[tuple[str, ...], float]:
    """Values by labels."""
    found = [family for family in METRICS.registry.collect() if family.name == metric]
    return {tuple(sample.labels.values()): sample.value for family in found for sample in family.samples}


def test_every_user_counts_once_at_the_end_of_a_look(desk: Desk) -> None:
    METRICS.active_users.set(0)
    desk.keep(*(on(NORMAL, number) for number in range(1, 6)), on(LIQUIDATION, 6), on(UNKNOWN, 7), on(NORMAL, 1, "demo"))
    desk.checks._lay_columns()
    look = survey(desk.checks)
    next(look)
    assert gauges("rms_active_users") == {(): 0}  # not before the end
    steps = 1 + sum(1 for _ in look)
    assert steps == 3 + 4  # eight names by three, eight users by two
    assert gauges("rms_active_users") == {(): 8}
    assert gauges("marginstream_users_by_rung")["normal",] == 6
    assert gauges("marginstream_users_by_rung")["liquidation",] == 1
    equity = gauges("rms_user_equity")
    assert equity["live", "normal"] == pytest.approx(5 * equity["demo", "normal"])
    assert equity["demo", "normal"] == pytest.approx(5_000, abs=50)


def test_only_a_mark_that_somebody_holds_ages(desk: Desk) -> None:
    desk.keep(trader(1))
    desk.checks._lay_columns()
    assert (is_held(desk.checks.columns, EUR), is_held(desk.checks.columns, BTC)) == (True, False)
    list(survey(desk.checks))
    assert gauges("marginstream_mark_age_seconds") == {(): 3}
    desk.checks.columns.drop("live:1")
    assert not is_held(desk.checks.columns, EUR)


def test_who_is_looked_at_without_lines_holds_too(desk: Desk) -> None:
    desk.keep(on(LIQUIDATION, 1))
    desk.checks._lay_columns()
    assert is_held(desk.checks.columns, EUR)
