"""Checks: which accounts wait for one, worst first, in slices of time, where their row lives."""

import asyncio
import heapq
import time
from collections import Counter
from functools import lru_cache
from typing import Any, NamedTuple

from mode import Service

from agents.risk.columns import Columns
from agents.verdict import check
from schemas import engine_pb2 as pb
from schemas.keys import partition_of as partition_by_hash
from streams.backlog import Backlog
from streams.config import Config
from streams.deadlines import Deadlines
from streams.engine.ledger import Ledger
from streams.engine.runtime import filling
from streams.ops.metrics import METRICS
from streams.prices import Prices
from streams.reporting import Records, Reporting
from streams.ruled import Ruled
from streams.settling import Settling, later_ms, lost
from streams.topics import LIQUIDATIONS, MARGIN_CALLS
from streams.unsteady import Unsteady
from tables.policy import Policy
from tables.rows import LIQUIDATION, Output, User

partition_of = lru_cache(maxsize=2**14)(partition_by_hash)  # hashing is a loop over the bytes; an entry is as large as a position
REFILL_SLICE = 200
TIMER_S = 0.25
QUEUE_SLACK = 100  # places in the queue beyond two for each who waits


class Room(NamedTuple):
    """What a check needs around it."""

    accounts: Ledger
    orders: Ledger
    prices: Prices
    policy: Policy


class Checks(Service):
    """At most one check waits per account; what changes a row is written by `touch`, the report itself may be dropped."""

    def __init__(self, config: Config, room: Room, **kwargs: Any) -> None:
        self.config, self.room, self._now_ms = config, room, room.prices.now_ms
        self.columns = Columns()
        self.waiting: dict[tuple[str, str], set[str]] = {}
        self._queue: list[tuple[float, str, str]] = []  # (minus badness, user, account)
        self._badness: dict[tuple[str, str], float] = {}  # of those who wait
        self.refill: list[int] = []  # partitions whose rows wait for their place in the columns
        self._reported: dict[tuple[str, str], int] = {}
        self._changed: dict[str, User] = {}
        self._ruled = Ruled(room.prices, self.columns, self._row)
        self._wake, self._unsteady, self.deadlines, self.backlog = asyncio.Event(), Unsteady(), Deadlines(), Backlog(room.accounts)
        self.settling, self._reporting = Settling(room.accounts, room.policy), Reporting(room.accounts)
        self.counts: Counter[str] = Counter()
        self.rungs: dict[tuple[str, str], int] = {}
        self.quarantined: set[tuple[str, str]] = set()
        self.verdicts: Counter[tuple[str, int]] = Counter()
        self.judged: Counter[int] = Counter()  # by the rung found
        room.accounts.on_change, room.accounts.on_owned, room.accounts.on_lost = self.put, self._owned, self._lost
        room.prices.on_moved, room.prices.on_rules, room.prices.on_control = self._moved, self._rules_changed, self._controlled
        super().__init__(**kwargs)

    @property
    def ready(self) -> bool:
        """Whether every owned row is in the columns, what lay on the topics is folded and rules are read."""
        return self._filled and not self.backlog

    @property
    def _filled(self) -> bool:
        return not self.refill and self.room.prices.caught_up.is_set() and not self._frozen

    @property
    def _frozen(self) -> bool:
        return self.room.accounts.frozen or self.room.orders.frozen

    # ---- what makes a check due

    def due(self, user: str, account: str, cause: str, badness: float = 0.0) -> None:
        """Mark an account for a check; the cause is kept, the place in the queue is by badness."""
        causes = self.waiting.setdefault((user, account), set())
        worst = self._badness.get((user, account), 0.0)
        if not causes or badness > worst:
            self._badness[user, account] = max(badness, worst)
            heapq.heappush(self._queue, (-badness, user, account))
            self._bound_queue()
        causes.add(cause)
        self._wake.set()

    def _bound_queue(self) -> None:
        """Who turns worse again and again while nothing is checked stands in the queue once for each time: keep the worst place of each."""
        if len(self._queue) > 2 * len(self.waiting) + QUEUE_SLACK:
            self._queue = [(-self._badness[name], *name) for name in self.waiting]
            heapq.heapify(self._queue)

    def put(self, key: bytes, row: User) -> None:
        """Keep in step with a changed row: its rungs and deadlines now, its columns before the next price."""
        self._changed[row.user_id], now = row, self._now_ms()
        for account_id in row.removed_accounts:
            self._forget(row.user_id, account_id)
        for account in row.accounts.values():
            name = (row.user_id, account.account_id)
            self.settling.see(name, account, now)
            self.rungs[name] = account.margin.rung
            (self.quarantined.add if account.quarantines or row.quarantines else self.quarantined.discard)(name)
            if account.margin.rung == LIQUIDATION:  # is anything left to close?
                self.deadlines.add(row.user_id, account.margin.cooldown_until_ms)
        self.deadlines.add(row.user_id, later_ms(row, self.room.policy, now))

    def _lay_columns(self) -> None:
        """Bring the columns up to the rows and rules as they are now; many changes of a row cost one."""
        for user, account in self._ruled.lay(self._now_ms(), self.rungs):
            self.due(user, account, "rules")
        self.columns.put_all(self._changed)
        self._changed.clear()

    def _moved(self, instruments: set[str]) -> None:
        began = time.perf_counter()
        self._lay_columns()
        for user, account, badness in self.columns.touched(instruments, self.room.prices.book.marks):
            self.due(user, account, "price", badness)
        self._all_holders(self._unsteady.moved(instruments, self.room.prices.book), "mark")
        METRICS.price_update_seconds.observe(time.perf_counter() - began)

    def _all_holders(self, instruments: set[str], cause: str) -> None:
        for user, account in self.columns.holders(instruments) if instruments else ():
            self.due(user, account, cause)

    def _rules_changed(self, rule_ids: set[str]) -> None:
        if self.room.prices.caught_up.is_set():
            self._lay_columns()

    def _row(self, user: str) -> User | None:
        found: User | None = self.room.accounts.state_of(user.encode(), partition_of(user.encode(), self.config.partitions))
        return found

    def _controlled(self, message: pb.Control) -> None:
        scope, _, rest = message.scope.partition(":")
        for user, account in list(self.rungs):
            if scope in ("global", "venue", "instrument") or rest in (user, f"{user}/{account}"):
                self.due(user, account, "control")

    # ---- ownership

    def _owned(self, partition: int) -> None:
        self.backlog.begin(partition)
        self.refill.append(partition)
        self._wake.set()

    def _lost(self, partition: int) -> None:
        self.backlog.drop(partition)
        for user, account in [key for key in self.rungs if partition_of(key[0].encode(), self.config.partitions) == partition]:
            self.columns.drop(user)
            self._changed.pop(user, None)
            self._forget(user, account)

    def _forget(self, user: str, account: str) -> None:
        self.rungs.pop((user, account), None)
        self.quarantined.discard((user, account))
        self._reported.pop((user, account), None)
        self.settling.forget((user, account))

    async def _fill(self) -> None:
        """Fill the columns from recovered rows in slices; all are checked once the backlog is folded."""
        while self.refill and not self.should_stop:
            if self.room.accounts.frozen:  # rows cannot be touched: after the rebalance
                await asyncio.sleep(0.01)
                continue
            partition = self.refill[0]
            for at, key in enumerate(self.room.accounts.keys_of(partition)):
                row = self.room.accounts.state_of(key, partition)
                if row is not None:
                    self.put(key, row)
                if at % REFILL_SLICE == 0:
                    self._lay_columns()  # all at once would hold up everything else for seconds
                    await asyncio.sleep(0)
            self._lay_columns()
            if not self.room.accounts.frozen:
                self.refill.pop(0)
                self._doubt(partition)

    def _doubt(self, partition: int) -> None:
        """Quarantine every user of a partition of which records were lost and the loss accepted."""
        for topic in self.room.accounts.losses.pop(partition, []):
            for key in self.room.accounts.keys_of(partition):
                self.room.accounts.touch(key, partition, lambda row, topic=topic: lost(row, topic, self._now_ms()))  # type: ignore[misc]

    async def _recovered(self, partitions: list[int]) -> None:
        for at, (user, account) in enumerate(list(self.rungs) if partitions else ()):
            if partition_of(user.encode(), self.config.partitions) in partitions:
                self.due(user, account, "recovered")
            if at % REFILL_SLICE == 0:
                await asyncio.sleep(0)

    # ---- the loop

    @Service.task
    async def _run(self) -> None:
        try:
            while not self.should_stop:
                await self._wake.wait()
                self._wake.clear()
                await self.room.prices.caught_up.wait()
                if self.refill:
                    async with filling():
                        await self._fill()
                while self._queue and not self.should_stop:
                    await self._reporting.send(self._slice())
                    await asyncio.sleep(0.01 if self._frozen else 0)
        except Exception as error:
            await self.room.accounts.app.consumer.halt(error)

    def _slice(self) -> Records:
        """Run checks, worst first, until the budget of time is used up; returns the reports."""
        reports: Records = {}
        until = time.perf_counter() + self.config.check_slice_ms / 1000
        while self._queue and not (self._frozen or self.room.accounts.heavy) and time.perf_counter() < until:
            _, user, account = heapq.heappop(self._queue)
            causes = self.waiting.pop((user, account), None)
            self._badness.pop((user, account), None)
            if causes:
                with METRICS.check_seconds.time():
                    self._check(user, account, sorted(causes), reports)
        return reports

    def _check(self, user: str, account: str, causes: list[str], reports: Records) -> None:
        key = user.encode()
        partition = partition_of(key, self.config.partitions)
        if partition in self.backlog:  # asked again when it is through
            return
        row = self.room.accounts.state_of(key, partition)
        world = self.room.prices.world(self._fences(key, partition))
        checked = check(row, account, world, causes, self.room.orders.state_of(key, partition)) if row else None
        if checked is None:
            return  # not here, or settling: the fold that closes the frame asks again
        self.judged[checked.rung] += 1
        for cause in causes:
            self.counts[cause] += 1
        if checked.row is not row or checked.outputs:
            self.room.accounts.touch(key, partition, lambda _: (checked.row, checked.outputs))
            self._count(checked.outputs)
        since_ms = world.now_ms - self._reported.get((user, account), 0)
        if checked.report and (checked.row is not row or since_ms >= self.config.check_report_ms):
            self._reported[user, account] = world.now_ms
            reports.setdefault((checked.report.topic, partition), []).append((key, checked.report.value))

    def _fences(self, key: bytes, partition: int) -> dict[str, int]:
        """Fences of both rows a verdict rests on; after a crash the row of `orders` may be behind, so it has its own."""
        orders = self.room.orders.fences(key, partition)
        return self.room.accounts.fences(key, partition) | {f"orders/{topic}": offset for topic, offset in orders.items()}

    def _count(self, outputs: tuple[Output, ...]) -> None:
        for output in outputs:
            if output.topic == MARGIN_CALLS:
                self.verdicts[MARGIN_CALLS, pb.MarginCall.FromString(output.value).after] += 1
            elif output.topic == LIQUIDATIONS:
                self.verdicts[LIQUIDATIONS, 0] += 1

    @Service.task
    async def _timer(self) -> None:
        """Find marks that went stale, frames that do not close, cool-downs that ended and rules that begin to hold."""
        try:
            while not self.should_stop:
                await asyncio.sleep(TIMER_S)
                await self._reporting.send({})
                if self._filled:
                    await self._recovered(await self.backlog.ended(self._now_ms()))
                    self._look(self._now_ms())
        except Exception as error:
            await self.room.accounts.app.consumer.halt(error)

    def _look(self, now: int) -> None:
        self._lay_columns()
        self._moved({mark.instrument for mark in self.room.prices.book.settle(now, self.room.prices.rules)})  # the columns take it, too
        prices = self.room.prices
        self._all_holders(self._unsteady.aged(prices.book, now, prices.rules, self.config.mark_stale_ms), "stale")
        for user in self.deadlines.pop(now):
            self._expire(user, now)

    def _expire(self, user: str, now: int) -> None:
        key = user.encode()
        partition = partition_of(key, self.config.partitions)
        if (row := self.room.accounts.state_of(key, partition)) is None:
            return
        folded, again_ms = self.settling.give_up(row, partition, now)
        if folded is not None and isinstance(folded.row, User):
            self.room.accounts.touch(key, partition, lambda _: (folded.row, folded.outputs))
        else:
            self.deadlines.add(user, max(later_ms(row, self.room.policy, now), again_ms))
        for name, account in row.accounts.items():
            if folded or account.margin.rung == LIQUIDATION or 0 < account.margin.cooldown_until_ms <= now:
                self.due(user, name, "timer")
