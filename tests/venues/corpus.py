"""Frames of our own, in the shapes the venues document: for tests that must run without the payloads beside the checkout."""

from typing import Any

Frame = dict[str, Any]
TIME = 1_772_462_050_738

ORDER: Frame = {"e": "ORDER_TRADE_UPDATE", "T": TIME, "E": TIME + 1, "o": {
    "s": "BTCUSDT", "c": "x-1", "S": "SELL", "o": "LIMIT", "f": "GTC", "q": "0.020", "p": "65000", "ap": "65000", "sp": "0", "x": "TRADE",
    "X": "PARTIALLY_FILLED", "i": 9_007_199_254_740_993, "l": "0.010", "z": "0.010", "L": "65000", "n": "-0.0130", "N": "USDT", "T": TIME,
    "t": 9_007_199_254_740_995, "b": "0", "a": "650", "m": True, "R": False, "wt": "CONTRACT_PRICE", "ot": "LIMIT", "ps": "BOTH",
    "cp": False,
    "rp": "0.5", "pP": False, "si": 0, "ss": 0, "V": "EXPIRE_MAKER", "pm": "NONE", "gtd": 0, "er": "0"}}
ACCOUNT: Frame = {"e": "ACCOUNT_UPDATE", "T": TIME, "E": TIME + 1, "a": {
    "m": "FUNDING_FEE", "S": "BTCUSDT",
    "B": [{"a": "USDT", "wb": "100.5", "cw": "90.25", "bc": "0"}, {"a": "BNFCR", "wb": "1", "cw": "1", "bc": "0"}],
    "P": [{"s": "BTCUSDT", "pa": "-0.010", "ep": "65000", "bep": "64990", "cr": "1.5", "up": "-0.25", "mt": "isolated", "iw": "10.25",
           "ps": "SHORT", "ma": "USDT"}]}}
MODE: Frame = {"e": "ACCOUNT_UPDATE", "T": TIME, "E": TIME, "a": {
    "m": "MARGIN_TYPE_CHANGE", "B": [], "P": [{"s": "BTCUSDT", "pa": "0", "ep": "0", "cr": "0", "up": "0", "mt": "isolated", "iw": "0",
                                               "ps": "BOTH"}]}}
EXPIRED: Frame = {"stream": "njbKoDaX1234567890njbKoDaX1234567890", "data": {"e": "listenKeyExpired", "E": "1624628889565",
                                                                             "listenKey": "njbKoDaX1234567890njbKoDaX1234567890"}}
BINANCE: tuple[Frame, ...] = (
    ORDER, ACCOUNT, MODE, EXPIRED,
    {"e": "MARGIN_CALL", "E": TIME, "cw": "3.1", "p": [{"s": "ETHUSDT", "ps": "LONG", "pa": "1.3", "mt": "CROSSED", "iw": "0",
        "mp": "187.1",
                                                        "up": "-1.1", "mm": "1.6"}]},
    {"e": "ACCOUNT_CONFIG_UPDATE", "E": TIME, "T": TIME, "ac": {"s": "BTCUSDT", "l": 25}},
    {"e": "ACCOUNT_CONFIG_UPDATE", "E": TIME, "T": TIME, "ai": {"j": False}},
    {"e": "TRADE_LITE", "E": TIME, "T": TIME, "s": "BTCUSDT", "q": "0.020", "p": "0", "m": False, "c": "x-1", "S": "BUY", "L": "65000",
     "l": "0.010", "t": 7, "i": 8},
    {"e": "ALGO_UPDATE", "T": TIME, "E": TIME, "o": {"caid": "c1", "aid": 2_000_000_547_321_628, "at": "CONDITIONAL", "o": "STOP_MARKET",
                                                     "s": "BTCUSDT", "S": "BUY", "ps": "BOTH", "f": "GTC", "q": "800", "X": "FINISHED",
                                                     "ai": "4904005884", "ap": "0.1", "aq": "300", "act": "MARKET", "tp": "0.2", "p": "0",
                                                     "V": "EXPIRE_MAKER", "wt": "MARK_PRICE", "pm": "NONE", "cp": False, "pP": False,
                                                     "R": False, "tt": TIME, "gtd": 0, "ia": True}},
    {"e": "CONDITIONAL_ORDER_TRIGGER_REJECT", "T": TIME, "E": TIME, "or": {"s": "BTCUSDT", "i": 8, "r": "why"}},
    {"e": "STRATEGY_UPDATE", "T": TIME, "E": TIME, "su": {"si": 1, "st": "GRID", "ss": "NEW", "s": "BTCUSDT", "ut": TIME, "c": 8007}},
    {"result": None, "id": 3}, {"id": "a", "status": 400, "error": {"code": -1125, "msg": "This listenKey does not exist."}},
)
WALLET: Frame = {"id": "w1", "topic": "wallet", "creationTime": TIME, "data": [{
    "accountIMRate": "0.2", "accountMMRate": "0.85", "totalEquity": "10000", "totalWalletBalance": "9900", "totalMarginBalance": "9950",
    "totalAvailableBalance": "8000", "totalPerpUPL": "50", "totalInitialMargin": "1000", "totalMaintenanceMargin": "8500",
    "accountType": "UNIFIED", "accountLTV": "0", "coin": [
        {"coin": "USDT", "equity": "10000", "usdValue": "10000", "walletBalance": "9900", "availableToWithdraw": "", "borrowAmount": "0",
         "accruedInterest": "0", "totalOrderIM": "0", "totalPositionIM": "1000", "totalPositionMM": "8500", "unrealisedPnl": "50",
         "cumRealisedPnl": "-5", "bonus": "0", "collateralSwitch": True, "marginCollateral": True, "locked": "0"}]}]}
EXECUTIONS: Frame = {"id": "e1", "topic": "execution", "creationTime": TIME, "data": [
    {"category": "linear", "symbol": "BTCUSDT", "closedSize": "0.5", "execFee": "26.37", "execId": "x1", "execPrice": "95900.1",
     "execQty": "0.5", "execType": "Trade", "execValue": "47950.05", "feeRate": "0.00055", "isMaker": False, "leavesQty": "0",
     "orderId": "o1", "orderLinkId": "", "orderQty": "0.5", "orderPrice": "94942.5", "orderType": "Market", "side": "Sell",
     "stopOrderType": "UNKNOWN", "execTime": str(TIME), "seq": 140_612_148_849_382, "execPnl": "0.05", "createType": "CreateByClosing",
     "feeCurrency": "USDT", "extraFees": [{"feeCoin": "USDT", "feeType": "GST", "fee": "0.1", "feeRate": "0.18"}]},
    {"category": "linear", "symbol": "BTCUSDT", "execFee": "1.25", "execId": "x2", "execPrice": "95900", "execQty": "0.5",
     "execType": "Funding", "execTime": str(TIME), "orderId": "f1", "side": "Buy", "feeCurrency": ""},
    {"category": "inverse", "symbol": "BTCUSD", "execFee": "0.0001", "execId": "x3", "execPrice": "95900", "execQty": "100",
     "execType": "BustTrade", "execTime": str(TIME), "orderId": "o2", "side": "Buy"}]}
BYBIT: tuple[Frame, ...] = (
    WALLET, EXECUTIONS,
    {"topic": "execution.fast", "creationTime": TIME, "data": [{"category": "linear", "symbol": "BTCUSDT", "execId": "x1",
                                                               "execPrice": "95900.1", "execQty": "0.5", "orderId": "o1", "isMaker": False,
                                                               "orderLinkId": "", "side": "Sell", "execTime": str(TIME), "seq": 14}]},
    {"id": "p1", "topic": "position", "creationTime": TIME, "data": [
        {"positionIdx": 0, "tradeMode": 1, "riskId": 1, "symbol": "BTCUSDT", "side": "Sell", "size": "0.5", "entryPrice": "95000",
         "leverage": "10", "positionValue": "47500", "positionBalance": "4750", "markPrice": "95100", "positionIM": "4750",
         "positionMM": "250", "unrealisedPnl": "-50", "cumRealisedPnl": "1", "curRealisedPnl": "1", "updatedTime": str(TIME), "seq": 5,
         "category": "linear", "positionStatus": "Normal", "adlRankIndicator": 2, "autoAddMargin": 1, "liqPrice": "104000"}]},
    {"id": "o1", "topic": "order", "creationTime": TIME, "data": [
        {"symbol": "BTCUSDT", "orderId": "o1", "orderLinkId": "c1", "side": "Buy", "orderType": "Limit", "cancelType": "CancelByUser",
         "price": "90000", "qty": "1", "timeInForce": "GTC", "orderStatus": "PartiallyFilledCanceled", "reduceOnly": True,
         "cumExecQty": "0.4", "cumExecValue": "36000", "avgPrice": "90000", "positionIdx": 1, "cumExecFee": "19.8",
         "createdTime": str(TIME), "updatedTime": str(TIME), "rejectReason": "EC_PerCancelRequest", "category": "linear",
         "createType": "CreateByUser", "closedPnl": "0", "feeCurrency": "USDT", "triggerPrice": "", "stopOrderType": ""}]},
    {"success": True, "ret_msg": "", "op": "auth", "conn_id": "c"}, {"success": False, "ret_msg": "bad sign", "op": "auth", "conn_id": "c"},
    {"req_id": "test", "op": "pong", "args": ["1675418560633"], "conn_id": "c"},
)
OKX_ORDER: Frame = {"arg": {"channel": "orders", "instType": "ANY", "uid": "1"}, "data": [
    {"instType": "SWAP", "instId": "BTC-USDT-SWAP", "ccy": "", "ordId": "312269865356374016", "clOrdId": "c1", "px": "999", "sz": "3",
     "ordType": "post_only", "side": "buy", "posSide": "long", "tdMode": "isolated", "fillSz": "2", "fillPx": "999", "tradeId": "7",
     "accFillSz": "2", "fillTime": str(TIME), "fillFee": "-0.5", "fillFeeCcy": "USDT", "fillPnl": "0", "execType": "M",
     "state": "partially_filled", "avgPx": "999", "lever": "20", "fee": "-0.5", "feeCcy": "USDT", "rebate": "0", "rebateCcy": "USDT",
     "pnl": "0", "category": "normal", "uTime": str(TIME), "cTime": str(TIME), "amendResult": "", "code": "0", "msg": "",
     "reduceOnly": "false", "attachAlgoOrds": []}]}
OKX: tuple[Frame, ...] = (
    OKX_ORDER,
    {"arg": {"channel": "liquidation-warning", "instType": "FUTURES"}, "data": [
        {"cTime": "1619507758793", "ccy": "ETH", "instId": "ETH-USD-210430", "lever": "10", "markPx": "2353.849", "mgnMode": "isolated",
         "mgnRatio": "11.73", "pTime": str(TIME), "pos": "1", "posId": "307", "posSide": "short", "uTime": str(TIME)}]},
    {"arg": {"channel": "positions", "instType": "ANY", "uid": "1"}, "data": [
        {"instType": "SWAP", "instId": "BTC-USDT-SWAP", "posId": "9", "posSide": "short", "pos": "3", "avgPx": "1000",
            "mgnMode": "isolated",
         "margin": "33.3", "lever": "20", "upl": "-0.1", "markPx": "1001", "liqPx": "", "imr": "", "mmr": "0.3", "mgnRatio": "50",
         "cTime": str(TIME), "uTime": str(TIME), "pTime": str(TIME), "ccy": "USDT", "realizedPnl": "-0.5", "fundingFee": "-0.1"}]},
    {"arg": {"channel": "balance_and_position", "uid": "1"}, "data": [
        {"pTime": str(TIME), "eventType": "filled", "balData": [{"ccy": "USDT", "cashBal": "1000", "uTime": str(TIME)}], "posData": [
            {"posId": "9", "tradeId": "7", "instId": "BTC-USDT-SWAP", "instType": "SWAP", "mgnMode": "cross", "posSide": "net", "pos": "-3",
             "ccy": "USDT", "avgPx": "1000", "uTime": str(TIME)}], "trades": [{"instId": "BTC-USDT-SWAP", "tradeId": "7"}]}]},
    {"event": "notice", "code": "64008", "msg": "The connection will soon be closed for a service upgrade. Please reconnect.",
        "connId": "a"},
    {"event": "error", "code": "60009", "msg": "Login failed.", "connId": "a"}, {"event": "login", "code": "0", "msg": "", "connId": "a"},
    {"event": "subscribe", "arg": {"channel": "orders", "instType": "ANY"}, "connId": "a"},
)
KUCOIN: tuple[Frame, ...] = (
    {"topic": "/contractMarket/tradeOrders", "type": "message", "subject": "symbolOrderChange", "userId": "u", "channelType": "private",
     "data": {"symbol": "XBTUSDTM", "orderType": "limit", "side": "buy", "canceledSize": "0", "orderId": "416204113500479490",
              "positionSide": "LONG", "liquidity": "taker", "marginMode": "ISOLATED", "type": "match", "feeType": "takerFee",
              "orderTime": "1772043995356345762", "size": "2", "filledSize": "1", "price": "91000", "matchPrice": "91000.5",
              "matchSize": "1",
              "remainSize": "1", "tradeId": "1815302608109", "clientOid": "c1", "tradeType": "trade", "status": "match",
              "ts": 1_772_043_995_362_000_000}},
    {"topic": "/contractMarket/tradeOrders", "type": "message", "subject": "symbolOrderChange",
     "data": {"symbol": "XBTUSDTM", "side": "buy", "orderId": "41", "type": "filled", "size": "2", "filledSize": "2", "remainSize": "0",
              "price": "91000", "status": "done", "ts": 1_772_043_995_362_000_000}},
    {"topic": "/contract/positionAll", "type": "message", "subject": "position.change", "userId": "u",
     "data": {"symbol": "XBTUSDTM", "crossMode": True, "currentQty": -3, "avgEntryPrice": 91694.5, "markPrice": 91839.79,
              "liquidationPrice": 1000000.0, "posInit": 18.3389, "posMaint": 3.92e-06, "realLeverage": 4.97, "unrealisedPnl": -2.53e-06,
              "realisedPnl": 0.07, "currentTimestamp": TIME, "changeReason": "positionChange", "settleCurrency": "USDT"}},
    {"topic": "/contract/positionAll", "subject": "position.change", "userId": "u",
     "data": {"markPrice": 7947.83, "markValue": 0.0025164, "unrealisedPnl": -0.00014735, "currentTimestamp": TIME,
              "settleCurrency": "XBT", "changeReason": "markPriceChange"}},
    {"topic": "/contractAccount/wallet", "subject": "walletBalance.change", "userId": "u",
     "data": {"currency": "XBT", "walletBalance": "2.002", "availableBalance": "2.002", "holdBalance": "0", "isolatedPosMargin": "0",
              "crossPosMargin": "0", "equity": "2.002", "version": "9", "timestamp": str(TIME)}},
    {"topic": "/contract/crossLeverage", "type": "message", "subject": "user.config", "data": {"ANTUSDTM": {"leverage": 5},
                                                                                              "XBTUSDTM": {"leverage": "8"}}},
    {"topic": "/contract/marginMode", "type": "message", "subject": "user.config", "data": {"ANTUSDTM": "CROSS", "XBTUSDTM": "ISOLATED"}},
    {"T": "lw.FUTURES", "P": 1_729_842_192_785_164_840, "d": {"eT": "MARGIN_CALL", "r": "0.9378", "a": "12456.32", "iM": "58720.00",
                                                              "mM": "5284.80", "aM": "1890.45", "e": "63710.77", "l": "51254.45",
                                                              "U": 1_729_842_192_785_100_000}},
    {"id": "1", "type": "welcome"}, {"id": "1", "type": "ack"}, {"id": "1", "type": "pong"},
    {"id": "1", "type": "error", "code": 404, "data": "topic /x is not found"},
)
FRAMES = {"binance_usdm": BINANCE, "bybit_v5": BYBIT, "okx_v5": OKX, "kucoin_futures": KUCOIN}
