"""The step of the agents: what a record that cannot be taken leaves behind, and that its neighbours go on."""

from decimal import Decimal
from typing import NamedTuple

from agents.facts import Facts, Reading
from schemas import engine_pb2 as pb
from schemas import names
from schemas import user_data_pb2 as ud
from schemas.keys import partition_of
from streams.engine.transport import Bundle
from tables.policy import Policy
from tables.rows import Orders, User

KEY = b"live:1"
HOME = partition_of(KEY, 4)


class Record(NamedTuple):
    offset: int
    value: bytes | None
    key: bytes | None = KEY
    partition: int = HOME
    topic: str = names.WALLET_DELTAS
    timestamp: int = 5


def delta(ident: str, amount: str = "1") -> bytes:
    message = pb.WalletDelta(id=ident, user_id="live:1", account_id="house", asset="USD", amount=amount, kind="DEPOSIT", source="t")
    return message.SerializeToString()


def facts(*, fits: bool = True) -> tuple[Facts, list[tuple[str, str, str]]]:
    due: list[tuple[str, str, str]] = []
    return Facts(Reading(4, "live", Policy()), lambda *what: due.append(what), lambda *_: fits), due


def fold(step: Facts, *records: Record) -> tuple[User | None, list[str], list[bytes]]:
    step.read(Bundle(names.WALLET_DELTAS, HOME, list(records)))
    row: User | None = None
    topics, letters = [], []
    for record in records:
        row, outputs = step.account_step(row, record)
        topics += [output.topic for output in outputs]
        letters += [output.value for output in outputs if output.topic == names.DEAD_LETTERS]
    return row, topics, letters


def test_poison_is_a_dead_letter_and_a_quarantine_and_the_neighbours_go_on() -> None:
    step, due = facts()
    row, topics, letters = fold(step, Record(0, delta("a")), Record(1, b"\xff\xff"), Record(2, delta("b", "NaN")), Record(3, delta("c")))
    assert row is not None
    assert row.accounts["house"].balances["USD"].wallet_balance == Decimal(2)
    assert topics.count(names.TRANSACTIONS) == 2
    assert [pb.DeadLetter.FromString(letter).offset for letter in letters] == [1, 2]
    assert row.quarantines or row.accounts["house"].quarantines
    assert step.dead_letters == {names.WALLET_DELTAS: 2}
    assert ("live:1", "house", "wallet") in due


def test_records_without_a_row_here_have_no_key() -> None:
    step, _ = facts()
    elsewhere = (HOME + 1) % 4
    records = [Record(0, delta("a"), key=None), Record(1, delta("a"), partition=elsewhere), Record(2, delta("a"))]
    step.read(Bundle(names.WALLET_DELTAS, HOME, list(records)))
    assert [step.key_of(record) for record in records] == [None, None, KEY]
    _, outputs = step.account_step(None, records[1])
    [letter] = outputs
    said = pb.DeadLetter.FromString(letter.value).error
    assert f"expected {HOME}, was {elsewhere}" in said


def test_a_row_that_would_pass_its_limit_refuses_the_fact() -> None:
    step, _ = facts(fits=False)
    row, topics, letters = fold(step, Record(0, delta("a")))
    assert row is not None
    assert "house" not in row.accounts or not row.accounts["house"].balances
    assert names.TRANSACTIONS not in topics
    assert "limit" in pb.DeadLetter.FromString(letters[0]).error


def test_orders_that_would_outgrow_their_row_are_dead_letters_and_the_account_goes_on() -> None:
    step = Facts(Reading(4, "live", Policy()), lambda *_: None, lambda *_: True, lambda record, before, after: before is not None)
    meta = ud.EventMeta(user_id="live:1", account_id="bn", exchange=ud.BINANCE_USDM, receive_seq=1)
    order = ud.UserDataOrderUpdateEvent(meta=meta, symbol="BTCUSDT", order_id="1", status=ud.NEW, orig_qty="1")
    record = Record(0, order.SerializeToString(), topic=names.ORDER_UPDATES)
    step.read(Bundle(names.ORDER_UPDATES, HOME, [record]))
    row, outputs = step.order_step(None, record)
    assert row is None
    assert [pb.DeadLetter.FromString(output.value).offset for output in outputs] == [0]
    assert step.order_step(Orders("live:1"), record)[0] is not None


def test_a_row_of_orders_is_born_of_what_concerns_it_alone() -> None:
    step, _ = facts()
    exchange = pb.AccountUpdate.ExchangeAccount(account_id="bn", venue="binance_usdm")
    changes: list[dict[str, object]] = [{"profile": pb.AccountUpdate.Profile(group="g")}, {"exchange_account": exchange},
                                        {"exchange_account_removed": "bn"}]
    found = []
    for at, change in enumerate(changes):
        message = pb.AccountUpdate(id=str(at), user_id="live:1", source="s", **change)  # type: ignore[arg-type]
        record = Record(at, message.SerializeToString(), topic=names.ACCOUNT_UPDATES)
        step.read(Bundle(names.ACCOUNT_UPDATES, HOME, [record]))
        assert step.key_of(record) == KEY
        row, outputs = step.order_step(None, record)
        found.append((step.order_key_of(record), row.removed_accounts if row else None, outputs))
    assert found == [(None, None, ()), (KEY, (), ()), (KEY, ("bn",), ())]
