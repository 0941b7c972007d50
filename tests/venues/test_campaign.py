"""The campaign of ingestion in its short form, and that it would find what it looks for."""

import random
from decimal import Decimal
from pathlib import Path

import pytest

from schemas import names
from schemas.user_data_pb2 import EventMeta, Fill, UserDataOrderUpdateEvent
from streams.stack.process import StackError
from streams.venues.frames import Event
from tests.venues.campaign import run
from tests.venues.campaign_faults import ANSWERS, FRAMES, KEYS, LINES, ONCE, plan
from tests.venues.campaign_field import Size
from tests.venues.campaign_truth import Read, fills_differ, told_fills

NAMES = {"binance_usdm": ["b-000", "b-001"], "okx_v5": ["o-000", "o-001"]}


@pytest.mark.slow
def test_the_topics_amount_to_the_ledger_after_every_fault(tmp_path: Path) -> None:
    try:
        found = run(Size(seed=1, accounts=1, seconds=30.0, events=6.0), tmp_path)
    except StackError as error:
        pytest.skip(str(error))
    assert found["why"] == []
    struck = found["struck"]
    assert isinstance(struck, dict)
    assert {*ANSWERS, *FRAMES, *LINES, *KEYS, "kill", "kafka"} <= struck.keys()
    assert int(str(found["fills"])) > 20


@pytest.mark.parametrize("seconds", [30.0, 90.0, 300.0])
def test_a_plan_has_every_fault_and_is_the_seeds(seconds: float) -> None:
    found = plan(random.Random(3), NAMES, seconds)
    kinds = [fault.kind for fault in found]
    assert set(kinds) == {*ANSWERS, *FRAMES, *LINES, *KEYS, "kill", "kafka"}
    assert [kinds.count(kind) for kind in ONCE] == [1]
    assert all(0 <= fault.at_s <= seconds for fault in found)
    assert found == plan(random.Random(3), NAMES, seconds)
    assert found != plan(random.Random(4), NAMES, seconds)


def test_fills_that_are_missing_invented_or_other_are_found() -> None:
    one, other = (Decimal(1), Decimal(100)), (Decimal(2), Decimal(100))
    true = {("BTCUSDT", "1"): one, ("BTCUSDT", "2"): one}
    assert fills_differ(true, true) == []
    told = {("BTCUSDT", "2"): other, ("BTCUSDT", "3"): one}
    assert [line.partition(":")[0] for line in fills_differ(told, true)] == ["fills missing", "fills invented", "fills told otherwise"]


def test_a_fill_under_two_names_is_found() -> None:
    def fill(key: str) -> tuple[int, Event]:
        meta, trade = EventMeta(account_id="a", business_key=key), Fill(trade_id="1", qty="1", price="2")
        return 0, Event(names.ORDER_UPDATES, UserDataOrderUpdateEvent(meta=meta, symbol="BTCUSDT", fill=trade))

    again = fill("fill:BTCUSDT:1")
    assert told_fills(Read({"live:1": [again, again]}, []))[1] == []
    assert len(told_fills(Read({"live:1": [again, fill("fill:BTCUSDT:other")]}, []))[1]) == 1
