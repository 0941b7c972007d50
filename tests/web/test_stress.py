"""`/inspect/stress`: shocks over the live rows, the same through every worker, summed; and the command that asks for it."""

import asyncio
import io
import json
from typing import Any

import pytest
from msgspec.structs import replace

from streams.__main__ import main
from streams.stack.process import StackError
from streams.stack.stress import stress_lines
from streams.web.peers import HOP
from tests.agents.worlds import BTC, NOW, mark, position, usdm_user, world
from tests.web.asking import Asked, error_of, get, one, serving

from .views import FakeView

DAY_MS = 86_400_000


def desk(name: str, *wallets: str) -> FakeView:
    """A worker with a bull of 0.5 BTC for each wallet; its marks are a day old, as at a weekend."""
    users = [replace(usdm_user(wallet, position(BTC, "0.5", "60000")), user_id=f"live:{name}-{at}") for at, wallet in enumerate(wallets)]
    view = FakeView(name, *users)
    view.now = world(mark(BTC, "60000", append_ms=NOW), now_ms=NOW + DAY_MS)
    return view


def test_any_worker_sums_over_all() -> None:
    async def ask() -> list[Asked]:
        async with serving(desk("a", "4000", "90000"), desk("b", "1000"), token="sesame") as runners:
            return [await get(runner, "/inspect/stress?shock=BTCUSDT=-0.2:0:0.1&first=2", Authorization="Bearer sesame")
                    for runner in runners]

    (status, body), second = asyncio.run(ask())
    found: Any = body
    assert (status, body) == second
    assert status == 200
    assert [(row["shock"], row["rungs"]["liquidation"], row["newly_liquidated"]) for row in found["scenarios"]] == [
        ("now", 0, 0), ("BTCUSDT=-0.2", 2, 1), ("BTCUSDT=-0.1", 1, 1), ("BTCUSDT=0", 0, 0)]
    assert found["scenarios"][1]["liquidation"] == {BTC: {"price": "48000", "long": "48000", "short": "0"}}
    assert [row["user"] for row in found["first"]] == ["live:b-0", "live:a-0"]
    assert found["accounts"] == 3


def test_a_worker_asked_by_another_answers_for_itself() -> None:
    async def ask() -> Asked:
        async with serving(desk("a", "4000"), desk("b", "1000")) as runners:
            return await get(runners[0], "/inspect/stress?shock=all=-0.2", **{HOP: "1"})

    status, body = asyncio.run(ask())
    assert (status, body["accounts"]) == (200, 1)


@pytest.mark.parametrize(("query", "field"), [("shock=BTCUSDT", "shock"), ("shock=all=-2", "shock"), ("first=x", "first")])
def test_bad_questions_are_refused(query: str, field: str) -> None:
    status, _, named = error_of(one(desk("a", "4000"), f"/inspect/stress?{query}"))
    assert (status, named) == (400, field)


def test_a_worker_that_fills_its_columns_says_so() -> None:
    view = desk("a", "4000")
    view.state = (False, "filling the columns")
    assert error_of(one(view, "/inspect/stress"))[:2] == (503, "not_ready")


def test_the_command_over_the_live_book(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    async def ask() -> int:
        async with serving(desk("a", "4000"), token="sesame") as (runner,):
            monkeypatch.setenv("MARGINSTREAM_WEB_URL", runner.url)
            monkeypatch.setenv("MARGINSTREAM_API_TOKEN", "sesame")
            return await asyncio.to_thread(main, ["stress", "--live", "--shock", "all=-0.2", "--shock", "BTCUSDT=0.1"])

    assert asyncio.run(ask()) == 0
    assert [row["rungs"]["liquidation"] for row in json.loads(capsys.readouterr().out)["scenarios"]] == [0, 1, 0]


LINE = json.dumps({"model": "binance_usdm", "balances": {"USDT": "4000"}, "prices": {"BTCUSDT": {"mark": "60000"}},
                   "positions": [{"symbol": "BTCUSDT", "quantity": "0.5", "entry_price": "60000"}]})


def test_the_command_over_lines(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{LINE}\n\n{LINE}\n"))
    assert main(["stress", "--shock", "BTCUSDT=-0.2", "--first", "1"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["rungs"]["liquidation"] for row in found["scenarios"]] == [0, 2]
    assert [row["user"] for row in found["first"]] == ["line 1"]


@pytest.mark.parametrize(("text", "shock", "words"), [("{", "all=0", "line 1"), (LINE + '\n{"model": "x"}', "all=0", "line 2: model"),
                                                      (LINE, "all", "expected symbol=share")])
def test_bad_lines_and_shocks_are_named(text: str, shock: str, words: str) -> None:
    with pytest.raises(StackError, match=words):
        stress_lines(io.StringIO(text), [shock], 1)
