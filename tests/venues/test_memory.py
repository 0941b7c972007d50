"""Until when a session believes that nothing was missed: never further than what went out is safe."""

import pytest

from streams.venues.memory import Memory

BEGUN, TOLD, MERGED, SENT = 1_000, 4_000, 9_000, 9_500  # told until 4,000, then a gap, closed at 9,000; since then a frame


def closed_a_gap() -> Memory:
    """What the gap held is on its way to Kafka, and a frame after it."""
    memory = Memory(BEGUN)
    memory.sent_ms = TOLD
    memory.prove(TOLD)
    memory.acknowledge(TOLD)
    assert memory.since_ms == TOLD
    memory.merged_ms = MERGED
    memory.sent_ms = SENT
    memory.prove(SENT)
    return memory


@pytest.mark.parametrize(("said", "since"), [
    ((), TOLD), ((TOLD,), TOLD), ((MERGED - 1,), TOLD), ((SENT + 1,), TOLD), ((10**15,), TOLD), ((0,), TOLD), ((MERGED,), MERGED),
    ((SENT,), SENT), ((SENT, SENT), SENT), ((SENT, MERGED), SENT), ((SENT, TOLD), SENT)])
def test_what_is_acknowledged_before_a_gap_was_closed_says_nothing_of_it(said: tuple[int, ...], since: int) -> None:
    memory = closed_a_gap()
    for until_ms in said:
        memory.acknowledge(until_ms)
    assert memory.since_ms == since


def test_of_a_new_session_that_told_nothing_nothing_is_acknowledged() -> None:
    memory = Memory(BEGUN)
    memory.acknowledge(BEGUN + 5_000)  # of one before, in the same process
    assert memory.since_ms == BEGUN


def test_what_was_told_while_in_doubt_is_read_again_however_much_is_safe() -> None:
    memory = closed_a_gap()
    memory.doubt()
    memory.acknowledge(SENT)
    assert memory.since_ms == TOLD
