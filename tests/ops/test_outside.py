"""What a worker shows outside goes on where one look at it failed, and the log says so."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

import streams.app
from streams.app import Outside


async def test_figures_that_could_not_be_collected_are_told_and_tried_again(monkeypatch: pytest.MonkeyPatch,
                                                                            caplog: pytest.LogCaptureFixture) -> None:
    looks, again = [], asyncio.Event()

    def collect() -> None:
        looks.append(1)
        if len(looks) == 1:
            raise KeyError("no such row")
        again.set()

    monkeypatch.setattr(streams.app, "METRICS_INTERVAL_S", 0.001)
    view: Any = SimpleNamespace(collect=collect, _rise=lambda *_: None)
    facts: Any = SimpleNamespace(dead_letters={}, venue_margin_calls=0)
    config: Any = None
    collecting = asyncio.create_task(Outside(config, view, facts)._collect())
    await asyncio.wait_for(again.wait(), 5)
    collecting.cancel()
    assert "figures not collected" in caplog.text
    assert "no such row" in caplog.text
