"""REST answers of our own, in the shapes the venues document: a snapshot of each venue by part."""

from typing import Any

from tests.venues.payloads import raw

TIME = 1_772_462_050_738
POSITION: dict[str, Any] = {
    "symbol": "BTCUSDT", "positionSide": "BOTH", "positionAmt": "-0.010", "entryPrice": "65000", "breakEvenPrice": "64990",
    "markPrice": "65010", "unRealizedProfit": "-0.1", "liquidationPrice": "90000", "isolatedMargin": "10", "notional": "-650.1",
    "marginAsset": "USDT", "isolatedWallet": "10.25", "initialMargin": "65", "maintMargin": "2.6", "positionInitialMargin": "65",
    "openOrderInitialMargin": "0", "adl": 2, "bidNotional": "0", "askNotional": "0", "updateTime": TIME}
FLAT = {**POSITION, "symbol": "ETHUSDT", "positionAmt": "0.000", "isolatedWallet": "0", "updateTime": TIME + 1}
ORDER: dict[str, Any] = {
    "avgPrice": "0", "clientOrderId": "abc", "cumQuote": "0", "executedQty": "0", "orderId": 9_007_199_254_740_993, "origQty": "0.40",
    "origType": "LIMIT", "price": "60000", "reduceOnly": False, "side": "BUY", "positionSide": "BOTH", "status": "NEW", "stopPrice": "0",
    "closePosition": False, "symbol": "BTCUSDT", "time": TIME, "timeInForce": "GTC", "type": "LIMIT", "updateTime": TIME,
    "workingType": "CONTRACT_PRICE", "priceProtect": False, "priceMatch": "NONE", "selfTradePreventionMode": "NONE", "goodTillDate": 0}
ALGO: dict[str, Any] = {
    "algoId": 2_148_627, "clientAlgoId": "c", "algoType": "CONDITIONAL", "orderType": "STOP_MARKET", "symbol": "BTCUSDT", "side": "SELL",
    "positionSide": "BOTH", "timeInForce": "GTC", "quantity": "0.01", "algoStatus": "NEW", "actualOrderId": "", "actualPrice": "0.00000",
    "triggerPrice": "50000", "price": "0", "icebergQuantity": None, "workingType": "MARK_PRICE", "closePosition": False,
    "reduceOnly": True, "createTime": TIME, "updateTime": TIME, "triggerTime": 0, "goodTillDate": 0}
BINANCE = {
    "account": raw({"totalMaintMargin": "2.6", "totalWalletBalance": "100.5", "availableBalance": "35", "assets": [
        {"asset": "USDT", "walletBalance": "100.5", "unrealizedProfit": "-0.1", "marginBalance": "100.4", "maintMargin": "2.6",
         "initialMargin": "65", "positionInitialMargin": "65", "openOrderInitialMargin": "0", "crossWalletBalance": "90.25",
         "crossUnPnl": "0", "availableBalance": "35", "maxWithdrawAmount": "35", "updateTime": TIME}],
        "positions": [{"symbol": "BTCUSDT", "positionSide": "BOTH", "positionAmt": "-0.010", "updateTime": TIME}]}),
    "positionRisk": raw([POSITION, FLAT]), "openOrders": raw([ORDER]), "openAlgoOrders": raw([ALGO]),
    "accountConfig": raw({"feeTier": 0, "canTrade": True, "dualSidePosition": False, "multiAssetsMargin": True, "updateTime": 0}),
    "symbolConfig": raw([{"symbol": "BTCUSDT", "marginType": "ISOLATED", "isAutoAddMargin": "false", "leverage": 21},
                         {"symbol": "DOGEUSDT", "marginType": "CROSSED", "isAutoAddMargin": "false", "leverage": 20}]),
}
_BYBIT_POSITION = {"positionIdx": 0, "tradeMode": 0, "symbol": "BTCUSDT", "side": "Buy", "size": "0.5", "avgPrice": "95000",
                   "leverage": "10", "updatedTime": str(TIME), "seq": 5, "positionStatus": "Normal"}
BYBIT = {
    "wallet-balance": raw({"retCode": 0, "retMsg": "OK", "result": {"list": [
        {"accountType": "UNIFIED", "accountMMRate": "0.01", "totalEquity": "10", "coin": [{"coin": "USDT", "walletBalance": "10"}]}]}}),
    "position": raw({"retCode": 0, "result": {"category": "linear", "nextPageCursor": "", "list": [_BYBIT_POSITION]}}),
    "order": raw({"retCode": 0, "result": {"category": "linear", "list": [
        {"orderId": "o1", "symbol": "BTCUSDT", "side": "Buy", "orderStatus": "New", "qty": "1", "price": "90000", "cumExecQty": "0",
         "updatedTime": str(TIME)}]}}),
    "account-info": raw({"retCode": 0, "result": {"marginMode": "REGULAR_MARGIN", "updatedTime": str(TIME)}}),
    "execution": raw({"retCode": 0, "result": {"category": "linear", "list": [
        {"symbol": "BTCUSDT", "orderId": "o1", "execId": "x1", "execType": "Trade", "execQty": "0.5", "execPrice": "95000", "side": "Buy",
         "execFee": "0.1", "execTime": str(TIME)}]}}),
}
OKX = {
    "balance": raw({"code": "0", "data": [{"totalEq": "10", "uTime": str(TIME), "details": [
        {"ccy": "USDT", "cashBal": "10", "eq": "10", "uTime": str(TIME)}]}]}),
    "positions": raw({"code": "0", "data": [{"instType": "SWAP", "instId": "BTC-USDT-SWAP", "posId": "9", "posSide": "net", "pos": "-3",
                                             "avgPx": "1000", "mgnMode": "cross", "uTime": str(TIME)}]}),
    "orders-pending": raw({"code": "0", "data": [{"instType": "SWAP", "instId": "BTC-USDT-SWAP", "ordId": "31", "state": "live", "sz": "1",
                                                  "accFillSz": "0", "side": "buy", "posSide": "net", "uTime": str(TIME)}]}),
    "orders-algo-pending": raw({"code": "0", "data": [{"instType": "SWAP", "instId": "BTC-USDT-SWAP", "algoId": "77", "state": "live",
                                                       "sz": "1", "triggerPx": "900", "ordPx": "-1", "side": "sell", "cTime": str(TIME)}]}),
    "config": raw({"code": "0", "data": [{"acctLv": "2", "posMode": "long_short_mode", "uid": "1"}]}),
    "fills": raw({"code": "0", "data": [{"instType": "SWAP", "instId": "BTC-USDT-SWAP", "ordId": "31", "tradeId": "7", "fillSz": "1",
                                         "fillPx": "1000", "fee": "-0.2", "feeCcy": "USDT", "side": "buy", "ts": str(TIME)}]}),
}
KUCOIN = {
    "account-overview:XBT": raw({"code": "200000", "data": {
        "accountEquity": 2.1, "unrealisedPNL": 0.098, "marginBalance": 2.002, "positionMargin": 0.1, "orderMargin": 0, "frozenFunds": 0,
        "availableBalance": 1.9, "currency": "XBT", "riskRatio": 0.91}}),
    "account-overview:USDT": raw({"code": "200000", "data": {"accountEquity": 5, "marginBalance": 5, "currency": "USDT", "riskRatio": 0}}),
    "positions": raw({"code": "200000", "data": [{"id": "5", "symbol": "XBTUSDTM", "crossMode": True, "currentQty": 3,
                                                  "avgEntryPrice": 91694.5, "currentTimestamp": TIME}]}),
    "orders": raw({"code": "200000", "data": {"currentPage": 1, "items": [
        {"id": "41", "symbol": "XBTUSDTM", "type": "limit", "side": "buy", "price": "91000", "size": 2, "filledSize": 1, "status": "open",
         "isActive": True, "updatedAt": TIME}]}}),
    "stopOrders": raw({"code": "200000", "data": {"items": [
        {"id": "42", "symbol": "XBTUSDTM", "type": "limit", "side": "sell", "stop": "down", "stopPrice": "80000", "size": 2,
         "createdAt": TIME}]}}),
    "fills": raw({"code": "200000", "data": {"items": [
        {"symbol": "XBTUSDTM", "tradeId": "18", "orderId": "41", "side": "buy", "liquidity": "taker", "price": "91000.5", "size": 1,
         "value": "91", "fee": "0.05", "feeCurrency": "USDT", "tradeTime": 1_772_043_995_362_000_000}]}}),
}
ANSWERS: dict[str, dict[str, bytes]] = {"binance_usdm": BINANCE, "bybit_v5": BYBIT, "okx_v5": OKX, "kucoin_futures": KUCOIN}
