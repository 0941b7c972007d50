"""What the name of an instrument says of its currencies, as the venues write it; used where no rule says it."""

from __future__ import annotations

import re
from typing import NamedTuple

_QUOTES = ("USDT", "USDC", "FDUSD", "BUSD", "USD", "EUR", "BTC", "ETH")
_DASHED = re.compile(r"([A-Z0-9]+)-([A-Z0-9]+)(?:-[A-Z0-9]+)?")  # BTC-USDT-SWAP, BTC-USD-250328
_JOINED = re.compile(rf"([A-Z0-9]+?)({'|'.join(_QUOTES)})(?:M|_[A-Z0-9]+|-[0-9A-Z]+)?")  # BTCUSDT, XBTUSDM, BTCUSD_PERP


class Pair(NamedTuple):
    base: str
    quote: str


def pair_of(symbol: str, *, forex: bool = False) -> Pair | None:
    """Base and quote; None where the name does not tell. `forex`: six letters are two currencies."""
    if forex:
        return Pair(symbol[:3], symbol[3:]) if len(symbol) == 6 and symbol.isalpha() and symbol.isupper() else None
    found = _DASHED.fullmatch(symbol) or _JOINED.fullmatch(symbol)
    return Pair(found[1], found[2]) if found else None
