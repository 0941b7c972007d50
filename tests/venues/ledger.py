"""A small Binance account for tests: what it did is the truth, its frames and its REST answers say the same in the venue's words."""

import random
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

Json = dict[str, Any]
SYMBOLS = ("BTCUSDT", "ETHUSDT", "1000SHIBUSDT")
D = Decimal
NOTHING, STAKE = D(0), D(10_000)


@dataclass
class Order:
    ident: int
    symbol: str
    side: str
    quantity: Decimal
    price: Decimal
    filled: Decimal = NOTHING
    status: str = "NEW"
    updated_ms: int = 0
    algo: bool = False


@dataclass
class Ledger:
    """Every change returns its frames, in the venue's order, and is dated by the given time."""

    chance: random.Random
    wallet: Decimal = STAKE
    wallet_ms: int = 0
    positions: dict[str, tuple[Decimal, Decimal, int]] = field(default_factory=dict)  # symbol -> amount, entry, changed
    orders: dict[int, Order] = field(default_factory=dict)
    fills: list[Json] = field(default_factory=list)
    income: list[Json] = field(default_factory=list)
    rows: dict[int, Json] = field(default_factory=dict)  # of orders, as REST tells them; a change makes a new one
    number: int = 9_007_199_254_740_993  # past 2^53

    def act(self, now_ms: int) -> list[Json]:
        """Something a user does."""
        live = [order for order in self.orders.values() if order.status in ("NEW", "PARTIALLY_FILLED") and not order.algo]
        algos = [order for order in self.orders.values() if order.status == "NEW" and order.algo]
        chosen = self.chance.random()
        if chosen < 0.35 or not live:
            return self._place(now_ms, algo=self.chance.random() < 0.2)
        if chosen < 0.75:
            return self._fill(self.chance.choice(live), now_ms)
        if chosen < 0.85:
            return self._end(self.chance.choice([*live, *algos]), "CANCELED", now_ms)
        if chosen < 0.95:
            return self.deposit(D(self.chance.randint(1, 100)), now_ms)
        return self._fund(now_ms)

    def deposit(self, amount: Decimal, now_ms: int) -> list[Json]:
        self._pay(amount, "TRANSFER", "", now_ms)
        return [self._account("DEPOSIT", [], now_ms)]

    def _place(self, now_ms: int, algo: bool) -> list[Json]:
        self.number += 1
        order = Order(self.number, self.chance.choice(SYMBOLS), self.chance.choice(("BUY", "SELL")), D(self.chance.randint(1, 9)),
                      D(self.chance.randint(90, 110)), updated_ms=now_ms, algo=algo)
        self.orders[order.ident] = order
        return [self._algo(order, now_ms)] if algo else [self._order(order, "NEW", now_ms)]

    def _end(self, order: Order, status: str, now_ms: int) -> list[Json]:
        order.status, order.updated_ms = status, now_ms
        return [self._algo(order, now_ms)] if order.algo else [self._order(order, status, now_ms)]

    def _fill(self, order: Order, now_ms: int) -> list[Json]:
        self.number += 1
        quantity = min(order.quantity - order.filled, D(self.chance.randint(1, 9)))
        order.filled += quantity
        order.status = "FILLED" if order.filled == order.quantity else "PARTIALLY_FILLED"
        order.updated_ms = now_ms
        pnl = self._move(order.symbol, quantity if order.side == "BUY" else -quantity, order.price, now_ms)
        fee = quantity * order.price * D("0.0004")
        fill = {"symbol": order.symbol, "id": self.number % 10**9, "orderId": order.ident, "side": order.side, "price": str(order.price),
                "qty": str(quantity), "realizedPnl": str(pnl), "commission": str(fee), "commissionAsset": "USDT", "time": now_ms,
                "positionSide": "BOTH", "maker": True, "buyer": order.side == "BUY", "quoteQty": str(quantity * order.price)}
        self.fills.append(fill)
        self._pay(pnl - fee, "COMMISSION", order.symbol, now_ms)
        lite = {"e": "TRADE_LITE", "E": now_ms, "T": now_ms, "s": order.symbol, "q": str(order.quantity), "p": str(order.price), "m": True,
                "c": f"c{order.ident}", "S": order.side, "L": str(order.price), "l": str(quantity), "t": fill["id"], "i": order.ident}
        return [lite, self._account("ORDER", [order.symbol], now_ms), self._order(order, "TRADE", now_ms, fill)]

    def _move(self, symbol: str, by: Decimal, price: Decimal, now_ms: int) -> Decimal:
        amount, entry, _ = self.positions.get(symbol, (D(0), D(0), 0))
        closed = min(abs(by), abs(amount)) if amount * by < 0 else D(0)
        pnl = closed * (price - entry) * (1 if amount > 0 else -1)
        after = amount + by
        if amount * by >= 0:
            entry = (amount * entry + by * price) / after
        elif after * amount < 0:
            entry = price
        self.positions[symbol] = (after, entry.quantize(D("0.0001")) if after else D(0), now_ms)
        return pnl

    def _pay(self, amount: Decimal, kind: str, symbol: str, now_ms: int) -> None:
        self.wallet, self.wallet_ms = self.wallet + amount, now_ms
        self.income.append({"symbol": symbol, "incomeType": kind, "income": str(amount), "asset": "USDT", "time": now_ms,
                            "tranId": len(self.income), "tradeId": "", "info": ""})

    def _fund(self, now_ms: int) -> list[Json]:
        self._pay(D("-0.25"), "FUNDING_FEE", "BTCUSDT", now_ms)
        return [self._account("FUNDING_FEE", [], now_ms)]

    def _account(self, why: str, symbols: list[str], now_ms: int) -> Json:
        held = [{"s": name, "pa": str(self.positions[name][0]), "ep": str(self.positions[name][1]), "cr": "0", "up": "0", "mt": "cross",
                 "iw": "0", "ps": "BOTH", "ma": "USDT", "bep": "0"} for name in symbols]
        wallet = {"a": "USDT", "wb": str(self.wallet), "cw": str(self.wallet), "bc": "0"}
        return {"e": "ACCOUNT_UPDATE", "E": now_ms, "T": now_ms, "a": {"B": [wallet], "P": held, "m": why}}

    def _order(self, order: Order, execution: str, now_ms: int, fill: Json | None = None) -> Json:
        fill = fill or {}
        self.rows[order.ident] = self._row(order)
        return {"e": "ORDER_TRADE_UPDATE", "E": now_ms, "T": now_ms, "o": {
            "s": order.symbol, "c": f"c{order.ident}", "S": order.side, "o": "LIMIT", "f": "GTC", "q": str(order.quantity),
            "p": str(order.price), "ap": "0", "sp": "0", "x": execution, "X": order.status, "i": order.ident, "l": fill.get("qty", "0"),
            "z": str(order.filled), "L": fill.get("price", "0"), "T": now_ms, "t": fill.get("id", 0), "b": "0", "a": "0", "m": True,
            "R": False, "wt": "CONTRACT_PRICE", "ot": "LIMIT", "ps": "BOTH", "cp": False, "rp": fill.get("realizedPnl", "0"), "pP": False,
            "si": 0, "ss": 0, "V": "NONE", "pm": "NONE", "gtd": 0, "er": "0"} | (
                {"N": "USDT", "n": fill["commission"]} if fill else {})}

    def _algo(self, order: Order, now_ms: int) -> Json:
        self.rows[order.ident] = self._row(order)
        return {"e": "ALGO_UPDATE", "E": now_ms, "T": now_ms, "o": {
            "caid": f"c{order.ident}", "aid": order.ident, "at": "CONDITIONAL", "o": "STOP_MARKET", "s": order.symbol, "S": order.side,
            "ps": "BOTH", "f": "GTC", "q": str(order.quantity), "X": order.status, "ai": "", "ap": "0", "aq": "0", "act": "", "tp": "95",
            "p": "0", "V": "NONE", "wt": "CONTRACT_PRICE", "pm": "NONE", "cp": False, "pP": False, "R": False, "tt": 0, "gtd": 0}}

    def open_positions(self) -> dict[str, Decimal]:
        return {name: amount for name, (amount, _, _) in self.positions.items() if amount}

    def open_orders(self) -> set[tuple[str, str, Decimal]]:
        """(symbol, id, filled)."""
        return {(order.symbol, str(order.ident), order.filled) for order in self.orders.values()
                if order.status in ("NEW", "PARTIALLY_FILLED")}

    # -- REST --------------------------------------------------------------------------------------------------------------------------

    def answers(self) -> dict[str, Any]:
        """Every list as REST tells it now: to be kept, and told later, where REST lags."""
        held = {name: one for name, one in self.positions.items() if one[0]}
        asset = {"asset": "USDT", "walletBalance": str(self.wallet), "crossWalletBalance": str(self.wallet), "updateTime": self.wallet_ms,
                 "unrealizedProfit": "0", "marginBalance": str(self.wallet), "maintMargin": "0", "initialMargin": "0",
                 "availableBalance": str(self.wallet), "positionInitialMargin": "0", "openOrderInitialMargin": "0", "crossUnPnl": "0",
                 "maxWithdrawAmount": str(self.wallet)}
        risks = [{"symbol": name, "positionSide": "BOTH", "positionAmt": str(amount), "entryPrice": str(entry), "breakEvenPrice": "0",
                  "markPrice": "100", "unRealizedProfit": "0", "liquidationPrice": "0", "isolatedMargin": "0", "isolatedWallet": "0",
                  "notional": "0", "marginAsset": "USDT", "initialMargin": "0", "maintMargin": "0", "adl": 0, "updateTime": at}
                 for name, (amount, entry, at) in held.items()]
        return {"account": {"assets": [asset], "positions": [
            {"symbol": row["symbol"], "positionSide": "BOTH", "positionAmt": row["positionAmt"], "unrealizedProfit": "0",
             "isolatedMargin": "0", "notional": "0", "isolatedWallet": "0", "initialMargin": "0", "maintMargin": "0",
             "updateTime": row["updateTime"]} for row in risks]},
            "positionRisk": risks, "orders": self.rows.copy()}

    def _row(self, order: Order) -> Json:
        if order.algo:
            return {"algoId": order.ident, "clientAlgoId": f"c{order.ident}", "algoType": "CONDITIONAL", "orderType": "STOP_MARKET",
                    "symbol": order.symbol, "side": order.side, "positionSide": "BOTH", "timeInForce": "GTC",
                    "quantity": str(order.quantity), "algoStatus": order.status, "actualOrderId": "", "actualPrice": "0",
                    "triggerPrice": "95", "price": "0", "workingType": "CONTRACT_PRICE", "closePosition": False, "priceProtect": False,
                    "reduceOnly": False, "createTime": order.updated_ms, "updateTime": order.updated_ms, "triggerTime": 0,
                    "goodTillDate": 0}
        return {"avgPrice": "0", "clientOrderId": f"c{order.ident}", "cumQuote": "0", "executedQty": str(order.filled),
                "orderId": order.ident, "origQty": str(order.quantity), "origType": "LIMIT", "price": str(order.price),
                "reduceOnly": False, "side": order.side, "positionSide": "BOTH", "status": order.status, "stopPrice": "0",
                "closePosition": False, "symbol": order.symbol, "time": order.updated_ms, "timeInForce": "GTC", "type": "LIMIT",
                "updateTime": order.updated_ms, "workingType": "CONTRACT_PRICE", "priceProtect": False, "priceMatch": "NONE",
                "selfTradePreventionMode": "NONE", "goodTillDate": 0}


def rows_of(ledger: Ledger, part: str, seen: Json, asked: tuple[dict[str, str], int]) -> Any:
    """A list question's answer, of what REST had seen by then; `asked`: parameters and that moment (ms)."""
    params, at_ms = asked
    if part in ("income", "userTrades"):
        rows = ledger.income if part == "income" else ledger.fills
        return [row for row in rows if int(params["startTime"]) <= row["time"] <= at_ms
                and params.get("symbol", row["symbol"]) == row["symbol"]]
    if part == "openOrders":
        return [row for row in seen["orders"].values() if row.get("status") in ("NEW", "PARTIALLY_FILLED")]
    if part == "openAlgoOrders":
        return [row for row in seen["orders"].values() if row.get("algoStatus") == "NEW"]
    if part == "accountConfig":
        return {"dualSidePosition": False, "multiAssetsMargin": False, "canTrade": True, "feeTier": 0, "updateTime": 0}
    return seen.get(part, [])
