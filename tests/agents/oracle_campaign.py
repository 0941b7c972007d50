"""The law against the oracle on random accounts of every model: `python -m tests.agents.oracle_campaign --seed 1 --accounts 100000`."""

import argparse
import json
import random
import sys
from fractions import Fraction as F  # noqa: N817
from typing import Any

from agents.evaluate import evaluate_json
from tests.agents.accounts import account
from tests.agents.oracle import Exchange, Fx, Sum, crossing, number

Json = dict[str, Any]
NEAR = F(1, 10**11)


def near(found: str | None, wanted: F | None, scale: F = F(1)) -> bool:
    """Null for null; else within 1e-11 of the larger of value and scale."""
    if found is None or wanted is None:
        return found is None and wanted is None
    return abs(number(found) - wanted) <= NEAR * max(abs(wanted), scale)


def differences(given: Json) -> list[str]:
    """What the law and the oracle say differently of one account; empty where they agree."""
    found = evaluate_json(given)
    return fx_differences(given, found) if given["model"] == "mt5" else exchange_differences(given, found)


def exchange_differences(given: Json, found: Json) -> list[str]:
    oracle, wrong = Exchange(given), []
    pools = {(pool["kind"], pool["asset"]): pool for pool in found["pools"]}
    for at, row in enumerate(found["positions"]):
        own = given["positions"][at]
        sum_, asset = oracle.pool_at(at), "USDT" if oracle.weighted else given["rules"][own["symbol"]]["settle"]
        isolated = own.get("margin_mode") == "isolated"
        wrong += pool_differences(row if isolated else pools["cross", asset], sum_)
        rung = "liquidation" if sum_.equity < 0 or sum_.required >= sum_.equity > 0 or sum_.required > sum_.equity else None
        if (row["rung"] == "liquidation") != (rung is not None):
            wrong.append(f"rung: {row['rung']}")
        wrong += price_differences(row, oracle, at, oracle.marks[own["symbol"]], oracle.edges(at))
    return wrong


def pool_differences(pool: Json, wanted: Sum) -> list[str]:
    ratio = wanted.required / wanted.equity if wanted.equity > 0 else None
    values = {"equity": wanted.equity, "initial_margin": wanted.initial, "maintenance_margin": wanted.maintenance, "margin_ratio": ratio}
    return [f"{name}: {pool[name]} not {None if value is None else float(value)}"
            for name, value in values.items() if not near(pool[name], value)]


def price_differences(row: Json, oracle: Exchange | Fx, at: int, mark: F, edges: set[F]) -> list[str]:
    wrong = []
    for field, upward in (("liquidation_price_below", False), ("liquidation_price_above", True)):
        wanted = crossing(lambda price: oracle.slack(at, price), mark, edges, upward=upward)
        said = row[field]
        beyond = said is not None and not mark / 10**6 < number(said) < mark * 10**6  # further than the oracle looks
        if not beyond and not near(said, wanted, F(0)):
            wrong.append(f"{row['symbol']} {row['side']} {field}: {said} not {float(wanted) if wanted else None}")
    return wrong


def fx_differences(given: Json, found: Json) -> list[str]:
    oracle, wrong = Fx(given), []
    equity, margin = oracle.equity(oracle.bids), oracle.margin()
    for name, value in (("equity", equity), ("initial_margin", margin), ("free_margin", equity - margin)):
        if not near(found[name], value):
            wrong.append(f"{name}: {found[name]} not {float(value)}")
    money = given.get("thresholds")
    out = equity < 0 or (equity <= number(money["liquidation"]) if money else equity <= margin / 2)
    if (found["rung"] == "liquidation") != out:
        wrong.append(f"rung: {found['rung']}")
    for at, row in enumerate(found["positions"]):
        wrong += price_differences(row, oracle, at, oracle.closing(given["positions"][at], oracle.bids), set())
    return wrong


def run(seed: int, accounts: int) -> int:
    """How many of so many random accounts agree; stops at the first that does not, said with its JSON."""
    rng = random.Random(seed)
    for done in range(accounts):
        given = account(rng)
        wrong = differences(given)
        if wrong:
            print(f"seed {seed}, account {done}: {'; '.join(wrong)}\n{json.dumps(given)}")
            return done
    return accounts


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options.add_argument("--accounts", type=int, default=100_000)
    given = options.parse_args()
    print(f"seed {given.seed}", flush=True)
    agreed = run(given.seed, given.accounts)
    print(f"{agreed} of {given.accounts} accounts agree")
    return 0 if agreed == given.accounts else 1


if __name__ == "__main__":
    sys.exit(main())
