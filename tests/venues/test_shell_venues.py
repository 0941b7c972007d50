"""Each venue by its record: the same session, the same shell, against the simulated venue."""

import pytest

from streams.venues.simulator.server import Simulator
from streams.venues.words import Doubted
from tests.venues.harness import reading

SYMBOLS = {"binance_usdm": ("BTCUSDT", "0.1"), "bybit_v5": ("BTCUSDT", "0.1"), "okx_v5": ("BTC-USDT-SWAP", "2"),
           "kucoin_futures": ("XBTUSDTM", "20")}


@pytest.mark.parametrize("venue", SYMBOLS)
async def test_a_session_lives_is_cut_and_rotates(venue: str) -> None:
    symbol, quantity = SYMBOLS[venue]
    async with Simulator((venue,)) as sim:
        sim.open_account("a", venue)
        sim.trade("a", symbol, "BUY", quantity)  # before anybody listened
        async with reading(sim, "a", venue) as bench:
            await bench.until(lambda: bench.session.ready, "live")
            sim.trade("a", symbol, "BUY", quantity)
            await bench.until(bench.agrees, "told")
            await sim.disconnect("a", "cut")
            sim.trade("a", symbol, "SELL", quantity)
            await bench.until(lambda: bench.session.links == 2, "live again")
            await bench.until(bench.agrees, "told after a cut")
            bench.shell.hear(Doubted("test"))
            await bench.until(lambda: bench.session.links == 3, "rotated")
            sim.trade("a", symbol, "SELL", quantity)
            await bench.until(bench.agrees, "told after a rotation")
