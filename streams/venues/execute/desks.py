"""Which desk reduces positions at which venue."""

from collections.abc import Mapping

from streams.venues.execute import binance, bybit, kucoin, okx
from streams.venues.execute.words import Desk

DESKS: Mapping[str, Desk] = {"binance_usdm": binance.DESK, "bybit_v5": bybit.DESK, "okx_v5": okx.DESK, "kucoin_futures": kucoin.DESK}
