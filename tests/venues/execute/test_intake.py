"""What is taken, in which order it is done, what may be committed; which records ask for something."""

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest
from aiokafka import ConsumerRecord, TopicPartition

from schemas import engine_pb2 as pb
from schemas.keys import client_order_id
from schemas.names import VENUE_MARGIN_CALLS
from schemas.user_data_pb2 import DERIVED, STREAM, UserDataMarginCallEvent
from streams.config import Config
from streams.venues.execute.control import CALL_AGE_MS_MAX, Controls
from streams.venues.execute.intake import Lane, Lanes, Offsets
from streams.venues.execute.service import Executor
from streams.venues.execute.words import read_step
from streams.venues.vault import vault_file, with_key

A, B = TopicPartition("liquidations", 0), TopicPartition("liquidations", 1)


def test_an_offset_waits_for_those_before_it() -> None:
    offsets = Offsets()
    for place, offset in ((A, 5), (A, 6), (B, 9), (A, 7)):
        offsets.take(place, offset)
    offsets.done(A, 6)
    offsets.done(A, 7)
    assert (offsets.committable(), offsets.count) == ({A: 5, B: 9}, 2)
    assert offsets.oldest_s > 0
    offsets.done(A, 5)
    assert offsets.committable() == {A: 8, B: 9}
    offsets.forget([A])
    offsets.done(A, 8)
    assert (offsets.committable(), offsets.count) == ({B: 9}, 1)
    offsets.done(B, 9)
    assert (offsets.count, offsets.oldest_s) == (0, 0)


async def test_an_account_is_worked_for_in_order_and_others_beside_it() -> None:
    failures: list[BaseException] = []
    lanes, said, gate = Lanes(failures.append), list[str](), asyncio.Event()

    async def slow() -> None:
        await gate.wait()
        said.append("one")

    async def quick(word: str) -> None:
        said.append(word)

    one, two = Lane(A, "live:1", "a"), Lane(B, "live:2", "a")
    lanes.put(one, slow)
    lanes.put(one, lambda: quick("after"))
    lanes.put(two, lambda: quick("two"))
    await asyncio.sleep(0.01)
    assert said == ["two"]
    gate.set()
    await asyncio.sleep(0.01)
    assert said == ["two", "one", "after"]
    gate.clear()
    lanes.put(one, slow)
    lanes.put(two, slow)
    await asyncio.sleep(0.01)
    await lanes.drop([A])
    gate.set()
    await asyncio.sleep(0.01)
    assert said == ["two", "one", "after", "one"]
    lanes.put(one, lambda: quick("again"))
    await asyncio.sleep(0.01)
    assert said[-1] == "again"
    assert failures == []


async def test_work_that_is_dropped_before_it_began_does_not_close_its_lane() -> None:
    lanes, said, lane = Lanes(lambda _: None), list[str](), Lane(A, "live:1", "a")

    async def work(word: str) -> None:
        said.append(word)

    lanes.put(lane, lambda: work("dropped"))
    await lanes.drop([A])  # as where a record is taken and its partition goes in one turn of the loop
    lanes.put(lane, lambda: work("again"))
    await asyncio.sleep(0.01)
    assert said == ["again"]


async def test_a_call_of_an_account_that_no_row_can_hold_is_left_out(tmp_path: Path) -> None:
    """Facts may be anybody's: one that Postgres refuses would end the process again and again."""
    config = Config(data_dir=str(tmp_path))
    with_key(vault_file(config))
    executor, place = Executor(config), TopicPartition(VENUE_MARGIN_CALLS, 0)
    for at, (user, account) in enumerate((("live:\0", "a"), ("live:1", "a\0"))):
        poison = call()
        poison.meta.user_id, poison.meta.account_id = user, account
        executor._take(place, ConsumerRecord(VENUE_MARGIN_CALLS, 0, at, 1, 0, b"", poison.SerializeToString(), None, 0, 0, ()))
    assert (executor.offsets.count, executor.offsets.committable()) == (0, {place: 2})
    await executor.database.close()


async def test_a_bug_is_told() -> None:
    failures: list[BaseException] = []
    lanes = Lanes(failures.append)

    async def broken() -> None:
        raise KeyError("x")

    lanes.put(Lane(A, "live:1", "a"), broken)
    await asyncio.sleep(0.01)
    assert [type(error) for error in failures] == [KeyError]


def event(**said: str) -> pb.Liquidation:
    found = pb.Liquidation(id="live:1/a1/1/s2", user_id="live:1", account_id="a1", time_ms=7)
    found.step_ordered.CopyFrom(pb.Liquidation.Step(**said))
    return found


def test_a_step_is_read_as_the_engine_ordered_it() -> None:
    step = read_step(event(action="close", instrument="okx_v5:BTC-USDT-SWAP", side="LONG", quantity="1.50"))
    assert step is not None
    assert (step.venue, step.symbol, step.side, step.quantity, step.ordered_ms) == ("okx_v5", "BTC-USDT-SWAP", "LONG", Decimal("1.50"), 7)
    assert step.client_order_id == client_order_id("live:1/a1/1/s2")
    assert len(step.client_order_id) == 28
    cancel = read_step(event(action="cancel_orders"))
    assert cancel is not None
    assert (cancel.venue, cancel.symbol, cancel.quantity) == ("", "", Decimal(0))
    assert read_step(pb.Liquidation(refused="x")) is None
    assert read_step(event(action="close", instrument="house:EURUSD", side="BOTH", quantity="1")) is None


@pytest.mark.parametrize("said", [
    {"action": "open", "instrument": "okx_v5:X", "side": "LONG", "quantity": "1"},
    {"action": "close", "instrument": "nothing", "side": "LONG", "quantity": "1"},
    {"action": "close", "instrument": "okx_v5:X", "side": "SELL", "quantity": "1"},
    {"action": "close", "instrument": "okx_v5:X", "side": "LONG", "quantity": "0"},
    {"action": "close", "instrument": "okx_v5:X", "side": "LONG", "quantity": "many"},
    {"action": "close", "side": "LONG", "quantity": "1"},
])
def test_what_cannot_be_a_step_is_refused(said: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="expected"):
        read_step(event(**said))


def call(source: int = STREAM) -> UserDataMarginCallEvent:
    found = UserDataMarginCallEvent()
    found.meta.user_id, found.meta.account_id = "live:1", "a1"
    found.meta.source = source  # type: ignore[assignment]  # the stub wants the enum's own type
    return found


def test_a_pause_is_said_once_until_somebody_resumes() -> None:
    controls, scope = Controls(""), "account:live:1/a1"
    fact = controls.pause(call(), 0, 1)
    assert fact is not None
    assert (fact.scope, fact.action) == (scope, pb.Control.PAUSE)
    assert controls.state.pauses == {}  # until it is acknowledged
    controls.said(fact)
    assert controls.state.paused("live:1", "a1", "okx_v5", []) == scope
    assert controls.pause(call(), 0, 2) is None
    controls.take(scope.encode(), pb.Control(scope=scope, action=pb.Control.RESUME).SerializeToString(), 3)
    assert controls.state.pauses == {}
    ended = call()
    ended.meta.snapshot_end.SetInParent()
    for other, age_ms in ((call(DERIVED), 0), (call(), CALL_AGE_MS_MAX + 1), (ended, 0)):
        assert controls.pause(other, age_ms, 4) is None
    assert controls.pause(call(), 0, 5) is not None
    controls.take(scope.encode(), None, 6)
    controls.take(scope.encode(), b"\xff", 7)
    assert controls.state.pauses == {}
