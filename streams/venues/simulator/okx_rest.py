"""OKX's REST: account, positions, orders, conditional orders, fills, and the public calls clients start with."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from schemas.money import ZERO, say, say_short
from streams.venues.simulator.amounts import Json
from streams.venues.simulator.books import BOTH, LONG, SHORT, Account, Instrument, Order, Refused
from streams.venues.simulator.exchange import FUNDING_MS, Exchange
from streams.venues.simulator.margin import leverage
from streams.venues.simulator.okx_wire import OkxWire
from streams.venues.simulator.venue import Answer, Call, Route

REFUSALS = {
    "symbol": ("51001", "Instrument ID doesn't exist."), "precision": ("51121", "Order quantity must be a multiple of the lot size."),
    "quantity": ("51020", "Your order should meet or exceed the minimum order amount."), "tick": ("51000", "Parameter px error"),
    "position_side": ("51000", "Parameter posSide error"),
    "notional": ("51020", "Your order should meet or exceed the minimum order amount."),
    "reduce_only": ("51169", "Order failed because you don't have any positions in this direction to reduce or close."),
    "margin": ("51008", "Order failed. Insufficient USDT margin in account"),
    "unknown_order": ("51400", "Cancellation failed as the order has been filled, canceled or does not exist."),
    "absent": ("51603", "Order does not exist"), "would_take": ("51280", "Post-only order would take."),
    "would_trigger": ("51277", "Trigger price error"), "leverage": ("59102", "Leverage exceeds the maximum limit."),
    "no_change": ("51514", "Modification failed, no change."), "open_orders": ("59000", "Setting failed. Cancel any open orders first."),
    "open_positions": ("59000", "Setting failed. Close any open positions first."),
}
_LEGS = {"": BOTH, "net": BOTH, "long": LONG, "short": SHORT}


class OkxRest:
    """Handlers; every answer is the list under `data`."""

    def __init__(self, exchange: Exchange, wire: OkxWire) -> None:
        self.exchange, self.wire = exchange, wire

    def routes(self) -> dict[tuple[str, str], Route]:
        """The endpoints."""
        public: dict[str, Callable[[Call], object]] = {
            "public/time": lambda _: [{"ts": str(self.exchange.clock.now_ms())}], "public/instruments": self.instruments,
            "public/mark-price": self.marks, "public/funding-rate": self.fundings,
            "market/tickers": self.tickers, "market/ticker": self.tickers,
            "public/position-tiers": self.tiers, "system/status": lambda _: []}
        reads: dict[str, Callable[[Call], object]] = {
            "account/balance": lambda call: [self.wire.balance(call.account)], "account/positions": self.positions,
            "account/config": self.config, "account/leverage-info": self.leverage_info, "account/bills": self.bills,
            "account/trade-fee": lambda _: [{"maker": "-0.0002", "taker": "-0.0005", "instType": "SWAP", "level": "Lv1"}],
            "trade/orders-pending": self.open_orders, "trade/orders-history": self.history, "trade/order": self.get,
            "trade/fills": self.fills, "trade/fills-history": self.fills, "trade/orders-algo-pending": self.open_algos,
            "asset/currencies": lambda _: [], "account/instruments": self.instruments}
        writes: dict[str, Callable[[Call], object]] = {
            "trade/order": self.each(self._place), "trade/batch-orders": self.each(self._place),
            "trade/cancel-order": self.each(self._cancel),
            "trade/cancel-batch-orders": self.each(self._cancel), "trade/amend-order": self.each(self._amend),
            "trade/order-algo": self.each(self._watch), "trade/cancel-algos": self.each(self._cancel_algo),
            "account/set-leverage": self.set_leverage, "account/set-position-mode": self.set_mode}
        return {**{("GET", f"/api/v5/{path}"): Route(run, "") for path, run in public.items()},
                **{("GET", f"/api/v5/{path}"): Route(run) for path, run in reads.items()},
                **{("POST", f"/api/v5/{path}"): Route(run) for path, run in writes.items()}}

    # Public.
    def _listed(self, call: Call) -> list[Instrument]:
        if call.params.get("instType", "SWAP") != "SWAP":
            return []
        return [one for one in self.exchange.instruments.values() if call.params.get("instId", one.symbol) == one.symbol]

    def instruments(self, call: Call) -> object:
        return [{"alias": "", "baseCcy": "", "category": "1", "ctMult": "1", "ctType": "linear", "ctVal": say(one.contract_size),
                 "ctValCcy": one.base, "expTime": "", "instFamily": f"{one.base}-{one.quote}", "instId": one.symbol, "instType": "SWAP",
                 "lever": "100", "listTime": "1611916828000", "lotSz": say(one.step), "maxIcebergSz": "100000000",
                 "maxLmtSz": "100000000", "maxMktSz": "12000", "maxStopSz": "12000", "maxTriggerSz": "100000000", "minSz": say(one.step),
                 "optType": "", "quoteCcy": "", "settleCcy": one.quote, "state": "live", "stk": "", "tickSz": say(one.tick),
                 "uly": f"{one.base}-{one.quote}", "ruleType": "normal", "instIdCode": 10_000 + at, "contTdSwTime": "", "openType": ""}
                for at, one in enumerate(self._listed(call))]

    def marks(self, call: Call) -> object:
        now = str(self.exchange.clock.now_ms())
        return [{"instType": "SWAP", "instId": one.symbol, "markPx": say(self.exchange.marks[one.symbol]), "ts": now}
                for one in self._listed(call)]

    def fundings(self, call: Call) -> object:
        wanted, due = call.need("instId"), self.exchange.funding_ms()
        return [{"instType": "SWAP", "instId": one.symbol, "fundingRate": "0.0001", "nextFundingRate": "", "fundingTime": str(due),
                 "nextFundingTime": str(due + FUNDING_MS), "method": "current_period", "ts": str(self.exchange.clock.now_ms())}
                for one in self.exchange.instruments.values() if wanted in {"ANY", one.symbol}]

    def tickers(self, call: Call) -> object:
        rows, now = [], str(self.exchange.clock.now_ms())
        for one in self._listed(call):
            bid, ask = self.exchange.quote(one.symbol)
            last = say(self.exchange.marks[one.symbol])
            rows.append({"instType": "SWAP", "instId": one.symbol, "last": last, "lastSz": "1", "askPx": say(ask), "askSz": "10",
                         "bidPx": say(bid), "bidSz": "10", "open24h": last, "high24h": last, "low24h": last, "volCcy24h": "1",
                         "vol24h": "1",
                         "ts": now, "sodUtc0": last, "sodUtc8": last})
        return rows

    def tiers(self, call: Call) -> object:
        family = call.params.get("instFamily") or call.params.get("uly") or ""
        for one in self.exchange.instruments.values():
            if f"{one.base}-{one.quote}" == family:
                unit = one.contract_size * one.price  # tiers are in contracts
                return [{"baseMaxLoan": "", "imr": say_short(Decimal(1) / tier.leverage_max), "instFamily": family, "instId": "",
                         "maxLever": str(tier.leverage_max), "maxSz": str(int(tier.cap / unit)), "minSz": str(int(tier.floor / unit)),
                         "mmr": say(tier.rate), "optMgnFactor": "0", "quoteMaxLoan": "", "tier": str(at), "uly": family}
                        for at, tier in enumerate(one.brackets, 1)]
        raise Refused("symbol")

    # Account.
    def positions(self, call: Call) -> object:
        wanted = set(filter(None, call.params.get("instId", "").split(",")))
        return [self.wire.position(call.account, one, self.exchange.clock.now_ms()) for one in call.account.positions.values()
                if one.amount and (not wanted or one.symbol in wanted)]

    def config(self, call: Call) -> object:
        return [{"uid": str(call.account.uid), "mainUid": str(call.account.uid), "acctLv": "2", "acctStpMode": "cancel_maker",
                 "posMode": "long_short_mode" if call.account.hedge else "net_mode", "autoLoan": False, "greeksType": "PA", "level": "Lv1",
                 "levelTmp": "", "ctIsoMode": "automatic", "mgnIsoMode": "automatic", "spotOffsetType": "", "roleType": "0",
                 "traderInsts": [], "spotRoleType": "0", "spotTraderInsts": [], "opAuth": "0", "kycLv": "3", "label": "", "ip": "",
                 "perm": "read_only,trade", "liquidationGear": "-1", "enableSpotBorrow": False, "spotBorrowAutoRepay": False, "type": "0"}]

    def leverage_info(self, call: Call) -> object:
        symbol = call.need("instId")
        return [{"instId": symbol, "mgnMode": call.params.get("mgnMode", "cross"), "posSide": "net", "ccy": "",
                 "lever": str(leverage(call.account, symbol))}]

    def bills(self, call: Call) -> object:
        kinds = {"REALIZED_PNL": "2", "COMMISSION": "2", "FUNDING_FEE": "8", "TRANSFER": "1"}
        return [{"billId": str(one.id), "ccy": one.asset, "balChg": say_short(one.amount), "instId": one.symbol, "type": kinds[one.kind],
                 "ts": str(one.time_ms)} for one in reversed(call.account.income)][:100]

    def _paged(self, call: Call, rows: Sequence[Json], name: str) -> list[Json]:
        """At most 100, those before the id `after`; newest first."""
        after = call.params.get("after")
        older = [row for row in rows if not after or int(str(row[name])) < int(after)]
        return older[:min(100, int(call.params.get("limit") or 100))]

    def _matching(self, call: Call, symbol: str) -> bool:
        return call.params.get("instId", symbol) == symbol and call.params.get("instType", "SWAP") in {"SWAP", "ANY"}

    def open_orders(self, call: Call) -> object:
        rows = [self.wire.order(call.account, one) for one in reversed(call.account.open_orders()) if self._matching(call, one.symbol)]
        return self._paged(call, rows, "ordId")

    def history(self, call: Call) -> object:
        rows = [self.wire.order(call.account, one) for one in reversed(call.account.orders.values())
                if one.status not in {"NEW", "PARTIALLY_FILLED"} and self._matching(call, one.symbol)]
        return self._paged(call, rows, "ordId")

    def get(self, call: Call) -> object:
        return [self.wire.order(call.account, self._find(call.account, call.params, "absent", ended=True))]

    def fills(self, call: Call) -> object:
        rows = [self.wire.fill(call.account.orders[one.order_id], one) for one in reversed(call.account.fills)
                if self._matching(call, one.symbol) and call.params.get("ordId", str(one.order_id)) == str(one.order_id)
                and one.time_ms >= int(call.params.get("begin") or 0)]
        return self._paged(call, rows, "billId")

    def open_algos(self, call: Call) -> object:
        wanted = call.need("ordType").split(",")
        return [self.wire.algo(call.account, one) for one in call.account.open_algos()
                if "trigger" in wanted and self._matching(call, one.order.symbol)]

    # Changes.
    def each(self, change: Callable[[Account, Mapping[str, str]], Json]) -> Callable[[Call], object]:
        """One order or a list of them: an own code each; where one fails the answer's code says so."""
        def run(call: Call) -> object:
            said = json.loads(call.body)
            rows: list[Json] = []
            for one in said if isinstance(said, list) else [said]:
                try:
                    rows.append({**change(call.account, one), "sCode": "0", "sMsg": ""})
                except Refused as refused:
                    code, text = REFUSALS.get(refused.reason, ("51000", f"Parameter {refused.reason} error"))
                    rows.append({"ordId": one.get("ordId", ""), "clOrdId": one.get("clOrdId", ""), "tag": "", "sCode": code, "sMsg": text})
            if failed := [row for row in rows if row["sCode"] != "0"]:
                raise Answer(200, {"code": "1" if len(failed) == len(rows) else "2", "msg": "All operations failed", "data": rows})
            return rows
        return run

    def _read(self, said: Mapping[str, str]) -> Order:
        kind = said.get("ordType", "")
        market = kind == "market" or said.get("orderPx", said.get("ordPx")) == "-1"
        order = Order(said.get("instId", ""), said.get("side", "").upper(), "MARKET" if market else "LIMIT", Decimal(said.get("sz") or 0),
                      ZERO if market else Decimal(said.get("px") or said.get("orderPx") or 0))
        order.tif = {"post_only": "GTX", "ioc": "IOC", "fok": "FOK"}.get(kind, "GTC")
        order.position_side = _LEGS[said.get("posSide", "")]
        order.reduce_only = str(said.get("reduceOnly", "")).lower() == "true"
        order.client_id = said.get("clOrdId") or said.get("algoClOrdId") or ""
        return order

    def _place(self, account: Account, said: Mapping[str, str]) -> Json:
        if said.get("tdMode") not in {"cross", "isolated"}:
            raise Refused("tdMode")
        order = self.exchange.place(account, self._read(said))
        return {"ordId": str(order.id), "clOrdId": said.get("clOrdId", ""), "tag": "", "ts": str(order.created_ms)}

    def _watch(self, account: Account, said: Mapping[str, str]) -> Json:
        order = self._read(said)
        order.stop_price = Decimal(said.get("triggerPx") or said.get("slTriggerPx") or said.get("tpTriggerPx") or 0)
        if order.symbol not in self.exchange.marks:
            raise Refused("symbol")
        rises = order.stop_price > self.exchange.marks[order.symbol]
        order.type = ("STOP" if rises == (order.side == "BUY") else "TAKE_PROFIT") + ("_MARKET" if order.type == "MARKET" else "")
        algo = self.exchange.watch_for(account, order)
        return {"algoId": str(algo.id), "clOrdId": "", "algoClOrdId": order.client_id, "tag": ""}

    def _find(self, account: Account, said: Mapping[str, str], absent: str, *, ended: bool = False) -> Order:
        for order in reversed(list(account.orders.values()) if ended else account.open_orders()):
            if said.get("ordId") == str(order.id) or (said.get("clOrdId") and said["clOrdId"] == order.client_id):
                return order
        raise Refused(absent)

    def _cancel(self, account: Account, said: Mapping[str, str]) -> Json:
        order = self.exchange.cancel(account, self._find(account, said, "unknown_order").id)
        return {"ordId": str(order.id), "clOrdId": order.client_id, "ts": str(order.updated_ms)}

    def _amend(self, account: Account, said: Mapping[str, str]) -> Json:
        order = self._find(account, said, "absent")
        self.exchange.amend(account, order.id, Decimal(said.get("newSz") or order.quantity), Decimal(said.get("newPx") or order.price))
        return {"ordId": str(order.id), "clOrdId": order.client_id, "reqId": said.get("reqId", ""), "ts": str(order.updated_ms)}

    def _cancel_algo(self, account: Account, said: Mapping[str, str]) -> Json:
        algo = self.exchange.cancel_algo(account, int(said.get("algoId") or 0))
        return {"algoId": str(algo.id)}

    def set_leverage(self, call: Call) -> object:
        symbol, value = call.need("instId"), int(Decimal(call.need("lever")))
        self.exchange.set_leverage(call.account, symbol, value)
        return [{"instId": symbol, "lever": str(value), "mgnMode": call.params.get("mgnMode", "cross"), "posSide": ""}]

    def set_mode(self, call: Call) -> object:
        self.exchange.set_hedge(call.account, call.need("posMode") == "long_short_mode")
        return [{"posMode": call.params["posMode"]}]

