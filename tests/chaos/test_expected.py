"""The oracle of ids against stories counted by hand: an oracle that cannot refuse proves nothing."""

from decimal import Decimal

from schemas.engine_pb2 import Liquidation, MarginCall, PriceTick
from streams import topics
from streams.stack.oracle import Expected, Seen
from streams.stack.oracle_verdicts import checks_of
from tests.chaos.expected import Expectation, chain_differences

GOLD, SOL = "house:XAUUSD", "binance_usdm:SOLUSDT"
BOUGHT = {f"{GOLD}/BOTH": (Decimal(10), Decimal(2650))}  # margin 10 x 2650 / 100 = 265


def _ticks(price: str, sol: str = "150") -> dict[str, PriceTick]:
    return {name: PriceTick(instrument=name, bid=text, ask=text, mark=text) for name, text in ((GOLD, price), (SOL, sol))}


def _house(balance: str, held: dict[str, tuple[Decimal, Decimal]] = BOUGHT) -> dict[str, dict[str, Expected]]:
    return {"live:1": {"house": Expected({"USD": Decimal(balance)}, held)}}


def test_episodes_and_transitions_are_counted_from_one_and_unknown_opens_none() -> None:
    oracle, rows = Expectation(), _house("1000")
    for price in ("2650", "2590", "2650"):  # levels 377 %, 150 % (on the threshold), 377 %
        oracle.muted(rows)
        oracle.priced(rows, _ticks("2589.75" if price == "2590" else price))
    assert oracle.said == {
        ("margin call", "live:1/house/0/t1"): "normal to unknown", ("margin call", "live:1/house/0/t2"): "unknown to normal",
        ("margin call", "live:1/house/0/t3"): "normal to unknown", ("margin call", "live:1/house/1/t1"): "unknown to warning",
        ("margin call", "live:1/house/1/t2"): "warning to unknown", ("margin call", "live:1/house/1/t3"): "unknown to normal"}


def test_a_margin_call_is_left_only_at_release() -> None:
    oracle, rows = Expectation(), _house("1000")
    for level in (99, 105, 110):
        oracle.muted(rows)
        price = Decimal(2650) - (1000 - Decimal(265 * level) / 100) / 10
        oracle.priced(rows, _ticks(str(price)))
    assert [text for text in oracle.said.values() if text.startswith("unknown")] == [
        "unknown to margin_call", "unknown to margin_call", "unknown to warning"]


def test_a_house_book_is_closed_in_the_same_moment() -> None:
    oracle, rows = Expectation(), _house("1000")
    oracle.muted(rows)
    oracle.priced(rows, _ticks("2560"))  # equity 100, level 37.7 %
    assert list(oracle.said.items())[1:] == [
        (("margin call", "live:1/house/1/t1"), "unknown to liquidation"), (("ordered", "live:1/house/1/s0"), "1 steps"),
        (("step_ordered", "live:1/house/1/s1"), f"close {GOLD}"), (("completed", "live:1/house/1/s1/completed"), f"10 {GOLD}"),
        (("margin call", "live:1/house/1/t2"), "liquidation to normal")]


def test_a_book_without_money_and_positions_stays_in_liquidation_until_it_is_funded() -> None:
    oracle = Expectation()
    oracle.muted(_house("-5", {}))
    oracle.muted(_house("95", {}))
    assert list(oracle.said.values()) == ["normal to liquidation", "liquidation to normal"]


def test_an_order_system_gets_the_next_plan_when_it_has_answered() -> None:
    oracle, rows = Expectation(), {"live:1": {"bn-1": Expected({"USDT": Decimal(2000)}, {f"{SOL}/BOTH": (Decimal(300), Decimal(150))})}}
    for _ in range(2):
        oracle.muted(rows)
        oracle.priced(rows, _ticks("2650", "144"))  # equity 200; maintenance 100 + 80000 x 0.65 % ... above it
    assert [ident for _, _, ident in oracle.plans()] == ["live:1/bn-1/1/s1", "live:1/bn-1/1/s2"]
    for _, _, ident in oracle.plans():
        oracle.reported("live:1", "bn-1", ident, "refused")
    oracle.muted(rows)
    oracle.priced(rows, _ticks("2650", "144"))
    assert oracle.said["step_ordered", "live:1/bn-1/1/s4"] == "cancel_orders"
    assert oracle.said["step_ordered", "live:1/bn-1/1/s5"] == f"close {SOL}"


def _call(number: int, before: int, after: int) -> Seen:
    call = MarginCall(id=f"live:1/house/0/t{number}", user_id="live:1", account_id="house", transition=number)
    call.before, call.after = before, after  # type: ignore[assignment]  # the stub wants the enum's own type
    return Seen(topics.MARGIN_CALLS, 0, number, 0, b"live:1", call.SerializeToString())


def test_what_is_missing_and_what_is_too_much_is_named() -> None:
    oracle = Expectation()
    oracle.muted(_house("1000"))
    assert oracle.differences([_call(1, 1, 5), _call(1, 1, 5)]) == []
    assert oracle.differences([]) == ["margin call live:1/house/0/t1: expected normal to unknown, was none"]
    assert oracle.differences([_call(1, 1, 5), _call(2, 5, 1)]) == ["margin call live:1/house/0/t2: expected none, was unknown to normal"]


def test_a_chain_with_a_gap_is_broken() -> None:
    assert chain_differences([_call(1, 1, 5), _call(2, 5, 1)]) == []
    assert chain_differences([_call(1, 1, 5), _call(3, 5, 1)]) != []
    assert chain_differences([_call(1, 1, 5), _call(2, 2, 1)]) != []
    step = Liquidation(id="live:1/house/1/s1", user_id="live:1", account_id="house", episode=1, step=1)
    step.step_ordered.action = "close"
    assert chain_differences([Seen(topics.LIQUIDATIONS, 0, 0, 0, b"live:1", step.SerializeToString())]) != []


def test_verdicts_are_derived_again_in_their_order_though_the_row_of_orders_fell_behind() -> None:
    calls = []
    for number, (before, behind) in enumerate([(0, 9), (1, 3)], 1):
        call = MarginCall.FromString(_call(number, 1, 5).value)
        call.stamp.fences.update({topics.ORDER_UPDATES: 9, f"orders/{topics.ORDER_UPDATES}": behind})
        call.stamp.time_ms = before
        calls.append(Seen(topics.MARGIN_CALLS, 0, number, 0, b"live:1", call.SerializeToString()))
    assert [sent.stamp.time_ms for sent in checks_of(calls)] == [0, 1]
