"""The worker's pages over HTTP: every route, the token, errors, cursors, and answers through another worker."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp
import orjson
import pytest

from streams.ops.health import Runner
from streams.web.app import start
from streams.web.peers import HOP
from streams.web.rows import TABLES

from .views import FakeView, trader, with_order

Asked = tuple[int, dict[str, object]]


async def get(runner: Runner, path: str, **headers: str) -> Asked:
    async with aiohttp.ClientSession() as session, session.get(runner.url + path, headers=headers) as response:
        return response.status, orjson.loads(await response.read())


@asynccontextmanager
async def serving(*views: FakeView, token: str = "") -> AsyncIterator[list[Runner]]:
    """A server for each view; they know of each other, and of whom each owns."""
    async with AsyncExitStack() as stack:
        runners = []
        for view in views:
            runners.append(await start(view, "127.0.0.1", 0, token))
            stack.push_async_callback(runners[-1].stop)
        for at, view in enumerate(views):
            view.others = [runner.url for place, runner in enumerate(runners) if place != at]
            view.away = {user: runners[place].url for place, other in enumerate(views) if other is not view for user in other.held}
        yield runners


def error_of(asked: Asked) -> tuple[int, str, str | None]:
    status, body = asked
    assert set(body) == {"error"}
    error = body["error"]
    assert isinstance(error, dict)
    assert set(error) == {"code", "message", "field"}
    assert error["message"]
    return status, error["code"], error["field"]


def one(view: FakeView, path: str, **headers: str) -> Asked:
    async def ask() -> Asked:
        async with serving(view) as (runner,):
            return await get(runner, path, **headers)

    return asyncio.run(ask())


def known() -> FakeView:
    view = FakeView("worker-0", trader())
    view.held_orders["live:123"] = with_order()
    return view


ROWS: dict[str, dict[str, object]] = {
    "balances": {"accounts": {"house": {"USD": {"wallet_balance": "1000.50", "updated_ms": 5}}}},
    "profiles": {"group": "standard", "leverage": "100", "status": "active", "is_active": True, "kyc": False, "risk_tier": "",
                 "currency": "USD", "execution": "", "fields": {"desk": "a"}},
}


@pytest.mark.parametrize("table", ROWS)
def test_row_as_documented(table: str) -> None:
    status, body = one(known(), f"/inspect/{table}/live:123")
    assert status == 200
    assert body == {"table": table, "user": "live:123", "user_type": "live", "partition": known().partition("live:123"), "version": 7,
                    "generation": 1, "worker": "worker-0", "row": ROWS[table]}


def row(table: str) -> dict[str, dict[str, object]]:
    body = one(known(), f"/inspect/{table}/live:123")[1]
    found = body["row"]
    assert isinstance(found, dict)
    return found


def only(found: object) -> dict[str, object]:
    assert isinstance(found, list)
    assert len(found) == 1
    return dict(found[0])


def test_margin_shows_rung_by_name_and_figures_beside_it() -> None:
    margin = row("margin")["accounts"]["house"]
    assert isinstance(margin, dict)
    assert {"rung": "warning", "known_rung": "warning", "reasons": ["tick"], "episode": 1, "equity": "1000", "margin_level_pct": "140.0",
            "margin_ratio": None}.items() <= margin.items()
    assert only(margin["plan"])["quantity"] == "0.1"


def test_positions_are_a_list_by_account() -> None:
    position = only(row("positions")["accounts"]["house"])
    assert {"instrument": "house:EURUSD", "side": "LONG", "quantity": "0.10", "entry_price": "1.0790",
            "updated_ms": 1_700_000_000_000, "leverage": None}.items() <= position.items()


def test_orders_have_a_version_of_their_own() -> None:
    status, body = one(known(), "/inspect/orders/live:123")
    assert (status, body["version"]) == (200, 3)
    order = only(row("orders")["accounts"]["house"])
    assert {"order_id": "o-1", "quantity": "0.20", "price": "1.05", "status": "NEW"}.items() <= order.items()


def test_whole_account_shows_held_facts_as_a_count() -> None:
    found = row("accounts")
    assert found["sequences"] == {"vault": {"next": 4, "held": 1, "gap_since_ms": 9}}
    assert "recent_ids" not in found
    assert "recent_fills" not in found["accounts"]["house"]  # type: ignore[operator]


def test_untyped_id_gets_the_default_type() -> None:
    assert one(known(), "/inspect/balances/123")[1]["user"] == "live:123"


REFUSED = [
    ("/inspect/balances/live:9", (404, "unknown_user", "user")),
    ("/inspect/orders/live:9", (404, "unknown_user", "user")),
    ("/inspect/nothing", (404, "unknown_table", "table")),
    ("/inspect/nothing/live:123", (404, "unknown_table", "table")),
    ("/inspect/balances/Live:1:2", (400, "bad_user", "user")),
    ("/inspect/balances?limit=0", (400, "bad_limit", "limit")),
    ("/inspect/balances?limit=-1", (400, "bad_limit", "limit")),
    ("/inspect/balances?limit=501", (400, "bad_limit", "limit")),
    ("/inspect/balances?limit=many", (400, "bad_limit", "limit")),
    ("/inspect/balances?limit=²", (400, "bad_limit", "limit")),
    ("/inspect/balances?cursor=%21", (400, "bad_cursor", "cursor")),
    ("/inspect/balances?cursor=abc", (400, "bad_cursor", "cursor")),
    ("/inspect/balances?cursor=" + base64.urlsafe_b64encode(b"untyped").decode(), (400, "bad_cursor", "cursor")),
    ("/nothing", (404, "not_found", None)),
]


@pytest.mark.parametrize(("path", "expected"), REFUSED)
def test_refused(path: str, expected: tuple[int, str, str | None]) -> None:
    assert error_of(one(known(), path)) == expected


def test_wrong_method_has_the_shape_of_errors() -> None:
    async def ask() -> Asked:
        async with serving(known()) as (runner,), aiohttp.ClientSession() as session, session.post(runner.url + "/inspect") as response:
            assert "GET" in response.headers["Allow"]
            return response.status, orjson.loads(await response.read())

    assert error_of(asyncio.run(ask())) == (405, "method_not_allowed", None)


def test_bug_is_a_500_that_shows_nothing() -> None:
    view = known()
    view.held["live:123"] = "no row"  # type: ignore[assignment]
    asked = one(view, "/inspect/balances/live:123")
    assert error_of(asked) == (500, "internal", None)
    assert "no row" not in str(asked)


def test_index_names_the_tables() -> None:
    status, body = one(known(), "/inspect")
    assert (status, body["tables"]) == (200, list(TABLES))
    assert set(TABLES) == {"accounts", "balances", "positions", "orders", "margin", "profiles"}


def test_ready_only_when_recovered() -> None:
    view = known()
    assert one(view, "/readyz")[0] == 200
    view.state = (False, "recovering: 10 of 90 rows")
    status, body = one(view, "/readyz")
    assert (status, body["reason"]) == (503, "recovering: 10 of 90 rows")
    assert [one(view, path)[0] for path in ("/health", "/healthz")] == [200, 200]


def test_while_recovering_unknown_is_not_said() -> None:
    view = known()
    view.state = (False, "recovering")
    assert error_of(one(view, "/inspect/balances/live:9")) == (503, "not_ready", None)
    assert error_of(one(view, "/inspect/balances")) == (503, "not_ready", None)


def test_metrics_in_text_format() -> None:
    async def ask() -> tuple[str, str]:
        async with serving(known()) as (runner,), aiohttp.ClientSession() as session, session.get(runner.url + "/metrics") as response:
            return response.headers["Content-Type"], await response.text()

    kind, text = asyncio.run(ask())
    assert kind.startswith("text/plain; version=0.0.4")
    assert "marginstream_ready 1.0" in text
    for name in ("rms_active_users", "rms_liquidations_total", "rms_onPriceUpdate_duration_seconds", "rms_user_equity"):
        assert f"# HELP {name} " in text


TOKENS = [("", 401), ("Bearer wrong", 401), ("Bearer sécret", 401), ("sesame", 401), ("Basic sesame", 401), ("Bearer sesame", 200)]


@pytest.mark.parametrize(("given", "expected"), TOKENS)
@pytest.mark.parametrize("path", ["/inspect", "/inspect/balances", "/inspect/balances/live:123",
                                  "/api/market/portfolio/dirty-users/live"])
def test_token(given: str, expected: int, path: str) -> None:
    async def ask() -> Asked:
        async with serving(known(), token="sesame") as (runner,):
            return await get(runner, path, **({"Authorization": given} if given else {}))

    asked = asyncio.run(ask())
    assert asked[0] == expected
    assert expected == 200 or error_of(asked) == (401, "unauthorized", None)


def test_probes_and_writes_with_a_token_set() -> None:
    async def ask() -> list[int]:
        async with serving(known(), token="sesame") as (runner,), aiohttp.ClientSession() as session:
            paths = ("/health", "/healthz", "/readyz", "/metrics", "/api/market/portfolio/status")
            found = [(await session.get(runner.url + path)).status for path in paths]
            return [*found, (await session.post(runner.url + "/health")).status]

    assert asyncio.run(ask()) == [200] * 5 + [401]


def two(token: str = "") -> tuple[FakeView, FakeView]:
    left = FakeView("worker-0", *(trader(f"live:{number}") for number in range(0, 40, 2)))
    right = FakeView("worker-1", *(trader(f"live:{number}") for number in range(1, 21, 2)), trader("demo:a/b%2F?"))
    return left, right


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
    assert status == (200, {"status": "recovering", "workers": {"worker-0": True, "worker-1": False},
                            "figures": {"users": {"live": 30, "demo": 1}, "dirty_users": {"live": 3}}})
    assert dirty == (200, {"user_type": "live", "count": 3, "users": ["live:2", "live:3", "live:4"]})
    assert short[1] == {"user_type": "live", "count": 3, "users": ["live:2", "live:3"]}
    assert none[1] == {"user_type": "demo", "count": 0, "users": []}
