"""The whole circle: facts of the venue into a row, the engine's verdict, the executor's order, its report and the venue's facts again."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal

from google.protobuf.message import Message
from msgspec.structs import replace

from agents.risk.world import World
from schemas import engine_pb2 as pb
from schemas import names
from streams.config import Config
from streams.venues.execute.service import Executor
from streams.venues.simulator.server import Simulator
from tables import accounts
from tables.accounts import doubts
from tables.policy import Policy
from tables.rows import LIQUIDATION, Fact, User
from tests.agents import worlds
from tests.agents.test_verdict import judged
from tests.venues.execute.room import Book, ended, say, step_ids
from tests.venues.harness import Bench, reading, running, until

PRICE = "60000"


def world(price: str = PRICE, *, at_ms: int = 0) -> World:
    """The group is reduced at 0.6 of what the venue liquidates at."""
    rule = pb.RiskRule(rule_id="group:standard", group=pb.RiskRule.Group(group="standard"))
    rule.group.thresholds.MergeFrom(pb.Threshold(warning="0.4", margin_call="0.9", liquidation="1", release="0.5", auto_reduce="0.6"))
    now_ms = at_ms or int(time.time() * 1_000)
    mark = worlds.mark(worlds.BTC, price, append_ms=now_ms)
    return worlds.world(mark, with_rules=worlds.rules(rule, worlds.btc_rule()), now_ms=now_ms)


class Circle:
    """The row of the engine: facts that a session told, and reports."""

    def __init__(self, bench: Bench, name: str) -> None:
        self.bench, self.name, self.taken, self._seen = bench, name, 0, 0
        self.row = User("live:1")
        opted = pb.AccountUpdate(id="o", user_id="live:1", source="admin", time_ms=1)
        opted.exchange_account.CopyFrom(pb.AccountUpdate.ExchangeAccount(
            account_id=name, venue="binance_usdm", currency="USDT", auto_reduce=True, execution="venue"))
        self._fold(names.ACCOUNT_UPDATES, opted)
        profile = pb.AccountUpdate(id="p", user_id="live:1", source="admin", time_ms=1)
        profile.profile.group = "standard"
        self._fold(names.ACCOUNT_UPDATES, profile)

    def _fold(self, topic: str, message: Message) -> None:
        fact = Fact(topic, 0, self.taken, int(time.time() * 1_000), "live:1", message, message.SerializeToString())
        row = accounts.fold(self.row, fact, Policy()).row
        assert isinstance(row, User)
        self.row, self.taken = row, self.taken + 1

    async def catch_up(self) -> None:
        """What the session told since, once that is all."""
        await self.bench.until(self.bench.agrees, "told")
        told, self._seen = self.bench.kept.told[self._seen:], len(self.bench.kept.told)
        for _, event in told:
            if event.topic != names.DEAD_LETTERS:
                self._fold(event.topic, event.message)

    def report(self, report: pb.LiquidationReport) -> None:
        self._fold(names.LIQUIDATION_REPORTS, report)

    def judge(self) -> list[pb.Liquidation]:
        """What the engine orders now."""
        found = judged(self.row, world(), self.name)
        self.row = found.row
        return [pb.Liquidation.FromString(one.value) for one in found.outputs if one.topic == names.LIQUIDATIONS]

    @property
    def held(self) -> Decimal:
        return sum((one.quantity for one in self.row.accounts[self.name].positions.values()), Decimal(0))


@asynccontextmanager
async def begun(config: Config, venue: Simulator, name: str) -> AsyncIterator[tuple[Book, Circle]]:
    """An account over its rung that opted in, live."""
    book = Book(config, venue, name)
    await book.register("live:1")
    async with reading(venue, name) as bench:
        await bench.until(lambda: bench.session.ready, "live")
        book.hold()
        venue.transfer(name, "USDT", Decimal(400) - book.account.balances["USDT"].wallet)
        circle = Circle(bench, name)
        await circle.catch_up()
        yield book, circle


async def carry_out(circle: Circle, config: Config) -> list[str]:
    """A plan of the engine, if there is one now, from its order to the venue's facts of it; its steps."""
    plan = circle.judge()
    steps = step_ids(plan)
    await say(config, names.LIQUIDATIONS, "live:1", *plan)
    for report in await ended(config, "live:1", *steps):
        circle.report(report)
    if steps:
        await circle.catch_up()
        statuses = {step.step_id: step.status for step in circle.row.accounts[circle.name].margin.plan}
        assert [statuses[step] for step in steps] == ["completed"] * len(steps)
    assert "settling" not in doubts(circle.row, circle.name)
    return steps


async def test_who_opted_in_is_reduced_before_its_venue_would_and_the_episode_ends(config: Config, venue: Simulator) -> None:
    async with begun(config, venue, "live1") as (book, circle):
        assert circle.held == 1
        assert judged(circle.row, world(), book.name).rung == LIQUIDATION
        assert not book.account.called  # the venue does not even warn
        steps: list[str] = []
        async with running(Executor(config)):
            for _ in range(50):  # what an order costs may leave the account just above its release: the engine orders once more
                steps += await carry_out(circle, config)
                if circle.row.accounts[book.name].margin.rung < LIQUIDATION:
                    break
                await asyncio.sleep(0.2)
        assert circle.row.accounts[book.name].margin.rung < LIQUIDATION
        assert circle.row.accounts[book.name].margin.plan == ()
        assert circle.held == book.held < 1
        assert len(book.sent()) == len(steps) / 2 > 0
        assert (book.account.open_orders(), book.account.open_algos(), book.account.called) == ([], [], False)


async def test_a_report_of_a_fill_waits_for_the_venues_own_word(config: Config, venue: Simulator) -> None:
    """Between the executor's report and the order's last update nobody judges the account."""
    async with begun(config, venue, "live2") as (book, circle):
        plan = circle.judge()
        async with running(Executor(config)):
            await say(config, names.LIQUIDATIONS, "live:1", *plan)
            said = await ended(config, "live:1", *step_ids(plan))
        for report in [one for one in said if one.account_id == book.name]:
            circle.report(report)
        assert "settling" in doubts(circle.row, book.name)
        await circle.catch_up()
        assert "settling" not in doubts(circle.row, book.name)
        completed = circle.judge()
        assert [one.id for one in completed] == [f"{step}/completed" for step in step_ids(plan)]
        assert Decimal(completed[-1].completed.quantity) == 1 - book.held


async def test_processes_that_share_and_leave_send_every_step_once(config: Config, venue: Simulator) -> None:
    """Partitions move while orders are on their way: one executor more, then the first one gone."""
    books = [Book(config, venue, f"s{number}") for number in range(8)]
    for book in books:
        await book.register()
        book.hold()
    venue.fault("slow", method="POST", path="/fapi/v1/order", ms=1_500, times=8)
    plans = {book.user: book.order() for book in books}
    async with running(Executor(replace(config, worker_name="two"))) as two:
        async with running(Executor(config)) as one:
            await until(lambda: one.ready and two.ready, "both")
            for user, plan in plans.items():
                await say(config, names.LIQUIDATIONS, user, *plan)
            await until(lambda: sum(venue.faults.taken.values()) > 2, "orders on their way")
            await one.lanes.drop()  # as when it is cut off in the middle
        for book in books:
            await ended(config, book.user, *step_ids(plans[book.user]))
    assert [(len(book.sent()), str(book.held)) for book in books] == [(1, "0.625")] * len(books)
