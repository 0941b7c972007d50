"""Binance as its documentation has it: a change of a documented frame and what must come of it."""

import pytest

from tests.venues import documented
from tests.venues.corpus import TIME, Frame
from tests.venues.documented import Changes, told

N, A, G, L, C = (documented.BINANCE_ORDER, documented.BINANCE_ACCOUNT, documented.BINANCE_ALGO, documented.BINANCE_LITE,
                 documented.BINANCE_CALL)
_TRADED = {"o.x": "TRADE", "o.X": "PARTIALLY_FILLED", "o.l": "0.5", "o.z": "1.5", "o.L": "64999.9", "o.t": 109_100_866, "o.n": "0.01"}

ROWS: list[tuple[Frame, Changes, Changes]] = [
    (N, {}, {"topic": "order-updates", "order_id": "8389765739703625592", "status": "NEW", "execution_type": "EXEC_NEW", "side": "SELL",
             "position_side": "BOTH", "qty_unit": "BASE", "orig_qty": "2", "price": "65000.10", "fill": None, "origin": "USER",
             "meta.product_raw": "USDM", "meta.event_time_ms": str(TIME + 1), "meta.transaction_time_ms": str(TIME), "algo_id": None}),
    (N, _TRADED, {"fill.trade_id": "109100866", "fill.qty": "0.5", "fill.price": "64999.9", "fill.fee": "0.01", "fill.fee_asset": "USDT",
                  "fill.is_maker": False, "cum_filled_qty": "1.5", "status": "PARTIALLY_FILLED", "fill.lite": None,
                  "meta.business_key": "fill:BTCUSDT:109100866"}),
    (N, {**_TRADED, "o.n": "-0.0013", "o.m": True}, {"fill.fee": "-0.0013", "fill.is_maker": True}),
    (N, {**_TRADED, "o.n": None, "o.N": None}, {"fill.fee": None, "fill.fee_asset": None, "fill.qty": "0.5"}),
    (N, {**_TRADED, "o.n": ..., "o.N": ...}, {"fill.fee": None, "fill.trade_id": "109100866"}),
    (N, {**_TRADED, "o.t": 2**63 - 1, "o.i": 2**63 - 1}, {"fill.trade_id": "9223372036854775807", "order_id": "9223372036854775807"}),
    (N, {**_TRADED, "o.t": "12", "o.i": "99", "o.l": 0.25}, {"fill.trade_id": "12", "order_id": "99", "fill.qty": "0.25"}),
    (N, {**_TRADED, "o.rp": "-12.5", "o.S": "SELL", "o.ps": "LONG", "o.R": True},
     {"fill.realized_pnl": "-12.5", "position_side": "LONG", "reduce_only": True, "side": "SELL"}),
    (N, {**_TRADED, "o.N": "BNB"}, {"fill.fee_asset": "BNB"}),
    (N, {"o.x": "AMENDMENT", "o.p": "64000", "o.M": 77}, {"execution_type": "EXEC_AMENDMENT", "status": "NEW", "price": "64000",
     "fill": None,
                                                        "modify_id": "77"}),
    (N, {"o.x": "CANCELED", "o.X": "CANCELED", "o.z": "1.5"}, {"status": "CANCELED", "cum_filled_qty": "1.5", "fill": None}),
    (N, {"o.x": "EXPIRED", "o.X": "EXPIRED_IN_MATCH", "o.V": "EXPIRE_MAKER", "o.er": "1"},
     {"status": "EXPIRED_IN_MATCH", "execution_type": "EXEC_EXPIRED", "stp_mode_raw": "EXPIRE_MAKER", "reason_raw": "1"}),
    (N, {"o.x": "EXPIRED", "o.X": "EXPIRED", "o.f": "IOC", "o.z": "1", "o.er": "2"}, {"status": "EXPIRED", "time_in_force_raw": "IOC"}),
    (N, {"o.x": "EXPIRED", "o.X": "EXPIRED", "o.o": "STOP_MARKET", "o.er": "8"}, {"status": "EXPIRED"}),
    (N, {"o.x": "EXPIRED", "o.X": "EXPIRED", "o.o": "TAKE_PROFIT"}, {"status": "TRIGGERED", "status_raw": "EXPIRED"}),
    (N, {"o.x": "TRADE_PREVENTION", "o.X": "EXPIRED_IN_MATCH"}, {"status": "EXPIRED_IN_MATCH", "execution_type": None,
                                                                 "execution_type_raw": "TRADE_PREVENTION"}),
    (N, {"o.f": "GTD", "o.gtd": 1_693_207_680_000}, {"good_till_date_ms": "1693207680000", "time_in_force_raw": "GTD"}),
    (N, {"o.gtd": 0}, {"good_till_date_ms": None}),
    (N, {"o.f": "RPI", "o.pm": "QUEUE_5"}, {"time_in_force_raw": "RPI", "price_match_raw": "QUEUE_5"}),
    (N, {"o.o": "TRAILING_STOP_MARKET", "o.AP": "61000", "o.cr": "5.0"}, {"activation_price": "61000", "callback_rate": "5.0"}),
    (N, {"o.o": "MARKET", "o.ot": "STOP_MARKET", "o.si": 2_000_000_547_321_628, "o.st": "ALGO_CONDITION", "o.ss": -1},
     {"algo_id": "2000000547321628", "is_algo": None, "original_order_type_raw": "STOP_MARKET", "meta.extra.st": "ALGO_CONDITION"}),
    (N, {"o.c": "autoclose-1", "o.o": "LIQUIDATION", "o.f": "IOC"}, {"origin": "LIQUIDATION", "status": "NEW"}),
    (N, {"o.c": "autoclose-1", "o.x": "CALCULATED", "o.X": "FILLED", "o.l": "2", "o.z": "2", "o.L": "50000", "o.t": 5, "o.rp": "-100"},
     {"origin": "LIQUIDATION", "status": "FILLED", "execution_type": "EXEC_CALCULATED", "fill.realized_pnl": "-100"}),
    # What the venue takes is told as NEW: it would stay open for ever.
    (N, {"o.c": "adl_autoclose", "o.x": "CALCULATED", "o.l": "2", "o.z": "2", "o.L": "50000", "o.t": 5}, {"origin": "ADL",
     "status": "FILLED"}),
    (N, {"o.c": "adl_autoclose", "o.x": "CALCULATED", "o.l": "1", "o.z": "1", "o.L": "50000", "o.t": 5}, {"status": "PARTIALLY_FILLED"}),
    (N, {"o.c": "autoclose-1", "o.x": "CALCULATED", "o.X": "FILLED", "o.l": "0.000", "o.t": 3_344_556_677},
     {"fill": None, "meta.extra.t": "3344556677", "meta.extra.l": "0.000"}),
    (N, {"o.c": "settlement_autoclose-1", **_TRADED}, {"origin": "SETTLEMENT"}),
    (N, {"o.cp": True, "o.pP": True, "o.wt": "MARK_PRICE"}, {"close_position": True, "price_protect": True,
     "working_type_raw": "MARK_PRICE"}),
    (N, {"o.V": None, "o.sp": None, "o.AP": None, "o.er": ...}, {"stp_mode_raw": None, "stop_price": None, "reason_raw": None}),
    (N, {"o.X": "TOMORROW", "o.x": "LATER"}, {"status": None, "status_raw": "TOMORROW", "execution_type_raw": "LATER"}),
    (N, {"E": str(TIME), "T": ...}, {"meta.event_time_ms": str(TIME), "meta.transaction_time_ms": str(TIME)}),
    # One user data stream of an account that has both margins: contracts of dollars, and no part of a USD-M snapshot.
    (N, {"o.s": "BTCUSD_PERP", "o.ma": "BTC"}, {"qty_unit": "CONTRACTS", "meta.product_raw": "COINM", "meta.extra.ma": "BTC"}),
    (N, {"o.s": "BTCUSD_261225"}, {"qty_unit": "CONTRACTS", "meta.product_raw": "COINM"}),
    (N, {"o.s": "BTCUSDT_261225"}, {"qty_unit": "BASE", "meta.product_raw": "USDM"}),
    (A, {"a.P.0.s": "BTCUSD_PERP"}, {"1.qty_unit": "CONTRACTS", "1.meta.product_raw": "COINM", "0.meta.product_raw": "USDM"}),
    (A, {}, {"0.topic": "balance-updates", "0.wallet_balance": "122624.12345678", "0.cross_wallet_balance": "100.12345678",
             "0.available_balance": None, "1.topic": "position-updates", "1.amount": "-0.5", "1.margin_mode": "CROSS",
             "1.margin_asset": "USDT",
             "1.breakeven_price": "64990", "1.accumulated_realized": "-45.04", "2": None, "0.meta.part_count": 2}),
    (A, {"a.P.0.mt": "crossed"}, {"1.margin_mode": "CROSS"}),
    (A, {"a.P.0.mt": "isolated", "a.P.0.iw": "33.3"}, {"1.margin_mode": "ISOLATED", "1.isolated_wallet": "33.3"}),
    (A, {"a.P.0.ps": "SHORT"}, {"1.position_side": "SHORT", "1.amount": "-0.5"}),
    (A, {"a.P": []}, {"0.asset": "USDT", "1": None}),
    (A, {"a.P": ..., "a.m": "DEPOSIT", "a.B.0.bc": "10"}, {"0.reason_raw": "DEPOSIT", "0.balance_change": "10", "1": None}),
    (A, {"a.m": "FUNDING_FEE", "a.S": "BTCUSDT", "a.P": []}, {"0.reason_raw": "FUNDING_FEE", "0.related_symbol": "BTCUSDT"}),
    (A, {"a.m": "AUTO_EXCHANGE", "a.B.0.wb": "-1.5"}, {"0.wallet_balance": "-1.5"}),
    (A, {"a.B": [], "a.m": "MARGIN_TYPE_CHANGE", "a.P.0.mt": "isolated"}, {"0.margin_mode": "ISOLATED", "1.topic": "account-config",
                                                                           "1.margin_mode.mode": "ISOLATED"}),
    (G, {}, {"is_algo": True, "algo_id": "2000000547321628", "client_algo_id": "stop_1", "status": "UNTRIGGERED", "stop_price": "60000",
             "price_protect": True, "position_side": "LONG", "reduce_only": True, "order_id": None, "matching_order_id": ""}),
    (G, {"o.X": "TRIGGERED", "o.ai": "4904005884"}, {"status": "TRIGGERED", "matching_order_id": "4904005884"}),
    (G, {"o.X": "FINISHED", "o.aq": "2"}, {"status": "FILLED"}), (G, {"o.X": "FINISHED", "o.aq": "0"}, {"status": "CANCELED"}),
    (G, {"o.X": "REJECTED", "o.rm": "why"}, {"status": "REJECTED", "reason_raw": "why"}), (G, {"o.X": "EXPIRED"}, {"status": "EXPIRED"}),
    (G, {"o.o": "TRAILING_STOP_MARKET", "o.ia": True, "o.AP": "1", "o.cr": "0.3"}, {"activated": True, "callback_rate": "0.3"}),
    (L, {}, {"fill.lite": True, "fill.qty": "0.040", "fill.price": "65000.10", "fill.fee": None, "status": None,
             "side": "BUY", "fill.trade_time_ms": str(TIME)}),
    (C, {}, {"topic": "margin-calls", "positions.0.position_side": "SHORT", "positions.0.amount": "-1.327", "cross_wallet_balance": "3.16",
             "positions.0.margin_mode": "ISOLATED", "positions.0.maint_margin": "1.614445"}),
    (C, {"cw": ...}, {"cross_wallet_balance": None, "positions.0.symbol": "ETHUSDT"}),
]


@pytest.mark.parametrize(("frame", "changes", "wanted"), ROWS, ids=lambda one: str(one)[:60])
def test_a_documented_frame_tells_what_it_should(frame: Frame, changes: Changes, wanted: Changes) -> None:
    assert told("binance_usdm", frame, changes, wanted) == dict(wanted)
