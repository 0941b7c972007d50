"""KuCoin as its documentation has it: a change of a documented frame and what must come of it."""

import pytest

from tests.venues import documented
from tests.venues.corpus import TIME, Frame
from tests.venues.documented import Changes, told

N, S, P, W = documented.KUCOIN_ORDER, documented.KUCOIN_STOP, documented.KUCOIN_POSITION, documented.KUCOIN_WALLET
X, Y = documented.PRO_ORDER, documented.PRO_POSITION
_MATCH = {"data.type": "match", "data.status": "open", "data.matchSize": "4", "data.matchPrice": "91670.1", "data.tradeId": "1828954",
          "data.filledSize": "4", "data.remainSize": "16"}

ROWS: list[tuple[Frame, Changes, Changes]] = [
    (N, {}, {"topic": "order-updates", "order_id": "247899236673269761", "client_order_id": "oid-1", "side": "SELL", "status": "NEW",
             "position_side": "BOTH", "margin_mode": "ISOLATED", "qty_unit": "CONTRACTS", "leaves_qty": "20", "fill": None,
             "order_create_time_ms": str(TIME), "meta.transaction_time_ms": str(TIME + 5), "execution_type": "EXEC_NEW"}),
    (N, _MATCH, {"fill.trade_id": "1828954", "fill.qty": "4", "fill.price": "91670.1", "fill.is_maker": True, "fill.lite": True,
                 "fill.fee": None, "status": "PARTIALLY_FILLED", "cum_filled_qty": "4", "execution_type": "EXEC_TRADE"}),
    (N, {**_MATCH, "data.liquidity": "taker", "data.feeType": "takerFee", "data.status": "match"}, {"fill.is_maker": False,
                                                                                                "meta.extra.feeType": "takerFee"}),
    (N, {**_MATCH, "data.matchSize": "", "data.matchPrice": ""}, {"fill": None, "status": "PARTIALLY_FILLED"}),
    (N, {**_MATCH, "data.tradeType": "liquid"}, {"origin": "LIQUIDATION"}), (N, {**_MATCH, "data.tradeType": "adl"}, {"origin": "ADL"}),
    # The last match of an order is its end, and the fee is told with a match where it is.
    (N, {**_MATCH, "data.status": "done", "data.remainSize": "0", "data.filledSize": "20"}, {"status": "FILLED", "fill.qty": "4"}),
    (N, {**_MATCH, "data.status": "done"}, {"status": "PARTIALLY_FILLED"}),
    (N, {**_MATCH, "data.fee": "0.02", "data.feeCurrency": "USDT"}, {"fill.fee": "0.02", "fill.fee_asset": "USDT", "fill.lite": None}),
    (N, {"data.type": "filled", "data.status": "done", "data.filledSize": ..., "data.remainSize": "0"}, {"cum_filled_qty": "20"}),
    (N, {"data.type": "filled", "data.status": "done", "data.filledSize": ..., "data.canceledSize": "3"}, {"cum_filled_qty": None}),
    (N, {"data.type": "filled", "data.status": "done", "data.filledSize": "20"}, {"status": "FILLED", "fill": None,
     "cum_filled_qty": "20"}),
    (N, {"data.type": "canceled", "data.status": "done"}, {"status": "CANCELED", "execution_type": "EXEC_CANCELED", "status_raw": "done"}),
    (N, {"data.type": "canceled", "data.status": "done", "data.filledSize": "4", "data.canceledSize": "16"}, {"status": "CANCELED"}),
    # A market order may end so, of which nothing was left.
    (N, {"data.type": "canceled", "data.status": "done", "data.filledSize": "20", "data.orderType": "market"}, {"status": "FILLED"}),
    (N, {"data.type": "update", "data.oldSize": "30"}, {"status": "NEW", "execution_type": "EXEC_AMENDMENT", "meta.extra.oldSize": "30"}),
    (N, {"data.type": "update", "data.filledSize": "4"}, {"status": "PARTIALLY_FILLED", "execution_type": "EXEC_AMENDMENT"}),
    (N, {"data.type": "update", "data.status": "match", "data.filledSize": "4"}, {"status": "PARTIALLY_FILLED"}),
    # An update that is done ends the order: what was not filled has been cancelled, as by self-trade prevention.
    (N, {"data.type": "update", "data.status": "done", "data.filledSize": "4", "data.canceledSize": "16"},
     {"status": "PARTIALLY_FILLED_CANCELED", "execution_type": "EXEC_CANCELED"}),
    (N, {"data.type": "update", "data.status": "done", "data.canceledSize": "20"}, {"status": "CANCELED",
     "execution_type": "EXEC_CANCELED"}),
    (N, {"data.type": "tomorrow"}, {"status": None, "execution_type_raw": "tomorrow"}),
    (N, {"subject": "orderChange", "topic": "/contractMarket/tradeOrders", "data.ts": TIME}, {"meta.transaction_time_ms": str(TIME)}),
    (N, {"data.symbol": ...}, {"symbol": "XBTUSDTM"}), (N, {"data.positionSide": "LONG"}, {"position_side": "LONG"}),
    (S, {}, {"is_algo": True, "status": "UNTRIGGERED", "stop_price": "1000", "price": "0.1", "orig_qty": "1", "working_type_raw": "TP",
             "order_create_time_ms": str(TIME), "meta.extra.stop": "down", "execution_type": "EXEC_NEW"}),
    (S, {"data.type": "triggered", "data.triggerSuccess": True}, {"status": "EXPIRED", "execution_type": "EXEC_TRIGGER"}),
    (S, {"data.type": "triggered", "data.triggerSuccess": False, "data.error": "error.createOrder.accountBalanceInsufficient"},
     {"status": "REJECTED", "reason_raw": "error.createOrder.accountBalanceInsufficient"}),
    (S, {"data.type": "cancel"}, {"status": "CANCELED", "execution_type": "EXEC_CANCELED"}),
    (P, {}, {"topic": "position-updates", "amount": "-3", "entry_price": "91694.5", "margin_mode": "ISOLATED", "leverage": "5",
             "isolated_wallet": "18.40492004", "maint_margin": "0.5634627025", "margin_asset": "USDT", "partial": None,
             "reason_raw": "positionChange", "open_time_ms": str(TIME - 9), "meta.transaction_time_ms": str(TIME)}),
    (P, {"data.marginMode": "CROSS", "data.crossMode": True}, {"margin_mode": "CROSS", "isolated_wallet": None}),
    (P, {"data.marginMode": ..., "data.crossMode": True}, {"margin_mode": "CROSS"}),
    (P, {"data.leverage": ...}, {"leverage": "4.9"}), (P, {"data.currentQty": 0, "data.isOpen": False}, {"amount": "0"}),
    (P, {"data.changeReason": "liquidation"}, {"reason_raw": "liquidation"}),
    (P, {"data.positionSide": "SHORT"}, {"position_side": "SHORT", "amount": "-3"}),
    # However a venue counts a short leg: ours are below zero.
    (P, {"data.positionSide": "SHORT", "data.currentQty": 3}, {"position_side": "SHORT", "amount": "-3"}),
    (P, {"data.positionSide": "LONG", "data.currentQty": 3}, {"position_side": "LONG", "amount": "3"}),
    (P, {"data.currentQty": ..., "data.symbol": ..., "topic": "/contract/positionAll", "data.changeReason": "markPriceChange"},
     {"partial": True, "amount": None, "symbol": None, "mark_price": "91839.79"}),
    (P, {"subject": "position.settlement", "data": {"fundingTime": TIME, "qty": 100, "markPrice": 3610.85, "fundingRate": -0.002966,
                                                    "fundingFee": -296, "ts": TIME * 1_000_000, "settleCurrency": "XBT"}},
     {"funding_fee": "-296", "partial": True, "settle_time_ms": str(TIME), "margin_asset": "XBT", "amount": None,
      "meta.extra.fundingRate": "-0.002966", "symbol": "XBTUSDTM"}),
    (W, {}, {"topic": "balance-updates", "wallet_balance": "81.07", "available_balance": "26.14", "equity": "81.27", "locked": "0",
             "meta.exchange_seq": "1337", "meta.transaction_time_ms": str(TIME), "meta.extra.isolatedOrderMargin": "18.1"}),
    (W, {"subject": "orderMargin.change", "data": {"orderMargin": 5923, "currency": "USDT", "timestamp": TIME}},
     {"order_margin": "5923", "wallet_balance": None}),
    (W, {"subject": "withdrawHold.change", "data": {"withdrawHold": 5923, "currency": "USDT", "timestamp": TIME}}, {"locked": "5923"}),
    (W, {"subject": "user.config", "topic": "/contract/marginMode", "data": {"AUSDTM": "CROSS", "BUSDTM": "ISOLATED"}},
     {"0.topic": "account-config", "0.margin_mode.mode": "CROSS", "1.margin_mode.mode": "ISOLATED", "1.margin_mode.symbol": "BUSDTM"}),
    (W, {"subject": "user.config", "topic": "/contract/crossLeverage", "data": {"AUSDTM": {"leverage": "8"}}}, {"leverage.leverage": "8"}),
    (X, {}, {"topic": "order-updates", "order_id": "698", "status": "NEW", "qty_unit": "CONTRACTS", "margin_mode": "CROSS",
             "meta.product_raw": "FUTURES", "meta.event_time_ms": str(TIME + 9), "meta.transaction_time_ms": str(TIME), "fill": None}),
    (X, {"d.os": 4, "d.eT": "MATCH", "d.ti": "9", "d.lS": "4", "d.ls": "91670", "d.lR": "TAKER", "d.fS": "4"},
     {"fill.qty": "4", "fill.price": "91670", "fill.is_maker": False, "status": "PARTIALLY_FILLED", "fill.lite": True}),
    (X, {"d.os": "6", "d.eT": "CANCEL", "d.cR": "STP"}, {"status": "PARTIALLY_FILLED_CANCELED", "reason_raw": "STP"}),
    (X, {"d.os": 0, "d.tP": "90000", "d.tPT": "MP"}, {"status": "UNTRIGGERED", "stop_price": "90000", "working_type_raw": "MP"}),
    (X, {"d.pP": "99000", "d.lP": "80000"}, {"take_profit": "99000", "stop_loss": "80000"}),
    # Without a product in the channel's name the order itself says it.
    (X, {"T": "orderAll", "d.qU": ...}, {"meta.product_raw": "FUTURES", "qty_unit": "CONTRACTS"}),
    (X, {"d": [X["d"], X["d"] | {"oi": "699"}]}, {"0.order_id": "698", "1.order_id": "699", "1.meta.part_index": 1}),
    (Y, {}, {"topic": "position-updates", "amount": "-1", "margin_mode": "ISOLATED", "position_id": "40000", "maint_margin": "0.005",
             "margin_ratio": "0.65", "isolated_wallet": "0.6"}),
    (Y, {"d.mM": "CROSS"}, {"margin_mode": "CROSS", "isolated_wallet": None, "meta.extra.pM": "0.6"}),
    (Y, {"d.pS": "SHORT", "d.q": "1"}, {"position_side": "SHORT", "amount": "-1"}),
    (Y, {"T": "lw.FUTURES", "d": {"eT": "FORCE_LIQUIDATION", "r": "1.01", "e": "9", "mM": "8", "U": TIME * 1_000_000}},
     {"topic": "margin-calls", "level_raw": "FORCE_LIQUIDATION", "account_margin_ratio": "1.01", "maint_margin": "8"}),
    (Y, {"T": "leverage.FUTURES", "d": {"s": "XBTUSDTM", "l": "5.00"}}, {"topic": "account-config", "leverage.leverage": "5.00"}),
    (Y, {"T": "execution.FUTURES", "d": {"E": TIME * 1_000_000, "S": "BUY", "f": "-0.01", "p": "78823.6", "q": "2", "s": "XBTUSDTM",
                                         "fC": "USDT", "lR": "MAKER", "oT": "LIMIT", "oi": "6", "ti": "21002796345212928"}},
     {"fill.fee": "-0.01", "fill.is_maker": True, "fill.lite": None, "qty_unit": "CONTRACTS", "fill.trade_id": "21002796345212928"}),
]


@pytest.mark.parametrize(("frame", "changes", "wanted"), ROWS, ids=lambda one: str(one)[:60])
def test_a_documented_frame_tells_what_it_should(frame: Frame, changes: Changes, wanted: Changes) -> None:
    assert told("kucoin_futures", frame, changes, wanted) == dict(wanted)
