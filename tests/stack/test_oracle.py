"""The oracle and the comparison around it: units worked out by hand."""

from decimal import Decimal

import pytest

from schemas import engine_pb2 as engine
from schemas import user_data_pb2 as data
from streams import topics
from streams.stack.oracle import Expected, Oracle, Seen
from streams.stack.oracle_accounts import account_differences
from streams.stack.oracle_verdicts import checks_of
from streams.stack.selfcheck import repeated
from tables import accounts
from tables.policy import Policy
from tables.rows import Account, Fact, User

USER = "live:1"
KEY = "house:EURUSD/BOTH"


def _seen(
    topic: str,
    offset: int,
    message: engine.WalletDelta | engine.AccountUpdate | data.UserDataOrderUpdateEvent | engine.Liquidation | engine.MarginCall,
) -> Seen:
    return Seen(topic, 0, offset, 0, USER.encode(), message.SerializeToString())


def _fill(offset: int, number: int, quantity: str, price: str, fee: str = "0") -> Seen:
    size = Decimal(quantity)
    return _seen(topics.ORDER_UPDATES, offset, data.UserDataOrderUpdateEvent(
        meta=data.EventMeta(user_id=USER, account_id="house", exchange=data.HOUSE, exchange_seq=str(number)), symbol="EURUSD",
        side=data.BUY if size > 0 else data.SELL, position_side=data.BOTH,
        fill=data.Fill(trade_id=str(number), qty=str(abs(size)), price=price, fee=fee, fee_asset="USD")))


def _delta(offset: int, number: int, amount: str, *, opening: bool = False) -> Seen:
    return _seen(topics.WALLET_DELTAS, offset, engine.WalletDelta(
        id=str(number), user_id=USER, account_id="house", asset="USD", amount=amount, source="s", sequence=number, opening=opening))


def _step(fence: int, quantity: str, price: str, pnl: str) -> Seen:
    return _seen(
        topics.LIQUIDATIONS,
        0,
        engine.Liquidation(
            id="live:1/house/1/s1",
            user_id=USER,
            account_id="house",
            episode=1,
            step=1,
            stamp=engine.Stamp(fences={topics.ORDER_UPDATES: fence}),
            completed=engine.Liquidation.Completed(instrument="house:EURUSD", quantity=quantity, price=price, realised_pnl=pnl, fee="0"),
        ),
    )


def _house(records: list[Seen]) -> tuple[Expected, list[str]]:
    oracle = Oracle()
    for record in records:
        oracle.take(record)
    return oracle.expected()[USER]["house"], oracle.doubts()


FILLS = {
    "enter and add": ([("100", "1"), ("100", "2")], "0", ("200", "1.5")),
    "reduce keeps the entry": ([("100", "1"), ("-40", "2")], "40", ("60", "1")),
    "close": ([("100", "1"), ("-100", "0.5")], "-50", None),
    "flip opens at the price": ([("100", "1"), ("-150", "2")], "100", ("-50", "2")),
    "short gains when it falls": ([("-100", "2"), ("100", "1")], "100", None),
}


@pytest.mark.parametrize("case", FILLS)
def test_fills(case: str) -> None:
    fills, balance, held = FILLS[case]
    found, _ = _house([_fill(at, at + 1, quantity, price) for at, (quantity, price) in enumerate(fills)])
    assert found.balances == {"USD": Decimal(balance)}
    assert found.positions.get(KEY) == (held and (Decimal(held[0]), Decimal(held[1])))


def test_a_repeat_counts_once_and_a_gap_holds_what_follows() -> None:
    found, _ = _house([_delta(0, 1, "10"), _delta(1, 1, "10"), _delta(2, 3, "5")])
    assert found.balances == {"USD": Decimal(10)}
    found, _ = _house([_delta(0, 3, "5"), _delta(1, 1, "10"), _delta(2, 2, "1")])
    assert found.balances == {"USD": Decimal(16)}


def test_profile_facts_share_the_numbers_of_their_source() -> None:
    profile = engine.AccountUpdate(user_id=USER, source="s", sequence=1, profile=engine.AccountUpdate.Profile(group="VIP"))
    assert _house([_delta(0, 2, "5"), _seen(topics.ACCOUNT_UPDATES, 0, profile)])[0].balances == {"USD": Decimal(5)}
    assert _house([_delta(0, 2, "5")])[0].balances == {}


def test_an_opening_says_where_numbers_begin() -> None:
    found, _ = _house([_delta(0, 100, "10", opening=True), _delta(1, 101, "1"), _delta(2, 103, "1")])
    assert found.balances == {"USD": Decimal(11)}


@pytest.mark.parametrize(("fence", "pnl", "held"), [(0, "100", ("100", "4")), (1, "50", ("100", "2.5"))])
def test_a_step_comes_after_the_fills_of_its_fence(fence: int, pnl: str, held: tuple[str, str]) -> None:
    """Buy 100 at 1, buy 100 at 4, close 100 at 2 or 3: averages do not commute, so the fence decides."""
    price = {0: "2", 1: "3"}[fence]
    found, doubts = _house([_fill(0, 1, "100", "1"), _fill(1, 2, "100", "4"), _step(fence, "100", price, pnl)])
    assert doubts == []
    assert found.positions[KEY] == (Decimal(held[0]), Decimal(held[1]))
    assert found.balances["USD"] == Decimal(pnl)


def test_a_step_that_realised_something_else_is_said() -> None:
    _, doubts = _house([_fill(0, 1, "100", "1"), _step(0, "100", "2", "99")])
    assert doubts == ["live:1 step live:1/house/1/s1: expected PnL 100 of at most 100, was 99 of 100"]


def test_unreadable_changes_nothing() -> None:
    garbage = Seen(topics.WALLET_DELTAS, 0, 9, 0, USER.encode(), b"\xff\xff\xff")
    found, _ = _house([_delta(0, 1, "10"), garbage])
    assert found.balances == {"USD": Decimal(10)}


def _told(seq: int, time_ms: int, amount: str = "", *, end: bool = False) -> data.UserDataPositionUpdateEvent:
    """A position of an exchange account by the stream, or the end of a snapshot without any."""
    meta = data.EventMeta(user_id=USER, account_id="bn", exchange=data.BINANCE_USDM, lease_epoch=1, connection_epoch=1, receive_seq=seq,
                          transaction_time_ms=time_ms, part_count=1)
    if end:
        meta.snapshot_id = f"snap-{seq}"
        meta.snapshot_end.CopyFrom(data.SnapshotEnd(as_of_ms=time_ms))
        return data.UserDataPositionUpdateEvent(meta=meta)
    return data.UserDataPositionUpdateEvent(meta=meta, symbol="BTCUSDT", position_side=data.BOTH, amount=amount, entry_price="2")


HELD = {"binance_usdm:BTCUSDT/BOTH": (Decimal(5), Decimal(2))}
SNAPSHOTS: dict[str, tuple[list[data.UserDataPositionUpdateEvent], dict[str, tuple[Decimal, Decimal]]]] = {
    "an end removes what it did not mention": ([_told(1, 10, "5"), _told(2, 20, end=True)], {}),
    "what is newer than the request stays": ([_told(1, 30, "5"), _told(2, 20, end=True)], HELD),
    "a late fact does not revive": ([_told(1, 10, "3"), _told(3, 20, end=True), _told(2, 15, "5")], {}),
    "what was closed before is not removed again": ([_told(9, 10, "0"), _told(10, 20, end=True), _told(5, 30, "5")], {}),
    "what opens after an end is there": ([_told(1, 10, "3"), _told(2, 20, end=True), _told(3, 30, "5")], HELD),
}


@pytest.mark.parametrize("case", SNAPSHOTS)
def test_snapshots_end_the_same_in_row_and_oracle(case: str) -> None:
    events, expected = SNAPSHOTS[case]
    oracle, row = Oracle(), User(USER, accounts={"bn": Account("bn", "binance_usdm")})
    for offset, event in enumerate(events):
        record = Seen(topics.POSITION_UPDATES, 0, offset, event.meta.transaction_time_ms, USER.encode(), event.SerializeToString())
        oracle.take(record)
        folded = accounts.fold(row, Fact(record.topic, 0, offset, record.timestamp, USER, event, record.value), Policy())
        assert isinstance(folded.row, User)
        row = folded.row
    assert {name: (held.quantity, held.entry_price) for name, held in row.accounts["bn"].positions.items()} == expected
    assert oracle.expected()[USER]["bn"].positions == expected


def test_differences_are_said_with_both_sides() -> None:
    ours = Expected({"USD": Decimal("1.50")}, {KEY: (Decimal(2), Decimal(1))})
    assert account_differences(ours, Expected({"USD": Decimal("1.5")}, {KEY: (Decimal("2.0"), Decimal(1))})) == []
    assert account_differences(ours, None) == ["balance USD: expected 1.50, was 0", f"position {KEY}: expected 2 @ 1, was none"]
    assert account_differences(Expected({"USD": Decimal(0)}, {}), None) == []


def test_one_id_has_one_content() -> None:
    first, other = (_seen(topics.MARGIN_CALLS, 0, engine.MarginCall(id="a", after=rung)) for rung in (engine.WARNING, engine.MARGIN_CALL))
    assert repeated([first, first]) == []
    assert repeated([first, other]) == ["margin-calls a: expected one content, was another at margin-calls[0]@0"]


def test_verdicts_of_one_check_are_together_and_in_order() -> None:
    def call(ident: str, fence: int) -> Seen:
        return _seen(
            topics.MARGIN_CALLS,
            0,
            engine.MarginCall(id=ident, account_id="house", stamp=engine.Stamp(fences={topics.WALLET_DELTAS: fence})),
        )

    checks = checks_of([call("b", 2), call("a", 1), call("c", 2), call("b", 2)])
    assert [[engine.MarginCall.FromString(value).id for value in one.values] for one in checks] == [["a"], ["b", "c"]]
