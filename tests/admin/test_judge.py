"""`/inspect/judge`: free margin at this moment, with the numbers it has seen, and what another group or leverage would do."""

import time
from collections.abc import Iterator

import pytest
from aiohttp.test_utils import TestClient, TestServer

from agents.risk.rules import Rules, rules_with
from agents.risk.ticks import MarkBook
from agents.risk.world import Control, Mark, World
from schemas import engine_pb2 as pb
from streams import topics
from streams.admin.engine import Judged
from tests.admin.world import Engine, Topics

Json = dict[str, object]
THRESHOLDS = pb.Threshold(mode="percent", warning="150", margin_call="100", liquidation="50", release="110")
RULES = (
    pb.RiskRule(rule_id="instrument:house:EURUSD", instrument=pb.RiskRule.Instrument(
        instrument="house:EURUSD", base="EUR", quote="USD", settle="USD", contract_size="100", calc_mode="FOREX", margin_rate="1")),
    pb.RiskRule(rule_id="group:tight", group=pb.RiskRule.Group(group="tight", leverage="1", thresholds=THRESHOLDS)),
    pb.RiskRule(rule_id="group:standard", group=pb.RiskRule.Group(group="standard", leverage="100", thresholds=THRESHOLDS)))


class Judging(Engine):
    """With one mark, fresh or `age_ms` old."""

    age_ms = 0

    def world(self) -> World:
        now = time.time_ns() // 1_000_000
        rules = Rules()
        for offset, rule in enumerate(RULES):
            rules = rules_with(rules, rule, offset)
        return World(now, {"house:EURUSD": _mark("house:EURUSD", now - self.age_ms)}, rules, Control())


def _mark(instrument: str, append_ms: int) -> Mark:
    book = MarkBook()
    book.accept(pb.PriceTick(instrument=instrument, bid="1.10", ask="1.10", last="1.10"), 1, append_ms, Rules())
    return book.marks[instrument]


@pytest.fixture
def engine() -> Iterator[Judging]:
    """A user with 100 USD and a long position of one lot of 100."""
    log = Topics()
    found = Judging(log)
    profile = pb.AccountUpdate(user_id="live:1", source="admin", sequence=1, profile=pb.AccountUpdate.Profile(group="standard"))
    delta = pb.WalletDelta(user_id="live:1", account_id="house", asset="USD", amount="100", source="admin", sequence=2)
    log.append(topics.ACCOUNT_UPDATES, "live:1", profile.SerializeToString())
    log.append(topics.WALLET_DELTAS, "live:1", delta.SerializeToString())
    found.trade("live:1", 1, "1.10")
    found.turn()
    yield found


async def asked(engine: Judging, path: str) -> tuple[int, Json]:
    async with TestClient(TestServer(engine.application())) as client:
        answer = await client.get(path)
        return answer.status, await answer.json()


async def test_free_margin_with_the_numbers_in_it(engine: Judging) -> None:
    status, body = await asked(engine, "/inspect/judge/live:1")
    house = body["before"]["house"]  # type: ignore[index]
    assert (status, house["rung"], house["reasons"], body["next"]["admin"]) == (200, "normal", [], 3)  # type: ignore[index]
    assert (house["equity"], house["initial_margin"], house["free_margin"]) == ("99.99", "1.1", "98.89")
    assert Judged(body).withdrawable() == {"free_margin": "98.89", "next": body["next"]}


async def test_a_stale_mark_is_no_ground_to_pay_on(engine: Judging) -> None:
    engine.age_ms = 60_000
    _, body = await asked(engine, "/inspect/judge/1")
    assert "free_margin" not in Judged(body).withdrawable()


@pytest.mark.parametrize(("query", "rung"), [("group=tight", "margin_call"), ("leverage=100", "normal"), ("group=standard", "normal")])
async def test_another_group_or_leverage(engine: Judging, query: str, rung: str) -> None:
    _, body = await asked(engine, f"/inspect/judge/live:1?{query}")
    judged = Judged(body)
    assert judged.preview()["house"]["after"]["rung"] == rung  # type: ignore[index]
    assert (judged.liquidated(), judged.unjudged()) == ([], [])


async def test_what_it_would_liquidate_is_named(engine: Judging) -> None:
    engine.trade("live:1", 2, "1.10")
    engine.turn()
    engine.age_ms = 60_000  # a market that sleeps: the last mark counts
    _, body = await asked(engine, "/inspect/judge/live:1?group=tight")
    assert Judged(body).liquidated() == ["house"]


@pytest.mark.parametrize(("path", "status"), [("live:404", 404), ("a%20b", 400), ("live:1?leverage=NaN", 400)])
async def test_who_is_not_there(engine: Judging, path: str, status: int) -> None:
    assert (await asked(engine, f"/inspect/judge/{path}"))[0] == status


async def test_not_while_it_recovers(engine: Judging) -> None:
    engine.standing_still = True
    assert (await asked(engine, "/inspect/judge/live:1"))[0] == 503
