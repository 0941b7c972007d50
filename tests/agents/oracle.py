"""A second law that shares nothing with the first: fractions, straight from the account's JSON; prices by bisection of its slack."""

from collections.abc import Callable
from fractions import Fraction as F  # noqa: N817  # figures read better short
from functools import lru_cache
from typing import Any, NamedTuple

Json = dict[str, Any]
FEE_REQUIRED = {"okx_swap"}
ENTRY_INITIAL = {"bybit_linear", "bybit_inverse", "okx_swap", "kucoin_futures"}  # of isolated positions
BYBIT = {"bybit_linear", "bybit_inverse"}
CAP_INCLUSIVE = {"bybit_linear", "bybit_inverse", "okx_swap", "kucoin_futures"}
FAR = F(10) ** 6


class Sum(NamedTuple):
    """Of one pool, in its asset."""

    equity: F
    initial: F
    maintenance: F
    required: F


@lru_cache(maxsize=100_000)
def number(value: str | int | None) -> F:
    return F(value or 0)


def inverse(rule: Json) -> bool:
    return bool(rule["settle"] == rule["base"])


def signed(row: Json) -> F:
    return number(row["quantity"]) * (-1 if row["side"] == "SHORT" else 1)


def tiered(rule: Json, size: F, *, inclusive: bool) -> F:
    """In the table's unit."""
    rows = rule["brackets"]
    for row in rows:
        if row["cap"] is None or size < number(row["cap"]) or (inclusive and size == number(row["cap"])):
            break
    flat = rule["tier_policy"] == "flat"
    return size * number(row["rate"]) - (0 if flat else number(row["amount"]))


def of_row(model: str, row: Json, rule: Json, price: F) -> Sum:
    """`equity` is the PnL."""
    size, entry, isolated = number(rule["contract_size"]), number(row["entry_price"]), row.get("margin_mode") == "isolated"
    quantity, coin = abs(signed(row)), inverse(rule)
    now, then = (quantity * size / at if coin else quantity * size * at for at in (price, entry))
    pnl = (then - now if coin else now - then) * (1 if signed(row) > 0 else -1)
    at_entry = model in BYBIT and (isolated or coin)
    value = then if at_entry else now
    if rule["tier_unit"] == "contracts":
        maintenance = tiered(rule, quantity, inclusive=model in CAP_INCLUSIVE) * value / quantity
    else:
        maintenance = tiered(rule, value, inclusive=model in CAP_INCLUSIVE)
    fee = now * number(rule["taker_fee"]) if model in FEE_REQUIRED or (model in BYBIT and coin and not isolated) else F(0)
    initial = (then if isolated and model in ENTRY_INITIAL else now) / number(row["leverage"])
    return Sum(pnl, initial, maintenance, maintenance + fee)


class Exchange:
    """One exchange account; `pool_at` moves one symbol's mark."""

    def __init__(self, account: Json) -> None:
        self.account, self.model = account, account["model"]
        self.marks = {symbol: number(found["mark"]) for symbol, found in account["prices"].items()}
        self.weighted = self.model == "binance_usdm_multi_asset"

    def rate(self, asset: str) -> F:
        return F(1) if asset == "USDT" else number(self.account["rates"][f"{asset}/USDT"])

    def pool_at(self, at: int, price: F | None = None) -> Sum:
        """The pool of the position number `at`, its symbol's mark at `price`."""
        own = self.account["positions"][at]
        marks = self.marks | ({own["symbol"]: price} if price is not None else {})
        rules, asset = self.account["rules"], self.account["rules"][own["symbol"]]["settle"]
        if own.get("margin_mode") == "isolated":
            pnl, *rest = of_row(self.model, own, rules[own["symbol"]], marks[own["symbol"]])
            return Sum(number(own["isolated_wallet"]) + pnl, *rest)
        return self.whole(marks) if self.weighted else self.cross(asset, marks)

    def cross(self, asset: str, marks: dict[str, F]) -> Sum:
        found = [number(self.account["balances"].get(asset)), F(0), F(0), F(0)]
        for row in self.account["positions"]:
            rule = self.account["rules"][row["symbol"]]
            if rule["settle"] == asset and row.get("margin_mode") == "isolated":
                found[0] -= number(row["isolated_wallet"])
            elif rule["settle"] == asset:
                found = [a + b for a, b in zip(found, of_row(self.model, row, rule, marks[row["symbol"]]), strict=True)]
        return Sum(*found)

    def whole(self, marks: dict[str, F]) -> Sum:
        total = [F(0)] * 4
        for asset in {*self.account["balances"], "USDT"} | {rule["settle"] for rule in self.account["rules"].values()}:
            found = self.cross(asset, marks)
            weight = number(self.account["collateral_weights"].get(asset, 1)) if found.equity > 0 else 1
            total[0] += found.equity * self.rate(asset) * weight
            total = [total[0], *(a + b * self.rate(asset) for a, b in zip(total[1:], found[1:], strict=True))]
        return Sum(*total)

    def edges(self, at: int) -> set[F]:
        """Marks at which something of the pool may bend or jump."""
        own = self.account["positions"][at]
        rule, found = self.account["rules"][own["symbol"]], set()
        for row in self.account["positions"]:
            unit = abs(signed(row)) * number(rule["contract_size"])
            for tier in rule["brackets"][1:] if row["symbol"] == own["symbol"] else ():
                found.add(unit / number(tier["floor"]) if inverse(rule) else number(tier["floor"]) / unit)
        if self.weighted:
            rows = [row for row in self.account["positions"] if row["symbol"] == own["symbol"]]
            net = sum((signed(row) for row in rows), F(0)) * number(rule["contract_size"])
            balance, mark = self.cross(rule["settle"], self.marks).equity, self.marks[own["symbol"]]
            found |= {mark - balance / net} if net and mark > balance / net else set()
        return found

    def slack(self, at: int, price: F) -> F:
        found = self.pool_at(at, price)
        return found.equity - found.required


class Fx:
    """One MT5 account; conversions stay, the spread stays."""

    def __init__(self, account: Json) -> None:
        self.account = account
        self.rows, self.rules = account["positions"], account["rules"]
        self.bids = {symbol: number(found["bid"]) for symbol, found in account["prices"].items()}

    def rate(self, currency: str) -> F:
        return {"USD": F(1), "EUR": number("1.1"), "XAU": F(2000), "JPY": 1 / F(150)}[currency]

    def closing(self, row: Json, bids: dict[str, F]) -> F:
        prices, bid = self.account["prices"][row["symbol"]], bids[row["symbol"]]
        return bid if row["side"] == "LONG" else bid + number(prices["ask"]) - number(prices["bid"])

    def own_margin(self, row: Json) -> F:
        rule, lots, leverage = self.rules[row["symbol"]], number(row["quantity"]), number(self.account["leverage"])
        share = rule["margin_rate"]
        share = number(share if isinstance(share, str) else share[row["side"].lower()])
        entry, size, mode = number(row["entry_price"]), number(rule["contract_size"]), rule["calc_mode"]
        index = number(rule["tick_value"]) / number(rule["tick_size"])
        amount = {"FOREX": lots * size / leverage, "FOREX_NO_LEVERAGE": lots * size, "CFD": lots * size * entry,
                  "CFD_LEVERAGE": lots * size * entry / leverage, "CFD_INDEX": lots * size * entry * index,
                  "FUTURES": lots * number(rule["initial_margin"]),
                  "EXCH_STOCKS": lots * size * number(self.account["prices"][row["symbol"]]["last"])}[mode]
        currency = rule["base"] if mode.startswith("FOREX") else rule["quote"]
        return amount * share * (number(row["open_rate"]) if row.get("open_rate") else self.rate(currency))

    def margin(self) -> F:
        total = F(0)
        for symbol, rule in self.rules.items():
            lots, sums = {"LONG": F(0), "SHORT": F(0)}, {"LONG": F(0), "SHORT": F(0)}
            for row in self.rows:
                if row["symbol"] == symbol:
                    lots[row["side"]] += number(row["quantity"])
                    sums[row["side"]] += self.own_margin(row)
            large, small = sorted(("LONG", "SHORT"), key=lambda side: (-lots[side], side))
            if not lots[small] or rule["hedged_mode"] == "larger":
                total += max(sums.values())
            else:
                average = (sums[large] + sums[small]) / (lots[large] + lots[small])
                total += sums[large] / lots[large] * (lots[large] - lots[small]) + 2 * lots[small] * number(rule["hedged_factor"]) * average
        return total

    def equity(self, bids: dict[str, F]) -> F:
        total = number(self.account["balances"]["USD"]) + number(self.account["credit"])
        for row in self.rows:
            rule = self.rules[row["symbol"]]
            gain = (self.closing(row, bids) - number(row["entry_price"])) * (1 if row["side"] == "LONG" else -1)
            total += gain * number(row["quantity"]) * number(rule["contract_size"]) * self.rate(rule["quote"])
            total += number(row["swap"]) + number(row["commission"])
        return total

    def slack(self, at: int, price: F) -> F:
        """`price` is the ticket's closing side."""
        row = self.rows[at]
        moved = self.bids[row["symbol"]] + price - self.closing(row, self.bids)
        money = self.account.get("thresholds")
        bound = number(money["liquidation"]) if money else self.margin() / 2
        return self.equity(self.bids | {row["symbol"]: moved}) - bound


def crossing(slack: Callable[[F], F], mark: F, edges: set[F], *, upward: bool) -> F | None:
    """The nearest price on one side of `mark` where the sign of the slack changes; between edges by bisection to 1e-13."""
    tiny = 1 - F(1, 10**15) if not upward else 1 + F(1, 10**15)
    far = mark * FAR if upward else mark / FAR
    ahead = sorted((edge for edge in edges if (mark < edge < far) or (far < edge < mark)), reverse=not upward)
    stops = [point for edge in [mark, *ahead, far] for point in ((edge, edge * tiny) if edge == mark else (edge / tiny, edge * tiny))]
    healthy, before = slack(mark) >= 0, mark
    for stop in stops[1:]:
        if (slack(stop) > 0) != healthy:
            return bisected(slack, before, stop, healthy=healthy)
        before = stop
    return None


def bisected(slack: Callable[[F], F], inner: F, outer: F, *, healthy: bool) -> F:
    while abs(outer - inner) > abs(inner) / 10**13:
        middle = ((inner + outer) / 2).limit_denominator(10**24)
        if (slack(middle) > 0) == healthy:
            inner = middle
        else:
            outer = middle
    return (inner + outer) / 2
