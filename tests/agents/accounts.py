"""Random accounts of every model as the JSON that `evaluate` takes; everything follows from the seed of the generator given."""

import random
from decimal import Decimal
from typing import Any

D = Decimal
Json = dict[str, Any]
EXCHANGES = ("binance_usdm", "binance_usdm_multi_asset", "binance_coinm", "bybit_linear", "bybit_inverse", "okx_swap", "kucoin_futures")
MODES = ("FOREX", "FOREX_NO_LEVERAGE", "CFD", "CFD_LEVERAGE", "CFD_INDEX", "FUTURES", "EXCH_STOCKS")
LINEAR = {"AAAUSDT": ("AAA", "USDT", "100"), "BBBUSDT": ("BBB", "USDT", "2"), "AAAUSDC": ("AAA", "USDC", "100")}
INVERSE = {"AAAUSD": ("AAA", "USD", "100"), "BBBUSD": ("BBB", "USD", "2")}
RATES = {"AAA/USDT": "100", "BBB/USDT": "2", "USDC/USDT": "0.999"}
PAIRS = {"EURUSD": ("EUR", "USD", "1.1"), "USDJPY": ("USD", "JPY", "150"), "EURJPY": ("EUR", "JPY", "165"),
         "XAUUSD": ("XAU", "USD", "2000")}
FX_RATES = {"EUR/USD": "1.1", "USD/JPY": "150", "XAU/USD": "2000"}


def account(rng: random.Random) -> Json:
    """One account of a random model."""
    model = rng.choice((*EXCHANGES, "mt5"))
    return fx_account(rng) if model == "mt5" else exchange_account(rng, model)


def around(rng: random.Random, price: str, percent: int = 20) -> str:
    return str(D(price) * (1 + D(rng.randint(-percent * 100, percent * 100)) / 10_000))


def table(rng: random.Random, policy: str, scale: int, *, ends: bool) -> list[Json]:
    """One to four tiers; `scale` is about the first cap, `ends`: the last tier has a cap."""
    rows: list[Json] = []
    floor, amount, rate = D(0), D(0), D(rng.choice(("0.004", "0.005", "0.01")))
    for left in range(rng.randint(0, 3), -1, -1):
        cap = floor + scale * rng.randint(1, 4)
        rows.append({"floor": str(floor), "cap": str(cap) if left or ends else None, "rate": str(rate), "amount": str(amount)})
        step = D(rng.randint(1, 40)) / 1000
        amount += cap * step if policy == "progressive" else 0
        floor, rate = cap, rate + step
    return rows


def exchange_account(rng: random.Random, model: str) -> Json:
    usdm, coinm = model.startswith("binance_usdm"), model == "binance_coinm"
    known = LINEAR if usdm else INVERSE if coinm else {**LINEAR, **INVERSE}
    symbols = rng.sample(sorted(known), rng.randint(1, 2))
    found: Json = {"model": model, "currency": "USDT", "balances": {}, "positions": [], "prices": {}, "rules": {},
                   "rates": {**RATES}, "collateral_weights": {"AAA": "0.9", "USDC": "0.99"}}
    for symbol in symbols:
        base, quote, price = known[symbol]
        inverse = symbol in INVERSE
        found["rules"][symbol] = rule(rng, model, (base, quote, base if inverse else quote))
        found["prices"][symbol] = {"mark": around(rng, price)}
        found["positions"] += held(rng, (model, symbol, price), inverse=inverse)
        wallet = D(rng.randint(0, rng.choice((40_000, 8_000))))
        found["balances"].setdefault(base if inverse else quote, str(wallet / 100 if inverse else wallet))
    if model == "binance_usdm_multi_asset":
        found["balances"]["AAA"] = str(rng.randint(-50, 50))
    return found


def rule(rng: random.Random, model: str, names: tuple[str, str, str]) -> Json:
    inverse = names[0] == names[2]
    contracts = model in ("okx_swap", "kucoin_futures") or inverse
    policy = rng.choice(("progressive", "flat"))
    unit = rng.choice(("notional", "contracts")) if contracts else "notional"
    size = rng.choice(("0.1", "1", "10")) if contracts else "1"
    scale = 300 if unit == "contracts" else 50 if inverse else 20_000
    return {"base": names[0], "quote": names[1], "settle": names[2], "contract_size": size, "tier_policy": policy, "tier_unit": unit,
            "taker_fee": rng.choice(("0", "0.0006")), "quantity_step": rng.choice(("0", "0.01")),
            "brackets": table(rng, policy, scale, ends=model != "binance_usdm" and rng.random() < 0.3)}


def held(rng: random.Random, what: tuple[str, str, str], *, inverse: bool) -> list[Json]:
    """One row of a one-way symbol, or both legs of a hedge."""
    model, symbol, price = what
    leverage, found = str(rng.randint(1, 50)), []
    like = D(rng.randint(1, 200_000)) / 100 if rng.random() < 0.5 else None  # legs of about the same size may have two prices
    sides = rng.choice((["BOTH"], ["BOTH"], ["LONG", "SHORT"]))
    for side in sides:
        isolated = model != "binance_usdm_multi_asset" and rng.random() < 0.3
        quantity = like * D(rng.randint(90, 110)) / 100 if like else D(rng.randint(1, 200_000)) / 100
        entry = around(rng, price)
        row = {"symbol": symbol, "side": side, "quantity": str(quantity if side != "BOTH" or rng.random() < 0.5 else -quantity),
               "entry_price": entry, "leverage": leverage}
        if isolated:
            value = quantity / D(entry) if inverse else quantity * D(entry)
            row |= {"margin_mode": "isolated", "isolated_wallet": str((value / rng.randint(1, 30)).quantize(D("1e-8")))}
        found.append(row)
    return found


def fx_account(rng: random.Random) -> Json:
    found: Json = {"model": "mt5", "currency": "USD", "balances": {"USD": str(rng.randint(100, 60_000))}, "positions": [], "prices": {},
                   "rules": {}, "rates": {**FX_RATES}, "leverage": str(rng.choice((30, 100, 500))), "credit": rng.choice(("0", "250"))}
    for symbol in rng.sample(sorted(PAIRS), rng.randint(1, 3)):
        base, quote, price = PAIRS[symbol]
        mode = rng.choice(MODES)
        bid = D(around(rng, price, 3)).quantize(D("1e-5"))
        found["prices"][symbol] = {"bid": str(bid), "ask": str(bid + D(price) / 10_000), "last": str(bid)}
        found["rules"][symbol] = {"base": base, "quote": quote, "contract_size": rng.choice(("1000", "100000")), "calc_mode": mode,
                                  "margin_rate": rng.choice(("1", {"long": "1", "short": "0.5"})),
                                  "hedged_factor": rng.choice(("0.5", "0.25")),
                                  "hedged_mode": rng.choice(("factor", "larger")), "initial_margin": "900",
                                  "tick_size": "0.01", "tick_value": "0.02"}
        for ticket in range(rng.randint(1, 3)):
            row = {"id": f"{symbol}{ticket}", "symbol": symbol, "side": rng.choice(("LONG", "SHORT")),
                   "quantity": str(D(rng.randint(1, 90)) / 100),
                   "entry_price": around(rng, price, 3), "swap": str(rng.randint(-20, 5)), "commission": str(-rng.randint(0, 9))}
            found["positions"].append(row | rng.choice(({}, {"open_rate": "1.2"})))
    if rng.random() < 0.3:
        found["thresholds"] = {"mode": "money", "warning": "3000", "margin_call": "2000", "liquidation": "1000", "release": "2500"}
    return found
