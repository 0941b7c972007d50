"""The calculator's status: counts summed over workers, times the worst of them, shapes that dashboards read."""

import asyncio

from streams.web.portfolio import flat, summed
from streams.web.view import Figures
from tests.web.asking import get, serving
from tests.web.views import FakeView

ONE: Figures = {"portfolio": {"symbols_processed": 150, "users_affected_total": 9, "pass_us_max": 700, "uptime_seconds": 50,
                              "is_running": 1, "errors": 1}, "dirty_users": {"live": 3}}
OTHER: Figures = {"portfolio": {"symbols_processed": 50, "users_affected_total": 1, "pass_us_max": 900, "uptime_seconds": 7,
                                "is_running": 1},
                  "dirty_users": {"live": 1, "demo": 2, "vip": 1}}


def test_counts_are_sums_and_times_the_worst() -> None:
    found = flat(summed([ONE, OTHER]), 2)
    assert found.items() >= {"symbols_processed": 200, "users_affected_total": 10, "pass_us_max": 900, "uptime_seconds": 50, "errors": 1,
                             "dirty_users_live": 4, "dirty_users_demo": 2, "dirty_users_vip": 1, "is_running": True}.items()


def test_one_that_stands_still_is_not_running() -> None:
    assert flat(summed([ONE, {"portfolio": {"is_running": 0}}]), 2)["is_running"] is False
    assert flat({}, 1) == {"symbols_processed": 0, "users_affected_total": 0, "users_written": 0, "errors": 0, "fallback_figures": 0,
                           "passes": 0, "pass_us_last": 0, "pass_us_max": 0, "uptime_seconds": 0, "dirty_users_demo": 0,
                           "dirty_users_live": 0, "is_running": False}


def test_the_dirty_of_a_type_are_named_up_to_a_limit_that_is_checked() -> None:
    async def ask() -> list[tuple[int, dict[str, object]]]:
        view = FakeView("worker-0")
        view.waiting = ["live:1", "demo:2"]
        async with serving(view) as [runner]:
            return [await get(runner, f"/api/market/portfolio/dirty-users/{path}") for path in ("live", "demo", "vip", "live?limit=0",
                                                                                                 "live?limit=x")]

    live, demo, vip, *bad = asyncio.run(ask())
    assert (live[1]["users"], demo[1]["users"], vip[1]) == (["live:1"], ["demo:2"], {"user_type": "vip", "count": 0, "users": []})
    assert [status for status, _ in bad] == [400, 400]
