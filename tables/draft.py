"""A fold under way: the row so far, and what it causes."""

from collections.abc import Callable

from msgspec.structs import replace

from schemas import names
from schemas.engine_pb2 import Anomaly, DeadLetter, Transaction
from schemas.money import say
from tables.policy import Policy
from tables.rows import Account, Fact, Folded, Output, PlanStep, User

_KEPT_BYTES_MAX = 65_536  # of an unreadable record: more would not fit a row's outbox


class Draft:
    """Mutable within one fold only. `apply` folds one fact that was admitted; `fact` is the one being applied."""

    __slots__ = ("apply", "checks", "fact", "outputs", "policy", "user", "version")

    def __init__(self, user: User, fact: Fact, policy: Policy, apply: "Callable[[Draft], None]") -> None:
        self.user, self.fact, self.policy, self.apply = user, fact, policy, apply
        self.version = user.version + 1
        self.outputs: list[Output] = []
        self.checks: dict[str, str] = {}

    def put(self, account: Account) -> None:
        """Replaces the account of this id."""
        self.user = replace(self.user, accounts={**self.user.accounts, account.account_id: account})

    def check(self, account_id: str, cause: str) -> None:
        """Marks the account for a check; the first cause is kept."""
        self.checks.setdefault(account_id, cause)

    def anomaly(self, kind: str, account_id: str, detail: str) -> None:
        """Says that something is odd; the id is a pure function of the fact."""
        self.outputs.append(anomaly(self.fact, kind, account_id, detail, len(self.outputs)))

    def refuse(self, kind: str, account_id: str, error: str) -> None:
        """The fact cannot be applied: a dead letter and an anomaly; the neighbours go on."""
        fact = self.fact
        key = fact.user.encode()
        letter = DeadLetter(topic=fact.topic, partition=fact.partition, offset=fact.offset, key=key, value=fact.value[:_KEPT_BYTES_MAX],
                            error=f"{fact.topic}@{fact.offset}: {error}", time_ms=fact.time_ms)
        self.outputs.append(Output(names.DEAD_LETTERS, letter.SerializeToString()))
        self.anomaly(kind, account_id, error)

    def book(self, transaction: Transaction) -> None:
        """Sends a balance change as applied."""
        transaction.version = self.version
        self.outputs.append(Output(names.TRANSACTIONS, transaction.SerializeToString()))

    def folded(self, before: User) -> Folded:
        """What the fold returns: the old row itself where nothing changed. A settling account's check waits."""
        user = self.user
        checks = {name: cause for name, cause in self.checks.items() if name in user.accounts and not settling(user.accounts[name])}
        if user is not before:
            user = replace(user, version=self.version, updated_ms=max(before.updated_ms, self.fact.time_ms))
        return Folded(user, tuple(self.outputs), checks)


def settling(account: Account) -> bool:
    """Whether parts of a frame, a snapshot that a report named, or the order that it told about are still awaited."""
    return bool(account.frames) or bool(account.awaited_snapshot) or any(awaits_order(step) for step in account.margin.plan)


def awaits_order(step: PlanStep) -> bool:
    """Whether a report said that the step's order ended, and the venue's own word of it is not folded: positions may be as before."""
    return bool(step.reported_ms) and not step.order_ended


def anomaly(fact: Fact, kind: str, account_id: str, detail: str, number: int = 0) -> Output:
    """The record for `anomalies`; `number` tells several of one fact apart."""
    ident = f"{fact.user}/{account_id}/{kind}/{fact.topic}/{fact.partition}/{fact.offset}/{number}"
    message = Anomaly(id=ident, user_id=fact.user, account_id=account_id, kind=kind, detail=detail, time_ms=fact.time_ms, topic=fact.topic,
                      offset=fact.offset)
    return Output(names.ANOMALIES, message.SerializeToString())


def transaction(user: str, account: Account, asset: str, amount: str) -> Transaction:
    """A balance change as applied; the caller adds its cause."""
    return Transaction(user_id=user, account_id=account.account_id, asset=asset, amount=amount,
                       balance_after=say(account.balances[asset].wallet_balance))
