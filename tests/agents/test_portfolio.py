"""Figures for people of nobody: a worker that owns no user yet has none, and goes on."""

from agents.risk.columns import Columns
from tests.agents.worlds import NOW, rules


def test_nobody_is_worth_nothing() -> None:
    columns = Columns()
    columns.ruled(rules(), NOW)
    assert columns.portfolio(set(), {}) == {}
