"""Every kind a mirror reads x every fault of its delivery: Postgres ends the same."""

import random
from collections.abc import Callable

import psycopg
import pytest

from schemas import engine_pb2 as pb
from schemas import user_data_pb2 as ud
from streams import topics
from streams.bridges.postgres import TOPICS
from tests.bridges.facts import Sent, orders_state, sent, user_state, with_position
from tests.bridges.test_postgres import write

USER = "live:123"
TABLES = ("users", "exchange_accounts", "balances", "positions", "order_books", "orders", "fills", "transactions", "margin_events",
          "liquidations", "ledger_balances")


def liquidation(kind: str) -> pb.Liquidation:
    found = pb.Liquidation(id=f"{USER}/x1/1/{kind}", user_id=USER, account_id="x1", episode=1, step=2, time_ms=1_700_000_000_500)
    step = pb.Liquidation.Step(action="close", instrument="binance_usdm:BTCUSDT", side="BOTH", quantity="0.5", limit_price="60000")
    if kind == "ordered":
        found.ordered.steps.append(step)
        found.ordered.figures.equity = "12.5"
    elif kind == "step_ordered":
        found.step_ordered.CopyFrom(step)
    elif kind == "completed":
        found.completed.CopyFrom(pb.Liquidation.Completed(instrument="binance_usdm:BTCUSDT", quantity="0.5", price="59000",
                                                          realised_pnl="-500", fee="12"))
    else:
        found.refused = "close binance_usdm:BTCUSDT"
    return found


def order(status: ud.OrderStatus, seq: int, **fill: object) -> Sent:
    about = ud.EventMeta(user_id=USER, account_id="x1", exchange=ud.BINANCE_USDM, receive_seq=seq, transaction_time_ms=1_700_000_000_000)
    event = ud.UserDataOrderUpdateEvent(meta=about, symbol="BTCUSDT", order_id="7", side=ud.BUY, status=status, orig_qty="2", price="50000")
    if fill:
        event.fill.CopyFrom(ud.Fill(trade_id="t1", qty="1", price="50000", **fill))  # type: ignore[arg-type]
    return sent(event, topics.ORDER_UPDATES, USER)


def transaction(number: int) -> Sent:
    said = pb.Transaction(delta_id=f"d{number}", user_id=USER, account_id="house", asset="USD", amount="5", kind="deposit", source="s",
                          balance_after=str(95 + 5 * number), sequence=number, time_ms=1_700_000_000_000 + number, version=number)
    return sent(said, topics.TRANSACTIONS, USER)


def rung(number: int) -> Sent:
    found = pb.MarginCall(id=f"{USER}/house/1/t{number}", user_id=USER, account_id="house", episode=1, transition=number, reasons=["x"],
                          stamp=pb.Stamp(time_ms=1_700_000_000_000))
    found.before, found.after = number, number + 1  # type: ignore[assignment]  # the stub wants the enum's own type
    return sent(found, topics.MARGIN_CALLS)


LIQUIDATIONS = ("ordered", "step_ordered", "completed", "refused")
KINDS: dict[str, list[Sent]] = {
    "account state": [sent(with_position(user_state(version=1))), sent(user_state(version=2, balance="105"))],
    "open orders": [sent(orders_state("7", "8", version=1), topics.ORDER_STATES), sent(orders_state("8", version=2), topics.ORDER_STATES)],
    "end of an order": [order(ud.FILLED, 3)],
    "fill": [order(ud.PARTIALLY_FILLED, 1, lite=True), order(ud.PARTIALLY_FILLED, 2, fee="0.1", fee_asset="USDT", realized_pnl="3")],
    "transaction": [transaction(1), transaction(2)],
    "rung": [rung(1), rung(2)],
    **{f"liquidation {kind}": [sent(liquidation(kind), topics.LIQUIDATIONS)] for kind in LIQUIDATIONS},
}
EVERYTHING = [record for records in KINDS.values() for record in records]


def test_every_topic_and_every_event_is_in_the_matrix() -> None:
    assert {record.topic for record in EVERYTHING} == set(TOPICS)
    assert set(LIQUIDATIONS) == {field.name for field in pb.Liquidation.DESCRIPTOR.oneofs_by_name["event"].fields}


def content(dsn: str) -> dict[str, list[str]]:
    """Every row of every table as text. What a state no longer names stays as closed only where a batch ended between the two."""
    found = {}
    with psycopg.connect(dsn) as connection:
        for table in TABLES:
            rows = [row for (row,) in connection.execute(f"SELECT to_jsonb({table}) FROM {table}".encode()).fetchall()]
            found[table] = sorted(str({key: value for key, value in row.items() if not (key == "id" and isinstance(value, int))})
                                  for row in rows if row.get("status") not in ("closed", "CLOSED"))
    return found


def shuffled(records: list[Sent]) -> list[Sent]:
    found = list(records)
    random.Random(5).shuffle(found)
    return found


FAULTS: dict[str, Callable[[list[Sent]], list[list[Sent]]]] = {
    "redelivered in one batch": lambda records: [records + records],
    "redelivered after a crash": lambda records: [records, records],
    "one by one": lambda records: [[record] for record in records],
    "duplicated behind the rest": lambda records: [records, records[:1], records[-1:]],
    "out of order": lambda records: [records[::-1]],
    "late": lambda records: [records[-1:], records[:-1] or records],
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_changes_nothing(dsn: str, kind: str, fault: str) -> None:
    records = KINDS[kind]
    write(dsn, records)
    expected = content(dsn)
    assert any(expected.values())
    with psycopg.connect(dsn) as connection:
        connection.execute(f"TRUNCATE {', '.join(TABLES)} CASCADE".encode())
    assert write(dsn, *FAULTS[fault](records)) == []
    assert content(dsn) == expected


@pytest.mark.parametrize("fault", FAULTS)
def test_all_kinds_together(dsn: str, fault: str) -> None:
    write(dsn, EVERYTHING)
    expected = content(dsn)
    with psycopg.connect(dsn) as connection:
        connection.execute(f"TRUNCATE {', '.join(TABLES)} CASCADE".encode())
    write(dsn, *FAULTS[fault](shuffled(EVERYTHING)))
    assert content(dsn) == expected
