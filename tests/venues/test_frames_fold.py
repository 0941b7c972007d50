"""Frames folded by the worker: what a session sends settles, and a fill alone changes nothing it does not say."""

from schemas import user_data_pb2 as data
from schemas.names import ORDER_UPDATES
from streams.venues.frames import Event
from tables.accounts import doubts, fold
from tables.orders import fold_orders
from tables.policy import Policy
from tables.rows import Fact, Orders, User
from tests.venues import corpus
from tests.venues.payloads import RECEIPT, events


def _user(found: tuple[Event, ...]) -> User:
    row: User | None = None
    for at, event in enumerate(found, 1):
        folded = fold(row, Fact(event.topic, 0, at, at, "live:1", event.message, b""), Policy()).row
        assert isinstance(folded, User)
        row = folded
    assert row is not None
    return row


def test_a_frame_of_fills_and_funding_settles_when_all_of_it_is_folded() -> None:
    """Bybit sends both in one `execution` frame: parts of the order topic count, too."""
    before = events("bybit_v5", corpus.WALLET)
    found = events("bybit_v5", corpus.EXECUTIONS, RECEIPT._replace(receive_seq=8))
    for order in (found, found[::-1]):
        assert doubts(_user((*before, *order[:2])), "a1") == ("settling",)
        assert doubts(_user((*before, *order)), "a1") == ()


def test_a_fill_that_says_no_leg_leaves_the_orders() -> None:
    order = {**corpus.BYBIT[4]["data"][0], "orderStatus": "New", "cumExecQty": "0", "orderId": "o1", "symbol": "BTCUSDT"}
    told = (*events("bybit_v5", {"topic": "order", "creationTime": corpus.TIME, "data": [order]}),
            *events("bybit_v5", corpus.EXECUTIONS, RECEIPT._replace(receive_seq=8))[:1])
    row: Orders | None = None
    for at, event in enumerate(told, 1):
        folded = fold_orders(row, Fact(ORDER_UPDATES, 0, at, at, "live:1", event.message, b""), Policy()).row
        assert isinstance(folded, Orders)
        row = folded
    assert row is not None
    [found] = row.orders.values()
    assert (found.position_side, found.status) == ("LONG", "NEW")


def test_repeats_of_a_frame_have_the_same_ids_and_fold_once() -> None:
    """Two sockets of one key send the same bytes: the second copy comes under another connection, and is the same event."""
    first, second = (events("binance_usdm", corpus.ACCOUNT, RECEIPT._replace(receive_seq=seq, connection_epoch=epoch))
                     for seq, epoch in ((7, 2), (1, 3)))
    assert [_id(event) for event in first] == [_id(event) for event in second]
    user = _user((*first, *second))
    assert user.accounts["a1"].frames == ()
    assert doubts(user, "a1") == ()


def _id(event: Event) -> str:
    meta = event.message.meta  # type: ignore[attr-defined]
    assert isinstance(meta, data.EventMeta)
    return meta.event_id
