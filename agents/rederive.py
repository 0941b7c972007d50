"""Deriving a verdict again from its stamp: what `verify` compares with what was sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from agents.facts import Reading
from agents.risk.rules import Rules
from agents.risk.world import Control, Mark, World
from agents.verdict import Checked, check
from schemas import engine_pb2 as pb
from schemas.money import parse_optional
from tables import accounts
from tables.codec import load_margin
from tables.orders import fold_orders
from tables.read import Record, Unreadable, read
from tables.rows import Orders, User

ORDERS = "orders/"  # how a stamp's fences of the row of `orders` begin: after a crash that row may be behind the other


class Rows:
    """A user's two rows, folded from its facts as far as stamps say; stamps come in the order in which they were made.

    `facts`: the user's records per topic in the order of their offsets. What is unreadable leaves the doubt that the engine left.
    """

    def __init__(self, user: str, facts: Mapping[str, Sequence[Record]], reading: Reading) -> None:
        self.row, self._facts, self._reading = accounts.new(user), facts, reading
        self.orders: Orders | None = None
        self._folded: Counter[str] = Counter()

    def fold_to(self, fences: Mapping[str, int]) -> None:
        """Folds each row up to fences of its own: `topic` is of `accounts`, `orders/topic` of `orders`."""
        for name, fence in sorted(fences.items()):
            topic = name.removeprefix(ORDERS)
            records, at = self._facts.get(topic, ()), self._folded[name]
            while at < len(records) and records[at].offset <= fence:
                (self._fold_orders if name != topic else self._fold)(topic, records[at])
                at += 1
            self._folded[name] = at

    def judge(self, account_id: str, stamp: pb.Stamp, rules: Rules, control: Control) -> Checked | None:
        """The check of a stamp made again; the row goes on as it left it. `rules` and `control` are those at the stamp's offsets."""
        self.fold_to(stamp.fences)
        self._give_up(account_id, stamp.time_ms)
        if account_id not in self.row.accounts:
            return None
        checked = _again((self.row, self.orders), account_id, stamp, world_of(stamp, rules, control))
        self.row = checked.row if checked else self.row
        return checked

    def _fold(self, topic: str, record: Record) -> None:
        fact = read(record, topic, self._reading.partitions, self._reading.default_user_type)
        if isinstance(fact, Unreadable):
            folded = accounts.quarantine(self.row, topic, fact.account_id, fact.error, record.timestamp)
        else:
            folded = accounts.fold(self.row, fact, self._reading.policy)
        self.row = folded.row if isinstance(folded.row, User) else self.row

    def _fold_orders(self, topic: str, record: Record) -> None:
        fact = read(record, topic, self._reading.partitions, self._reading.default_user_type)
        if not isinstance(fact, Unreadable):
            found = fold_orders(self.orders, fact, self._reading.policy).row
            self.orders = found if isinstance(found, Orders) else self.orders

    def _give_up(self, account_id: str, now_ms: int) -> None:
        """Nothing is judged on half a frame: a verdict on one means that the engine's timer had given the rest up by then."""
        account = self.row.accounts.get(account_id)
        folded = accounts.expire(self.row, now_ms, self._reading.policy) if account and accounts.settling(account) else None
        self.row = folded.row if folded and isinstance(folded.row, User) else self.row


def _again(rows: tuple[User, Orders | None], account_id: str, stamp: pb.Stamp, world: World) -> Checked | None:
    row, orders = rows
    account = replace(row.accounts[account_id], margin=load_margin(stamp.margin_before))
    return check(replace(row, accounts={**row.accounts, account_id: account}), account_id, world, (), orders)


def world_of(stamp: pb.Stamp, rules: Rules, control: Control) -> World:
    """The world a stamp was made in, as far as the verdict saw it."""
    marks = {
        mark.instrument: Mark(
            mark.instrument,
            parse_optional(mark.bid),
            parse_optional(mark.ask),
            parse_optional(mark.last),
            parse_optional(mark.price),
            mark.offset,
            mark.append_time_ms,
            mark.jumping,
        )
        for mark in stamp.marks
    }
    return World(stamp.time_ms, marks, rules, control, dict(stamp.fences), stamp.mark_stale_ms, stamp.cooldown_ms)
