"""OKX v5 frames and REST rows of linear swaps, field by field as captured and documented."""

from decimal import Decimal

from schemas.money import ZERO, say, say_short
from streams.venues.simulator import books, margin
from streams.venues.simulator.amounts import Json, mean
from streams.venues.simulator.books import BOTH, LONG, Account, Algo, Fill, Order, Position
from streams.venues.simulator.exchange import Exchange

_STATE = {books.NEW: "live", books.PARTLY: "partially_filled", books.FILLED: "filled", books.CANCELED: "canceled",
          books.EXPIRED: "canceled", books.EXPIRED_IN_MATCH: "canceled"}
_ALGO = {books.NEW: "live", "TRIGGERING": "effective", "TRIGGERED": "effective", "FINISHED": "effective", "REJECTED": "order_failed",
         books.CANCELED: "canceled"}
LEGS = {BOTH: "net", LONG: "long", books.SHORT: "short"}
KINDS = {"GTX": "post_only", "IOC": "ioc", "FOK": "fok"}
# Fields that a swap leaves empty, as the venue sends them.
_ORDER_EMPTY = dict.fromkeys((
    "algoClOrdId", "algoId", "amendResult", "amendSource", "attachAlgoClOrdId", "ccy", "fillFwdPx", "fillMarkVol", "fillPxUsd", "fillPxVol",
    "pxType", "pxUsd", "pxVol", "quickMgnType", "reqId", "slOrdPx", "slTriggerPx", "slTriggerPxType", "source", "stpId", "tag", "tgtCcy",
    "tpOrdPx", "tpTriggerPx", "tpTriggerPxType", "msg"), "")
_POSITION_EMPTY = dict.fromkeys((
    "deltaBS", "deltaPA", "gammaBS", "gammaPA", "liab", "liabCcy", "optVal", "pendingCloseOrdLiabVal", "baseBal", "baseBorrowed",
    "baseInterest", "quoteBal", "quoteBorrowed", "quoteInterest", "posCcy", "spotInUseAmt", "clSpotInUseAmt", "maxSpotInUseAmt", "bizRefId",
    "bizRefType", "spotInUseCcy", "thetaBS", "thetaPA", "vegaBS", "vegaPA"), "")
_BALANCE_ZERO = dict.fromkeys((
    "borrowFroz", "crossLiab", "fixedBal", "interest", "isoEq", "isoLiab", "isoUpl", "liab", "maxLoan", "rewardBal", "spotIsoBal",
    "stgyEq", "twap", "uplLiab"), "0")


class OkxWire:
    """Shapes of one exchange; all methods only read."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange

    def order(self, account: Account, order: Order, fill: Fill | None = None) -> Json:
        """Stream and REST rows; a fee is negative where it is paid."""
        instrument = self.exchange.instruments[order.symbol]
        value = order.quantity * instrument.contract_size * (order.price or self.exchange.marks[order.symbol])
        category = ("full_liquidation" if order.client_id.startswith("autoclose-") else
                    "adl" if order.client_id.startswith("adl_autoclose") else "normal")
        return {
            **_ORDER_EMPTY, "accFillSz": say_short(order.filled), "attachAlgoOrds": [],
            "avgPx": mean(order.average) if order.filled else "",
            "cTime": str(order.created_ms), "cancelSource": {books.CANCELED: "1", books.EXPIRED: "14"}.get(order.status, ""),
            "category": category, "clOrdId": order.client_id, "code": "0", "execType": _taken(fill), "fee": say_short(-order.fees),
            "feeCcy": instrument.quote, "fillFee": say_short(-fill.fee) if fill else "0", "fillFeeCcy": instrument.quote if fill else "",
            "fillMarkPx": say(self.exchange.marks[order.symbol]) if fill else "", "instId": order.symbol, "instType": "SWAP",
            "fillNotionalUsd": mean(fill.quantity * instrument.contract_size * fill.price) if fill else "",
            "fillPnl": say_short(fill.realised) if fill else "0", "fillPx": say_short(fill.price) if fill else "",
            "fillSz": say_short(fill.quantity) if fill else "0", "fillTime": str(fill.time_ms) if fill else "",
            "isTpLimit": "false", "lastPx": say(self.exchange.marks[order.symbol]), "lever": str(margin.leverage(account, order.symbol)),
            "linkedAlgoOrd": {"algoId": str(order.algo_id) if order.algo_id else ""}, "notionalUsd": mean(value), "ordId": str(order.id),
            "ordType": "market" if order.type == "MARKET" else KINDS.get(order.tif, "limit"), "pnl": say_short(order.realised),
            "posSide": LEGS[order.position_side], "px": say_short(order.price) if order.price else "", "rebate": "0",
            "rebateCcy": instrument.quote, "reduceOnly": "true" if order.reduce_only else "false", "side": order.side.lower(),
            "state": _STATE[order.status], "stpMode": "cancel_maker", "sz": say_short(order.quantity),
            "tdMode": "isolated" if order.symbol in account.isolated else "cross", "tradeId": str(fill.id) if fill else "",
            "uTime": str(order.updated_ms)}

    def algo(self, account: Account, algo: Algo) -> Json:
        """The `orders-algo` row of a trigger order."""
        order = algo.order
        price = say_short(order.price) if order.price else "-1"
        return {
            "actualPx": mean(algo.average) if algo.filled else "", "actualSide": "",
            "actualSz": say_short(algo.filled), "algoClOrdId": order.client_id,
            "algoId": str(algo.id), "attachAlgoOrds": [], "amendResult": "", "cTime": str(algo.created_ms), "uTime": str(algo.updated_ms),
            "ccy": "", "clOrdId": "", "closeFraction": "1" if order.close_position else "", "failCode": "51008" if algo.reason else "",
            "instId": order.symbol, "instType": "SWAP", "last": say(self.exchange.marks[order.symbol]),
            "lever": str(margin.leverage(account, order.symbol)), "notionalUsd": "", "ordId": str(algo.child_id) if algo.child_id else "",
            "ordIdList": [str(algo.child_id)] if algo.child_id else [], "ordPx": price, "ordType": "trigger",
            "posSide": LEGS[order.position_side], "quickMgnType": "", "reduceOnly": "true" if order.reduce_only else "false", "reqId": "",
            "side": order.side.lower(), "slOrdPx": "", "slTriggerPx": "", "slTriggerPxType": "", "state": _ALGO[algo.status],
            "sz": say_short(order.quantity), "tag": "", "tdMode": "cross", "tgtCcy": "", "tpOrdPx": "", "tpTriggerPx": "",
            "tpTriggerPxType": "", "triggerPx": say_short(order.stop_price), "triggerPxType": "last",
            "triggerTime": str(algo.triggered_ms) if algo.triggered_ms else "", "amendPxOnTriggerType": "0", "linkedOrd": {"ordId": ""}}

    def position(self, account: Account, position: Position, now_ms: int) -> Json:
        """In net mode `pos` is signed; in long/short mode it is not."""
        market, instrument = self.exchange.market, self.exchange.instruments[position.symbol]
        pnl, need = margin.unrealised(position, market), margin.maintenance(position, market)
        first, value = margin.initial(account, position, market), margin.notional(position, market)
        liquidation = margin.liquidation_price(account, position, market)
        whole = margin.pool(account, instrument.quote, market)
        equity = position.isolated_wallet + pnl if position.isolated else whole.cross_wallet + whole.cross_unrealised
        amount = position.amount if position.side == BOTH else abs(position.amount)
        mark, share = say(market.marks[position.symbol]), mean(pnl / first) if first else "0"
        return {
            **_POSITION_EMPTY, "adl": "1", "availPos": say_short(amount) if position.side != BOTH else "",
            "avgPx": say_short(position.entry),
            "cTime": str(account.opened_ms), "ccy": instrument.quote, "imr": "" if position.isolated else mean(first),
            "instId": position.symbol, "instType": "SWAP", "interest": "", "idxPx": mark, "last": mark,
            "lever": str(margin.leverage(account, position.symbol)),
            "liqPx": say_short(liquidation.quantize(Decimal("0.0001"))) if liquidation else "", "markPx": mark,
            "margin": say_short(position.isolated_wallet) if position.isolated else "",
            "mgnMode": "isolated" if position.isolated else "cross",
            "mgnRatio": mean(equity / need) if need else "", "mmr": mean(need), "notionalUsd": mean(value), "pTime": str(now_ms),
            "pos": say_short(amount), "posId": position_id(account, position), "posSide": LEGS[position.side],
            "nonSettleAvgPx": "", "settledPnl": "", "tradeId": str(account.fills[-1].id) if account.fills else "",
            "uTime": str(position.updated_ms), "upl": mean(pnl), "uplLastPx": mean(pnl), "uplRatio": share, "uplRatioLastPx": share,
            "realizedPnl": say_short(-position.spent), "pnl": say_short(position.realised), "fee": "0", "fundingFee": "0",
            "liqPenalty": "0",
            "closeOrderAlgo": [], "hedgedPos": ""}

    def balance(self, account: Account) -> Json:
        """The `account` row; only assets that are not zero."""
        pools = {asset: margin.pool(account, asset, self.exchange.market) for asset, one in account.balances.items() if one.wallet}
        equity = sum((one.wallet + one.unrealised for one in pools.values()), ZERO)
        need = sum((one.maintenance for one in pools.values()), ZERO)
        details: list[Json] = [{
            **_BALANCE_ZERO, "availBal": mean(one.available), "availEq": mean(one.available), "cashBal": say_short(one.wallet),
            "ccy": asset,
            "coinUsdPrice": "1", "disEq": mean(one.wallet + one.unrealised), "eq": mean(one.wallet + one.unrealised),
            "eqUsd": mean(one.wallet + one.unrealised), "frozenBal": mean(one.position_margin + one.order_margin), "imr": "", "mmr": "",
            "mgnRatio": "", "notionalLever": "", "ordFrozen": mean(one.order_margin), "spotInUseAmt": "", "clSpotInUseAmt": "",
            "maxSpotInUseAmt": "", "uTime": str(account.balances[asset].updated_ms), "upl": mean(one.unrealised)}
            for asset, one in pools.items()]
        return {"adjEq": "", "borrowFroz": "", "details": details, "imr": "", "isoEq": "0", "mgnRatio": mean(equity / need) if need else "",
                "mmr": "", "notionalUsd": "", "ordFroz": "", "totalEq": mean(equity), "uTime": str(max(
                    (one.updated_ms for one in account.balances.values()), default=0)), "upl": ""}

    def both(self, account: Account, event: str, balances: list[Json], positions: list[Position]) -> Json:
        """The `balance_and_position` row; `event` is snapshot, filled, delivered, funding_fee and so on."""
        now = self.exchange.clock.now_ms()
        rows = [{"posId": position_id(account, one), "tradeId": str(account.fills[-1].id) if account.fills else "", "instId": one.symbol,
                 "instType": "SWAP", "mgnMode": "isolated" if one.isolated else "cross", "posSide": LEGS[one.side],
                 "pos": say_short(one.amount if one.side == BOTH else abs(one.amount)), "ccy": self.exchange.instruments[one.symbol].quote,
                 "posCcy": "", "avgPx": say_short(one.entry), "nonSettleAvgPx": "", "settledPnl": "", "uTime": str(one.updated_ms)}
                for one in positions]
        trades = [{"instId": one.symbol, "tradeId": str(account.fills[-1].id)} for one in positions if account.fills and event == "filled"]
        return {"pTime": str(now), "eventType": event, "balData": balances, "posData": rows, "trades": trades}

    def warning(self, account: Account, position: Position, now_ms: int) -> Json:
        """The `liquidation-warning` row."""
        row = self.position(account, position, now_ms)
        return {name: row[name] for name in ("cTime", "ccy", "instId", "instType", "lever", "markPx", "mgnMode", "mgnRatio", "pTime", "pos",
                                             "posCcy", "posId", "posSide", "uTime")}

    def fill(self, order: Order, fill: Fill) -> Json:
        """A row of `fills`."""
        return {"instType": "SWAP", "instId": fill.symbol, "tradeId": str(fill.id), "ordId": str(fill.order_id), "clOrdId": order.client_id,
                "billId": str(fill.id), "subType": "1", "tag": "", "fillPx": say_short(fill.price), "fillSz": say_short(fill.quantity),
                "fillIdxPx": say(self.exchange.marks[fill.symbol]), "fillPnl": say_short(fill.realised), "fillPxVol": "", "fillPxUsd": "",
                "fillMarkVol": "", "fillFwdPx": "", "fillMarkPx": say(self.exchange.marks[fill.symbol]), "side": fill.side.lower(),
                "posSide": LEGS[fill.position_side], "execType": _taken(fill), "feeCcy": fill.asset, "fee": say_short(-fill.fee),
                "feeRate": "-0.0005", "ts": str(fill.time_ms), "fillTime": str(fill.time_ms)}


def _taken(fill: Fill | None) -> str:
    return "" if fill is None else ("M" if fill.maker else "T")


def position_id(account: Account, position: Position) -> str:
    """Stable per account, symbol and side."""
    return str(3_071_730_360_510_177_30 + account.uid % 100_000 * 100 + sum(map(ord, position.symbol + position.side)) % 97)
