"""What holds of every account under every model: order, scale, sign, added margin, split positions, plans."""

import copy
import random
from decimal import Decimal
from typing import Any

import pytest

from agents.evaluate import evaluate_json
from tests.agents.accounts import EXCHANGES, account, exchange_account, fx_account

D = Decimal
Json = dict[str, Any]
SEEDS = range(60)
NEAR = D("1e-15")
RUNGS = ("normal", "warning", "margin_call", "liquidation")
MONEY = ("equity", "wallet_balance", "unrealised_pnl", "initial_margin", "maintenance_margin", "free_margin", "margin_ratio")
PRICES = ("liquidation_price_below", "liquidation_price_above", "bankruptcy_price")


def near(a: str | None, b: str | None, factor: int = 1) -> bool:
    if a is None or b is None:
        return a is b
    return abs(D(a) * factor - D(b)) <= NEAR * max(D(1), abs(D(b)))


def by_name(found: Json) -> dict[tuple[str, str, str | None], Json]:
    return {(row["symbol"], row["side"], row["id"]): row for row in found["positions"]}


@pytest.mark.parametrize("seed", SEEDS)
def test_the_order_of_anything_does_not_matter(seed: int) -> None:
    rng = random.Random(seed)
    given = account(rng)
    given["orders"] = [{"symbol": row["symbol"], "side": rng.choice(("BUY", "SELL")), "quantity": "1"} for row in given["positions"]]
    other = copy.deepcopy(given)
    rng.shuffle(other["positions"])
    rng.shuffle(other["orders"])
    for field in ("balances", "prices", "rules", "rates"):
        other[field] = dict(sorted(other[field].items(), reverse=True))
    a, b = evaluate_json(given), evaluate_json(other)
    assert [a[name] for name in (*MONEY, "rung", "reasons")] == [b[name] for name in (*MONEY, "rung", "reasons")]
    assert by_name(a) == by_name(b)
    assert sorted(map(str, a["liquidation_plan"])) == sorted(map(str, b["liquidation_plan"]))  # type: ignore[call-overload]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_slack_changes_sign_within_a_tick_of_the_price(seed: int) -> None:
    given = account(random.Random(seed))
    given["thresholds"] = given.get("thresholds") or ({} if given["model"] == "mt5" else None)
    found = evaluate_json(given)
    for row in found["positions"]:  # type: ignore[attr-defined]
        for field in PRICES[:2]:
            if row[field] is not None and D(row[field]) < D(10) ** 12:
                assert _breached(given, row, D(row[field]), -1) != _breached(given, row, D(row[field]), 1), (row, field)


def _breached(given: Json, row: Json, price: Decimal, sign: int) -> bool:
    """Whether the pool is breached a tick beside the price."""
    moved, tick = copy.deepcopy(given), max(price * D("1e-12"), D("1e-25"))
    at, prices = price + sign * tick, moved["prices"][row["symbol"]]
    if given["model"] == "mt5":
        shift = at - D(prices["bid" if row["side"] == "LONG" else "ask"])
        prices |= {"bid": str(D(prices["bid"]) + shift), "ask": str(D(prices["ask"]) + shift)}
        if min(D(prices["bid"]), D(prices["ask"])) <= 0:
            pytest.skip("the other side of the spread is not a price there")
    else:
        prices["mark"] = str(at.quantize(D("1e-28")))
    found = evaluate_json(moved)
    return bool(by_name(found)[row["symbol"], row["side"], row["id"]]["rung"] == "liquidation")


def tenfold(given: Json) -> Json:
    big = copy.deepcopy(given)
    big["balances"] = {asset: str(D(amount) * 10) for asset, amount in big["balances"].items()}
    for row in big["positions"]:
        row["quantity"] = str(D(row["quantity"]) * 10)
        row["isolated_wallet"] = str(D(row["isolated_wallet"]) * 10) if row.get("isolated_wallet") else None
    for rule in big["rules"].values():
        for tier in rule["brackets"]:
            tier |= {name: str(D(tier[name]) * 10) for name in ("floor", "cap", "amount") if tier[name] is not None}
    return big


@pytest.mark.parametrize("seed", SEEDS)
def test_money_scales_prices_stay(seed: int) -> None:
    """Ten times the wallet, the size and the table is ten times the money at the same prices."""
    given = exchange_account(random.Random(seed), EXCHANGES[seed % len(EXCHANGES)])
    big = tenfold(given)
    a, b = evaluate_json(given), evaluate_json(big)
    assert all(near(a[name], b[name], 1 if name == "margin_ratio" else 10) for name in MONEY), (a, b)  # type: ignore[arg-type]
    for small, large in zip(a["positions"], b["positions"], strict=True):  # type: ignore[call-overload]
        assert all(near(small[name], large[name]) for name in PRICES)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_mirrored_account_has_mirrored_money(seed: int) -> None:
    """Bought for sold at the mark: what one gains in PnL the other loses, requirements are equal."""
    given = exchange_account(random.Random(seed), EXCHANGES[seed % len(EXCHANGES)])
    other = copy.deepcopy(given)
    for row in other["positions"]:
        if row["side"] == "BOTH":
            row["quantity"] = str(-D(row["quantity"]))
        row["side"] = {"LONG": "SHORT", "SHORT": "LONG"}.get(row["side"], "BOTH")
    a, b = evaluate_json(given), evaluate_json(other)
    assert near(a["maintenance_margin"], b["maintenance_margin"])  # type: ignore[arg-type]
    assert near(a["initial_margin"], b["initial_margin"])  # type: ignore[arg-type]
    assert near(a["unrealised_pnl"], str(-D(b["unrealised_pnl"])))  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", SEEDS)
def test_adding_margin_never_raises_the_rung(seed: int) -> None:
    given = account(random.Random(seed))
    before = RUNGS.index(str(evaluate_json(given)["rung"]))
    for more in ("0.01", "100", "100000"):
        richer = copy.deepcopy(given)
        richer["balances"] = {asset: str(D(amount) + D(more)) for asset, amount in richer["balances"].items()}
        for row in richer["positions"]:
            if row.get("isolated_wallet"):
                richer["balances"] = {asset: str(D(amount) + D(more)) for asset, amount in richer["balances"].items()}
                row["isolated_wallet"] = str(D(row["isolated_wallet"]) + D(more))
        after = RUNGS.index(str(evaluate_json(richer)["rung"]))
        assert after <= before
        before = after


@pytest.mark.parametrize("seed", SEEDS)
def test_splitting_a_position_in_equal_entries_changes_nothing(seed: int) -> None:
    given = account(random.Random(seed))
    split = copy.deepcopy(given)
    split["positions"] = []
    for row in given["positions"]:
        half = {**row, "quantity": str(D(row["quantity"]) / 2)}
        half |= {name: str(D(row[name]) / 2) for name in ("isolated_wallet", "swap", "commission") if row.get(name)}
        split["positions"] += [half, {**half, "id": f"{row['id']}b"} if row.get("id") else half]
    a, b = evaluate_json(given), evaluate_json(split)
    assert all(near(a[name], b[name]) for name in MONEY), (a, b)  # type: ignore[arg-type]
    assert a["rung"] == b["rung"]
    for at, row in enumerate(a["positions"]):  # type: ignore[arg-type]
        assert all(near(row[name], b["positions"][2 * at][name]) for name in PRICES)  # type: ignore[index]


@pytest.mark.parametrize("seed", range(200))
def test_a_plan_ends_at_its_target_or_flat_and_is_the_smallest(seed: int) -> None:
    rng = random.Random(seed)
    given = fx_account(rng) if seed % 8 == 7 else exchange_account(rng, EXCHANGES[seed % len(EXCHANGES)])
    found = evaluate_json(given)
    closes = [step for step in found["liquidation_plan"] if step["action"] == "close"]  # type: ignore[attr-defined]
    if found["rung"] != "liquidation" or not closes:
        return
    after = evaluate_json(applied(given, found, closes))
    if given["model"] == "mt5":
        assert after["rung"] != "liquidation" or not after["positions"]
        kept = closes[:-1]
        assert not kept or evaluate_json(applied(given, found, kept))["rung"] == "liquidation"
        return
    touched = {(step["symbol"], step["side"]) for step in closes}
    assert all(ratio <= D("0.75") for ratio in ratios(given, after, touched))
    last = closes[-1]
    if any((row["symbol"], row["side"]) == (last["symbol"], last["side"]) for row in after["positions"]):  # type: ignore[attr-defined]
        less = str(D(last["quantity"]) - max(D(given["rules"][last["symbol"]]["quantity_step"]), D("1e-9")))
        short = evaluate_json(applied(given, found, [*closes[:-1], {**last, "quantity": less}]))
        assert max(ratios(given, short, {(last["symbol"], last["side"])})) > D("0.75")


def ratios(given: Json, found: Json, of: set[tuple[str, str]]) -> list[Decimal]:
    """The margin ratios of the pools that these positions stand in, where they are still held."""
    seen = []
    for row in found["positions"]:
        if (row["symbol"], row["side"]) in of:
            asset = "USDT" if given["model"] == "binance_usdm_multi_asset" else given["rules"][row["symbol"]]["settle"]
            pool = next(pool for pool in found["pools"] if (pool["kind"], pool["asset"]) == ("cross", asset))
            seen.append(D(row["margin_ratio"] if row["equity"] is not None else pool["margin_ratio"]))
    return seen


def applied(given: Json, found: Json, closes: list[Json]) -> Json:
    """The account after the closes at the mark: quantity goes, PnL and the taker's fee go into its wallet."""
    after = copy.deepcopy(given)
    by = by_name(found)
    for step in closes:
        key = (step["symbol"], step["side"], step["id"])
        row = next(row for row in after["positions"] if (row["symbol"], row["side"], row.get("id")) == key)
        share = D(step["quantity"]) / abs(D(row["quantity"]))
        rule = given["rules"][row["symbol"]]
        gain = D(by[key]["unrealised_pnl"]) * share - D(by[key]["notional"]) * share * D(rule.get("taker_fee", "0"))
        gain += (D(row.get("swap", "0")) + D(row.get("commission", "0"))) * share
        asset = "USD" if given["model"] == "mt5" else rule["settle"]
        after["balances"][asset] = str(D(after["balances"].get(asset, "0")) + gain)
        if row.get("isolated_wallet"):
            row["isolated_wallet"] = str(D(row["isolated_wallet"]) + gain)
        row["quantity"] = str(D(row["quantity"]) * (1 - share))
    after["positions"] = [row for row in after["positions"] if D(row["quantity"])]
    return after
