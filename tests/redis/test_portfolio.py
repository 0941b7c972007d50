"""Figures for people in `user:{...}:portfolio`: exact text, never back in time, whatever writer wakes up late."""

import pytest

from schemas.engine_pb2 import NORMAL, Portfolios
from streams.bridges.redis_portfolio import PortfolioBridge, text_of
from streams.bridges.redis_texts import moment
from streams.cache.store import Store
from streams.prices import now_ms
from streams.topics import PORTFOLIOS
from tests.bridges.facts import Sent
from tests.redis.conftest import Client
from tests.redis.states import run, state, write

KEY = "user:{live:123}:portfolio"
NOW = now_ms()  # of the figures; records are taken by their age when they are read


def record(equity: int, calculated_ms: int = NOW, epoch: int = 1, age_ms: int = 0) -> Sent:
    found = Portfolios(calculated_ms=calculated_ms, epoch=epoch, users=["live:123", "live:7"], equity=[equity, 5], margin=[4_000, 0],
                       unrealised_pnl=[-1_050, 0], digits=[2, 2], fallback=[0, 2])
    return Sent(PORTFOLIOS, b"worker-0", found.SerializeToString(), timestamp=now_ms() - age_ms)


def put(url: str, *batches: list[Sent]) -> int:
    """How many records were left out."""

    async def job(store: Store) -> int:
        bridge = PortfolioBridge(store)
        return sum([len(await bridge.write(batch)) for batch in batches])

    return run(url, job)


def test_figures_make_the_hash_and_the_balance_of_the_cache_is_in_it(url: str, client: Client) -> None:
    write(url, state())
    assert put(url, [record(9_000)]) == 0
    assert client.hgetall(KEY) == {
        "equity": "90.00", "margin": "40.00", "free_margin": "50.00", "margin_level": "225.00", "unrealised_pnl": "-10.50", "fallback": "",
        "calculated_at": moment(NOW), "wallet_balance": "100", "balance_updated_at": moment(state().updated_ms)}
    assert client.hmget("user:{live:7}:portfolio", "equity", "margin_level", "fallback") == ["0.05", "", "ratio"]


@pytest.mark.parametrize(("epoch", "later_ms", "equity"), [(1, -1, "90.00"), (1, 0, "90.00"), (0, 1, "90.00"), (1, 1, "80.00"),
                                                           (2, 1, "80.00"), (2, -1, "90.00")])
def test_figures_never_go_back(url: str, client: Client, epoch: int, later_ms: int, equity: str) -> None:
    put(url, [record(9_000)], [record(8_000, NOW + later_ms, epoch)])
    assert client.hget(KEY, "equity") == equity


def test_a_verdict_of_before_does_not_overwrite_figures_of_now(url: str, client: Client) -> None:
    put(url, [record(9_000)])
    judged = state()
    margin = judged.accounts["house"].margin
    margin.rung, margin.since_ms, margin.figures.equity = NORMAL, NOW - 60_000, "1"
    write(url, judged)
    assert client.hmget(KEY, "equity", "wallet_balance") == ["90.00", "100"]
    judged.version, margin.since_ms = 2, NOW + 5
    write(url, judged)
    assert client.hget(KEY, "equity") == "1"


def test_what_lay_too_long_or_cannot_be_read_is_left(url: str, client: Client) -> None:
    broken = Portfolios(users=["live:123", "live:7"], equity=[1]).SerializeToString()
    bad_user = Portfolios(users=["nobody"], equity=[1], margin=[1], unrealised_pnl=[1], digits=[1], fallback=[0]).SerializeToString()
    given = [record(1, age_ms=120_000), Sent(PORTFOLIOS, b"w", b"\xff\xff", timestamp=now_ms()),
             Sent(PORTFOLIOS, b"w", broken, timestamp=now_ms()), Sent(PORTFOLIOS, b"w", bad_user, timestamp=now_ms())]
    assert put(url, given) == 3
    assert not client.exists(KEY)


@pytest.mark.parametrize(("number", "digits", "text"), [(0, 2, "0.00"), (-5, 2, "-0.05"), (12_345, 2, "123.45"), (-100, 0, "-100"),
                                                        (1, 8, "0.00000001"), (10**17, 2, "1000000000000000.00")])
def test_integers_become_exact_text(number: int, digits: int, text: str) -> None:
    assert text_of(number, digits) == text
