"""Checks over rows in memory: real ledgers and marks, without Kafka and with a clock that stands until told."""

import asyncio
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP
from msgspec.structs import replace

from schemas import names
from schemas.keys import partition_of
from streams import checks as under_test
from streams import prices as price_service
from streams.checks import Checks, Room
from streams.config import Config
from streams.engine.ledger import Ledger
from streams.engine.rows import Partition, Row
from streams.prices import Prices
from streams.topics import ACCOUNT_SOURCES, ORDER_SOURCES
from tables.policy import Policy
from tables.rows import Margin, User
from tests.agents.worlds import EUR, NOW, fx_user, mark, position, rules

PARTITIONS = 4
Reports = dict[tuple[str, int], list[tuple[bytes, bytes | None]]]


def rows_of(sources: tuple[str, ...]) -> Any:
    """A ledger whose partitions are all here and recovered, and a consumer that remembers why it was halted."""
    found: Any = Ledger.__new__(Ledger)
    found.plan = SimpleNamespace(name="rows")
    found.sources = {name: at for at, name in enumerate(sources)}
    found.parts = {number: Partition(len(sources)) for number in range(PARTITIONS)}
    for part in found.parts.values():
        part.recovered = True
    found.losses, found.frozen, sent, halts = {}, False, [], []
    found.folded = found.skipped = found.fold_s = 0
    ends: dict[TP, int] = {}

    async def send(topic: str, partition: int, records: Any) -> list[Any]:
        sent.append((topic, partition, records))
        return []

    async def halt(error: BaseException) -> None:
        halts.append(error)

    found.writer = SimpleNamespace(wake=asyncio.Event(), send=send, sent=sent, pending=0)
    consumer = SimpleNamespace(halt=halt, halts=halts, ends=ends, assignment=lambda: set(ends), highwater=lambda tp: ends.get(tp, 0))
    found.app = SimpleNamespace(consumer=consumer)
    found.on_change = lambda key, state: None
    return found


class Desk:
    """The service under test with its room; `now` is both clocks."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> None:
        self.now, self.work_s = NOW, 0.0
        config = Config(partitions=PARTITIONS, **settings)
        self.accounts, self.orders = rows_of(ACCOUNT_SOURCES), rows_of(ORDER_SOURCES)
        self.prices = Prices(config)
        self.checks = Checks(config, Room(self.accounts, self.orders, self.prices, Policy()))
        self.prices.rules = rules()
        self.prices.caught_up.set()
        monkeypatch.setattr(price_service, "now_ms", lambda: self.now)
        monkeypatch.setattr(under_test, "time", SimpleNamespace(perf_counter=lambda: self.work_s))

    def keep(self, *users: User) -> None:
        """Puts rows as a fold does."""
        for user in users:
            key = user.user_id.encode()
            part = self.part(user.user_id)
            row = part.rows.get(key)
            if not isinstance(row, Row):
                row = part.rows[key] = Row(None, [0] * len(self.accounts.sources))
            row.state = user
            self.checks.put(key, user)

    def part(self, user: str) -> Partition:
        found: Partition = self.accounts.parts[partition_of(user.encode(), PARTITIONS)]
        return found

    def row(self, user: str) -> User:
        found: User = self.accounts.state_of(user.encode(), partition_of(user.encode(), PARTITIONS))
        return found

    def written(self) -> list[str]:
        """Users whose rows are to be written, and forgets it."""
        found = sorted(key.decode() for part in self.accounts.parts.values() for key in part.dirty)
        for part in self.accounts.parts.values():
            part.dirty.clear()
        return found

    def outputs(self, user: str) -> list[str]:
        """Topics of what waits in a row's outbox, and forgets it."""
        row = self.part(user).rows[user.encode()]
        assert isinstance(row, Row)
        found, row.outbox = [output.topic for output in row.outbox], []
        return found

    def move(self, *prices: str, name: str = EUR) -> None:
        """A tick that differs, as the price service tells it."""
        self.prices.book.marks[name] = mark(name, *prices, append_ms=self.now)
        self.prices.on_moved({name})

    async def fill(self) -> None:
        """What follows a takeover: the columns, then whoever's backlog is folded."""
        await self.checks._fill()
        await self.checks._recovered(await self.checks.backlog.ended(self.now))

    def check(self) -> Reports:
        """Runs one slice."""
        return self.checks._slice()

    def waiting(self) -> list[str]:
        return sorted(f"{user}/{account}" for user, account in self.checks.waiting)

    def pass_ms(self, ms: int) -> None:
        """Time goes on and the timers look once."""
        self.now += ms
        self.checks._look(self.now)


def trader(number: int, balance: str = "5000") -> User:
    """A user who holds one lot of EURUSD bought at 1.1; at 1000 of balance 0.0045 of loss is a margin call, 0.009 the end."""
    return replace(fx_user(balance, position(EUR, "1", "1.1")), user_id=f"live:{number}")


def with_margin(user: User, margin: Margin) -> User:
    return replace(user, accounts={name: replace(account, margin=margin) for name, account in user.accounts.items()})


def ids(users: Iterable[User]) -> list[str]:
    return sorted(f"{user.user_id}/house" for user in users)


__all__ = ["Desk", "Reports", "ids", "names", "trader", "with_margin"]
