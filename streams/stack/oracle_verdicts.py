"""Every verdict derived again: facts folded up to its stamp's fences, then the check made once more at the stamp's world."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from agents.facts import Reading
from agents.rederive import Rows
from schemas import engine_pb2 as engine
from streams import topics
from streams.config import Config
from streams.replay.known import Known
from streams.replay.recording import Recorded
from streams.stack.oracle import Seen
from tables.codec import load_margin
from tables.policy import Policy

VERDICTS = (topics.MARGIN_CALLS, topics.LIQUIDATIONS)


class Sent(NamedTuple):
    """What one check sent: account, stamp, and the bytes of its verdicts, each once."""

    account_id: str
    stamp: engine.Stamp
    values: list[bytes]


def rederived(config: Config, seen: Mapping[str, list[Seen]]) -> list[str]:
    """One line a check whose verdicts do not come out again byte for byte. `seen`: facts, verdicts, rules and control, from zero."""
    policy = Policy(config.settle_ms_max, config.report_ms_max, config.gap_held_max)
    reading = Reading(config.partitions, config.default_user_type, policy)
    settings = Known(_recorded(seen[topics.RISK_RULES]), _recorded(seen[topics.CONTROL]))
    facts: dict[str, dict[str, list[Seen]]] = defaultdict(dict)
    for topic in topics.ACCOUNT_SOURCES:
        for record in seen[topic]:
            facts[record.user].setdefault(topic, []).append(record)
    sent: dict[str, list[Seen]] = defaultdict(list)
    for topic in VERDICTS:
        for record in seen[topic]:
            sent[record.user].append(record)
    return [line for user in sorted(sent) for line in _of_user(Rows(user, facts[user], reading), checks_of(sent[user]), settings)]


def _of_user(row: Rows, checks: Iterable[Sent], settings: Known) -> Iterator[str]:
    for sent in checks:
        checked = row.judge(sent.account_id, sent.stamp, *settings.at(sent.stamp.rules_offset, sent.stamp.control_offset))
        again = [output.value for output in checked.outputs if output.topic in VERDICTS] if checked else []
        if sorted(again) != sorted(sent.values):
            where = f"{row.row.user_id}/{sent.account_id} at {sent.stamp.time_ms}"
            yield f"verdict {where}: expected {_said(again)} from its stamp, was {_said(sent.values)}"


def _recorded(seen: Iterable[Seen]) -> list[Recorded]:
    """A tombstone was seen without bytes."""
    return [Recorded(*record[:5], record.value or None) for record in seen]


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
    """Fences of the judged row only grow, and so do the counters of the margin state: a clock that was set back changes nothing.

    The row of orders has fences of its own, which after a crash may be behind those of an earlier stamp.
    """
    margin = load_margin(sent.stamp.margin_before)
    folded = sum(fence + 1 for name, fence in sent.stamp.fences.items() if "/" not in name)
    return folded, sent.stamp.time_ms, margin.episode, margin.transition, margin.step


def _said(values: Iterable[bytes]) -> str:
    """Verdicts in short, by their ids: both kinds of message begin with it."""
    return ", ".join(sorted(engine.MarginCall.FromString(value[: _id_end(value)]).id for value in values)) or "none"


def _id_end(value: bytes) -> int:
    return 2 + value[1] if len(value) > 1 else 0
