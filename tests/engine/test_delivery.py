"""The way of a bundle to its stream: order, back-pressure and the end of a flow, as stock promises them."""

import asyncio
import inspect
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from faust.transport.consumer import Consumer as StockConsumer
from faust.types import TP
from mode import Service

from streams.engine.delivery import DirectConsumer, DirectThread

HERE = TP("facts", 0)
Callback = Callable[[Any], Awaitable[None]]


class Fake(DirectConsumer):
    """Our loop over polls that are given; the rest is Faust's own."""

    consumer_stopped_errors: ClassVar[Any] = (ConnectionError,)

    def __init__(self, polls: list[list[int] | BaseException], callback: Callback, *, stopping: bool = False) -> None:
        Service.__init__(self)
        self.polls, self.callback = polls, callback
        self.transport = SimpleNamespace(app=SimpleNamespace(should_stop=stopping))
        self.suspend_flow: Any = asyncio.Event()
        self._read_offset: Any = {HERE: None}

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Any]]:
        if not self.polls:
            self._stopped.set()
            return
        found = self.polls.pop(0)
        if isinstance(found, BaseException):
            raise found
        for offset in found:
            yield HERE, SimpleNamespace(topic="facts", partition=0, offset=offset)


def drained(polls: list[list[int] | BaseException], *, stopping: bool = False) -> list[int]:
    """Offsets that reach the stream."""
    found: list[int] = []

    async def main() -> None:
        async def callback(message: Any) -> None:
            found.append(message.offset)

        await Fake(polls, callback, stopping=stopping)._drain_messages(SimpleNamespace(_stopped=asyncio.Event()))

    asyncio.run(main())
    return found


@pytest.mark.parametrize(("polls", "expected"), [
    ([[1, 2], [3]], [1, 2, 3]),
    ([[], [7]], [7]),
    ([[5], [3, 4], [6]], [5, 6]),  # below what was read: a repeat of a fetch
    ([[5], [9]], [5, 9]),  # holes are looked into by the ledger
])
def test_messages_reach_the_stream_in_order_and_none_from_before(polls: list[Any], expected: list[int]) -> None:
    assert drained(polls) == expected


@pytest.mark.parametrize("error", [ConnectionError(), asyncio.CancelledError()])
def test_an_end_is_quiet_only_where_the_worker_stops(error: BaseException) -> None:
    assert drained([[1], error], stopping=True) == [1]
    with pytest.raises(type(error)):
        drained([[1], error])


def test_what_a_stream_raises_ends_the_loop() -> None:
    async def main() -> None:
        async def callback(message: Any) -> None:
            raise ValueError(message.offset)

        await Fake([[1]], callback)._drain_messages(SimpleNamespace(_stopped=asyncio.Event()))

    with pytest.raises(ValueError, match="1"):
        asyncio.run(main())


def test_a_full_stream_is_waited_for_and_a_suspended_flow_ends_the_wait() -> None:
    async def main() -> None:
        room, seen = asyncio.Event(), []

        async def callback(message: Any) -> None:
            await room.wait()
            seen.append(message.offset)

        consumer = Fake([], callback)
        first = asyncio.ensure_future(consumer._deliver(HERE, SimpleNamespace(topic="facts", partition=0, offset=1)))
        await asyncio.sleep(0.01)
        assert not first.done()
        room.set()
        await first
        assert seen == [1]
        room.clear()
        second = asyncio.ensure_future(consumer._deliver(HERE, SimpleNamespace(topic="facts", partition=0, offset=2)))
        await asyncio.sleep(0.01)
        consumer.suspend_flow.set()
        await asyncio.wait_for(second, 5)
        room.set()
        await asyncio.sleep(0.01)
        assert seen == [1]  # given up, not delivered later: the seek brings it again

    asyncio.run(main())


def test_a_fetch_runs_on_the_consumers_own_thread() -> None:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    class Direct(DirectThread):
        def __init__(self) -> None:
            self._thread_loop = self.thread_loop = loop

        def _ensure_consumer(self) -> Any:
            return SimpleNamespace(_max_poll_records=7)

        async def _fetch_records(self, consumer: Any, active_partitions: Any, timeout: Any = None, max_records: Any = None) -> Any:
            return threading.current_thread() is thread, active_partitions, timeout, max_records

    assert asyncio.run(Direct().getmany({HERE}, 1.0)) == (True, {HERE}, 1.0, 7)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(5)
    loop.close()


def test_stock_still_has_what_is_replaced() -> None:
    assert "self.sleep(0)" in inspect.getsource(StockConsumer._drain_messages)
    assert "wait_first" in inspect.getsource(StockConsumer._drain_messages)
