"""Frames in the shapes that the venues document, with figures of our own: what a table of changes starts from."""

from collections.abc import Mapping

from tests.venues.corpus import TIME, Frame
from tests.venues.payloads import changed, events, said

Changes = Mapping[str, object]
_TEXT, _NS = str(TIME), TIME * 1_000_000 + 123

BINANCE_ORDER: Frame = {"e": "ORDER_TRADE_UPDATE", "E": TIME + 1, "T": TIME, "o": {
    "s": "BTCUSDT", "c": "web_1", "S": "SELL", "o": "LIMIT", "f": "GTC", "q": "2", "p": "65000.10", "ap": "0", "sp": "0", "x": "NEW",
    "X": "NEW", "i": 8_389_765_739_703_625_592, "l": "0", "z": "0", "L": "0", "N": "USDT", "n": "0", "T": TIME, "t": 0, "b": "0", "a": "0",
    "m": False, "R": False, "wt": "CONTRACT_PRICE", "ot": "LIMIT", "ps": "BOTH", "cp": False, "rp": "0", "pP": False, "si": 0, "ss": 0,
    "V": "NONE", "pm": "NONE", "gtd": 0, "er": "0"}}
BINANCE_ACCOUNT: Frame = {"e": "ACCOUNT_UPDATE", "E": TIME + 1, "T": TIME, "a": {
    "m": "ORDER", "B": [{"a": "USDT", "wb": "122624.12345678", "cw": "100.12345678", "bc": "0"}],
    "P": [{"s": "BTCUSDT", "pa": "-0.5", "ep": "65000.1", "bep": "64990", "cr": "-45.04", "up": "2.5", "mt": "cross", "iw": "0",
    "ps": "BOTH",
           "ma": "USDT"}]}}
BINANCE_ALGO: Frame = {"e": "ALGO_UPDATE", "E": TIME + 1, "T": TIME, "o": {
    "caid": "stop_1", "aid": 2_000_000_547_321_628, "at": "CONDITIONAL", "o": "STOP_MARKET", "s": "BTCUSDT", "S": "SELL", "ps": "LONG",
    "f": "GTC", "q": "2", "X": "NEW", "ai": "", "ap": "0", "aq": "0", "act": "0", "tp": "60000", "p": "0", "V": "NONE",
    "wt": "MARK_PRICE", "pm": "NONE", "cp": False, "pP": True, "R": True, "tt": 0, "gtd": 0}}
BINANCE_LITE: Frame = {"e": "TRADE_LITE", "E": TIME + 1, "T": TIME, "s": "BTCUSDT", "q": "2.000", "p": "0", "m": False, "c": "web_1",
                       "S": "BUY", "L": "65000.10", "l": "0.040", "t": 109_100_866, "i": 8_886_774}
BINANCE_CALL: Frame = {"e": "MARGIN_CALL", "E": TIME, "cw": "3.16", "p": [
    {"s": "ETHUSDT", "ps": "SHORT", "pa": "-1.327", "mt": "ISOLATED", "iw": "13.2", "mp": "187.17127", "up": "-1.166074",
    "mm": "1.614445"}]}

BYBIT_ORDER: Frame = {"id": "5923", "topic": "order", "creationTime": TIME + 1, "data": [{
    "category": "linear", "symbol": "BTCUSDT", "orderId": "5cf98598", "orderLinkId": "link-1", "parentOrderLinkId": "", "side": "Sell",
    "orderType": "Limit", "cancelType": "UNKNOWN", "price": "65000.10", "qty": "2", "timeInForce": "GTC", "orderStatus": "New",
    "reduceOnly": False, "leavesQty": "2", "leavesValue": "130000.2", "cumExecQty": "0", "cumExecValue": "0", "avgPrice": "",
    "positionIdx": 0, "cumExecFee": "", "closedPnl": "0", "createdTime": str(TIME - 9), "updatedTime": _TEXT, "rejectReason": "EC_NoError",
    "stopOrderType": "", "tpslMode": "", "triggerPrice": "", "takeProfit": "", "stopLoss": "", "triggerDirection": 0, "triggerBy": "",
    "closeOnTrigger": False, "placeType": "", "smpType": "None", "smpGroup": 0, "feeCurrency": "", "createType": "CreateByUser",
    "cumFeeDetail": {}}]}
BYBIT_EXECUTION: Frame = {"id": "38682", "topic": "execution", "creationTime": TIME + 1, "data": [{
    "category": "linear", "symbol": "BTCUSDT", "closedSize": "0.5", "execFee": "26.3725275", "execId": "0ab1bdf7", "execPrice": "95900.1",
    "execQty": "0.5", "execType": "Trade", "execValue": "47950.05", "feeRate": "0.00055", "tradeIv": "", "blockTradeId": "",
    "markPrice": "95901.48", "leavesQty": "0", "orderId": "9aac161b", "orderLinkId": "", "orderPrice": "94942.5", "orderQty": "0.5",
    "orderType": "Market", "stopOrderType": "UNKNOWN", "side": "Sell", "execTime": _TEXT, "isLeverage": "0", "isMaker": False,
    "seq": 140_612_148_849_382, "execPnl": "0.05", "createType": "CreateByUser", "extraFees": "", "feeCurrency": "USDT"}]}
BYBIT_POSITION: Frame = {"id": "10030", "topic": "position", "creationTime": TIME + 1, "data": [{
    "positionIdx": 0, "tradeMode": 0, "riskId": 11, "riskLimitValue": "900000", "symbol": "ETHUSDT", "side": "Sell", "size": "0.01",
    "entryPrice": "3641.075", "leverage": "30", "breakEvenPrice": "3640.1", "positionValue": "36.42075", "positionBalance": "0",
    "markPrice": "3641.33", "positionIM": "1.23", "positionMM": "0.2", "takeProfit": "0", "stopLoss": "0", "trailingStop": "0",
    "unrealisedPnl": "-0.00255", "cumRealisedPnl": "-25.06", "curRealisedPnl": "0.0094814", "createdTime": str(TIME - 9),
    "updatedTime": _TEXT, "liqPrice": "", "bustPrice": "", "category": "linear", "positionStatus": "Normal", "adlRankIndicator": 2,
    "autoAddMargin": 0, "leverageSysUpdatedTime": "", "seq": 325_852_190_774, "isReduceOnly": False}]}
BYBIT_WALLET: Frame = {"id": "59232", "topic": "wallet", "creationTime": TIME + 1, "data": [{
    "accountType": "UNIFIED", "accountIMRate": "0", "accountMMRate": "0", "totalEquity": "10262.9", "totalWalletBalance": "9684.4",
    "totalMarginBalance": "9684.4", "totalAvailableBalance": "9556.6", "totalPerpUPL": "-3.5", "totalInitialMargin": "0",
    "totalMaintenanceMargin": "0", "coin": [{
        "coin": "BTC", "equity": "0.00102964", "usdValue": "36.7", "walletBalance": "0.00102964", "availableToWithdraw": "",
        "borrowAmount": "0", "accruedInterest": "0", "totalOrderIM": "", "totalPositionIM": "", "totalPositionMM": "",
        "unrealisedPnl": "0", "cumRealisedPnl": "-0.00000973", "bonus": "0", "locked": "0", "spotBorrow": "0"}]}]}

OKX_ORDER: Frame = {"arg": {"channel": "orders", "instType": "ANY", "uid": "614"}, "data": [{
    "instType": "SWAP", "instId": "BTC-USDT-SWAP", "ccy": "", "ordId": "312269865356374016", "clOrdId": "b1", "tag": "", "px": "65000.1",
    "sz": "2", "notionalUsd": "1300", "ordType": "limit", "side": "sell", "posSide": "net", "tdMode": "cross", "tgtCcy": "", "fillSz": "0",
    "fillPx": "", "tradeId": "", "accFillSz": "0", "fillNotionalUsd": "", "fillTime": "", "fillFee": "0", "fillFeeCcy": "", "fillPnl": "0",
    "execType": "", "state": "live", "avgPx": "0", "lever": "20", "tpTriggerPx": "", "tpOrdPx": "", "slTriggerPx": "", "slOrdPx": "",
    "stpMode": "cancel_maker", "feeCcy": "USDT", "fee": "0", "rebateCcy": "USDT", "rebate": "0", "source": "", "pnl": "0",
    "category": "normal", "uTime": _TEXT, "cTime": str(TIME - 9), "reqId": "", "amendResult": "", "reduceOnly": "false", "cancelSource": "",
    "code": "0", "msg": "", "algoId": "", "algoClOrdId": "", "attachAlgoOrds": [], "linkedAlgoOrd": {"algoId": ""}}]}
OKX_ALGO: Frame = {"arg": {"channel": "orders-algo", "instType": "ANY", "uid": "614"}, "data": [{
    "instType": "SWAP", "instId": "BTC-USDT-SWAP", "algoId": "706620792746729472", "algoClOrdId": "stop-1", "clOrdId": "", "ordId": "",
    "ordType": "trigger", "state": "live", "side": "sell", "posSide": "long", "sz": "2", "closeFraction": "", "triggerPx": "60000",
    "triggerPxType": "mark", "ordPx": "-1", "tdMode": "isolated", "lever": "5", "reduceOnly": "true", "actualPx": "", "actualSz": "0",
    "tpTriggerPx": "", "slTriggerPx": "", "callbackRatio": "", "activePx": "", "failCode": "", "reqId": "", "cTime": str(TIME - 9),
    "uTime": _TEXT, "attachAlgoOrds": []}]}
OKX_POSITION: Frame = {"arg": {"channel": "positions", "instType": "ANY", "uid": "614"}, "eventType": "event_update", "curPage": 1,
                       "lastPage": True, "data": [{
    "instType": "SWAP", "instId": "BTC-USDT-SWAP", "mgnMode": "cross", "posId": "1005", "posSide": "net", "pos": "-3", "posCcy": "",
    "availPos": "3", "avgPx": "65000.1", "upl": "-1.5", "uplRatio": "-0.01", "lever": "20", "liqPx": "71000", "markPx": "65001", "imr": "9",
    "mmr": "1.2", "margin": "", "mgnRatio": "11.7", "tradeId": "109844", "notionalUsd": "195", "adl": "1", "ccy": "USDT", "bePx": "64900",
    "last": "65002", "pTime": str(TIME + 2), "uTime": _TEXT, "cTime": str(TIME - 9), "realizedPnl": "0.5", "pnl": "1", "fee": "-0.4",
    "fundingFee": "-0.1", "liqPenalty": "0", "closeOrderAlgo": []}]}
OKX_BOTH: Frame = {"arg": {"channel": "balance_and_position", "uid": "614"}, "data": [{
    "pTime": str(TIME + 2), "eventType": "funding_fee", "balData": [{"ccy": "USDT", "cashBal": "99.5", "uTime": _TEXT}],
    "posData": [{"posId": "1005", "tradeId": "2", "instId": "BTC-USDT-SWAP", "instType": "SWAP", "mgnMode": "cross", "posSide": "net",
                 "pos": "0", "ccy": "USDT", "posCcy": "", "avgPx": "", "uTime": _TEXT}], "trades": []}]}
OKX_FILL: Frame = {"arg": {"channel": "fills", "uid": "614"}, "data": [{
    "instId": "BTC-USDT-SWAP", "fillSz": "100", "fillPx": "70000", "side": "buy", "ts": _TEXT, "ordId": "680800019749904384",
    "tradeId": "12345", "execType": "T", "count": "10"}]}
OKX_WARNING: Frame = {"arg": {"channel": "liquidation-warning", "instType": "ANY", "uid": "614"}, "data": [
    {"instType": "SWAP", "instId": "ETH-USD-SWAP", "posSide": side, "posId": ident, "pos": "1", "posCcy": "", "lever": "10",
     "markPx": "2353.8", "mgnMode": "cross", "mgnRatio": "1.7", "ccy": "ETH", "pTime": str(TIME + 2), "uTime": _TEXT, "cTime": _TEXT}
    for side, ident in (("long", "301"), ("short", "302"))]}
OKX_ACCOUNT: Frame = {"arg": {"channel": "account", "uid": "614"}, "eventType": "snapshot", "curPage": 1, "lastPage": False, "data": [{
    "uTime": _TEXT, "totalEq": "41624.32", "isoEq": "0", "adjEq": "41624.32", "availEq": "", "ordFroz": "0", "imr": "4162.33", "mmr": "4",
    "notionalUsd": "", "mgnRatio": "41624.32", "upl": "", "details": [
        {"ccy": "BTC", "cashBal": "1", "availBal": "0.9", "availEq": "1", "eq": "1.1", "eqUsd": "45078.3", "frozenBal": "0.1", "upl": "0.1",
         "liab": "", "interest": "", "imr": "", "mmr": "", "mgnRatio": "", "ordFrozen": "0", "rewardBal": "0", "uTime": str(TIME - 5)}]}]}

KUCOIN_ORDER: Frame = {"topic": "/contractMarket/tradeOrders:XBTUSDTM", "type": "message", "subject": "symbolOrderChange", "userId": "6335",
                       "channelType": "private", "data": {
    "symbol": "XBTUSDTM", "orderType": "limit", "side": "sell", "canceledSize": "0", "orderId": "247899236673269761",
    "liquidity": "maker", "marginMode": "ISOLATED", "type": "open", "orderTime": _NS, "size": "20", "filledSize": "0", "price": "91670",
    "remainSize": "20", "status": "open", "clientOid": "oid-1", "ts": _NS + 5_000_000}}
KUCOIN_STOP: Frame = {"topic": "/contractMarket/advancedOrders", "type": "message", "subject": "stopOrder", "userId": "6335", "data": {
    "createdAt": TIME, "marginMode": "ISOLATED", "orderId": "2406", "orderPrice": "0.1", "orderType": "stop", "side": "buy", "size": 1,
    "stop": "down", "stopPrice": "1000", "stopPriceType": "TP", "symbol": "XBTUSDTM", "ts": _NS, "type": "open"}}
KUCOIN_POSITION: Frame = {"topic": "/contract/position:XBTUSDTM", "type": "message", "subject": "position.change", "userId": "6335",
    "data": {
    "symbol": "XBTUSDTM", "crossMode": False, "delevPercentage": 0.1, "openingTimestamp": TIME - 9, "currentTimestamp": TIME,
    "currentQty": -3, "currentCost": -91.5, "isOpen": True, "markPrice": 91839.79, "markValue": 91.83979, "posInit": 18.3389,
    "posMargin": 18.40492004, "posMaint": 0.5634627025, "realisedPnl": 0.07210716, "unrealisedPnl": 0.14529, "avgEntryPrice": 91694.5,
    "liquidationPrice": 73853.0426625, "bankruptPrice": 73355.6, "settleCurrency": "USDT", "changeReason": "positionChange",
    "realLeverage": 4.9, "leverage": 5, "marginMode": "ISOLATED", "positionSide": "BOTH"}}
KUCOIN_WALLET: Frame = {"topic": "/contractAccount/wallet", "type": "message", "subject": "walletBalance.change", "id": "673b",
    "userId": "6",
                        "data": {"currency": "USDT", "walletBalance": "81.07", "availableBalance": "26.14", "holdBalance": "0",
                                 "equity": "81.27", "crossPosMargin": "0", "isolatedOrderMargin": "18.1", "version": "1337",
                                 "timestamp": _TEXT}}
PRO_ORDER: Frame = {"T": "orderAll.FUTURES", "P": _NS + 9_000_000, "d": {
    "oi": "698", "ci": "oid-1", "os": 2, "eT": "OPEN", "tT": "FUTURES", "s": "XBTUSDTM", "S": "SELL", "oT": "LIMIT", "pS": "BOTH",
    "p": "91670",
    "l": "5", "mM": "CROSS", "q": "20", "qU": "UNIT", "fS": "0", "rS": "20", "cS": "0", "rO": False, "pO": False, "tIF": "GTC", "O": _NS,
    "U": _NS}}
PRO_POSITION: Frame = {"T": "positionAll.FUTURES", "P": _NS, "d": {
    "pi": "40000", "s": "XBTUSDTM", "mM": "ISOLATED", "q": "-1", "eP": "4.786", "pV": "0.47", "mP": "4.2", "lP": "9.3", "bP": "9.5",
    "l": "0.8", "uPL": "0.05", "rPL": "0.16", "iM": "0.47", "mmr": "0.012", "mtM": "0.005", "r": "0.65", "pM": "0.6", "O": _NS, "U": _NS}}


def told(venue: str, frame: Frame, changes: Changes, wanted: Changes) -> dict[str, object]:
    """What the changed frame tells at the paths that are `wanted`: `status`, `fill.qty`, `1.amount` of its second event."""
    for path, value in changes.items():
        frame = changed(frame, path, value)
    found = [{**said(event), "topic": event.topic.removeprefix("user-data-")} for event in events(venue, frame)]
    return {path: _at(found, path if path[0].isdigit() else f"0.{path}") for path in wanted}


def _at(value: object, path: str) -> object:
    for name in path.split("."):
        if isinstance(value, list):
            value = value[int(name)] if int(name) < len(value) else None
        else:
            value = value.get(name) if isinstance(value, dict) else None
    return value
