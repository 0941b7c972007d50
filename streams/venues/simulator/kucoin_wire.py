"""KuCoin Futures frames and REST rows: JSON floats, nanoseconds, contracts."""

from decimal import Decimal

from schemas.money import ZERO, say, say_short
from streams.venues.simulator import books, margin
from streams.venues.simulator.amounts import Json, mean
from streams.venues.simulator.books import Account, Algo, Fill, Order, Position
from streams.venues.simulator.exchange import Exchange

_TYPES = {books.NEW: "open", books.TRADE: "match", books.CALCULATED: "match", books.CANCELED: "canceled", books.EXPIRED: "canceled",
          books.AMENDMENT: "update"}


def ns(time_ms: int) -> int:
    """Nanoseconds, as KuCoin stamps orders."""
    return time_ms * 1_000_000 + 138_917


def number(amount: Decimal) -> float | int:
    """A JSON number; whole ones without a point."""
    return int(amount) if amount == amount.to_integral_value() else float(amount)


class KucoinWire:
    """Shapes of one exchange; all methods only read."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange

    def order_frames(self, account: Account, event: books.OrderMoved) -> list[Json]:
        """One row, and `filled` without a match price after the last match."""
        order, execution, fill = event
        rows = [self._order_frame(account, order, _TYPES[execution], fill)]
        if order.status == books.FILLED and fill is not None:
            rows.append(self._order_frame(account, order, "filled", None))
        return rows

    def _order_frame(self, account: Account, order: Order, kind: str, fill: Fill | None) -> Json:
        match: Json = {"matchSize": say_short(fill.quantity), "matchPrice": say_short(fill.price), "tradeId": str(fill.id)} if fill else {}
        if fill:
            match |= {"feeType": "makerFee" if fill.maker else "takerFee"}
        status = "done" if kind in {"filled", "canceled"} else ("match" if kind == "match" else "open")
        canceled = order.left if kind == "canceled" else ZERO
        return {"symbol": order.symbol, "orderType": order.type.lower(), "side": order.side.lower(), "canceledSize": say_short(canceled),
                "orderId": str(order.id), "liquidity": "maker" if fill and fill.maker else "taker",
                "marginMode": self._mode(account, order.symbol),
                "type": kind, "orderTime": ns(order.created_ms), "size": say_short(order.quantity), "filledSize": say_short(order.filled),
                "price": say_short(order.price) if order.price else "", **match, "remainSize": say_short(order.left - canceled),
                "status": status, "ts": ns(order.updated_ms), "clientOid": order.client_id, "tradeType": _trade_type(order),
                "positionSide": order.position_side}

    def _mode(self, account: Account, symbol: str) -> str:
        return "ISOLATED" if symbol in account.isolated else "CROSS"

    def stop_frame(self, algo: Algo, kind: str) -> Json:
        """The `stopOrder` row: open, triggered, cancel."""
        order = algo.order
        rises = order.stop_price > self.exchange.instruments[order.symbol].price
        return {"orderId": str(algo.id), "symbol": order.symbol, "type": kind, "orderType": "stop", "side": order.side.lower(),
                "size": say_short(order.quantity), "orderPrice": say_short(order.price) if order.price else "",
                "stop": "up" if rises else "down", "stopPrice": say_short(order.stop_price), "stopPriceType": "TP",
                "triggerSuccess": algo.status == "TRIGGERED", "error": algo.reason, "createdAt": algo.created_ms, "ts": ns(algo.updated_ms),
                "marginMode": "CROSS"}

    def order(self, account: Account, order: Order) -> Json:
        """An order as REST lists it."""
        active = order.status in books.OPEN
        instrument = self.exchange.instruments[order.symbol]
        return {"id": str(order.id), "symbol": order.symbol, "type": order.type.lower(), "side": order.side.lower(),
                "price": say_short(order.price) if order.price else "0", "size": number(order.quantity),
                "value": mean(order.quantity * instrument.contract_size * (order.price or self.exchange.marks[order.symbol])),
                "dealValue": mean(order.cost * instrument.contract_size), "dealSize": number(order.filled), "stp": "", "stop": "",
                "stopPriceType": "", "stopTriggered": bool(order.algo_id), "stopPrice": None, "timeInForce": order.tif,
                "postOnly": order.tif == "GTX", "hidden": False, "iceberg": False,
                "leverage": str(margin.leverage(account, order.symbol)), "forceHold": False, "closeOrder": order.close_position,
                "visibleSize": 0, "clientOid": order.client_id, "remark": None, "tags": None, "isActive": active,
                "cancelExist": order.status == books.CANCELED, "createdAt": order.created_ms, "updatedAt": order.updated_ms,
                "endAt": None if active else order.updated_ms, "orderTime": ns(order.created_ms), "settleCurrency": instrument.quote,
                "marginMode": self._mode(account, order.symbol), "avgDealPrice": mean(order.average), "filledSize": number(order.filled),
                "filledValue": mean(order.cost * instrument.contract_size), "status": "open" if active else "done",
                "reduceOnly": order.reduce_only, "positionSide": order.position_side}

    def stop_order(self, account: Account, algo: Algo) -> Json:
        """A conditional order as REST lists it."""
        row = self.order(account, algo.order)
        return {**row, "id": str(algo.id), "stop": self.stop_frame(algo, "open")["stop"], "stopPriceType": "TP",
                "stopPrice": say_short(algo.order.stop_price), "createdAt": algo.created_ms, "updatedAt": algo.updated_ms}

    def fill(self, fill: Fill) -> Json:
        """A row of `fills`."""
        size = self.exchange.instruments[fill.symbol].contract_size
        return {"symbol": fill.symbol, "tradeId": str(fill.id), "orderId": str(fill.order_id), "side": fill.side.lower(),
                "liquidity": "maker" if fill.maker else "taker", "forceTaker": False, "price": say_short(fill.price),
                "size": number(fill.quantity), "value": mean(fill.quantity * fill.price * size),
                "openFeePay": say_short(fill.fee),
                "closeFeePay": "0", "stop": "", "feeRate": say(self.exchange.instruments[fill.symbol].taker_fee), "fixFee": "0",
                "feeCurrency": fill.asset, "tradeTime": ns(fill.time_ms), "marginMode": "CROSS", "settleCurrency": fill.asset,
                "displayType": "limit", "fee": say_short(fill.fee), "orderType": "market", "tradeType": "trade", "createdAt": fill.time_ms,
                "positionSide": fill.position_side}

    def _marked(self, account: Account, position: Position) -> Json:
        market = self.exchange.market
        pnl, value = margin.unrealised(position, market), margin.notional(position, market)
        first, cost = margin.initial(account, position, market), self._cost(position)
        return {"markPrice": number(market.marks[position.symbol]), "markValue": float(value.copy_sign(position.amount)),
                "maintMargin": float(margin.maintenance(position, market)),
                "realLeverage": float(margin.leverage(account, position.symbol)),
                "unrealisedPnl": float(pnl), "unrealisedRoePcnt": float(round(pnl / first, 4)) if first else 0.0,
                "unrealisedPnlPcnt": float(round(pnl / abs(cost), 4)) if cost else 0.0, "delevPercentage": 0.52,
                "currentTimestamp": self.exchange.clock.now_ms(), "settleCurrency": self.exchange.instruments[position.symbol].quote}

    def _cost(self, position: Position) -> Decimal:
        return position.amount * position.entry * self.exchange.instruments[position.symbol].contract_size

    def marked(self, account: Account, position: Position) -> Json:
        """The partial `markPriceChange` row: no symbol in it."""
        return {**self._marked(account, position), "changeReason": "markPriceChange"}

    def position(self, account: Account, position: Position, reason: str = "") -> Json:
        """The whole row, in the stream (with its reason) and in REST."""
        market, instrument = self.exchange.market, self.exchange.instruments[position.symbol]
        cost, first = self._cost(position), margin.initial(account, position, market)
        tier = margin.bracket(instrument, margin.notional(position, market))
        liquidation = margin.liquidation_price(account, position, market)
        return {
            "id": f"3000000000{account.uid}{sum(map(ord, position.symbol)) % 997:03d}", "symbol": position.symbol,
            "crossMode": not position.isolated, "liquidationPrice": float(round(liquidation, 4)), "posLoss": 0.0,
            "avgEntryPrice": number(position.entry), "posMargin": float(position.isolated_wallet or first), "autoDeposit": False,
            "riskLimit": int(tier.cap), "unrealisedCost": float(cost), "posComm": float(abs(cost) * instrument.taker_fee),
            "posMaint": float(margin.maintenance(position, market)), "posCost": float(cost), "maintMarginReq": float(tier.rate),
            "bankruptPrice": float(round(liquidation, 4)), "realisedCost": float(position.spent), "posInit": float(first),
            "realisedPnl": float(-position.spent), "currentCost": float(cost), "openingTimestamp": position.updated_ms or None,
            "currentQty": number(position.amount), "currentComm": float(max(position.spent, ZERO)),
            "realisedGrossCost": float(-position.realised),
            "realisedGrossPnl": float(position.realised), "isOpen": bool(position.amount), "posCross": 0.0, "posFunding": 0.0,
            "riskLimitLevel": instrument.brackets.index(tier) + 1,
            "leverage": float(margin.leverage(account, position.symbol)),
            "marginMode": "ISOLATED" if position.isolated else "CROSS", "positionSide": position.side,
            **self._marked(account, position), **({"changeReason": reason} if reason else {})}

    def wallet(self, account: Account, asset: str) -> Json:
        """The `walletBalance.change` row; `version` orders them."""
        whole, balance = margin.pool(account, asset, self.exchange.market), account.balances[asset]
        return {"crossPosMargin": mean(whole.position_margin), "isolatedOrderMargin": "0", "holdBalance": "0",
                "equity": mean(whole.wallet + whole.unrealised), "version": str(balance.version), "availableBalance": mean(whole.available),
                "isolatedPosMargin": mean(whole.wallet - whole.cross_wallet), "walletBalance": say_short(balance.wallet),
                "isolatedFundingFeeMargin": "0", "crossUnPnl": mean(whole.cross_unrealised), "totalCrossMargin": mean(whole.cross_wallet),
                "currency": asset, "isolatedUnPnl": mean(whole.unrealised - whole.cross_unrealised),
                "crossOrderMargin": mean(whole.order_margin), "timestamp": str(balance.updated_ms)}

    def overview(self, account: Account, asset: str) -> Json:
        """`account-overview` of one currency; zeros where it has none."""
        whole = margin.pool(account, asset, self.exchange.market)
        equity = whole.wallet + whole.unrealised
        return {"accountEquity": float(equity), "unrealisedPNL": float(whole.unrealised), "marginBalance": float(whole.wallet),
                "positionMargin": float(whole.position_margin), "orderMargin": float(whole.order_margin), "frozenFunds": 0.0,
                "availableBalance": float(whole.available), "currency": asset, "availableMargin": float(whole.available),
                "riskRatio": float(round(whole.maintenance / equity, 6)) if equity > 0 else 0.0,
                "maxWithdrawAmount": float(whole.available)}


def _trade_type(order: Order) -> str:
    if order.client_id.startswith("autoclose-"):
        return "liquid"
    return "adl" if order.client_id.startswith("adl_autoclose") else "trade"
