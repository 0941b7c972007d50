"""Bybit v5 frames and REST rows, field by field as documented."""

import hashlib
import itertools
import uuid
from collections.abc import Iterator, Sequence
from decimal import Decimal

from schemas.money import ZERO, say_short
from streams.venues.simulator import books, margin
from streams.venues.simulator.amounts import Json, mean
from streams.venues.simulator.books import BOTH, LONG, Account, Algo, Fill, Order, Position
from streams.venues.simulator.exchange import Exchange
from streams.venues.simulator.venue import Switches

_STATUS = {books.NEW: "New", books.PARTLY: "PartiallyFilled", books.FILLED: "Filled", books.CANCELED: "Cancelled",
           books.EXPIRED: "Cancelled", books.EXPIRED_IN_MATCH: "Cancelled"}
_ALGO = {books.NEW: "Untriggered", "TRIGGERING": "Triggered", "REJECTED": "Rejected", books.CANCELED: "Deactivated"}
_LEG = {BOTH: 0, LONG: 1, books.SHORT: 2}


def order_id(number: int) -> str:
    """Bybit's ids are UUIDs; the same number is always the same one."""
    return str(uuid.UUID(bytes=hashlib.sha256(f"bybit/{number}".encode()).digest()[:16]))


def side(word: str) -> str:
    """Buy or Sell."""
    return word.capitalize()


class BybitWire:
    """Shapes of one exchange; all methods only read."""

    def __init__(self, exchange: Exchange, switches: Switches) -> None:
        self.exchange, self._switches = exchange, switches
        self._sequence = itertools.count(140_612_148_849_382)

    def frames(self, account: Account, events: Sequence[books.Event]) -> Iterator[tuple[str, list[Json]]]:
        """Topic and rows of one transaction: orders, all executions in one frame, positions (changed or not), the wallet."""
        orders: list[Json] = []
        fills: list[Json] = []
        for event in events:
            if isinstance(event, books.OrderMoved):
                orders.append(self.order(account, event.order))
                if event.fill:
                    fills.append(self.execution(event.order, event.fill))
            elif isinstance(event, books.AlgoMoved) and event.algo.status in _ALGO:
                orders.append(self.algo(event.algo))
        yield from (("order", [row]) for row in orders + (orders[-1:] if self._switches.double_filled and fills else []))
        wallet = [self.wallet(account)] if any(isinstance(event, books.AccountMoved) for event in events) else []
        rest = (("execution", fills), ("position", self._positions_moved(account, events)), ("wallet", wallet))
        yield from ((topic, rows) for topic, rows in rest if rows)

    def _positions_moved(self, account: Account, events: Sequence[books.Event]) -> list[Json]:
        moved: dict[tuple[str, str], Position] = {}
        for event in events:
            if isinstance(event, books.OrderMoved):
                key = (event.order.symbol, event.order.position_side)
                moved.setdefault(key, account.positions.get(key) or Position(*key))
            elif isinstance(event, books.AccountMoved):
                moved |= {(one.symbol, one.side): one for one in event.positions}
            elif isinstance(event, books.ConfigMoved) and event.symbol:
                moved |= {(event.symbol, BOTH): account.positions.get((event.symbol, BOTH)) or Position(event.symbol, BOTH)}
        return [self.position(account, one) for one in moved.values()]

    def order(self, account: Account, order: Order) -> Json:
        """Stream and REST rows are the same."""
        left = order.left if order.status in books.OPEN else ZERO
        return {
            "category": "linear", "symbol": order.symbol, "orderId": order_id(order.algo_id or order.id), "orderLinkId": order.client_id,
            "blockTradeId": "", "side": side(order.side),
            "positionIdx": _LEG[order.position_side], "orderStatus": _STATUS[order.status],
            "cancelType": "CancelByUser" if order.status == books.CANCELED else "UNKNOWN",
            "rejectReason": "EC_NoError" if order.status != books.EXPIRED_IN_MATCH else "EC_CancelBySmp",
            "timeInForce": "PostOnly" if order.tif == "GTX" else ("IOC" if order.type == "MARKET" else order.tif), "isLeverage": "",
            "price": say_short(order.price), "qty": say_short(order.quantity),
            "avgPrice": mean(order.average) if order.filled else "", "leavesQty": say_short(left),
            "leavesValue": say_short(left * order.price),
            "cumExecQty": say_short(order.filled), "cumExecValue": say_short(order.cost), "cumExecFee": say_short(order.fees),
            "orderType": order.type.capitalize(), "stopOrderType": "Stop" if order.algo_id else "", "orderIv": "",
            "triggerPrice": say_short(order.stop_price) if order.stop_price else "", "takeProfit": "", "stopLoss": "",
            "triggerBy": "", "tpTriggerBy": "", "slTriggerBy": "", "triggerDirection": 0, "placeType": "",
            "lastPriceOnCreated": "", "closeOnTrigger": order.close_position, "reduceOnly": order.reduce_only, "smpGroup": 0,
            "smpType": "None", "smpOrderId": "", "slLimitPrice": "0", "tpLimitPrice": "0", "tpslMode": "UNKNOWN",
            "createType": "CreateByUser" if not order.client_id.startswith("autoclose-") else "CreateByLiq", "marketUnit": "",
            "createdTime": str(order.created_ms), "updatedTime": str(order.updated_ms), "feeCurrency": "", "closedPnl": "0",
            "cumFeeDetail": {self.exchange.instruments[order.symbol].quote: say_short(order.fees)} if order.fees else {},
            "slippageTolerance": "0",
            "slippageToleranceType": "UNKNOWN"}

    def algo(self, algo: Algo) -> Json:
        """A conditional order keeps its id when it triggers."""
        row = self.order(Account("", "", "", "", "", 0), algo.order)
        return {**row, "orderId": order_id(algo.id), "orderStatus": _ALGO[algo.status], "stopOrderType": "Stop",
                "triggerPrice": say_short(algo.order.stop_price), "triggerDirection": 1, "triggerBy": "LastPrice",
                "orderType": "Market" if "MARKET" in algo.order.type else "Limit", "createdTime": str(algo.created_ms),
                "updatedTime": str(algo.updated_ms)}

    def execution(self, order: Order, fill: Fill) -> Json:
        """One fill."""
        value = fill.quantity * fill.price
        forced = order.client_id.startswith("autoclose-")
        return {
            "category": "linear", "symbol": fill.symbol, "closedSize": say_short(fill.quantity if fill.realised else ZERO),
            "execFee": say_short(fill.fee), "execId": order_id(-fill.id), "execPrice": say_short(fill.price),
            "execQty": say_short(fill.quantity), "execType": "BustTrade" if forced else "Trade", "execValue": say_short(value),
            "feeRate": mean(fill.fee / value), "tradeIv": "", "markIv": "", "blockTradeId": "", "indexPrice": "", "underlyingPrice": "",
            "markPrice": say_short(self.exchange.marks[fill.symbol]), "leavesQty": say_short(order.left),
            "orderId": order_id(order.algo_id or order.id), "orderLinkId": order.client_id, "orderPrice": say_short(order.price),
            "orderQty": say_short(order.quantity), "orderType": order.type.capitalize(), "stopOrderType": "UNKNOWN",
            "side": side(fill.side), "execTime": str(fill.time_ms), "isLeverage": "0", "isMaker": fill.maker, "seq": next(self._sequence),
            "marketUnit": "", "execPnl": say_short(fill.realised), "createType": "CreateByUser", "extraFees": "", "feeCurrency": fill.asset}

    def position(self, account: Account, position: Position) -> Json:
        """Flat is `side` "" and size 0."""
        market, flat = self.exchange.market, not position.amount
        word = "" if flat else ("Buy" if position.amount > 0 else "Sell")
        liquidation = margin.liquidation_price(account, position, market)
        return {
            "positionIdx": _LEG[position.side], "tradeMode": int(position.isolated), "riskId": 1, "riskLimitValue": "2000000",
            "symbol": position.symbol, "side": word, "size": say_short(abs(position.amount)), "entryPrice": say_short(position.entry),
            "avgPrice": say_short(position.entry), "leverage": str(margin.leverage(account, position.symbol)),
            "positionValue": say_short(abs(position.amount) * position.entry), "positionBalance": say_short(position.isolated_wallet),
            "markPrice": say_short(market.marks[position.symbol]), "positionIM": mean(margin.initial(account, position, market)),
            "positionMM": mean(margin.maintenance(position, market)), "takeProfit": "0", "stopLoss": "0", "trailingStop": "0",
            "unrealisedPnl": mean(margin.unrealised(position, market)), "curRealisedPnl": say_short(-position.spent),
            "cumRealisedPnl": say_short(position.realised), "sessionAvgPrice": "0",
            "createdTime": str(account.opened_ms), "updatedTime": str(position.updated_ms), "tpslMode": "Full",
            "liqPrice": say_short(liquidation.quantize(Decimal("0.01"))) if liquidation else "", "bustPrice": "", "category": "linear",
            "positionStatus": "Normal", "adlRankIndicator": 0 if flat else 2, "autoAddMargin": 0, "leverageSysUpdatedTime": "",
            "mmrSysUpdatedTime": "", "seq": next(self._sequence), "isReduceOnly": False}

    def wallet(self, account: Account) -> Json:
        """The account with all coins."""
        pools = {asset: margin.pool(account, asset, self.exchange.market) for asset in account.balances}
        wallet, pnl, need, free, first = (sum(figures, ZERO) for figures in zip(*(
            (one.wallet, one.unrealised, one.maintenance, one.available, one.position_margin + one.order_margin)
            for one in pools.values()), strict=True)) if pools else (ZERO,) * 5
        equity = wallet + pnl
        coins = [{"coin": asset, "equity": mean(one.wallet + one.unrealised), "usdValue": mean(one.wallet + one.unrealised),
                  "walletBalance": say_short(one.wallet), "availableToWithdraw": "", "availableToBorrow": "", "borrowAmount": "0",
                  "accruedInterest": "0", "totalOrderIM": mean(one.order_margin), "totalPositionIM": mean(one.position_margin),
                  "totalPositionMM": mean(one.maintenance), "unrealisedPnl": mean(one.unrealised), "cumRealisedPnl": "0", "bonus": "0",
                  "collateralSwitch": True, "marginCollateral": True, "locked": "0", "spotHedgingQty": "0"} for asset, one in pools.items()]
        return {"accountIMRate": mean(first / equity) if equity > 0 else "0", "accountMMRate": mean(need / equity) if equity > 0 else "0",
                "totalEquity": mean(equity), "totalWalletBalance": mean(wallet),
                "totalMarginBalance": mean(equity), "totalAvailableBalance": mean(free),
                "totalPerpUPL": mean(pnl), "totalInitialMargin": mean(first),
                "totalMaintenanceMargin": mean(need), "coin": coins, "accountLTV": "0", "accountType": "UNIFIED"}
