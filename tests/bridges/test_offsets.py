"""When a mirror's offsets are committed: behind what is handled, together, and never for a partition that moved."""

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import CommitFailedError

from streams.bridges import consume
from streams.bridges.consume import Offsets, Status


class Group:
    """A consumer's assignment, and what was committed."""

    def __init__(self, *assigned: str) -> None:
        self.assigned = frozenset(assigned)
        self.committed: list[dict[object, int]] = []
        self.fails = False

    def assignment(self) -> frozenset[str]:
        return self.assigned

    async def commit(self, offsets: dict[object, int]) -> None:
        if self.fails:
            raise CommitFailedError
        self.committed.append(offsets)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    found = SimpleNamespace(now_s=100.0)
    monkeypatch.setattr(consume, "time", SimpleNamespace(monotonic=lambda: found.now_s, time=lambda: found.now_s))
    return found


def offsets_of(group: Group) -> tuple[Offsets, Status]:
    status, consumer = Status("mine"), group
    given: Any = consumer
    return Offsets(given, "mine", status), status


async def test_offsets_are_committed_together_and_at_the_end_at_once(clock: SimpleNamespace) -> None:
    group = Group("a", "b")
    offsets, status = offsets_of(group)
    offsets.take({"a": 3})
    await offsets.commit()
    offsets.take({"a": 5, "b": 1})
    await offsets.commit()
    offsets.take({"a": 7})
    await offsets.commit()
    assert group.committed == [{"a": 3}]
    clock.now_s += 2 * consume.COMMIT_S
    await offsets.commit()
    assert group.committed[1:] == [{"a": 7, "b": 1}]
    await offsets.commit(at_once=True)
    assert len(group.committed) == 2  # nothing is due
    offsets.take({"b": 2})
    await offsets.commit(at_once=True)
    assert group.committed[2:] == [{"b": 2}]
    assert status.last_commit_ms == int(clock.now_s * 1000)


@pytest.mark.usefixtures("clock")
async def test_what_moved_is_its_new_owners() -> None:
    group = Group("a", "b")
    offsets, _ = offsets_of(group)
    offsets.take({"a": 3, "b": 4})
    group.assigned = frozenset("b")
    await offsets.commit()
    assert group.committed == [{"b": 4}]


@pytest.mark.usefixtures("clock")
async def test_a_commit_that_fails_is_told_and_no_success() -> None:
    group = Group("a")
    group.fails = True
    offsets, status = offsets_of(group)
    offsets.take({"a": 3})
    await offsets.commit()
    assert (group.committed, status.last_commit_ms) == ([], 0)
