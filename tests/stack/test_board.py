"""The board: figures out of metric pages, a drawing and a line out of figures."""

import json
from io import StringIO

import pytest
from rich.console import Console

from schemas import engine_pb2 as engine
from streams import topics
from streams.config import Config
from streams.stack.board_sources import Sample, describe, quantile_s, read_metrics, read_sessions
from streams.stack.board_view import Shown, latency, line, render, where

WORKER = """# TYPE marginstream_lag gauge
marginstream_lag{topic="wallet-deltas",partition="0"} 7.0
marginstream_lag{topic="wallet-deltas",partition="1"} 5.0
# TYPE marginstream_users_by_rung gauge
marginstream_users_by_rung{rung="normal"} 40.0
marginstream_users_by_rung{rung="margin_call"} 2.0
"""
BRIDGE = """# TYPE marginstream_mirror_latency_seconds histogram
marginstream_mirror_latency_seconds_bucket{le="0.05",mirror="postgres"} 90.0
marginstream_mirror_latency_seconds_bucket{le="0.1",mirror="postgres"} 98.0
marginstream_mirror_latency_seconds_bucket{le="1.0",mirror="postgres"} 100.0
marginstream_mirror_latency_seconds_bucket{le="+Inf",mirror="postgres"} 100.0
marginstream_mirror_latency_seconds_bucket{le="0.05",mirror="redis"} 3.0
"""


def _sample() -> Sample:
    found = read_metrics([WORKER, WORKER, BRIDGE])
    return Sample(1_000, 500, found.lag, 3, found.rungs, found.buckets)


def test_pages_of_workers_add_up() -> None:
    sample = _sample()
    assert (sample.lag, dict(sample.rungs)) == (24, {"normal": 80, "margin_call": 4})
    assert (latency(sample, 0.5), latency(sample, 0.99)) == ("<= 50 ms", "<= 1000 ms")


@pytest.mark.parametrize(
    ("buckets", "expected"), [({}, None), ({0.1: 0.0}, None), ({0.1: 5.0, 1.0: 5.0}, 0.1), ({0.1: 4.0, 1.0: 10.0}, 1.0)]
)
def test_quantile(buckets: dict[float, float], expected: float | None) -> None:
    assert quantile_s(buckets, 0.5) == expected


def test_drawing_and_line_show_what_matters() -> None:
    shown = Shown(_sample(), 300, 200, 5, ("live:1/house: normal -> warning",), ("live:2/house: closed 3",), ("curl http://x",))
    console = Console(file=StringIO(), width=160, force_terminal=False)
    console.print(render(shown))
    drawn = console.file.getvalue()  # type: ignore[attr-defined]
    for text in ("300", "200", "margin_call", "live:1/house: normal -> warning", "live:2/house: closed 3", "curl http://x"):
        assert text in drawn
    assert "300 events/s 200 ticks/s lag 24" in line(shown) and "margin_call=4" in line(shown)


def test_sessions_are_shown() -> None:
    page = json.dumps({"activeConnections": 11, "totalReconnects": 3, "messagesReceived": 1_234, "accounts": [{}] * 12})
    shown = Shown(_sample()._replace(sessions=read_sessions(page)), 300, 200, 5, frames_per_s=7)
    assert "11 of 12 accounts live, 3 reconnects, 1,234 frames, 7 frames/s" in line(shown)
    console = Console(file=StringIO(), width=160, force_terminal=False)
    console.print(render(shown))
    drawn = console.file.getvalue()  # type: ignore[attr-defined]
    assert [text for text in ("exchange accounts live", "11 of 12", "reconnects", "frames/s") if text not in drawn] == []


def test_what_does_not_answer_is_named() -> None:
    shown = Shown(Sample(down=("http://127.0.0.1:1",)), 0, 0, 1)
    assert "no answer: http://127.0.0.1:1" in line(shown)


def test_lines_to_paste() -> None:
    text = "\n".join(where(Config(), ("http://127.0.0.1:6066",)))
    assert "curl http://127.0.0.1:6066/inspect/balances/live:1001" in text
    assert "-u 'redis://127.0.0.1:6379/0' hgetall 'user:{live:1001}:config'" in text
    assert "SELECT * FROM orders ORDER BY updated_at DESC LIMIT 5" in text


def test_verdicts_in_a_line() -> None:
    call = engine.MarginCall(user_id="live:1", account_id="house", before=engine.NORMAL, after=engine.MARGIN_CALL, reasons=["x"])
    assert (describe(topics.MARGIN_CALLS, call.SerializeToString()) or "").startswith("live:1/house: normal -> margin_call")
    done = engine.Liquidation(user_id="live:1", account_id="house", completed=engine.Liquidation.Completed(
        instrument="house:EURUSD", quantity="3", price="1.1", realised_pnl="-2"))
    assert describe(topics.LIQUIDATIONS, done.SerializeToString()) == "live:1/house: closed 3 house:EURUSD at 1.1, PnL -2"
    assert describe(topics.LIQUIDATIONS, b"\xff\xff") is None
