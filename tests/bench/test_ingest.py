"""The benchmark of private streams, small, on a real broker: every fact of every frame arrives, and what is idle is weighed."""

import json
from decimal import Decimal

import pytest

from streams.bench.ingest import idle, load
from streams.bench.ingest_venue import facts, make
from streams.venues.simulator.catalogue import BINANCE
from streams.venues.simulator.server import Simulator


def test_frames_are_made_beforehand_and_their_facts_counted() -> None:
    sim = Simulator((BINANCE,))
    names = [sim.open_account(f"a{at}").name for at in range(3)]
    made = make(sim, names, 50, seed=1)
    assert len(made) >= 50
    assert {account for account, _, _ in made} == set(names)
    kinds = [json.loads(text)["e"] for _, text, _ in made]
    assert {"TRADE_LITE", "ACCOUNT_UPDATE", "ORDER_TRADE_UPDATE"} == set(kinds)
    assert all(count == (2 if kind == "ACCOUNT_UPDATE" else 1) for kind, (_, _, count) in zip(kinds, made, strict=True))
    assert any(sim.truth(name).balances["USDT"] != Decimal(10_000) for name in names)
    assert facts({"e": "ACCOUNT_UPDATE", "a": {"B": [1], "P": []}}) == 1


@pytest.mark.slow
def test_every_fact_of_a_small_load_arrives() -> None:
    [found] = load(3, [50], 1.0)
    assert (found["lost"], found["frames"], found["accounts"]) == (0, 50, 3)
    assert found["count"] == found["facts"]


@pytest.mark.slow
def test_idle_accounts_are_weighed() -> None:
    found = idle(3)
    assert found["accounts"] == 3
    assert float(str(found["rss_mib"])) > 20
