"""Figures over every owned user: users by rung, equity, the oldest mark; in slices, as there may be a million of them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TypeVar

from agents.risk.columns import Columns
from agents.risk.slots import BLOCK
from schemas.keys import user_parts
from streams.checks import Checks
from streams.ops.metrics import METRICS
from streams.prices import now_ms
from tables.rows import RUNG_NAMES

_WORST = {4: 0, 3: 1, 2: 2, 5: 3, 1: 4}  # liquidation first, unknown before normal
_NAMES, _USERS = 5_000, 500  # in a slice: some milliseconds
_T = TypeVar("_T")


def survey(checks: Checks) -> Iterator[None]:
    """One look at all; others may run where it yields, and the metrics change at its end."""
    worst: dict[str, int] = {}
    for names in _slices(list(checks.rungs.items()), _NAMES):
        for (user, _), rung in names:
            worst[user] = min(worst.get(user, rung), rung, key=lambda r: _WORST.get(r, 9))
        yield
    equity: Counter[tuple[str, str]] = Counter()
    for users in _slices(list(worst), _USERS):
        _add_equity(checks, users, equity)
        yield
    _tell(checks, Counter(worst.values()), equity)


def _tell(checks: Checks, rungs: Counter[int], equity: Counter[tuple[str, str]]) -> None:
    for number, name in RUNG_NAMES.items():
        if number:
            METRICS.users_by_rung.labels(name).set(rungs[number])
    METRICS.active_users.set(rungs.total())
    METRICS.user_equity.clear()
    for (kind, name), total in equity.items():
        METRICS.user_equity.labels(kind, name).set(total)
    held = (mark for mark in checks.room.prices.book.marks.values() if is_held(checks.columns, mark.instrument))
    METRICS.mark_age_seconds.set(max((now_ms() - mark.append_ms for mark in held), default=0) / 1000)


def _add_equity(checks: Checks, users: Sequence[str], equity: Counter[tuple[str, str]]) -> None:
    """By user type and rung, each account in its own currency."""
    for name, (amount, _) in checks.columns.portfolio(set(users), checks.room.prices.book.marks).items():
        equity[user_parts(name[0])[0], RUNG_NAMES[checks.rungs.get(name, 1)]] += amount  # type: ignore[assignment]  # a float


def is_held(columns: Columns, instrument: str) -> bool:
    """Whether any account rests on it. Who has lines on it is not asked by name: that may be everybody."""
    number = columns.board.numbers.get(instrument)
    pools = columns.positions.pool.reshape(-1, BLOCK)
    lanes = columns.triggers.lanes_of(number) if number is not None else ()
    return any(pools[columns.positions.blocks_of(lane)].any() for lane in lanes) or bool(columns.holders([instrument]))


def _slices(found: Sequence[_T], size: int) -> Iterator[Sequence[_T]]:
    for at in range(0, len(found), size):
        yield found[at:at + size]
