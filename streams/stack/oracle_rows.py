"""The rows of `accounts` as their changelog has them, and which facts each rests on: so they can be judged while facts flow."""

from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

from schemas.engine_pb2 import LedgerRow, Liquidation, UserState
from streams import topics
from streams.config import Config
from streams.engine.rows import STRAY, Partition
from streams.stack.oracle import Seen
from streams.stack.oracle_topics import read_topics
from streams.stack.topics import changelog


class Row(NamedTuple):
    """A user's state, and the last offset folded into it by source topic."""

    state: UserState
    fences: Mapping[str, int]


async def read_rows(config: Config) -> dict[str, Row]:
    """By user, the newest row, as a recovery would take it."""
    name = changelog(config, "accounts")
    parts: dict[int, Partition] = defaultdict(lambda: Partition(len(topics.ACCOUNT_SOURCES)))
    for record in (await read_topics(config, [name]))[name]:
        parts[record.partition].restore([record])
    found = {}
    for part in parts.values():
        for key, value in part.rows.items():
            row = LedgerRow.FromString(value) if isinstance(value, bytes) and key != STRAY else None
            if row and row.state:
                fences = {topic: position - 1 for topic, position in zip(topics.ACCOUNT_SOURCES, row.positions, strict=False)}
                found[key.decode()] = Row(UserState.FromString(row.state), fences)
    return found


def rests_on(row: Row | None, record: Seen) -> bool:
    """Whether a fact, or an event of a liquidation, is in the row."""
    if row is None:
        return False
    if record.topic != topics.LIQUIDATIONS:
        return record.offset <= row.fences.get(record.topic, -1)
    event = Liquidation.FromString(record.value)
    if event.account_id not in row.state.accounts:
        return False
    margin = row.state.accounts[event.account_id].margin
    return (event.episode, event.step) <= (margin.episode, margin.step)
