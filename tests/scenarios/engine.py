"""Both ledgers in memory behind the agents' step: records in, rows and outputs out, as a worker folds them."""

from typing import Any, NamedTuple

from google.protobuf.message import Message
from msgspec.structs import replace

from agents.facts import Facts, Reading
from schemas import engine_pb2 as pb
from schemas import names
from schemas.keys import partition_of
from streams.engine.rows import Row
from streams.engine.transport import Bundle
from streams.topics import ACCOUNT_SOURCES, ORDER_SOURCES
from tables import codec
from tables.invariants import check
from tables.policy import Policy
from tables.rows import Fact, Orders, User
from tests.streams_checks.desk import PARTITIONS, rows_of
from tests.tables.facts import USER

KEY = USER.encode()
HOME = partition_of(KEY, PARTITIONS)
MESSAGES: dict[str, type[Message]] = {names.ANOMALIES: pb.Anomaly, names.DEAD_LETTERS: pb.DeadLetter, names.TRANSACTIONS: pb.Transaction}


class Record(NamedTuple):
    """As the transport hands one over."""

    topic: str
    offset: int
    key: bytes | None
    value: bytes | None
    partition: int
    timestamp: int


class Given(NamedTuple):
    """What one record caused: outputs by topic, and the accounts whose check is due."""

    outputs: list[tuple[str, Any]]
    checks: dict[str, str]

    def said(self, topic: str) -> list[Any]:
        return [message for name, message in self.outputs if name == topic]


class Engine:
    """One worker that owns everything. Invariants are checked after each record, and that rows survive their bytes."""

    def __init__(self) -> None:
        self.accounts, self.orders = rows_of(ACCOUNT_SOURCES), rows_of(ORDER_SOURCES)
        self.due: list[tuple[str, str, str]] = []
        self.facts = Facts(Reading(PARTITIONS, "live", Policy()), lambda *what: self.due.append(what), lambda *_: True)
        self.offsets = dict.fromkeys(ACCOUNT_SOURCES, 0)

    def record(self, fact: Fact, **other: Any) -> Record:
        """The next record of the fact's topic; `other` is what is wrong with it."""
        found = Record(fact.topic, self.offsets[fact.topic], KEY, fact.value, HOME, fact.time_ms)._replace(**other)
        self.offsets[fact.topic] = max(self.offsets[fact.topic], found.offset + 1)
        return found

    def fold(self, *records: Record) -> Given:
        """Folds records, each as a bundle of its own."""
        self.due.clear()
        for record in records:
            bundle = Bundle(record.topic, record.partition, [record])
            self.facts.read(bundle)
            self.accounts.fold(bundle, self.facts.account_step, self.facts.key_of)
            if record.topic in ORDER_SOURCES:
                self.orders.fold(bundle, self.facts.order_step, self.facts.order_key_of)
            self._look()
        return Given(self._outputs(), {account: cause for _, account, cause in self.due})

    def deliver(self, *facts: Fact) -> Given:
        return self.fold(*(self.record(fact) for fact in facts))

    @property
    def user(self) -> User:
        found: User | None = self.accounts.state_of(KEY, HOME)
        return found or User(USER)

    @property
    def open_orders(self) -> Orders:
        found: Orders | None = self.orders.state_of(KEY, HOME)
        return found or Orders(USER)

    def state(self) -> tuple[bytes, bytes]:
        """Both rows as bytes, without the counters of their changes."""
        return codec.dump_user(replace(self.user, version=0, updated_ms=0)), codec.dump_orders(
            replace(self.open_orders, version=0, updated_ms=0))

    def _look(self) -> None:
        check(self.user)
        check(self.open_orders)
        assert codec.load_user(codec.dump_user(self.user)) == self.user
        assert codec.load_orders(codec.dump_orders(self.open_orders)) == self.open_orders

    def _outputs(self) -> list[tuple[str, Any]]:
        found = []
        for ledger in (self.accounts, self.orders):
            for part in ledger.parts.values():
                for row in part.rows.values():
                    assert isinstance(row, Row)
                    found += [(output.topic, _read(output.topic, output.value)) for output in row.outbox]
                    row.outbox = []
        return found


def _read(topic: str, value: bytes) -> Message:
    message = MESSAGES[topic]()
    message.ParseFromString(value)
    return message
