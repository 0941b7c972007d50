"""The portfolio calculator: at most every 200 ms one pass over the users that prices or facts moved, told on a path that may drop."""

import asyncio
import logging
import time
from collections import Counter
from typing import Any

from mode import Service

from agents.portfolio import Portfolio, Told
from agents.tickets import holding_of
from schemas import engine_pb2 as pb
from schemas.keys import partition_of, user_parts
from streams.checks import Checks
from streams.config import Config
from streams.topics import PORTFOLIOS
from tables.rows import User

log = logging.getLogger(__name__)
SYMBOLS_A_LINE = 100
_USERS_A_RECORD = 1_000
_LAID_AT_ONCE = 500  # rows between two looks at the event loop
_LAY_S = 0.02


class Portfolios(Service):
    """Listens beside the checks; nothing waits for it, and an error in it stops no decision."""

    def __init__(self, config: Config, checks: Checks, **kwargs: Any) -> None:
        self.config, self._room, self._checks = config, checks.room, checks
        self.portfolio = Portfolio()
        self._changed: dict[str, User] = {}
        self._owned: list[int] = []
        self._rules: object = None
        self.symbols_processed = self.users_affected = self.users_told = self.passes = self.errors = self.fallbacks = 0
        self.last_error = ""
        self.pass_ms = self.pass_ms_max = 0.0
        self._began_s = time.monotonic()
        self._listen()
        super().__init__(**kwargs)

    def _listen(self) -> None:
        accounts, prices = self._room.accounts, self._room.prices
        changed, owned, lost, moved = accounts.on_change, accounts.on_owned, accounts.on_lost, prices.on_moved

        def on_change(key: bytes, row: User) -> None:
            changed(key, row)
            self._changed[row.user_id] = row

        def on_owned(partition: int) -> None:
            owned(partition)
            self._owned.append(partition)

        def on_lost(partition: int) -> None:
            lost(partition)
            self._drop(partition)

        def on_moved(instruments: set[str]) -> None:
            moved(instruments)
            self.portfolio.moved(instruments)

        accounts.on_change, accounts.on_owned, accounts.on_lost, prices.on_moved = on_change, on_owned, on_lost, on_moved

    def _drop(self, partition: int) -> None:
        self._owned = [number for number in self._owned if number != partition]
        for user in [user for user in [*self.portfolio.users(), *self._changed] if self._partition(user) == partition]:
            self.portfolio.drop(user)
            self._changed.pop(user, None)

    def _partition(self, user: str) -> int:
        return partition_of(user.encode(), self.config.partitions)

    # ---- the loop

    @Service.task
    async def _run(self) -> None:
        interval = self.config.portfolio_interval_ms / 1000
        while not self.should_stop:
            began = time.perf_counter()
            try:
                await self._lay()
                await self._pass(began)
            except Exception as error:  # figures for people: the next pass makes them anew
                self.errors, self.last_error = self.errors + 1, f"{type(error).__name__}: {error}"[:200]
                log.exception("portfolio pass failed")
            await asyncio.sleep(max(0.0, interval - (time.perf_counter() - began)))

    async def _lay(self) -> None:
        """Brings the arrays up to rows and rules, in slices."""
        accounts, prices = self._room.accounts, self._room.prices
        if self._rules is not prices.rules:
            self._rules, self._owned = prices.rules, sorted({*self._owned, *accounts.owned()})
        laid = bool(self._owned or self._changed)
        while self._owned and not (accounts.frozen or self._checks.refill):  # decisions first
            await self._refill(self._owned.pop(0))
        until = time.perf_counter() + _LAY_S
        for user in list(self._changed):
            row = self._changed.pop(user, None)
            if row is not None:  # else its partition went meanwhile
                self._put(row)
            if time.perf_counter() > until:
                await asyncio.sleep(0)
                until = time.perf_counter() + _LAY_S
        if laid:
            self.portfolio.reprice(prices.book.marks)

    async def _refill(self, partition: int) -> None:
        """All rows of a partition, where none newer waits."""
        for at, key in enumerate(self._room.accounts.keys_of(partition)):
            row = self._room.accounts.state_of(key, partition)
            if row is not None and row.user_id not in self._changed:
                self._put(row)
            if at % _LAID_AT_ONCE == 0:
                await asyncio.sleep(0)

    def _put(self, row: User) -> None:
        prices = self._room.prices
        self.portfolio.put(row.user_id, holding_of(row, prices.rules, prices.now_ms()), prices.now_ms())

    async def _pass(self, began: float) -> None:
        prices = self._room.prices
        now = prices.now_ms()
        symbols, users = self.portfolio.symbols(prices.book.marks, now)
        before, self.symbols_processed = self.symbols_processed, self.symbols_processed + symbols
        self.users_affected += users
        if before // SYMBOLS_A_LINE != self.symbols_processed // SYMBOLS_A_LINE:
            log.info("portfolio: %d symbols processed, %d users affected, %d told, pass %.1f ms", self.symbols_processed,
                     self.users_affected, self.users_told, self.pass_ms)
        told = self.portfolio.tell(self.config.portfolio_users_per_s * self.config.portfolio_interval_ms // 1000, now)
        self.passes += 1
        self.pass_ms = (time.perf_counter() - began) * 1000
        self.pass_ms_max = max(self.pass_ms_max, self.pass_ms)
        self.fallbacks += int((told.fallback > 0).sum())
        if told.users:
            await self._send(told, now)

    async def _send(self, told: Told, now: int) -> None:
        """One record a thousand users of a partition; nobody waits for their acknowledgement."""
        of: dict[int, list[int]] = {}
        for at, user in enumerate(told.users):
            of.setdefault(self._partition(user), []).append(at)
        accounts = self._room.accounts
        for number, places in of.items():
            if accounts.frozen or number not in accounts.parts:
                continue  # its next owner tells
            records: list[tuple[bytes, bytes | None]] = [
                (self.config.worker_name.encode(), record_of(told, places[at : at + _USERS_A_RECORD], now, accounts.parts[number].epoch))
                for at in range(0, len(places), _USERS_A_RECORD)]
            await accounts.writer.send(PORTFOLIOS, number, records)
            self.users_told += len(places)

    # ---- what people ask

    def figures(self) -> dict[str, int]:
        """Counts of this worker, summed over all by who asks."""
        return {"symbols_processed": self.symbols_processed, "users_affected_total": self.users_affected, "users_written": self.users_told,
                "users_held": len(self.portfolio), "passes": self.passes, "errors": self.errors, "fallback_figures": self.fallbacks,
                "pass_us_last": int(self.pass_ms * 1000), "pass_us_max": int(self.pass_ms_max * 1000),
                "uptime_seconds": int(time.monotonic() - self._began_s), "is_running": int(not self.should_stop)}

    def dirty(self) -> list[str]:
        """Users whose figures wait to be told."""
        return sorted({*self.portfolio.dirty(), *self._changed})

    def dirty_by_type(self) -> dict[str, int]:
        """Their number by user type."""
        return dict(Counter(user_parts(user)[0] for user in self.dirty()))


def record_of(told: Told, places: list[int], now_ms: int, epoch: int) -> bytes:
    """A `Portfolios` of some of the told."""
    found = pb.Portfolios(calculated_ms=now_ms, epoch=max(epoch, 0), users=[told.users[at] for at in places])
    for field, column in (("equity", told.equity), ("margin", told.margin), ("unrealised_pnl", told.pnl), ("digits", told.digits),
                          ("fallback", told.fallback)):
        getattr(found, field).extend(column[places].tolist())
    return found.SerializeToString()
