"""Quarantines: whose, how many, in which order, and each way out."""

import pytest

from schemas import engine_pb2 as pb
from schemas import names
from tables.accounts import doubts, new, quarantine
from tables.rows import Account, Quarantine, User
from tests.tables.facts import USER, VENUE, anomalies, balance, delta, end, fold_all, meta, update

TOPICS = (names.WALLET_DELTAS, names.BALANCE_UPDATES, names.POSITION_UPDATES)


def start() -> User:
    return fold_all([balance("1", meta(1)), delta(None, "5", id="a")])[0]


def doubted(*topics: str, account: str = VENUE, row: User | None = None) -> User:
    row = row or start()
    for at, topic in enumerate(topics):
        found = quarantine(row, topic, account, "garbage", at + 1).row
        assert isinstance(found, User)
        row = found
    return row


@pytest.mark.parametrize("account", [VENUE, ""])
def test_the_order_of_arrival_does_not_matter(account: str) -> None:
    """Each topic arrives in its own time: a row folded again elsewhere must be the same."""
    one, other = doubted(*TOPICS, account=account), doubted(*TOPICS[::-1], account=account)
    topics = [[entry.topic for entry in (*row.quarantines, *row.accounts[VENUE].quarantines)] for row in (one, other)]
    assert topics == [sorted(TOPICS)] * 2


@pytest.mark.parametrize(("account", "whose"), [(VENUE, [VENUE]), ("", [VENUE, "house"]), ("never heard of", [VENUE, "house"])])
def test_who_is_in_doubt(account: str, whose: list[str]) -> None:
    row = doubted(names.BALANCE_UPDATES, account=account)
    assert sorted(name for name in row.accounts if "quarantined" in doubts(row, name)) == whose
    assert quarantine(row, names.BALANCE_UPDATES, account, "again", 9).row is row  # the first reason stays


def test_a_user_nothing_is_known_of_is_in_doubt_as_a_whole() -> None:
    found = quarantine(new(USER), names.WALLET_DELTAS, "house", "garbage", 3)
    assert isinstance(found.row, User)
    assert found.row.quarantines == (Quarantine(names.WALLET_DELTAS, "garbage", 3),)
    assert anomalies([found]) == ["quarantine"]
    with pytest.raises(ValueError, match="expected a row"):
        quarantine(None, names.WALLET_DELTAS, "house", "garbage", 3)


def test_facts_still_fold_in_doubt() -> None:
    row, _ = fold_all([balance("7", meta(2)), delta(None, "5", id="b")], doubted(*TOPICS, account=""))
    assert row.accounts[VENUE].balances["USDT"].wallet_balance == 7
    assert row.accounts["house"].balances["USD"].wallet_balance == 10


@pytest.mark.parametrize(("account", "topic", "left"), [
    (VENUE, "", []), (VENUE, names.BALANCE_UPDATES, [names.POSITION_UPDATES]), (VENUE, names.WALLET_DELTAS, list(TOPICS[1:])),
    ("house", "", list(TOPICS[1:])), ("", "", list(TOPICS[1:])),  # the user's own doubts are another matter
])
def test_an_operators_end(account: str, topic: str, left: list[str]) -> None:
    said = update("q", end_quarantine=pb.AccountUpdate.EndQuarantine(account_id=account, topic=topic, actor="ops"))
    row, steps = fold_all([said, said], doubted(*TOPICS[1:]))
    assert sorted(entry.topic for entry in row.accounts[VENUE].quarantines) == sorted(left)
    assert anomalies(steps) == (["quarantine_ended"] if len(left) < 2 else [])


@pytest.mark.parametrize(("others", "released"), [(0, True), (1, False)])
def test_a_snapshot_ends_the_users_doubt_where_no_other_account_could_be_meant(others: int, released: bool) -> None:
    row = start()
    more = {f"other{at}": Account(f"other{at}", "okx_v5", "okx_swap", "USDT", "external") for at in range(others)}
    for account in more:
        row, _ = fold_all([balance("1", meta(1, account_id=account))], row)
    row, _ = fold_all([end(names.BALANCE_UPDATES, 9, 0, 0)], doubted(names.BALANCE_UPDATES, account="", row=row))
    assert (row.quarantines == ()) is released


def test_a_snapshot_of_another_topic_ends_nothing() -> None:
    row, _ = fold_all([end(names.POSITION_UPDATES, 9, 0, 0)], doubted(names.BALANCE_UPDATES))
    assert doubts(row, VENUE) == ("quarantined",)
