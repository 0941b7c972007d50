"""Binance REST that only reads the account: balances, positions, orders, trades, settings, brackets."""

from collections.abc import Callable
from decimal import Decimal

from schemas.money import ZERO, say, say_short
from streams.venues.simulator import margin
from streams.venues.simulator.amounts import Json, fixed, stepped
from streams.venues.simulator.binance_wire import BinanceWire
from streams.venues.simulator.books import BOTH, Account, Fill, Income, Order, Position, Refused
from streams.venues.simulator.exchange import Exchange
from streams.venues.simulator.venue import Call, Route

_ZERO = "0.00000000"
_DAY_MS = 86_400_000


def weight(call: Call, route: Route) -> int:
    """Calls without a symbol cost 40 where they list the whole account."""
    path = call.request.path.rpartition("/")[2]
    if path in {"openOrders", "openAlgoOrders"} and call.request.method == "GET":
        return 1 if "symbol" in call.params else 40
    return (20 if "symbol" in call.params else 50) if path == "forceOrders" else route.weight


def routes(exchange: Exchange, wire: BinanceWire) -> dict[tuple[str, str], Route]:
    """The endpoints."""
    reads = Reads(exchange, wire)
    table: dict[str, tuple[Callable[[Call], object], int]] = {
        "v3/account": (reads.account, 5), "v2/account": (reads.account_v2, 5), "v3/balance": (reads.balance, 5),
        "v2/balance": (reads.balance, 5), "v3/positionRisk": (reads.position_risk, 5), "v2/positionRisk": (reads.position_risk, 5),
        "v1/openOrders": (reads.open_orders, 40), "v1/allOrders": (reads.all_orders, 5), "v1/userTrades": (reads.trades, 5),
        "v1/openAlgoOrders": (reads.open_algos, 40), "v1/allAlgoOrders": (reads.all_algos, 5), "v1/income": (reads.income, 30),
        "v1/forceOrders": (reads.forced, 20), "v1/accountConfig": (reads.config, 5), "v1/symbolConfig": (reads.symbol_config, 5),
        "v1/leverageBracket": (reads.brackets, 1), "v1/commissionRate": (reads.commission, 20),
        "v1/positionSide/dual": (lambda call: {"dualSidePosition": call.account.hedge}, 30),
        "v1/multiAssetsMargin": (lambda call: {"multiAssetsMargin": call.account.multi_assets}, 30)}
    return {("GET", f"/fapi/{path}"): Route(run, "signed", cost) for path, (run, cost) in table.items()}


class Reads:
    """Handlers; every one gives fresh JSON."""

    def __init__(self, exchange: Exchange, wire: BinanceWire) -> None:
        self.exchange, self.wire, self.market = exchange, wire, exchange.market

    def account(self, call: Call) -> object:
        assets = [self._asset(call.account, asset) for asset in call.account.balances]
        totals = {f"total{total}": fixed(sum((Decimal(str(one[name])) for one in assets), ZERO)) for total, name in (
            ("InitialMargin", "initialMargin"), ("MaintMargin", "maintMargin"), ("WalletBalance", "walletBalance"),
            ("UnrealizedProfit", "unrealizedProfit"), ("MarginBalance", "marginBalance"),
            ("PositionInitialMargin", "positionInitialMargin"),
            ("OpenOrderInitialMargin", "openOrderInitialMargin"), ("CrossWalletBalance", "crossWalletBalance"),
            ("CrossUnPnl", "crossUnPnl"))}
        available = fixed(sum((Decimal(str(one["availableBalance"])) for one in assets), ZERO))
        rows = [self._position_of_account(call.account, one) for one in self._shown(call.account)]
        return {**totals, "availableBalance": available, "maxWithdrawAmount": available, "assets": assets, "positions": rows}

    def account_v2(self, call: Call) -> object:
        """As v3, with every symbol and the account's settings."""
        made = self.account(call)
        assert isinstance(made, dict)
        held = {(one.symbol, one.side): one for one in call.account.positions.values()}
        rows = [self._position_v2(call.account, held.get((symbol, BOTH)) or Position(symbol, BOTH))
                for symbol in self.exchange.instruments]
        rows += [self._position_v2(call.account, one) for one in held.values() if one.side != BOTH]
        return {"feeTier": 0, "feeBurn": False, "canTrade": True, "canDeposit": True, "canWithdraw": True, "updateTime": 0,
                "multiAssetsMargin": call.account.multi_assets, "tradeGroupId": -1, **made, "positions": rows}

    def _asset(self, account: Account, asset: str) -> Json:
        whole = margin.pool(account, asset, self.market)
        held = fixed(whole.position_margin + whole.order_margin)
        return {"asset": asset, "walletBalance": fixed(whole.wallet), "unrealizedProfit": fixed(whole.unrealised),
                "marginBalance": fixed(whole.wallet + whole.unrealised), "maintMargin": fixed(whole.maintenance), "initialMargin": held,
                "positionInitialMargin": fixed(whole.position_margin), "openOrderInitialMargin": fixed(whole.order_margin),
                "crossWalletBalance": fixed(whole.cross_wallet), "crossUnPnl": fixed(whole.cross_unrealised),
                "availableBalance": fixed(whole.available), "maxWithdrawAmount": fixed(max(ZERO, min(whole.available, whole.cross_wallet))),
                "updateTime": account.balances[asset].updated_ms}

    def _shown(self, account: Account) -> list[Position]:
        """v3 lists symbols with a position or an open order only."""
        ordered = {(order.symbol, order.position_side) for order in account.open_orders()}
        flat = [Position(symbol, side) for symbol, side in sorted(ordered) if (symbol, side) not in account.positions]
        return [one for key, one in account.positions.items() if one.amount or key in ordered] + flat

    def _figures(self, account: Account, position: Position) -> Json:
        instrument = self.exchange.instruments[position.symbol]
        pnl, size = margin.unrealised(position, self.market), margin.notional(position, self.market)
        first = margin.initial(account, position, self.market)
        held = margin.order_margin(account, [one for one in account.open_orders() if (one.symbol, one.position_side)
                                             == (position.symbol, position.side)], self.market)
        return {"symbol": position.symbol, "positionSide": position.side, "positionAmt": stepped(position.amount, instrument.step),
                "unrealizedProfit": fixed(pnl), "isolatedMargin": fixed(position.isolated_wallet + pnl) if position.isolated else _ZERO,
                "notional": fixed(size.copy_sign(position.amount)), "isolatedWallet": say_short(position.isolated_wallet),
                "initialMargin": fixed(first + held), "maintMargin": fixed(margin.maintenance(position, self.market)),
                "updateTime": position.updated_ms, "positionInitialMargin": fixed(first), "openOrderInitialMargin": fixed(held)}

    def _position_of_account(self, account: Account, position: Position) -> Json:
        figures = self._figures(account, position)
        return {key: figures[key] for key in figures if key not in {"positionInitialMargin", "openOrderInitialMargin"}}

    def _position_v2(self, account: Account, position: Position) -> Json:
        instrument = self.exchange.instruments[position.symbol]
        return {**self._figures(account, position), "leverage": str(margin.leverage(account, position.symbol)),
                "isolated": position.isolated, "entryPrice": say_short(position.entry), "maxNotional": "50000000",
                "breakEvenPrice": say_short(margin.break_even(position, instrument).quantize(Decimal("1e-10"))),
                "bidNotional": "0", "askNotional": "0"}

    def balance(self, call: Call) -> object:
        rows = []
        for asset, balance in call.account.balances.items():
            made = self._asset(call.account, asset)
            rows.append({"accountAlias": f"Sg{call.account.uid % 9973:04d}", "asset": asset, "balance": fixed(balance.wallet),
                         **{key: made[key] for key in ("crossWalletBalance", "crossUnPnl", "availableBalance", "maxWithdrawAmount")},
                         "marginAvailable": True, "updateTime": balance.updated_ms})
        return rows

    def position_risk(self, call: Call) -> object:
        v2 = "/v2/" in call.request.path
        shown = self._shown(call.account)
        if v2:
            have = {one.symbol for one in shown}
            shown += [Position(symbol, BOTH) for symbol in self.exchange.instruments if symbol not in have]
        return [self._risk(call.account, one, v2) for one in shown if call.params.get("symbol", one.symbol) == one.symbol]

    def _risk(self, account: Account, position: Position, v2: bool) -> Json:
        instrument, figures = self.exchange.instruments[position.symbol], self._figures(account, position)
        liquidation = margin.liquidation_price(account, position, self.market)
        row: Json = {"symbol": position.symbol, "positionSide": position.side, "positionAmt": figures["positionAmt"],
                     "entryPrice": say_short(position.entry),
                     "breakEvenPrice": say_short(margin.break_even(position, instrument).quantize(Decimal("1e-10"))),
                     "markPrice": fixed(self.market.marks[position.symbol]), "unRealizedProfit": figures["unrealizedProfit"],
                     "liquidationPrice": say_short(liquidation.quantize(Decimal("1e-8"))), "isolatedMargin": figures["isolatedMargin"],
                     "notional": figures["notional"], "isolatedWallet": figures["isolatedWallet"], "updateTime": position.updated_ms}
        if v2:
            return {**row, "leverage": str(margin.leverage(account, position.symbol)), "maxNotionalValue": "50000000",
                    "marginType": "isolated" if position.isolated else "cross", "isAutoAddMargin": "false"}
        return {**row, "marginAsset": instrument.quote, "initialMargin": figures["initialMargin"], "maintMargin": figures["maintMargin"],
                "positionInitialMargin": figures["positionInitialMargin"], "openOrderInitialMargin": figures["openOrderInitialMargin"],
                "adl": 2 if position.amount else 0, "bidNotional": "0", "askNotional": "0"}

    def open_orders(self, call: Call) -> object:
        return [order_row(one) for one in call.account.open_orders() if call.params.get("symbol", one.symbol) == one.symbol]

    def all_orders(self, call: Call) -> object:
        symbol, first = call.need("symbol"), int(call.params.get("orderId", 0))
        rows = [one for one in call.account.orders.values() if one.symbol == symbol and one.id >= first
                and self._in_window(call, one.created_ms) and not self._forgotten(one)]
        return [order_row(one) for one in rows[-_limit(call):]]

    def _forgotten(self, order: Order) -> bool:
        """Unfilled orders that ended are kept for three days."""
        kept_since_ms = self.exchange.clock.now_ms() - 3 * _DAY_MS
        return order.status in {"CANCELED", "EXPIRED"} and not order.filled and order.created_ms < kept_since_ms

    def _in_window(self, call: Call, time_ms: int) -> bool:
        start, end = int(call.params.get("startTime", 0)), int(call.params.get("endTime", 0))
        if start and end and end - start > 7 * _DAY_MS:
            raise Refused("malformed:startTime")
        return (not start or time_ms >= start) and (not end or time_ms <= end)

    def trades(self, call: Call) -> object:
        symbol, first = call.need("symbol"), int(call.params.get("fromId", 0))
        wanted = int(call.params.get("orderId", 0))
        rows = [one for one in call.account.fills if one.symbol == symbol and one.id >= first and wanted in {0, one.order_id}
                and self._in_window(call, one.time_ms)]
        return [self._trade(one) for one in (rows[:_limit(call)] if first or "startTime" in call.params else rows[-_limit(call):])]

    def _trade(self, fill: Fill) -> Json:
        value = fill.quantity * fill.price
        return {"buyer": fill.side == "BUY", "commission": fixed(fill.fee), "commissionAsset": fill.asset, "id": fill.id,
                "maker": fill.maker, "orderId": fill.order_id, "price": say_short(fill.price), "qty": say_short(fill.quantity),
                "quoteQty": say_short(value), "baseQty": say_short(fill.quantity), "marginAsset": fill.asset,
                "realizedPnl": fixed(fill.realised), "side": fill.side, "positionSide": fill.position_side, "symbol": fill.symbol,
                "pair": fill.symbol, "time": fill.time_ms}

    def open_algos(self, call: Call) -> object:
        return [self.wire.algo_row(one) for one in call.account.open_algos()
                if call.params.get("symbol", one.order.symbol) == one.order.symbol]

    def all_algos(self, call: Call) -> object:
        symbol = call.need("symbol")
        return [self.wire.algo_row(one) for one in call.account.algos.values() if one.order.symbol == symbol][-_limit(call):]

    def income(self, call: Call) -> object:
        kind, symbol = call.params.get("incomeType"), call.params.get("symbol")
        rows = [one for one in call.account.income if kind in {None, one.kind} and symbol in {None, one.symbol}
                and self._in_window(call, one.time_ms)]
        return [self._income(one) for one in rows[-_limit(call):]]

    def _income(self, one: Income) -> Json:
        return {"symbol": one.symbol, "incomeType": one.kind, "income": fixed(one.amount), "asset": one.asset, "info": one.kind,
                "time": one.time_ms, "tranId": one.id, "tradeId": str(one.trade_id) if one.trade_id else ""}

    def forced(self, call: Call) -> object:
        kinds = {"LIQUIDATION": "autoclose-", "ADL": "adl_autoclose"}
        wanted = tuple(prefix for kind, prefix in kinds.items() if call.params.get("autoCloseType", kind) == kind)
        return [order_row(one) for one in call.account.orders.values()
                if one.client_id.startswith(wanted) and call.params.get("symbol", one.symbol) == one.symbol][-_limit(call, 50):]

    def config(self, call: Call) -> object:
        return {"feeTier": 0, "canTrade": True, "canDeposit": True, "canWithdraw": True, "dualSidePosition": call.account.hedge,
                "updateTime": 0, "multiAssetsMargin": call.account.multi_assets, "tradeGroupId": -1}

    def symbol_config(self, call: Call) -> object:
        return [{"symbol": symbol, "marginType": "ISOLATED" if symbol in call.account.isolated else "CROSSED", "isAutoAddMargin": False,
                 "leverage": margin.leverage(call.account, symbol), "maxNotionalValue": "50000000"}
                for symbol in self.exchange.instruments if call.params.get("symbol", symbol) == symbol]

    def brackets(self, call: Call) -> object:
        rows = [{"symbol": symbol, "notionalCoef": 1.0, "brackets": [
            {"bracket": at, "initialLeverage": one.leverage_max, "notionalCap": int(one.cap), "notionalFloor": int(one.floor),
             "maintMarginRatio": float(one.rate), "cum": float(one.amount)} for at, one in enumerate(instrument.brackets, 1)]}
            for symbol, instrument in self.exchange.instruments.items() if call.params.get("symbol", symbol) == symbol]
        return rows[0] if "symbol" in call.params and rows else rows

    def commission(self, call: Call) -> object:
        instrument = self.exchange.instruments[call.need("symbol")]
        return {"symbol": instrument.symbol, "makerCommissionRate": say(instrument.maker_fee),
                "takerCommissionRate": say(instrument.taker_fee),
                "rpiCommissionRate": "0.00005"}


def _limit(call: Call, default: int = 500) -> int:
    return min(1_000, int(call.params.get("limit", default)))


def order_row(order: Order) -> Json:
    """An order as `openOrders`, `allOrders` and `order` list it."""
    trailing = {"activatePrice": say_short(order.activation), "priceRate": say_short(order.callback_rate)} if order.callback_rate else {}
    return {"avgPrice": fixed(order.average, 5), "clientOrderId": order.client_id, "cumQuote": say_short(order.cost),
            "executedQty": say_short(order.filled), "orderId": order.id, "origQty": say_short(order.quantity),
            "origType": order.original_type, "price": say_short(order.price), "reduceOnly": order.reduce_only, "side": order.side,
            "positionSide": order.position_side, "status": order.status, "stopPrice": say_short(order.stop_price),
            "closePosition": order.close_position, "symbol": order.symbol, "time": order.created_ms, "timeInForce": order.tif,
            "type": order.type, **trailing, "updateTime": order.updated_ms, "workingType": order.working_type,
            "priceProtect": order.price_protect, "priceMatch": "NONE", "selfTradePreventionMode": order.self_trade,
            "goodTillDate": order.good_till_ms}
