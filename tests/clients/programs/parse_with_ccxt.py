"""ccxt's own reading of rows, without a network: a JSON list of {"venue", "kind", "raw"} on stdin, its unified objects on stdout."""

import json
import sys
from typing import Any

import ccxt.pro

_NAMES = {"binance_usdm": "binanceusdm", "bybit_v5": "bybit", "okx_v5": "okx", "kucoin_futures": "kucoinfutures"}
_PARSERS = {
    ("binance_usdm", "order"): "parse_ws_order", ("binance_usdm", "fill"): "parse_ws_trade", ("binance_usdm",
        "position"): "parse_ws_position",
    ("binance_usdm", "rest_order"): "parse_order", ("binance_usdm", "rest_fill"): "parse_trade",
    ("binance_usdm", "rest_position"): "parse_position_risk", ("binance_usdm", "rest_balance"): "parse_balance_custom",
    ("bybit_v5", "order"): "parse_order", ("bybit_v5", "fill"): "parse_trade", ("bybit_v5", "position"): "parse_position",
    ("bybit_v5", "balance"): "parse_ws_balance", ("okx_v5", "order"): "parse_order", ("okx_v5", "position"): "parse_position",
    ("okx_v5", "balance"): "parse_trading_balance", ("okx_v5", "fill"): "parse_trade",
    ("kucoin_futures", "order"): "parse_ws_order", ("kucoin_futures", "position"): "parse_position",
    ("kucoin_futures", "fill"): "parse_ws_trade", ("kucoin_futures", "rest_order"): "parse_order",
}


def _market(exchange: ccxt.pro.Exchange, ident: str) -> dict[str, Any]:
    """A linear swap of that id; its size is one, so that amounts stay as the venue counts them."""
    return exchange.safe_market_structure({
        "id": ident, "lowercaseId": ident.lower(), "symbol": f"{ident}/USDT:USDT", "base": ident, "quote": "USDT", "settle": "USDT",
        "baseId": ident, "quoteId": "USDT", "settleId": "USDT", "type": "swap", "spot": False, "swap": True, "future": False,
        "option": False,
        "margin": False, "contract": True, "linear": True, "inverse": False, "active": True, "contractSize": 1.0,
        "precision": {"amount": 1e-12, "price": 1e-12}, "limits": {}, "info": {}})


def _idents(raw: object) -> set[str]:
    return {str(raw[name]) for name in ("s", "symbol", "instId") if isinstance(raw, dict) and raw.get(name)}


def _parsed(exchange: ccxt.pro.Exchange, venue: str, kind: str, raw: Any) -> Any:
    parse = getattr(exchange, _PARSERS[venue, kind])
    if (venue, kind) == ("bybit_v5", "balance"):
        exchange.balance = {}
        for coin in raw["coin"]:
            parse(coin)
        return exchange.balance
    return parse(raw)


def main() -> None:
    """One answer per row; what ccxt cannot read is an error of its own."""
    asked, answers = json.load(sys.stdin), []
    made: dict[str, ccxt.pro.Exchange] = {}
    for venue in {one["venue"] for one in asked}:
        exchange = made[venue] = getattr(ccxt.pro, _NAMES[venue])()
        idents = set().union(*(_idents(one["raw"]) for one in asked if one["venue"] == venue))
        exchange.set_markets([_market(exchange, ident) for ident in sorted(idents)])
    for one in asked:
        try:
            found = _parsed(made[one["venue"]], one["venue"], one["kind"], one["raw"])
            answers.append({name: value for name, value in found.items() if name != "info"} if isinstance(found, dict) else found)
        except Exception as error:
            answers.append({"error": f"{type(error).__name__}: {error}"})
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
