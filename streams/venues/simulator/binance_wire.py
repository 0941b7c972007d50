"""Binance USD-M frames and REST rows, field by field as captured and documented."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from schemas.money import ZERO, say_short
from streams.venues.simulator import books, margin
from streams.venues.simulator.amounts import Json, fixed, mean, stepped
from streams.venues.simulator.books import Account, Algo, Fill, Order, Position
from streams.venues.simulator.exchange import Exchange

EVENTS = ("ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE", "MARGIN_CALL", "ACCOUNT_CONFIG_UPDATE", "TRADE_LITE", "ALGO_UPDATE", "STRATEGY_UPDATE",
          "GRID_UPDATE", "CONDITIONAL_ORDER_TRIGGER_REJECT", "listenKeyExpired")


class BinanceWire:
    """Shapes of one exchange; all methods only read."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange

    def frames(self, account: Account, time_ms: int, events: Sequence[books.Event]) -> Iterator[Json]:
        """The user data frames of one transaction, in order; E equals T."""
        for event in events:
            if (made := self._frame(account, event)) is not None:
                kind, body = made
                head: Json = {"e": kind, "E": time_ms}
                yield head | body if kind == "MARGIN_CALL" else head | {"T": time_ms} | body

    def _frame(self, account: Account, event: books.Event) -> tuple[str, Json] | None:
        match event:
            case books.Traded(order, fill):
                return "TRADE_LITE", self._lite(order, fill)
            case books.OrderMoved(order, execution, fill):
                return "ORDER_TRADE_UPDATE", {"o": self._order(account, order, execution, fill)}
            case books.AccountMoved():
                return "ACCOUNT_UPDATE", {"a": self._account(event)}
            case books.AlgoMoved(algo):
                return "ALGO_UPDATE", {"o": self._algo(algo)}
            case books.ConfigMoved(symbol, leverage, multi_assets):
                return "ACCOUNT_CONFIG_UPDATE", {"ac": {"s": symbol, "l": leverage}} if symbol else {"ai": {"j": multi_assets}}
            case books.MarginCalled():
                return "MARGIN_CALL", self._margin_call(account, event)
            case books.TriggerRejected(symbol, order_id, reason):
                return "CONDITIONAL_ORDER_TRIGGER_REJECT", {"or": {"s": symbol, "i": order_id, "r": reason}}
        return None

    def _lite(self, order: Order, fill: Fill) -> Json:
        instrument = self.exchange.instruments[order.symbol]
        return {"s": order.symbol, "q": stepped(order.quantity, instrument.step), "p": stepped(order.price, instrument.tick),
                "m": fill.maker, "c": order.client_id, "S": order.side, "L": stepped(fill.price, instrument.tick),
                "l": stepped(fill.quantity, instrument.step), "t": fill.id, "i": order.id}

    def _order(self, account: Account, order: Order, execution: str, fill: Fill | None) -> Json:
        bids, asks = self._notionals(account, order)
        trailing = _trailing(order, "AP", "cr")
        child = {"st": "ALGO_CONDITION"} if order.algo_id else {}
        return {
            "s": order.symbol, "c": order.client_id, "S": order.side, "o": order.type, "f": order.tif, "q": say_short(order.quantity),
            "p": say_short(order.price), "ap": mean(order.average), "sp": say_short(order.stop_price), "x": execution,
            "X": order.status, "i": order.id, "l": say_short(fill.quantity) if fill else "0", "z": say_short(order.filled),
            "L": say_short(fill.price) if fill else "0", "n": say_short(fill.fee) if fill else "0",
            "N": self.exchange.instruments[order.symbol].quote, "T": order.updated_ms, "t": fill.id if fill else 0,
            "b": say_short(bids), "a": say_short(asks), "m": bool(fill and fill.maker), "R": order.reduce_only, "wt": order.working_type,
            "ot": order.original_type, "ps": order.position_side, "cp": order.close_position, **trailing,
            "rp": say_short(fill.realised) if fill else "0", "pP": order.price_protect, "si": order.algo_id,
            "ss": -1 if order.algo_id else 0, **child, "V": order.self_trade, "pm": "NONE", "gtd": order.good_till_ms,
            "er": str(order.expiry_reason)}

    def _notionals(self, account: Account, order: Order) -> tuple[Decimal, Decimal]:
        held = [one for one in account.open_orders() if one.symbol == order.symbol and one.id != order.id]
        if order.status in books.OPEN:
            held.append(order)
        sides = [sum((one.left * one.price for one in held if one.side == side), ZERO) for side in (books.BUY, books.SELL)]
        return sides[0], sides[1]

    def _account(self, event: books.AccountMoved) -> Json:
        balances = [{"a": one.asset, "wb": say_short(one.wallet), "cw": say_short(one.cross_wallet), "bc": say_short(one.change)}
                    for one in event.balances]
        symbol = {"S": event.symbol} if event.reason == "FUNDING_FEE" else {}
        return {"B": balances, "P": [self._position(one) for one in event.positions], "m": event.reason, **symbol}

    def _position(self, position: Position) -> Json:
        instrument = self.exchange.instruments[position.symbol]
        pnl = margin.unrealised(position, self.exchange.market)
        return {"s": position.symbol, "pa": say_short(position.amount), "ep": say_short(position.entry), "cr": say_short(position.realised),
                "up": say_short(pnl), "mt": "isolated" if position.isolated else "cross", "iw": say_short(position.isolated_wallet),
                "ps": position.side, "ma": instrument.quote, "bep": mean(margin.break_even(position, instrument))}

    def _margin_call(self, account: Account, event: books.MarginCalled) -> Json:
        market = self.exchange.market
        assets = {self.exchange.instruments[one.symbol].quote for one in event.positions}
        cross = sum((margin.pool(account, asset, market).cross_wallet for asset in assets), ZERO)
        rows = [{"s": one.symbol, "ps": one.side, "pa": say_short(one.amount), "mt": "ISOLATED" if one.isolated else "CROSSED",
                 "iw": say_short(one.isolated_wallet), "mp": say_short(market.marks[one.symbol]),
                 "up": mean(margin.unrealised(one, market)), "mm": mean(margin.maintenance(one, market))} for one in event.positions]
        return {"p": rows} if event.isolated else {"cw": say_short(cross), "p": rows}

    def _algo(self, algo: Algo) -> Json:
        order = algo.order
        child = {"ap": mean(algo.average), "aq": say_short(algo.filled), "act": _child(order)} if algo.child_id else {}
        trailing = _trailing(order, "AP", "cr") | {"ia": algo.active} if order.callback_rate else {}
        reason = {"rm": algo.reason} if algo.reason else {}
        return {"caid": order.client_id, "aid": algo.id, "at": "CONDITIONAL", "o": order.type, "s": order.symbol, "S": order.side,
                "ps": order.position_side, "f": order.tif, "q": say_short(order.quantity), "X": algo.status,
                "ai": str(algo.child_id) if algo.child_id else "", **child, "tp": say_short(order.stop_price),
                "p": say_short(order.price), "V": order.self_trade, "wt": order.working_type, "pm": "NONE", "cp": order.close_position,
                "pP": order.price_protect, "R": order.reduce_only, "tt": algo.triggered_ms, "gtd": order.good_till_ms, **reason, **trailing}

    def algo_row(self, algo: Algo) -> Json:
        """A conditional order as REST lists it."""
        order, instrument = algo.order, self.exchange.instruments[algo.order.symbol]
        nothing = stepped(ZERO, instrument.tick)
        trailing = _trailing(order, "activatePrice", "callbackRate")
        return {"algoId": algo.id, "clientAlgoId": order.client_id, "algoType": "CONDITIONAL", "orderType": order.type,
                "symbol": order.symbol, "side": order.side, "positionSide": order.position_side, "timeInForce": order.tif,
                "quantity": say_short(order.quantity), "algoStatus": algo.status,
                "actualOrderId": str(algo.child_id) if algo.child_id else "", "actualPrice": fixed(algo.average, 5),
                "triggerPrice": stepped(order.stop_price, instrument.tick), "price": stepped(order.price, instrument.tick),
                "icebergQuantity": None, "tpTriggerPrice": nothing, "tpPrice": nothing, "slTriggerPrice": nothing, "slPrice": nothing,
                "tpOrderType": "", "selfTradePreventionMode": order.self_trade, "workingType": order.working_type, "priceMatch": "NONE",
                "closePosition": order.close_position, "priceProtect": order.price_protect, "reduceOnly": order.reduce_only, **trailing,
                "createTime": algo.created_ms, "updateTime": algo.updated_ms, "triggerTime": algo.triggered_ms,
                "goodTillDate": order.good_till_ms}


def _child(order: Order) -> str:
    return "LIMIT" if order.type in {"STOP", "TAKE_PROFIT"} else "MARKET"


def _trailing(order: Order, activation: str, rate: str) -> Json:
    return {activation: say_short(order.activation), rate: say_short(order.callback_rate)} if order.callback_rate else {}
