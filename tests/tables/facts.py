"""Facts for tests, as short as they can be said."""

from collections.abc import Iterable
from typing import Any, cast

from google.protobuf.message import Message

from schemas import engine_pb2 as pb
from schemas import names
from schemas import user_data_pb2 as ud
from tables.accounts import fold
from tables.invariants import check
from tables.policy import Policy
from tables.rows import Fact, Folded, Output, User

USER = "live:1"
VENUE = "bn"
POLICY = Policy()
OUTPUTS: dict[str, type[Message]] = {names.ANOMALIES: pb.Anomaly, names.DEAD_LETTERS: pb.DeadLetter, names.TRANSACTIONS: pb.Transaction}


def fact(topic: str, message: Message, at: int = 1) -> Fact:
    return Fact(topic, 0, at, at, USER, message, message.SerializeToString())


def delta(number: int | None, amount: str = "1", *, source: str = "s", at: int = 1, **more: object) -> Fact:
    said = {"id": f"d{number}", "user_id": USER, "account_id": "house", "asset": "USD", "amount": amount, "source": source} | more
    if number is not None:
        said["sequence"] = number
    return fact(names.WALLET_DELTAS, pb.WalletDelta(**said), at)  # type: ignore[arg-type]


def update(ident: str = "u1", *, at: int = 1, **more: object) -> Fact:
    return fact(names.ACCOUNT_UPDATES, pb.AccountUpdate(id=ident, user_id=USER, source="s", **more), at)  # type: ignore[arg-type]


def meta(seq: int, part: int = 0, parts: int = 1, **more: object) -> ud.EventMeta:
    said = {"user_id": USER, "account_id": VENUE, "exchange": ud.BINANCE_USDM, "lease_epoch": 1, "connection_epoch": 1, "receive_seq": seq,
            "part_index": part, "part_count": parts, "transaction_time_ms": seq * 10} | more
    return ud.EventMeta(**said)  # type: ignore[arg-type]


def position(amount: str, about: ud.EventMeta, at: int = 1, **more: object) -> Fact:
    said = {"symbol": "BTCUSDT", "amount": amount, "entry_price": "100", "position_side": ud.BOTH} | more
    return fact(names.POSITION_UPDATES, ud.UserDataPositionUpdateEvent(meta=about, **said), at)  # type: ignore[arg-type]


def balance(amount: str, about: ud.EventMeta, at: int = 1, asset: str = "USDT") -> Fact:
    return fact(names.BALANCE_UPDATES, ud.UserDataBalanceUpdateEvent(meta=about, asset=asset, wallet_balance=amount), at)


def end(topic: str, seq: int, rows: int, as_of: int, name: str = "snap", **more: object) -> Fact:
    said = {"snapshot_id": name, "snapshot_end": ud.SnapshotEnd(rows_of_this_topic=rows, as_of_ms=as_of)} | more
    about = meta(seq, **said)  # type: ignore[arg-type]
    kinds = {names.POSITION_UPDATES: ud.UserDataPositionUpdateEvent, names.BALANCE_UPDATES: ud.UserDataBalanceUpdateEvent,
             names.ORDER_UPDATES: ud.UserDataOrderUpdateEvent, names.ACCOUNT_CONFIG: ud.UserDataAccountConfigEvent,
             names.VENUE_MARGIN_CALLS: ud.UserDataMarginCallEvent}
    return fact(topic, kinds[topic](meta=about))


def house_fill(number: int, quantity: str, price: str, *, at: int = 1, numbered: bool = True, **more: object) -> Fact:
    """Bought above zero, sold below."""
    about = meta(number, account_id="house", exchange=ud.HOUSE)
    if numbered:
        about.exchange_seq = str(number)
    deal = ud.Fill(trade_id=f"t{number}", qty=quantity.lstrip("-"), price=price, **more)  # type: ignore[arg-type]
    side = ud.SELL if quantity.startswith("-") else ud.BUY
    event = ud.UserDataOrderUpdateEvent(meta=about, symbol="EURUSD", order_id=f"o{number}", side=side, status=ud.FILLED, fill=deal)
    return fact(names.ORDER_UPDATES, event, at)


def order(ident: str, status: int, about: ud.EventMeta, at: int = 1, **more: object) -> Fact:
    given = cast("ud.OrderStatus", status)
    event = ud.UserDataOrderUpdateEvent(meta=about, symbol="BTCUSDT", order_id=ident, status=given, orig_qty="5", **cast("Any", more))
    return fact(names.ORDER_UPDATES, event, at)


def fold_all(facts: Iterable[Fact], row: User | None = None, policy: Policy = POLICY) -> tuple[User, list[Folded]]:
    """Folds in order, invariants checked after each."""
    steps = []
    for one in facts:
        folded = fold(row, one, policy)
        assert isinstance(folded.row, User)
        check(folded.row)
        row = folded.row
        steps.append(folded)
    assert row is not None
    return row, steps


def said(outputs: Iterable[Output], topic: str) -> list[Message]:
    """The messages of a topic among outputs."""
    found = []
    for output in outputs:
        if output.topic == topic:
            message = OUTPUTS[topic]()
            message.ParseFromString(output.value)
            found.append(message)
    return found


def anomalies(steps: Iterable[Folded]) -> list[str]:
    """The kinds of the anomalies of some folds."""
    return [message.kind for step in steps for message in said(step.outputs, names.ANOMALIES) if isinstance(message, pb.Anomaly)]


def interleaved(topics: dict[str, list[Fact]], picks: list[int]) -> list[Fact]:
    """The facts of all topics as one history, chosen by `picks`: each topic keeps its own order."""
    waiting = {topic: list(facts) for topic, facts in topics.items() if facts}
    merged = []
    for pick in picks:
        if waiting:
            topic = sorted(waiting)[pick % len(waiting)]
            merged.append(waiting[topic].pop(0))
            if not waiting[topic]:
                del waiting[topic]
    return merged + [one for topic in sorted(waiting) for one in waiting[topic]]
