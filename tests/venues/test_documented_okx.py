"""OKX as its documentation has it: a change of a documented frame and what must come of it."""

import pytest

from tests.venues import documented
from tests.venues.corpus import TIME, Frame
from tests.venues.documented import Changes, told

N, G, P, B, F = (documented.OKX_ORDER, documented.OKX_ALGO, documented.OKX_POSITION, documented.OKX_BOTH, documented.OKX_FILL)
W, A = documented.OKX_WARNING, documented.OKX_ACCOUNT
_FILLED = {"data.0.state": "partially_filled", "data.0.fillSz": "0.5", "data.0.accFillSz": "1.5", "data.0.fillPx": "65000.1",
           "data.0.tradeId": "242589207", "data.0.execType": "M", "data.0.fillFee": "0.0025", "data.0.fillFeeCcy": "USDT",
           "data.0.fee": "-0.01", "data.0.fillTime": str(TIME - 1), "data.0.fillPnl": "-3"}
_CHILD = {"attachAlgoId": "7", "attachAlgoClOrdId": "", "tpTriggerPx": "70000", "tpOrdPx": "-1", "slTriggerPx": "60000", "slOrdPx": "-1"}
_MARGIN = {"data.0.instType": "MARGIN", "data.0.instId": "LTC-USDT", "data.0.pos": "12.0035", "data.0.posCcy": "USDT"}

ROWS: list[tuple[Frame, Changes, Changes]] = [
    (N, {}, {"topic": "order-updates", "order_id": "312269865356374016", "client_order_id": "b1", "side": "SELL", "position_side": "BOTH",
             "status": "NEW", "qty_unit": "CONTRACTS", "margin_mode": "CROSS", "reduce_only": False, "fill": None, "leverage": "20",
             "meta.product_raw": "SWAP", "meta.transaction_time_ms": str(TIME), "order_create_time_ms": str(TIME - 9), "reason_raw": None,
             "cum_fee": "0", "take_profit": "", "execution_type": "EXEC_NEW"}),
    (N, _FILLED, {"fill.trade_id": "242589207", "fill.qty": "0.5", "fill.price": "65000.1", "fill.fee": "-0.0025", "fill.fee_asset": "USDT",
                  "fill.is_maker": True, "fill.realized_pnl": "-3", "fill.trade_time_ms": str(TIME - 1), "cum_fee": "0.01",
                  "cum_filled_qty": "1.5", "status": "PARTIALLY_FILLED", "meta.business_key": "fill:BTC-USDT-SWAP:242589207"}),
    (N, {**_FILLED, "data.0.execType": "T", "data.0.fillFee": "-0.02"}, {"fill.fee": "0.02", "fill.is_maker": False}),
    (N, {**_FILLED, "data.0.tradeId": "-77", "data.0.category": "partial_liquidation"}, {"fill.trade_id": "-77", "origin": "LIQUIDATION"}),
    (N, {**_FILLED, "data.0.tradeId": 0}, {"fill": None}), (N, {**_FILLED, "data.0.tradeId": 242589207}, {"fill.trade_id": "242589207"}),
    (N, {**_FILLED, "data.0.fillSz": "0.00"}, {"fill": None, "cum_filled_qty": "1.5"}),
    (N, {"data.0.state": "filled", "data.0.accFillSz": "2"}, {"status": "FILLED", "fill": None}),
    (N, {"data.0.state": "canceled", "data.0.accFillSz": "0.5", "data.0.cancelSource": "31"},
     {"status": "CANCELED", "reason_raw": "31", "execution_type": "EXEC_CANCELED"}),
    (N, {"data.0.state": "mmp_canceled"}, {"status": "CANCELED", "status_raw": "mmp_canceled"}),
    (N, {"data.0.state": "tomorrow"}, {"status": None, "status_raw": "tomorrow"}),
    (N, {"data.0.amendResult": "0", "data.0.reqId": "r1"}, {"execution_type": "EXEC_AMENDMENT", "modify_id": "r1", "status": "NEW"}),
    (N, {"data.0.amendResult": "-1", "data.0.code": "51008"}, {"reason_raw": "51008", "status": "NEW", "execution_type_raw": "-1"}),
    # An amendment after which the order is gone (1: cancelled, as cxlOnFail asks) is its end.
    (N, {"data.0.amendResult": "1", "data.0.state": "canceled"}, {"execution_type": "EXEC_CANCELED", "status": "CANCELED"}),
    (N, {"data.0.category": "full_liquidation"}, {"origin": "LIQUIDATION"}), (N, {"data.0.category": "adl"}, {"origin": "ADL"}),
    (N, {"data.0.category": "delivery"}, {"origin": "DELIVERY"}), (N, {"data.0.category": "twap"}, {"origin": "USER"}),
    (N, {"data.0.category": "auto_conversion"}, {"origin": "SYSTEM_OTHER"}),
    (N, {"data.0.posSide": "short", "data.0.side": "buy", "data.0.reduceOnly": "true"}, {"position_side": "SHORT", "reduce_only": True}),
    (N, {"data.0.tdMode": "isolated"}, {"margin_mode": "ISOLATED"}), (N, {"data.0.ordType": "post_only"},
     {"time_in_force_raw": "post_only"}),
    (N, {"data.0.ordType": "mmp_and_post_only"}, {"time_in_force_raw": "mmp_and_post_only", "order_type_raw": "mmp_and_post_only"}),
    (N, {"data.0.ordType": "op_fok"}, {"time_in_force_raw": "op_fok"}), (N, {"data.0.ordType": "market"}, {"time_in_force_raw": None}),
    (N, {"data.0.instType": "SPOT", "data.0.instId": "BTC-USDT", "data.0.tdMode": "cash", "data.0.tgtCcy": "quote_ccy"},
     {"qty_unit": "QUOTE", "margin_mode": "CASH", "meta.product_raw": "SPOT"}),
    (N, {"data.0.instType": "MARGIN", "data.0.instId": "BTC-USDT"}, {"qty_unit": "BASE", "meta.product_raw": "MARGIN"}),
    (N, {"data.0.instType": "OPTION", "data.0.instId": "BTC-USD-261225-50000-C"}, {"qty_unit": "CONTRACTS", "meta.product_raw": "OPTION"}),
    # The attached take profit and stop loss are in a list of their own; of several none is the order's.
    (N, {"data.0.attachAlgoOrds": [_CHILD]}, {"take_profit": "70000", "stop_loss": "60000"}),
    (N, {"data.0.attachAlgoOrds": [_CHILD], "data.0.tpTriggerPx": "71000"}, {"take_profit": "71000", "stop_loss": "60000"}),
    (N, {"data.0.attachAlgoOrds": [_CHILD, _CHILD]}, {"take_profit": "", "stop_loss": ""}),
    (N, {"data.0.attachAlgoOrds": [_CHILD | {"slTriggerPx": ""}, _CHILD | {"tpTriggerPx": ""}]},
     {"take_profit": "70000", "stop_loss": "60000"}),
    (N, {"data.0.attachAlgoOrds": ["none"]}, {"take_profit": "", "status": "NEW"}),
    # An order's row of REST has its last fill without the fee: `fills` tells it whole, and must not be taken for a repeat.
    (N, {**_FILLED, "data.0.fillFee": ..., "data.0.fillFeeCcy": ...}, {"fill.lite": True, "fill.fee": None}),
    (N, {**_FILLED, "data.0.fillTime": "0"}, {"fill.trade_time_ms": str(TIME)}),
    (N, {**_FILLED, "data.0.fillFee": "0"}, {"fill.lite": None, "fill.fee": "0"}),
    (N, {"data.0.algoId": "7067", "data.0.algoClOrdId": "stop-1"}, {"algo_id": "7067", "client_algo_id": "stop-1", "is_algo": None}),
    (G, {}, {"is_algo": True, "algo_id": "706620792746729472", "client_algo_id": "stop-1", "order_id": None, "status": "UNTRIGGERED",
             "stop_price": "60000", "working_type_raw": "mark", "price": None, "position_side": "LONG", "margin_mode": "ISOLATED",
             "reduce_only": True, "origin": "USER", "close_position": None, "meta.extra.ordPx": "-1"}),
    (G, {"data.0.ordPx": "59900"}, {"price": "59900"}),
    # How much it closes is said as a part of the position: it has no size.
    (G, {"data.0.sz": "", "data.0.closeFraction": "1"}, {"close_position": True, "orig_qty": ""}),
    (G, {"data.0.closeFraction": "0.4"}, {"close_position": False, "meta.extra.closeFraction": "0.4"}),
    (G, {"data.0.ordType": "oco", "data.0.tpTriggerPx": "70000", "data.0.slTriggerPx": "60000", "data.0.triggerPx": ""},
     {"take_profit": "70000", "stop_loss": "60000", "stop_price": "", "order_type_raw": "oco"}),
    (G, {"data.0.ordType": "move_order_stop", "data.0.callbackRatio": "0.05", "data.0.activePx": "64000"},
     {"callback_rate": "0.05", "activation_price": "64000"}),
    (G, {"data.0.state": "effective", "data.0.ordId": "999", "data.0.actualSz": "2"}, {"status": "EXPIRED", "matching_order_id": "999",
                                                                                      "execution_type": "EXEC_TRIGGER"}),
    (G, {"data.0.state": "order_failed", "data.0.failCode": "51008"}, {"status": "REJECTED", "reason_raw": "51008"}),
    (G, {"data.0.state": "partially_effective"}, {"status": "UNTRIGGERED"}), (G, {"data.0.state": "canceled"}, {"status": "CANCELED"}),
    (G, {"data.0.uTime": "", "data.0.pTime": str(TIME + 5), "arg.channel": "algo-advance"}, {"meta.transaction_time_ms": str(TIME + 5)}),
    (G, {"data.0.uTime": "", "data.0.cTime": ""}, {"meta.transaction_time_ms": None}),
    (P, {}, {"topic": "position-updates", "amount": "-3", "position_side": "BOTH", "margin_mode": "CROSS", "isolated_wallet": None,
             "qty_unit": "CONTRACTS", "position_id": "1005", "liquidation_price": "71000", "funding_fee": "-0.1", "closed_pnl": "1",
             "accumulated_realized": "0.5", "breakeven_price": "64900", "meta.event_time_ms": str(TIME + 2), "take_profit": None}),
    # What stands beside the rows is theirs, too.
    (P, {}, {"meta.extra.eventType": "event_update", "meta.extra.curPage": "1", "meta.extra.lastPage": "true"}),
    (A, {}, {"0.meta.extra.eventType": "snapshot", "1.meta.extra.lastPage": "false"}),
    (P, {"data.0.posSide": "short", "data.0.pos": "3"}, {"amount": "-3", "position_side": "SHORT"}),
    (P, {"data.0.posSide": "long", "data.0.pos": "3"}, {"amount": "3", "position_side": "LONG"}),
    (P, {"data.0.mgnMode": "isolated", "data.0.margin": "33.3"}, {"margin_mode": "ISOLATED", "isolated_wallet": "33.3"}),
    (P, {"data.0.pos": "0", "data.0.avgPx": "", "data.0.lever": "", "data.0.liqPx": ""}, {"amount": "0", "entry_price": "",
     "leverage": ""}),
    # A short of margin is told as the quote coin it was sold for, above zero.
    (P, _MARGIN, {"amount": "-12.0035", "qty_unit": "QUOTE", "meta.product_raw": "MARGIN", "position_side": "BOTH"}),
    (P, {**_MARGIN, "data.0.posCcy": "LTC"}, {"amount": "12.0035", "qty_unit": "BASE"}),
    (P, {"data.0.closeOrderAlgo": [{"algoId": "1", "tpTriggerPx": "9", "slTriggerPx": "", "closeFraction": "1"}]}, {"take_profit": "9",
                                                                                                                    "stop_loss": None}),
    (B, {}, {"0.topic": "balance-updates", "0.asset": "USDT", "0.wallet_balance": "99.5", "0.reason_raw": "funding_fee", "1.amount": "0",
             "1.entry_price": "", "1.reason_raw": "funding_fee", "1.meta.event_time_ms": str(TIME + 2)}),
    (B, {"data.0.balData": [], "data.0.posData.0.instType": ...}, {"0.meta.product_raw": "SWAP", "0.qty_unit": "CONTRACTS"}),
    (B, {"data.0.posData.0.uTime": ...}, {"1.meta.business_key": f"pos:BTC-USDT-SWAP:BOTH:{TIME + 2}"}),
    (F, {}, {"fill.lite": True, "fill.qty": "100", "fill.is_maker": False, "qty_unit": "CONTRACTS", "fill.trade_time_ms": str(TIME),
             "meta.product_raw": "SWAP"}),
    # No kind of instrument is said: its name has it.
    (F, {"data.0.instId": "BTC-USDT"}, {"qty_unit": "BASE", "meta.product_raw": "SPOT"}),
    (F, {"data.0.instId": "BTC-USD-261225"}, {"qty_unit": "CONTRACTS", "meta.product_raw": "FUTURES"}),
    (F, {"data.0.instId": "BTC-USD-261225-50000-P"}, {"meta.product_raw": "OPTION"}),
    # Both legs of a hedge: one call, nothing of either is lost.
    (W, {}, {"topic": "margin-calls", "positions.0.amount": "1", "positions.1.amount": "-1", "positions.1.position_side": "SHORT"}),
    (A, {}, {"0.equity": "41624.32", "0.asset": None, "1.wallet_balance": "1", "1.available_balance": "0.9", "1.locked": "0.1",
             "1.borrowed": "", "1.meta.transaction_time_ms": str(TIME - 5), "2": None}),
]


@pytest.mark.parametrize(("frame", "changes", "wanted"), ROWS, ids=lambda one: str(one)[:60])
def test_a_documented_frame_tells_what_it_should(frame: Frame, changes: Changes, wanted: Changes) -> None:
    assert told("okx_v5", frame, changes, wanted) == dict(wanted)


def test_both_legs_of_a_hedge_keep_their_fields() -> None:
    [extra] = told("okx_v5", W, {}, {"meta.extra": ...}).values()
    assert isinstance(extra, dict)
    assert {text for name, text in extra.items() if name.endswith("posId")} == {"301", "302"}
