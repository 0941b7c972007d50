"""What a venue's stream told and what its REST says afterwards differ nowhere: else every look would find a discrepancy that is none."""

from decimal import Decimal

import pytest

from streams.venues.decode import VENUES, snapshot
from streams.venues.frames import Asked, Receipt
from streams.venues.monitor.around import QUESTIONS, Mark, read_marks
from streams.venues.monitor.compare import SCOPES, Scope, compared, differences, repairing
from streams.venues.monitor.service import answers
from streams.venues.monitor.told import Told
from streams.venues.rest import nobody
from streams.venues.simulator.server import Simulator
from tests.venues.harness import Bench, reading

SYMBOLS = {"binance_usdm": "BTCUSDT", "bybit_v5": "BTCUSDT", "okx_v5": "BTC-USDT-SWAP", "kucoin_futures": "XBTUSDTM"}
CONTRACTS = ("okx_v5", "kucoin_futures")


async def _says(bench: Bench, told: Told, whole: bool) -> None:
    """Asks as the monitor does, and compares."""
    venue = bench.session.venue
    parts = await answers(bench.rest, repairing(venue) if whole else compared(venue), lambda: bench.credentials)
    says = Told()
    says.note(snapshot(venue.name, parts, Receipt("live:1", bench.account), Asked(1, "")), 1)
    assert differences(says, told, 2, SCOPES.get(venue.name, Scope())) == ()


@pytest.mark.parametrize("venue", VENUES)
async def test_stream_and_rest_agree(venue: str) -> None:
    async with Simulator((venue,)) as sim:
        sim.open_account("a", venue)
        async with reading(sim, "a", venue) as bench:
            told = Told()
            bench.shell._outside = bench.shell._outside._replace(told=lambda events: told.note(events, 1))
            await bench.until(lambda: bench.session.ready, "live")
            for side, quantity in (("BUY", 5), ("SELL", 2), ("SELL", 4)):
                sim.trade("a", SYMBOLS[venue], side, Decimal(quantity) / (1 if venue in CONTRACTS else 100))
            sim.transfer("a", "USDT", "12.5")
            await bench.until(bench.agrees, "told")
            assert len(told.positions) == 1
            await _says(bench, told, whole=False)
            await _says(bench, told, whole=True)
            sim.trade("a", SYMBOLS[venue], "BUY", Decimal(1) / (1 if venue in CONTRACTS else 100))
            await bench.until(bench.agrees, "flat")
            await _says(bench, told, whole=False)
            marks: dict[str, Mark] = {}
            for question in QUESTIONS[venue]:
                marks |= read_marks(venue, question, await bench.rest.ask(question.request, nobody), 1)
            assert f"{venue}:{SYMBOLS[venue]}" in marks
