"""Bybit as its documentation has it: a change of a documented frame and what must come of it."""

import pytest

from tests.venues import documented
from tests.venues.corpus import TIME, Frame
from tests.venues.documented import Changes, told

N, E, P, W = documented.BYBIT_ORDER, documented.BYBIT_EXECUTION, documented.BYBIT_POSITION, documented.BYBIT_WALLET
_STOP = {"data.0.stopOrderType": "Stop", "data.0.orderStatus": "Untriggered", "data.0.triggerPrice": "60000",
         "data.0.triggerBy": "MarkPrice"}

ROWS: list[tuple[Frame, Changes, Changes]] = [
    (N, {}, {"topic": "order-updates", "order_id": "5cf98598", "client_order_id": "link-1", "side": "SELL", "status": "NEW",
             "position_side": "BOTH", "avg_price": "", "leaves_qty": "2", "qty_unit": "BASE", "origin": "USER", "reduce_only": False,
             "order_create_time_ms": str(TIME - 9), "meta.transaction_time_ms": str(TIME), "meta.product_raw": "linear", "fill": None,
             "reason_raw": None}),
    (N, {"data.0.orderStatus": "PartiallyFilled", "data.0.cumExecQty": "0.5", "data.0.avgPrice": "65000.1"},
     {"status": "PARTIALLY_FILLED", "cum_filled_qty": "0.5", "avg_price": "65000.1"}),
    (N, {"data.0.orderStatus": "Cancelled", "data.0.cumExecQty": "0.5", "data.0.cancelType": "CancelByUser",
         "data.0.rejectReason": "EC_PerCancelRequest"}, {"status": "CANCELED", "cum_filled_qty": "0.5", "reason_raw": "EC_PerCancelRequest",
                                                         "meta.extra.cancelType": "CancelByUser", "execution_type": "EXEC_CANCELED"}),
    (N, {"data.0.orderStatus": "Cancelled", "data.0.cancelType": "CancelBySmp", "data.0.smpType": "CancelMaker"},
     {"reason_raw": "CancelBySmp", "stp_mode_raw": "CancelMaker"}),
    # UNKNOWN is no reason, in either field.
    (N, {"data.0.orderStatus": "Cancelled", "data.0.cancelType": "CancelByUser", "data.0.rejectReason": "UNKNOWN"},
     {"reason_raw": "CancelByUser"}),
    (N, {"data.0.orderStatus": "Rejected", "data.0.rejectReason": "EC_PostOnlyWillTakeLiquidity", "data.0.timeInForce": "PostOnly"},
     {"status": "REJECTED", "reason_raw": "EC_PostOnlyWillTakeLiquidity", "time_in_force_raw": "PostOnly"}),
    (N, {"data.0.orderStatus": "PartiallyFilledCanceled", "data.0.category": "spot"}, {"status": "PARTIALLY_FILLED_CANCELED",
                                                                                       "meta.product_raw": "spot"}),
    (N, {"data.0.orderStatus": "Deactivated"}, {"status": "CANCELED", "status_raw": "Deactivated"}),
    (N, {"data.0.orderStatus": "Triggered"}, {"status": "TRIGGERED", "execution_type": "EXEC_TRIGGER"}),
    (N, {"data.0.orderStatus": "Tomorrow"}, {"status": None, "status_raw": "Tomorrow"}),
    (N, _STOP, {"status": "UNTRIGGERED", "stop_price": "60000", "working_type_raw": "MarkPrice", "original_order_type_raw": "Stop",
                "activation_price": None}),
    # Of a trailing stop the trigger is where it begins to trail.
    (N, {**_STOP, "data.0.stopOrderType": "TrailingStop"}, {"activation_price": "60000", "original_order_type_raw": "TrailingStop"}),
    (N, {"data.0.takeProfit": "70000", "data.0.stopLoss": "60000", "data.0.tpslMode": "Partial"}, {"take_profit": "70000",
                                                                                                  "stop_loss": "60000"}),
    (N, {"data.0.positionIdx": 1}, {"position_side": "LONG", "position_idx": 1}),
    (N, {"data.0.positionIdx": 2, "data.0.reduceOnly": True}, {"position_side": "SHORT", "reduce_only": True}),
    (N, {"data.0.category": "inverse", "data.0.symbol": "BTCUSD", "data.0.cumExecFee": "0.0001"}, {"qty_unit": "QUOTE",
     "cum_fee": "0.0001"}),
    (N, {"data.0.category": "spot", "data.0.marketUnit": "quoteCoin"}, {"qty_unit": "QUOTE"}),
    (N, {"data.0.createType": "CreateByLiq"}, {"origin": "LIQUIDATION", "create_type_raw": "CreateByLiq"}),
    (N, {"data.0.createType": "CreateByTakeOver_PassThrough"}, {"origin": "LIQUIDATION"}),
    (N, {"data.0.createType": "CreateByAdl_PassThrough"}, {"origin": "ADL"}),
    (N, {"data.0.createType": "CreateByStopLoss"}, {"origin": "USER"}), (N, {"data.0.createType": ...}, {"origin": None}),
    (N, {"data.0.createType": "CloseByFGridBot"}, {"origin": "USER"}),
    (N, {"data.0.createType": "CreateByAdminClosing"}, {"origin": "SYSTEM_OTHER"}),
    # cumFeeDetail follows cumExecFee, which linear and spot no longer fill.
    (N, {"data.0.cumFeeDetail": {"USDT": "0.35"}}, {"cum_fee": "0.35", "cum_fee_asset": "USDT"}),
    (N, {"data.0.cumFeeDetail": {"USDT": "0.35"}, "data.0.cumExecFee": "0.35"}, {"cum_fee": "0.35", "cum_fee_asset": "USDT"}),
    (N, {"data.0.cumFeeDetail": {"MNT": "0.0024"}, "data.0.cumExecFee": "0.35"}, {"cum_fee": "0.35", "cum_fee_asset": ""}),
    (N, {"data.0.cumFeeDetail": {"USDT": "0.35", "MNT": "1"}}, {"cum_fee": "", "cum_fee_asset": ""}),
    (N, {"data.0.updatedTime": ""}, {"meta.transaction_time_ms": None, "meta.event_time_ms": str(TIME + 1)}),
    (N, {"topic": "order.linear"}, {"status": "NEW", "meta.exchange_event": "order.linear"}),
    (E, {}, {"topic": "order-updates", "fill.trade_id": "0ab1bdf7", "fill.fee": "26.3725275", "fill.fee_asset": "USDT",
     "fill.is_maker": False,
             "fill.realized_pnl": "0.05", "fill.quote_qty": "47950.05", "execution_type": "EXEC_TRADE", "status": None, "origin": "USER",
             "meta.exchange_seq": "140612148849382", "position_side": None, "fill.lite": None}),
    (E, {"data.0.execFee": "-0.11", "data.0.isMaker": True}, {"fill.fee": "-0.11", "fill.is_maker": True}),
    (E, {"data.0.execType": "AdlTrade"}, {"origin": "ADL", "execution_type": "EXEC_CALCULATED", "fill.exec_type_raw": "AdlTrade"}),
    (E, {"data.0.execType": "BustTrade"}, {"origin": "LIQUIDATION", "execution_type": "EXEC_CALCULATED"}),
    (E, {"data.0.execType": "Settle"}, {"origin": "SETTLEMENT"}), (E, {"data.0.execType": "Delivery"}, {"origin": "DELIVERY"}),
    (E, {"data.0.execType": "BlockTrade"}, {"origin": "USER", "execution_type": "EXEC_TRADE"}),
    (E, {"data.0.execType": "CorporateAction"}, {"origin": "SYSTEM_OTHER", "execution_type": "EXEC_CALCULATED"}),
    (E, {"data.0.execType": "UNKNOWN"}, {"execution_type": None, "execution_type_raw": "UNKNOWN", "fill.qty": "0.5"}),
    # A liquidation by steps trades in the book: only who made the order tells it.
    (E, {"data.0.createType": "CreateByLiq"}, {"origin": "LIQUIDATION", "execution_type": "EXEC_TRADE"}),
    (E, {"data.0.createType": "CreateByTakeProfit", "data.0.stopOrderType": "TakeProfit"}, {"origin": "USER",
                                                                                           "original_order_type_raw": "TakeProfit"}),
    (E, {"data.0.execType": "Funding", "data.0.orderType": "UNKNOWN"},
     {"topic": "balance-updates", "asset": "USDT", "balance_change": "-26.3725275", "reason_raw": "Funding", "related_symbol": "BTCUSDT"}),
    (E, {"data.0.execType": "Funding", "data.0.execFee": "-1.5"}, {"balance_change": "1.5"}),
    (E, {"data.0.execType": "Funding", "data.0.feeCurrency": "", "data.0.symbol": "BTCPERP"}, {"asset": "USDC"}),
    (E, {"data.0.execType": "Funding", "data.0.feeCurrency": "", "data.0.symbol": "ETHUSD", "data.0.category": "inverse"},
     {"asset": "ETH"}),
    (E, {"data.0.extraFees": [{"feeCoin": "USDT", "feeType": "GST", "subFeeType": "IND_GST", "feeRate": "0.0000675", "fee": "0.0064"}]},
     {"fill.fee": "26.3725275", "fill.extra_fees.0.amount": "0.0064", "fill.extra_fees.0.kind_raw": "GST",
     "fill.extra_fees.0.asset": "USDT"}),
    (E, {"topic": "execution.fast", "data.0.execType": ..., "data.0.execFee": ...}, {"fill.lite": True, "fill.fee": None,
                                                                                    "execution_type": "EXEC_TRADE"}),
    (E, {"data.0.category": "option", "data.0.symbol": "BTC-29DEC23-80000-C"}, {"meta.product_raw": "option", "qty_unit": "BASE"}),
    (P, {}, {"topic": "position-updates", "amount": "-0.01", "position_side": "BOTH", "entry_price": "3641.075", "leverage": "30",
             "breakeven_price": "3640.1", "liquidation_price": "", "accumulated_realized": "-25.06", "closed_pnl": "0.0094814",
             "adl_rank": "2", "auto_add_margin": False, "status_raw": "Normal", "open_time_ms": str(TIME - 9)}),
    (P, {"data.0.side": "Buy"}, {"amount": "0.01"}), (P, {"data.0.positionIdx": 2}, {"position_side": "SHORT", "amount": "-0.01"}),
    (P, {"data.0.positionIdx": 1, "data.0.side": "", "data.0.size": "0"}, {"position_side": "LONG", "amount": "0"}),
    # createdTime is of the symbol's first position ever; this one's own is openTime.
    (P, {"data.0.openTime": TIME - 3}, {"open_time_ms": str(TIME - 3), "meta.extra.createdTime": str(TIME - 9)}),
    (P, {"data.0.openTime": 0}, {"open_time_ms": str(TIME - 9)}),
    (P, {"data.0.seq": -1, "data.0.leverage": "", "data.0.positionIM": ""}, {"meta.exchange_seq": "-1", "leverage": "",
     "initial_margin": ""}),
    (P, {"data.0.tradeMode": 1, "data.0.positionBalance": "12.5"}, {"margin_mode": "ISOLATED", "isolated_wallet": "12.5"}),
    (P, {"data.0.positionStatus": "Liq"}, {"status_raw": "Liq"}), (P, {"data.0.category": "inverse"}, {"qty_unit": "QUOTE"}),
    (P, {"data.0.size": "0E-8", "data.0.side": "None"}, {"amount": "0E-8"}),
    (W, {}, {"0.topic": "balance-updates", "0.asset": None, "0.wallet_balance": "9684.4", "0.available_balance": "9556.6",
             "0.unrealized_pnl": "-3.5", "1.asset": "BTC", "1.wallet_balance": "0.00102964", "1.available_balance": "",
             "1.order_margin": "",
             "2": None, "1.meta.extra.cumRealisedPnl": "-0.00000973"}),
    # Two of its frames are two facts, though no row of them has a time.
    (W, {}, {"0.meta.business_key": f"bal::{TIME + 1}", "1.meta.business_key": f"bal:BTC:{TIME + 1}"}),
    (W, {"data.0.accountMMRate": "0.93"}, {"2.topic": "margin-calls", "2.account_margin_ratio": "0.93", "2.meta.source": "DERIVED"}),
    (W, {"data.0.accountMMRate": "", "data.0.accountIMRate": ""}, {"0.margin_ratio": "", "2": None}),
    # A wallet that says no totals tells none.
    (W, {"data.0": {"coin": [{"coin": "USDC", "walletBalance": "201.3"}]}}, {"0.asset": "USDC", "0.wallet_balance": "201.3", "1": None}),
    (W, {"data.0.coin": []}, {"0.equity": "10262.9", "1": None}),
]


@pytest.mark.parametrize(("frame", "changes", "wanted"), ROWS, ids=lambda one: str(one)[:60])
def test_a_documented_frame_tells_what_it_should(frame: Frame, changes: Changes, wanted: Changes) -> None:
    assert told("bybit_v5", frame, changes, wanted) == dict(wanted)
