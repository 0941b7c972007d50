"""The agents of the fact topics: read a record, fold it into every ledger that takes it, and say which accounts to check."""

import logging
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, NamedTuple

from schemas.engine_pb2 import AccountUpdate
from schemas.keys import partition_of
from tables import accounts, orders
from tables.order_accounts import takes
from tables.policy import Policy
from tables.read import Unreadable, read, refuse
from tables.rows import Fact, Folded, Orders, Output, User

_TOO_LARGE = "row: expected to stay below the limit, would pass it"
log = logging.getLogger(__name__)
CheckDue = Callable[[str, str, str], None]  # user, account, cause
Fits = Callable[[Any, Any, Any], bool]  # record, row before, row after: whether that may be kept


class Reading(NamedTuple):
    """What a record is read with."""

    partitions: int
    default_user_type: str
    policy: Policy


class Facts:
    """Steps of both ledgers; each record of a bundle is read once."""

    def __init__(self, reading: Reading, check_due: CheckDue, fits: Fits, orders_fit: Fits | None = None) -> None:
        self.reading, self.check_due, self.fits, self.orders_fit = reading, check_due, fits, orders_fit or fits
        self.dead_letters: dict[str, int] = {}
        self.venue_margin_calls = 0
        self._partition_of = lru_cache(maxsize=2**14)(partition_of)
        self._read: dict[int, Fact | Unreadable] = {}

    def read(self, bundle: Any) -> None:
        """Read every record of a bundle, for the steps that follow."""
        self._read = {record.offset: read(record, bundle.topic, self.reading.partitions, self.reading.default_user_type)
                      for record in bundle.records}

    def key_of(self, record: Any) -> bytes | None:
        """Key of the row that takes this record: None where it has none in this partition."""
        key: bytes | None = record.key
        if not key or self._partition_of(key, self.reading.partitions) != record.partition:
            return None
        found = self._read[record.offset]
        return key if isinstance(found, Fact) or found.user else None

    def order_key_of(self, record: Any) -> bytes | None:
        """Key of the row of orders that takes it: None also where orders have nothing to do with it, for no row is born of that."""
        found = self._read[record.offset]
        update = found.message if isinstance(found, Fact) else None
        return None if isinstance(update, AccountUpdate) and not takes(update) else self.key_of(record)

    def account_step(self, row: User | None, record: Any) -> tuple[User | None, Iterable[Output]]:
        """Fold a record into `accounts`; an unreadable one is a dead letter and a quarantine."""
        found = self._read[record.offset]
        if isinstance(found, Unreadable):
            return self._reject(row, record, found)
        folded = accounts.fold(row, found, self.reading.policy)
        if folded.row is not row and not self.fits(record, row, folded.row):
            return self._reject(row, record, refuse(record, record.topic, found.user, "", _TOO_LARGE))
        self._after(found, folded)
        return _user(folded), folded.outputs

    def order_step(self, row: Orders | None, record: Any) -> tuple[Orders | None, Iterable[Output]]:
        """Fold a record into `orders`, where no row is born of nothing; what is unreadable is dealt with in `accounts`."""
        found = self._read[record.offset]
        if isinstance(found, Unreadable):
            return row, ()
        folded = orders.fold_orders(row, found, self.reading.policy)
        assert isinstance(folded.row, Orders)
        after = folded.row if row is not None or folded.row.version else None
        if after is not row and not self.orders_fit(record, row, after):
            self.dead_letters[record.topic] = self.dead_letters.get(record.topic, 0) + 1
            return row, (refuse(record, record.topic, found.user, "", f"orders: {_TOO_LARGE}").dead_letter,)
        return after, folded.outputs

    def _reject(self, row: User | None, record: Any, found: Unreadable) -> tuple[User | None, Iterable[Output]]:
        self.dead_letters[record.topic] = self.dead_letters.get(record.topic, 0) + 1
        log.warning("dead letter: %s", found.error)
        if found.user is None or self.key_of(record) is None:
            return row, (found.dead_letter,)
        folded = accounts.quarantine(row or accounts.new(found.user), record.topic, found.account_id, found.error, record.timestamp)
        for account, cause in folded.checks.items():
            self.check_due(found.user, account, cause)
        return _user(folded), (found.dead_letter, *folded.outputs)

    def _after(self, fact: Fact, folded: Folded) -> None:
        for account, cause in folded.checks.items():
            self.check_due(fact.user, account, cause)
            if cause == "venue_margin_call":
                self.venue_margin_calls += 1
                log.error("margin call of the venue: user=%s account=%s topic=%s partition=%d offset=%d",
                          fact.user, account, fact.topic, fact.partition, fact.offset)
        for output in folded.outputs:
            if output.topic == "dead-letters":
                self.dead_letters[fact.topic] = self.dead_letters.get(fact.topic, 0) + 1


def _user(folded: Folded) -> User:
    assert isinstance(folded.row, User)
    return folded.row
