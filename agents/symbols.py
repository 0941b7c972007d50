"""What the name of an instrument says of its currencies, as the venues write it; used where no rule says it."""

from __future__ import annotations

import re
from typing import NamedTuple

_QUOTES = ("USDT", "USDC", "FDUSD", "BUSD", "USD", "EUR", "BTC", "ETH")
_MONTH = r"[FGHJKMNQUVXZ]\d\d"
_DASHED = re.compile(r"([A-Z0-9]+)-([A-Z]+)(?:-[A-Z0-9]+)?")  # BTC-USDT-SWAP, BTC-USD-250328
_JOINED = re.compile(rf"([A-Z0-9]+?)({'|'.join(_QUOTES)})(?:M|_[A-Z0-9]+|-[0-9A-Z]+|{_MONTH})?")  # BTCUSDT, XBTUSDM, BTCUSD_PERP, BTCUSDH25
_QUOTELESS = ((re.compile(r"([A-Z0-9]+)(?:PERP|-\d{1,2}[A-Z]{3}\d\d)"), "USDC"),  # Bybit: BTCPERP, BTC-26DEC25
              (re.compile(rf"([A-Z0-9]+)M{_MONTH}"), "USD"))  # KuCoin: XBTMU25


class Pair(NamedTuple):
    base: str
    quote: str


def pair_of(symbol: str, *, forex: bool = False) -> Pair | None:
    """Base and quote; None where the name does not tell. `forex`: six letters are two currencies."""
    if forex:
        return Pair(symbol[:3], symbol[3:]) if len(symbol) == 6 and symbol.isalpha() and symbol.isupper() else None
    found = _DASHED.fullmatch(symbol) or _JOINED.fullmatch(symbol)
    if found:
        return Pair(found[1], found[2])
    return next((Pair(named[1], quote) for pattern, quote in _QUOTELESS if (named := pattern.fullmatch(symbol))), None)
