"""Every verdict derived again: facts folded up to its stamp's fences, then the check made once more at the stamp's world."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from msgspec.structs import replace

from agents.rederive import world_of
from agents.risk.rules import BadRule, Rules, rules_with
from agents.risk.world import Control, control_with
from agents.verdict import Checked, check
from schemas import engine_pb2 as engine
from streams import topics
from streams.config import Config
from streams.stack.oracle import Seen
from tables import accounts
from tables.codec import load_margin
from tables.orders import fold_orders
from tables.policy import Policy
from tables.read import Unreadable, read
from tables.rows import Orders, User

VERDICTS = (topics.MARGIN_CALLS, topics.LIQUIDATIONS)


class Sent(NamedTuple):
    """What one check sent: account, stamp, and the bytes of its verdicts, each once."""

    account_id: str
    stamp: engine.Stamp
    values: list[bytes]


class Settings:
    """Rules and control as they were at an offset."""

    def __init__(self, rules: Iterable[Seen], control: Iterable[Seen]) -> None:
        self._rules = {-1: Rules()}
        self._control = {-1: Control()}
        for record in rules:
            try:
                self._rules[record.offset] = rules_with(
                    self._rules[max(self._rules)], engine.RiskRule.FromString(record.value), record.offset
                )
            except BadRule:
                continue
        for record in control:
            self._control[record.offset] = control_with(
                self._control[max(self._control)], engine.Control.FromString(record.value), record.offset
            )

    def at(self, rules_offset: int, control_offset: int) -> tuple[Rules, Control]:
        """The last ones at or before the offsets; they carry these very offsets, for compaction may have taken the records."""
        rules = self._rules[max(at for at in self._rules if at <= rules_offset)]
        control = self._control[max(at for at in self._control if at <= control_offset)]
        return replace(rules, offset=rules_offset), replace(control, offset=control_offset)


class _Row:
    """A user's rows, folded as far as they are asked for."""

    def __init__(self, user: str, facts: Mapping[str, list[Seen]], config: Config) -> None:
        self.row, self.orders = accounts.new(user), None
        self._facts = {topic: facts.get(topic, []) for topic in topics.ACCOUNT_SOURCES}
        self._folded: Counter[str] = Counter()
        self._config = config
        self._policy = Policy(settle_ms_max=config.settle_ms_max, gap_held_max=config.gap_held_max)

    row: User
    orders: Orders | None

    def fold_to(self, fences: Mapping[str, int]) -> None:
        """Each row has fences of its own: after a recovery one may know of records that left the other as it was."""
        for topic in topics.ACCOUNT_SOURCES:
            self._each((topic, topic), fences.get(topic, -1), self._fold)
        for topic in topics.ORDER_SOURCES:
            self._each((f"orders/{topic}", topic), fences.get(f"orders/{topic}", -1), self._fold_orders)

    def _each(self, source: tuple[str, str], fence: int, fold: Callable[[Seen], None]) -> None:
        """`source` names how far we are, and in which topic."""
        name, topic = source
        records, at = self._facts[topic], self._folded[name]
        while at < len(records) and records[at].offset <= fence:
            fold(records[at])
            at += 1
        self._folded[name] = at

    def _fold(self, record: Seen) -> None:
        fact = read(record, record.topic, self._config.partitions, self._config.default_user_type)
        if isinstance(fact, Unreadable):
            folded = accounts.quarantine(self.row, record.topic, fact.account_id, fact.error, record.timestamp)
        else:
            folded = accounts.fold(self.row, fact, self._policy)
        if isinstance(folded.row, User):
            self.row = folded.row

    def _fold_orders(self, record: Seen) -> None:
        fact = read(record, record.topic, self._config.partitions, self._config.default_user_type)
        if not isinstance(fact, Unreadable):
            found = fold_orders(self.orders, fact, self._policy).row
            self.orders = found if isinstance(found, Orders) else self.orders

    def _give_up(self, sent: Sent) -> None:
        """Nothing is judged on half a frame: a verdict on one means that the engine's timer had given the rest up by then."""
        account = self.row.accounts.get(sent.account_id)
        folded = accounts.expire(self.row, sent.stamp.time_ms, self._policy) if account and accounts.settling(account) else None
        if folded and isinstance(folded.row, User):
            self.row = folded.row

    def judge(self, sent: Sent, settings: Settings) -> Checked | None:
        """The check of `sent` made again; the row goes on as it left it."""
        self.fold_to(sent.stamp.fences)
        self._give_up(sent)
        account = self.row.accounts.get(sent.account_id)
        if account is None:
            return None
        account = replace(account, margin=load_margin(sent.stamp.margin_before))
        self.row = replace(self.row, accounts={**self.row.accounts, sent.account_id: account})
        world = world_of(sent.stamp, *settings.at(sent.stamp.rules_offset, sent.stamp.control_offset))
        checked = check(self.row, sent.account_id, world, (), self.orders)
        self.row = checked.row if checked else self.row
        return checked


def rederived(config: Config, seen: Mapping[str, list[Seen]]) -> list[str]:
    """One line a check whose verdicts do not come out again byte for byte. `seen`: facts, verdicts, rules and control, from zero."""
    settings = Settings(seen[topics.RISK_RULES], seen[topics.CONTROL])
    facts: dict[str, dict[str, list[Seen]]] = defaultdict(dict)
    for topic in topics.ACCOUNT_SOURCES:
        for record in seen[topic]:
            facts[record.user].setdefault(topic, []).append(record)
    sent: dict[str, list[Seen]] = defaultdict(list)
    for topic in VERDICTS:
        for record in seen[topic]:
            sent[record.user].append(record)
    return [line for user in sorted(sent) for line in _of_user(_Row(user, facts[user], config), checks_of(sent[user]), settings)]


def _of_user(row: _Row, checks: Iterable[Sent], settings: Settings) -> Iterator[str]:
    for sent in checks:
        checked = row.judge(sent, settings)
        again = [output.value for output in checked.outputs if output.topic in VERDICTS] if checked else []
        if sorted(again) != sorted(sent.values):
            where = f"{row.row.user_id}/{sent.account_id} at {sent.stamp.time_ms}"
            yield f"verdict {where}: expected {_said(again)} from its stamp, was {_said(sent.values)}"


def checks_of(records: Iterable[Seen]) -> list[Sent]:
    """The checks of one user in their order; a verdict that was sent again counts once."""
    found: dict[tuple[str, bytes], Sent] = {}
    for record in records:
        kind = engine.MarginCall if record.topic == topics.MARGIN_CALLS else engine.Liquidation
        message = kind.FromString(record.value)
        name = message.account_id, message.stamp.SerializeToString(deterministic=True)
        values = found.setdefault(name, Sent(message.account_id, message.stamp, [])).values
        if record.value not in values:
            values.append(record.value)
    return sorted(found.values(), key=_order)


def _order(sent: Sent) -> tuple[int, int, int, int, int]:
    """Fences only grow, and so do the counters of the margin state: a clock that was set back changes nothing."""
    margin = load_margin(sent.stamp.margin_before)
    return sum(fence + 1 for fence in sent.stamp.fences.values()), sent.stamp.time_ms, margin.episode, margin.transition, margin.step


def _said(values: Iterable[bytes]) -> str:
    """Verdicts in short, by their ids: both kinds of message begin with it."""
    return ", ".join(sorted(engine.MarginCall.FromString(value[: _id_end(value)]).id for value in values)) or "none"


def _id_end(value: bytes) -> int:
    return 2 + value[1] if len(value) > 1 else 0
