"""What only time decides of a row: halves of frames given up, but never for a delay that is our own."""

import math

from faust.types import TP

from schemas import names
from streams.engine.ledger import Ledger
from tables.accounts import expire, quarantine, settling_deadline
from tables.draft import settling
from tables.frames import STATE_TOPICS
from tables.policy import Policy
from tables.rows import Account, Folded, Output, User

Name = tuple[str, str]  # user, account
_AGAIN_MS = 250
_AWAITED = (*STATE_TOPICS, names.ORDER_UPDATES, names.LIQUIDATION_REPORTS)
_WAITS_MAX = 12  # times the bound of settling: an end of the log that cannot be reached (control records) must not hold a doubt back


class Settling:
    """Gives up frames past their bound, once all that the broker had by then is folded: the other half may lie in our backlog."""

    def __init__(self, accounts: Ledger, policy: Policy) -> None:
        self._accounts, self._policy = accounts, policy
        self._unread: dict[str, tuple[int, dict[str, int]]] = {}  # by user: since when (ms) we wait, and the ends to reach by topic
        self._since_ms: dict[Name, int] = {}

    def see(self, name: Name, account: Account, now_ms: int) -> None:
        """Notes whether an account settles; one whose frames overlap does so without end, though none of them is late."""
        if settling(account):
            self._since_ms.setdefault(name, now_ms)
        else:
            self.forget(name)

    def forget(self, name: Name) -> None:
        """It settled, or is no longer here."""
        self._since_ms.pop(name, None)

    def longest_ms(self, now_ms: int) -> int:
        """How long an account has not been judged because it settles: the longest of all."""
        return now_ms - min(self._since_ms.values(), default=now_ms)

    def give_up(self, row: User, partition: int, now_ms: int) -> tuple[Folded | None, int]:
        """(what is past its bound given up, None where nothing is; when to ask again, 0 for not)."""
        folded = expire(row, now_ms, self._policy)
        known = self._unread.pop(row.user_id, None)
        if folded is None:
            return None, 0
        since_ms, ends = known or (now_ms, self._ends(partition))
        part = self._accounts.parts[partition]
        left = {topic: end for topic, end in ends.items() if (part.position[self._accounts.sources[topic]] or 0) < end}
        if not left or now_ms - since_ms >= _WAITS_MAX * self._policy.settle_ms_max:
            return folded, 0
        self._unread[row.user_id] = since_ms, left
        return None, now_ms + _AGAIN_MS

    def _ends(self, partition: int) -> dict[str, int]:
        consumer = self._accounts.app.consumer
        assigned = consumer.assignment()  # a set that is made anew by each call
        found = [tp for topic in _AWAITED if (tp := TP(topic, partition)) in assigned]
        return {tp.topic: end for tp in found if (end := consumer.highwater(tp)) is not None}


def later_ms(row: User, policy: Policy, now_ms: int) -> float:
    """When time alone may next change what holds of a row: a cool-down ends, a half or a report is late; never: infinity."""
    cooling = [at for account in row.accounts.values() if (at := account.margin.due_ms(now_ms))]
    settling = settling_deadline(row, policy)
    return min([*cooling, math.inf if settling is None else settling])


def lost(row: User, topic: str, now_ms: int) -> tuple[User, tuple[Output, ...]]:
    """The row in doubt about a topic of which records were lost, and what that sends."""
    folded = quarantine(row, topic, "", "records lost", now_ms)
    return (folded.row if isinstance(folded.row, User) else row), folded.outputs
