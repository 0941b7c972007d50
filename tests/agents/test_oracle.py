"""The law against an oracle that shares nothing with it, on random accounts of every model."""

import random

from agents.evaluate import evaluate_json
from tests.agents.accounts import EXCHANGES, account
from tests.agents.oracle_campaign import run

SEED, ACCOUNTS = 2024, 2_000


def test_law_and_oracle_agree() -> None:
    print("seed", SEED)
    assert run(SEED, ACCOUNTS) == ACCOUNTS


def test_the_random_accounts_are_of_every_kind() -> None:
    """What never occurs is not tried: models, rungs, one price, two prices, none, past the table."""
    rng, seen = random.Random(SEED), set()
    for _ in range(800):
        found = evaluate_json(account(rng))
        seen |= {found["model"], found["rung"], *found["reasons"]}  # type: ignore[misc]
        for row in found["positions"]:  # type: ignore[attr-defined]
            seen.add((row["liquidation_price_below"] is not None, row["liquidation_price_above"] is not None))
    assert {*EXCHANGES, "mt5", "normal", "liquidation", "beyond_table", (True, False), (False, True), (False, False), (True, True)} <= seen
