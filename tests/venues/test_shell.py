"""The shell over real sockets against the simulated venue: what is told is what the venue knows, through everything that goes wrong."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from streams.venues.secret import Secret
from streams.venues.simulator.server import Simulator
from streams.venues.words import Changed, Doubted, Drained, State
from tests.venues.harness import Bench, reading


@asynccontextmanager
async def live() -> AsyncIterator[tuple[Simulator, Bench]]:
    """An account whose session is live."""
    async with Simulator() as sim:
        sim.open_account("a")
        async with reading(sim, "a") as bench:
            await bench.until(lambda: bench.session.ready, "live")
            yield sim, bench


async def test_a_trade_is_told_as_the_venue_has_it() -> None:
    async with Simulator() as sim:
        sim.open_account("a")
        sim.trade("a", "BTCUSDT", "BUY", "0.5")  # before anybody listened
        async with reading(sim, "a") as bench:
            await bench.until(lambda: bench.session.ready, "live")
            sim.trade("a", "BTCUSDT", "SELL", "0.2")
            sim.trade("a", "ETHUSDT", "BUY", "3")
            sim.transfer("a", "USDT", "12.5")
            await bench.until(bench.agrees, "told")


@pytest.mark.parametrize("how", ["close", "cut", "reset"])
async def test_what_happened_while_the_line_was_dead_is_told_afterwards(how: str) -> None:
    async with live() as (sim, bench):
        sim.trade("a", "BTCUSDT", "BUY", "0.5")
        await sim.disconnect("a", how)
        sim.trade("a", "BTCUSDT", "SELL", "0.5")
        sim.trade("a", "ETHUSDT", "BUY", "2")
        await bench.until(lambda: bench.session.links == 2, "live again")
        await bench.until(bench.agrees, "told")


async def test_a_rotation_loses_nothing_and_never_is_without_a_line() -> None:
    async with live() as (sim, bench):
        bench.shell.hear(Doubted("test"))
        while bench.session.links < 2:
            sim.trade("a", "BTCUSDT", "BUY", "0.01")
            assert bench.session.ready
            await asyncio.sleep(0.05)
        sim.trade("a", "BTCUSDT", "SELL", "0.02")
        await bench.until(bench.agrees, "told")
        assert {report.kind for report in bench.reports} == {"live", "doubted", "rotated"}


async def test_an_expired_key_is_made_anew() -> None:
    async with live() as (sim, bench):
        before = bench.session.key
        sim.expire_key("a")
        sim.trade("a", "BTCUSDT", "BUY", "0.5")
        await bench.until(lambda: bench.session.links == 2, "live again")
        await bench.until(bench.agrees, "told")
        assert bench.session.key != before


async def test_wrong_credentials_stop_the_account_until_they_change() -> None:
    async with Simulator() as sim:
        sim.open_account("a")
        async with reading(sim, "a") as bench:
            right = bench.credentials
            bench.credentials = right._replace(key=Secret("nobody"))
            await bench.until(lambda: bench.session.state is State.AUTH_FAILED, "refused")
            assert bench.reports[-1].alert
            bench.credentials = right
            bench.shell.hear(Changed())
            await bench.until(lambda: bench.session.ready, "live")


async def test_without_room_the_session_waits_and_reads_again() -> None:
    async with live() as (sim, bench):
        bench.kept.room = False
        sim.trade("a", "BTCUSDT", "BUY", "0.5")
        await bench.until(lambda: bench.session.state is State.HELD, "held")
        sim.trade("a", "BTCUSDT", "BUY", "0.25")
        bench.kept.room = True
        bench.shell.hear(Drained())
        await bench.until(bench.agrees, "told")


async def test_what_falls_due_when_facts_are_found_safe_is_done() -> None:
    async with live() as (sim, bench):
        sim.trade("a", "BTCUSDT", "BUY", "0.5")
        await bench.until(bench.agrees, "told")
        saved = len(bench.saved)
        bench.session._timers["renew", 0] = 0  # late, as on a busy loop: whoever steps the machine next comes upon it
        bench.shell.acknowledge()
        await bench.until(lambda: len(bench.saved) > saved, "the key renewed")


@pytest.mark.parametrize("fault", [
    {"kind": "http", "status": 503, "times": 3}, {"kind": "http", "status": 500, "after_effect": True, "times": 2},
    {"kind": "http", "status": 401, "path": "*openOrders"}, {"kind": "slow", "ms": 800, "times": 3}, {"kind": "refuse", "times": 2},
    {"kind": "lag", "ms": 100, "times": 8}, {"kind": "duplicate", "times": 5}, {"kind": "delay", "ms": 300, "times": 3},
], ids=lambda fault: "-".join(map(str, fault.values())))
async def test_faults_of_answers_and_frames_change_nothing(fault: dict[str, object]) -> None:
    async with live() as (sim, bench):
        kind = str(fault["kind"])
        sim.fault(kind, **{name: value for name, value in fault.items() if name != "kind"})
        sim.trade("a", "BTCUSDT", "BUY", "0.1")
        await sim.disconnect("a", "cut")
        sim.trade("a", "BTCUSDT", "SELL", "0.05")
        await bench.until(lambda: bench.session.links == 2, "live again")
        sim.trade("a", "ETHUSDT", "BUY", "1")
        await bench.until(bench.agrees, "told")


async def test_no_secret_is_in_any_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with live() as (sim, bench):
        sim.trade("a", "BTCUSDT", "BUY", "0.5")
        await bench.until(bench.agrees, "told")
        sim.expire_key("a")
        await bench.until(lambda: bench.session.links == 2, "live again")
        found = sim.account("a")
        secrets = [found.secret, found.key, *(save.key.token.reveal() for save in bench.saved)]
        assert len(secrets) >= 4
        mine = [record for record in caplog.records if record.name.startswith(("streams.venues", "marginstream", "websockets.client",
                                                                                "aiohttp.client"))]
        said = "\n".join([*(f"{record.getMessage()} {record.args!r} {record.exc_text}" for record in mine), repr(bench.reports),
                          repr(bench.saved), repr(bench.session.key), repr(vars(bench.session)),
                          *(event.message.SerializeToString().decode("latin-1") for _, event in bench.kept.told)])
        assert [secret for secret in secrets if secret in said] == []
