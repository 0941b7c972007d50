"""Answers through another worker: owners, cursors over all workers, sums."""

import asyncio

import pytest

from streams.ops.health import Runner
from streams.web.peers import HOP
from tests.web.asking import Asked, error_of, get, known, one, serving, two

from .views import FakeView, trader


@pytest.mark.parametrize("user", ["live:4", "live:5", "demo:a%2Fb%252F%3F", "live:6"])
def test_any_worker_answers_as_the_owner(user: str) -> None:
    async def ask() -> list[Asked]:
        async with serving(*two(), token="sesame") as runners:
            return [await get(runner, f"/inspect/margin/{user}", Authorization="Bearer sesame") for runner in runners]

    first, second = asyncio.run(ask())
    assert first == second
    assert first[0] == 200


def test_unknown_user_of_another_worker_is_unknown() -> None:
    async def ask() -> Asked:
        views = two()
        async with serving(*views) as runners:
            views[0].away["live:99"] = runners[1].url
            return await get(runners[0], "/inspect/balances/live:99")

    assert error_of(asyncio.run(ask())) == (404, "unknown_user", "user")


def test_two_workers_that_point_at_each_other_do_not_loop() -> None:
    async def ask() -> Asked:
        views = two()
        async with serving(*views) as runners:
            views[0].away["live:99"], views[1].away["live:99"] = runners[1].url, runners[0].url
            return await get(runners[0], "/inspect/balances/live:99")

    assert error_of(asyncio.run(ask())) == (503, "moving", "user")


def test_user_nobody_owns_is_not_said_to_be_unknown() -> None:
    async def ask() -> Asked:
        view = known()
        async with serving(view) as (runner,):
            view.away["live:99"] = "nobody"
            return await get(runner, "/inspect/balances/live:99")

    assert error_of(asyncio.run(ask())) == (503, "moving", "user")


@pytest.mark.parametrize("path", ["/inspect/balances/live:5", "/inspect/balances", "/api/market/portfolio/status"])
def test_dead_worker_is_said_not_left_out(path: str) -> None:
    async def ask() -> Asked:
        async with serving(*two()) as runners:
            await runners[1].stop()
            return await get(runners[0], path)

    assert error_of(asyncio.run(ask())) == (503, "unreachable", None)


async def walk(runner: Runner, table: str, limit: int) -> list[str]:
    found: list[str] = []
    cursor: object = ""
    for _ in range(100):
        status, body = await get(runner, f"/inspect/{table}?limit={limit}" + (f"&cursor={cursor}" if cursor else ""))
        page = body["rows"]
        assert status == 200
        assert isinstance(page, list)
        assert 0 < len(page) <= limit
        found += [shown["user"] for shown in page]
        cursor = body["next"]
        if cursor is None:
            return found
    raise AssertionError("expected the walk to end, was 100 pages")


@pytest.mark.parametrize("limit", [1, 3, 10, 30, 31, 32, 500])
def test_cursor_walk_covers_each_user_once(limit: int) -> None:
    async def ask() -> None:
        views = two()
        async with serving(*views) as runners:
            everyone = sorted([*views[0].held, *views[1].held])
            for runner, table in zip(runners, ("balances", "orders"), strict=True):
                assert await walk(runner, table, limit) == everyone

    asyncio.run(ask())


@pytest.mark.parametrize("held", [[5], [0, 5], [5, 0], [3, 2], [1, 1, 3]])
@pytest.mark.parametrize("limit", [1, 2, 5])
def test_cursor_walk_wherever_users_live(held: list[int], limit: int) -> None:
    async def ask() -> list[str]:
        views = [FakeView(f"worker-{at}", *(trader(f"live:{at}{number}") for number in range(count))) for at, count in enumerate(held)]
        async with serving(*views) as runners:
            return await walk(runners[0], "margin", limit)

    assert asyncio.run(ask()) == [f"live:{at}{number}" for at, count in enumerate(held) for number in range(count)]


def test_user_shown_by_two_workers_is_listed_once_at_the_later_version() -> None:
    async def ask() -> Asked:
        left, right = FakeView("worker-0", trader(version=8)), FakeView("worker-1", trader(version=9))
        async with serving(left, right) as runners:
            return await get(runners[0], "/inspect/balances")

    rows = asyncio.run(ask())[1]["rows"]
    assert isinstance(rows, list)
    assert [(shown["version"], shown["worker"]) for shown in rows] == [(9, "worker-1")]


def test_empty_list() -> None:
    assert one(FakeView("worker-0"), "/inspect/positions") == (200, {"table": "positions", "rows": [], "next": None})


def test_hop_asks_nobody() -> None:
    async def ask() -> Asked:
        async with serving(*two()) as runners:
            return await get(runners[1], "/inspect/balances", **{HOP: "1"})

    rows = asyncio.run(ask())[1]["rows"]
    assert isinstance(rows, list)
    assert {shown["worker"] for shown in rows} == {"worker-1"}


def test_portfolio_is_summed_over_workers() -> None:
    async def ask() -> list[Asked]:
        left, right = two()
        left.waiting, right.waiting, right.state = ["live:4", "live:2"], ["live:3"], (False, "recovering")
        async with serving(left, right) as runners:
            paths = ("status", "dirty-users/live", "dirty-users/live?limit=2", "dirty-users/demo")
            return [await get(runners[0], f"/api/market/portfolio/{path}") for path in paths]

    status, dirty, short, none = asyncio.run(ask())
    assert status[0] == 200
    assert status[1].items() >= {"status": "recovering", "workers": {"worker-0": True, "worker-1": False},
                                 "figures": {"users": {"live": 30, "demo": 1}, "dirty_users": {"live": 3}},
                                 "dirty_users_live": 3, "dirty_users_demo": 0, "is_running": False}.items()
    assert dirty == (200, {"user_type": "live", "count": 3, "users": ["live:2", "live:3", "live:4"]})
    assert short[1] == {"user_type": "live", "count": 3, "users": ["live:2", "live:3"]}
    assert none[1] == {"user_type": "demo", "count": 0, "users": []}
