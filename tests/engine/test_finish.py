"""A group that began comes to its end, whoever stops waiting for it."""

import asyncio
from typing import Any

import pytest

from streams.engine.ledger import Ledger
from streams.engine.rows import Partition
from streams.engine.writer import Fenced
from tests.engine.records import Record
from tests.engine.test_writer import CHANGELOG, FakeProducer, fold, wallet


@pytest.fixture(autouse=True)
def changelog_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ledger, "changelog_topic_name", CHANGELOG)


def held_up(ledger: Any, answer: asyncio.Event, error: Exception | None = None) -> None:
    """Rows are appended, and acknowledged when `answer` is set: with an error, if there is one."""
    real = ledger.writer.write_rows

    async def late(number: int, part: Partition, records: list[tuple[bytes, bytes | None]]) -> None:
        await real(number, part, records)
        await answer.wait()
        if error:
            raise error

    ledger.writer.write_rows = late
    fold(ledger, Record(0, b"live:1", b"5"))


async def test_a_worker_that_ends_finishes_the_group_under_way() -> None:
    producer, answer = FakeProducer(), asyncio.Event()
    ledger = wallet(producer)
    ledger._stopped = ledger._shutdown = ledger._crashed = asyncio.Event()
    held_up(ledger, answer)
    running = asyncio.create_task(ledger.writer.run())
    while not producer.logs[CHANGELOG, 0]:
        await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    answer.set()
    await ledger.flush()  # the last commit waits for the group and finds nothing in doubt
    assert producer.logs["out", 0]
    assert ledger.app.consumer.halted is None


async def test_a_revoke_that_takes_too_long_leaves_the_group_to_its_end() -> None:
    producer, answer = FakeProducer(), asyncio.Event()
    ledger = wallet(producer)
    held_up(ledger, answer)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(ledger.flush(), 0.01)
    answer.set()
    await ledger.flush()
    assert producer.logs["out", 0]
    assert ledger.app.consumer.halted is None


async def test_an_error_that_nobody_waits_for_stops_the_worker() -> None:
    answer, heard = asyncio.Event(), asyncio.get_running_loop().create_future()
    ledger, error = wallet(FakeProducer()), Fenced("another owner")

    async def halt(error: BaseException) -> None:
        heard.set_result(error)

    ledger.app.consumer.halt = halt
    held_up(ledger, answer, error)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(ledger.flush(), 0.01)
    answer.set()
    assert await asyncio.wait_for(heard, 10) is error
