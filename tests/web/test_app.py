"""The worker's pages over HTTP: every route, the token, errors, cursors, and answers through another worker."""

import asyncio
import base64

import aiohttp
import orjson
import pytest

from streams.web.rows import TABLES
from tests.web.asking import Asked, error_of, get, known, one, serving
from tests.web.views import FakeView, trader

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


@pytest.mark.parametrize("said", ["live:a%2Fb%25", "live%3Aa%2fb%25", "a%2Fb%25"])
def test_a_user_in_a_url_is_decoded_once(said: str) -> None:
    view = FakeView("worker-0", trader("live:a/b%"))
    assert one(view, f"/inspect/balances/{said}")[1]["user"] == "live:a/b%"


@pytest.mark.parametrize("path", ["/inspect", "/inspect/balances", "/inspect/balances/live:123", "/metrics", "/health", "/readyz"])
def test_head_is_get_without_a_body(path: str) -> None:
    async def ask() -> tuple[int, bytes, int]:
        async with serving(known()) as (runner,), aiohttp.ClientSession() as session:
            whole = await session.get(runner.url + path)
            async with session.head(runner.url + path) as response:
                return response.status, await response.read(), int(response.headers["Content-Length"]) - len(await whole.read())

    status, body, difference = asyncio.run(ask())
    assert (status, body) == (200, b"")
    assert abs(difference) < 100  # a metric may have moved between the two


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["/inspect", "/inspect/balances", "/inspect/balances/live:123", "/metrics", "/readyz",
                                  "/api/market/portfolio/status"])
def test_nothing_here_is_written(method: str, path: str) -> None:
    async def ask() -> Asked:
        async with (serving(known()) as (runner,), aiohttp.ClientSession() as session,
                    session.request(method, runner.url + path, data=b"{}") as response):
            return response.status, orjson.loads(await response.read())

    assert error_of(asyncio.run(ask())) == (405, "method_not_allowed", None)


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


TOKENS = [("", 401), ("Bearer wrong", 401), ("Bearer sécret", 401), ("sesame", 401), ("Basic sesame", 401),
          ("Bearer", 401), ("Bearer ", 401), ("Bearer sesame2", 401), ("Bearer Sesame", 401),
          ("Bearer sesame", 200), ("bearer  sesame", 200)]


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
