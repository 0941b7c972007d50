"""How the ingestion starts and ends, what it says at which level, and what its page says: without servers."""

import asyncio
import logging
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from schemas import names
from schemas.user_data_pb2 import UserDataMarginCallEvent, UserDataOrderUpdateEvent
from streams.config import Config
from streams.venues import ingest as module
from streams.venues.accounts import Account
from streams.venues.frames import Event
from streams.venues.health import Page
from streams.venues.ingest import Ingest
from streams.venues.publisher import Publisher
from streams.venues.reader import Home, Reader, Venues
from streams.venues.vault import vault_file, with_key
from streams.venues.venue import Hosts
from streams.venues.words import Report

HOSTS = {"binance_usdm": Hosts("http://127.0.0.1:1", "ws://127.0.0.1:1")}
ACCOUNT = Account("live:1", "bn", "binance_usdm", "mainnet", 1, b"", b"", None, datetime(2026, 1, 1, tzinfo=UTC), exposed=False)


async def test_it_starts_and_ends_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = Config(data_dir=str(tmp_path), venue_hosts="binance_usdm=http://127.0.0.1:1|ws://127.0.0.1:1", worker_name="one")
    with_key(vault_file(config))
    ingest, stop, order = Ingest(config), asyncio.Event(), list[str]()

    def step(name: str) -> object:
        async def taken(*_: object, **__: object) -> None:
            order.append(name)

        return taken

    async def work() -> None:
        order.append("background work")
        try:
            await asyncio.Event().wait()
        finally:
            order.append("background work ended")

    async def page(*_: object) -> object:
        await asyncio.sleep(0)
        order.append("page")
        return SimpleNamespace(stop=step("page closed"))

    monkeypatch.setattr(ingest.publisher, "open", step("producer"))
    monkeypatch.setattr(ingest.publisher, "close", step("producer closed"))
    monkeypatch.setattr(ingest.venues, "close", step("venues closed"))
    monkeypatch.setattr(ingest.database, "run", step("kept"))
    monkeypatch.setattr(ingest.database, "close", step("databases closed"))
    monkeypatch.setattr(module, "open_pages", page)
    monkeypatch.setattr(module, "flush_logs", lambda: order.append("logs flushed"))
    monkeypatch.setattr(ingest, "_manage", work)
    for name in ("_listen", "_save", "_look"):
        monkeypatch.setattr(ingest, name, lambda: asyncio.sleep(0))
    ingest.readers["live:1", "bn"] = cast("Reader", SimpleNamespace(close=step("session closed"), counts=Counter()))
    task = asyncio.create_task(ingest.run(stop))
    await asyncio.sleep(0.1)
    stop.set()
    await task
    assert order == ["producer", "background work", "page", "page closed", "background work ended", "session closed", "producer closed",
                     "kept", "kept", "venues closed", "logs flushed", "databases closed"]


@pytest.fixture
async def reader() -> Reader:
    venues = Venues(HOSTS)
    home = SimpleNamespace(venues=venues, publisher=None, vault=None, database=None, broken=lambda _: None)
    return Reader(ACCOUNT, 1, cast("Home", home))


LEVELS = [(Report("live", "epoch 1"), "INFO"), (Report("rotated", "epoch 2"), "INFO"), (Report("closing", "soon"), "INFO"),
          (Report("closed", "code 1006"), "WARNING"), (Report("attempt_failed", "handshake: 502"), "ERROR"),
          (Report("renew_failed", "busy", alert=True), "ERROR"), (Report("auth_failed", "401", alert=True), "ERROR"),
          (Report("silent", "no frames", alert=True), "ERROR"), (Report("broken", "a bug", alert=True), "ERROR")]


@pytest.mark.parametrize(("report", "level"), LEVELS, ids=lambda one: getattr(one, "kind", one))
async def test_what_a_session_reports_has_its_level(reader: Reader, report: Report, level: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "streams.venues.reader"):
        reader._report(report)
    await reader.rest.close()
    [said] = [record for record in caplog.records if record.name == "streams.venues.reader"]
    assert (said.levelname, report.kind in said.getMessage()) == (level, True)


async def test_events_are_debug_and_margin_calls_errors(reader: Reader, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "streams.venues.reader"):
        reader._told((Event(names.ORDER_UPDATES, UserDataOrderUpdateEvent()), Event(names.VENUE_MARGIN_CALLS, UserDataMarginCallEvent())))
    await reader.rest.close()
    assert [record.levelname for record in caplog.records if record.name == "streams.venues.reader"] == ["DEBUG", "ERROR", "DEBUG"]


async def test_the_page_is_as_promised_and_forgets_nobody(reader: Reader) -> None:
    publisher = cast("Publisher", SimpleNamespace(up=True, waiting=0))
    past = Counter({"frames": 5, "reconnects": 2, names.ORDER_UPDATES: 3, names.VENUE_MARGIN_CALLS: 1})
    page = Page("one", {ACCOUNT.name: reader}, publisher, lambda: True, past)
    reader._told((Event(names.ORDER_UPDATES, UserDataOrderUpdateEvent()),))
    said = page.health()
    await reader.rest.close()
    assert {name: said[name] for name in ("status", "activeConnections", "totalReconnects", "messagesReceived", "orderUpdates",
                                          "positionUpdates", "balanceUpdates", "marginCalls")} == {
        "status": "degraded", "activeConnections": 0, "totalReconnects": 2, "messagesReceived": 6, "orderUpdates": 4,
        "positionUpdates": 0, "balanceUpdates": 0, "marginCalls": 1}
    assert isinstance(said["accounts"], list)
    assert len(said["accounts"]) == 1
    assert Page("one", {}, publisher, lambda: True, past).health()["status"] == "ok"
