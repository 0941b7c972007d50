"""What a soak counts as growth, and that its feed keeps rows as large as they are."""

import pytest

from streams.bench import soak
from streams.bench.soak import Feed, Soak, figures, level
from streams.bench.watched import Held, look
from streams.stack.process import StackError
from streams.topics import ORDER_UPDATES


def held(at_s: float, **more: int) -> Held:
    known = {"rss_kib": 200_000, "descriptors": 26, "threads": 4, "tasks": 80, "blocks": 1_000_000, "objects": 100_000} | more
    return Held(at_s=at_s, cpu_s=at_s / 4, kinds={"Row": 10, "dict": more.get("objects", 7)}, **known)


@pytest.mark.parametrize(("name", "step", "grew"), [
    ("rss_kib", 10, False), ("rss_kib", 100, True), ("descriptors", 0, False), ("descriptors", 1, True), ("tasks", 1, True),
    ("threads", 1, True), ("blocks", 100, False), ("blocks", 400, True), ("objects", 10, False), ("objects", 50, True)])
def test_what_rises_all_the_time_grew(name: str, step: int, grew: bool) -> None:
    first = getattr(held(0), name)
    found = level(name, [held(10 * at, **{name: first + step * at}) for at in range(100)])
    assert found.grew is grew
    assert found.per_hour == pytest.approx(360 * step, abs=0.1)


def test_what_goes_up_and_down_did_not() -> None:
    assert not level("rss_kib", [held(10 * at, rss_kib=200_000 + 10_000 * (at % 7)) for at in range(100)]).grew


def test_the_warm_up_does_not_count() -> None:
    looks = [held(10 * at, blocks=1_000_000 + min(at, 30) * 10_000) for at in range(100)]
    assert figures(looks, 0)["blocks"]["grew"]  # type: ignore[index]
    found = figures(looks, 300)
    assert not found["blocks"]["grew"]  # type: ignore[index]
    assert (found["looks"], found["cores"]) == (70, 0.25)


def test_too_short_a_soak_is_refused() -> None:
    with pytest.raises(StackError, match="expected 3 looks after the warm-up, was 2"):
        figures([held(0), held(10)], 0)


def test_only_few_users_have_facts_that_are_remembered_by_id() -> None:
    feed = Feed(Soak(users=1_000), 1_760_000_000_000)
    feed.facts.opening(1_760_000_000_000)
    records = [record for at in range(5_000) for record in feed.next_batch(1_760_000_001_000 + at)]
    remembered = {key for topic, key, _ in records if topic == ORDER_UPDATES}
    assert 0 < len(remembered) <= 2 * soak._HOT
    assert len({key for _, key, _ in records}) > 900


def test_a_look_sees_this_process() -> None:
    found = look()
    assert found.rss_kib > 10_000
    assert found.descriptors >= 3
    assert found.objects > 1_000
    assert found.threads >= 1
