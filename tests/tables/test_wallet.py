"""Wallet deltas: repeats, gaps, openings, skips and the outputs they cause."""

from decimal import Decimal

import pytest

from schemas import engine_pb2 as pb
from schemas import names
from tables.accounts import doubts
from tables.policy import Policy
from tables.rows import Fact
from tests.tables.facts import anomalies, delta, fold_all, house_fill, said, update

KIND = pb.WalletDelta.Kind


def skip(up_to: int, **more: int) -> Fact:
    return update("skip", skip_gap=pb.AccountUpdate.SkipGap(source="s", up_to_sequence=up_to, actor="ops"), **more)


@pytest.mark.parametrize(
    ("facts", "balance", "following", "doubted"),
    [
        ([delta(1, "5")], "5", 2, ()),
        ([delta(1, "5"), delta(1, "5")], "5", 2, ()),
        ([delta(1, "5"), delta(2, "-7")], "-2", 3, ()),
        ([delta(1, "5"), delta(3, "1")], "5", 2, ("gap",)),
        ([delta(1, "5"), delta(3, "1"), delta(3, "1")], "5", 2, ("gap",)),
        ([delta(1, "5"), delta(3, "1"), delta(2, "10")], "16", 4, ()),
        ([delta(3, "1"), delta(2, "1"), delta(1, "1")], "3", 4, ()),
        ([delta(7, "100", opening=True), delta(8, "1")], "101", 9, ()),
        ([delta(8, "1"), delta(9, "1"), delta(7, "100", opening=True)], "102", 10, ()),
        ([delta(1, "1"), delta(1, "9", opening=True)], "1", 2, ()),
        ([delta(1, "1"), delta(3, "9", opening=True)], "1", 2, ("gap",)),
        ([delta(1, "1"), delta(4, "1"), skip(3)], "2", 5, ()),
        ([delta(1, "1"), delta(3, "1"), delta(6, "1"), skip(4)], "2", 5, ("gap",)),
        ([delta(1, "1"), delta(4, "1"), skip(3), delta(2, "50")], "2", 5, ()),
        ([delta(1, "1"), delta(4, "1"), skip(3, sequence=5)], "2", 6, ()),  # the skip's own number stands behind the gap
    ],
)
def test_numbered(facts: list[Fact], balance: str, following: int, doubted: tuple[str, ...]) -> None:
    row, _ = fold_all(facts)
    assert row.accounts["house"].balances["USD"].wallet_balance == Decimal(balance)
    assert row.sequences["s"].next == following
    assert doubts(row, "house") == doubted


def test_a_repeat_is_the_old_row_itself_and_says_nothing() -> None:
    row, _ = fold_all([delta(1, "5")])
    again, steps = fold_all([delta(1, "5", at=9)], row)
    assert again is row
    assert steps[0].outputs == ()
    assert steps[0].checks == {}


def test_without_a_number_the_id_counts_within_its_bound() -> None:
    row, _ = fold_all([delta(None, id="a"), delta(None, id="a"), delta(None, id="b")])
    assert row.accounts["house"].balances["USD"].wallet_balance == 2
    row, _ = fold_all([delta(None, id=str(n)) for n in range(5)], policy=Policy(recent_ids_max=3))
    assert row.recent_ids == tuple(f"wallet-deltas/s/{n}" for n in (2, 3, 4))


def test_a_gap_is_said_once_and_checks_the_house_accounts() -> None:
    row, steps = fold_all([delta(1), delta(3), delta(4), delta(2)])
    assert anomalies(steps) == ["gap"]
    assert [step.checks for step in steps] == [{"house": "wallet"}, {"house": "gap"}, {}, {"house": "wallet"}]
    assert row.sequences["s"].gap_since_ms == 0


def test_a_full_gap_sends_dead_letters_and_ends_all_the_same() -> None:
    facts = [delta(n) for n in (3, 4, 5, 1, 2)]
    row, steps = fold_all(facts, policy=Policy(gap_held_max=2))
    assert [len(said(step.outputs, names.DEAD_LETTERS)) for step in steps] == [0, 0, 1, 0, 0]
    assert "expected number 1, was 5" in str(said(steps[2].outputs, names.DEAD_LETTERS)[0])
    assert row.accounts["house"].balances["USD"].wallet_balance == 4
    assert row.sequences["s"].next == 5


def test_a_transaction_tells_every_change_as_applied() -> None:
    _, steps = fold_all([delta(2, "-1.50", kind=KIND.FEE), delta(1, "10", kind=KIND.DEPOSIT)])
    first, second = said(steps[1].outputs, names.TRANSACTIONS)
    assert isinstance(first, pb.Transaction)
    assert isinstance(second, pb.Transaction)
    assert (first.delta_id, first.amount, first.balance_after, first.kind, first.sequence, first.version) == (
        "s/1/d1",
        "10",
        "10",
        "deposit",
        1,
        2,
    )
    assert (second.delta_id, second.amount, second.balance_after, second.kind, second.sequence) == ("s/2/d2", "-1.50", "8.50", "fee", 2)


def test_a_kind_of_tomorrow_is_kept() -> None:
    _, steps = fold_all([delta(1, kind=77)])
    assert [message.kind for message in said(steps[0].outputs, names.TRANSACTIONS)] == ["kind_77"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("account", ["nowhere", "bn"])
def test_an_account_that_is_none_of_the_house_refuses_and_its_number_is_used(account: str) -> None:
    added = update(exchange_account=pb.AccountUpdate.ExchangeAccount(account_id="bn", venue="binance_usdm"))
    row, steps = fold_all([added, delta(1, account_id=account), delta(2, "3")])
    assert anomalies(steps) == ["delta_refused"]
    assert len(said(steps[1].outputs, names.DEAD_LETTERS)) == 1
    assert row.sequences["s"].next == 3
    assert row.accounts["house"].balances["USD"].wallet_balance == 3


def test_the_house_account_follows_the_profile_in_either_order() -> None:
    euros = update(profile=pb.AccountUpdate.Profile(currency="EUR"))
    one, _ = fold_all([delta(1, asset="EUR"), euros])
    other, _ = fold_all([euros, delta(1, asset="EUR")])
    assert one.accounts == other.accounts
    assert one.accounts["house"].currency == "EUR"


def test_numbers_of_a_source_run_over_both_topics() -> None:
    profile = pb.AccountUpdate.Profile(group="vip")
    row, _ = fold_all([update(sequence=2, profile=profile), delta(1, "4"), house_fill(1, "1", "1.1")])
    assert row.sequences["s"].next == 3
    assert row.profile.group == "vip"
