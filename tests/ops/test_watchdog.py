"""The watchdog: stuck is lag without a commit for the whole limit, and nothing else is."""

import asyncio

import pytest

from streams.ops.watchdog import Sample, Watchdog, watch

LIMIT_S = 10.0
S = Sample

# name -> samples, and the times at which the watchdog speaks
CASES: dict[str, tuple[list[Sample], list[float]]] = {
    "no lag, nothing committed": ([S(t, 0, 5) for t in range(0, 30, 2)], []),
    "lag and nothing committed": ([S(t, 9, 5) for t in range(0, 12, 2)], [10]),
    "not before the limit": ([S(t, 9, 5) for t in range(0, 10, 2)], []),
    "once per limit": ([S(t, 9, 5) for t in range(0, 40, 2)], [10, 20, 30]),
    "lag that grows is no progress": ([S(t, t + 1, 5) for t in range(0, 12, 2)], [10]),
    "slow progress": ([S(t, 9, t // 8) for t in range(0, 40, 2)], []),
    "lag under way again starts anew": ([S(t, 0 if t == 6 else 9, 5) for t in range(0, 18, 2)], [16]),
    "a rebalance takes partitions away": ([S(t, 9, 50 if t < 6 else 20) for t in range(0, 18, 2)], [16]),
    "a pause of the process": ([S(0, 9, 5), S(2, 9, 5), S(60, 9, 5), S(62, 9, 5)], []),
    "stuck after a pause": ([S(0, 9, 5), *(S(t, 9, 5) for t in range(60, 72, 2))], [70]),
    "a clock that begins high": ([S(1e6 + t, 9, 5) for t in range(0, 12, 2)], [1e6 + 10]),
}


@pytest.mark.parametrize("case", CASES)
def test_judged(case: str) -> None:
    samples, expected = CASES[case]
    watchdog = Watchdog(LIMIT_S)
    assert [sample.now_s for sample in samples if watchdog.judge(sample)] == expected


def test_message_says_what_was_seen() -> None:
    watchdog = Watchdog(LIMIT_S)
    said = [watchdog.judge(S(t, 9, 5)) for t in range(0, 12, 2)]
    assert said[-1] == "stuck: expected committed offsets to move within 10 s, was 5 for 10.0 s with lag 9"


@pytest.mark.parametrize("limit_s", [0.0, -1.0])
def test_limit_refused(limit_s: float) -> None:
    with pytest.raises(ValueError, match="expected a number above 0"):
        Watchdog(limit_s)


async def watched(committed: list[int], limit_s: float, *, hang: bool = False) -> list[str]:
    """What `watch` told while it took samples 1 s apart by their own clock, each committed as given."""
    said: list[str] = []
    done = asyncio.Event()
    at = iter(range(len(committed)))

    async def sample() -> Sample:
        if (now := next(at, None)) is None:
            done.set()
            await asyncio.Event().wait()
        if hang:
            await asyncio.Event().wait()
        return Sample(float(now or 0), 9, committed[now or 0])

    async def stuck(message: str) -> None:
        said.append(message)
        if hang:
            done.set()

    task = asyncio.create_task(watch(sample, stuck, 0.001, limit_s))
    await asyncio.wait_for(done.wait(), 5)
    task.cancel()
    return said


def test_watch_tells_stuck() -> None:
    assert len(asyncio.run(watched([5] * 6, 4.0))) == 1
    assert asyncio.run(watched([5, 5, 6, 6, 7, 7], 4.0)) == []


def test_watch_takes_a_sample_that_hangs_for_stuck() -> None:
    assert asyncio.run(watched([5], 0.05, hang=True)) == ["stuck: expected a sample within 0.05 s, was none"]


@pytest.mark.parametrize("interval_s", [0.0, 2.6])
def test_watch_refuses_an_interval_that_sees_too_little(interval_s: float) -> None:
    async def never() -> Sample:
        raise AssertionError("expected no sample")

    async def silent(_: str) -> None:
        raise AssertionError("expected no message")

    with pytest.raises(ValueError, match="interval_s: expected above 0 and at most a quarter"):
        asyncio.run(watch(never, silent, interval_s, LIMIT_S))


def test_watch_goes_on_after_a_sample_that_failed(caplog: pytest.LogCaptureFixture) -> None:
    samples = iter([S(0, 9, 5), S(2, 9, 5), S(4, 9, 5)])
    failures = [KeyError("no such partition")]
    told = asyncio.Event()

    async def sample() -> Sample:
        if failures:
            raise failures.pop()
        return next(samples)

    async def stuck(_: str) -> None:
        told.set()

    async def run() -> None:
        task = asyncio.create_task(watch(sample, stuck, 0.001, 4.0))
        await asyncio.wait_for(told.wait(), 5)
        task.cancel()

    asyncio.run(run())
    assert "no sample taken" in caplog.text
