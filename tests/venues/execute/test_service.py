"""The executor on a real broker, database and venue: steps of the engine in, positions reduced once, reports that the engine folds."""

import asyncio
import signal
from decimal import Decimal
from pathlib import Path

import aiohttp
import psycopg
from msgspec.structs import replace
from prometheus_client import REGISTRY

from schemas import engine_pb2 as pb
from schemas import names
from schemas.keys import client_order_id
from schemas.user_data_pb2 import DERIVED
from streams.config import Config
from streams.venues.execute import metrics
from streams.venues.execute.service import Executor
from streams.venues.simulator.server import Simulator
from tests.venues.execute.room import Book, ended, margin_call, process, reports, say, step_ids, told, until_count
from tests.venues.harness import running, until


async def test_an_account_over_its_rung_is_reduced_and_the_engine_goes_on(config: Config, venue: Simulator) -> None:
    book = Book(config, venue, "e1")
    await book.register()
    book.hold()
    plan = book.order()
    cancel, close = step_ids(plan)
    async with running(Executor(config)):
        await say(config, names.LIQUIDATIONS, book.user, *plan)
        found = await ended(config, book.user, cancel, close)
    assert [(one.step_id, one.status) for one in found if one.status != "unknown"] == [
        (cancel, "completed"), (close, "accepted"), (close, "filled")]
    [order] = book.sent()
    assert order.client_id == client_order_id(close) == found[-1].client_order_id
    assert book.held == 1 - Decimal(found[-1].filled_quantity) == Decimal("0.625")
    assert (book.account.open_orders(), book.account.open_algos()) == ([], [])
    book.fold(found)
    assert set(book.statuses().values()) == {"completed"}
    async with running(Executor(config)):  # a step again, as after a crash before its offset was committed
        await say(config, names.LIQUIDATIONS, book.user, *plan)
        await until_count(config, book.user, 5)
    assert len(book.sent()) == 1


async def test_kill_9_around_the_order_doubles_nothing(config: Config, venue: Simulator, tmp_path: Path) -> None:
    """Once before the order reaches the venue, once after it did and its answer is still on the way."""
    for name, fault in (("k1", {"kind": "slow", "ms": 2_000}), ("k2", {"kind": "http", "after_effect": True, "status": 503})):
        book = Book(config, venue, name)
        await book.register()
        book.hold()
        plan = book.order()
        venue.fault(method="POST", path="/fapi/v1/order", **fault)  # type: ignore[arg-type]
        venue.fault("slow", method="GET", path="/fapi/v1/order", skip=1, ms=3_000)  # it looks once before, and would after
        log, url = tmp_path / "log", tmp_path / "run" / "execute-one.url"
        async with process(config, log) as first:
            await say(config, names.LIQUIDATIONS, book.user, *plan)
            await until(lambda: sum(venue.faults.taken.values()) > 0, "the order was sent")
            first.send_signal(signal.SIGKILL)
        assert "filled" not in {one.status for one in await reports(config, book.user)}
        venue.faults.taken.clear()
        url.unlink()
        async with process(config, log) as second:
            await until(url.exists, "started again")
            found = await ended(config, book.user, *step_ids(plan))
            second.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(second.wait(), 60) == 0
        assert {one.status for one in found} >= {"completed", "filled"}
        assert (len(book.sent()), book.held) == (1, Decimal("0.625"))
        said = log.read_text()
        assert [secret for secret in (book.account.key, book.account.secret) if secret in said] == []


async def test_without_a_broker_it_waits_shows_its_page_and_stops_when_told(config: Config, tmp_path: Path) -> None:
    log, url = tmp_path / "log", tmp_path / "run" / "execute-one.url"
    async with process(replace(config, kafka_bootstrap="127.0.0.1:1"), log) as found, aiohttp.ClientSession() as http:
        await until(url.exists, "started")
        for page, status in (("health", 200), ("healthz", 200), ("readyz", 503), ("metrics", 200)):
            async with http.get(f"{url.read_text().strip()}/{page}") as answer:
                assert answer.status == status
        found.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(found.wait(), 60) == 0
    assert "kafka: expected an answer, was" in log.read_text()


async def test_without_keys_it_says_so_in_a_line(config: Config, tmp_path: Path) -> None:
    log = tmp_path / "log"
    async with process(replace(config, data_dir=str(tmp_path / "none")), log) as found:
        assert await asyncio.wait_for(found.wait(), 60) == 1
    assert log.read_text().startswith("marginstream execute: ")
    assert log.read_text().count("\n") == 1


async def test_who_did_not_opt_in_is_refused_and_untouched(config: Config, venue: Simulator) -> None:
    book = Book(config, venue, "n1")
    await book.register(opted=False)
    book.hold()
    plan = book.order()
    async with running(Executor(config)):
        await say(config, names.LIQUIDATIONS, book.user, *plan)
        found = await ended(config, book.user, *step_ids(plan))
    assert {(one.status, one.error) for one in found} == {("refused", "the account did not opt in to execution")}
    assert (book.sent(), str(book.held), len(book.account.open_orders())) == ([], "1", 2)
    book.fold(found)
    assert set(book.statuses().values()) == {"refused"}


def counted(status: str) -> float | None:
    """Of this process since the last look."""
    found = REGISTRY.get_sample_value("marginstream_executions_total", {"venue": "binance_usdm", "status": status})
    metrics.EXECUTIONS.clear()
    return found


async def test_caps_and_a_dry_run_refuse_with_the_reason(config: Config, venue: Simulator) -> None:
    book = Book(config, venue, "c1")
    await book.register()
    book.hold()
    first = book.order()
    counted("dry_run")
    async with running(Executor(replace(config, execute_dry_run=True, app_id=f"{config.app_id}d"))):
        await say(config, names.LIQUIDATIONS, book.user, *first)
        found = await ended(config, book.user, *step_ids(first))
    assert [one.error[:28] for one in found] == ["dry run: would cancel open o", "dry run: would close 0.375 B"]
    assert counted("dry_run") == 2
    assert (book.sent(), len(book.account.open_orders())) == ([], 2)
    other = Book(config, venue, "c2")
    await other.register()
    other.hold()
    plan = other.order()
    again = pb.Liquidation.FromString(plan[-1].SerializeToString())
    again.id = f"{again.id}9"
    async with running(Executor(replace(config, execute_hour_notional_max=30_000, app_id=f"{config.app_id}h"))):
        await say(config, names.LIQUIDATIONS, other.user, *plan, again)
        found = await ended(config, other.user, *step_ids(plan), again.id)
    assert [one.status for one in found if one.step_id == plan[-1].id] == ["accepted", "filled"]
    [refused] = [one for one in found if one.step_id == again.id]
    assert refused.status == "refused"
    assert refused.error == "notional: expected at most 30000 an hour, was 45000 with this step"
    assert (len(other.sent()), other.held) == (1, Decimal("0.625"))


async def test_what_ended_long_ago_is_forgotten_while_it_runs(config: Config) -> None:
    with psycopg.connect(config.postgres_dsn, autocommit=True) as connection:
        connection.execute("TRUNCATE executions")
        for step, age in (("old", "91 days"), ("new", "89 days")):
            connection.execute("INSERT INTO executions VALUES (%s, 'live:1', 'a', 'ms', 1, 1, now() - %s::INTERVAL, 'filled')", [step, age])
        async with running(Executor(config)) as executor:
            await until(lambda: executor.ready, "ready")
            await until(lambda: connection.execute("SELECT step_id FROM executions").fetchall() == [("new",)], "forgotten")


async def test_a_margin_call_of_the_venue_pauses_the_account_once(config: Config, venue: Simulator) -> None:
    book, other = Book(config, venue, "m1"), Book(config, venue, "m2")
    scope = f"account:{book.user}/{book.name}"
    await book.register()
    await other.register(opted=False)
    book.hold()
    async with running(Executor(config)) as executor:
        await say(config, names.VENUE_MARGIN_CALLS, book.user, margin_call(book, DERIVED))
        await say(config, names.VENUE_MARGIN_CALLS, other.user, margin_call(other))
        await say(config, names.VENUE_MARGIN_CALLS, book.user, margin_call(book), margin_call(book))
        await until(lambda: scope in executor.controls.state.pauses, "paused")
        await until(lambda: not executor.offsets.count, "all taken")
    async with running(Executor(config)) as executor:
        await until(lambda: executor.ready, "ready")
        await say(config, names.VENUE_MARGIN_CALLS, book.user, margin_call(book))
        plan = book.order()
        await say(config, names.LIQUIDATIONS, book.user, *plan)
        found = await ended(config, book.user, *step_ids(plan))
    assert {(one.status, one.error) for one in found} == {("refused", f"paused: {scope}")}
    assert (book.sent(), len(book.account.open_orders())) == ([], 2)
    [fact] = await told(config, names.CONTROL, scope)
    assert isinstance(fact, pb.Control)
    assert (fact.action, fact.actor) == (pb.Control.PAUSE, "execute")
    assert await told(config, names.CONTROL, f"account:{other.user}/{other.name}") == []
