"""A stamp's verdict comes out again byte for byte; what was changed since in stamp, verdict or facts is found."""

from collections.abc import Callable
from typing import NamedTuple

import pytest

from agents.facts import Reading
from agents.rederive import ORDERS, Rows
from agents.risk.world import Control, Mark, World
from agents.verdict import check
from schemas import engine_pb2 as pb
from schemas import names
from schemas import user_data_pb2 as ud
from schemas.keys import partition_of
from tables.policy import Policy
from tables.rows import LIQUIDATION, UNKNOWN, WARNING, Fact, Output
from tests.agents.worlds import BTC, NOW, mark, rederived, rules
from tests.tables.facts import USER, VENUE, balance, meta, order, position

HOME = partition_of(USER.encode(), 4)
READING = Reading(4, "live", Policy())
RULES = rules()


class Record(NamedTuple):
    offset: int
    value: bytes
    key: bytes = USER.encode()
    partition: int = HOME
    timestamp: int = NOW


Facts = dict[str, list[Record]]


def lying(*facts: tuple[int, Fact]) -> Facts:
    """Facts as records at offsets."""
    found: Facts = {}
    for offset, fact in facts:
        found.setdefault(fact.topic, []).append(Record(offset, fact.value))
    return found


FACTS = lying((4, balance("2", meta(1))), (7, position("3", meta(2))), (3, order("a", ud.NEW, meta(3), price="99", side=ud.BUY)),
              (9, order("b", ud.NEW, meta(4), price="98", side=ud.BUY)), (5, balance("1.9", meta(5))), (11, position("4", meta(6))))
# The row of `orders` lost what `accounts` kept: order b is not in the figures, although the other fence has passed it.
FENCES = {names.BALANCE_UPDATES: 4, names.POSITION_UPDATES: 7, names.ORDER_UPDATES: 9, f"{ORDERS}{names.ORDER_UPDATES}": 3}
LATER = FENCES | {names.BALANCE_UPDATES: 5, f"{ORDERS}{names.ORDER_UPDATES}": 9}


def judged(rows: Rows, fences: dict[str, int], *marks: Mark) -> tuple[Output, ...]:
    """What the engine sends of a check of rows at these fences."""
    rows.fold_to(fences)
    world = World(NOW, {found.instrument: found for found in marks}, RULES, Control(), fences)
    found = check(rows.row, VENUE, world, ["test"], rows.orders)
    assert found is not None
    rows.row = found.row
    return found.outputs


def call_of(output: Output) -> pb.MarginCall:
    return pb.MarginCall.FromString(output.value)


def sent() -> list[tuple[Output, ...]]:
    """What two checks sent: the second, which orders a plan, rests on facts and orders that came after the first."""
    rows = Rows(USER, FACTS, READING)
    return [judged(rows, FENCES, mark(BTC, "99.8")), judged(rows, LATER, mark(BTC, "99.7"))]


def again(output: Output, facts: Facts = FACTS) -> tuple[Output, ...]:
    checked = Rows(USER, facts, READING).judge(VENUE, call_of(output).stamp, RULES, Control())
    return checked.outputs if checked else ()


def test_verdicts_derive_again_byte_for_byte_one_by_one_and_in_a_row() -> None:
    told = sent()
    assert [call_of(outputs[0]).after for outputs in told] == [WARNING, LIQUIDATION]
    assert {output.topic for output in told[1][1:]} == {names.LIQUIDATIONS}
    assert [again(outputs[0]) for outputs in told] == told
    rows = Rows(USER, FACTS, READING)
    for outputs in told:
        checked = rows.judge(VENUE, call_of(outputs[0]).stamp, RULES, Control())
        assert checked is not None
        assert checked.outputs == outputs


def test_a_reader_takes_each_row_at_its_own_fences() -> None:
    [first] = sent()[0]
    rows = Rows(USER, FACTS, READING)
    rows.fold_to(FENCES)
    assert rows.orders is not None
    assert [one.order_id for one in rows.orders.orders.values()] == ["a"]
    assert rederived(rows.row, call_of(first), (RULES, Control()), rows.orders) == [first]
    rows.fold_to({f"{ORDERS}{names.ORDER_UPDATES}": 9})
    assert rederived(rows.row, call_of(first), (RULES, Control()), rows.orders) != [first]
    assert rederived(rows.row, call_of(first), (RULES, Control())) != [first]


def _mark(call: pb.MarginCall) -> None:
    call.stamp.marks[0].price = "99.79"


def _stale(call: pb.MarginCall) -> None:
    call.stamp.marks[0].append_time_ms -= 60_000


def _fence(topic: str, offset: int) -> Callable[[pb.MarginCall], None]:
    def change(call: pb.MarginCall) -> None:
        call.stamp.fences[topic] = offset

    return change


def _margin(call: pb.MarginCall) -> None:
    call.stamp.margin_before = pb.MarginState(rung=pb.NORMAL, known_rung=pb.NORMAL, episode=5).SerializeToString()


def _equity(call: pb.MarginCall) -> None:
    call.figures.equity = "1.5"


def _rung(call: pb.MarginCall) -> None:
    call.after = pb.MARGIN_CALL


@pytest.mark.parametrize(
    "change",
    [_mark, _stale, _fence(names.BALANCE_UPDATES, 5), _fence(names.POSITION_UPDATES, 11), _fence(names.POSITION_UPDATES, -1),
     _fence(f"{ORDERS}{names.ORDER_UPDATES}", 9), _fence(f"{ORDERS}{names.ORDER_UPDATES}", -1), _margin, _equity, _rung],
    ids=["mark", "age of a mark", "balances", "positions", "no positions", "orders", "no orders", "margin before", "equity", "rung"],
)
def test_a_changed_verdict_is_found(change: Callable[[pb.MarginCall], None]) -> None:
    call = call_of(sent()[0][0])
    change(call)
    changed = Output(names.MARGIN_CALLS, call.SerializeToString(deterministic=True))
    assert again(changed) != (changed,)


@pytest.mark.parametrize(
    "now",
    [
        balance("2.01", meta(1)),
        position("3.1", meta(2)),
        order("a", ud.NEW, meta(3), price="99.5", side=ud.BUY),
        order("a", ud.CANCELED, meta(3), price="99", side=ud.BUY),
    ],
    ids=["balance", "position", "order", "order cancelled"],
)
def test_a_changed_fact_is_found(now: Fact) -> None:
    [first] = sent()[0]
    changed = {topic: list(records) for topic, records in FACTS.items()}
    records = changed[now.topic]
    records[0] = records[0]._replace(value=now.value)
    assert again(first, changed) != (first,)


def test_garbage_under_a_fence_leaves_the_doubt_it_left() -> None:
    garbage = {**FACTS, names.BALANCE_UPDATES: [*FACTS[names.BALANCE_UPDATES][:1], Record(5, b"\xff\xff")]}
    [unknown] = judged(Rows(USER, garbage, READING), LATER, mark(BTC, "99.8"))
    assert call_of(unknown).after == UNKNOWN
    assert again(unknown, garbage) == (unknown,)
    assert again(unknown) != (unknown,)


def test_a_rest_given_up_in_time_is_given_up_again() -> None:
    half = lying((4, balance("2", meta(1, 0, 2))))
    stamp = pb.Stamp(fences={names.BALANCE_UPDATES: 4}, time_ms=NOW + 60_000, mark_stale_ms=10_000)
    early = pb.Stamp(fences={names.BALANCE_UPDATES: 4}, time_ms=NOW, mark_stale_ms=10_000)
    assert Rows(USER, half, READING).judge(VENUE, early, RULES, Control()) is None
    late = Rows(USER, half, READING).judge(VENUE, stamp, RULES, Control())
    assert late is not None
    assert late.rung == UNKNOWN


def test_a_stamp_of_an_account_nobody_told_of_derives_nothing() -> None:
    stamp = call_of(sent()[0][0]).stamp
    assert Rows(USER, {}, READING).judge(VENUE, stamp, RULES, Control()) is None
